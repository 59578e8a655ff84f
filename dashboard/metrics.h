// metrics.h: what is known, as OpenMetrics 1.0 text (https://prometheus.io/docs/specs/om/open_metrics_spec/).
// Counters of ports have the names of DPDK's own exporter (usertools/dpdk-telemetry-exporter.py). No sample carries a
// time: a forecast is what is expected now of the next horizon_seconds.
// SPDX-License-Identifier: MIT
#pragma once

#include "http.h"
#include "observer.h"
#include "ports.h"
#include "streams.h"

#define METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

struct metrics_sources {
	const struct observer *observer;
	struct ports *ports;
	const struct streams *streams;
	const struct http *http;
	bool analyticsd_is_there;
	double quantile; // of the forecasts
};

// The text, which the caller frees. Returns 0 or -ENOMEM.
int metrics_text(const struct metrics_sources *, int64_t now_ns, char **ret, size_t *ret_size);
