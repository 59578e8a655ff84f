// grid.h: which of a link's points count for a question, and the steps that they are laid on.
// SPDX-License-Identifier: MIT
#pragma once

#include "forecast.h"
#include "series.h"

struct points {
	const struct kpi_point *at;
	size_t n;
};

// What the peak is a peak of, as the question wants it: seconds.
double grid_resolution(const struct forecast_query *);

// Resolution-means in a step: few enough steps for the window, and steps that divide a day where they can.
size_t grid_means_per_step(double resolution_seconds, double window_seconds);

// Those at or before now, back to as long before the last of them as the query deserves.
struct points grid_known(struct points, const struct forecast_query *);

// At least one point.
struct series_grid grid_choose(struct points, const struct forecast_query *);

// Where points suddenly get coarser than the steps, going back, their means say nothing of the peaks; what is
// younger is enough when it is as long as the ratio asks. Also bounds the number of steps.
struct points grid_fine(struct points, const struct series_grid *, const struct forecast_query *);

// Those after 'from_ns', up to and including 'to_ns'.
struct points grid_between(struct points, int64_t from_ns, int64_t to_ns);

// Mean of the last 60 s before now, or the last point.
double grid_current(struct points, int64_t now_ns);

double grid_seconds(int64_t from_ns, int64_t to_ns);
