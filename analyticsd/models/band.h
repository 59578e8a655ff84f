// band.h: a band around a path, whose highest point is the answer for the window's peak.
// SPDX-License-Identifier: MIT
#pragma once

#include "backtest.h"

struct band {
	double *median;
	double *lower;
	double *upper;
	size_t n;
};

// 'highest' and 'lowest' are the upper quantile of the window's maximum and the lower one of its minimum. The
// band is as wide as it must be to hold, whole, each past window whose maximum and minimum these two held.
// Returns 0 or -ENOMEM; end with band_fini().
int band_init(struct band *ret, const struct backtest *, const struct past *, double highest, double lowest);
void band_fini(struct band *);
