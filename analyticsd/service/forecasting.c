// Forecasts from the cache or the store.
// SPDX-License-Identifier: MIT
#include "forecasting.h"

#include "background.h"
#include "clock.h"
#include "model.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

enum {
	MOST_HELPERS = 63,
	LINKS_FOR_HELPER = 8 // below, opening its databases would take longer than it helps
};

static atomic_int n_helpers;

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
	*forecasting = (struct forecasting){.call = call, .options = *options, .cache = call->worker->cache};
	if (options->has_as_of && cache_new(&forecasting->cache) < 0)
		return -ENOMEM;
	forecasting->owns_cache = options->has_as_of;
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
	        .each_step = options->each_step,
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

static int learn(const struct forecasting *forecasting, const struct cache_key *key,
                 struct cache_entry *entry) {
	const struct forecast_query *query = &forecasting->query;
	struct call *call = forecasting->call;
	CLEANUP(freep) struct kpi_point *points = NULL;
	uint64_t generation = cache_generation(forecasting->cache);
	size_t n_points;
	int rc;

	if ((rc = read_history(forecasting, key->link_id, key->direction, &points, &n_points)) < 0 ||
	    (rc = background_correct(call->worker, key->link_id, key->direction, query->now_ns, points,
	                             n_points, call->status)) < 0 ||
	    (rc = forecast_learn(&entry->state, points, n_points, query)) < 0)
		return rc;
	METRIC_ADD(call->worker->metrics, forecasts_computed, 1);
	entry->has_series = query->series;
	cache_learnt(forecasting->cache, entry, query->now_ns, generation);
	return 0;
}

static struct cache_key key_of(const struct forecasting *forecasting, const char *link_id,
                               enum directions direction) {
	const struct forecasting_options *options = &forecasting->options;

	return (struct cache_key){
	        .link_id = link_id,
	        .direction = direction,
	        .window_seconds = options->window_seconds,
	        .peak_resolution_seconds = options->peak_resolution_seconds,
	        .start_ns = options->has_start ? forecasting->query.start_ns : 0,
	        .statistic = options->statistic,
	        .model = options->model,
	        .strict_history = options->strict_history,
	};
}

// Returns 1 when it learnt, 0 when what it knows is fresh, or a negative errno.
static int refresh(const struct forecasting *forecasting, const struct cache_key *key,
                   struct cache_entry *entry) {
	int rc;

	if (cache_is_fresh(forecasting->cache, entry, forecasting->query.now_ns) &&
	    (entry->has_series || !forecasting->query.series))
		return 0;
	return (rc = learn(forecasting, key, entry)) < 0 ? rc : 1;
}

static int answer(const struct forecasting *forecasting, const struct cache_key *key,
                  const struct cache_entry *entry, struct forecast *ret) {
	const struct forecast_query *query = &forecasting->query;
	struct shared_pool *pool = NULL;
	int rc = 0;

	if (forecast_needs_pool(entry->state, query->quantile))
		rc = cache_pool(forecasting->cache, key, forecasting->knows_all, &pool);
	if (rc >= 0)
		rc = forecast_answer(entry->state, query, cache_pool_errors(pool), ret);
	cache_put_pool(forecasting->cache, pool);
	return rc;
}

int forecasting_find(struct forecasting *forecasting, const char *link_id, enum directions direction,
                     struct forecast *ret) {
	struct cache_key key = key_of(forecasting, link_id, direction);
	struct metrics *metrics = forecasting->call->worker->metrics;
	struct cache_entry *entry;
	int rc, is_new;

	if ((rc = cache_take(forecasting->cache, &key, &entry)) < 0)
		return rc;
	if ((rc = refresh(forecasting, &key, entry)) == 0 && entry->is_told)
		METRIC_ADD(metrics, forecasts_cached, 1);
	if (rc >= 0)
		rc = answer(forecasting, &key, entry, ret);
	is_new = !entry->is_told;
	entry->is_told |= rc == 0;
	cache_put(forecasting->cache, entry);
	return rc < 0 ? rc : is_new;
}

void forecasting_end(struct forecasting *forecasting) {
	if (forecasting->owns_cache)
		cache_free(forecasting->cache);
	forecasting->owns_cache = false;
}

// ---- many links at once

struct preparing {
	struct forecasting *forecasting;
	const struct forecasting_link *links;
	size_t n;
	atomic_size_t next;
};

// With the handles of 'worker'.
static void prepare(struct preparing *preparing, struct worker *worker) {
	struct forecasting forecasting = *preparing->forecasting;
	struct status status;
	struct call call = *forecasting.call;
	size_t i;

	call.worker = worker;
	call.status = &status;
	forecasting.call = &call;
	while ((i = atomic_fetch_add(&preparing->next, 1)) < preparing->n && !atomic_load(worker->stopping)) {
		const struct forecasting_link *link = &preparing->links[i];
		struct cache_key key = key_of(&forecasting, link->id, link->direction);
		struct cache_entry *entry;

		if (cache_take(forecasting.cache, &key, &entry) < 0)
			continue;
		status = (struct status){0};
		(void)refresh(&forecasting, &key,
		              entry); // what failed is tried again, and told, by forecasting_find()
		cache_put(forecasting.cache, entry);
	}
}

// A thread beside the worker's own, with databases of its own.
static void *run_helper(void *argument) {
	struct preparing *preparing = argument;
	const struct worker *asked = preparing->forecasting->call->worker;
	struct worker worker = *asked;
	struct status status;

	pthread_setname_np(pthread_self(), "linkcast-links");
	worker.state = NULL;
	worker.history = NULL;
	worker.ingest = worker.work = NULL;
	if (state_open(asked->options->state_path, false, &worker.state, &status) == 0 &&
	    history_open(asked->options->history_path, false, &worker.history, &status) == 0)
		prepare(preparing, &worker);
	state_close(worker.state);
	history_close(worker.history);
	return NULL;
}

static int count_cores(void) {
	cpu_set_t cores;

	return sched_getaffinity(0, sizeof(cores), &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

// One for each core but the caller's, of all requests together.
static int take_helpers(size_t n_links) {
	int cores = count_cores();
	size_t useful = n_links / LINKS_FOR_HELPER;
	int most = cores - 1 < MOST_HELPERS ? cores - 1 : MOST_HELPERS;
	int wanted = useful < (size_t)most ? (int)useful : most;
	int taken = 0;

	while (taken < wanted) {
		if (atomic_fetch_add(&n_helpers, 1) >= cores - 1) {
			atomic_fetch_sub(&n_helpers, 1);
			break;
		}
		taken++;
	}
	return taken;
}

int forecasting_prepare(struct forecasting *forecasting, const struct forecasting_link *links, size_t n) {
	struct preparing preparing = {.forecasting = forecasting, .links = links, .n = n};
	struct call *call = forecasting->call;
	pthread_t threads[MOST_HELPERS];
	int n_taken = take_helpers(n), n_threads = 0;

	while (n_threads < n_taken && pthread_create(&threads[n_threads], NULL, run_helper, &preparing) == 0)
		n_threads++;
	prepare(&preparing, call->worker);
	for (int i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	atomic_fetch_sub(&n_helpers, n_taken);
	if (atomic_load(call->worker->stopping))
		return status_set(call->status, STATUS_UNAVAILABLE, "analyticsd is stopping");
	forecasting->knows_all = true;
	return 0;
}
