// binning.h: values to bytes, for trees: 256 bins that hold about equally many of the values they were made
// from, so that a split between bins is a split between values.
// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { BINNING_EDGES = 255 };

// Ascending; those not needed are INFINITY. Bin b holds what is above edge b - 1 and at most edge b.
struct binning {
	double edges[BINNING_EDGES];
};

// From 'n' finite values, at least one. Returns 0 or -ENOMEM.
int binning_fit(const double *values, size_t n, struct binning *ret);

uint8_t binning_of(const struct binning *, double value);
