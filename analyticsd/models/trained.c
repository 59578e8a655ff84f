// Fitting, with a fifth held out; scoring beside the two that need no fitting.
// SPDX-License-Identifier: MIT
#include "trained.h"

#include "predictor.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HELD_OUT    0.2
#define DAY_SECONDS 86400.0
enum { DEFAULT_LAGS = 5, DEFAULT_WINDOW = 10, LEAST_STEPS = 20, TAIL_DAYS = 9, STEPS_BETWEEN_CHECKS = 1024 };

const char *const contestant_names[N_CONTESTANTS] = {"model", "last", "seasonal"};

// The models that are trees, which are fitted at once and not step by step.
static const struct learner_kind {
	const char *name;
	const struct ensemble_options *options;
	bool linear;
} learner_kinds[] = {{"forest", &forest_defaults, false}, {"boost", &boost_defaults, true}};

static const struct learner_kind *find_learner(const char *name) {
	for (size_t i = 0; i < sizeof(learner_kinds) / sizeof(learner_kinds[0]); i++) {
		if (strcmp(learner_kinds[i].name, name) == 0)
			return &learner_kinds[i];
	}
	return NULL;
}

bool trained_name_is_known(const char *name) {
	return find_learner(name) != NULL || model_find(name) != NULL || strcmp(name, "auto") == 0;
}

bool trained_name_is_learner(const char *name) {
	return find_learner(name) != NULL;
}

struct trained_options trained_defaults(const char *name) {
	return (struct trained_options){.name = name,
	                                .target = "",
	                                .n_lags = DEFAULT_LAGS,
	                                .window = DEFAULT_WINDOW,
	                                .horizons = {1},
	                                .n_horizons = 1,
	                                .seed = 1,
	                                .n_threads = 1};
}

void trained_fini(struct trained *trained) {
	if (trained->is_learner)
		learner_fini(&trained->learner);
	lagged_series_fini(&trained->tail);
	trained->is_learner = false;
}

// ---- the contestants that need no fitting

// Steps of a day, 0 where the series has no such thing.
static size_t day_of(const struct trained *trained) {
	double steps = DAY_SECONDS / trained->step_seconds;

	return steps >= 2 ? (size_t)llround(steps) : 0;
}

// What the contestant says at 't' of step s; NAN where it can't.
static double say_plainly(enum contestant contestant, const struct lagged_series *series, size_t day,
                          size_t t, size_t s) {
	size_t back;

	if (contestant == CONTESTANT_LAST)
		return series->values[t - 1];
	if (day == 0)
		return NAN;
	back = (s - t + day) / day * day;
	return s >= back ? series->values[s - back] : NAN;
}

// Mean absolute change over a day, or over a step where there is no day, of the steps before 'n'.
static double unit_of(const struct lagged_series *series, size_t n, size_t day) {
	size_t lag = day > 0 && n > day ? day : 1, count = 0;
	double sum = 0;

	for (size_t t = lag; t < n; t++) {
		if (!series->known[t] || !series->known[t - lag])
			continue;
		sum += fabs(series->values[t] - series->values[t - lag]);
		count++;
	}
	return count > 0 ? sum / (double)count : 0;
}

int trained_older(const struct lagged_series *series, struct lagged_series *ret) {
	size_t n = series->n - (size_t)ceil(HELD_OUT * (double)series->n);
	int rc = 0;

	lagged_series_init(ret, series->start_ns, series->step_seconds);
	for (size_t t = 0; t < n && rc == 0; t++)
		rc = lagged_series_add(ret, series->known[t] || t == 0 ? series->values[t] : NAN);
	return rc;
}

// ---- walking over what is not known

struct walk {
	const struct trained *trained;
	const struct lagged_series *series;
	size_t first; // steps from here are predicted
	size_t stride, n_moments, n_done;
	const struct fit_watch *watch;
	trained_each_fn each;
	void *context;
	struct scoring (*scorings)[N_CONTESTANTS];
	// While residuals are collected: what they are, and how many.
	double *residuals[LEARNER_HORIZONS][N_CONTESTANTS];
	size_t n_residuals[LEARNER_HORIZONS][N_CONTESTANTS];
	bool collects;
};

static void walk_fini(struct walk *walk) {
	for (size_t k = 0; k < LEARNER_HORIZONS; k++) {
		for (int c = 0; c < N_CONTESTANTS; c++)
			free(walk->residuals[k][c]);
	}
	free(walk->scorings);
}

static void score_one(struct walk *walk, size_t k, enum contestant contestant, double predicted,
                      double truth) {
	const struct trained_horizon *horizon = &walk->trained->horizons[k];

	if (isnan(predicted) || isnan(truth))
		return;
	if (walk->collects)
		walk->residuals[k][contestant][walk->n_residuals[k][contestant]++] = truth - predicted;
	scoring_add(&walk->scorings[k][contestant], predicted, truth,
	            walk->collects ? NULL : horizon->residuals[contestant]);
}

static void score_moment(struct walk *walk, size_t t, const double *said) {
	const struct trained *trained = walk->trained;
	const struct lagged_series *series = walk->series;
	size_t day = day_of(trained);

	for (size_t k = 0; k < trained->n_horizons; k++) {
		const struct trained_horizon *horizon = &trained->horizons[k];
		size_t s = t + horizon->steps - 1;
		struct trained_point point = {.horizon = k, .step = s, .predicted = said[k]};

		if (s >= series->n || s < walk->first)
			continue;
		point.truth = series->known[s] ? series->values[s] : NAN;
		score_one(walk, k, CONTESTANT_MODEL, said[k], point.truth);
		for (enum contestant c = CONTESTANT_LAST; c < N_CONTESTANTS; c++)
			score_one(walk, k, c, say_plainly(c, series, day, t, s), point.truth);
		point.lower = said[k] + horizon->residuals[CONTESTANT_MODEL][SCORING_LOWER];
		point.upper = said[k] + horizon->residuals[CONTESTANT_MODEL][SCORING_UPPER];
		if (walk->each != NULL)
			walk->each(walk->context, &point);
	}
}

static bool is_stopped(const struct fit_watch *watch) {
	return watch != NULL && watch->stop != NULL && atomic_load(watch->stop);
}

// Origins from 'first' on: everything said is about steps from there, from what was before. A horizon's first
// targets, which would have to be said before 'first', are left out.
static int walk_along(struct walk *walk) {
	CLEANUP(predictor_freep) struct predictor *predictor = NULL;
	size_t least = predictor_reach(walk->trained), start = walk->first, most, n;
	double said[LEARNER_HORIZONS];
	int rc;

	if (least >= walk->series->n)
		least = predictor_least(walk->trained);
	if (start < least)
		start = least;
	if (start >= walk->series->n)
		return -ENODATA;
	n = walk->series->n - start;
	most = predictor_most_moments(walk->trained);
	walk->stride = n > most ? n / most : 1;
	walk->n_moments = (n + walk->stride - 1) / walk->stride;
	if ((rc = predictor_new(walk->trained, walk->series, start, &predictor)) < 0)
		return rc;
	for (size_t t = start; t < walk->series->n; t += walk->stride) {
		if ((rc = predictor_say(predictor, t, said)) < 0)
			return rc;
		score_moment(walk, t, said);
		if (++walk->n_done % STEPS_BETWEEN_CHECKS == 0 || walk->stride > 1) {
			if (is_stopped(walk->watch))
				return -ECANCELED;
			if (walk->watch != NULL && walk->watch->progress != NULL)
				walk->watch->progress(walk->watch->context, walk->n_done, walk->n_moments);
		}
	}
	return walk->scorings[0][CONTESTANT_MODEL].n > 0 ? 0 : -ENODATA;
}

static int walk_init(struct walk *walk) {
	size_t n = walk->series->n - walk->first + 1;

	walk->scorings = calloc(LEARNER_HORIZONS, sizeof(*walk->scorings));
	if (walk->scorings == NULL)
		return -ENOMEM;
	for (size_t k = 0; walk->collects && k < walk->trained->n_horizons; k++) {
		for (int c = 0; c < N_CONTESTANTS; c++) {
			walk->residuals[k][c] = malloc(n * sizeof(double));
			if (walk->residuals[k][c] == NULL)
				return -ENOMEM;
		}
	}
	return 0;
}

int trained_evaluate(const struct trained *trained, const struct lagged_series *series, size_t first,
                     const struct fit_watch *watch, trained_each_fn each, void *context,
                     struct score ret[static LEARNER_HORIZONS][N_CONTESTANTS]) {
	CLEANUP(walk_fini)
	struct walk walk = {.trained = trained,
	                    .series = series,
	                    .first = first,
	                    .watch = watch,
	                    .each = each,
	                    .context = context};
	int rc;

	if (first >= series->n)
		return -ENODATA;
	if ((rc = walk_init(&walk)) < 0 || (rc = walk_along(&walk)) < 0)
		return rc;
	for (size_t k = 0; k < trained->n_horizons; k++) {
		for (int c = 0; c < N_CONTESTANTS; c++)
			ret[k][c] = scoring_end(&walk.scorings[k][c], trained->unit);
	}
	return 0;
}

// ---- fitting

// Scores on the held-out steps, and keeps their residuals' quantiles; the pinball and coverage of the scores
// follow from those, so they are left out.
static int hold_out(struct trained *trained, const struct lagged_series *series, size_t first,
                    const struct fit_watch *watch) {
	struct fit_watch quiet = {.stop = watch != NULL ? watch->stop : NULL};
	CLEANUP(walk_fini)
	struct walk walk = {
	        .trained = trained, .series = series, .first = first, .watch = &quiet, .collects = true};
	int rc;

	if ((rc = walk_init(&walk)) < 0 || (rc = walk_along(&walk)) < 0)
		return rc;
	for (size_t k = 0; k < trained->n_horizons; k++) {
		for (int c = 0; c < N_CONTESTANTS; c++) {
			scoring_quantiles(walk.residuals[k][c], walk.n_residuals[k][c],
			                  trained->horizons[k].residuals[c]);
			trained->horizons[k].scores[c] = scoring_end(&walk.scorings[k][c], trained->unit);
		}
	}
	return 0;
}

// The youngest steps, as many as the model may look back at.
static int keep_tail(struct trained *trained, const struct lagged_series *series) {
	double days = TAIL_DAYS * DAY_SECONDS / trained->step_seconds;
	size_t wanted = trained->is_learner
	                        ? trained->learner.shape.n_lags + trained->learner.shape.window + (size_t)days
	                        : TRAINED_MOST_TAIL;
	size_t n, first;

	wanted = wanted < TRAINED_MOST_TAIL ? wanted : TRAINED_MOST_TAIL;
	n = wanted < series->n ? wanted : series->n;
	first = series->n - n;
	lagged_series_init(&trained->tail, lagged_time_ns(series, first), series->step_seconds);
	for (size_t t = first; t < series->n; t++) {
		bool known = series->known[t] || t == first;
		int rc = lagged_series_add(&trained->tail, known ? series->values[t] : NAN);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int fit_learner(struct trained *trained, const struct lagged_series *series, size_t n_train,
                       const struct learner_kind *kind, const struct trained_options *options,
                       const struct fit_watch *watch) {
	struct learner_options learning = {
	        .shape = {options->n_lags, options->window, series->step_seconds, true},
	        .ensemble = *kind->options,
	        .linear = kind->linear,
	        .n_horizons = options->n_horizons};
	int rc;

	memcpy(learning.horizons, options->horizons, sizeof(learning.horizons));
	learning.ensemble.seed = options->seed;
	learning.ensemble.n_threads = options->n_threads;
	if (options->n_trees > 0)
		learning.ensemble.n_trees = options->n_trees;
	if ((rc = learner_fit(series, n_train, &learning, watch, &trained->learner)) < 0)
		return rc;
	trained->is_learner = true;
	return 0;
}

int trained_fit(const struct lagged_series *series, const struct trained_options *options,
                const struct fit_watch *watch, struct trained *ret) {
	const struct learner_kind *kind = find_learner(options->name);
	struct trained trained = {.from_ns = series->start_ns,
	                          .n_steps = series->n,
	                          .step_seconds = series->step_seconds,
	                          .seed = options->seed,
	                          .n_horizons = options->n_horizons};
	size_t n_train = series->n - (size_t)ceil(HELD_OUT * (double)series->n);
	int rc = 0;

	if (!trained_name_is_known(options->name))
		return -EINVAL;
	if (series->n < LEAST_STEPS || series->n - n_train < options->horizons[options->n_horizons - 1])
		return -ENODATA;
	snprintf(trained.name, sizeof(trained.name), "%s", options->name);
	snprintf(trained.target, sizeof(trained.target), "%s", options->target);
	trained.to_ns = lagged_time_ns(series, series->n - 1);
	trained.unit = unit_of(series, n_train, day_of(&trained));
	for (size_t k = 0; k < options->n_horizons; k++)
		trained.horizons[k].steps = options->horizons[k];
	if (kind != NULL)
		rc = fit_learner(&trained, series, n_train, kind, options, watch);
	if (rc < 0 || (rc = hold_out(&trained, series, n_train, watch)) < 0 ||
	    (rc = keep_tail(&trained, series)) < 0) {
		trained_fini(&trained);
		return rc;
	}

	*ret = trained;
	return 0;
}

int trained_predict(const struct trained *trained, const struct lagged_series *series,
                    struct trained_point ret[static LEARNER_HORIZONS]) {
	CLEANUP(predictor_freep) struct predictor *predictor = NULL;
	double said[LEARNER_HORIZONS];
	int rc;

	if ((rc = predictor_new(trained, series, series->n, &predictor)) < 0 ||
	    (rc = predictor_say(predictor, series->n, said)) < 0)
		return rc;
	for (size_t k = 0; k < trained->n_horizons; k++) {
		const double *residuals = trained->horizons[k].residuals[CONTESTANT_MODEL];

		ret[k] = (struct trained_point){.horizon = k,
		                                .step = series->n + trained->horizons[k].steps - 1,
		                                .truth = NAN,
		                                .predicted = said[k],
		                                .lower = said[k] + residuals[SCORING_LOWER],
		                                .upper = said[k] + residuals[SCORING_UPPER]};
	}
	return 0;
}
