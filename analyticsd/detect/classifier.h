// classifier.h: the probability of yes, from a row of numbers: a random forest of trees/ on features of different kinds,
// each put into bins of its own. Pure; the same rows and seed give the same forest. A trained one may be asked from any
// thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "bytes.h"
#include "cleanup.h"

#include <stdatomic.h>
#include <stdbool.h>

struct classifier;

struct classifier_rows {
	const float *values;   // n rows of n_features; finite
	const double *targets; // 1 for yes, 0 for no
	size_t n, n_features;
};

struct classifier_options {
	size_t n_trees, depth, least_rows; // in a leaf
	uint64_t seed;
};

// Returns 0, -EINVAL without rows of both kinds, -ECANCELED when '*stop' (NULL: never) was set, or -ENOMEM.
int classifier_train(const struct classifier_rows *, const struct classifier_options *,
                     const atomic_bool *stop, struct classifier **ret);
void classifier_free(struct classifier *);
DEFINE_CLEANUP(struct classifier *, classifier_free)

size_t classifier_n_features(const struct classifier *);

// The share of yes among training rows like this one.
double classifier_ask(const struct classifier *, const float *row);

// Appends it to 'ret'. Returns 0 or -ENOMEM.
int classifier_save(const struct classifier *, struct bytes *ret);

// Reads what was saved, from '*at' on, which is moved behind it. Returns 0, -EBADMSG for anything else, or -ENOMEM.
int classifier_load(const struct bytes *, size_t *at, struct classifier **ret);
