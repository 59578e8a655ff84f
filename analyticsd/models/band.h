// band.h: bands around a path.
// SPDX-License-Identifier: MIT
#pragma once

#include "windows.h"

struct band {
	double *median;
	double *lower;
	double *upper;
	size_t n;
};

// The simultaneous one, whose highest point is the answer for the window's peak. 'highest' and 'lowest' are the upper
// quantile of the window's maximum and the lower one of its minimum. The band is as wide as it must be to hold, whole,
// each past window whose maximum and minimum these two held. Returns 0 or -ENOMEM; end with band_fini().
int band_init(struct band *ret, const struct windows *, const double *path, size_t n, double highest,
              double lowest);

// Of each step by itself: 'above' and 'below' are quantiles of its error over its width (ASPECT_STEP), in
// Gbps when there are no windows.
int band_init_steps(struct band *ret, const struct windows *, const double *path, size_t n, double above,
                    double below);
void band_fini(struct band *);
