// The band is the path plus and minus a multiple of each step's own error, cut at the quantiles of the
// window's extremes. Cutting loses only windows that left these anyway, so the whole path stays inside as
// often as the extremes do.
// SPDX-License-Identifier: MIT
#include "band.h"

#include "cleanup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

// The multiple of the widths at which the band above (sign 1) or below (sign -1) meets 'limit'.
static double touch(const double *path, const double *widths, size_t n, double limit, double sign) {
	double least = INFINITY;

	for (size_t h = 0; h < n; h++)
		least = fmin(least, sign * (limit - path[h]) / widths[h]);
	return fmax(least, 0);
}

static double extreme_of(const double *path, size_t n, double sign) {
	double extreme = -INFINITY;

	for (size_t h = 0; h < n; h++)
		extreme = fmax(extreme, sign * path[h]);
	return extreme;
}

// The multiple that holds each past window which stays within its own limit, 'margin' from its extreme.
static double hold(const struct windows *windows, const double *widths, double margin, double sign) {
	size_t n = windows->horizon;
	double most = 0;

	for (size_t i = 0; i < windows->n; i++) {
		const double *said = windows->said + i * n, *came = windows->came + i * n;
		double needed = 0, reached = -INFINITY;

		for (size_t h = 0; h < n; h++) {
			if (isnan(came[h]))
				continue;
			reached = fmax(reached, sign * came[h]);
			needed = fmax(needed, sign * (came[h] - said[h]) / widths[h]);
		}
		if (reached <= extreme_of(said, n, sign) + margin)
			most = fmax(most, needed);
	}
	return most;
}

static double multiple(const struct windows *windows, const double *widths, const double *path, size_t n,
                       double limit, double sign) {
	double margin = sign * limit - extreme_of(path, n, sign);

	// A hair more than the touch, so that rounding does not keep the band from its limit.
	return fmax(touch(path, widths, n, limit, sign) * (1 + 1e-9), hold(windows, widths, margin, sign));
}

// Returns 0 or -ENOMEM; 'ret_widths' is the caller's to free.
static int allocate(struct band *band, const struct windows *windows, size_t n, double **ret_widths) {
	*band = (struct band){.n = n};
	*ret_widths = calloc(n, sizeof(double));
	band->median = calloc(n, sizeof(double));
	band->lower = calloc(n, sizeof(double));
	band->upper = calloc(n, sizeof(double));
	if (*ret_widths == NULL || band->median == NULL || band->lower == NULL || band->upper == NULL) {
		band_fini(band);
		return -ENOMEM;
	}
	windows_widths(windows, n, *ret_widths);
	return 0;
}

int band_init(struct band *ret, const struct windows *windows, const double *path, size_t n, double highest,
              double lowest) {
	CLEANUP(freep) double *widths = NULL;
	double above, below;
	struct band band;
	int rc;

	if ((rc = allocate(&band, windows, n, &widths)) < 0)
		return rc;
	above = multiple(windows, widths, path, n, highest, 1);
	below = multiple(windows, widths, path, n, lowest, -1);
	for (size_t h = 0; h < n; h++) {
		band.upper[h] = fmin(path[h] + above * widths[h], highest);
		band.median[h] = fmin(path[h], band.upper[h]);
		band.lower[h] = fmax(path[h] - below * widths[h], fmax(lowest, 0));
		band.lower[h] = fmin(band.lower[h], band.median[h]);
	}

	*ret = band;
	return 0;
}

int band_init_steps(struct band *ret, const struct windows *windows, const double *path, size_t n,
                    double above, double below) {
	CLEANUP(freep) double *widths = NULL;
	struct band band;
	int rc;

	if ((rc = allocate(&band, windows, n, &widths)) < 0)
		return rc;
	for (size_t h = 0; h < n; h++) {
		widths[h] = windows->n > 0 ? widths[h] : 1;
		band.median[h] = path[h];
		band.upper[h] = fmax(path[h] + above * widths[h], path[h]);
		band.lower[h] = fmax(fmin(path[h] - below * widths[h], path[h]), 0);
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
