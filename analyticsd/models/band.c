// The band is the path plus and minus a multiple of each step's own error, cut at the quantiles of the
// window's extremes. Cutting loses only windows that left these anyway, so the whole path stays inside as
// often as the extremes do.
// SPDX-License-Identifier: MIT
#include "band.h"

#include "cleanup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

// Mean absolute error of each step ahead, averaged over its neighbours; never zero.
static void find_widths(const struct backtest *test, const struct past *past, double *widths, size_t n) {
	const struct backtest_plan *plan = &test->plan;
	double sum = 0, count = 0;

	for (size_t h = 0; h < n; h++) {
		size_t tested = plan->tested_horizon == 0  ? 0
		                : h < plan->tested_horizon ? h
		                                           : plan->tested_horizon - 1;

		for (size_t i = 0; i < plan->n_origins; i++) {
			size_t t = backtest_origin(plan, i) + plan->tested_lead + tested;

			if (!past->known[t])
				continue;
			sum += fabs(past->values[t] - test->paths[i * plan->tested_horizon + tested]);
			count++;
		}
		widths[h] = count > 0 && sum > 0 ? sum / count : 1e-9;
		sum *= 0.8; // forgets: the width follows the distance smoothly
		count *= 0.8;
	}
}

// The multiple of the widths at which the band above (sign 1) or below (sign -1) meets 'limit'.
static double touch(const double *path, const double *widths, size_t n, double limit, double sign) {
	double least = INFINITY;

	for (size_t h = 0; h < n; h++)
		least = fmin(least, sign * (limit - path[h]) / widths[h]);
	return fmax(least, 0);
}

// The multiple that holds each tested window which stays within its own limit, 'margin' from its extreme.
static double hold(const struct backtest *test, const struct past *past, const double *widths, double margin,
                   double sign) {
	const struct backtest_plan *plan = &test->plan;
	double most = 0;

	for (size_t i = 0; i < plan->n_origins; i++) {
		const double *path = test->paths + i * plan->tested_horizon;
		size_t from = backtest_origin(plan, i) + plan->tested_lead;
		double extreme = -INFINITY, needed = 0, reached = -INFINITY;

		for (size_t h = 0; h < plan->tested_horizon; h++) {
			extreme = fmax(extreme, sign * path[h]);
			if (!past->known[from + h])
				continue;
			reached = fmax(reached, sign * past->values[from + h]);
			needed = fmax(needed, sign * (past->values[from + h] - path[h]) / widths[h]);
		}
		if (reached <= extreme + margin)
			most = fmax(most, needed);
	}
	return most;
}

static double extreme_of(const double *path, size_t n, double sign) {
	double extreme = -INFINITY;

	for (size_t h = 0; h < n; h++)
		extreme = fmax(extreme, sign * path[h]);
	return extreme;
}

static double multiple(const struct backtest *test, const struct past *past, const double *widths,
                       double limit, double sign) {
	double margin = sign * limit - extreme_of(test->future, test->plan.horizon, sign);

	// A hair more than the touch, so that rounding does not keep the band from its limit.
	return fmax(touch(test->future, widths, test->plan.horizon, limit, sign) * (1 + 1e-9),
	            hold(test, past, widths, margin, sign));
}

int band_init(struct band *ret, const struct backtest *test, const struct past *past, double highest,
              double lowest) {
	CLEANUP(freep) double *widths = NULL;
	size_t n = test->plan.horizon;
	struct band band = {.n = n};
	double above, below;

	widths = calloc(n, sizeof(double));
	band.median = calloc(n, sizeof(double));
	band.lower = calloc(n, sizeof(double));
	band.upper = calloc(n, sizeof(double));
	if (widths == NULL || band.median == NULL || band.lower == NULL || band.upper == NULL) {
		band_fini(&band);
		return -ENOMEM;
	}
	find_widths(test, past, widths, n);
	above = multiple(test, past, widths, highest, 1);
	below = multiple(test, past, widths, lowest, -1);
	for (size_t h = 0; h < n; h++) {
		band.upper[h] = fmin(test->future[h] + above * widths[h], highest);
		band.median[h] = fmin(test->future[h], band.upper[h]);
		band.lower[h] = fmax(test->future[h] - below * widths[h], fmax(lowest, past->floor));
		band.lower[h] = fmin(band.lower[h], band.median[h]);
	}

	*ret = band;
	return 0;
}

void band_fini(struct band *band) {
	free(band->median);
	free(band->lower);
	free(band->upper);
	*band = (struct band){0};
}
