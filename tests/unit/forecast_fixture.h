// forecast_fixture.h: links whose past is made up, and questions about them.
// SPDX-License-Identifier: MIT
#pragma once

#include "forecast.h"

#include "clock.h"

#include <math.h>
#include <stdlib.h>

#define FIXTURE_NOW_NS (INT64_C(1078099200) * NS_PER_SECOND)
#define FIXTURE_MOST   20000

// The same noise everywhere: [-1, 1).
static inline double fixture_noise(uint64_t *state) {
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double)(*state >> 33) / (double)(UINT64_C(1) << 30) - 1;
}

// A working link: busy by day, quieter at the weekend, never quite the same.
static inline double fixture_load(int64_t ts_ns, uint64_t *state) {
	double days = (double)ts_ns / (double)NS_PER_SECOND / 86400;
	double weekday = fmod(floor(days), 7) < 5 ? 1 : 0.6;

	return weekday * (3 - 2 * cos(2 * M_PI * days)) + 0.3 * fixture_noise(state) + 0.5;
}

// 'n' points, 'seconds' apart, the last of them at FIXTURE_NOW_NS.
static inline size_t fixture_link(struct kpi_point *points, size_t n, int seconds, uint64_t seed) {
	for (size_t i = 0; i < n; i++) {
		points[i].ts_ns = FIXTURE_NOW_NS - (int64_t)(n - 1 - i) * seconds * NS_PER_SECOND;
		points[i].gbps = fixture_load(points[i].ts_ns, &seed);
	}
	return n;
}

static inline size_t fixture_constant(struct kpi_point *points, size_t n, int seconds, double gbps) {
	for (size_t i = 0; i < n; i++) {
		points[i].ts_ns = FIXTURE_NOW_NS - (int64_t)(n - 1 - i) * seconds * NS_PER_SECOND;
		points[i].gbps = gbps;
	}
	return n;
}

static inline struct forecast_query fixture_query(double window_seconds) {
	return (struct forecast_query){
	        .now_ns = FIXTURE_NOW_NS,
	        .start_ns = FIXTURE_NOW_NS,
	        .window_seconds = window_seconds,
	        .statistic = STATISTIC_PEAK,
	        .quantile = 0.95,
	        .model = "auto",
	        .history_ratio = FORECAST_HISTORY_RATIO,
	};
}
