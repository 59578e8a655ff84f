// Each model against a small case worked out by hand, and what all of them owe to the engine.
// SPDX-License-Identifier: MIT
#include "model.h"

#include "autoregress.h"
#include "normal.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

enum { MOST = 2048, AHEAD = 40 };

static double values[MOST];
static bool known[MOST];

static struct past past_of(size_t n, struct season season) {
	struct past past = {
	        .values = values, .calm = values, .known = known, .n = n, .n_known = n, .scale = 1};

	past.floor = -1e9;
	past.season = season;
	past.thin = 1;
	for (size_t t = 0; t < n; t++)
		known[t] = true;
	return past;
}

static void run(const struct model *model, const struct past *past, size_t n, double *ret) {
	void *fit;

	cr_assert_eq(model->create(model, past, &fit), 0);
	cr_assert_eq(model->update(fit, past, n), 0);
	model->predict(fit, past, AHEAD, ret);
	model->destroy(fit);
}

static double pattern(size_t t) {
	static const double day[] = {1, 1, 2, 4, 7, 9, 8, 6, 5, 3, 2, 1};

	return day[t % 12];
}

Test(models, last_stays) {
	struct past past = past_of(3, (struct season){0});
	double path[AHEAD];

	values[0] = 1, values[1] = 2, values[2] = 5;
	run(&model_last, &past, 3, path);
	cr_assert_float_eq(path[0], 5, 0);
	cr_assert_float_eq(path[AHEAD - 1], 5, 0);
}

Test(models, mean_of_a_short_history_is_the_mean_of_all) {
	struct past past = past_of(4, (struct season){0});
	double path[AHEAD];

	values[0] = 1, values[1] = 2, values[2] = 3, values[3] = 6;
	run(&model_mean, &past, 4, path);
	cr_assert_float_eq(path[AHEAD - 1], 3, 1e-12);
}

Test(models, mean_forgets_a_level_that_is_gone) {
	struct past past = past_of(400, (struct season){0});
	double path[AHEAD];

	for (size_t t = 0; t < 400; t++)
		values[t] = t < 200 ? 0 : 10;
	run(&model_mean, &past, 400, path);
	cr_assert_float_eq(path[0], 10, 1e-12);
}

Test(models, drift_goes_on_from_first_to_last) {
	struct past past = past_of(4, (struct season){0});
	double path[AHEAD];

	values[0] = 1, values[1] = 9, values[2] = 3, values[3] = 5; // 4/3 a step
	run(&model_drift, &past, 4, path);
	cr_assert_float_eq(path[0], 5 + 4.0 / 3, 1e-12);
	cr_assert_float_eq(path[2], 9, 1e-12);
}

Test(models, seasonal_takes_the_period_that_repeated_itself) {
	struct past past = past_of(100, (struct season){.day = 7, .found = 12});
	double path[AHEAD];

	for (size_t t = 0; t < 100; t++)
		values[t] = pattern(t);
	run(&model_seasonal, &past, 100, path);
	for (size_t i = 0; i < AHEAD; i++)
		cr_assert_float_eq(path[i], pattern(100 + i), 0, "step %zu", i);
}

Test(models, ets_follows_a_level) {
	struct past past = past_of(400, (struct season){0});
	double path[AHEAD];

	for (size_t t = 0; t < 400; t++)
		values[t] = t < 200 ? 0 : 5;
	run(&model_ets, &past, 400, path);
	cr_assert_float_eq(path[0], 5, 1e-3);
	cr_assert_float_eq(path[AHEAD - 1], 5, 1e-3);
}

Test(models, ets_learns_a_season) {
	struct past past = past_of(600, (struct season){.day = 12});
	double path[AHEAD];

	for (size_t t = 0; t < 600; t++)
		values[t] = pattern(t);
	run(&model_ets, &past, 600, path);
	for (size_t i = 0; i < AHEAD; i++)
		cr_assert_float_eq(path[i], pattern(600 + i), 0.1, "step %zu: %g", i, path[i]);
}

Test(models, ar_goes_on_with_an_oscillation) {
	struct past past = past_of(400, (struct season){0});
	double path[AHEAD];

	for (size_t t = 0; t < 400; t++)
		values[t] = sin(2 * M_PI * (double)t / 10);
	run(&model_ar, &past, 400, path);
	for (size_t i = 0; i < 10; i++)
		cr_assert_float_eq(path[i], sin(2 * M_PI * (double)(400 + i) / 10), 0.02, "step %zu: %g", i,
		                   path[i]);
}

Test(models, ar_returns_to_the_mean_at_the_rate_that_it_saw) {
	struct past past = past_of(1500, (struct season){0});
	double path[AHEAD];
	unsigned int state = 1;

	values[0] = 0;
	for (size_t t = 1; t < 1500; t++) {
		state = state * 1103515245 + 12345;
		values[t] = 0.8 * values[t - 1] + (double)(state >> 16 & 0x7fff) / 16384 - 1;
	}
	values[1499] = 5;
	run(&model_ar, &past, 1500, path);
	cr_assert_float_eq(path[0], 4, 0.4);
	cr_assert_float_eq(path[3], 5 * pow(0.8, 4), 0.5);
	cr_assert_float_eq(path[AHEAD - 1], 0, 0.5);
}

Test(models, ar_of_differences_continues_a_line) {
	struct past past = past_of(200, (struct season){0});
	double path[AHEAD];

	for (size_t t = 0; t < 200; t++)
		values[t] = 3 + 0.5 * (double)t;
	run(&model_ar_first, &past, 200, path);
	cr_assert_float_eq(path[0], 103, 0.01);
	cr_assert_float_eq(path[9], 107.5, 0.05);
}

Test(models, ar_of_day_differences_keeps_shape_and_growth) {
	struct past past = past_of(300, (struct season){.day = 12, .week = 84});
	double path[AHEAD];

	for (size_t t = 0; t < 300; t++)
		values[t] = pattern(t) + 0.1 * (double)t;
	run(&model_ar_day, &past, 300, path);
	for (size_t i = 0; i < AHEAD; i++)
		cr_assert_float_eq(path[i], pattern(300 + i) + 0.1 * (double)(300 + i), 0.1, "step %zu", i);
	run(&model_ar_week, &past, 300, path);
	for (size_t i = 0; i < AHEAD; i++)
		cr_assert_float_eq(path[i], pattern(300 + i) + 0.1 * (double)(300 + i), 0.1, "step %zu", i);
}

Test(models, profile_knows_the_usual_day_and_the_quiet_weekend) {
	struct past past = past_of(12 * 7 * 8, (struct season){.day = 12, .week = 84});
	double path[AHEAD], error = 0;

	for (size_t t = 0; t < past.n; t++)
		values[t] = pattern(t) * (t / 12 % 7 < 5 ? 1 : 0.5);
	run(&model_profile, &past, past.n - 36, path); // Friday, Saturday, Sunday follow
	for (size_t i = 0; i < 36; i++)
		error += fabs(path[i] - values[past.n - 36 + i]) / 36;
	cr_assert_lt(error, 0.8, "mean error %g", error);
	cr_assert_lt(path[12 + 5], 7, "Saturday's peak is %g", path[12 + 5]);
}

Test(models, harmonic_reproduces_what_is_made_of_its_terms) {
	struct past past = past_of(700, (struct season){.day = 48, .week = 336});
	double path[AHEAD];

	for (size_t t = 0; t < MOST; t++)
		values[t] = 2 + cos(2 * M_PI * (double)t / 48) - 0.5 * sin(2 * M_PI * (double)t / 24) +
		            0.3 * sin(2 * M_PI * (double)t / 336);
	run(&model_harmonic, &past, 700, path);
	for (size_t i = 0; i < AHEAD; i++)
		cr_assert_float_eq(path[i], values[700 + i], 0.01, "step %zu", i);
}

Test(models, ridge_finds_the_season_by_itself) {
	struct past past = past_of(600, (struct season){.day = 12});
	double path[AHEAD];

	for (size_t t = 0; t < 600; t++)
		values[t] = pattern(t);
	run(&model_ridge, &past, 600, path);
	for (size_t i = 0; i < AHEAD; i++)
		cr_assert_float_eq(path[i], pattern(600 + i), 1.5, "step %zu: %g", i, path[i]);
}

// ---- what the interface promises, of every model

static void fill_with_a_working_week(size_t n) {
	unsigned int state = 7;

	for (size_t t = 0; t < n; t++) {
		state = state * 1103515245 + 12345;
		values[t] = pattern(t) * (t / 12 % 7 < 5 ? 1 : 0.5) + (double)(state >> 16 & 0x7fff) / 16384;
	}
}

Test(models, none_looks_at_what_comes_after_the_step_it_was_updated_to) {
	for (size_t m = 0; m < model_table_size; m++) {
		struct past past = past_of(500, (struct season){.day = 12, .week = 84, .found = 17});
		double before[AHEAD], after[AHEAD];

		fill_with_a_working_week(500);
		run(model_table[m], &past, 300, before);
		for (size_t t = 300; t < 500; t++)
			values[t] = 1e6;
		run(model_table[m], &past, 300, after);
		for (size_t i = 0; i < AHEAD; i++)
			cr_assert_float_eq(before[i], after[i], 0, "%s, step %zu: %g, then %g",
			                   model_table[m]->name, i, before[i], after[i]);
	}
}

Test(models, updating_step_by_step_gives_what_updating_at_once_gives) {
	for (size_t m = 0; m < model_table_size; m++) {
		const struct model *model = model_table[m];
		struct past past = past_of(500, (struct season){.day = 12, .week = 84, .found = 17});
		double once[AHEAD], steps[AHEAD];
		void *fit;

		fill_with_a_working_week(500);
		run(model, &past, 400, once);
		cr_assert_eq(model->create(model, &past, &fit), 0);
		for (size_t n = 200; n <= 400; n += 25)
			cr_assert_eq(model->update(fit, &past, n), 0);
		model->predict(fit, &past, AHEAD, steps);
		model->destroy(fit);
		for (size_t i = 0; i < AHEAD; i++)
			cr_assert_float_eq(once[i], steps[i], 1e-9, "%s, step %zu", model->name, i);
	}
}

Test(models, fillers_are_not_learnt) {
	double with[AHEAD];

	for (size_t m = 0; m < model_table_size; m++) {
		struct past past = past_of(500, (struct season){.day = 12});
		double highest = -INFINITY;

		if (model_table[m]->least(model_table[m], &past) > 500)
			continue; // needs a week
		fill_with_a_working_week(500);
		for (size_t t = 200; t < 230; t++) {
			values[t] = 1000;
			known[t] = false;
		}
		run(model_table[m], &past, 500, with);
		for (size_t i = 0; i < AHEAD; i++)
			highest = fmax(highest, with[i]);
		cr_assert_lt(highest, 30, "%s predicts %g", model_table[m]->name, highest);
	}
}

Test(models, are_found_by_their_names) {
	for (size_t m = 0; m < model_table_size; m++)
		cr_assert_eq(model_find(model_table[m]->name), model_table[m]);
	cr_assert_null(model_find("auto"), "a choice, not a model");
	cr_assert_null(model_find(""));
}

// ---- least squares

Test(models, least_squares_finds_a_line) {
	struct normal normal;
	double coefficients[2];

	cr_assert_eq(normal_init(&normal, 2), 0);
	for (int i = 0; i < 10; i++)
		normal_add(&normal, (double[]){1, i}, 2 + 3.0 * i);
	normal_solve(&normal, 2, 0, coefficients);
	cr_assert_float_eq(coefficients[0], 2, 1e-6);
	cr_assert_float_eq(coefficients[1], 3, 1e-6);
	normal_solve(&normal, 1, 0, coefficients);
	cr_assert_float_eq(coefficients[0], 15.5, 1e-6, "the mean, where the constant is alone");
	normal_fini(&normal);
}

Test(models, least_squares_survives_columns_that_say_the_same) {
	struct normal normal;
	double coefficients[3];

	cr_assert_eq(normal_init(&normal, 3), 0);
	normal_solve(&normal, 3, 0, coefficients);
	cr_assert_float_eq(coefficients[0], 0, 0, "no rows");
	for (int i = 0; i < 10; i++)
		normal_add(&normal, (double[]){1, i, i}, 4.0 * i);
	normal_solve(&normal, 3, 1e-6, coefficients);
	cr_assert_float_eq(coefficients[1] + coefficients[2], 4, 1e-3);
	normal_fini(&normal);
}
