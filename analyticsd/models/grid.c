// Points of any spacing, age and quality, and the grid that suits a window.
// SPDX-License-Identifier: MIT
#include "grid.h"

#include "clock.h"

#include <math.h>

#define DAY_SECONDS        86400.0
#define CURRENT_SECONDS    60
#define DEFAULT_RESOLUTION 300.0
#define SHORT_WINDOW       3600.0 // below, the resolution is a twelfth of the window
#define COARSE_FACTOR      4      // points this many times coarser than the steps end the history

enum {
	MOST_STEPS = 288,           // of a window
	MOST_RESOLUTIONS = 1 << 21, // in the history that is used
	DAYS_RESOLUTIONS = 1 << 17  // ... of it for the sake of day and week alone
};

double grid_resolution(const struct forecast_query *query) {
	double resolution = query->peak_resolution_seconds;

	if (resolution <= 0)
		resolution = query->window_seconds < SHORT_WINDOW ? query->window_seconds / 12
		                                                  : DEFAULT_RESOLUTION;
	return fmax(resolution, query->window_seconds / (MOST_RESOLUTIONS / 16.0));
}

double forecast_history_seconds(const struct forecast_query *query) {
	double least = query->history_ratio * query->window_seconds;
	double days = fmin(FORECAST_HISTORY_SECONDS, DAYS_RESOLUTIONS * grid_resolution(query));

	return query->strict_history ? least : fmax(least, days);
}

double grid_seconds(int64_t from_ns, int64_t to_ns) {
	return (double)(to_ns - from_ns) / (double)NS_PER_SECOND;
}

static bool is_usable(const struct kpi_point *point) {
	return isfinite(point->gbps) && point->gbps >= 0;
}

struct points grid_known(struct points points, const struct forecast_query *query) {
	double seconds = forecast_history_seconds(query);
	size_t first;

	while (points.n > 0 &&
	       (points.at[points.n - 1].ts_ns > query->now_ns || !is_usable(&points.at[points.n - 1])))
		points.n--;
	for (first = points.n; first > 0; first--) {
		const struct kpi_point *point = &points.at[first - 1];

		if (!is_usable(point) || grid_seconds(point->ts_ns, points.at[points.n - 1].ts_ns) >= seconds)
			break;
	}
	if (first == points.n && first > 0)
		first--;
	return first == 0 ? points : (struct points){points.at + first, points.n - first};
}

// A measured spacing jitters; the grid shouldn't.
static double round_spacing(double seconds) {
	static const double usual[] = {1,  2,   5,   10,  15,  20,   30,   60,
	                               90, 120, 300, 600, 900, 1800, 3600, DAY_SECONDS};

	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		if (fabs(seconds - usual[i]) < 0.05 * usual[i])
			return usual[i];
	}
	return seconds;
}

static bool divides(double part, double whole) {
	double times = whole / part;

	return fabs(times - round(times)) < 1e-6;
}

size_t grid_means_per_step(double resolution, double window) {
	size_t least = (size_t)fmax(ceil(window / resolution / MOST_STEPS - 1e-9), 1);

	if (!divides(resolution, DAY_SECONDS))
		return least;
	for (size_t n = least; (double)n * resolution <= DAY_SECONDS; n++) {
		if (divides((double)n * resolution, DAY_SECONDS))
			return n;
	}
	return least;
}

struct series_grid grid_choose(struct points points, const struct forecast_query *query) {
	double recent = query->history_ratio * query->window_seconds;
	double spacing = round_spacing(series_spacing_seconds(points.at, points.n, recent));
	struct series_grid grid = {.statistic = query->statistic};

	grid.resolution_seconds = grid_resolution(query);
	if (spacing > grid.resolution_seconds)
		grid.resolution_seconds = spacing;
	grid.per_step = grid_means_per_step(grid.resolution_seconds, query->window_seconds);
	return grid;
}

struct points grid_fine(struct points points, const struct series_grid *grid,
                        const struct forecast_query *query) {
	double enough = query->history_ratio * query->window_seconds / 2;
	double step = grid->resolution_seconds * (double)grid->per_step;
	int64_t end_ns = points.at[points.n - 1].ts_ns;

	for (size_t i = points.n; i > 1; i--) {
		double age = grid_seconds(points.at[i - 2].ts_ns, end_ns);

		if (age > MOST_RESOLUTIONS * grid->resolution_seconds ||
		    (age >= enough &&
		     series_interval_seconds(points.at, points.n, i - 2) > COARSE_FACTOR * step))
			return (struct points){points.at + i - 1, points.n - i + 1};
	}
	return points;
}

double grid_current(struct points points, int64_t now_ns) {
	double sum = 0, covered = 0;

	for (size_t i = points.n; i > 0; i--) {
		double age = grid_seconds(points.at[i - 1].ts_ns, now_ns);
		double interval = series_interval_seconds(points.at, points.n, i - 1);
		double part = fmin(interval, CURRENT_SECONDS - age);

		if (part <= 0)
			break;
		sum += points.at[i - 1].gbps * part;
		covered += part;
	}
	return covered > 0 ? sum / covered : points.at[points.n - 1].gbps;
}

// The first point after a time.
static size_t find_after(struct points points, int64_t ts_ns) {
	size_t low = 0, high = points.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (points.at[middle].ts_ns <= ts_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct points grid_between(struct points points, int64_t from_ns, int64_t to_ns) {
	size_t from = find_after(points, from_ns), to = find_after(points, to_ns);

	return (struct points){points.at + from, to - from};
}
