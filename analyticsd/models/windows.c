// Past windows and their errors.
// SPDX-License-Identifier: MIT
#include "windows.h"

#include "cleanup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY      0.8   // of a step's width for those before it
#define FORGOTTEN   0.1   // autocorrelation
#define LEAST_WIDTH 1e-12 // of the greatest value said or seen

int windows_init(struct windows *ret, size_t n, size_t horizon) {
	struct windows windows = {.n = n, .horizon = horizon};

	windows.starts = calloc(n + 1, sizeof(double));
	windows.said = calloc(n * horizon + 1, sizeof(double));
	windows.came = calloc(n * horizon + 1, sizeof(double));
	if (windows.starts == NULL || windows.said == NULL || windows.came == NULL) {
		windows_fini(&windows);
		return -ENOMEM;
	}

	*ret = windows;
	return 0;
}

void windows_fini(struct windows *windows) {
	free(windows->starts);
	free(windows->said);
	free(windows->came);
	*windows = (struct windows){0};
}

static int make_room(struct windows *windows) {
	struct windows grown;
	int rc;

	if ((rc = windows_init(&grown, windows->n + 1, windows->horizon)) < 0)
		return rc;
	memcpy(grown.starts, windows->starts, windows->n * sizeof(double));
	memcpy(grown.said, windows->said, windows->n * windows->horizon * sizeof(double));
	memcpy(grown.came, windows->came, windows->n * windows->horizon * sizeof(double));
	windows_fini(windows);
	*windows = grown;
	return 0;
}

int windows_add(struct windows *windows, size_t most, double start, const double *said, const double *came) {
	size_t width = windows->horizon, last;
	int rc;

	if (windows->n < most) {
		if ((rc = make_room(windows)) < 0)
			return rc;
	} else {
		memmove(windows->starts, windows->starts + 1, (windows->n - 1) * sizeof(double));
		memmove(windows->said, windows->said + width, (windows->n - 1) * width * sizeof(double));
		memmove(windows->came, windows->came + width, (windows->n - 1) * width * sizeof(double));
	}
	last = windows->n - 1;
	windows->starts[last] = start;
	memcpy(windows->said + last * width, said, width * sizeof(double));
	memcpy(windows->came + last * width, came, width * sizeof(double));
	return 0;
}

double windows_independent(const struct windows *windows) {
	double sum = windows->n > 0 ? 1 : 0;

	for (size_t i = 1; i < windows->n; i++)
		sum += fmin((windows->starts[i] - windows->starts[i - 1]) / (double)windows->horizon, 1);
	return sum;
}

double windows_error(const struct windows *windows, size_t first) {
	double sum = 0;
	size_t n = 0;

	for (size_t k = first * windows->horizon; k < windows->n * windows->horizon; k++) {
		if (isnan(windows->came[k]))
			continue;
		sum += fabs(windows->came[k] - windows->said[k]);
		n++;
	}
	return n > 0 ? sum / (double)n : NAN;
}

static double greatest(const struct windows *windows) {
	double most = 0;

	for (size_t k = 0; k < windows->n * windows->horizon; k++)
		most = fmax(most, fmax(fabs(windows->said[k]), fabs(windows->came[k])));
	return most;
}

void windows_widths(const struct windows *windows, size_t n, double *ret) {
	double sum = 0, count = 0, least = fmax(LEAST_WIDTH * greatest(windows), 1e-300);

	for (size_t h = 0; h < n; h++) {
		size_t tested = h < windows->horizon ? h : windows->horizon - 1;

		for (size_t i = 0; i < windows->n; i++) {
			size_t k = i * windows->horizon + tested;

			if (isnan(windows->came[k]))
				continue;
			sum += fabs(windows->came[k] - windows->said[k]);
			count++;
		}
		ret[h] = count > 0 ? fmax(sum / count, least) : least;
		sum *= MEMORY;
		count *= MEMORY;
	}
}

double windows_summary(const double *row, size_t n, enum aspect aspect, enum statistics statistic) {
	double highest = -INFINITY, lowest = INFINITY, sum = 0;
	size_t n_known = 0;

	for (size_t i = 0; i < n; i++) {
		if (isnan(row[i]))
			continue;
		highest = fmax(highest, row[i]);
		lowest = fmin(lowest, row[i]);
		sum += row[i];
		n_known++;
	}
	if (2 * n_known < n || n_known == 0)
		return NAN;
	if (aspect == ASPECT_LOWEST)
		return lowest;
	if (aspect == ASPECT_HIGHEST || statistic == STATISTIC_PEAK)
		return highest;
	return statistic == STATISTIC_MEAN ? sum / (double)n_known : row[n - 1];
}

static double step_error(const struct windows *windows, const double *widths, size_t window, size_t h) {
	size_t k = window * windows->horizon + h;

	return (windows->came[k] - windows->said[k]) / widths[h];
}

static void add_steps(const struct windows *windows, size_t window, const double *widths, double sign,
                      struct conformal_errors *errors) {
	for (size_t h = 0; h < windows->horizon; h++) {
		double error = step_error(windows, widths, window, h);

		if (!isnan(error))
			errors->values[errors->n++] = sign * error;
	}
}

// Mean product of the errors 'lag' steps apart, of windows beside each other.
static double product(const struct windows *windows, const double *widths, size_t lag) {
	double sum = 0, end = -INFINITY;
	size_t n = 0;

	for (size_t i = 0; i < windows->n; i++) {
		if (windows->starts[i] < end)
			continue;
		end = windows->starts[i] + (double)windows->horizon;
		for (size_t h = lag; h < windows->horizon; h++) {
			double both =
			        step_error(windows, widths, i, h) * step_error(windows, widths, i, h - lag);

			sum += isnan(both) ? 0 : both;
			n += !isnan(both);
		}
	}
	return n > 0 ? sum / (double)n : 0;
}

// How many steps of a window are worth an independent one: the sum of the errors' autocorrelation, while there is any; far
// lags are looked at less closely.
static double independent_steps(const struct windows *windows, const double *widths) {
	double square = product(windows, widths, 0), length = 1;

	for (size_t lag = 1, apart = 1; lag <= windows->horizon / 2 && square > 0; lag += apart) {
		double correlation = product(windows, widths, lag) / square;

		if (correlation < FORGOTTEN)
			break;
		apart = 1 + lag / 8;
		length += 2 * correlation * (double)apart;
	}
	return fmax((double)windows->horizon / length, 1);
}

static void add_window(const struct windows *windows, size_t window, enum aspect aspect,
                       enum statistics statistic, struct conformal_errors *errors) {
	size_t n = windows->horizon;
	double truth = windows_summary(windows->came + window * n, n, aspect, statistic);
	double said = windows_summary(windows->said + window * n, n, aspect, statistic);

	if (!isnan(truth))
		errors->values[errors->n++] = aspect == ASPECT_LOWEST ? said - truth : truth - said;
}

// How many of the following windows share steps with one, at most.
static size_t most_overlap(const struct windows *windows) {
	size_t most = 0;

	for (size_t i = 0, k = 0; i < windows->n; i++) {
		while (k + 1 < windows->n &&
		       windows->starts[k + 1] - windows->starts[i] < (double)windows->horizon)
			k++;
		most = k - i > most ? k - i : most;
	}
	return most;
}

int windows_errors(const struct windows *windows, enum aspect aspect, enum statistics statistic,
                   struct conformal_errors *ret) {
	CLEANUP(freep) double *widths = calloc(windows->horizon + 1, sizeof(double));
	bool of_steps = aspect == ASPECT_STEP || aspect == ASPECT_STEP_BELOW;
	size_t each = of_steps ? windows->horizon : 1;
	struct conformal_errors errors = {.values = calloc(windows->n * each + 1, sizeof(double))};

	if (widths == NULL || errors.values == NULL) {
		free(errors.values);
		return -ENOMEM;
	}
	windows_widths(windows, windows->horizon, widths);
	for (size_t i = 0; i < windows->n; i++) {
		if (of_steps)
			add_steps(windows, i, widths, aspect == ASPECT_STEP ? 1 : -1, &errors);
		else
			add_window(windows, i, aspect, statistic, &errors);
	}
	if (windows->n > 0)
		errors.independent =
		        windows_independent(windows) * (double)errors.n / (double)(windows->n * each);
	if (of_steps)
		errors.independent *= independent_steps(windows, widths);
	errors.overlap = most_overlap(windows) * each;

	*ret = errors;
	return 0;
}
