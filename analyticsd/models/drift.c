// drift: the line from the first value to the last goes on.
// SPDX-License-Identifier: MIT
#include "model.h"

#include <errno.h>
#include <stdlib.h>

struct drift {
	size_t n;
};

static int create(const struct model *model, const struct past *past, void **ret) {
	struct drift *drift = calloc(1, sizeof(*drift));

	(void)model;
	(void)past;
	if (drift == NULL)
		return -ENOMEM;
	*ret = drift;
	return 0;
}

static int update(void *fit, const struct past *past, size_t n) {
	struct drift *drift = fit;

	(void)past;
	drift->n = n;
	return 0;
}

static void predict(const void *fit, const struct past *past, size_t ahead, double *ret) {
	const struct drift *drift = fit;
	double last = past->values[drift->n - 1];
	double slope = drift->n < 2 ? 0 : (last - past->values[0]) / (double)(drift->n - 1);

	for (size_t i = 0; i < ahead; i++)
		ret[i] = last + slope * (double)(i + 1);
}

const struct model model_drift = {
        .name = "drift",
        .help = "the line from the first value to the last goes on",
        .least = model_least_one,
        .create = create,
        .destroy = free,
        .update = update,
        .predict = predict,
};
