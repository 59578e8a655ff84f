// ForecastLinkCapacity and ForecastTopologyCapacity: a forecast of the use without admitted services, what
// those hold, and what the link is now. One bad link of a topology falls back and says why; the others are
// unaffected.
// SPDX-License-Identifier: MIT
#include "forecasting.h"
#include "ingest.h"
#include "links.h"
#include "reserved.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

// Both requests, as one.
#define OPTIONS_OF(QUERY, MESSAGE)                                                                           \
	(struct forecasting_options) {                                                                       \
		.window_seconds = (QUERY)->forecast_window_seconds, .quantile = (QUERY)->quantile,           \
		.peak_resolution_seconds =                                                                   \
		        HAS(QUERY, MESSAGE, peak_resolution_seconds) ? (QUERY)->peak_resolution_seconds : 0, \
		.has_as_of = HAS(QUERY, MESSAGE, as_of_ns), .has_start = HAS(QUERY, MESSAGE, start_ns),      \
		.series = (QUERY)->series, .strict_history = (QUERY)->strict_history,                        \
		.each_step = (QUERY)->each_step, .as_of_ns = (QUERY)->as_of_ns,                              \
		.start_ns = (QUERY)->start_ns, .statistic = (enum statistics)(QUERY)->statistic,             \
		.model = (QUERY)->model,                                                                     \
	}

struct answering {
	struct forecasting forecasting;
	enum directions direction;
	struct link_forecast *replies; // where the next answer goes
	size_t n_replies;
};

// ---- what services hold

// The words of how their traffic was kept out of the history.
static int tell_traffic(struct call *call, const struct hold *holds, size_t n, int64_t now_ns,
                        struct link_forecast *reply) {
	bool told[N_traffic_modes] = {false};

	for (size_t i = 0; i < n; i++) {
		if (holds[i].from_ns < now_ns)
			told[holds[i].traffic] = true;
	}
	reply->traffic = document_alloc(call->document, N_traffic_modes * sizeof(*reply->traffic));
	if (reply->traffic == NULL)
		return -ENOMEM;
	for (int word = 0; word < N_traffic_modes; word++) {
		if (told[word])
			reply->traffic[reply->n_traffic++] = choice_word(&traffic_modes_choices, word);
	}
	return 0;
}

// A live answer knows all of the ledger, even when the clock was set back since.
static int64_t known_until(const struct answering *answering) {
	return answering->forecasting.options.has_as_of ? answering->forecasting.query.now_ns : INT64_MAX;
}

static int64_t window_end(const struct forecast_query *query) {
	double seconds = fmin(query->window_seconds, (double)(INT64_MAX / 2) / 1e9);

	return query->start_ns + (int64_t)(seconds * 1e9);
}

// Adds what isn't in the forecast: it is asked for each time, so that a kept forecast is never out of date.
static int add_holds(const struct answering *answering, struct link_forecast *reply) {
	struct call *call = answering->forecasting.call;
	const struct forecast_query *query = &answering->forecasting.query;
	struct hold_query wanted = {
	        .link_id = reply->link_id,
	        .direction = answering->direction,
	        .from_ns = reply->samples > 0 ? reply->history_from_ns : query->now_ns,
	        .to_ns = window_end(query),
	        .known_ns = known_until(answering),
	};
	CLEANUP(reserved_fini) struct reserved reserved = {0};
	CLEANUP(freep) struct hold *holds = NULL;
	size_t n;
	int rc;

	if ((rc = ledger_holds(call->worker->state, &wanted, &holds, &n, call->status)) < 0 || n == 0)
		return rc;
	if ((rc = reserved_init(&reserved, holds, n, NULL, 0)) < 0)
		return rc;
	reply->reserved_gbps = ledger_gbps(reserved_most(&reserved, query->start_ns, wanted.to_ns, NULL));
	return tell_traffic(call, holds, n, query->now_ns, reply);
}

// ---- one link

static int fill(const struct answering *answering, const struct forecast *forecast,
                struct link_forecast *reply) {
	struct call *call = answering->forecasting.call;

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
		    (double)(answering->forecasting.query.now_ns - forecast->history_to_ns) / 1e9);
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
static int fall_back(struct call *call, int rc, double current_gbps, struct link_forecast *reply) {
	char reason[STATUS_MESSAGE_SIZE + 32];
	const struct status *status = call->status;

	snprintf(reason, sizeof(reason), "forecast failed: %s",
	         status->code != STATUS_OK ? status->message : strerror(-rc));
	call->status->code = STATUS_OK;
	reply->model = "last";
	reply->forecast_used_capacity_gbps = current_gbps;
	reply->fallback_reason = call_text(call, reason);
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

static int begin_reply(const struct answering *answering, const struct link_record *link,
                       const struct link_now *now, struct link_forecast *reply) {
	enum directions direction = answering->direction;

	link_forecast_init(reply);
	reply->link_id = call_text(answering->forecasting.call, link->id);
	if (reply->link_id == NULL)
		return -ENOMEM;
	reply->direction = direction;
	reply->state = now->state;
	reply->current_used_capacity_gbps =
	        isnan(now->current_gbps[direction]) ? 0 : now->current_gbps[direction];
	if (!isnan(now->total_gbps[direction]))
		SET(reply, link_forecast, total_capacity_gbps, now->total_gbps[direction]);
	if (now->was_held[direction] && !isnan(now->background_gbps[direction]))
		SET(reply, link_forecast, background_gbps, now->background_gbps[direction]);
	return 0;
}

static int forecast_direction(struct answering *answering, const struct link_record *link,
                              const struct link_now *now) {
	struct forecasting *forecasting = &answering->forecasting;
	struct link_forecast *reply = &answering->replies[answering->n_replies++];
	enum directions direction = answering->direction;
	double current = isnan(now->background_gbps[direction]) ? 0 : now->background_gbps[direction];
	struct forecast forecast = {0};
	int rc, is_new;

	if ((rc = begin_reply(answering, link, now, reply)) < 0)
		return rc;
	forecasting->query.fallback_gbps = current;
	is_new = forecasting_find(forecasting, link->id, direction, &forecast);
	if (is_new < 0) {
		rc = fall_back(forecasting->call, is_new, current, reply);
	} else {
		rc = fill(answering, &forecast, reply);
		forecast_fini(&forecast);
	}
	if (rc < 0 || (rc = add_holds(answering, reply)) < 0)
		return rc;
	if (is_new > 0 && !forecasting->options.has_as_of)
		publish(forecasting->call, reply);
	return 0;
}

static int look(struct answering *answering, const struct link_record *link, struct link_now *ret) {
	struct call *call = answering->forecasting.call;

	return link_look(call->worker, link, answering->forecasting.query.now_ns, ret, call->status);
}

static int forecast_one(void *context, const struct link_record *link) {
	struct answering *answering = context;
	struct link_now now;
	int rc;

	if (answering->direction == DIRECTION_REVERSE && !link->bidirectional)
		return status_set(answering->forecasting.call->status, STATUS_INVALID_ARGUMENT,
		                  "direction: link '%s' is unidirectional", link->id);
	if ((rc = look(answering, link, &now)) < 0)
		return rc;
	return forecast_direction(answering, link, &now);
}

int handle_forecast_link(struct call *call, const void *request, void *reply) {
	const struct link_forecast_query *query = request;
	struct answering answering = {.direction = (enum directions)query->direction, .replies = reply};
	int rc;

	if ((rc = forecasting_begin(&answering.forecasting, call, &OPTIONS_OF(query, link_forecast_query))) <
	    0)
		return rc;
	rc = link_find(call->worker, query->link_id, forecast_one, &answering, call->status);
	forecasting_end(&answering.forecasting);
	return rc;
}

// ---- a topology

static int forecast_both(void *context, const struct link_record *link) {
	struct answering *answering = context;
	struct call *call = answering->forecasting.call;
	struct link_now now;
	int rc;

	if (atomic_load(call->worker->stopping))
		return status_set(call->status, STATUS_UNAVAILABLE, "analyticsd is stopping");
	if ((rc = look(answering, link, &now)) < 0)
		return rc;
	for (int direction = 0; direction < (link->bidirectional ? 2 : 1); direction++) {
		answering->direction = (enum directions)direction;
		if ((rc = forecast_direction(answering, link, &now)) < 0)
			return rc;
	}
	return 0;
}

static int add_reservations(const struct answering *answering, const struct topology_forecast_query *query,
                            struct topology_forecast *answer) {
	struct call *call = answering->forecasting.call;
	const struct forecast_query *times = &answering->forecasting.query;
	struct reservations_query wanted = {
	        .topology_id = query->topology_id,
	        .first = query->page,
	        .limit = query->limit,
	        .from_ns = times->start_ns,
	        .to_ns = window_end(times),
	        .known_ns = known_until(answering),
	};
	int64_t ledger;
	int rc;

	if ((rc = ledger_version(call->worker->state, &ledger, call->status)) < 0)
		return rc;
	SET(answer, topology_forecast, ledger_version, ledger);
	if (!query->series)
		return 0;
	SET(answer, topology_forecast, reservations, NULL); // there, even when none are
	return ledger_reservations(call->worker->state, &wanted, call->document, &answer->reservations,
	                           &answer->n_reservations, call->status);
}

// The links and what is held of them are read from one state.
static int forecast_page(struct answering *answering, const struct topology_forecast_query *query,
                         struct topology_forecast *answer) {
	struct call *call = answering->forecasting.call;
	struct state *state = call->worker->state;
	struct topology_page whole;
	int64_t n;
	int rc;

	if ((rc = state_topology(state, query->topology_id, &whole, call->status)) < 0)
		return rc;
	n = query->limit < whole.n_links ? query->limit : whole.n_links;
	answering->replies = document_alloc(call->document, 2 * (size_t)n * sizeof(*answering->replies));
	if (answering->replies == NULL)
		return -ENOMEM;
	if ((rc = add_reservations(answering, query, answer)) < 0 ||
	    (rc = state_each_link(state, query->topology_id, query->page, n, forecast_both, answering,
	                          call->status)) < 0)
		return rc;
	answer->version = whole.version;
	answer->link_capacities = answering->replies;
	answer->n_link_capacities = answering->n_replies;
	if (query->page <= INT64_MAX - n && query->page + n < whole.n_links)
		SET(answer, topology_forecast, next_page, query->page + n);
	return 0;
}

struct collecting {
	struct call *call;
	struct forecasting_link *links;
	size_t n;
};

static int collect(void *context, const struct link_record *link) {
	struct collecting *collecting = context;
	const char *id = call_text(collecting->call, link->id);

	if (id == NULL)
		return -ENOMEM;
	collecting->links[collecting->n++] = (struct forecasting_link){id, DIRECTION_FORWARD};
	if (link->bidirectional)
		collecting->links[collecting->n++] = (struct forecasting_link){id, DIRECTION_REVERSE};
	return 0;
}

// All links of the page learn at once; then they are answered one by one.
static int prepare_page(struct answering *answering, const struct topology_forecast_query *query) {
	struct call *call = answering->forecasting.call;
	struct state *state = call->worker->state;
	struct collecting collecting = {.call = call};
	struct topology_page whole;
	int64_t n;
	int rc;

	if ((rc = state_topology(state, query->topology_id, &whole, call->status)) < 0)
		return rc;
	n = query->limit < whole.n_links ? query->limit : whole.n_links;
	collecting.links = document_alloc(call->document, 2 * (size_t)n * sizeof(*collecting.links) + 1);
	if (collecting.links == NULL)
		return -ENOMEM;
	if ((rc = state_each_link(state, query->topology_id, query->page, n, collect, &collecting,
	                          call->status)) < 0)
		return rc;
	return forecasting_prepare(&answering->forecasting, collecting.links, collecting.n);
}

int handle_forecast_topology(struct call *call, const void *request, void *reply) {
	const struct topology_forecast_query *query = request;
	struct answering answering = {0};
	int rc;

	if ((rc = forecasting_begin(&answering.forecasting, call,
	                            &OPTIONS_OF(query, topology_forecast_query))) < 0)
		return rc;
	if ((rc = prepare_page(&answering, query)) == 0 &&
	    (rc = state_read_begin(call->worker->state, call->status)) == 0) {
		rc = forecast_page(&answering, query, reply);
		state_read_end(call->worker->state);
	}
	forecasting_end(&answering.forecasting);
	return rc;
}
