// Rolling origins. The tested moments lie in the younger half of the past, evenly; a model is advanced from
// one to the next and then to the present, so the whole test costs it one pass.
// SPDX-License-Identifier: MIT
#include "backtest.h"

#include "cleanup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { MOST_ORIGINS = 128, LEAST_ORIGINS = 24, TESTED_STEPS = 14000 };
#define MIX_RANGE 1.5 // times the best error
#define REACH     1.0 // times the range of the history that a path may leave it by

static size_t at_most(size_t value, size_t limit) {
	return value < limit ? value : limit;
}

static size_t at_least(size_t value, size_t limit) {
	return value > limit ? value : limit;
}

// The younger half is tested, less where only then the season can take part.
static size_t first_origin(const struct past *past, size_t least, size_t ahead) {
	size_t first = at_least(past->n / 2, least);
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

double backtest_windows(const struct backtest_plan *plan) {
	if (plan->n_origins == 0)
		return 0;
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
	if (backtest->paths != NULL && backtest->future != NULL)
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

	*ret = backtest;
	return 0;
}

void backtest_fini(struct backtest *backtest) {
	free(backtest->paths);
	free(backtest->future);
	backtest->paths = NULL;
	backtest->future = NULL;
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
		if (model_table[i]->least(model_table[i], past) > backtest_origin(plan, 0))
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

// The share of a model whose error is not far from the best, before they are made to add up to one.
static double weight(double error, double best) {
	if (!(error <= MIX_RANGE * best))
		return 0;
	return best > 0 ? pow(best / error, 4) : 1;
}

static void mix(struct backtest *ret, const struct candidates *candidates, double best) {
	const struct backtest_plan *plan = &ret->plan;
	double sum = 0;

	for (size_t i = 0; i < candidates->n; i++)
		sum += weight(candidates->tests[i].error, best);
	for (size_t i = 0; i < candidates->n; i++) {
		double share = weight(candidates->tests[i].error, best) / sum;

		if (!(share > 0))
			continue;
		for (size_t k = 0; k < plan->n_origins * plan->tested_horizon; k++)
			ret->paths[k] += share * candidates->tests[i].paths[k];
		for (size_t k = 0; k < plan->horizon; k++)
			ret->future[k] += share * candidates->tests[i].future[k];
	}
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
	struct backtest mixture;
	size_t best;
	int rc;

	if ((rc = test_all(&candidates, past, plan)) < 0)
		return rc;
	if (candidates.n == 0)
		return -ENOENT;
	best = best_of(&candidates);
	if ((rc = allocate(&mixture, plan)) < 0)
		return rc;
	mix(&mixture, &candidates, candidates.tests[best].error);
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
