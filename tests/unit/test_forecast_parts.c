// The parts below a forecast: samples onto steps, gaps and spikes, seasons, quantiles of few errors.
// SPDX-License-Identifier: MIT
#include "conformal.h"
#include "season.h"

#include "forecast_fixture.h"

#include <criterion/criterion.h>

static struct kpi_point points[FIXTURE_MOST];

static struct series series_of(size_t n, double resolution, size_t per_step, enum statistics statistic) {
	struct series_grid grid = {resolution, per_step, statistic};
	struct series series;

	cr_assert_eq(series_init(&series, points, n, &grid), 0);
	return series;
}

static size_t add(size_t n, double seconds, double gbps) {
	points[n] = (struct kpi_point){FIXTURE_NOW_NS + (int64_t)(seconds * 1e9), gbps};
	return n + 1;
}

Test(series, points_of_any_spacing_count_for_the_time_they_cover) {
	struct series series;
	size_t n = 0;

	// Twenty minutes at 6, then 100 s of 1 Hz at 3 and 200 s at 9: the last step is 7.
	for (int i = -3; i <= 0; i++)
		n = add(n, 300 * i, 6);
	for (int second = 1; second <= 300; second++)
		n = add(n, second, second <= 100 ? 3 : 9);
	series = series_of(n, 300, 1, STATISTIC_MEAN);
	cr_assert_eq(series.n, 5);
	cr_assert_float_eq(series.values[3], 6, 1e-9);
	cr_assert_float_eq(series.values[4], 7, 1e-9);
	cr_assert_eq(series.end_ns, FIXTURE_NOW_NS + 300 * NS_PER_SECOND);
	series_fini(&series);
}

Test(series, a_gap_stays_a_gap) {
	struct series series;
	size_t n = 0;

	for (int second = 1; second <= 60; second++)
		n = add(n, second, 1);
	for (int second = 121; second <= 180; second++)
		n = add(n, second, 3);
	series = series_of(n, 10, 1, STATISTIC_MEAN);
	cr_assert_eq(series.n, 18);
	for (size_t i = 0; i < 18; i++) {
		if (i < 6 || i >= 12)
			cr_assert_float_eq(series.values[i], i < 6 ? 1 : 3, 1e-9, "step %zu", i);
		else
			cr_assert(isnan(series.values[i]), "step %zu is %g", i, series.values[i]);
	}
	series_fini(&series);
}

Test(series, a_step_holds_the_peak_the_mean_or_the_last_of_its_means) {
	static const double expected[] = {[STATISTIC_PEAK] = 5, [STATISTIC_MEAN] = 3, [STATISTIC_LAST] = 2};

	for (int statistic = 0; statistic < N_statistics; statistic++) {
		struct series series;
		size_t n = 0;

		n = add(n, 300, 2);
		n = add(n, 600, 5);
		n = add(n, 900, 2);
		series = series_of(n, 300, 3, (enum statistics)statistic);
		cr_assert_eq(series.n, 1);
		cr_assert_float_eq(series.values[0], expected[statistic], 1e-9, "statistic %d", statistic);
		series_fini(&series);
	}
}

Test(series, the_spacing_is_that_of_most_of_the_time) {
	size_t n = 0;

	for (int i = 0; i < 100; i++)
		n = add(n, 300 * i, 1);
	for (int i = 1; i <= 300; i++)
		n = add(n, 29700 + i, 1);
	cr_assert_float_eq(series_spacing_seconds(points, n, 30000), 300, 1e-9);
	cr_assert_float_eq(series_spacing_seconds(points, n, 300), 1, 1e-9);
	cr_assert_float_eq(series_spacing_seconds(points, 1, 300), 0, 0);
}

static struct past past_of_link(size_t n, int seconds) {
	struct series series = series_of(n, seconds, 1, STATISTIC_PEAK);
	struct past past;

	cr_assert_eq(past_init(&past, &series), 0);
	series_fini(&series);
	return past;
}

Test(past, an_outage_takes_the_shape_of_the_day_before_and_is_not_known) {
	size_t n = fixture_link(points, 1440, 300, 1), kept = 0;
	double before;
	struct past past;

	for (size_t i = 0; i < n; i++) {
		if (i < 1000 || i >= 1100)
			points[kept++] = points[i];
	}
	past = past_of_link(kept, 300);
	cr_assert_eq(past.n, 1440);
	cr_assert_eq(past.n_known, 1340);
	before = past.values[1050 - 288];
	cr_assert_float_eq(past.values[1050], before, 1e-12);
	cr_assert_not(past.known[1050]);
	past_fini(&past);
}

Test(past, a_single_giant_spike_is_left_out_and_a_burst_that_came_twice_is_not) {
	size_t n = fixture_link(points, 1000, 300, 1);
	struct past past;

	points[500].gbps = 5000;
	past = past_of_link(n, 300);
	cr_assert_lt(past_gbps(&past, past.highest), 10);
	cr_assert_not(past.known[500]);
	cr_assert_eq(past.n_known, 999);
	past_fini(&past);

	points[700].gbps = 5000;
	past = past_of_link(n, 300);
	cr_assert_float_eq(past_gbps(&past, past.highest), 5000, 1e-6);
	past_fini(&past);
}

Test(past, what_just_rose_is_not_called_a_spike) {
	size_t n = fixture_link(points, 1000, 300, 1);
	struct past past;

	points[999].gbps = 5000;
	past = past_of_link(n, 300);
	cr_assert_float_eq(past_gbps(&past, past.values[999]), 5000, 1e-6);
	past_fini(&past);
}

Test(season, day_and_week_show_when_the_history_is_longer_than_they) {
	struct past past;

	fixture_link(points, 4032, 300, 1);
	past = past_of_link(4032, 300);
	cr_assert_float_eq(past.season.day, 288, 1e-9);
	cr_assert_float_eq(past.season.week, 2016, 1e-9);
	past_fini(&past);
	fixture_link(points, 200, 300, 1);
	past = past_of_link(200, 300);
	cr_assert_float_eq(past.season.day, 0, 0);
	past_fini(&past);
}

Test(season, another_period_is_found) {
	uint64_t state = 3;
	struct past past;

	for (int i = 0; i < 1200; i++)
		add((size_t)i, i, 5 + 2 * sin(2 * M_PI * i / 90.5) + 0.5 * fixture_noise(&state));
	past = past_of_link(1200, 1);
	cr_assert_float_eq(past.season.found, 90.5, 1.5, "found %g", past.season.found);
	past_fini(&past);
}

Test(season, none_is_found_in_noise) {
	uint64_t state = 3;
	struct past past;

	for (int i = 0; i < 1200; i++)
		add((size_t)i, i, 5 + fixture_noise(&state));
	past = past_of_link(1200, 1);
	cr_assert_float_eq(past.season.found, 0, 0, "found %g", past.season.found);
	past_fini(&past);
}

static struct conformal_errors errors_of(double *values, size_t n) {
	for (size_t i = 0; i < n; i++)
		values[i] = (double)((i * 37) % n + 1); // 1 to n in some order
	return (struct conformal_errors){.values = values, .n = n, .independent = (double)n};
}

Test(conformal, nineteen_windows_are_just_enough_for_0_95) {
	double values[200], quantile;
	struct conformal_errors errors = errors_of(values, 19);

	cr_assert_eq(conformal_quantile(&errors, NULL, 0.95, &quantile), 0);
	cr_assert_float_eq(quantile, 19, 0);
	errors = errors_of(values, 99);
	cr_assert_eq(conformal_quantile(&errors, NULL, 0.95, &quantile), 0);
	cr_assert_float_eq(quantile, 95, 0);
	cr_assert_eq(conformal_quantile(&errors, NULL, 0.99, &quantile), 0);
	cr_assert_float_eq(quantile, 99, 0);
}

Test(conformal, fewer_windows_get_a_tail_beyond_what_was_seen) {
	double values[200], quantile;
	struct conformal_errors errors = errors_of(values, 6);

	cr_assert_eq(conformal_quantile(&errors, NULL, 0.95, &quantile), 0);
	cr_assert_gt(quantile, 6);
	cr_assert_lt(quantile, 20);
	errors = errors_of(values, 96);
	errors.independent = 6; // overlapping windows are not more evidence
	cr_assert_eq(conformal_quantile(&errors, NULL, 0.95, &quantile), 0);
	cr_assert_gt(quantile, 96);
}

// Two links, the second ten times the first: each error over the spread of the others of its own link is the same.
Test(conformal, other_links_lend_their_errors) {
	double values[200], tenfold[200], own[] = {1, -1, 1, -1, 1, -1}, quantile, alone;
	struct conformal_errors few = {.values = own, .n = 6, .independent = 6};
	struct conformal_errors errors = errors_of(values, 40);
	struct conformal_pool pool = {0};

	cr_assert_eq(conformal_quantile(&few, &pool, 0.95, &alone), 0);
	cr_assert_gt(alone, 1, "an empty pool lends nothing");
	cr_assert_eq(conformal_pool_add(&pool, &errors), 0);
	for (int i = 0; i < 40; i++)
		tenfold[i] = 10 * values[i];
	errors.values = tenfold;
	cr_assert_eq(conformal_pool_add(&pool, &errors), 0);
	conformal_pool_sort(&pool);
	cr_assert_eq(pool.n, 80);
	cr_assert_float_eq(pool.independent, 80, 1e-9);
	for (int i = 0; i < 80; i += 2)
		cr_assert_float_eq(pool.values[i], pool.values[i + 1], 1e-9);
	// Rank 77 of 80: 39 over the root mean square of the 39 others, times that of the six, 1.
	cr_assert_eq(conformal_quantile(&few, &pool, 0.95, &quantile), 0);
	cr_assert_float_eq(quantile, 39 / sqrt((40.0 * 41 * 81 / 6 - 39 * 39) / 39), 1e-9);
	conformal_pool_fini(&pool);
}

Test(conformal, links_without_errors_lend_nothing) {
	double zeros[30] = {0};
	struct conformal_errors errors = {.values = zeros, .n = 30, .independent = 30};
	struct conformal_pool pool = {0};

	cr_assert_eq(conformal_pool_add(&pool, &errors), 0);
	cr_assert_eq(pool.n, 0);
	cr_assert_float_eq(pool.independent, 0, 0);
	conformal_pool_fini(&pool);
}

Test(conformal, coverage_is_measured_on_windows_left_out_and_only_with_enough_of_them) {
	double values[200], coverage;
	struct conformal_errors errors = errors_of(values, 100);

	cr_assert_eq(conformal_coverage(&errors, 0.95, &coverage), 0);
	cr_assert_float_eq(coverage, 0.95, 0.011);
	errors = errors_of(values, 18);
	cr_assert_eq(conformal_coverage(&errors, 0.95, &coverage), 0);
	cr_assert(isnan(coverage));
}
