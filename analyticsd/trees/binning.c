// Quantile bins. Where a value fills more than its share, it gets a bin of its own and the rest is shared anew.
// SPDX-License-Identifier: MIT
#include "binning.h"

#include <errno.h>
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>

enum { MOST_SAMPLED = 1 << 17 }; // values that are sorted: more than enough to tell 256 quantiles

static size_t sample(const double *values, size_t n, double *ret) {
	size_t every = 1 + (n - 1) / MOST_SAMPLED, n_taken = 0;

	for (size_t i = 0; i < n; i += every)
		ret[n_taken++] = values[i];
	gsl_sort(ret, 1, n_taken);
	return n_taken;
}

static double between(double low, double high) {
	double middle = low / 2 + high / 2;

	return middle < high ? middle : low;
}

int binning_fit(const double *values, size_t n, struct binning *ret) {
	double *sorted = malloc((n < MOST_SAMPLED ? n : MOST_SAMPLED) * sizeof(*sorted));
	size_t n_sorted, at = 0;
	int edge = 0;

	if (sorted == NULL)
		return -ENOMEM;
	n_sorted = sample(values, n, sorted);
	for (int bin = 0; bin < BINNING_EDGES; bin++)
		ret->edges[bin] = INFINITY;
	while (edge < BINNING_EDGES && at < n_sorted) {
		size_t share = (n_sorted - at) / (size_t)(BINNING_EDGES + 1 - edge);

		at += share > 0 ? share : 1;
		while (at < n_sorted && sorted[at] == sorted[at - 1])
			at++;
		if (at < n_sorted)
			ret->edges[edge++] = between(sorted[at - 1], sorted[at]);
	}
	free(sorted);
	return 0;
}

uint8_t binning_of(const struct binning *binning, double value) {
	const double *edges = binning->edges;
	unsigned bin = 0;

	// The edges below the value are counted by halving; 255 of them take eight steps.
	for (unsigned half = 128; half > 0; half /= 2)
		bin += value > edges[bin + half - 1] ? half : 0;
	return (uint8_t)bin;
}
