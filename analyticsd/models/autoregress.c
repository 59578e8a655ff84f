// The products that least squares needs hold the autocovariances too, so that both come from one pass.
// SPDX-License-Identifier: MIT
#include "autoregress.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { ORDER = AUTOREGRESS_ORDER, PULLS = 4 };
#define PULL    0.998
#define RIDGE   2e-4
#define NOISE   1e-4  // of the variance: nothing is told better than this
#define CLOSEST 0.999 // to a reflection of 1, a path that never settles

int autoregress_init(struct autoregress *ar) {
	memset(ar->coefficients, 0, sizeof(ar->coefficients));
	return normal_init(&ar->normal, 1 + ORDER);
}

void autoregress_fini(struct autoregress *ar) {
	normal_fini(&ar->normal);
}

void autoregress_add(struct autoregress *ar, const double *value) {
	double x[1 + ORDER] = {1};

	for (int lag = 1; lag <= ORDER; lag++)
		x[lag] = value[-lag];
	normal_add(&ar->normal, x, *value);
}

// Autocovariances, each the mean over the pairs of columns that many steps apart; 'ret_mean' is that of all columns.
static void find_covariances(const struct normal *normal, double *ret_mean, double ret[static ORDER + 1]) {
	double mean = 0;

	for (int lag = 1; lag <= ORDER; lag++)
		mean += normal->products[lag * (ORDER + 1)] / normal->rows / ORDER;
	for (int lag = 0; lag <= ORDER; lag++) {
		double sum = lag == ORDER ? normal->targets[ORDER] : 0; // the value and the furthest lag

		for (int i = 1; i + lag <= ORDER; i++)
			sum += normal->products[(i + lag) * (ORDER + 1) + i];
		ret[lag] = sum / normal->rows / (lag == ORDER ? 1 : ORDER - lag) - mean * mean;
	}
	ret[0] *= 1 + NOISE;
	*ret_mean = mean;
}

// Akaike's criterion with Hurvich's and Tsai's correction, for an order with that error.
static double criterion(double n, int order, double error) {
	double rest = n - order - 2;

	return rest > 0 ? n * log(error) + 2 * (order + 1) * n / rest : INFINITY;
}

// Levinson's recursion. Returns the order; 'ret' has coefficients that settle, lag 1 first, perhaps of a lower one.
static int solve_levinson(const double covariances[static ORDER + 1], double n, double ret[static ORDER]) {
	double now[ORDER + 1] = {0}, before[ORDER + 1] = {0};
	double error = covariances[0], best;
	int ret_order = 0;

	memset(ret, 0, ORDER * sizeof(*ret));
	if (!(error > 1e-18))
		return 0;
	best = criterion(n, 0, error);
	for (int order = 1; order <= ORDER; order++) {
		double reflection = covariances[order];

		for (int k = 1; k < order; k++)
			reflection -= before[k] * covariances[order - k];
		reflection /= error;
		// A wave or a line is told without error by a few; the covariances of far lags rest on too few pairs for that.
		if (order > 1 && fabs(reflection) > CLOSEST)
			return order <= ORDER / 2 ? order : ret_order;
		now[order] = reflection = fmax(fmin(reflection, CLOSEST), -CLOSEST);
		for (int k = 1; k < order; k++)
			now[k] = before[k] - reflection * before[order - k];
		error *= 1 - reflection * reflection;
		memcpy(before, now, sizeof(now));
		if (criterion(n, order, error) >= best)
			continue;
		best = criterion(n, order, error);
		ret_order = order;
		memcpy(ret, now + 1, ORDER * sizeof(*ret));
	}
	return ret_order;
}

// Levinson's recursion backwards: whether every reflection is below 1.
static bool settles(const double *coefficients, int order) {
	double now[ORDER], next[ORDER];

	memcpy(now, coefficients, (size_t)order * sizeof(*now));
	for (int m = order; m > 0; m--) {
		double reflection = now[m - 1];

		if (!(fabs(reflection) < CLOSEST))
			return false;
		for (int k = 0; k < m - 1; k++)
			next[k] = (now[k] + reflection * now[m - 2 - k]) / (1 - reflection * reflection);
		memcpy(now, next, sizeof(now));
	}
	return true;
}

// A wave that goes on for ever is told by roots on the unit circle, which least squares may put a little outside:
// they are brought in (bandwidth expansion of linear prediction). False when they are far outside.
static bool pull_in(double *coefficients, int order) {
	for (int i = 0; i < PULLS; i++) {
		double factor = 1;

		if (settles(coefficients, order))
			return true;
		for (int k = 0; k < order; k++)
			coefficients[k] *= (factor *= PULL);
	}
	return false;
}

void autoregress_solve(struct autoregress *ar) {
	double covariances[ORDER + 1], walker[ORDER], squares[1 + ORDER], mean, sum = 0;
	int order;

	memset(ar->coefficients, 0, sizeof(ar->coefficients));
	if (!(ar->normal.rows > 0))
		return;
	find_covariances(&ar->normal, &mean, covariances);
	order = solve_levinson(covariances, ar->normal.rows, walker);
	normal_solve(&ar->normal, 1 + (size_t)order, RIDGE, squares);
	if (pull_in(squares + 1, order))
		memcpy(walker, squares + 1, (size_t)order * sizeof(*squares));
	for (int lag = 0; lag < ORDER; lag++)
		sum += ar->coefficients[1 + lag] = walker[lag];
	// The constant of least squares would let a path that settles slowly settle anywhere.
	ar->coefficients[0] = mean * (1 - sum);
}

void autoregress_predict(const struct autoregress *ar, const double *last, size_t n, double *ret) {
	for (size_t t = 0; t < n; t++) {
		double value = ar->coefficients[0];

		for (size_t lag = 1; lag <= ORDER; lag++)
			value += ar->coefficients[lag] * (t >= lag ? ret[t - lag] : last[ORDER + t - lag]);
		ret[t] = value;
	}
}
