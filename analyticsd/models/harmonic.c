// harmonic: Fourier terms for day, week and a found period by least squares, and an autoregression on what
// they leave. The terms are made by rotation, step after step, so that no table of them is kept.
// SPDX-License-Identifier: MIT
#include "model.h"

#include "autoregress.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { HARMONICS = 6, MOST_WAVES = 3 * HARMONICS, REMAINS = 300 };
#define RIDGE 1e-4

// Cosine and sine of each wave at a moving step.
struct waves {
	size_t n;
	double frequency[MOST_WAVES]; // turns in a step
	double cosine[MOST_WAVES], sine[MOST_WAVES];
	double turn_cosine[MOST_WAVES], turn_sine[MOST_WAVES];
};

struct harmonic {
	size_t n;
	struct waves waves; // at step n
	size_t n_early;     // waves that are used before a week was seen
	double week;
	struct normal normal;
	size_t n_columns; // used
	double coefficients[1 + 2 * MOST_WAVES];
	struct autoregress autoregress;
	double remains[AUTOREGRESS_ORDER]; // the last
};

static void add_waves(struct waves *waves, double period) {
	for (int k = 1; k <= HARMONICS && 2 * k < period; k++)
		waves->frequency[waves->n++] = k / period;
}

static void seek(struct waves *waves, size_t t) {
	for (size_t i = 0; i < waves->n; i++) {
		double turns = fmod(waves->frequency[i] * (double)t, 1);

		sincos(2 * M_PI * turns, &waves->sine[i], &waves->cosine[i]);
	}
}

static void turn(struct waves *waves) {
	for (size_t i = 0; i < waves->n; i++) {
		double cosine = waves->cosine[i];

		waves->cosine[i] = cosine * waves->turn_cosine[i] - waves->sine[i] * waves->turn_sine[i];
		waves->sine[i] = cosine * waves->turn_sine[i] + waves->sine[i] * waves->turn_cosine[i];
	}
}

static double sum_waves(const struct waves *waves, const double *coefficients, size_t n_columns) {
	double sum = coefficients[0];

	for (size_t i = 0; 2 * i + 2 < n_columns; i++)
		sum += coefficients[2 * i + 1] * waves->cosine[i] + coefficients[2 * i + 2] * waves->sine[i];
	return sum;
}

static double shortest_period(const struct season *season) {
	if (season->day > 0)
		return season->day;
	return season->found > 0 ? season->found : season->week;
}

static size_t least(const struct model *model, const struct past *past) {
	double period = shortest_period(&past->season);

	(void)model;
	return period > 0 ? (size_t)ceil(period) + 3 * (size_t)AUTOREGRESS_ORDER : SIZE_MAX;
}

static void destroy(void *fit) {
	struct harmonic *harmonic = fit;

	normal_fini(&harmonic->normal);
	autoregress_fini(&harmonic->autoregress);
	free(harmonic);
}

static int create(const struct model *model, const struct past *past, void **ret) {
	struct harmonic *harmonic = calloc(1, sizeof(*harmonic));
	struct waves *waves;

	(void)model;
	if (harmonic == NULL)
		return -ENOMEM;
	waves = &harmonic->waves;
	add_waves(waves, past->season.day);
	add_waves(waves, past->season.found);
	harmonic->n_early = waves->n;
	add_waves(waves, past->season.week);
	harmonic->week = past->season.week;
	for (size_t i = 0; i < waves->n; i++)
		sincos(2 * M_PI * waves->frequency[i], &waves->turn_sine[i], &waves->turn_cosine[i]);
	seek(waves, 0);
	if (normal_init(&harmonic->normal, 1 + 2 * waves->n) < 0 ||
	    autoregress_init(&harmonic->autoregress) < 0) {
		destroy(harmonic);
		return -ENOMEM;
	}
	*ret = harmonic;
	return 0;
}

static void add_row(struct harmonic *harmonic, double value) {
	double x[1 + 2 * MOST_WAVES] = {1};

	for (size_t i = 0; i < harmonic->waves.n; i++) {
		x[2 * i + 1] = harmonic->waves.cosine[i];
		x[2 * i + 2] = harmonic->waves.sine[i];
	}
	normal_add(&harmonic->normal, x, value);
}

// Autoregression on what the waves leave of the last steps.
static int fit_remains(struct harmonic *harmonic, const struct past *past) {
	size_t n = harmonic->n < REMAINS ? harmonic->n : REMAINS;
	struct waves waves = harmonic->waves;
	double remains[REMAINS] = {0};

	autoregress_fini(&harmonic->autoregress);
	if (autoregress_init(&harmonic->autoregress) < 0)
		return -ENOMEM;
	seek(&waves, harmonic->n - n);
	for (size_t i = 0; i < n; i++) {
		size_t t = harmonic->n - n + i;

		// A step that was not measured was as expected.
		if (past->known[t])
			remains[i] = past->calm[t] -
			             sum_waves(&waves, harmonic->coefficients, harmonic->n_columns);
		if (i >= AUTOREGRESS_ORDER && past->known[t])
			autoregress_add(&harmonic->autoregress, &remains[i]);
		turn(&waves);
	}
	for (size_t i = 0; i < AUTOREGRESS_ORDER; i++)
		harmonic->remains[i] = remains[n - AUTOREGRESS_ORDER + i];
	autoregress_solve(&harmonic->autoregress);
	return 0;
}

static int update(void *fit, const struct past *past, size_t n) {
	struct harmonic *harmonic = fit;
	size_t n_waves;

	seek(&harmonic->waves, harmonic->n);
	for (; harmonic->n < n; harmonic->n++) {
		if (past->known[harmonic->n] && harmonic->n % past->thin == 0)
			add_row(harmonic, past->calm[harmonic->n]);
		turn(&harmonic->waves);
	}
	n_waves = (double)n >= 1.2 * harmonic->week ? harmonic->waves.n : harmonic->n_early;
	harmonic->n_columns = 1 + 2 * n_waves;
	normal_solve(&harmonic->normal, harmonic->n_columns, RIDGE, harmonic->coefficients);
	return fit_remains(harmonic, past);
}

static void predict(const void *fit, const struct past *past, size_t ahead, double *ret) {
	const struct harmonic *harmonic = fit;
	struct waves waves = harmonic->waves;

	(void)past;
	autoregress_predict(&harmonic->autoregress, harmonic->remains, ahead, ret);
	seek(&waves, harmonic->n);
	for (size_t i = 0; i < ahead; i++) {
		ret[i] += sum_waves(&waves, harmonic->coefficients, harmonic->n_columns);
		turn(&waves);
	}
}

const struct model model_harmonic = {
        .name = "harmonic",
        .help = "Fourier terms for day and week with an autoregression on the rest",
        .least = least,
        .create = create,
        .destroy = destroy,
        .update = update,
        .predict = predict,
};
