// mean: the mean of the last hour's worth of steps, or of all of them, whichever told the next steps better
// so far. Strong where there is neither season nor trend.
// SPDX-License-Identifier: MIT
#include "model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { SHORT_STEPS = 12 };

struct mean {
	size_t n;
	double sum; // of all known
	size_t n_known;
	double short_error, long_error; // summed, of one short mean's length ahead
};

static int create(const struct model *model, const struct past *past, void **ret) {
	struct mean *mean = calloc(1, sizeof(*mean));

	(void)model;
	(void)past;
	if (mean == NULL)
		return -ENOMEM;
	*ret = mean;
	return 0;
}

static double mean_before(const struct past *past, size_t n) {
	size_t from = n > SHORT_STEPS ? n - SHORT_STEPS : 0;
	double sum = 0;

	for (size_t t = from; t < n; t++)
		sum += past->values[t];
	return sum / (double)(n - from);
}

static int update(void *fit, const struct past *past, size_t n) {
	struct mean *mean = fit;

	for (; mean->n < n; mean->n++) {
		size_t t = mean->n;
		double value = past->values[t];

		if (!past->known[t])
			continue;
		if (t >= 2 * (size_t)SHORT_STEPS && mean->n_known > 0) {
			mean->short_error += fabs(value - mean_before(past, t - SHORT_STEPS));
			mean->long_error += fabs(value - mean->sum / (double)mean->n_known);
		}
		mean->sum += value;
		mean->n_known++;
	}
	return 0;
}

static void predict(const void *fit, const struct past *past, size_t ahead, double *ret) {
	const struct mean *mean = fit;
	double value = mean_before(past, mean->n);

	if (mean->long_error <= mean->short_error && mean->n_known > 0)
		value = mean->sum / (double)mean->n_known;
	for (size_t i = 0; i < ahead; i++)
		ret[i] = value;
}

const struct model model_mean = {
        .name = "mean",
        .help = "the mean of the last 12 steps, or of all",
        .least = model_least_one,
        .create = create,
        .destroy = free,
        .update = update,
        .predict = predict,
};
