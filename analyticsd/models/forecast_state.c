// What a link has taught: from points to path and evidence. Which quantile of it answers a question is forecast.c's.
// SPDX-License-Identifier: MIT
#include "forecast_state.h"

#include "backtest.h"
#include "clock.h"
#include "truth.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LEAD = 4096 }; // steps between history and window; beyond, whole seasons are passed over
#define TEST_AGAIN 0.25    // of the time that was tested

static void set_reason(struct forecast *forecast, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

static void set_reason(struct forecast *forecast, const char *format, ...) {
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(forecast->fallback_reason, sizeof(forecast->fallback_reason), format, arguments);
	va_end(arguments);
}

// ---- which model

// Whole seasons between the history and a far window change nothing that a model could know.
static size_t shorten_lead(size_t lead, const struct season *season) {
	double period = season->week > 0 ? season->week : season->day > 0 ? season->day : season->found;

	if (lead <= MOST_LEAD)
		return lead;
	if (period <= 0 || period > MOST_LEAD)
		return MOST_LEAD;
	return lead - (size_t)lround(ceil((double)(lead - MOST_LEAD) / period) * period);
}

static int test_one(struct backtest *ret, const struct model *model, const struct past *past, size_t lead,
                    size_t horizon, struct forecast *answer) {
	struct backtest_plan plan;

	backtest_plan(past, lead, horizon, model->least(model, past), &plan);
	answer->model = model->name;
	return backtest_init(ret, model, past, &plan);
}

static int run_auto(struct backtest *ret, const struct past *past, size_t lead, size_t horizon,
                    struct forecast *answer) {
	struct backtest_plan plan;
	int rc;

	backtest_plan(past, lead, horizon, 1, &plan);
	if (plan.n_origins == 0) {
		if (answer->fallback_reason[0] == '\0')
			set_reason(answer, "history too short for a backtest: %zu steps of %g s",
			           past->n_known, answer->step_seconds);
		return test_one(ret, &model_mean, past, lead, horizon, answer);
	}
	rc = backtest_choose(ret, past, &plan, &answer->model);
	return rc == -ENOENT ? test_one(ret, &model_last, past, lead, horizon, answer) : rc;
}

static int run_model(struct backtest *ret, const struct model *wanted, const struct past *past, size_t lead,
                     size_t horizon, struct forecast *answer) {
	size_t least = wanted != NULL ? wanted->least(wanted, past) : 0;

	if (wanted != NULL && least <= past->n)
		return test_one(ret, wanted, past, lead, horizon, answer);
	if (wanted != NULL && least == SIZE_MAX)
		set_reason(answer, "%s needs a season: none in %zu steps of %g s", wanted->name, past->n,
		           answer->step_seconds);
	else if (wanted != NULL)
		set_reason(answer, "%s needs %zu steps of %g s: there are %zu", wanted->name, least,
		           answer->step_seconds, past->n);
	return run_auto(ret, past, lead, horizon, answer);
}

// ---- what to keep of it

// Errors of windows shorter than the one asked for grow as those of a random walk would.
static double growth(const struct backtest_plan *plan) {
	double tested = (double)(plan->tested_lead + plan->tested_horizon);

	return sqrt(fmax((double)(plan->lead + plan->horizon) / tested, 1));
}

static double deviation(const struct past *past) {
	double squares = 0, mean = 0, n = (double)past->n_known;

	if (past->n_known < 2)
		return 0;
	for (size_t t = 0; t < past->n; t++)
		mean += past->known[t] ? past->values[t] / n : 0;
	for (size_t t = 0; t < past->n; t++)
		squares += past->known[t] ? pow(past->values[t] - mean, 2) / (n - 1) : 0;
	return past->scale * sqrt(squares);
}

static void keep_path(struct forecast_state *state, const struct past *past, const double *future) {
	for (size_t h = 0; h < state->horizon; h++)
		state->path[h] = past_gbps(past, future[h]);
	state->deviation = deviation(past);
	state->n_known = past->n_known;
}

static void score(struct forecast_state *state, const struct past *past) {
	double unit = backtest_unit(past) * past->scale, error = windows_error(&state->windows, 0);

	if (state->windows.n == 0)
		return;
	state->answer.backtest_mase = unit > 0 ? error / unit : error > 0 ? NAN : 0;
	if (state->whole)
		state->answer.calibration_windows = (size_t)(windows_independent(&state->windows) + 1e-6);
}

static int keep_test(struct forecast_state *state, struct backtest *test, const struct past *past) {
	double end = truth_steps(state->answer.history_to_ns, state->answer.step_seconds);
	int rc;

	if ((rc = backtest_evidence(test, past, end, &state->windows)) < 0)
		return rc;
	state->most_windows = state->windows.n;
	state->whole = test->plan.n_origins > 0 && test->plan.tested_horizon == test->plan.horizon &&
	               test->plan.tested_lead == test->plan.lead;
	state->growth = growth(&test->plan);
	state->shares = test->shares;
	test->shares = NULL;
	state->tested_ns = state->answer.history_to_ns;
	state->tested_error = windows_error(&state->windows, 0);
	state->tested_seconds = test->plan.stride * (double)state->windows.n * state->answer.step_seconds;
	keep_path(state, past, test->future);
	return 0;
}

// ---- a first look

static size_t steps_ahead(const struct forecast *answer, const struct past *past,
                          const struct forecast_query *query) {
	double ahead = grid_seconds(answer->history_to_ns, query->start_ns) / answer->step_seconds;

	return shorten_lead((size_t)fmin(round(fmax(ahead, 0)), 1e15), &past->season);
}

static size_t window_steps(const struct forecast_query *query, double step_seconds) {
	return (size_t)fmax(ceil(query->window_seconds / step_seconds - 1e-6), 1);
}

// The points on their grid; sets what an answer tells of them.
static int look(struct forecast_state *state, struct points points, const struct forecast_query *query,
                const struct forecast_state *before, struct past *ret) {
	const struct season *season = NULL;
	CLEANUP(series_fini) struct series series = {0};
	struct forecast *answer = &state->answer;
	int rc;

	state->grid = grid_choose(points, query);
	points = grid_fine(points, &state->grid, query);
	answer->history_from_ns = points.at[0].ts_ns;
	answer->history_to_ns = points.at[points.n - 1].ts_ns;
	answer->samples = points.n;
	answer->peak_resolution_seconds = state->grid.resolution_seconds;
	answer->current_gbps = grid_current(points, query->now_ns);
	if ((rc = series_init(&series, points.at, points.n, &state->grid)) < 0)
		return rc;
	answer->step_seconds = series.step_seconds;
	// Not shorter than before: its seasons fit.
	if (before != NULL && before->answer.step_seconds == series.step_seconds &&
	    series.n >= before->n_steps)
		season = &before->season;
	rc = season != NULL ? past_init_after(ret, &series, season) : past_init(ret, &series);
	if (rc < 0)
		return rc;
	state->season = ret->season;
	state->n_steps = series.n;
	state->horizon = window_steps(query, series.step_seconds);
	state->lead = steps_ahead(answer, ret, query);
	ret->reach = state->lead + state->horizon;
	return 0;
}

static int learn_anew(struct forecast_state *state, struct points points,
                      const struct forecast_query *query) {
	CLEANUP(past_fini) struct past past = {0};
	CLEANUP(backtest_fini) struct backtest test = {0};
	int rc;

	if ((rc = look(state, points, query, NULL, &past)) < 0)
		return rc;
	state->path = calloc(state->horizon, sizeof(double));
	if (state->path == NULL)
		return -ENOMEM;
	if ((rc = run_model(&test, state->wanted, &past, state->lead, state->horizon, &state->answer)) < 0 ||
	    (rc = keep_test(state, &test, &past)) < 0)
		return rc;
	score(state, &past);
	return 0;
}

static struct forecast_state *new_state(const struct forecast_query *query) {
	struct forecast_state *state = calloc(1, sizeof(*state));

	if (state == NULL)
		return NULL;
	state->statistic = query->statistic;
	state->window_seconds = query->window_seconds;
	state->wanted_resolution = query->peak_resolution_seconds;
	state->history_ratio = query->history_ratio;
	state->strict_history = query->strict_history;
	state->wanted = model_find(query->model);
	state->answer = (struct forecast){
	        .staleness_seconds = NAN, .backtest_mase = NAN, .coverage = NAN, .model = model_last.name};
	state->drift.error_ratio = NAN;
	return state;
}

static void learn_nothing(struct forecast_state *state, const struct forecast_query *query) {
	struct forecast *answer = &state->answer;

	answer->peak_resolution_seconds = grid_resolution(query);
	answer->step_seconds =
	        answer->peak_resolution_seconds *
	        (double)grid_means_per_step(answer->peak_resolution_seconds, query->window_seconds);
	state->horizon = window_steps(query, answer->step_seconds);
	set_reason(answer, "no history");
}

// ---- the next look

static bool is_same_kind(const struct forecast_state *state, const struct forecast_query *query) {
	return state->statistic == query->statistic && state->window_seconds == query->window_seconds &&
	       state->wanted_resolution == query->peak_resolution_seconds &&
	       state->history_ratio == query->history_ratio &&
	       state->strict_history == query->strict_history && state->wanted == model_find(query->model);
}

// Whether what was chosen is still good for these points: 'next' holds what a look at them found. The newest sample is now
// less, now more than half a step old: a lead of one step more or less says nothing new.
static bool may_continue(const struct forecast_state *state, const struct forecast_state *next) {
	return state->whole && !state->drift.drifted && state->lead <= next->lead + 1 &&
	       next->lead <= state->lead + 1 && state->horizon == next->horizon &&
	       state->grid.per_step == next->grid.per_step &&
	       state->grid.resolution_seconds == next->grid.resolution_seconds &&
	       next->answer.history_to_ns >= state->answer.history_to_ns &&
	       grid_seconds(next->answer.history_from_ns, state->answer.history_from_ns) <
	               state->answer.step_seconds &&
	       grid_seconds(state->tested_ns, next->answer.history_to_ns) <
	               TEST_AGAIN * state->tested_seconds;
}

static int continue_learning(struct forecast_state *state, struct points points,
                             const struct forecast_state *next, const struct past *past) {
	double *future;
	int rc;

	if ((rc = truth_score(state, points)) < 0)
		return rc;
	if (state->drift.drifted)
		return 0;
	state->lead = next->lead;
	future = calloc(state->horizon, sizeof(double));
	if (future == NULL)
		return -ENOMEM;
	if ((rc = backtest_continue(state->shares, past, state->lead, state->horizon, future)) == 0) {
		state->answer.history_from_ns = next->answer.history_from_ns;
		state->answer.history_to_ns = next->answer.history_to_ns;
		state->answer.samples = next->answer.samples;
		state->answer.current_gbps = next->answer.current_gbps;
		keep_path(state, past, future);
		score(state, past);
		state->n_steps = past->n;
	}
	free(future);
	return rc;
}

// Returns 1 when it went on, 0 when the models must be chosen anew, or a negative errno.
static int try_to_continue(struct forecast_state *state, struct points points,
                           const struct forecast_query *query) {
	CLEANUP(past_fini) struct past past = {0};
	struct forecast_state next = {0};
	int rc;

	if (state == NULL || !is_same_kind(state, query) || state->answer.samples == 0)
		return 0;
	if ((rc = look(&next, points, query, state, &past)) < 0)
		return rc;
	if (!may_continue(state, &next))
		return 0;
	if ((rc = continue_learning(state, points, &next, &past)) < 0)
		return rc;
	return !state->drift.drifted;
}

// ---- the whole

// What was seen of drift outlives the models that drifted; so does the wait for the truth of what they said.
static void inherit(struct forecast_state *state, struct forecast_state *old) {
	if (old == NULL)
		return;
	state->drift.ts_ns = old->drift.ts_ns;
	state->drift.residual = old->drift.residual;
}

static int learn(struct forecast_state **state, struct points points, const struct forecast_query *query) {
	struct points known = grid_known(points, query);
	struct forecast_state *fresh;
	int rc;

	if (known.n > 0 && (rc = try_to_continue(*state, known, query)) != 0)
		return rc < 0 ? rc : truth_await(*state);
	fresh = new_state(query);
	if (fresh == NULL)
		return -ENOMEM;
	if (known.n == 0)
		learn_nothing(fresh, query);
	else if ((rc = learn_anew(fresh, known, query)) < 0 || (rc = truth_await(fresh)) < 0) {
		forecast_state_free(fresh);
		return rc;
	}
	inherit(fresh, *state);
	forecast_state_free(*state);
	*state = fresh;
	return 0;
}

int forecast_learn(struct forecast_state **state, const struct kpi_point *points, size_t n_points,
                   const struct forecast_query *query) {
	struct forecast_query peak_query = *query;
	struct forecast_state *peak;
	int rc;

	if (strcmp(query->model, "auto") != 0 && model_find(query->model) == NULL)
		return -EINVAL;
	peak = *state != NULL ? (*state)->peak : NULL;
	if (peak != NULL)
		(*state)->peak = NULL;
	rc = learn(state, (struct points){points, n_points}, query);
	// The band belongs to the peak, whatever statistic was asked for.
	peak_query.statistic = STATISTIC_PEAK;
	if (rc == 0 && query->series && query->statistic != STATISTIC_PEAK && (*state)->grid.per_step > 1)
		rc = learn(&peak, (struct points){points, n_points}, &peak_query);
	if (*state != NULL)
		(*state)->peak = peak;
	else
		forecast_state_free(peak);
	return rc;
}

void forecast_state_free(struct forecast_state *state) {
	if (state == NULL)
		return;
	forecast_state_free(state->peak);
	truth_forget(state);
	windows_fini(&state->windows);
	free(state->path);
	free(state->shares);
	free(state);
}

struct forecast_drift forecast_drift(const struct forecast_state *state) {
	return state->drift;
}

size_t forecast_state_size(const struct forecast_state *state) {
	size_t row = state->windows.horizon * sizeof(double);
	size_t size = sizeof(*state) + (2 * state->windows.n + state->n_waiting) * row +
	              state->horizon * sizeof(double);

	return size + (state->peak != NULL ? forecast_state_size(state->peak) : 0);
}
