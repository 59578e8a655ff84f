// conformal.h: quantiles of errors that were seen, honest about how few they are (V. Vovk, A. Gammerman, G. Shafer,
// Algorithmic Learning in a Random World, 2005; split conformal prediction).
// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CONFORMAL_LEAST 19 // independent windows below which nothing is said of coverage

// Errors of one aspect of past windows, in time order. Windows may overlap: 'independent' is how many fit
// beside each other, and is what counts as evidence.
struct conformal_errors {
	double *values;
	size_t n;
	double independent;
	size_t overlap; // values later or earlier by up to this many share steps with a value
};

// Errors of other links, each over the spread of those of its own link that share nothing with it, ascending.
struct conformal_pool {
	double *values;
	size_t n, room;
	double independent;
};

// Adds a link's errors, at most 512 of them, evenly; conformal_pool_sort() when all are in. Returns 0 or -ENOMEM.
int conformal_pool_add(struct conformal_pool *, const struct conformal_errors *);
int conformal_pool_merge(struct conformal_pool *, const struct conformal_pool *other);
void conformal_pool_sort(struct conformal_pool *);
void conformal_pool_fini(struct conformal_pool *);

// Whether these are too few to show their quantile alone: below 19 independent windows, and for quantiles above
// 0.95 below quantile / (1 - quantile), which is 99 for 0.99.
bool conformal_needs_pool(const struct conformal_errors *, double quantile);

// The value that the next error stays under with probability 'quantile': the conformal quantile of the errors;
// where they are too few the pool's in units of this link's spread; without a pool (NULL, or itself too small)
// Student's t, but not less than the greatest error for a quantile beyond what they can show. 0 without errors.
// Returns 0 or -ENOMEM.
int conformal_quantile(const struct conformal_errors *, const struct conformal_pool *pool, double quantile,
                       double *ret);

// The share of windows whose error was below the quantile of the windows that share nothing with them (the greatest of
// these where the quantile is beyond what they can show). NAN when fewer than 19 independent windows are there. Returns 0 or -ENOMEM.
int conformal_coverage(const struct conformal_errors *, double quantile, double *ret);
