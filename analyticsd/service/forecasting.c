// Forecasts from the cache or the store.
// SPDX-License-Identifier: MIT
#include "forecasting.h"

#include "background.h"
#include "clock.h"
#include "model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_AHEAD_NS  INT64_C(1000000000000000000) // a window starts within 30 years
#define START_SLACK_NS (60 * NS_PER_SECOND)         // a client's clock may be behind by so much

int forecasting_begin(struct forecasting *forecasting, struct call *call,
                      const struct forecasting_options *options) {
	int64_t now_ns = options->has_as_of ? options->as_of_ns : call->now_ns;
	int64_t start_ns = options->has_start ? options->start_ns : now_ns;

	if (now_ns > call->now_ns)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "as_of_ns: in the future");
	if (now_ns < 0)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "as_of_ns: before 1970");
	if (start_ns > now_ns + MOST_AHEAD_NS)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "start_ns: over 30 years ahead");
	if (start_ns < now_ns - START_SLACK_NS)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "start_ns: in the past");
	if (strcmp(options->model, "auto") != 0 && model_find(options->model) == NULL)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "model: no model '%s'",
		                  options->model);
	forecasting->call = call;
	forecasting->options = *options;
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
static int read_history(const struct forecasting *forecasting, const char *link_id, enum directions direction,
                        struct kpi_point **ret, size_t *ret_n) {
	struct call *call = forecasting->call;
	struct history *history = call->worker->history;
	double seconds = forecast_history_seconds(&forecasting->query);
	struct kpi_range range = {
	        .link_id = link_id,
	        .direction = direction,
	        .kpi = KPI_LINK_USED_CAPACITY,
	        .limit = SIZE_MAX,
	};
	struct kpi_newest newest;
	int64_t next_ns;
	int rc;

	*ret = NULL;
	*ret_n = 0;
	rc = history_kpi_newest(history, link_id, direction, range.kpi, forecasting->query.now_ns, &newest,
	                        call->status);
	if (rc <= 0)
		return rc;
	range.to_ns = newest.point.ts_ns + 1;
	range.from_ns = seconds < 9e9 ? newest.point.ts_ns - (int64_t)(seconds * 1e9) : INT64_MIN;
	return history_kpi(history, &range, ret, ret_n, &next_ns, call->status);
}

static int compute(const struct forecasting *forecasting, const char *link_id, enum directions direction,
                   struct forecast *ret) {
	struct call *call = forecasting->call;
	CLEANUP(freep) struct kpi_point *points = NULL;
	size_t n_points;
	int rc;

	if ((rc = read_history(forecasting, link_id, direction, &points, &n_points)) < 0 ||
	    (rc = background_correct(call->worker, link_id, direction, forecasting->query.now_ns, points,
	                             n_points, call->status)) < 0)
		return rc;
	METRIC_ADD(call->worker->metrics, forecasts_computed, 1);
	return forecast_compute(points, n_points, &forecasting->query, ret);
}

int forecasting_find(struct forecasting *forecasting, const char *link_id, enum directions direction,
                     struct forecast *ret) {
	const struct forecasting_options *options = &forecasting->options;
	struct worker *worker = forecasting->call->worker;
	struct cache_key key = {
	        .link_id = link_id,
	        .direction = direction,
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
	if ((rc = compute(forecasting, link_id, direction, ret)) < 0)
		return rc;
	if (!options->has_as_of)
		cache_keep(worker->cache, &key, forecasting->query.now_ns, generation, ret);
	return 1;
}
