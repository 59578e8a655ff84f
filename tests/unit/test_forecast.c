// Forecasts of links whose past is known: every row of the specification's table of what others get wrong
// that the engine decides, and where its numbers come from.
// SPDX-License-Identifier: MIT
#include "forecast_fixture.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

static struct kpi_point points[FIXTURE_MOST];

static struct forecast ask(size_t n, const struct forecast_query *query) {
	struct forecast forecast;

	cr_assert_eq(forecast_compute(points, n, query, &forecast), 0);
	cr_assert(isfinite(forecast.value_gbps));
	cr_assert_geq(forecast.value_gbps, 0);
	return forecast;
}

// ---- what a public implementation of the same feature gets wrong

Test(forecast, no_history_at_all_is_the_current_use_and_says_so) {
	struct forecast_query query = fixture_query(3600);
	struct forecast forecast;

	query.fallback_gbps = 4.5;
	query.series = true;
	forecast = ask(0, &query);
	cr_assert_float_eq(forecast.value_gbps, 4.5, 0);
	cr_assert_float_eq(forecast.current_gbps, 4.5, 0);
	cr_assert_str_eq(forecast.fallback_reason, "no history");
	cr_assert(isnan(forecast.staleness_seconds));
	cr_assert_eq(forecast.samples, 0);
	cr_assert_eq(forecast.n_series, 12);
	cr_assert_float_eq(forecast.series[11].upper, 4.5, 0);
	forecast_fini(&forecast);
}

Test(forecast, one_sample_is_a_number) {
	struct forecast_query query = fixture_query(3600);
	struct forecast forecast;

	fixture_constant(points, 1, 300, 2.5);
	forecast = ask(1, &query);
	cr_assert_float_eq(forecast.value_gbps, 2.5, 1e-12);
	cr_assert_float_eq(forecast.current_gbps, 2.5, 1e-12);
	cr_assert_eq(forecast.samples, 1);
	cr_assert_neq(forecast.fallback_reason[0], '\0');
	cr_assert_eq(forecast.calibration_windows, 0);
	cr_assert(isnan(forecast.coverage));
}

Test(forecast, two_samples_are_a_number_at_least_as_high_as_both) {
	struct forecast_query query = fixture_query(3600);
	struct forecast forecast;

	fixture_constant(points, 2, 300, 2.5);
	points[0].gbps = 2;
	forecast = ask(2, &query);
	cr_assert_geq(forecast.value_gbps, 2.5);
	cr_assert_lt(forecast.value_gbps, 5);
}

Test(forecast, every_short_history_has_an_answer_for_every_window) {
	static const double windows[] = {0.5, 60, 3600, 86400, 604800, 3e7, 1e9};

	for (size_t n = 1; n < 40; n++) {
		for (size_t w = 0; w < sizeof(windows) / sizeof(windows[0]); w++) {
			struct forecast_query query = fixture_query(windows[w]);
			struct forecast forecast;

			query.series = true;
			fixture_link(points, n, 300, n);
			forecast = ask(n, &query);
			cr_assert_gt(forecast.n_series, 0);
			cr_assert_leq(forecast.n_series, 2016);
			forecast_fini(&forecast);
		}
	}
}

Test(forecast, a_link_that_was_connected_seconds_ago_has_an_answer) {
	for (size_t n = 1; n < 400; n = 2 * n + 1) {
		struct forecast_query query = fixture_query(3600);
		struct forecast forecast;

		fixture_constant(points, n, 1, 3.7);
		forecast = ask(n, &query);
		cr_assert_float_eq(forecast.value_gbps, 3.7, 1e-9, "%zu s give %g", n, forecast.value_gbps);
	}
}

Test(forecast, a_constant_link_stays_what_it_is) {
	for (size_t n = 3; n < 5000; n = 3 * n + 1) {
		struct forecast_query query = fixture_query(3600);
		struct forecast forecast;

		fixture_constant(points, n, 300, 3.7);
		forecast = ask(n, &query);
		cr_assert_float_eq(forecast.value_gbps, 3.7, 1e-9, "%zu samples give %g", n,
		                   forecast.value_gbps);
	}
}

Test(forecast, an_idle_link_is_empty_not_full) {
	static const char *const names[] = {"auto", "last", "mean", "seasonal", "harmonic", "ridge"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct forecast_query query = fixture_query(86400);
		struct forecast forecast;

		query.model = names[i];
		query.series = true;
		fixture_constant(points, 4032, 300, 0);
		forecast = ask(4032, &query);
		cr_assert_float_eq(forecast.value_gbps, 0, 0, "%s", names[i]);
		cr_assert_float_eq(forecast.current_gbps, 0, 0);
		cr_assert_float_eq(forecast.series[100].upper, 0, 0);
		cr_assert_str_empty(forecast.fallback_reason, "%s", forecast.fallback_reason);
		forecast_fini(&forecast);
	}
}

Test(forecast, is_not_cut_at_what_was_seen) {
	struct forecast_query query = fixture_query(86400);
	struct forecast forecast;

	for (size_t i = 0; i < 4032; i++) { // doubles in two weeks
		points[i].ts_ns = FIXTURE_NOW_NS - (int64_t)(4031 - i) * 300 * NS_PER_SECOND;
		points[i].gbps = 5 + 5 * (double)i / 4031;
	}
	forecast = ask(4032, &query);
	cr_assert_gt(forecast.value_gbps, 10.1);
	cr_assert_lt(forecast.value_gbps, 12);
}

Test(forecast, nan_and_negative_samples_do_no_harm_if_they_get_here) {
	struct forecast_query query = fixture_query(3600);
	struct forecast forecast;

	fixture_link(points, 4032, 300, 1);
	points[4031].gbps = NAN;
	points[4030].gbps = -5;
	points[100].gbps = INFINITY;
	forecast = ask(4032, &query);
	cr_assert_lt(forecast.value_gbps, 10);
	cr_assert_eq(forecast.history_to_ns, points[4029].ts_ns);
}

Test(forecast, history_that_ended_long_ago_is_used_and_its_staleness_told) {
	static const int64_t days[] = {1, 3, 30, 400};

	for (size_t i = 0; i < sizeof(days) / sizeof(days[0]); i++) {
		struct forecast_query query = fixture_query(86400);
		struct forecast forecast;

		fixture_link(points, 4032, 300, 1);
		query.now_ns = query.start_ns = FIXTURE_NOW_NS + days[i] * 86400 * NS_PER_SECOND;
		forecast = ask(4032, &query);
		cr_assert_eq(forecast.samples, 4032);
		cr_assert_eq(forecast.history_to_ns, FIXTURE_NOW_NS);
		cr_assert_float_eq(forecast.staleness_seconds, (double)days[i] * 86400, 1e-6);
		cr_assert_gt(forecast.value_gbps, 3);
		cr_assert_lt(forecast.value_gbps, 10, "after %ld days %g", (long)days[i],
		             forecast.value_gbps);
	}
}

Test(forecast, stale_history_is_carried_on_to_the_right_time_of_day) {
	struct forecast_query query = fixture_query(3600);
	struct forecast night, noon;

	// It ended at midnight; a day and 0 or 12 hours later, at the weekend, there is 1.1 or 3.5.
	fixture_link(points, 4032, 300, 1);
	query.now_ns = query.start_ns = FIXTURE_NOW_NS + 86400 * NS_PER_SECOND;
	query.statistic = STATISTIC_MEAN;
	query.quantile = 0.5;
	night = ask(4032, &query);
	query.now_ns = query.start_ns += 43200 * NS_PER_SECOND;
	noon = ask(4032, &query);
	cr_assert_lt(night.value_gbps, 1.8, "%g", night.value_gbps);
	cr_assert_gt(noon.value_gbps, 2.8, "%g", noon.value_gbps);
}

Test(forecast, samples_after_now_change_nothing) {
	static const char *const names[] = {"auto", "seasonal", "harmonic"};

	for (size_t i = 0; i < 3; i++) {
		struct forecast_query query = fixture_query(86400);
		struct forecast with, without;

		fixture_link(points, 4032, 300, 1);
		query.model = names[i];
		query.now_ns = query.start_ns = points[3500].ts_ns;
		without = ask(3501, &query);
		for (size_t k = 3501; k < 4032; k++)
			points[k].gbps = 1e3;
		with = ask(4032, &query);
		cr_assert_float_eq(with.value_gbps, without.value_gbps, 0);
		cr_assert_float_eq(with.current_gbps, without.current_gbps, 0);
		cr_assert_float_eq(with.backtest_mase, without.backtest_mase, 0);
		cr_assert_eq(with.history_to_ns, query.now_ns);
		cr_assert_eq(with.samples, without.samples);
	}
}

Test(forecast, speaks_of_what_comes_after_the_start_up_to_and_including_the_end) {
	struct forecast_query query = fixture_query(5400);
	struct forecast forecast;

	fixture_link(points, 4032, 300, 1);
	query.start_ns += 7200 * NS_PER_SECOND;
	query.series = true;
	forecast = ask(4032, &query);
	cr_assert_eq(forecast.n_series, 18);
	cr_assert_eq(forecast.series[0].ts_ns, query.start_ns + 300 * NS_PER_SECOND);
	cr_assert_eq(forecast.series[17].ts_ns, query.start_ns + 5400 * NS_PER_SECOND);
	forecast_fini(&forecast);
}

// ---- the numbers

Test(forecast, a_working_link_is_told_within_its_noise) {
	struct forecast_query query = fixture_query(86400);
	struct forecast forecast;

	fixture_link(points, 4032, 300, 1); // 5.5 at noon, noise 0.3
	forecast = ask(4032, &query);
	cr_assert_gt(forecast.value_gbps, 5.6, "%g", forecast.value_gbps);
	cr_assert_lt(forecast.value_gbps, 6.8, "%g", forecast.value_gbps);
	cr_assert_lt(forecast.backtest_mase, 1);
	cr_assert_eq(forecast.samples, 4032);
	cr_assert_float_eq(forecast.step_seconds, 300, 0);
	cr_assert_float_eq(forecast.peak_resolution_seconds, 300, 0);
	cr_assert_str_empty(forecast.fallback_reason);
}

Test(forecast, auto_is_never_worse_than_seasonal_or_last_on_its_own_backtest) {
	for (uint64_t seed = 1; seed <= 8; seed++) {
		static const char *const names[] = {"auto", "seasonal", "last"};
		double mase[3];

		for (size_t i = 0; i < 3; i++) {
			struct forecast_query query = fixture_query(seed % 2 == 0 ? 3600 : 86400);
			struct forecast forecast;

			query.model = names[i];
			fixture_link(points, 3000, 300, seed);
			forecast = ask(3000, &query);
			mase[i] = forecast.backtest_mase;
			cr_assert_str_empty(forecast.fallback_reason);
		}
		cr_assert_leq(mase[0], mase[1]);
		cr_assert_leq(mase[0], mase[2]);
	}
}

static void random_walk(size_t n, uint64_t seed) {
	double walk = 100;

	for (size_t i = 0; i < n; i++) {
		points[i].ts_ns = FIXTURE_NOW_NS - (int64_t)(n - 1 - i) * 300 * NS_PER_SECOND;
		points[i].gbps = walk += fixture_noise(&seed);
	}
}

Test(forecast, auto_is_never_worse_than_last_where_nothing_can_be_learnt) {
	for (uint64_t seed = 1; seed <= 12; seed++) {
		struct forecast_query query = fixture_query(21600);
		struct forecast chosen, last;

		random_walk(1000, seed);
		chosen = ask(1000, &query);
		query.model = "last";
		last = ask(1000, &query);
		cr_assert_leq(chosen.backtest_mase, last.backtest_mase, "walk %lu: %s %g, last %g",
		              (unsigned long)seed, chosen.model, chosen.backtest_mase, last.backtest_mase);
	}
}

Test(forecast, a_window_longer_than_the_history_gets_a_wider_answer_and_no_windows_to_show) {
	struct forecast_query query = fixture_query(3600);
	struct forecast near, far;

	random_walk(48, 2);
	query.model = "last";
	near = ask(48, &query);
	query.window_seconds = 86400;
	far = ask(48, &query);
	cr_assert_gt(far.value_gbps - far.current_gbps, 2 * (near.value_gbps - near.current_gbps));
	cr_assert_gt(near.calibration_windows, 0);
	cr_assert_eq(far.calibration_windows, 0);
}

Test(forecast, peak_is_above_mean) {
	struct forecast_query query = fixture_query(86400);
	struct forecast peak, mean;

	fixture_link(points, 4032, 300, 1);
	peak = ask(4032, &query);
	query.statistic = STATISTIC_MEAN;
	mean = ask(4032, &query);
	cr_assert_gt(peak.value_gbps, mean.value_gbps + 1);
	cr_assert_gt(mean.value_gbps, 3.0);
	cr_assert_lt(mean.value_gbps, 4.2);
}

Test(forecast, last_is_the_use_at_the_end_of_the_window) {
	struct forecast_query query = fixture_query(43200);
	struct forecast noon, midnight;

	fixture_link(points, 4032, 300, 1); // ends at midnight
	query.statistic = STATISTIC_LAST;
	query.quantile = 0.5;
	noon = ask(4032, &query);
	query.window_seconds = 86400;
	midnight = ask(4032, &query);
	cr_assert_gt(noon.value_gbps, 4.5);
	cr_assert_lt(midnight.value_gbps, 2.5);
}

Test(forecast, the_band_belongs_to_the_peak_whatever_statistic_is_asked_for) {
	struct forecast_query query = fixture_query(86400);
	struct forecast peak, mean;

	fixture_link(points, 4032, 300, 1);
	query.series = true;
	peak = ask(4032, &query);
	query.statistic = STATISTIC_MEAN;
	mean = ask(4032, &query);
	cr_assert_eq(mean.n_series, peak.n_series);
	for (size_t i = 0; i < peak.n_series; i++)
		cr_assert_float_eq(mean.series[i].upper, peak.series[i].upper, 0);
	forecast_fini(&peak);
	forecast_fini(&mean);
}

Test(forecast, one_giant_spike_does_not_wreck_it) {
	static const double windows[] = {3600, 86400};

	for (size_t w = 0; w < 2; w++) {
		struct forecast_query query = fixture_query(windows[w]);
		struct forecast with, without;

		fixture_link(points, 4032, 300, 1);
		without = ask(4032, &query);
		points[2500].gbps = 1e5;
		with = ask(4032, &query);
		cr_assert_float_eq(with.value_gbps, without.value_gbps, 0.2 * without.value_gbps,
		                   "window %g: %g, without the spike %g", windows[w], with.value_gbps,
		                   without.value_gbps);
	}
}

Test(forecast, an_outage_is_not_taken_for_zero_traffic) {
	struct forecast_query query = fixture_query(86400);
	struct forecast with, without;
	size_t n = 0;

	query.statistic = STATISTIC_MEAN;
	query.quantile = 0.5;
	fixture_link(points, 4032, 300, 1);
	without = ask(4032, &query);
	for (size_t i = 0; i < 4032; i++) { // a day and a half of down-time, left out of history
		if (i < 3000 || i >= 3432)
			points[n++] = points[i];
	}
	with = ask(n, &query);
	cr_assert_float_eq(with.value_gbps, without.value_gbps, 0.15 * without.value_gbps, "%g, was %g",
	                   with.value_gbps, without.value_gbps);
}

Test(forecast, calibration_counts_windows_that_do_not_overlap) {
	struct forecast_query query = fixture_query(86400);
	struct forecast forecast;

	fixture_link(points, 4032, 300, 1);
	forecast = ask(4032, &query);
	cr_assert_gt(forecast.calibration_windows, 6);
	cr_assert_leq(forecast.calibration_windows, 9);
	cr_assert(isnan(forecast.coverage), "%zu windows are too few to tell", forecast.calibration_windows);
	query.window_seconds = 3600;
	forecast = ask(4032, &query);
	cr_assert_geq(forecast.calibration_windows, 100);
	cr_assert_float_eq(forecast.coverage, 0.95, 0.04);
}

// ---- grid, history, fallbacks

Test(forecast, resolution_is_300_s_or_a_twelfth_and_never_finer_than_the_history) {
	static const struct {
		double window;
		int seconds;
		double resolution;
	} cases[] = {{86400, 300, 300}, {600, 1, 50}, {600, 300, 300}, {3600, 60, 300}, {86400, 3600, 3600}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct forecast_query query = fixture_query(cases[i].window);
		struct forecast forecast;

		fixture_link(points, 2000, cases[i].seconds, 1);
		forecast = ask(2000, &query);
		cr_assert_float_eq(forecast.peak_resolution_seconds, cases[i].resolution, 1e-9,
		                   "case %zu: %g", i, forecast.peak_resolution_seconds);
	}
}

Test(forecast, long_windows_get_coarser_steps_and_keep_the_resolution_of_the_peak) {
	struct forecast_query query = fixture_query(7 * 86400);
	struct forecast forecast;

	fixture_link(points, 12000, 300, 1);
	query.series = true;
	forecast = ask(12000, &query);
	cr_assert_float_eq(forecast.peak_resolution_seconds, 300, 0);
	cr_assert_gt(forecast.step_seconds, 300);
	cr_assert_float_eq(fmod(86400, forecast.step_seconds), 0, 0, "a step divides the day");
	cr_assert_leq(forecast.n_series, 288);
	cr_assert_gt(forecast.value_gbps, 5.6);
	cr_assert_lt(forecast.value_gbps, 7);
	forecast_fini(&forecast);
}

Test(forecast, uses_four_weeks_or_ten_windows_and_strictly_ten_when_told) {
	struct forecast_query query = fixture_query(3600);
	struct forecast forecast;

	fixture_link(points, 12000, 300, 1);
	cr_assert_float_eq(forecast_history_seconds(&query), 28 * 86400, 0);
	forecast = ask(12000, &query);
	cr_assert_eq(forecast.samples, 8064);
	query.strict_history = true;
	cr_assert_float_eq(forecast_history_seconds(&query), 36000, 0);
	forecast = ask(12000, &query);
	cr_assert_eq(forecast.samples, 120);
	query.strict_history = false;
	query.window_seconds = 86400 * 30;
	cr_assert_float_eq(forecast_history_seconds(&query), 86400.0 * 300, 0);
}

Test(forecast, a_model_without_enough_history_says_so_and_another_answers) {
	struct forecast_query query = fixture_query(3600);
	struct forecast forecast;

	fixture_link(points, 100, 300, 1);
	query.model = "harmonic";
	forecast = ask(100, &query);
	cr_assert_str_neq(forecast.model, "harmonic");
	cr_assert(strstr(forecast.fallback_reason, "harmonic") != NULL, "%s", forecast.fallback_reason);
	fixture_link(points, 4032, 300, 1);
	forecast = ask(4032, &query);
	cr_assert_str_eq(forecast.model, "harmonic");
	cr_assert_str_empty(forecast.fallback_reason);
}

Test(forecast, an_unknown_model_is_refused) {
	struct forecast_query query = fixture_query(3600);
	struct forecast forecast = {.value_gbps = 7};

	query.model = "oracle";
	cr_assert_eq(forecast_compute(points, 0, &query, &forecast), -EINVAL);
	cr_assert_float_eq(forecast.value_gbps, 7, 0, "'ret' was touched");
}

Test(forecast, current_use_is_the_mean_of_the_last_minute) {
	struct forecast_query query = fixture_query(60);
	struct forecast forecast;

	fixture_constant(points, 200, 1, 1);
	for (size_t i = 140; i < 200; i++)
		points[i].gbps = i < 170 ? 2 : 4;
	forecast = ask(200, &query);
	cr_assert_float_eq(forecast.current_gbps, 3, 1e-9);
	query.now_ns = query.start_ns = FIXTURE_NOW_NS + 3600 * NS_PER_SECOND;
	forecast = ask(200, &query);
	cr_assert_float_eq(forecast.current_gbps, 4, 1e-9, "no sample in the last minute: the last one");
}

Test(forecast, coarse_history_and_live_samples_go_together) {
	struct forecast_query query = fixture_query(21600);
	struct forecast forecast;
	uint64_t state = 5;
	size_t n = fixture_link(points, 2880, 300, 1);

	for (int second = 1; second <= 600; second++, n++) { // then ten minutes live, at 1 Hz
		points[n].ts_ns = FIXTURE_NOW_NS + second * NS_PER_SECOND;
		points[n].gbps = fixture_load(points[n].ts_ns, &state);
	}
	query.now_ns = query.start_ns = points[n - 1].ts_ns;
	forecast = ask(n, &query);
	cr_assert_float_eq(forecast.peak_resolution_seconds, 300, 0);
	cr_assert_eq(forecast.samples, n);
	cr_assert_gt(forecast.value_gbps, 3);
	cr_assert_lt(forecast.value_gbps, 7);
}

Test(forecast, stays_valid_for_a_tenth_of_its_step) {
	cr_assert_float_eq(forecast_max_age_seconds(&(struct forecast){.step_seconds = 300}), 30, 0);
	cr_assert_float_eq(forecast_max_age_seconds(&(struct forecast){.step_seconds = 5}), 1, 0);
}
