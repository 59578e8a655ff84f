// What was said, and what came. A window is scored on the steps that it was said on, which the grid of the next look need not
// be.
// SPDX-License-Identifier: MIT
#include "truth.h"

#include "clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

enum {
	MOST_WAITING = 128, // windows whose truth has not come
	DRIFT_WINDOWS = 2   // scored, before anything is said of drift
};
#define DRIFT_RATIO 2.0

struct said {
	int64_t start_ns;
	double *path;
};

double truth_steps(int64_t ts_ns, double step_seconds) {
	return (double)ts_ns / (double)NS_PER_SECOND / step_seconds;
}

static void drop_waiting(struct forecast_state *state, size_t n) {
	if (n == 0)
		return;
	for (size_t i = 0; i < n; i++)
		free(state->waiting[i].path);
	state->n_waiting -= n;
	memmove(state->waiting, state->waiting + n, state->n_waiting * sizeof(*state->waiting));
}

int truth_await(struct forecast_state *state) {
	const struct windows *windows = &state->windows;
	int64_t start_ns =
	        state->answer.history_to_ns +
	        (int64_t)((double)state->lead * state->answer.step_seconds * (double)NS_PER_SECOND);
	double start = truth_steps(start_ns, state->answer.step_seconds), before = -INFINITY;
	double stride = windows->n > 1 ? (windows->starts[windows->n - 1] - windows->starts[0]) /
	                                         (double)(windows->n - 1)
	                               : (double)windows->horizon;
	struct said said = {start_ns, NULL};

	if (!state->whole)
		return 0;
	if (state->n_waiting > 0)
		before = truth_steps(state->waiting[state->n_waiting - 1].start_ns,
		                     state->answer.step_seconds);
	if (start < before + fmax(stride, 1) - 1e-3)
		return 0;
	if (state->waiting == NULL &&
	    (state->waiting = calloc(MOST_WAITING, sizeof(*state->waiting))) == NULL)
		return -ENOMEM;
	if (state->n_waiting == MOST_WAITING)
		drop_waiting(state, 1);
	said.path = malloc(windows->horizon * sizeof(double));
	if (said.path == NULL)
		return -ENOMEM;
	memcpy(said.path, state->path, windows->horizon * sizeof(double));
	state->waiting[state->n_waiting++] = said;
	return 0;
}

// What came after 'start', step by step; NAN where nothing was measured. Returns how many steps are over, or -ENOMEM.
static ssize_t find_truth(const struct forecast_state *state, struct points points, int64_t start_ns,
                          double *ret) {
	CLEANUP(series_fini) struct series series = {0};
	double step_ns = state->answer.step_seconds * (double)NS_PER_SECOND;
	double known = ((double)(points.at[points.n - 1].ts_ns - start_ns) + 0.5 * step_ns) / step_ns;
	size_t horizon = state->windows.horizon, over;
	struct points since;
	int rc;

	over = known < 1 ? 0 : known < (double)horizon ? (size_t)known : horizon;
	for (size_t h = 0; h < horizon; h++)
		ret[h] = NAN;
	if (over == 0)
		return 0;
	since = grid_between(points, start_ns, start_ns + (int64_t)((double)over * step_ns));
	// The point before tells what the first one speaks of.
	if (since.n == 0 || since.at == points.at)
		return 0;
	since.at--;
	since.n++;
	if ((rc = series_init(&series, since.at, since.n, &state->grid)) < 0)
		return rc;
	for (size_t i = 0; i < over && i < series.n; i++) {
		double behind = (double)(start_ns - series.end_ns) / step_ns + (double)(over - i);

		if (fabs(behind) < 0.5) // the series ends where this step does
			for (size_t k = 0; k + i < over && k < series.n; k++)
				ret[over - 1 - i - k] = series.values[series.n - 1 - k];
		if (fabs(behind) < 0.5)
			break;
	}
	return (ssize_t)over;
}

static void note_residual(struct forecast_state *state, const struct said *said, const double *came,
                          size_t over) {
	double widths[over > 0 ? over : 1];
	int64_t ts_ns =
	        said->start_ns + (int64_t)((double)over * state->answer.step_seconds * (double)NS_PER_SECOND);

	if (over == 0 || isnan(came[over - 1]) || ts_ns < state->drift.ts_ns)
		return;
	windows_widths(&state->windows, over, widths);
	state->drift.ts_ns = ts_ns;
	state->drift.residual = (came[over - 1] - said->path[over - 1]) / widths[over - 1];
}

static void note_scored(struct forecast_state *state) {
	size_t n = state->n_scored < state->windows.n ? state->n_scored : state->windows.n;
	size_t first = state->windows.n - n;
	double ratio = windows_error(&state->windows, first) / state->tested_error;
	double span = n > 0 ? state->windows.starts[state->windows.n - 1] - state->windows.starts[first] : 0;

	state->drift.error_ratio = ratio;
	state->drift.drifted = span >= (double)((DRIFT_WINDOWS - 1) * state->windows.horizon) &&
	                       n >= DRIFT_WINDOWS && ratio > DRIFT_RATIO;
}

int truth_score(struct forecast_state *state, struct points points) {
	size_t horizon = state->windows.horizon, done = 0;
	double *came = malloc(horizon * sizeof(double));
	int rc = came == NULL ? -ENOMEM : 0;

	for (size_t i = 0; i < state->n_waiting && rc == 0; i++) {
		const struct said *said = &state->waiting[i];
		ssize_t over = find_truth(state, points, said->start_ns, came);

		if (over < 0) {
			rc = (int)over;
			break;
		}
		note_residual(state, said, came, (size_t)over);
		if ((size_t)over < horizon)
			continue;
		rc = windows_add(&state->windows, state->most_windows,
		                 truth_steps(said->start_ns, state->answer.step_seconds), said->path, came);
		state->n_scored++;
		done = i + 1;
	}
	free(came);
	drop_waiting(state, done);
	if (done > 0)
		note_scored(state);
	return rc;
}

void truth_forget(struct forecast_state *state) {
	drop_waiting(state, state->n_waiting);
	free(state->waiting);
	state->waiting = NULL;
}
