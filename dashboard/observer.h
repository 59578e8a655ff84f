// observer.h: what /metrics tells of analyticsd: asked for when somebody scrapes, and kept. Forecasts cost it work:
// they are asked for in the background, one at a time, and never take more than a tenth of the time.
// SPDX-License-Identifier: MIT
#pragma once

#include "backend.h"

#define OBSERVER_HORIZONS 8

struct observer_options {
	double horizons[OBSERVER_HORIZONS]; // seconds
	size_t n_horizons;
	double quantile;
};

enum observation_kind {
	OBSERVED_SOURCES,
	OBSERVED_METRICS,
	OBSERVED_TOPOLOGIES,
	OBSERVED_TOPOLOGY,
	OBSERVED_FORECAST
};

struct observation {
	enum observation_kind kind;
	double horizon_seconds; // of a forecast
	struct document *document;
	union {
		struct source_list sources;
		struct metric_list metrics;
		struct topology_list topologies;
		struct topology_view topology; // a page of it
		struct topology_forecast forecast;
	};
};

struct observer;

int observer_new(const struct observer_options *, struct backend *, struct observer **ret);
void observer_free(struct observer *); // after backend_close(), which ends its calls
DEFINE_CLEANUP(struct observer *, observer_free)

// Calls 'done' when what is kept is fresh, or can't be had; at once when it is. Returns 0 or -ENOMEM.
int observer_refresh(struct observer *, int64_t now_ns, void (*done)(void *context), void *context);

// What is kept, in order: how many, and each. Valid until the caller's loop goes on.
size_t observer_count(const struct observer *);
const struct observation *observer_at(const struct observer *, size_t i);
