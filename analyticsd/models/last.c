// last: what was, stays. The naive forecast that every other model has to beat.
// SPDX-License-Identifier: MIT
#include "model.h"

#include <errno.h>
#include <stdlib.h>

struct last {
	double value;
};

static int create(const struct model *model, const struct past *past, void **ret) {
	struct last *last = calloc(1, sizeof(*last));

	(void)model;
	(void)past;
	if (last == NULL)
		return -ENOMEM;
	*ret = last;
	return 0;
}

static int update(void *fit, const struct past *past, size_t n) {
	struct last *last = fit;

	last->value = past->values[n - 1];
	return 0;
}

static void predict(const void *fit, const struct past *past, size_t ahead, double *ret) {
	const struct last *last = fit;

	(void)past;
	for (size_t i = 0; i < ahead; i++)
		ret[i] = last->value;
}

const struct model model_last = {
        .name = "last",
        .help = "the last value stays",
        .least = model_least_one,
        .create = create,
        .destroy = free,
        .update = update,
        .predict = predict,
};
