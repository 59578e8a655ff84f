// The recursion and its regression; the ridge is in units of the variance of what is regressed.
// SPDX-License-Identifier: MIT
#include "autoregress.h"

#define RIDGE 1e-3

int autoregress_init(struct autoregress *ar) {
	for (size_t i = 0; i <= AUTOREGRESS_ORDER; i++)
		ar->coefficients[i] = 0;
	return normal_init(&ar->normal, 1 + AUTOREGRESS_ORDER);
}

void autoregress_fini(struct autoregress *ar) {
	normal_fini(&ar->normal);
}

void autoregress_add(struct autoregress *ar, const double *value) {
	double x[1 + AUTOREGRESS_ORDER] = {1};

	for (int lag = 1; lag <= AUTOREGRESS_ORDER; lag++)
		x[lag] = value[-lag];
	normal_add(&ar->normal, x, *value);
}

void autoregress_solve(struct autoregress *ar) {
	normal_solve(&ar->normal, ar->normal.n_columns, RIDGE, ar->coefficients);
}

void autoregress_predict(const struct autoregress *ar, const double *last, size_t n, double *ret) {
	for (size_t t = 0; t < n; t++) {
		double value = ar->coefficients[0];

		for (size_t lag = 1; lag <= AUTOREGRESS_ORDER; lag++)
			value += ar->coefficients[lag] *
			         (t >= lag ? ret[t - lag] : last[AUTOREGRESS_ORDER + t - lag]);
		ret[t] = value;
	}
}
