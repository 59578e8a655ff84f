// What a link taught is kept, continued and lent: forecasts that learn on.
// SPDX-License-Identifier: MIT
#include "forecast_fixture.h"

#include <criterion/criterion.h>
#include <string.h>

enum { DAYS = 20, STEPS = DAYS * 288, AGAIN = 24 };

static struct kpi_point points[FIXTURE_MOST];

static struct forecast_query query_at(size_t n, double window_seconds) {
	struct forecast_query query = fixture_query(window_seconds);

	query.now_ns = query.start_ns = points[n - 1].ts_ns;
	return query;
}

static struct forecast answer(const struct forecast_state *state, const struct forecast_query *query,
                              const struct forecast_pool *pool) {
	struct forecast forecast;

	cr_assert_eq(forecast_answer(state, query, pool, &forecast), 0);
	return forecast;
}

static void learn(struct forecast_state **state, size_t n, const struct forecast_query *query) {
	cr_assert_eq(forecast_learn(state, points, n, query), 0);
}

Test(forecast_state, one_state_answers_every_quantile_as_a_new_forecast_would) {
	static const double quantiles[] = {0.5, 0.9, 0.95, 0.99};
	struct forecast_state *state = NULL;

	fixture_link(points, STEPS, 300, 3);
	for (size_t i = 0; i < 4; i++) {
		struct forecast_query query = query_at(STEPS, 3600);
		struct forecast kept, fresh;

		query.quantile = quantiles[i];
		if (i == 0)
			learn(&state, STEPS, &query);
		kept = answer(state, &query, NULL);
		cr_assert_eq(forecast_compute(points, STEPS, &query, &fresh), 0);
		cr_assert_float_eq(kept.value_gbps, fresh.value_gbps, 0);
		cr_assert_eq(kept.calibration_windows, fresh.calibration_windows);
	}
	forecast_state_free(state);
}

// Each hour one more hour is there: what is said stays as good as that of a forecast from the beginning.
Test(forecast_state, learning_on_is_about_as_good_as_beginning_again) {
	struct forecast_state *state = NULL;
	double error = 0, fresh_error = 0;
	size_t n_windows = 0;

	fixture_link(points, STEPS, 300, 5);
	for (size_t n = STEPS - 12 * AGAIN; n + 12 <= STEPS; n += 12) {
		struct forecast_query query = query_at(n, 3600);
		struct forecast kept, fresh;

		query.series = true;
		learn(&state, n, &query);
		kept = answer(state, &query, NULL);
		cr_assert_eq(forecast_compute(points, n, &query, &fresh), 0);
		for (size_t h = 0; h < 12; h++) {
			error += fabs(kept.series[h].median - points[n + h].gbps);
			fresh_error += fabs(fresh.series[h].median - points[n + h].gbps);
		}
		cr_assert_eq(kept.history_to_ns, points[n - 1].ts_ns);
		cr_assert_geq(kept.calibration_windows + 2, n_windows);
		n_windows = kept.calibration_windows;
		forecast_fini(&kept);
		forecast_fini(&fresh);
	}
	cr_assert_lt(error, 1.05 * fresh_error, "%g, from the beginning %g", error, fresh_error);
	forecast_state_free(state);
}

Test(forecast_state, the_truth_of_what_was_said_becomes_evidence) {
	struct forecast_state *state = NULL;
	struct forecast_query query;

	fixture_link(points, STEPS, 300, 7);
	query = query_at(STEPS - 48, 3600);
	learn(&state, STEPS - 48, &query);
	cr_assert_eq(forecast_drift(state).ts_ns, 0, "nothing has come yet");
	query = query_at(STEPS - 47, 3600);
	learn(&state, STEPS - 47, &query);
	cr_assert_eq(forecast_drift(state).ts_ns, points[STEPS - 48].ts_ns, "the first step");
	cr_assert_lt(fabs(forecast_drift(state).residual), 6);
	cr_assert(isnan(forecast_drift(state).error_ratio), "no window is over");
	query = query_at(STEPS - 12, 3600);
	learn(&state, STEPS - 12, &query);
	cr_assert_gt(forecast_drift(state).error_ratio, 0);
	cr_assert_not(forecast_drift(state).drifted);
	forecast_state_free(state);
}

Test(forecast_state, a_step_far_off_what_was_said_shows_in_the_residual) {
	struct forecast_state *state = NULL;
	struct forecast_query query;

	fixture_link(points, STEPS, 300, 7);
	points[STEPS - 1].gbps += 20;
	query = query_at(STEPS - 1, 3600);
	learn(&state, STEPS - 1, &query);
	query = query_at(STEPS, 3600);
	learn(&state, STEPS, &query);
	cr_assert_gt(forecast_drift(state).residual, 10);
	forecast_state_free(state);
}

Test(forecast_state, a_link_that_changed_its_ways_is_noticed_and_learnt_anew) {
	struct forecast_state *state = NULL;
	size_t from = STEPS - 288, noticed = 0;

	fixture_link(points, STEPS, 300, 9);
	for (size_t i = from; i < STEPS; i++) // up and down by 8 every half an hour from now on
		points[i].gbps += i / 6 % 2 == 0 ? 8 : 0;
	for (size_t n = from; n <= STEPS && noticed == 0; n += 4) {
		struct forecast_query query = query_at(n, 3600);
		double before = state != NULL ? forecast_drift(state).error_ratio : NAN;

		learn(&state, n, &query);
		// Learnt anew: the count begins again.
		noticed = before > 1.5 && isnan(forecast_drift(state).error_ratio) ? n : 0;
	}
	cr_assert_gt(noticed, 0);
	forecast_state_free(state);
}

Test(forecast_state, another_kind_of_question_begins_again) {
	struct forecast_state *state = NULL;
	struct forecast_query query;
	struct forecast forecast;

	fixture_link(points, STEPS, 300, 11);
	query = query_at(STEPS, 3600);
	learn(&state, STEPS, &query);
	query = query_at(STEPS, 86400);
	query.series = true;
	learn(&state, STEPS, &query);
	forecast = answer(state, &query, NULL);
	cr_assert_eq(forecast.n_series, 288);
	forecast_fini(&forecast);
	forecast_state_free(state);
}

Test(forecast_state, older_samples_that_came_late_are_taken_in) {
	struct forecast_state *state = NULL;
	struct forecast_query query;

	fixture_link(points, STEPS, 300, 13);
	query = query_at(STEPS, 3600);
	cr_assert_eq(forecast_learn(&state, points + STEPS / 2, STEPS / 2, &query), 0);
	cr_assert_eq(answer(state, &query, NULL).samples, STEPS / 2);
	learn(&state, STEPS, &query);
	cr_assert_eq(answer(state, &query, NULL).samples, STEPS);
	forecast_state_free(state);
}

Test(forecast_state, no_history_then_some) {
	struct forecast_state *state = NULL;
	struct forecast_query query = fixture_query(3600);

	query.fallback_gbps = 2;
	cr_assert_eq(forecast_learn(&state, points, 0, &query), 0);
	cr_assert_float_eq(answer(state, &query, NULL).value_gbps, 2, 0);
	fixture_constant(points, 3, 300, 4);
	learn(&state, 3, &query);
	cr_assert_float_eq(answer(state, &query, NULL).value_gbps, 4, 1e-9);
	forecast_state_free(state);
}

// Links with four windows each: alone none can tell its 0.95, together they can; greater errors of others count only in
// units of their own spread.
Test(forecast_state, links_with_few_windows_lend_each_other_their_errors) {
	enum { LINKS = 12, SHORT = 5 * 288 };
	static struct kpi_point histories[LINKS][SHORT];
	struct forecast_state *states[LINKS] = {0};
	struct forecast_query query = fixture_query(86400);
	struct forecast_pool *pool = NULL;
	int different = 0;

	cr_assert_eq(forecast_pool_new(&pool), 0);
	for (size_t k = 0; k < LINKS; k++) {
		fixture_link(histories[k], SHORT, 300, 100 + k);
		for (size_t i = 0; i < SHORT; i++)
			histories[k][i].gbps *= (double)(1 + k * k);
		cr_assert_eq(forecast_learn(&states[k], histories[k], SHORT, &query), 0);
		cr_assert(forecast_needs_pool(states[k], 0.95));
		cr_assert_eq(forecast_pool_add(pool, states[k]), 0);
	}
	forecast_pool_sort(pool);
	for (size_t k = 0; k < LINKS; k++) {
		struct forecast alone = answer(states[k], &query, NULL),
		                together = answer(states[k], &query, pool);

		different += alone.value_gbps != together.value_gbps;
		cr_assert_gt(together.value_gbps, 5.5 * (double)(1 + k * k) * 0.9);
		cr_assert_lt(together.value_gbps, 5.5 * (double)(1 + k * k) * 1.6);
		forecast_state_free(states[k]);
	}
	cr_assert_eq(different, LINKS);
	forecast_pool_free(pool);
}

Test(forecast_state, a_pool_of_another_kind_of_question_is_not_used) {
	struct forecast_state *day = NULL, *hour = NULL;
	struct forecast_query of_day, of_hour;
	struct forecast_pool *pool = NULL;

	fixture_link(points, 5 * 288, 300, 17);
	of_day = query_at(5 * 288, 86400);
	of_hour = query_at(5 * 288, 3600);
	learn(&day, 5 * 288, &of_day);
	learn(&hour, 5 * 288, &of_hour);
	cr_assert_eq(forecast_pool_new(&pool), 0);
	cr_assert_eq(forecast_pool_add(pool, hour), 0);
	forecast_pool_sort(pool);
	cr_assert_float_eq(answer(day, &of_day, pool).value_gbps, answer(day, &of_day, NULL).value_gbps, 0);
	forecast_pool_free(pool);
	forecast_state_free(day);
	forecast_state_free(hour);
}
