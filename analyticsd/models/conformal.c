// Split-conformal quantiles, and what stands in for them where the errors are too few to show a tail.
// SPDX-License-Identifier: MIT
#include "conformal.h"

#include "cleanup.h"

#include <errno.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LENT = 512 };

// The smallest value that at least 'share' of the values do not exceed. Moves them.
static double quantile_of(double *values, size_t n, double share) {
	double rank = ceil(share * (double)n - 1e-9);

	return gsl_stats_select(values, 1, n, rank < 1 ? 0 : rank > (double)n ? n - 1 : (size_t)rank - 1);
}

// The rank that makes the quantile of as many windows hold for the next one; above 1 when they are too few.
static double share_of(const struct conformal_errors *errors, double quantile) {
	return quantile * (1 + 1 / fmax(errors->independent, 1));
}

// Root of the mean square: about 0, which is what the forecast meant, since few errors have no mean to speak of.
static double spread(const double *values, size_t n) {
	double sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += values[i] * values[i];
	return n > 0 ? sqrt(sum / (double)n) : 0;
}

// ---- the pool

static int pool_room(struct conformal_pool *pool, size_t n) {
	double *grown;

	if (pool->n + n <= pool->room)
		return 0;
	grown = realloc(pool->values, 2 * (pool->n + n) * sizeof(*grown));
	if (grown == NULL)
		return -ENOMEM;
	pool->values = grown;
	pool->room = 2 * (pool->n + n);
	return 0;
}

int conformal_pool_add(struct conformal_pool *pool, const struct conformal_errors *errors) {
	CLEANUP(freep) double *squares = calloc(errors->n + 1, sizeof(double)); // summed from the first
	size_t used = 0, n = errors->n, stride = 1 + n / MOST_LENT;
	int rc;

	if (squares == NULL)
		return -ENOMEM;
	if ((rc = pool_room(pool, n)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		squares[i + 1] = squares[i] + errors->values[i] * errors->values[i];
	for (size_t i = stride / 2; i < n; i += stride) {
		size_t first = i > errors->overlap ? i - errors->overlap : 0;
		size_t last = i + errors->overlap < n ? i + errors->overlap + 1 : n;
		double rest = squares[n] - (squares[last] - squares[first]);

		if (last - first == n || !(rest > 1e-9 * squares[n]))
			continue;
		pool->values[pool->n++] = errors->values[i] / sqrt(rest / (double)(n - (last - first)));
		used++;
	}
	if (n > 0)
		pool->independent += errors->independent * fmin((double)(used * stride) / (double)n, 1);
	return 0;
}

int conformal_pool_merge(struct conformal_pool *pool, const struct conformal_pool *other) {
	int rc;

	if ((rc = pool_room(pool, other->n)) < 0)
		return rc;
	if (other->n > 0)
		memcpy(pool->values + pool->n, other->values, other->n * sizeof(double));
	pool->n += other->n;
	pool->independent += other->independent;
	return 0;
}

void conformal_pool_sort(struct conformal_pool *pool) {
	gsl_sort(pool->values, 1, pool->n);
}

void conformal_pool_fini(struct conformal_pool *pool) {
	free(pool->values);
	*pool = (struct conformal_pool){0};
}

// ---- the quantile

bool conformal_needs_pool(const struct conformal_errors *errors, double quantile) {
	return errors->independent < CONFORMAL_LEAST || share_of(errors, quantile) > 1;
}

static bool shows(const struct conformal_pool *pool, double quantile) {
	return pool != NULL && pool->independent >= CONFORMAL_LEAST &&
	       quantile * (1 + 1 / pool->independent) <= 1;
}

static double pool_quantile(const struct conformal_pool *pool, double share) {
	size_t rank = (size_t)fmax(ceil(share * (double)pool->n - 1e-9), 1);

	return pool->values[rank - 1];
}

// Overlapping windows are alike: their spread is smaller than that of as many as are independent.
static double student(const struct conformal_errors *errors, double quantile) {
	double windows = fmax(errors->independent, 2), mean = gsl_stats_mean(errors->values, 1, errors->n);
	double deviation = errors->n > 1 ? gsl_stats_sd_m(errors->values, 1, errors->n, mean) : 0;
	double t = gsl_cdf_tdist_Pinv(quantile, fmax(windows - 1, 2));

	return mean + t * deviation * sqrt(windows / (windows - 1) * (1 + 1 / windows));
}

int conformal_quantile(const struct conformal_errors *errors, const struct conformal_pool *pool,
                       double quantile, double *ret) {
	CLEANUP(freep) double *values = NULL;
	double share = share_of(errors, quantile);
	bool few;

	if (errors->n == 0) {
		*ret = 0;
		return 0;
	}
	values = malloc(errors->n * sizeof(*values));
	if (values == NULL)
		return -ENOMEM;
	memcpy(values, errors->values, errors->n * sizeof(*values));
	few = errors->independent < CONFORMAL_LEAST;
	if ((few || share > 1) && shows(pool, quantile)) {
		*ret = spread(errors->values, errors->n) *
		       pool_quantile(pool, quantile * (1 + 1 / pool->independent));
		*ret = few ? *ret
		           : fmax(*ret, gsl_stats_max(errors->values, 1,
		                                      errors->n)); // beyond what own errors say of lower ones
	} else if (share <= 1) {
		*ret = quantile_of(values, errors->n, share);
	} else {
		*ret = fmax(student(errors, quantile), gsl_stats_max(errors->values, 1, errors->n));
	}
	return 0;
}

// Of the sorted values, the one that 'share' of those stay under whose index is not near 'i'.
static double quantile_of_others(const double *values, const size_t *order, size_t n, size_t i,
                                 size_t overlap, double share) {
	size_t first = i > overlap ? i - overlap : 0, last = i + overlap < n ? i + overlap + 1 : n;
	size_t others = n - (last - first), above;
	double rank = ceil(share * (double)others - 1e-9);

	above = rank >= (double)others ? 0 : others - (size_t)rank;
	for (size_t k = n; k-- > 0;) {
		if (order[k] >= first && order[k] < last)
			continue;
		if (above-- == 0)
			return values[order[k]];
	}
	return INFINITY;
}

int conformal_coverage(const struct conformal_errors *errors, double quantile, double *ret) {
	double others = errors->independent - 1, share = quantile * (1 + 1 / fmax(others, 1));
	CLEANUP(freep) size_t *order = NULL;
	size_t covered = 0;

	*ret = NAN;
	if (errors->independent < CONFORMAL_LEAST)
		return 0;
	order = malloc(errors->n * sizeof(*order));
	if (order == NULL)
		return -ENOMEM;
	gsl_sort_index(order, errors->values, 1, errors->n);
	for (size_t i = 0; i < errors->n; i++)
		covered += errors->values[i] <= quantile_of_others(errors->values, order, errors->n, i,
		                                                   errors->overlap, fmin(share, 1));
	*ret = (double)covered / (double)errors->n;
	return 0;
}
