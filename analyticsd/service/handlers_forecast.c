// ForecastLinkCapacity and ForecastTopologyCapacity: samples from the store, a forecast from models/ or the
// cache, and what the link is now. One bad link of a topology falls back and says why; the others are
// unaffected. SPDX-License-Identifier: MIT
#include "clock.h"
#include "forecast.h"
#include "ingest.h"
#include "links.h"
#include "model.h"
#include "worker.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MOST_AHEAD_NS  INT64_C(1000000000000000000) // a window starts within 30 years
#define START_SLACK_NS (60 * NS_PER_SECOND)         // a client's clock may be behind by so much

// Both requests, as one.
struct options {
	double window_seconds, quantile, peak_resolution_seconds;
	bool has_as_of, has_start, series, strict_history;
	int64_t as_of_ns, start_ns;
	enum statistics statistic;
	const char *model;
};

#define OPTIONS_OF(QUERY, MESSAGE)                                                                           \
	(struct options) {                                                                                   \
		.window_seconds = (QUERY)->forecast_window_seconds, .quantile = (QUERY)->quantile,           \
		.peak_resolution_seconds =                                                                   \
		        HAS(QUERY, MESSAGE, peak_resolution_seconds) ? (QUERY)->peak_resolution_seconds : 0, \
		.has_as_of = HAS(QUERY, MESSAGE, as_of_ns), .has_start = HAS(QUERY, MESSAGE, start_ns),      \
		.series = (QUERY)->series, .strict_history = (QUERY)->strict_history,                        \
		.as_of_ns = (QUERY)->as_of_ns, .start_ns = (QUERY)->start_ns,                                \
		.statistic = (enum statistics)(QUERY)->statistic, .model = (QUERY)->model,                   \
	}

struct forecasting {
	struct call *call;
	struct options options;
	struct forecast_query query;
	enum directions direction;
	struct link_forecast *replies; // where the next answer goes
	size_t n_replies;
};

static int begin(struct forecasting *forecasting) {
	const struct options *options = &forecasting->options;
	struct call *call = forecasting->call;
	int64_t now_ns = options->has_as_of ? options->as_of_ns : call->now_ns;
	int64_t start_ns = options->has_start ? options->start_ns : now_ns;

	if (now_ns < 0)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "as_of_ns: before 1970");
	if (now_ns > call->now_ns)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "as_of_ns: in the future");
	if (start_ns > now_ns + MOST_AHEAD_NS)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "start_ns: over 30 years ahead");
	if (start_ns < now_ns - START_SLACK_NS)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "start_ns: in the past");
	if (strcmp(options->model, "auto") != 0 && model_find(options->model) == NULL)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "model: no model '%s'",
		                  options->model);
	forecasting->query = (struct forecast_query){
	        .now_ns = now_ns,
	        .start_ns = start_ns > now_ns ? start_ns : now_ns,
	        .window_seconds = options->window_seconds,
	        .statistic = options->statistic,
	        .quantile = options->quantile,
	        .model = options->model,
	        .peak_resolution_seconds = options->peak_resolution_seconds,
	        .history_ratio = call->worker->options->history_ratio,
	        .strict_history = options->strict_history,
	        .series = options->series,
	};
	return 0;
}

// History is counted back from the newest sample, so that one that ended long ago is still used.
static int read_history(struct forecasting *forecasting, const char *link_id, struct kpi_point **ret,
                        size_t *ret_n) {
	struct call *call = forecasting->call;
	struct history *history = call->worker->history;
	double seconds = forecast_history_seconds(&forecasting->query);
	struct kpi_range range = {
	        .link_id = link_id,
	        .direction = forecasting->direction,
	        .kpi = KPI_LINK_USED_CAPACITY,
	        .limit = SIZE_MAX,
	};
	struct kpi_newest newest;
	int64_t next_ns;
	int rc;

	*ret = NULL;
	*ret_n = 0;
	rc = history_kpi_newest(history, link_id, range.direction, range.kpi, forecasting->query.now_ns,
	                        &newest, call->status);
	if (rc <= 0)
		return rc;
	range.to_ns = newest.point.ts_ns + 1;
	range.from_ns = seconds < 9e9 ? newest.point.ts_ns - (int64_t)(seconds * 1e9) : INT64_MIN;
	return history_kpi(history, &range, ret, ret_n, &next_ns, call->status);
}

static int compute(struct forecasting *forecasting, const char *link_id, struct forecast *ret) {
	CLEANUP(freep) struct kpi_point *points = NULL;
	size_t n_points;
	int rc;

	if ((rc = read_history(forecasting, link_id, &points, &n_points)) < 0)
		return rc;
	METRIC_ADD(forecasting->call->worker->metrics, forecasts_computed, 1);
	return forecast_compute(points, n_points, &forecasting->query, ret);
}

// Returns 1 when the forecast is new, 0 when it was kept, or a negative errno.
static int find_or_compute(struct forecasting *forecasting, const char *link_id, struct forecast *ret) {
	const struct options *options = &forecasting->options;
	struct worker *worker = forecasting->call->worker;
	struct cache_key key = {
	        .link_id = link_id,
	        .direction = forecasting->direction,
	        .window_seconds = options->window_seconds,
	        .quantile = options->quantile,
	        .peak_resolution_seconds = options->peak_resolution_seconds,
	        .start_ns = options->has_start ? forecasting->query.start_ns : 0,
	        .statistic = options->statistic,
	        .model = options->model,
	        .series = options->series,
	        .strict_history = options->strict_history,
	};
	uint64_t generation = cache_generation(worker->cache);
	int rc;

	if (!options->has_as_of &&
	    (rc = cache_find(worker->cache, &key, forecasting->query.now_ns, ret)) != 0) {
		METRIC_ADD(worker->metrics, forecasts_cached, rc > 0);
		return rc < 0 ? rc : 0;
	}
	if ((rc = compute(forecasting, link_id, ret)) < 0)
		return rc;
	if (!options->has_as_of)
		cache_keep(worker->cache, &key, forecasting->query.now_ns, generation, ret);
	return 1;
}

static int fill(struct forecasting *forecasting, const struct forecast *forecast,
                struct link_forecast *reply) {
	struct call *call = forecasting->call;

	reply->forecast_used_capacity_gbps = forecast->value_gbps;
	reply->model = forecast->model;
	reply->samples = (int64_t)forecast->samples;
	reply->step_seconds = forecast->step_seconds;
	reply->peak_resolution_seconds = forecast->peak_resolution_seconds;
	reply->calibration_windows = (int64_t)forecast->calibration_windows;
	if (forecast->samples > 0) {
		SET(reply, link_forecast, history_from_ns, forecast->history_from_ns);
		SET(reply, link_forecast, history_to_ns, forecast->history_to_ns);
		SET(reply, link_forecast, staleness_seconds,
		    (double)(forecasting->query.now_ns - forecast->history_to_ns) / 1e9);
	}
	if (!isnan(forecast->backtest_mase))
		SET(reply, link_forecast, backtest_mase, forecast->backtest_mase);
	if (!isnan(forecast->coverage))
		SET(reply, link_forecast, coverage, forecast->coverage);
	if (forecast->fallback_reason[0] != '\0' &&
	    (reply->fallback_reason = call_text(call, forecast->fallback_reason)) == NULL)
		return -ENOMEM;
	if (forecast->n_series > 0) {
		reply->series = document_alloc(call->document, forecast->n_series * sizeof(*reply->series));
		if (reply->series == NULL)
			return -ENOMEM;
		memcpy(reply->series, forecast->series, forecast->n_series * sizeof(*reply->series));
		reply->n_series = forecast->n_series;
	}
	return 0;
}

// Without a forecast the current use stands in for it, with the reason.
static int fall_back(struct forecasting *forecasting, int rc, double current_gbps,
                     struct link_forecast *reply) {
	char reason[STATUS_MESSAGE_SIZE + 32];
	const struct status *status = forecasting->call->status;

	snprintf(reason, sizeof(reason), "forecast failed: %s",
	         status->code != STATUS_OK ? status->message : strerror(-rc));
	forecasting->call->status->code = STATUS_OK;
	reply->model = "last";
	reply->forecast_used_capacity_gbps = current_gbps;
	reply->fallback_reason = call_text(forecasting->call, reason);
	return reply->fallback_reason != NULL ? 0 : -ENOMEM;
}

static void publish(struct call *call, const struct link_forecast *reply) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	char topic[TOPIC_SIZE];
	struct ingest_call ingest = {.task = INGEST_PUBLISH, .topic = topic, .frame = &frame};

	if (message_encode(&link_forecast_message, reply, &frame) < 0)
		return;
	snprintf(topic, sizeof(topic), "forecast/%s/", reply->link_id);
	(void)ingest_call(call->worker->ingest, &ingest);
}

static int forecast_direction(struct forecasting *forecasting, const struct link_record *link,
                              const struct link_now *now) {
	struct link_forecast *reply = &forecasting->replies[forecasting->n_replies++];
	enum directions direction = forecasting->direction;
	double current = isnan(now->current_gbps[direction]) ? 0 : now->current_gbps[direction];
	struct forecast forecast = {0};
	int rc, is_new;

	link_forecast_init(reply);
	reply->link_id = call_text(forecasting->call, link->id);
	if (reply->link_id == NULL)
		return -ENOMEM;
	reply->direction = direction;
	reply->state = now->state;
	reply->current_used_capacity_gbps = current;
	if (!isnan(now->total_gbps[direction]))
		SET(reply, link_forecast, total_capacity_gbps, now->total_gbps[direction]);
	forecasting->query.fallback_gbps = current;
	is_new = find_or_compute(forecasting, link->id, &forecast);
	if (is_new < 0)
		return fall_back(forecasting, is_new, current, reply);
	rc = fill(forecasting, &forecast, reply);
	forecast_fini(&forecast);
	if (rc == 0 && is_new > 0 && !forecasting->options.has_as_of)
		publish(forecasting->call, reply);
	return rc;
}

static int look(struct forecasting *forecasting, const struct link_record *link, struct link_now *ret) {
	return link_look(forecasting->call->worker, link, forecasting->query.now_ns, ret,
	                 forecasting->call->status);
}

static int forecast_one(void *context, const struct link_record *link) {
	struct forecasting *forecasting = context;
	struct link_now now;
	int rc;

	if (forecasting->direction == DIRECTION_REVERSE && !link->bidirectional)
		return status_set(forecasting->call->status, STATUS_INVALID_ARGUMENT,
		                  "direction: link '%s' is unidirectional", link->id);
	if ((rc = look(forecasting, link, &now)) < 0)
		return rc;
	return forecast_direction(forecasting, link, &now);
}

int handle_forecast_link(struct call *call, const void *request, void *reply) {
	const struct link_forecast_query *query = request;
	struct forecasting forecasting = {
	        .call = call,
	        .options = OPTIONS_OF(query, link_forecast_query),
	        .direction = (enum directions)query->direction,
	        .replies = reply,
	};
	int rc;

	if ((rc = begin(&forecasting)) < 0)
		return rc;
	return link_find(call->worker, query->link_id, forecast_one, &forecasting, call->status);
}

static int forecast_both(void *context, const struct link_record *link) {
	struct forecasting *forecasting = context;
	struct link_now now;
	int rc;

	if ((rc = look(forecasting, link, &now)) < 0)
		return rc;
	for (int direction = 0; direction < (link->bidirectional ? 2 : 1); direction++) {
		forecasting->direction = (enum directions)direction;
		if ((rc = forecast_direction(forecasting, link, &now)) < 0)
			return rc;
	}
	return 0;
}

int handle_forecast_topology(struct call *call, const void *request, void *reply) {
	const struct topology_forecast_query *query = request;
	struct topology_forecast *answer = reply;
	struct state *state = call->worker->state;
	struct topology_page whole;
	struct forecasting forecasting = {.call = call,
	                                  .options = OPTIONS_OF(query, topology_forecast_query)};
	int64_t n;
	int rc;

	if ((rc = begin(&forecasting)) < 0 ||
	    (rc = state_topology(state, query->topology_id, &whole, call->status)) < 0)
		return rc;
	n = query->limit < whole.n_links ? query->limit : whole.n_links;
	forecasting.replies = document_alloc(call->document, 2 * (size_t)n * sizeof(*forecasting.replies));
	if (forecasting.replies == NULL)
		return -ENOMEM;
	if ((rc = state_each_link(state, query->topology_id, query->page, n, forecast_both, &forecasting,
	                          call->status)) < 0)
		return rc;
	answer->version = whole.version;
	answer->link_capacities = forecasting.replies;
	answer->n_link_capacities = forecasting.n_replies;
	if (query->page <= INT64_MAX - n && query->page + n < whole.n_links)
		SET(answer, topology_forecast, next_page, query->page + n);
	return 0;
}
