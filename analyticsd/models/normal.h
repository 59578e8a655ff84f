// normal.h: least squares that can be continued: rows are added one by one, solved as often as one likes,
// and the cost of a row does not grow.
// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>

#define NORMAL_MOST 48 // columns

struct normal {
	size_t n_columns;
	double *products; // lower triangle of the sum of x x', row by row, in full rows
	double *targets;  // sum of x y
	double rows;
};

// Column 0 is the constant 1 and is not shrunk. Returns 0 or -ENOMEM.
int normal_init(struct normal *, size_t n_columns);
void normal_fini(struct normal *);
void normal_add(struct normal *, const double *x, double y);

// The coefficients of the first 'n' columns, as if there were no others; 'ridge' is the variance, in the
// units of the columns, that the other coefficients are shrunk by. All zero when there are no rows.
void normal_solve(const struct normal *, size_t n, double ridge, double *ret);
