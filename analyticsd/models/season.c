// Periods of a history: day and week because people have them, any other by autocorrelation (one FFT there,
// one back), so that a season of thousands of steps costs as little as one of twelve.
// SPDX-License-Identifier: MIT
#include "season.h"

#include "cleanup.h"

#include <errno.h>
#include <gsl/gsl_fft_halfcomplex.h>
#include <gsl/gsl_fft_real.h>
#include <math.h>
#include <string.h>

enum { LEAST_STEPS = 4, LEAST_SEASONS = 3, MOST_BLOCKS = 8192 };
#define LEAST_CORRELATION 0.3

static double usable(double period, const struct past *past) {
	return period >= LEAST_STEPS && (double)past->n >= 1.05 * period + LEAST_STEPS ? period : 0;
}

// Autocorrelation of 'n' values in 'padded', whose 'size' is a power of two of at least 2n.
static void correlate(double *padded, size_t n, size_t size) {
	double mean = 0;

	for (size_t i = 0; i < n; i++)
		mean += padded[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		padded[i] -= mean;
	gsl_fft_real_radix2_transform(padded, 1, size);
	padded[0] *= padded[0];
	padded[size / 2] *= padded[size / 2];
	for (size_t k = 1; k < size / 2; k++) {
		padded[k] = padded[k] * padded[k] + padded[size - k] * padded[size - k];
		padded[size - k] = 0;
	}
	gsl_fft_halfcomplex_radix2_inverse(padded, 1, size);
	// Fewer pairs at longer lags: each lag is the mean of its pairs.
	for (size_t lag = n; lag-- > 0;)
		padded[lag] *= (double)n / (double)(n - lag);
}

// The lag of the first hill that comes close to the highest one, behind the first fall below zero.
static double strongest_lag(const double *correlation, size_t n) {
	size_t most = n / LEAST_SEASONS, from = 1;
	double highest = 0;

	while (from < most && correlation[from] > 0)
		from++;
	for (size_t lag = from; lag < most; lag++)
		highest = fmax(highest, correlation[lag]);
	if (!(highest > LEAST_CORRELATION * correlation[0]) || !(correlation[0] > 0))
		return 0;
	for (size_t lag = from > LEAST_STEPS ? from : LEAST_STEPS; lag + 1 < most; lag++) {
		double left = correlation[lag - 1], here = correlation[lag], right = correlation[lag + 1];

		if (here < 0.9 * highest || here < left || here < right)
			continue;
		if (left + right >= 2 * here)
			return (double)lag;
		// The parabola through the three: the period need not be a whole number of steps.
		return (double)lag + 0.5 * (left - right) / (left - 2 * here + right);
	}
	return 0;
}

static bool is_near(double period, double known) {
	return known > 0 && fabs(period - known) < 0.03 * known;
}

int season_find(const struct past *past, double step_seconds, struct season *ret) {
	CLEANUP(freep) double *padded = NULL;
	size_t block = 1 + (past->n - 1) / MOST_BLOCKS;
	size_t n = past->n / block, size = 2;
	double found;

	ret->day = usable(86400 / step_seconds, past);
	ret->week = usable(7 * 86400 / step_seconds, past);
	ret->found = 0;
	if (n < LEAST_STEPS * LEAST_SEASONS)
		return 0;
	while (size < 2 * n)
		size *= 2;
	padded = calloc(size, sizeof(*padded));
	if (padded == NULL)
		return -ENOMEM;
	for (size_t t = 0; t < n * block; t++)
		padded[t / block] += past->values[t + past->n - n * block];
	correlate(padded, n, size);
	found = strongest_lag(padded, n) * (double)block;
	if (found > 0 && !is_near(found, ret->day) && !is_near(found, ret->week))
		ret->found = usable(found, past);
	return 0;
}
