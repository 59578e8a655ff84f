// Models that are trained and kept: features that don't know the future, the same answers after saving, and no
// file that isn't a model taken for one.
// SPDX-License-Identifier: MIT
#include "clock.h"
#include "lagged.h"
#include "simulate.h"
#include "trained_file.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static void simulate_into(struct lagged_series *series, enum profile profile, double step_seconds, size_t n) {
	struct simulate_options options = {
	        .profile = profile, .seed = 6, .start_ns = SIMULATE_START_NS, .step_seconds = step_seconds};
	struct simulator *simulator;

	cr_assert_eq(simulator_new(&options, &simulator), 0);
	lagged_series_init(series, SIMULATE_START_NS, step_seconds);
	for (size_t t = 0; t < n; t++) {
		struct sim_row row;

		simulator_next(simulator, &row);
		cr_assert_eq(lagged_series_add(series, (double)row.rx_packets), 0);
	}
	simulator_free(simulator);
}

// ---- features

static const struct lagged_shape shape = {7, 13, 300, true, true};

Test(learners, features_do_not_know_what_they_predict) {
	for (size_t horizon = 1; horizon < 600; horizon += 37) {
		size_t t = 2400, n = t + horizon + 5;
		uint8_t before[LAGGED_MOST_LAGS + LAGGED_EXTRAS], after[LAGGED_MOST_LAGS + LAGGED_EXTRAS];
		double linear_before[LAGGED_LINEAR], linear_after[LAGGED_LINEAR];
		struct lagged_bytes bytes = {0}, changed_bytes = {0};
		struct lagged_series series, changed;
		struct lagged_bins bins;

		simulate_into(&series, PROFILE_weekly, 300, n);
		lagged_series_init(&changed, SIMULATE_START_NS, 300);
		for (size_t i = 0; i < n; i++)
			cr_assert_eq(lagged_series_add(&changed, i < t ? series.values[i] : 1e9), 0);
		cr_assert_eq(lagged_bins_fit(&series, &shape, t, &bins), 0);
		cr_assert_eq(lagged_bytes_update(&bytes, &bins, &series), 0);
		cr_assert_eq(lagged_bytes_update(&changed_bytes, &bins, &changed), 0);
		lagged_row(&series, &bytes, &shape, &bins, t, horizon, before);
		lagged_row(&changed, &changed_bytes, &shape, &bins, t, horizon, after);
		cr_assert_eq(memcmp(before, after, lagged_features(&shape)), 0, "horizon %zu", horizon);
		lagged_linear(&series, &shape, t, horizon, linear_before);
		lagged_linear(&changed, &shape, t, horizon, linear_after);
		cr_assert_eq(memcmp(linear_before, linear_after, sizeof(linear_before)), 0);
		lagged_bytes_fini(&bytes);
		lagged_bytes_fini(&changed_bytes);
		lagged_series_fini(&series);
		lagged_series_fini(&changed);
	}
}

Test(learners, the_table_holds_what_a_row_gives) {
	struct lagged_bytes bytes = {0};
	struct lagged_series series;
	struct lagged_table table;
	struct lagged_bins bins;

	simulate_into(&series, PROFILE_bursty, 300, 700);
	cr_assert_eq(lagged_bins_fit(&series, &shape, 700, &bins), 0);
	cr_assert_eq(lagged_bytes_update(&bytes, &bins, &series), 0);
	cr_assert_eq(lagged_table_init(&table, &series, &bytes, &shape, &bins, 700, 12), 0);
	for (size_t t = shape.n_lags; t < 700; t++) {
		uint8_t one[64], other[64], low = 255, high = 0;
		size_t r = t - shape.n_lags;

		lagged_row(&series, &bytes, &shape, &bins, t, 12, one);
		matrix_row(&table.matrix, r, other);
		cr_assert_eq(memcmp(one, other, lagged_features(&shape)), 0);
		for (size_t k = 0; k < shape.n_lags; k++) {
			cr_assert_eq(one[k], binning_of(&bins.value, series.values[t - shape.n_lags + k]));
			low = one[k] < low ? one[k] : low;
			high = one[k] > high ? one[k] : high;
		}
		cr_assert_eq(table.lowest[r], low);
		cr_assert_eq(table.highest[r], high);
	}
	lagged_table_fini(&table);
	lagged_bytes_fini(&bytes);
	lagged_series_fini(&series);
}

// Steps 0, 1, 2, ... of 6 h from Monday 0:00: the day before is 4 steps back.
Test(learners, summaries_are_those_found_by_hand) {
	struct lagged_shape by_hand = {2, 3, 21600, true, true};
	struct lagged_series series;
	double x[LAGGED_LINEAR];

	lagged_series_init(&series, SIMULATE_START_NS, 21600);
	for (int i = 0; i < 40; i++)
		cr_assert_eq(lagged_series_add(&series, i == 20 ? NAN : i), 0); // 20 is 19 again
	lagged_linear(&series, &by_hand, 22, 1, x);                             // of step 22
	cr_assert_eq(x[1], 21);
	cr_assert(fabs(x[2] - (14 + 15 + 16 + 17 + 18 + 19 + 19 + 21) / 8.0) < 1e-12);
	cr_assert(fabs(x[3] - (19 + 19 + 21) / 3.0) < 1e-12);
	cr_assert(fabs(x[5] - 18) < 1e-12);
	lagged_linear(&series, &by_hand, 32, 6, x); // of step 37: a day before is not known yet, two are
	cr_assert(fabs(x[5] - 29) < 1e-12);
	cr_assert(fabs(x[6] - 9) < 1e-12); // a week before
	by_hand.weeks = false;
	lagged_linear(&series, &by_hand, 32, 6, x);
	cr_assert(fabs(x[6] - 25) < 1e-12);         // three days before
	lagged_linear(&series, &by_hand, 32, 4, x); // of step 35: a day before is the last value
	cr_assert(fabs(x[5] - 31) < 1e-12);
	cr_assert(fabs(x[6] - 27) < 1e-12);
	lagged_series_fini(&series);
}

// ---- fitting

static const char *const names[] = {"forest", "boost", "last", "seasonal", "harmonic", "ar", "auto"};

struct kind {
	char name[16];
};

static struct criterion_test_params kinds(void) {
	static struct kind all[sizeof(names) / sizeof(names[0])];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		strcpy(all[i].name, names[i]);
	return cr_make_param_array(struct kind, all, sizeof(names) / sizeof(names[0]));
}

static struct trained_options options_of(const char *name) {
	struct trained_options options = trained_defaults(name);

	options.target = "rx_packets";
	options.n_trees = 12;
	options.horizons[1] = 12;
	options.n_horizons = 2;
	return options;
}

ParameterizedTestParameters(learners, a_saved_model_says_the_same) {
	return kinds();
}

ParameterizedTest(struct kind *kind, learners, a_saved_model_says_the_same) {
	struct trained_point one[LEARNER_HORIZONS], other[LEARNER_HORIZONS];
	struct trained_options options = options_of(kind->name);
	struct trained trained, loaded;
	struct lagged_series series;
	struct status status = {0};
	char path[64];

	snprintf(path, sizeof(path), "learners-%s-%d.model", kind->name, (int)getpid());
	simulate_into(&series, PROFILE_weekly, 900, 1500);
	cr_assert_eq(trained_fit(&series, &options, NULL, &trained), 0);
	cr_assert_eq(trained_save(&trained, path, &status), 0, "%s", status.message);
	cr_assert_eq(trained_load(path, &loaded, &status), 0, "%s", status.message);
	cr_assert_eq(unlink(path), 0);
	cr_assert_str_eq(loaded.name, kind->name);
	cr_assert_str_eq(loaded.target, "rx_packets");
	cr_assert_eq(loaded.from_ns, SIMULATE_START_NS);
	cr_assert_eq(loaded.to_ns, SIMULATE_START_NS + 1499 * 900 * NS_PER_SECOND);
	cr_assert_eq(loaded.horizons[1].scores[CONTESTANT_MODEL].mae,
	             trained.horizons[1].scores[CONTESTANT_MODEL].mae);
	cr_assert_eq(trained_predict(&trained, &series, one), 0);
	cr_assert_eq(trained_predict(&loaded, &loaded.tail, other), 0);
	for (int k = 0; k < 2; k++) {
		cr_assert_eq(one[k].predicted, other[k].predicted, "%g, %g", one[k].predicted,
		             other[k].predicted);
		cr_assert_leq(one[k].lower, one[k].upper);
	}
	trained_fini(&trained);
	trained_fini(&loaded);
	lagged_series_fini(&series);
}

ParameterizedTestParameters(learners, predictions_do_not_depend_on_the_future) {
	return kinds();
}

// What was said about the steps up to 1300 stays the same, whatever the series is from there on.
struct said {
	double at[1600];
};

static void note(void *context, const struct trained_point *point) {
	if (point->horizon == 1)
		((struct said *)context)->at[point->step] = point->predicted;
}

ParameterizedTest(struct kind *kind, learners, predictions_do_not_depend_on_the_future) {
	struct score scores[LEARNER_HORIZONS][N_CONTESTANTS];
	struct trained_options options = options_of(kind->name);
	struct lagged_series series, changed;
	struct said one = {0}, other = {0};
	struct trained trained;
	size_t compared = 0;

	simulate_into(&series, PROFILE_weekly, 900, 1500);
	lagged_series_init(&changed, SIMULATE_START_NS, 900);
	for (size_t t = 0; t < 1500; t++)
		cr_assert_eq(lagged_series_add(&changed, t < 1300 ? series.values[t] : 5e5), 0);
	cr_assert_eq(trained_fit(&series, &options, NULL, &trained), 0);
	cr_assert_eq(trained_evaluate(&trained, &series, 1200, NULL, note, &one, scores), 0);
	cr_assert_eq(trained_evaluate(&trained, &changed, 1200, NULL, note, &other, scores), 0);
	for (size_t t = 1200; t < 1300; t++) {
		cr_assert_eq(one.at[t], other.at[t], "step %zu: %g, %g", t, one.at[t], other.at[t]);
		compared += one.at[t] != 0;
	}
	cr_assert_geq(compared, 5);
	trained_fini(&trained);
	lagged_series_fini(&series);
	lagged_series_fini(&changed);
}

Test(learners, trees_beat_last_on_what_has_a_day_and_their_bands_hold) {
	for (int i = 0; i < 2; i++) {
		struct score scores[LEARNER_HORIZONS][N_CONTESTANTS];
		struct trained_options options = options_of(names[i]);
		struct lagged_series series;
		struct trained trained;

		options.n_trees = 60;
		simulate_into(&series, PROFILE_weekly, 600, 4032);
		cr_assert_eq(trained_fit(&series, &options, NULL, &trained), 0);
		lagged_series_fini(&series);
		simulate_into(&series, PROFILE_weekly, 600, 5040);
		cr_assert_eq(trained_evaluate(&trained, &series, 4032, NULL, NULL, NULL, scores), 0);
		for (int k = 0; k < 2; k++) {
			struct score *model = &scores[k][CONTESTANT_MODEL];

			cr_assert_lt(model->mae, scores[k][CONTESTANT_LAST].mae);
			cr_assert_lt(model->mae, scores[k][CONTESTANT_SEASONAL].mae);
			cr_assert(model->coverage > 0.8 && model->coverage < 0.99, "%s: %g", names[i],
			          model->coverage);
			cr_assert_lt(model->pinball, scores[k][CONTESTANT_LAST].pinball);
			cr_assert_leq(model->mae, model->rmse);
		}
		trained_fini(&trained);
		lagged_series_fini(&series);
	}
}

Test(learners, too_little_to_learn_from_is_told) {
	struct trained_options options = options_of("boost");
	struct lagged_series series;
	struct trained trained;

	simulate_into(&series, PROFILE_weekly, 900, 50);
	cr_assert_eq(trained_fit(&series, &options, NULL, &trained), -ENODATA);
	options.name = "no such";
	cr_assert_eq(trained_fit(&series, &options, NULL, &trained), -EINVAL);
	lagged_series_fini(&series);
}

// ---- scores

Test(learners, scores_are_those_found_by_hand) {
	const double residuals[SCORING_QUANTILES] = {-4, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 4};
	struct scoring scoring = {0};
	struct score score;

	scoring_add(&scoring, 10, 12, residuals);
	scoring_add(&scoring, 10, 7, residuals);
	scoring_add(&scoring, 0, 0, residuals);
	score = scoring_end(&scoring, 2.5);
	cr_assert_eq(score.n, 3);
	cr_assert(fabs(score.mae - 5.0 / 3) < 1e-12);
	cr_assert(fabs(score.rmse - sqrt(13.0 / 3)) < 1e-12);
	cr_assert(fabs(score.mase - 2.0 / 3) < 1e-12);
	cr_assert(fabs(score.smape - (4.0 / 22 + 6.0 / 17) / 3) < 1e-12);
	cr_assert(fabs(score.coverage - 2.0 / 3) < 1e-12);
}

Test(learners, residual_quantiles_reach_outwards_when_there_are_few) {
	double many[999], few[3] = {1, -1, 0}, ret[SCORING_QUANTILES];

	for (int i = 0; i < 999; i++)
		many[i] = (i * 7919) % 999 - 499;
	scoring_quantiles(many, 999, ret);
	cr_assert_eq(ret[SCORING_MEDIAN], 0);
	cr_assert_eq(ret[SCORING_UPPER], 450);  // rank 950 of 999
	cr_assert_eq(ret[SCORING_LOWER], -450); // rank 50
	scoring_quantiles(few, 3, ret);
	cr_assert_eq(ret[SCORING_UPPER], 1);
	cr_assert_eq(ret[SCORING_LOWER], -1);
}

// ---- files

static struct bytes small_model(const char *name) {
	struct trained_options options = options_of(name);
	struct lagged_series series;
	struct trained trained;
	struct bytes bytes;

	options.n_trees = 2;
	options.n_horizons = 1;
	simulate_into(&series, PROFILE_weekly, 3600, 120);
	cr_assert_eq(trained_fit(&series, &options, NULL, &trained), 0);
	cr_assert_eq(trained_to_bytes(&trained, &bytes), 0);
	trained_fini(&trained);
	lagged_series_fini(&series);
	return bytes;
}

Test(learners, a_model_cut_short_anywhere_is_refused) {
	struct bytes bytes = small_model("boost");
	struct trained trained;

	for (size_t size = 0; size < bytes.size; size++) {
		struct status status = {0};
		uint8_t *cut = malloc(size + 1); // so that reading beyond shows under ASan

		memcpy(cut, bytes.data, size);
		cr_assert_lt(trained_from_bytes(cut, size, &trained, &status), 0);
		cr_assert_neq(status.message[0], '\0');
		// Also with a checksum that fits.
		if (size > 16) {
			uint32_t checksum = (uint32_t)crc32_z(0, cut, size - 4);

			memcpy(cut + size - 4, &checksum, 4);
			cr_assert_lt(trained_from_bytes(cut, size, &trained, &status), 0, "%zu bytes", size);
		}
		free(cut);
	}
	free(bytes.data);
}

Test(learners, a_changed_byte_is_noticed) {
	struct bytes bytes = small_model("forest");

	for (size_t i = 0; i < bytes.size; i += 1 + i / 50) {
		struct status status = {0};
		struct trained trained;

		bytes.data[i] ^= 0x10;
		cr_assert_lt(trained_from_bytes(bytes.data, bytes.size, &trained, &status), 0);
		bytes.data[i] ^= 0x10;
	}
	free(bytes.data);
}

Test(learners, another_version_is_named) {
	struct bytes bytes = small_model("last");
	struct status status = {0};
	struct trained trained;

	bytes.data[8] = 9;
	cr_assert_lt(trained_from_bytes(bytes.data, bytes.size, &trained, &status), 0);
	cr_assert(strstr(status.message, "version 9") != NULL);
	cr_assert_lt(trained_from_bytes("LCMODEX\0\1\0\0\0....", 16, &trained, &status), 0);
	cr_assert(strstr(status.message, "not a model") != NULL);
	cr_assert_lt(trained_load("/nonexistent/model", &trained, &status), 0);
	cr_assert(strstr(status.message, "/nonexistent/model") != NULL);
	cr_assert_lt(trained_load("/dev/null", &trained, &status), 0);
	free(bytes.data);
}
