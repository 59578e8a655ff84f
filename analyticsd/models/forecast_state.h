// forecast_state.h: what is known of one link for one kind of question: where its path is thought to go, and the past
// windows that tell how far off that has been. Made once by backtest; then each new step adds a fit of the models
// that were chosen, and each window that has come to its end is scored. Any thread, one at a time.
// SPDX-License-Identifier: MIT
#pragma once

#include "forecast.h"
#include "grid.h"
#include "past.h"
#include "windows.h"

struct said; // of a window whose truth is not known yet

struct forecast_state {
	// of the kind of question
	enum statistics statistic;
	double window_seconds, wanted_resolution, history_ratio;
	bool strict_history;
	const struct model *wanted; // NULL: auto
	// what every answer repeats: all but the value, coverage and series
	struct forecast answer;
	// where the path goes, and the evidence
	struct series_grid grid;
	struct season season;
	size_t lead, horizon; // steps
	double *path;         // Gbps
	struct windows windows;
	size_t most_windows;
	bool whole;       // the windows are as long as the one asked for
	double growth;    // else their errors times this
	double deviation; // of the history, Gbps
	size_t n_steps, n_known;
	// for the next time
	double *shares; // of the models
	struct said *waiting;
	size_t n_waiting;
	int64_t tested_ns;     // when the models were chosen: the end of the history then
	double tested_error;   // of their windows then, Gbps
	size_t n_scored;       // windows since
	double tested_seconds; // that the windows then covered
	struct forecast_drift drift;
	struct forecast_state
	        *peak; // where steps hold several peaks and the statistic is another one: the band's
};
