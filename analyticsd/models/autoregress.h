// autoregress.h: a value from the twelve before it, by ridge regression that can be continued.
// SPDX-License-Identifier: MIT
#pragma once

#include "normal.h"

#define AUTOREGRESS_ORDER 12

struct autoregress {
	struct normal normal;
	double coefficients[1 + AUTOREGRESS_ORDER]; // the constant, then lag 1 first
};

// Returns 0 or -ENOMEM.
int autoregress_init(struct autoregress *);
void autoregress_fini(struct autoregress *);

// Learns *value from value[-1] to value[-AUTOREGRESS_ORDER].
void autoregress_add(struct autoregress *, const double *value);
void autoregress_solve(struct autoregress *);

// The 'n' values that follow; 'last' are the AUTOREGRESS_ORDER before them, oldest first.
void autoregress_predict(const struct autoregress *, const double *last, size_t n, double *ret);
