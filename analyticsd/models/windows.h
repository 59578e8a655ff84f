// windows.h: past windows, what was said of each and what came: the evidence that every quantile rests on.
// SPDX-License-Identifier: MIT
#pragma once

#include "conformal.h"
#include "message.h"

#include <stdbool.h>
#include <stddef.h>

// In time order; they may overlap. Gbps.
struct windows {
	size_t n;
	size_t horizon; // steps of a window
	double *starts; // steps since any moment, ascending
	double *said;   // a row of 'horizon' for each window
	double *came;   // the same; NAN where nothing was measured
};

// What of a window is looked at.
enum aspect { ASPECT_HIGHEST, ASPECT_LOWEST, ASPECT_STATISTIC, ASPECT_STEP, ASPECT_STEP_BELOW, N_ASPECTS };

// 'n' windows to be filled. Returns 0 or -ENOMEM; end with windows_fini().
int windows_init(struct windows *ret, size_t n, size_t horizon);
void windows_fini(struct windows *);

// Adds a window; when there are 'most' of them the oldest goes. Returns 0 or -ENOMEM.
int windows_add(struct windows *, size_t most, double start, const double *said, const double *came);

// Windows that fit beside each other.
double windows_independent(const struct windows *);

// Mean absolute error of every step of the windows from 'first' on; NAN when none is known.
double windows_error(const struct windows *, size_t first);

// Mean absolute error of each of 'n' steps ahead, averaged over its neighbours; never 0. Steps beyond the windows'
// horizon are as its last one.
void windows_widths(const struct windows *, size_t n, double *ret);

// An aspect of one row. NAN when less than half of it is known. Not for steps.
double windows_summary(const double *row, size_t n, enum aspect, enum statistics);

// Truth less forecast, of an aspect of each window, or of each step over its width; of the lowest and of steps below,
// forecast less truth. Steps count as evidence by how soon their errors forget each other. Returns 0 or -ENOMEM; the caller
// frees 'ret->values'.
int windows_errors(const struct windows *, enum aspect, enum statistics, struct conformal_errors *ret);
