// ensemble.h: many trees as one model: a random forest (L. Breiman, Machine Learning 45, 2001) or gradient
// boosting of squared error (J. Friedman, Annals of Statistics 29, 2001; with rows drawn for each tree: the
// same, Computational Statistics & Data Analysis 38, 2002). For numbers to be predicted, and, with targets of 0
// and 1, for probabilities. The same model from any number of threads. Any thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "matrix.h"
#include "tree.h"

#include <stdatomic.h>
#include <stdbool.h>

enum { ENSEMBLE_MOST_TREES = 10000, ENSEMBLE_MOST_ROWS = 1 << 23 };

struct ensemble {
	double base, scale; // a row's value is base + scale * the sum of the trees
	size_t n_trees;
	struct tree *trees;
};

struct ensemble_options {
	bool boosted;      // gradient boosting, else a forest
	size_t n_trees;    // 1 to ENSEMBLE_MOST_TREES
	size_t most_depth; // 0: no limit
	size_t least_rows; // in a leaf
	double rate;       // boosting: share of each tree's correction that is taken
	double lambda;     // boosting: rows of target 0 that each leaf is taken to have beside its own
	double share; // of the rows that each tree draws: with replacement by a forest, without by boosting
	// boosting: ends when so many trees together helped none of the rows that they did not draw, and leaves those
	// out; 0: never
	size_t patience;
	uint64_t seed;
	int n_threads;
};

extern const struct ensemble_options forest_defaults, boost_defaults;

// How far the fit is, and whether it is still wanted. Called from any of its threads, one at a time.
struct fit_watch {
	void (*progress)(void *context, size_t done, size_t total); // NULL: nobody asks
	void *context;
	const atomic_bool *stop; // NULL: never
};

// 'rows' names the rows of the matrix that are learnt from, ascending, 'targets' what each of them should give;
// 1 to ENSEMBLE_MOST_ROWS. Returns 0, -ECANCELED when stopped, or -ENOMEM; end with ensemble_fini().
int ensemble_fit(const struct matrix *, const uint32_t *rows, const double *targets, size_t n_rows,
                 const struct ensemble_options *, const struct fit_watch *watch, struct ensemble *ret);
void ensemble_fini(struct ensemble *);

double ensemble_predict(const struct ensemble *, const uint8_t *features);
