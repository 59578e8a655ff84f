// forecast.h: from the samples of one link and direction to the used capacity of a window, with its band and
// its provenance. Pure: no clock, no files, no threads of its own; the same input gives the same answer. Any
// thread.
//
// forecast_compute() knows nothing but the points. What it finds out can be kept: forecast_learn() makes or continues a
// state, from which forecast_answer() answers any quantile; links of a state lend each other errors by a pool.
//
// Every kind of history has an answer (spec: none is "current use", one sample is a constant, ...): what was
// wrong is told in 'fallback_reason', it is not an error.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORECAST_HISTORY_RATIO   10 // FORECAST_TO_HISTORY_RATIO: windows of history for one window of forecast
#define FORECAST_HISTORY_SECONDS (28 * 86400.0) // used where stored, so that day and week are seen
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
	bool each_step;       // ... with the quantiles of each step by itself, not of the whole path
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

// How the newest truth compares with what was said of it.
struct forecast_drift {
	int64_t ts_ns; // end of the newest step that was scored; 0 when none was
	double residual; // truth less forecast of that step, over the usual error (mean absolute) of a step so far ahead
	double error_ratio; // mean absolute error of the windows scored since the models were chosen, over that of the
	                    // windows they were chosen by; NAN before one was scored
	bool drifted; // the ratio is above 2 over two windows or more: the models are chosen anew at the next learning
};

struct forecast_state;
struct forecast_pool;

// Learns from 'points', in ascending time, each the mean of the interval that ends at its ts_ns. '*state' is NULL at
// first; later, for the same kind of question (window, resolution, statistic, model, history; not quantile, series or
// start) it is continued: windows whose truth has come are scored, and only the models that were chosen are fitted,
// until a quarter of the time that was tested has passed, or they drifted. Returns 0, -EINVAL when the query names no model of
// the table, or -ENOMEM; '*state' stays valid. One thread at a time for each state.
int forecast_learn(struct forecast_state **state, const struct kpi_point *points, size_t n_points,
                   const struct forecast_query *query);

// Answers from what was learnt; 'pool' may be NULL. Returns 0 or -ENOMEM. The caller ends 'ret' with forecast_fini().
int forecast_answer(const struct forecast_state *, const struct forecast_query *query,
                    const struct forecast_pool *pool, struct forecast *ret);
void forecast_state_free(struct forecast_state *);
DEFINE_CLEANUP(struct forecast_state *, forecast_state_free)

// How the newest truth compares with what was said.
struct forecast_drift forecast_drift(const struct forecast_state *);

// Seconds until a state should learn again: as forecast_max_age_seconds().
double forecast_state_max_age_seconds(const struct forecast_state *);

// Bytes that a state takes.
size_t forecast_state_size(const struct forecast_state *);

// Errors of several links for the same kind of question. Read by any number of threads once it is sorted.
int forecast_pool_new(struct forecast_pool **ret);
void forecast_pool_free(struct forecast_pool *);
DEFINE_CLEANUP(struct forecast_pool *, forecast_pool_free)

// A state whose windows are shorter than asked, or of another length than those of the first, adds nothing. Returns 0 or
// -ENOMEM.
int forecast_pool_add(struct forecast_pool *, const struct forecast_state *);

// Adds what another pool holds. Returns as forecast_pool_add().
int forecast_pool_merge(struct forecast_pool *, const struct forecast_pool *other);
void forecast_pool_sort(struct forecast_pool *);

// Whether the state has too few windows to answer this quantile alone.
bool forecast_needs_pool(const struct forecast_state *, double quantile);

// forecast_learn() and forecast_answer() at once. Returns as they do.
int forecast_compute(const struct kpi_point *points, size_t n_points, const struct forecast_query *query,
                     struct forecast *ret);
void forecast_fini(struct forecast *);

// Seconds until the answer should be computed again: a tenth of its step, at least 1 s (max_age_seconds).
double forecast_max_age_seconds(const struct forecast *);
