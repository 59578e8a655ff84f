// Rolling origins. The tested moments lie in the younger half of the past, evenly; a model is advanced from
// one to the next and then to the present, so the whole test costs it one pass.
// SPDX-License-Identifier: MIT
#include "backtest.h"

#include "cleanup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ORIGINS = 128, LEAST_ORIGINS = 24, TESTED_STEPS = 14000, MOST_MIXED = 32 };
#define MIX_RANGE 1.5 // times the best error
#define MIX_POWER 4
#define TRIMMED   0.15 // of the weight, on each side
#define CLEARLY   2.0  // standard errors
#define REACH     1.0  // times the range of the history that a path may leave it by

static size_t at_most(size_t value, size_t limit) {
	return value < limit ? value : limit;
}

static size_t at_least(size_t value, size_t limit) {
	return value > limit ? value : limit;
}

// The younger half is tested; two thirds where the half holds too few windows to show a tail; less where only then the
// season can take part.
static size_t first_origin(const struct past *past, size_t least, size_t ahead) {
	bool has_many = past->n / 2 >= CONFORMAL_LEAST * ahead;
	size_t first = at_least(past->n / (has_many ? 2 : 3), least);
	size_t seasonal = model_seasonal.least(&model_seasonal, past);

	if (first < seasonal && seasonal < past->n && seasonal + ahead + ahead / 2 <= past->n)
		return seasonal;
	return first;
}

void backtest_plan(const struct past *past, size_t lead, size_t horizon, size_t least,
                   struct backtest_plan *ret) {
	size_t n = past->n, rest, ahead, first;

	*ret = (struct backtest_plan){.lead = lead, .horizon = horizon};
	if (n < BACKTEST_LEAST_STEPS || past->n_known < BACKTEST_LEAST_STEPS || least >= n)
		return;
	rest = n - at_least(n / 2, least);
	ret->tested_horizon = at_most(horizon, at_least(at_most(n / 3, rest), 1));
	ret->tested_lead = at_most(lead, rest - at_most(rest, ret->tested_horizon));
	ahead = ret->tested_lead + ret->tested_horizon;
	first = first_origin(past, least, ahead);
	ret->n_origins = at_most(TESTED_STEPS / ahead, MOST_ORIGINS);
	ret->n_origins = at_most(at_least(ret->n_origins, LEAST_ORIGINS), n - ahead - first + 1);
	ret->first = (double)first;
	if (ret->n_origins > 1)
		ret->stride = (double)(n - ahead - first) / (double)(ret->n_origins - 1);
}

size_t backtest_origin(const struct backtest_plan *plan, size_t i) {
	return (size_t)(plan->first + plan->stride * (double)i + 1e-6);
}

// Windows of the plan that do not overlap.
static double independent_windows(const struct backtest_plan *plan) {
	return 1 + (double)(plan->n_origins - 1) * fmin(plan->stride / (double)plan->tested_horizon, 1);
}

// ---- one model

// No path goes below nothing, nor far beyond what was ever seen.
static void keep_sane(const struct past *past, const double *path, size_t n, double *ret) {
	double reach = REACH * (past->highest - past->lowest);
	double most = past->highest + reach, least = fmax(past->lowest - reach, past->floor);

	for (size_t i = 0; i < n; i++)
		ret[i] = isnan(path[i]) ? 0 : path[i] < least ? least : path[i] > most ? most : path[i];
}

static int allocate(struct backtest *backtest, const struct backtest_plan *plan) {
	*backtest = (struct backtest){.plan = *plan, .error = NAN};
	backtest->paths = calloc(plan->n_origins * plan->tested_horizon + 1, sizeof(double));
	backtest->future = calloc(plan->horizon, sizeof(double));
	backtest->shares = calloc(model_table_size, sizeof(double));
	if (backtest->paths != NULL && backtest->future != NULL && backtest->shares != NULL)
		return 0;
	backtest_fini(backtest);
	return -ENOMEM;
}

static int test(struct backtest *backtest, const struct model *model, const struct past *past, void *fit,
                double *ahead) {
	const struct backtest_plan *plan = &backtest->plan;
	int rc;

	for (size_t i = 0; i < plan->n_origins; i++) {
		if ((rc = model->update(fit, past, backtest_origin(plan, i))) < 0)
			return rc;
		model->predict(fit, past, plan->tested_lead + plan->tested_horizon, ahead);
		keep_sane(past, ahead + plan->tested_lead, plan->tested_horizon,
		          backtest->paths + i * plan->tested_horizon);
	}
	if ((rc = model->update(fit, past, past->n)) < 0)
		return rc;
	model->predict(fit, past, plan->lead + plan->horizon, ahead);
	keep_sane(past, ahead + plan->lead, plan->horizon, backtest->future);
	return 0;
}

static double measure(const struct backtest *backtest, const struct past *past) {
	const struct backtest_plan *plan = &backtest->plan;
	double sum = 0;
	size_t n = 0;

	for (size_t i = 0; i < plan->n_origins; i++) {
		const double *path = backtest->paths + i * plan->tested_horizon;
		size_t from = backtest_origin(plan, i) + plan->tested_lead;

		for (size_t h = 0; h < plan->tested_horizon; h++) {
			if (!past->known[from + h])
				continue;
			sum += fabs(past->values[from + h] - path[h]);
			n++;
		}
	}
	return n > 0 ? sum / (double)n : NAN;
}

int backtest_init(struct backtest *ret, const struct model *model, const struct past *past,
                  const struct backtest_plan *plan) {
	struct backtest backtest;
	void *fit = NULL;
	double *ahead;
	int rc;

	if ((rc = allocate(&backtest, plan)) < 0)
		return rc;
	ahead = calloc(plan->lead + plan->horizon + plan->tested_lead + plan->tested_horizon, sizeof(double));
	rc = ahead == NULL ? -ENOMEM : model->create(model, past, &fit);
	if (rc == 0)
		rc = test(&backtest, model, past, fit, ahead);
	free(ahead);
	if (fit != NULL)
		model->destroy(fit);
	if (rc < 0) {
		backtest_fini(&backtest);
		return rc;
	}
	backtest.error = measure(&backtest, past);
	if (model_index(model) < model_table_size)
		backtest.shares[model_index(model)] = 1;

	*ret = backtest;
	return 0;
}

void backtest_fini(struct backtest *backtest) {
	free(backtest->paths);
	free(backtest->future);
	free(backtest->shares);
	backtest->paths = NULL;
	backtest->future = NULL;
	backtest->shares = NULL;
}

// ---- the choice

struct candidates {
	const struct model **models;
	struct backtest *tests;
	size_t n;
};

static void candidates_fini(struct candidates *candidates) {
	for (size_t i = 0; i < candidates->n; i++)
		backtest_fini(&candidates->tests[i]);
	free(candidates->tests);
	free(candidates->models);
}

static int test_all(struct candidates *ret, const struct past *past, const struct backtest_plan *plan) {
	int rc;

	ret->models = calloc(model_table_size, sizeof(*ret->models));
	ret->tests = calloc(model_table_size, sizeof(*ret->tests));
	if (ret->models == NULL || ret->tests == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < model_table_size; i++) {
		if (model_table[i]->costly ||
		    model_table[i]->least(model_table[i], past) > backtest_origin(plan, 0))
			continue;
		if ((rc = backtest_init(&ret->tests[ret->n], model_table[i], past, plan)) < 0)
			return rc;
		ret->models[ret->n++] = model_table[i];
	}
	return 0;
}

static size_t best_of(const struct candidates *candidates) {
	size_t best = 0;

	for (size_t i = 1; i < candidates->n; i++) {
		if (candidates->tests[i].error < candidates->tests[best].error)
			best = i;
	}
	return best;
}

static double window_error(const struct backtest *test, const struct past *past, size_t i) {
	size_t from = backtest_origin(&test->plan, i) + test->plan.tested_lead, n = 0;
	double sum = 0;

	for (size_t h = 0; h < test->plan.tested_horizon; h++) {
		if (!past->known[from + h])
			continue;
		sum += fabs(past->values[from + h] - test->paths[i * test->plan.tested_horizon + h]);
		n++;
	}
	return n > 0 ? sum / (double)n : NAN;
}

// Whether 'worse' lost to 'best' by more than chance: the mean difference of a window against its standard error,
// in which only windows that do not overlap count.
static bool is_clearly_worse(const struct backtest *worse, const struct backtest *best,
                             const struct past *past) {
	double mean = 0, square = 0, n = 0;

	for (size_t i = 0; i < best->plan.n_origins; i++) {
		double difference = window_error(worse, past, i) - window_error(best, past, i);

		if (isnan(difference))
			continue;
		n++;
		square += (n - 1) / n * (difference - mean) * (difference - mean);
		mean += (difference - mean) / n;
	}
	return n > 1 && mean > CLEARLY * sqrt(square / n / independent_windows(&best->plan));
}

// The weighted mean of what several say of a step, without the outermost: one that is far off at a step, after a burst
// say, carries nobody along (V. Jose, R. Winkler, Simple robust averages of forecasts, International Journal of Forecasting
// 24, 2008). 'values' ascend.
static double middle_mean(const double *values, const double *weights, size_t n) {
	double below = 0, sum = 0, counted = 0;

	for (size_t i = 0; i < n; i++) {
		double part = fmin(below + weights[i], 1 - TRIMMED) - fmax(below, TRIMMED);

		below += weights[i];
		if (part <= 0)
			continue;
		sum += part * values[i];
		counted += part;
	}
	return sum / counted;
}

// Weights add up to one.
static void combine(const double *const *paths, const double *weights, size_t n, size_t n_values,
                    double *ret) {
	for (size_t k = 0; k < n_values; k++) {
		double values[MOST_MIXED], sorted[MOST_MIXED];

		for (size_t i = 0; i < n; i++) {
			size_t at = i;

			for (; at > 0 && values[at - 1] > paths[i][k]; at--) {
				values[at] = values[at - 1];
				sorted[at] = sorted[at - 1];
			}
			values[at] = paths[i][k];
			sorted[at] = weights[i];
		}
		ret[k] = middle_mean(values, sorted, n);
	}
}

// The shares of those whose error is neither far from the best nor worse by more than chance, the greater the
// smaller the error.
static void find_shares(const struct candidates *candidates, const struct past *past, size_t best,
                        double *ret) {
	const struct backtest *winner = &candidates->tests[best];
	double sum = 0;

	for (size_t i = 0; i < candidates->n; i++) {
		const struct backtest *test = &candidates->tests[i];

		ret[i] = 0;
		if (!(test->error <= MIX_RANGE * winner->error) ||
		    (i != best && is_clearly_worse(test, winner, past)))
			continue;
		ret[i] = winner->error > 0 ? pow(winner->error / test->error, MIX_POWER) : 1;
		sum += ret[i];
	}
	for (size_t i = 0; i < candidates->n; i++)
		ret[i] /= sum;
}

static void mix(struct backtest *ret, const struct candidates *candidates, const double *shares) {
	const double *paths[MOST_MIXED], *futures[MOST_MIXED];
	double weights[MOST_MIXED];
	size_t n = 0;

	for (size_t i = 0; i < candidates->n && n < MOST_MIXED; i++) {
		if (!(shares[i] > 0))
			continue;
		ret->shares[model_index(candidates->models[i])] = weights[n] = shares[i];
		paths[n] = candidates->tests[i].paths;
		futures[n++] = candidates->tests[i].future;
	}
	combine(paths, weights, n, ret->plan.n_origins * ret->plan.tested_horizon, ret->paths);
	combine(futures, weights, n, ret->plan.horizon, ret->future);
}

// What is promised: no worse than the two that need no fitting. A mixture within that is taken even where one
// model was better, since the winner of a contest of a few windows is lucky more often than good.
static double limit_of(const struct candidates *candidates) {
	double limit = INFINITY;

	for (size_t i = 0; i < candidates->n; i++) {
		if (candidates->models[i] == &model_last || candidates->models[i] == &model_seasonal)
			limit = fmin(limit, candidates->tests[i].error);
	}
	return limit;
}

int backtest_choose(struct backtest *ret, const struct past *past, const struct backtest_plan *plan,
                    const char **ret_name) {
	CLEANUP(candidates_fini) struct candidates candidates = {0};
	CLEANUP(freep) double *shares = calloc(model_table_size, sizeof(double));
	struct backtest mixture;
	size_t best;
	int rc;

	if (shares == NULL)
		return -ENOMEM;
	if ((rc = test_all(&candidates, past, plan)) < 0)
		return rc;
	if (candidates.n == 0)
		return -ENOENT;
	best = best_of(&candidates);
	if ((rc = allocate(&mixture, plan)) < 0)
		return rc;
	find_shares(&candidates, past, best, shares);
	mix(&mixture, &candidates, shares);
	mixture.error = measure(&mixture, past);
	if (mixture.error < limit_of(&candidates)) {
		*ret = mixture;
		*ret_name = "mix";
		return 0;
	}
	backtest_fini(&mixture);
	*ret = candidates.tests[best];
	candidates.tests[best] = (struct backtest){0};
	*ret_name = candidates.models[best]->name;
	return 0;
}

// What a model says of the steps after the past, 'lead' of them passed over.
static int tell_path(const struct model *model, const struct past *past, size_t lead, size_t horizon,
                     double *ahead, double *ret) {
	void *fit = NULL;
	int rc;

	if ((rc = model->create(model, past, &fit)) == 0 && (rc = model->update(fit, past, past->n)) == 0)
		model->predict(fit, past, lead + horizon, ahead);
	if (fit != NULL)
		model->destroy(fit);
	if (rc == 0)
		keep_sane(past, ahead + lead, horizon, ret);
	return rc;
}

int backtest_continue(const double *shares, const struct past *past, size_t lead, size_t horizon,
                      double *ret) {
	CLEANUP(freep) double *ahead = calloc(lead + horizon, sizeof(double));
	CLEANUP(freep) double *told = calloc(model_table_size * horizon, sizeof(double));
	const double *paths[MOST_MIXED];
	double weights[MOST_MIXED];
	size_t n = 0;
	int rc;

	if (ahead == NULL || told == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < model_table_size && n < MOST_MIXED; i++) {
		if (!(shares[i] > 0))
			continue;
		if ((rc = tell_path(model_table[i], past, lead, horizon, ahead, told + n * horizon)) < 0)
			return rc;
		paths[n] = told + n * horizon;
		weights[n++] = shares[i];
	}
	combine(paths, weights, n, horizon, ret);
	return 0;
}

int backtest_evidence(const struct backtest *test, const struct past *past, double end, struct windows *ret) {
	const struct backtest_plan *plan = &test->plan;
	struct windows windows;
	int rc;

	if ((rc = windows_init(&windows, plan->n_origins, plan->tested_horizon)) < 0)
		return rc;
	for (size_t i = 0; i < plan->n_origins; i++) {
		size_t from = backtest_origin(plan, i) + plan->tested_lead;

		windows.starts[i] = end - (double)(past->n - from);
		for (size_t h = 0; h < plan->tested_horizon; h++) {
			size_t k = i * plan->tested_horizon + h;

			windows.said[k] = past_gbps(past, test->paths[k]);
			windows.came[k] =
			        past->known[from + h] ? past_gbps(past, past->values[from + h]) : NAN;
		}
	}
	*ret = windows;
	return 0;
}

double backtest_unit(const struct past *past) {
	size_t lag = past->season.day > 0 ? (size_t)lround(past->season.day) : 1;
	double sum = 0;
	size_t n = 0;

	for (size_t t = lag; t < past->n; t++) {
		if (!past->known[t] || !past->known[t - lag])
			continue;
		sum += fabs(past->values[t] - past->values[t - lag]);
		n++;
	}
	return n > 0 ? sum / (double)n : 0;
}
