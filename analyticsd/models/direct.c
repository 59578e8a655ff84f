// Fits when the past has grown by a quarter since the last time, so that a backtest fits a few times and not at each
// origin. When that is depends on the number of steps alone, so however it got there, the same n gives the same.
// SPDX-License-Identifier: MIT
#include "direct.h"

#include "learner.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LAGS = 12, WINDOW = 24, LEAST_STEPS = 96, MOST_STEPS = 1 << 14, DEFAULT_REACH = 288 };
#define DAY_SECONDS 86400.0
#define GROWTH      1.25
#define NO_DAY      1.0 // seconds that a step is called where the past has no day

struct direct {
	const struct direct_kind *kind;
	size_t n, fitted; // steps seen, steps that the fit knows
	double step_seconds;
	bool has_fit;
	struct learner learner;
};

size_t direct_least(const struct model *model, const struct past *past) {
	(void)model;
	(void)past;
	return LEAST_STEPS;
}

int direct_create(const struct direct_kind *kind, const struct past *past, void **ret) {
	struct direct *direct = calloc(1, sizeof(*direct));

	if (direct == NULL)
		return -ENOMEM;
	direct->kind = kind;
	direct->step_seconds = past->season.day > 0     ? DAY_SECONDS / past->season.day
	                       : past->season.found > 0 ? DAY_SECONDS / past->season.found
	                                                : NO_DAY;
	*ret = direct;
	return 0;
}

void direct_destroy(void *fit) {
	struct direct *direct = fit;

	if (direct->has_fit)
		learner_fini(&direct->learner);
	free(direct);
}

// Steps [from, to) of the past. Their times count from step 0, whose time of day nobody knows or needs.
static int series_of(const struct direct *direct, const struct past *past, size_t from, size_t to,
                     struct lagged_series *ret) {
	int rc = 0;

	lagged_series_init(ret, (int64_t)llround((double)from * direct->step_seconds * 1e9),
	                   direct->step_seconds);
	for (size_t t = from; t < to && rc == 0; t++)
		rc = lagged_series_add(ret, past->known[t] || t == from ? past->calm[t] : NAN);
	return rc;
}

static size_t first_of(size_t n) {
	return n > MOST_STEPS ? n - MOST_STEPS : 0;
}

// 1 up to the furthest, each about as many times further than the one before.
static void choose_horizons(size_t furthest, struct learner_options *options) {
	double ratio = pow((double)furthest, 1.0 / (LEARNER_HORIZONS - 1));

	for (int k = 0; k < LEARNER_HORIZONS; k++) {
		size_t steps = (size_t)ceil(pow(ratio, k) - 1e-9);

		if (options->n_horizons == 0 || steps > options->horizons[options->n_horizons - 1])
			options->horizons[options->n_horizons++] = steps < furthest ? steps : furthest;
	}
}

static int fit(struct direct *direct, const struct past *past, size_t n) {
	struct learner_options options = {.shape = {LAGS, WINDOW, direct->step_seconds, true, false},
	                                  .ensemble = direct->kind->ensemble,
	                                  .linear = direct->kind->linear};
	CLEANUP(lagged_series_fini) struct lagged_series series = {0};
	size_t furthest = past->reach > 0 ? past->reach : DEFAULT_REACH;
	struct learner learner;
	int rc;

	choose_horizons(furthest < n / 3 ? furthest : n / 3, &options);
	if ((rc = series_of(direct, past, first_of(n), n, &series)) < 0)
		return rc;
	rc = learner_fit(&series, series.n, &options, NULL, &learner);
	if (rc < 0)
		return rc == -ENODATA ? 0 : rc;
	if (direct->has_fit)
		learner_fini(&direct->learner);
	direct->learner = learner;
	direct->has_fit = true;
	return 0;
}

// The last moment, up to 'n', at which the past is as long as one is fitted to.
static size_t moment_before(size_t n) {
	double moment = LEAST_STEPS;

	while (ceil(moment * GROWTH) <= (double)n)
		moment *= GROWTH;
	return (size_t)ceil(moment);
}

int direct_update(void *state, const struct past *past, size_t n) {
	struct direct *direct = state;
	size_t moment = moment_before(n);
	int rc;

	direct->n = n;
	if (n < LEAST_STEPS || moment == direct->fitted)
		return 0;
	if ((rc = fit(direct, past, moment)) < 0)
		return rc;
	direct->fitted = moment;
	return 0;
}

// The ensemble whose distance is the least that reaches 'ahead', or the furthest.
static size_t ensemble_for(const struct learner *learner, size_t ahead) {
	size_t k = 0;

	while (k + 1 < learner->n_horizons && learner->horizons[k].steps < ahead)
		k++;
	return k;
}

// Steps beyond the furthest distance are as those that many steps ahead.
static double say(const struct direct *direct, const struct lagged_series *series,
                  const struct lagged_bytes *bytes, size_t ahead) {
	size_t k = ensemble_for(&direct->learner, ahead), steps = direct->learner.horizons[k].steps;
	size_t earlier = steps > ahead ? steps - ahead : 0;
	size_t t = series->n > earlier + LAGS ? series->n - earlier : LAGS;

	return learner_predict(&direct->learner, series, bytes, t, k);
}

void direct_predict(const void *state, const struct past *past, size_t ahead, double *ret) {
	const struct direct *direct = state;
	CLEANUP(lagged_series_fini) struct lagged_series series = {0};
	CLEANUP(lagged_bytes_fini) struct lagged_bytes bytes = {0};
	bool ready = direct->has_fit &&
	             series_of(direct, past, first_of(direct->n), direct->n, &series) == 0 &&
	             lagged_bytes_update(&bytes, &direct->learner.bins, &series) == 0;

	for (size_t i = 0; i < ahead; i++)
		ret[i] = ready ? say(direct, &series, &bytes, i + 1) : past->values[direct->n - 1];
}
