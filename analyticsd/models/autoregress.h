// autoregress.h: a value from up to twelve before it. The order is the one that Akaike's corrected criterion finds
// worth its cost on the way of Levinson's recursion; the coefficients are those of least squares, unless their paths
// would not settle: then those of Yule and Walker, which do (P. Brockwell, R. Davis, Time Series: Theory and
// Methods, 1991, 8.1 and 9.3). Can be continued: the cost of a value does not grow.
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
