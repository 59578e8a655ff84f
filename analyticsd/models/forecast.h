// forecast.h: from the samples of one link and direction to the used capacity of a window, with its band and
// its provenance. Pure: no clock, no files, no threads of its own; the same input gives the same answer. Any
// thread.
//
// Every kind of history has an answer (spec: none is "current use", one sample is a constant, ...): what was
// wrong is told in 'fallback_reason', it is not an error.
// SPDX-License-Identifier: MIT
#pragma once

#include "message.h"

#include <stddef.h>
#include <stdint.h>

#define FORECAST_HISTORY_RATIO   10 // FORECAST_TO_HISTORY_RATIO: windows of history for one window of forecast
#define FORECAST_HISTORY_SECONDS (14 * 86400.0) // used where stored, so that day and week are seen
#define FORECAST_REASON_SIZE     160

struct forecast_query {
	int64_t now_ns;        // samples stamped after it are ignored
	int64_t start_ns;      // of the window; at or after now_ns
	double window_seconds; // the window is (start, start + window]
	enum statistics statistic;
	double quantile;                // of the statistic; [0.5, 0.999]
	const char *model;              // a name of the model table; "auto" chooses by backtest
	double peak_resolution_seconds; // 0: 300, or a twelfth of a window under an hour
	double history_ratio;           // windows of history that are used at least
	bool strict_history;            // ... and at most
	bool series;                    // fill 'series'
	double fallback_gbps; // current use when there is no sample at all (of the topology); 0 when not
	                      // known
};

struct forecast {
	double current_gbps; // mean of the last 60 s before now, or the last sample's value
	double value_gbps;   // the statistic of the window at the quantile
	const char *model;   // that answered, "mix" for a mixture of the best; static
	int64_t history_from_ns, history_to_ns; // of the samples used; 0 when none
	size_t samples;                         // used
	double step_seconds;
	double peak_resolution_seconds;
	double staleness_seconds; // NAN without samples
	double backtest_mase; // in units of the mean change over a day (over a step where there is no day);
	                      // NAN without a backtest
	size_t calibration_windows;                 // past windows, not overlapping, of the asked length
	double coverage;                            // NAN below 19 windows
	char fallback_reason[FORECAST_REASON_SIZE]; // "" when the wanted model was used
	struct band_point *series; // over the window; simultaneous: its highest upper is the peak's answer
	size_t n_series;
};

// How far before the last sample at or before 'now' samples matter for this query, for the caller who reads
// them: history that ended long ago is used too.
double forecast_history_seconds(const struct forecast_query *);

// 'points' in ascending time, each the mean of the interval that ends at its ts_ns. Returns 0, -EINVAL when
// the query names no model of the table, or -ENOMEM. The caller ends 'ret' with forecast_fini().
int forecast_compute(const struct kpi_point *points, size_t n_points, const struct forecast_query *query,
                     struct forecast *ret);
void forecast_fini(struct forecast *);

// Seconds until the answer should be computed again: a tenth of its step, at least 1 s (max_age_seconds).
double forecast_max_age_seconds(const struct forecast *);
