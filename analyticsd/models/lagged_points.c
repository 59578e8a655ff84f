// Each sample goes to the nearest step.
// SPDX-License-Identifier: MIT
#include "lagged_points.h"

#include "clock.h"
#include "series.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define WHOLE_SPAN 1e12  // seconds: longer than any series
#define MOST_VALUE 1e100 // so that sums of squares are finite

static double step_of(const struct lagged_series *series, int64_t ts_ns) {
	return round((double)(ts_ns - series->start_ns) / (double)NS_PER_SECOND / series->step_seconds);
}

static int too_long(struct status *status) {
	return status_set(status, STATUS_INVALID_ARGUMENT, "more than %d steps: take a longer step",
	                  LAGGED_MOST_STEPS);
}

static int add(struct lagged_series *series, double value, struct status *status) {
	int rc = lagged_series_add(series, value);

	return rc == -E2BIG ? too_long(status) : rc;
}

// The points from step 'series->n' on. Several at a step are averaged.
static int add_points(struct lagged_series *series, const struct kpi_point *points, size_t n,
                      struct status *status) {
	int rc;

	for (size_t i = 0; i < n;) {
		double step = step_of(series, points[i].ts_ns), sum = 0;
		size_t together = 0;

		if (step >= LAGGED_MOST_STEPS)
			return too_long(status);
		for (; i < n && step_of(series, points[i].ts_ns) == step; i++, together++)
			sum += points[i].gbps;
		while ((double)series->n < step) {
			if ((rc = add(series, NAN, status)) < 0)
				return rc;
		}
		if ((rc = add(series, sum / (double)together, status)) < 0)
			return rc;
	}
	return 0;
}

static int check_points(const struct kpi_point *points, size_t n, struct status *status) {
	for (size_t i = 0; i < n; i++) {
		if (!(fabs(points[i].gbps) <= MOST_VALUE))
			return status_set(status, STATUS_INVALID_ARGUMENT, "a value of %g", points[i].gbps);
	}
	for (size_t i = 1; i < n; i++) {
		if (points[i].ts_ns <= points[i - 1].ts_ns)
			return status_set(status, STATUS_INVALID_ARGUMENT,
			                  "two values at one time, or times that go back");
	}
	return 0;
}

// A measured spacing jitters; steps should not.
static double round_step(double seconds) {
	double unit = seconds >= 60 ? 60 : seconds >= 1 ? 1 : 1e-3;
	double rounded = round(seconds / unit) * unit;

	return fabs(rounded - seconds) < 0.05 * seconds ? rounded : seconds;
}

int lagged_from_points(const struct kpi_point *points, size_t n, double step_seconds,
                       struct lagged_series *ret, struct status *status) {
	struct lagged_series series;
	int rc;

	if ((rc = check_points(points, n, status)) < 0)
		return rc;
	if (step_seconds <= 0 && n > 1)
		step_seconds = round_step(series_spacing_seconds(points, n, WHOLE_SPAN));
	if (!(step_seconds > 0))
		step_seconds = 1;
	lagged_series_init(&series, points[0].ts_ns, step_seconds);
	if ((rc = add_points(&series, points, n, status)) < 0) {
		lagged_series_fini(&series);
		return rc;
	}

	*ret = series;
	return 0;
}

int lagged_continue(const struct lagged_series *series, const struct kpi_point *points, size_t n,
                    struct lagged_series *ret, size_t *ret_filled, struct status *status) {
	double first = step_of(series, points[0].ts_ns);
	bool joins = first < 2 * (double)series->n && first > 0;
	size_t kept = !joins ? 0 : first < (double)series->n ? (size_t)first : series->n;
	struct lagged_series joined;
	int rc;

	if ((rc = check_points(points, n, status)) < 0)
		return rc;
	lagged_series_init(&joined, joins ? series->start_ns : points[0].ts_ns, series->step_seconds);
	for (size_t t = 0; t < kept && rc == 0; t++)
		rc = add(&joined, series->known[t] || t == 0 ? series->values[t] : NAN, status);
	if (rc == 0)
		rc = add_points(&joined, points, n, status);
	if (rc < 0) {
		lagged_series_fini(&joined);
		return rc;
	}
	*ret_filled = joins && first > (double)series->n ? (size_t)first - series->n : 0;
	*ret = joined;
	return 0;
}

int lagged_join(const struct lagged_series *series, const struct lagged_series *newer,
                struct lagged_series *ret, size_t *ret_filled, struct status *status) {
	struct kpi_point *points = malloc(newer->n * sizeof(*points));
	size_t n = 0;
	int rc;

	if (points == NULL)
		return -ENOMEM;
	for (size_t t = 0; t < newer->n; t++) {
		if (newer->known[t])
			points[n++] = (struct kpi_point){lagged_time_ns(newer, t), newer->values[t]};
	}
	rc = lagged_continue(series, points, n, ret, ret_filled, status);
	free(points);
	return rc;
}
