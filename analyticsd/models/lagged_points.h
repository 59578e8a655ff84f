// lagged_points.h: samples onto equal steps, for models that are trained.
// SPDX-License-Identifier: MIT
#pragma once

#include "lagged.h"
#include "message.h"
#include "status.h"

// 'points' in ascending time, at least one. 'step_seconds' 0: their usual spacing, to the nearest of a second, a
// minute and so on. A step is the mean of what it holds; steps that hold nothing are not known. Returns 0, a
// negative errno with 'status' (two values at a time, more steps than can be), or -ENOMEM; the caller ends 'ret'
// with lagged_series_fini().
int lagged_from_points(const struct kpi_point *points, size_t n, double step_seconds,
                       struct lagged_series *ret, struct status *status);

// Sets the newest values behind a kept series, on its steps: what is missing between them and it holds the value
// before; where that is more than the series is long, nothing of it is used. 'points' as above, at least one.
// Returns 0, a negative errno with 'status', or -ENOMEM; 'ret' is a new series.
int lagged_continue(const struct lagged_series *series, const struct kpi_point *points, size_t n,
                    struct lagged_series *ret, size_t *ret_filled, struct status *status);

// The same with a series of the same step in place of samples.
int lagged_join(const struct lagged_series *series, const struct lagged_series *newer,
                struct lagged_series *ret, size_t *ret_filled, struct status *status);
