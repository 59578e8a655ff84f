// scoring.h: how far predictions were from what came, in the measures that people ask for. Any thread.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { SCORING_QUANTILES = 11 };

// Probabilities of the residuals that a model keeps; symmetric, so that two of them make a band.
extern const double scoring_probabilities[SCORING_QUANTILES];
enum { SCORING_LOWER = 2, SCORING_MEDIAN = 5, SCORING_UPPER = 8 }; // 0.05, 0.5, 0.95

struct score {
	size_t n; // predictions that were held against a measured value; the rest is 0 without any
	double mae, rmse;
	double mase;     // mae in units of the mean change over a day, or over a step where there is no day
	double smape;    // 0 to 2; where both are 0, 0
	double pinball;  // mean over the quantiles; lower is better
	double coverage; // share of values within lower and upper
};

struct scoring {
	double absolute, squares, relative, pinball;
	size_t n, covered;
};

// 'residuals' are the quantiles of truth less prediction that the model kept; NULL when it has none.
void scoring_add(struct scoring *, double predicted, double truth, const double *residuals);

// 'unit' of mase; 0 leaves it 0.
struct score scoring_end(const struct scoring *, double unit);

// Quantiles of 'residuals', which are sorted in passing, made a little wider as their number wants it
// (conformal: rank ceil(p (n + 1)) from the middle outwards). All 0 without any.
void scoring_quantiles(double *residuals, size_t n, double ret[static SCORING_QUANTILES]);

// Were so many of 'n' values outside the band of the outermost quantiles (one of a hundred should be) that even a
// band which holds 19 of 20 would show it less than once in a million times?
bool scoring_is_unlikely(size_t n_outside, size_t n);
