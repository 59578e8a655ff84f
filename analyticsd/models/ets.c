// ets: exponential smoothing: a level, perhaps a damped trend, perhaps a season. A small grid of smoothing
// constants runs side by side over the history; the one whose next step was told best predicts.
// SPDX-License-Identifier: MIT
#include "model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define TREND_RATE  0.1
#define DAMPING     0.9
#define SEASON_RATE 0.15

static const double level_rates[] = {0.02, 0.08, 0.25, 0.5, 0.85};

enum { N_RATES = sizeof(level_rates) / sizeof(level_rates[0]), N_SMOOTHERS = 4 * N_RATES };

struct smoother {
	double rate;
	bool has_trend;
	double level, trend;
	double *season; // NULL: none
	double error;   // summed
};

struct ets {
	size_t n;
	double period;
	size_t n_slots;
	struct smoother smoothers[N_SMOOTHERS];
	double *seasons;
};

static void destroy(void *fit) {
	struct ets *ets = fit;

	free(ets->seasons);
	free(ets);
}

static int create(const struct model *model, const struct past *past, void **ret) {
	struct ets *ets = calloc(1, sizeof(*ets));

	(void)model;
	if (ets == NULL)
		return -ENOMEM;
	ets->period = past->season.day > 0 ? past->season.day : past->season.found;
	ets->n_slots = (size_t)ceil(ets->period);
	if (ets->n_slots > 0) {
		ets->seasons = calloc(2 * N_RATES * ets->n_slots, sizeof(double));
		if (ets->seasons == NULL) {
			free(ets);
			return -ENOMEM;
		}
	}
	for (size_t i = 0; i < N_SMOOTHERS; i++) {
		struct smoother *smoother = &ets->smoothers[i];

		smoother->rate = level_rates[i % N_RATES];
		smoother->has_trend = i / N_RATES % 2 == 1;
		if (i >= 2 * N_RATES && ets->n_slots > 0)
			smoother->season = ets->seasons + (i - 2 * N_RATES) * ets->n_slots;
	}
	*ret = ets;
	return 0;
}

static size_t slot_of(const struct ets *ets, size_t t) {
	return ets->n_slots == 0 ? 0 : (size_t)fmod((double)t, ets->period);
}

static void step(struct smoother *smoother, double value, size_t slot, bool first_season) {
	double *season = smoother->season != NULL ? &smoother->season[slot] : NULL;
	double before = smoother->level + DAMPING * smoother->trend;
	double error = value - before - (season != NULL ? *season : 0);

	smoother->level = before + smoother->rate * error;
	if (smoother->has_trend)
		smoother->trend = DAMPING * smoother->trend + smoother->rate * TREND_RATE * error;
	if (season != NULL)
		*season += first_season ? value - smoother->level - *season : SEASON_RATE * error;
	if (!first_season)
		smoother->error += fabs(error);
}

static int update(void *fit, const struct past *past, size_t n) {
	struct ets *ets = fit;

	for (; ets->n < n; ets->n++) {
		bool first_season = ets->n < ets->n_slots;
		size_t slot = slot_of(ets, ets->n);

		if (!past->known[ets->n])
			continue;
		for (size_t i = 0; i < N_SMOOTHERS; i++) {
			if (ets->n == 0)
				ets->smoothers[i].level = past->calm[0];
			step(&ets->smoothers[i], past->calm[ets->n], slot, first_season);
		}
	}
	return 0;
}

static void predict(const void *fit, const struct past *past, size_t ahead, double *ret) {
	const struct ets *ets = fit;
	const struct smoother *best = &ets->smoothers[0];
	double trend, damping = DAMPING;

	(void)past;
	for (size_t i = 1; i < N_SMOOTHERS; i++) {
		if (ets->smoothers[i].error < best->error)
			best = &ets->smoothers[i];
	}
	trend = 0;
	for (size_t i = 0; i < ahead; i++) {
		trend += damping * best->trend;
		damping *= DAMPING;
		ret[i] = best->level + trend;
		if (best->season != NULL)
			ret[i] += best->season[slot_of(ets, ets->n + i)];
	}
}

const struct model model_ets = {
        .name = "ets",
        .help = "exponential smoothing with damped trend and season",
        .least = model_least_one,
        .create = create,
        .destroy = destroy,
        .update = update,
        .predict = predict,
};
