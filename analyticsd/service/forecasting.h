// forecasting.h: forecasts of links as requests ask for them: from the cache, or from the stored history
// without the traffic of admitted services.
// SPDX-License-Identifier: MIT
#pragma once

#include "forecast.h"
#include "worker.h"

// What the requests have in common.
struct forecasting_options {
	double window_seconds, quantile, peak_resolution_seconds;
	bool has_as_of, has_start, series, strict_history;
	int64_t as_of_ns, start_ns;
	enum statistics statistic;
	const char *model;
};

struct forecasting {
	struct call *call;
	struct forecasting_options options;
	struct forecast_query query; // 'fallback_gbps' is the caller's, for each link
};

// Checks the options and settles the times. Returns 0 or -EINVAL with the call's status.
int forecasting_begin(struct forecasting *, struct call *, const struct forecasting_options *);

// The forecast of the use without admitted services; the caller ends it with forecast_fini(). Returns 1 when it
// is new, 0 when it was kept, or a negative errno.
int forecasting_find(struct forecasting *, const char *link_id, enum directions, struct forecast *ret);
