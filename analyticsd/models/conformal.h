// conformal.h: quantiles of errors that were seen, honest about how few they are.
// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>

// Errors (truth less forecast) of one statistic over past windows, in time order. Windows may overlap:
// 'independent' is how many fit beside each other, and is what counts as evidence.
struct conformal_errors {
	double *values;
	size_t n;
	double independent;
	size_t overlap; // windows later or earlier by up to this many share steps with a window
};

// Errors of other links in units of each link's own spread, ascending, for links with too few of their own.
struct conformal_pool {
	const double *values;
	size_t n;
};

// The value that the next error stays under with probability 'quantile'. With 19 independent windows for 0.95
// (quantile / (1 - quantile) in general) it is the conformal quantile of the errors; with fewer, the pool's
// in units of this link's spread; without a pool (NULL), mean plus Student's t times the spread, but not less
// than the greatest error for a quantile beyond what they can show. Returns 0 or -ENOMEM.
int conformal_quantile(const struct conformal_errors *, const struct conformal_pool *pool, double quantile,
                       double *ret);

// The share of windows whose error was below the quantile of the windows that share nothing with them. NAN
// when fewer than 19 independent windows are there. Returns 0 or -ENOMEM.
int conformal_coverage(const struct conformal_errors *, double quantile, double *ret);
