// Histories that are not as one would wish: gaps, resets, clocks that jump, spikes, and none of a season.
// SPDX-License-Identifier: MIT
#include "forecast_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

enum { DAY_STEPS = 288 };

static struct kpi_point points[FIXTURE_MOST];

static struct forecast ask(size_t n, const struct forecast_query *query) {
	struct forecast forecast;

	cr_assert_eq(forecast_compute(points, n, query, &forecast), 0);
	cr_assert(isfinite(forecast.value_gbps));
	cr_assert_geq(forecast.value_gbps, 0);
	return forecast;
}

static double mean_error(size_t n, struct forecast_query query, double (*truth)(int64_t ts_ns)) {
	struct forecast forecast;
	double sum = 0;

	query.series = true;
	forecast = ask(n, &query);
	for (size_t i = 0; i < forecast.n_series; i++)
		sum += fabs(forecast.series[i].median - truth(forecast.series[i].ts_ns)) /
		       (double)forecast.n_series;
	forecast_fini(&forecast);
	return sum;
}

static double working_day(int64_t ts_ns) {
	return 3 - 2 * cos(2 * M_PI * (double)ts_ns / 1e9 / 86400);
}

static size_t fill(size_t n, double (*value)(int64_t), uint64_t seed) {
	for (size_t i = 0; i < n; i++) {
		points[i].ts_ns = FIXTURE_NOW_NS - (int64_t)(n - 1 - i) * 300 * NS_PER_SECOND;
		points[i].gbps = fmax(value(points[i].ts_ns) + 0.2 * fixture_noise(&seed), 0);
	}
	return n;
}

// A counter reset or a restart leaves a sample out; a third of all are missing here, in ones and in runs.
Test(histories, samples_left_out_everywhere_do_not_move_the_forecast) {
	struct forecast_query query = fixture_query(86400);
	uint64_t state = 5;
	size_t n = 0;

	fill(20 * DAY_STEPS, working_day, 1);
	for (size_t i = 0; i < 20 * DAY_STEPS; i++) {
		bool in_run = i / 50 % 6 == 3;

		if (i + 1 == 20 * DAY_STEPS || (!in_run && fixture_noise(&state) > -0.6))
			points[n++] = points[i];
	}
	cr_assert_lt(n, 14 * DAY_STEPS);
	cr_assert_lt(mean_error(n, query, working_day), 0.25);
}

// Summer time: the busy hours of everybody come an hour earlier from a Sunday on, twelve days ago.
static double summer_time(int64_t ts_ns) {
	return working_day(ts_ns +
	                   (ts_ns > FIXTURE_NOW_NS - 12 * 86400 * NS_PER_SECOND ? 3600 * NS_PER_SECOND : 0));
}

Test(histories, the_day_of_daylight_saving_is_followed) {
	struct forecast_query query = fixture_query(86400);

	fill(24 * DAY_STEPS, summer_time, 2);
	cr_assert_lt(mean_error(24 * DAY_STEPS, query, summer_time), 0.3);
}

// FIXTURE_NOW_NS is 2004-03-01: the day before was the 29th of February.
Test(histories, a_leap_day_is_a_day) {
	struct forecast_query query = fixture_query(86400);

	fill(14 * DAY_STEPS, working_day, 3);
	cr_assert_eq(FIXTURE_NOW_NS, INT64_C(1078099200000000000));
	cr_assert_lt(mean_error(14 * DAY_STEPS, query, working_day), 0.2);
}

Test(histories, shorter_than_a_season_is_told_from_what_there_is) {
	struct forecast_query query = fixture_query(3600);

	for (size_t hours = 2; hours < 24; hours += 3) {
		struct forecast forecast;

		fill(hours * 12, working_day, 4);
		forecast = ask(hours * 12, &query);
		cr_assert_lt(forecast.value_gbps, 6, "%zu hours: %g", hours, forecast.value_gbps);
		cr_assert_gt(forecast.value_gbps, 0.5);
	}
}

Test(histories, seconds_without_any_season_stay_about_their_mean) {
	struct forecast_query query = fixture_query(60);
	uint64_t state = 11;
	struct forecast forecast;

	for (size_t i = 0; i < 7200; i++)
		points[i] = (struct kpi_point){FIXTURE_NOW_NS - (int64_t)(7199 - i) * NS_PER_SECOND,
		                               5 + 3 * fabs(fixture_noise(&state) * fixture_noise(&state))};
	query.statistic = STATISTIC_MEAN;
	query.quantile = 0.5;
	forecast = ask(7200, &query);
	cr_assert_float_eq(forecast.value_gbps, 5.75, 0.15);
	query.statistic = STATISTIC_PEAK;
	query.quantile = 0.95;
	query.peak_resolution_seconds = 1;
	forecast = ask(7200, &query);
	cr_assert_gt(forecast.value_gbps, 7);
	cr_assert_leq(forecast.value_gbps, 8.2);
}

static double nothing(int64_t ts_ns) {
	(void)ts_ns;
	return -1; // and the noise is cut at zero
}

Test(histories, all_zero_is_zero_whoever_answers) {
	static const char *const names[] = {"auto", "last",     "mean",   "drift",   "seasonal", "ets",
	                                    "ar",   "ar_first", "ar_day", "profile", "harmonic", "ridge"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct forecast_query query = fixture_query(86400);

		query.model = names[i];
		fill(20 * DAY_STEPS, nothing, 5);
		cr_assert_float_eq(ask(20 * DAY_STEPS, &query).value_gbps, 0, 0, "%s", names[i]);
	}
}

Test(histories, one_giant_spike_anywhere_is_not_the_new_scale) {
	static const size_t places[] = {1, 288, 2000, 4031 - 288, 4029};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct forecast_query query = fixture_query(3600);

		fill(14 * DAY_STEPS, working_day, 6);
		points[places[i]].gbps = 1e6;
		cr_assert_lt(mean_error(14 * DAY_STEPS, query, working_day), 0.5, "spike at %zu", places[i]);
		cr_assert_lt(ask(14 * DAY_STEPS, &query).value_gbps, 3);
	}
}

// Seasons of 1,440 steps and of 77, which no clock tells: found in the data.
Test(histories, a_season_that_no_clock_tells_is_used) {
	static const double periods[] = {1440, 77};

	for (size_t k = 0; k < 2; k++) {
		struct forecast_query query = fixture_query(600);
		uint64_t state = 7;
		struct forecast forecast;
		double error = 0;

		for (size_t i = 0; i < 8000; i++)
			points[i] = (struct kpi_point){
			        FIXTURE_NOW_NS - (int64_t)(7999 - i) * 5 * NS_PER_SECOND,
			        5 + 4 * sin(2 * M_PI * (double)i / periods[k]) + 0.2 * fixture_noise(&state)};
		query.peak_resolution_seconds = 5;
		query.series = true;
		forecast = ask(8000, &query);
		cr_assert_eq(forecast.n_series, 120);
		for (size_t h = 0; h < 120; h++)
			error += fabs(forecast.series[h].median -
			              (5 + 4 * sin(2 * M_PI * (double)(8000 + h) / periods[k]))) /
			         120;
		cr_assert_lt(error, 0.3, "period %g: %g", periods[k], error);
		forecast_fini(&forecast);
	}
}

// A day of seconds is 86,400 steps: two of them are enough to see the next minute coming, at no great cost.
Test(histories, a_season_of_86400_steps_is_used) {
	enum { SECONDS = 2 * 86400 + 7200 };
	struct kpi_point *seconds = calloc(SECONDS, sizeof(*seconds));
	struct forecast_query query = fixture_query(3600);
	uint64_t state = 9;
	struct forecast forecast;

	cr_assert_not_null(seconds);
	for (size_t i = 0; i < SECONDS; i++) {
		seconds[i].ts_ns = FIXTURE_NOW_NS - (int64_t)(SECONDS - 1 - i) * NS_PER_SECOND;
		seconds[i].gbps = working_day(seconds[i].ts_ns) + 0.2 * fixture_noise(&state);
	}
	query.model = "seasonal";
	query.peak_resolution_seconds = 13; // 276 steps; no whole part of a day
	query.series = true;
	cr_assert_eq(forecast_compute(seconds, SECONDS, &query, &forecast), 0);
	cr_assert_str_eq(forecast.model, "seasonal");
	for (size_t h = 0; h < forecast.n_series; h++)
		cr_assert_float_eq(forecast.series[h].median, working_day(forecast.series[h].ts_ns), 0.3);
	forecast_fini(&forecast);
	free(seconds);
}

// Bursts that no model can tell: nobody is worse than the two that need no fitting, on the backtest.
Test(histories, bursts_do_no_worse_than_last_and_seasonal) {
	for (uint64_t seed = 1; seed <= 6; seed++) {
		static const char *const names[] = {"auto", "last", "seasonal"};
		uint64_t state = seed;
		double mase[3];

		for (size_t i = 0; i < 14 * DAY_STEPS; i++)
			points[i] = (struct kpi_point){
			        FIXTURE_NOW_NS - (int64_t)(14 * DAY_STEPS - 1 - i) * 300 * NS_PER_SECOND,
			        fixture_noise(&state) > 0.97 ? 500 * pow(fixture_noise(&state), 4)
			                                     : 0.2 + 0.1 * fixture_noise(&state)};
		for (size_t i = 0; i < 3; i++) {
			struct forecast_query query = fixture_query(3600);

			query.model = names[i];
			mase[i] = ask(14 * DAY_STEPS, &query).backtest_mase;
		}
		cr_assert_leq(mase[0], mase[1]);
		cr_assert_leq(mase[0], mase[2]);
	}
}
