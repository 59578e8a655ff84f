// forecasting.h: forecasts of links as requests ask for them: from the cache, or from the stored history
// without the traffic of admitted services.
// SPDX-License-Identifier: MIT
#pragma once

#include "forecast.h"
#include "worker.h"

// What the requests have in common.
struct forecasting_options {
	double window_seconds, quantile, peak_resolution_seconds;
	bool has_as_of, has_start, series, each_step, strict_history;
	int64_t as_of_ns, start_ns;
	enum statistics statistic;
	const char *model;
};

struct forecasting {
	struct call *call;
	struct forecasting_options options;
	struct forecast_query query; // 'fallback_gbps' is the caller's, for each link
	struct cache *cache; // the daemon's, or one of the request's own when it asks about an earlier moment
	bool owns_cache;
	bool knows_all; // every link of the request has learnt: their errors are lent to each other
};

struct forecasting_link {
	const char *id;
	enum directions direction;
};

// Checks the options and settles the times. Returns 0 or -EINVAL with the call's status; end with forecasting_end().
int forecasting_begin(struct forecasting *, struct call *, const struct forecasting_options *);
void forecasting_end(struct forecasting *);

// Lets the links learn, on as many threads as there are cores, so that forecasting_find() finds them all. What fails for
// a link is left for forecasting_find() to tell. Returns 0, or -ECANCELED with the call's status when the daemon stops.
int forecasting_prepare(struct forecasting *, const struct forecasting_link *, size_t n);

// The forecast of the use without admitted services; the caller ends it with forecast_fini(). Returns 1 when it
// is new, 0 when it was told before, or a negative errno.
int forecasting_find(struct forecasting *, const char *link_id, enum directions direction,
                     struct forecast *ret);
