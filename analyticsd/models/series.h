// series.h: irregular samples on a grid of equal steps.
// SPDX-License-Identifier: MIT
#pragma once

#include "message.h"

#include <stddef.h>
#include <stdint.h>

// The values of a step: the greatest, the mean or the last of its resolution-means, as the statistic of the
// window wants it, so that the statistic of the steps is the statistic of the resolution-means.
struct series {
	double *values; // oldest first; NAN where less than half was measured. At least one is known
	size_t n;
	int64_t end_ns; // of the last step
	double step_seconds;
};

struct series_grid {
	double resolution_seconds; // what the peak is a peak of
	size_t per_step;           // resolution-means in a step
	enum statistics statistic;
};

// Seconds that point 'i' speaks of: since the point before it, unless its neighbours show that to be a gap.
double series_interval_seconds(const struct kpi_point *points, size_t n_points, size_t i);

// The spacing that covers most of the time in the 'seconds' before the last point; 0 when there are less than
// two points.
double series_spacing_seconds(const struct kpi_point *points, size_t n_points, double seconds);

// The grid ends with the last point. Samples of 1 s and of 5 min may follow each other: each counts for the
// time it covers. Returns 0 or -ENOMEM; the caller ends 'ret' with series_fini().
int series_init(struct series *ret, const struct kpi_point *points, size_t n_points,
                const struct series_grid *grid);
void series_fini(struct series *);
