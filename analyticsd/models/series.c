// Samples onto a grid. What a sample covers is told by its distance to the one before; that this distance
// may be a gap (an outage, a restart, a link that was down) is told by the distances around it. A gap stays
// a gap: it is NAN here, never zero.
// SPDX-License-Identifier: MIT
#include "series.h"

#include "cleanup.h"
#include "clock.h"

#include <errno.h>
#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>

enum {
	NEIGHBOURS = 5, // distances whose median is the usual one
	PROBES = 256    // moments at which the spacing is looked up
};
#define LEAST_SHARE 0.499 // of a step that must be measured for it to be known
#define GAP_FACTOR  2.5   // a distance this many times the usual one is a gap

static double distance_seconds(const struct kpi_point *points, size_t i) {
	return (double)(points[i].ts_ns - points[i - 1].ts_ns) / (double)NS_PER_SECOND;
}

// Median of the distances around that of point i.
static double usual_seconds(const struct kpi_point *points, size_t n_points, size_t i) {
	size_t from = i > NEIGHBOURS / 2 ? i - NEIGHBOURS / 2 : 1;
	size_t to = i + NEIGHBOURS / 2 < n_points ? i + NEIGHBOURS / 2 : n_points - 1;
	double distances[NEIGHBOURS];
	size_t n = 0;

	for (size_t k = from; k <= to; k++)
		distances[n++] = distance_seconds(points, k);
	gsl_sort(distances, 1, n);
	return distances[(n - 1) / 2];
}

double series_interval_seconds(const struct kpi_point *points, size_t n_points, size_t i) {
	double usual, seconds;

	if (n_points < 2)
		return 0;
	if (i == 0)
		return usual_seconds(points, n_points, 1);
	seconds = distance_seconds(points, i);
	if (i > 1 && seconds <= distance_seconds(points, i - 1))
		return seconds;
	usual = usual_seconds(points, n_points, i);
	return seconds > GAP_FACTOR * usual ? usual : seconds;
}

// The first point at or after a time.
static size_t find_point(const struct kpi_point *points, size_t n_points, int64_t ts_ns) {
	size_t low = 0, high = n_points;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (points[middle].ts_ns < ts_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

double series_spacing_seconds(const struct kpi_point *points, size_t n_points, double seconds) {
	double found[PROBES];
	double available;
	size_t n = 0;

	if (n_points < 2)
		return 0;
	available = (double)(points[n_points - 1].ts_ns - points[0].ts_ns) / (double)NS_PER_SECOND;
	seconds = fmin(seconds, available);
	for (size_t k = 0; k < PROBES; k++) {
		double before = seconds * ((double)k + 0.5) / PROBES;
		int64_t ts_ns = points[n_points - 1].ts_ns - (int64_t)(before * (double)NS_PER_SECOND);
		size_t i = find_point(points, n_points, ts_ns);
		double interval = series_interval_seconds(points, n_points, i);

		if ((double)(points[i].ts_ns - ts_ns) <= interval * (double)NS_PER_SECOND)
			found[n++] = interval;
	}
	if (n == 0)
		return series_interval_seconds(points, n_points, n_points - 1);
	gsl_sort(found, 1, n);
	return found[n / 2];
}

// Time-weighted sums of the resolution-means, the last of which ends with the last point.
struct bins {
	double *sums;
	double *covered; // seconds
	size_t n;
};

static void bins_fini(struct bins *bins) {
	free(bins->sums);
	free(bins->covered);
}

static void add_point(struct bins *bins, double end, double interval, double gbps, double width) {
	// Positions count from the end, so that rounding never makes a bin too many there.
	double to = end / width, from = (end + interval) / width;
	size_t first = (size_t)to;

	for (size_t k = first; (double)k < from && k < bins->n; k++) {
		double overlap = fmin(from, (double)k + 1) - fmax(to, (double)k);

		bins->sums[bins->n - 1 - k] += gbps * overlap * width;
		bins->covered[bins->n - 1 - k] += overlap * width;
	}
}

static int bins_fill(struct bins *bins, const struct kpi_point *points, size_t n_points, double width) {
	int64_t end_ns = points[n_points - 1].ts_ns;
	double first = series_interval_seconds(points, n_points, 0);
	double span = (double)(end_ns - points[0].ts_ns) / (double)NS_PER_SECOND + first;

	bins->n = (size_t)fmax(ceil(span / width - 1e-6), 1);
	bins->sums = calloc(bins->n, sizeof(*bins->sums));
	bins->covered = calloc(bins->n, sizeof(*bins->covered));
	if (bins->sums == NULL || bins->covered == NULL)
		return -ENOMEM;
	if (n_points == 1) {
		add_point(bins, 0, width, points[0].gbps, width);
		return 0;
	}
	for (size_t i = 0; i < n_points; i++)
		add_point(bins, (double)(end_ns - points[i].ts_ns) / (double)NS_PER_SECOND,
		          series_interval_seconds(points, n_points, i), points[i].gbps, width);
	return 0;
}

// One step from those of its resolution-means that were measured for at least 'share' of their time.
static double fold(const struct bins *bins, size_t from, size_t n, double share,
                   const struct series_grid *grid) {
	double best = NAN, sum = 0, last = NAN;
	size_t known = 0;

	for (size_t k = from; k < from + n; k++) {
		double mean;

		if (bins->covered[k] <= share * grid->resolution_seconds)
			continue;
		mean = bins->sums[k] / bins->covered[k];
		best = fmax(best, mean);
		sum += mean;
		last = mean;
		known++;
	}
	if (known == 0 || (double)known < share * (double)n)
		return NAN;
	switch (grid->statistic) {
	case STATISTIC_PEAK:
		return best;
	case STATISTIC_LAST:
		return last;
	default:
		return sum / (double)known;
	}
}

// Returns how many steps are known.
static size_t fold_all(const struct series *series, const struct bins *bins, double share,
                       const struct series_grid *grid) {
	// What is less than one step counts as one; otherwise the oldest part of a step is left out.
	size_t width = bins->n < grid->per_step ? bins->n : grid->per_step;
	size_t skipped = bins->n - series->n * width;
	size_t n_known = 0;

	for (size_t i = 0; i < series->n; i++) {
		series->values[i] = fold(bins, skipped + i * width, width, share, grid);
		n_known += !isnan(series->values[i]);
	}
	return n_known;
}

int series_init(struct series *ret, const struct kpi_point *points, size_t n_points,
                const struct series_grid *grid) {
	CLEANUP(bins_fini) struct bins bins = {0};
	struct series series = {.end_ns = points[n_points - 1].ts_ns};
	int rc;

	if ((rc = bins_fill(&bins, points, n_points, grid->resolution_seconds)) < 0)
		return rc;
	series.step_seconds = grid->resolution_seconds * (double)grid->per_step;
	series.n = bins.n < grid->per_step ? 1 : bins.n / grid->per_step;
	series.values = calloc(series.n, sizeof(*series.values));
	if (series.values == NULL)
		return -ENOMEM;
	// A link that has been there for less than half a step is known by what there is.
	if (fold_all(&series, &bins, LEAST_SHARE, grid) == 0)
		fold_all(&series, &bins, 0, grid);

	*ret = series;
	return 0;
}

void series_fini(struct series *series) {
	free(series->values);
	series->values = NULL;
	series->n = 0;
}
