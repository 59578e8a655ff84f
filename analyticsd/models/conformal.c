// Split-conformal quantiles, and what stands in for them where the errors are too few to show a tail.
// SPDX-License-Identifier: MIT
#include "conformal.h"

#include "cleanup.h"

#include <errno.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <string.h>

#define LEAST_WINDOWS 19

// The smallest value that at least 'share' of the sorted values do not exceed.
static double sorted_quantile(const double *sorted, size_t n, double share) {
	double rank = ceil(share * (double)n - 1e-9);

	return sorted[rank < 1 ? 0 : rank > (double)n ? n - 1 : (size_t)rank - 1];
}

static double spread(const struct conformal_errors *errors) {
	return errors->n > 1 ? gsl_stats_sd(errors->values, 1, errors->n) : 0;
}

static double student(const struct conformal_errors *errors, double quantile) {
	double windows = fmax(errors->independent, 1);
	double t = gsl_cdf_tdist_Pinv(quantile, fmax(windows - 1, 2));

	return gsl_stats_mean(errors->values, 1, errors->n) + t * spread(errors) * sqrt(1 + 1 / windows);
}

int conformal_quantile(const struct conformal_errors *errors, const struct conformal_pool *pool,
                       double quantile, double *ret) {
	CLEANUP(freep) double *sorted = NULL;
	double share = quantile * (1 + 1 / fmax(errors->independent, 1));

	if (errors->n == 0) {
		*ret = 0;
		return 0;
	}
	sorted = malloc(errors->n * sizeof(*sorted));
	if (sorted == NULL)
		return -ENOMEM;
	memcpy(sorted, errors->values, errors->n * sizeof(*sorted));
	gsl_sort(sorted, 1, errors->n);
	if (share <= 1)
		*ret = sorted_quantile(sorted, errors->n, share);
	else if (pool != NULL && pool->n >= LEAST_WINDOWS)
		*ret = spread(errors) * sorted_quantile(pool->values, pool->n, quantile);
	else
		*ret = fmax(student(errors, quantile), sorted[errors->n - 1]);
	return 0;
}

int conformal_coverage(const struct conformal_errors *errors, double quantile, double *ret) {
	CLEANUP(freep) double *others = NULL;
	size_t covered = 0;

	*ret = NAN;
	if (errors->independent < LEAST_WINDOWS)
		return 0;
	others = malloc(errors->n * sizeof(*others));
	if (others == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < errors->n; i++) {
		struct conformal_errors rest = {.values = others, .independent = errors->independent - 1};
		double limit;
		int rc;

		for (size_t k = 0; k < errors->n; k++) {
			if ((k > i ? k - i : i - k) > errors->overlap)
				others[rest.n++] = errors->values[k];
		}
		if ((rc = conformal_quantile(&rest, NULL, quantile, &limit)) < 0)
			return rc;
		covered += errors->values[i] <= limit;
	}
	*ret = (double)covered / (double)errors->n;
	return 0;
}
