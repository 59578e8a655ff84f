// One horizon after the other; the bytes of the lags are the same for all.
// SPDX-License-Identifier: MIT
#include "learner.h"

#include "normal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define RIDGE        1e-6 // of the variance of the values
#define WEEK_SECONDS 604800.0
enum { LEAST_ROWS = 32, LEAST_WEEKS = 2 };

size_t learner_least(const struct learner_options *options) {
	return options->shape.n_lags + options->horizons[options->n_horizons - 1] + LEAST_ROWS;
}

void learner_fini(struct learner *learner) {
	for (size_t k = 0; k < learner->n_horizons; k++)
		ensemble_fini(&learner->horizons[k].ensemble);
	*learner = (struct learner){0};
}

static double dot(const double a[static LAGGED_LINEAR], const double b[static LAGGED_LINEAR]) {
	double sum = 0;

	for (int i = 0; i < LAGGED_LINEAR; i++)
		sum += a[i] * b[i];
	return sum;
}

struct sample {
	uint32_t *rows;
	double *targets;
	size_t n;
};

static void sample_fini(struct sample *sample) {
	free(sample->rows);
	free(sample->targets);
}

// From where on rows are learnt from: the beginning, which has no day before it, is left out where enough is
// left, since it teaches what will never be again.
static size_t first_row(const struct lagged_shape *shape, size_t n, size_t horizon) {
	size_t reach = lagged_reach(shape, horizon);

	return 5 * reach / 2 <= n && n - reach >= horizon + LEAST_ROWS ? reach - shape->n_lags : 0;
}

size_t learner_reach(const struct learner *learner) {
	size_t reach = learner->shape.n_lags;

	for (size_t k = 0; k < learner->n_horizons; k++) {
		const struct learner_horizon *horizon = &learner->horizons[k];
		size_t of_horizon = horizon->has_day ? lagged_reach(&learner->shape, horizon->steps) : 0;

		reach = of_horizon > reach ? of_horizon : reach;
	}
	return reach;
}

// The rows whose target was measured.
static int take_sample(struct sample *ret, const struct lagged_series *series, size_t n,
                       const struct lagged_shape *shape, size_t horizon) {
	size_t n_lags = shape->n_lags, n_rows = n - n_lags - horizon + 1;

	ret->rows = malloc(n_rows * sizeof(*ret->rows));
	ret->targets = malloc(n_rows * sizeof(*ret->targets));
	if (ret->rows == NULL || ret->targets == NULL)
		return -ENOMEM;
	for (size_t r = first_row(shape, n, horizon); r < n_rows; r++) {
		size_t s = n_lags + r + horizon - 1;

		if (!series->known[s])
			continue;
		ret->rows[ret->n] = (uint32_t)r;
		ret->targets[ret->n++] = series->values[s];
	}
	return ret->n < LEAST_ROWS ? -ENODATA : 0;
}

// The values are measured from the series' centre, in which sums lose least.
static void centred_linear(const struct lagged_series *series, const struct lagged_shape *shape, size_t t,
                           size_t horizon, double ret[static LAGGED_LINEAR]) {
	lagged_linear(series, shape, t, horizon, ret);
	for (int i = 1; i < LAGGED_LINEAR; i++)
		ret[i] -= series->centre;
}

static double variance(const struct sample *sample) {
	double sum = 0, squares = 0, n = (double)sample->n;

	for (size_t i = 0; i < sample->n; i++) {
		double away = sample->targets[i] - sample->targets[0];

		sum += away;
		squares += away * away;
	}
	return fmax(squares / n - sum / n * (sum / n), 0);
}

// Fits the regression and leaves in the targets what it doesn't explain. Its constant is moved so that it takes
// values as they are.
static int start_linear(struct sample *sample, const struct lagged_series *series,
                        const struct lagged_shape *shape, struct learner_horizon *horizon) {
	struct normal normal;
	double x[LAGGED_LINEAR], fitted[LAGGED_LINEAR];

	if (normal_init(&normal, LAGGED_LINEAR) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < sample->n; i++) {
		centred_linear(series, shape, shape->n_lags + sample->rows[i], horizon->steps, x);
		normal_add(&normal, x, sample->targets[i] - series->centre);
	}
	normal_solve(&normal, LAGGED_LINEAR, RIDGE * variance(sample) + 1e-300, fitted);
	normal_fini(&normal);
	fitted[0] += series->centre;
	for (int i = 0; i < LAGGED_LINEAR; i++) {
		horizon->linear[i] = fitted[i];
		if (i > 0)
			horizon->linear[0] -= fitted[i] * series->centre;
	}
	for (size_t i = 0; i < sample->n; i++) {
		lagged_linear(series, shape, shape->n_lags + sample->rows[i], horizon->steps, x);
		sample->targets[i] -= dot(horizon->linear, x);
	}
	return 0;
}

// Progress of one horizon as part of all.
struct part {
	const struct fit_watch *whole;
	size_t index, n;
};

static void tell_part(void *context, size_t done, size_t total) {
	const struct part *part = context;

	if (part->whole->progress != NULL)
		part->whole->progress(part->whole->context, part->index * total + done, part->n * total);
}

static int fit_horizon(struct learner *learner, const struct lagged_series *series,
                       const struct lagged_bytes *bytes, size_t n, const struct learner_options *options,
                       const struct fit_watch *watch, struct learner_horizon *horizon) {
	CLEANUP(sample_fini) struct sample sample = {0};
	CLEANUP(lagged_table_fini) struct lagged_table table = {0};
	int rc;

	if ((rc = take_sample(&sample, series, n, &learner->shape, horizon->steps)) < 0)
		return rc;
	horizon->has_day = first_row(&learner->shape, n, horizon->steps) > 0;
	if (options->linear && (rc = start_linear(&sample, series, &learner->shape, horizon)) < 0)
		return rc;
	if ((rc = lagged_table_init(&table, series, bytes, &learner->shape, &learner->bins, n,
	                            horizon->steps)) < 0)
		return rc;
	return ensemble_fit(&table.matrix, sample.rows, sample.targets, sample.n, &options->ensemble, watch,
	                    &horizon->ensemble);
}

static int fit_all(struct learner *learner, const struct lagged_series *series, size_t n,
                   const struct learner_options *options, const struct fit_watch *watch) {
	CLEANUP(lagged_bytes_fini) struct lagged_bytes bytes = {0};
	int rc;

	if ((rc = lagged_bins_fit(series, &learner->shape, n, &learner->bins)) < 0 ||
	    (rc = lagged_bytes_update(&bytes, &learner->bins, series)) < 0)
		return rc;
	for (size_t k = 0; k < options->n_horizons; k++) {
		struct part part = {watch, k, options->n_horizons};
		struct fit_watch of_part = {tell_part, &part, watch != NULL ? watch->stop : NULL};
		struct learner_horizon *horizon = &learner->horizons[k];

		horizon->steps = options->horizons[k];
		learner->n_horizons = k + 1;
		if ((rc = fit_horizon(learner, series, &bytes, n, options, watch != NULL ? &of_part : NULL,
		                      horizon)) < 0)
			return rc;
	}
	return 0;
}

int learner_fit(const struct lagged_series *series, size_t n, const struct learner_options *options,
                const struct fit_watch *watch, struct learner *ret) {
	struct learner learner = {
	        .shape = options->shape, .linear = options->linear, .lowest = INFINITY, .highest = -INFINITY};
	int rc;

	if (n < learner_least(options))
		return -ENODATA;
	// One week teaches which days it had, not what weekdays are.
	learner.shape.weeks = (double)n * series->step_seconds >= LEAST_WEEKS * WEEK_SECONDS;
	for (size_t t = 0; t < n; t++) {
		learner.lowest = fmin(learner.lowest, series->values[t]);
		learner.highest = fmax(learner.highest, series->values[t]);
	}
	if ((rc = fit_all(&learner, series, n, options, watch)) < 0) {
		learner_fini(&learner);
		return rc;
	}

	*ret = learner;
	return 0;
}

double learner_predict(const struct learner *learner, const struct lagged_series *series,
                       const struct lagged_bytes *bytes, size_t t, size_t k) {
	const struct learner_horizon *horizon = &learner->horizons[k];
	uint8_t features[LAGGED_MOST_LAGS + LAGGED_EXTRAS];
	double linear[LAGGED_LINEAR], value, range = learner->highest - learner->lowest;

	lagged_row(series, bytes, &learner->shape, &learner->bins, t, horizon->steps, features);
	value = ensemble_predict(&horizon->ensemble, features);
	if (learner->linear) {
		lagged_linear(series, &learner->shape, t, horizon->steps, linear);
		value += dot(horizon->linear, linear);
	}
	return fmin(fmax(value, learner->lowest - range), learner->highest + range);
}
