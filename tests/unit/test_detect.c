// Failure prediction's parts: observations, sequential tests, features, the trained model, and how it is judged.
// SPDX-License-Identifier: MIT
#include "alarm.h"
#include "cusum.h"
#include "failures.h"
#include "foresight.h"
#include "simulate.h"
#include "trial.h"

#include "clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define SECOND NS_PER_SECOND

static double uniform(uint64_t *state) {
	*state = *state * 6364136223846793005U + 1442695040888963407U;
	return (double)(*state >> 11) / 9007199254740992.0;
}

static double normal(uint64_t *state) {
	double sum = 0;

	for (int i = 0; i < 12; i++)
		sum += uniform(state);
	return sum - 6;
}

// ---- observe

static struct port_row row_at(int64_t seconds, uint64_t packets) {
	return (struct port_row){.instance = 1,
	                         .ts_ns = seconds * SECOND,
	                         .up = true,
	                         .counters = {[COUNTER_rx_packets] = packets},
	                         .latency_ms = NAN};
}

Test(observe, what_passed_is_the_difference_of_the_counters) {
	struct observer observer = {0};
	struct port_row first = row_at(10, 100), second = row_at(13, 160);
	struct observation seen;

	cr_assert_eq(observer_advance(&observer, &first, &seen), 0);
	cr_assert_eq(observer_advance(&observer, &second, &seen), 1);
	cr_assert_float_eq(seen.seconds, 3, 1e-9);
	cr_assert_float_eq(seen.counters[COUNTER_rx_packets], 60, 1e-9);
	cr_assert(isnan(seen.speed_bps));
}

Test(observe, counters_above_2_to_53_differ_exactly) {
	struct observer observer = {0};
	struct port_row first = row_at(1, UINT64_C(18446744073709551000)),
	                second = row_at(2, UINT64_C(18446744073709551007));
	struct observation seen;

	(void)observer_advance(&observer, &first, &seen);
	cr_assert_eq(observer_advance(&observer, &second, &seen), 1);
	cr_assert_float_eq(seen.counters[COUNTER_rx_packets], 7, 1e-9);
}

Test(observe, counters_that_begin_anew_give_nothing) {
	struct observer observer = {0};
	struct port_row rows[] = {row_at(1, 100), row_at(2, 50), row_at(3, 60),
	                          row_at(4, 70),  row_at(5, 80), row_at(6, 90)};
	struct observation seen;
	int n = 0;

	rows[3].epoch = 1;
	rows[4].epoch = 1;
	rows[5].epoch = 1;
	rows[5].instance = 2;
	for (size_t i = 0; i < 6; i++)
		n += observer_advance(&observer, &rows[i], &seen);
	cr_assert_eq(n, 2, "between 2 and 3 s, and between 4 and 5 s: %d", n);
}

Test(observe, rows_nearer_than_a_second_are_put_together_and_late_ones_dropped) {
	struct observer observer = {0};
	struct observation seen;
	int n = 0;

	for (int i = 0; i <= 40; i++) {
		struct port_row row = row_at(0, (uint64_t)i);

		row.ts_ns = SECOND + i * SECOND / 10;
		row.up = i != 7;
		if (observer_advance(&observer, &row, &seen) > 0 && ++n == 1)
			cr_assert(i == 10 && seen.n_down == 1, "a flap inside the second is seen");
		row.ts_ns -= SECOND;
		row.counters[COUNTER_rx_packets] = 0;
		cr_assert_eq(observer_advance(&observer, &row, &seen), 0);
	}
	cr_assert_eq(n, 4);
}

// ---- cusum

// The stated rate is per observation that doesn't depend on the others: it must hold for these.
Test(cusum, false_alarms_stay_below_the_stated_rate) {
	double stated = 20, threshold = cusum_threshold(stated / (CUSUM_ALTERNATIVES + 2), 1);
	uint64_t random = 1;
	int n_rare = 0, n_level = 0;

	for (int port = 0; port < 20; port++) {
		struct rare_test rare = {0};
		struct level_test level = {0};
		double z;

		for (int i = 0; i < 60480; i++) { // a tenth of a week
			bool rare_alarm =
			        rare_test_advance(&rare, uniform(&random) < 1e-3, 1, threshold) >= 1;
			bool level_alarm =
			        level_test_advance(&level, 5 + 3 * normal(&random), 1, threshold, &z) >= 1;

			n_rare += rare_alarm;
			n_level += level_alarm;
			if (rare_alarm)
				memset(rare.sum, 0, sizeof(rare.sum));
			if (level_alarm)
				level.up = level.down = 0;
		}
	}
	// 2 port-weeks: at most 2 * 20 * 2 / 4 for either; Poisson, three deviations above
	cr_assert_leq(n_rare, 20 + 14, "%d", n_rare);
	cr_assert_leq(n_level, 20 + 14, "%d", n_level);
}

Test(cusum, what_becomes_frequent_alarms_soon_and_stops_when_it_ends) {
	double threshold = cusum_threshold(1, 1), share = 0;
	struct rare_test test = {0};
	uint64_t random = 2;
	int i;

	for (i = 0; i < 20000; i++)
		cr_assert_lt(rare_test_advance(&test, uniform(&random) < 1e-4, 1, threshold), 1);
	for (i = 0; i < 600 && share < 1; i++)
		share = rare_test_advance(&test, uniform(&random) < 0.1, 1, threshold);
	cr_assert_lt(i, 200, "%d s", i);
	for (i = 0; i < 3600 && share >= ALARM_CLEAR; i++)
		share = rare_test_advance(&test, false, 1, threshold);
	cr_assert_lt(i, 1801, "%d s", i);
}

Test(cusum, a_shift_of_one_deviation_is_found_and_a_lasting_one_becomes_usual) {
	double threshold = cusum_threshold(1, 10), share = 0, z;
	struct level_test test = {0};
	uint64_t random = 3;
	int i;

	for (i = 0; i < 5000; i++)
		cr_assert_lt(level_test_advance(&test, normal(&random), 10, threshold, &z), 1);
	for (i = 0; i < 1000 && share < 1; i++)
		share = level_test_advance(&test, 1 + normal(&random), 10, threshold, &z);
	cr_assert_lt(i, 120, "%d values", i);
	for (i = 0; i < 40000; i++)
		share = level_test_advance(&test, 1 + normal(&random), 10, threshold, &z);
	cr_assert_lt(share, 1);
	cr_assert_float_eq(test.mean, 1, 0.2);
}

Test(cusum, a_constant_value_is_no_alarm_and_neither_is_one_giant_outlier) {
	struct level_test test = {0};
	double z;

	for (int i = 0; i < 5000; i++)
		cr_assert_lt(
		        level_test_advance(&test, i == 4000 ? 1e300 : 42, 10, cusum_threshold(1, 10), &z), 1,
		        "%d", i);
	cr_assert(isfinite(test.mean));
}

// ---- alarm

Test(alarm, it_takes_time_on_both_ways_and_a_margin_on_the_way_back) {
	struct alarm alarm = {0};

	cr_assert_eq(alarm_advance(&alarm, 1, 0, 5, 10), ALARM_SAME);
	cr_assert_eq(alarm_advance(&alarm, 0.9, 3 * SECOND, 5, 10), ALARM_SAME);
	cr_assert_eq(alarm_advance(&alarm, 2, 4 * SECOND, 5, 10), ALARM_SAME);
	cr_assert_eq(alarm_advance(&alarm, 2, 9 * SECOND, 5, 10), ALARM_RAISED);
	cr_assert_eq(alarm_advance(&alarm, 2, 10 * SECOND, 5, 10), ALARM_SAME);
	cr_assert_eq(alarm_advance(&alarm, 0.6, 11 * SECOND, 5, 10), ALARM_SAME, "not below the margin");
	cr_assert_eq(alarm_advance(&alarm, 0.6, 99 * SECOND, 5, 10), ALARM_SAME);
	cr_assert_eq(alarm_advance(&alarm, 0.1, 100 * SECOND, 5, 10), ALARM_SAME);
	cr_assert_eq(alarm_advance(&alarm, 0.6, 105 * SECOND, 5, 10), ALARM_SAME);
	cr_assert_eq(alarm_advance(&alarm, 0.1, 106 * SECOND, 5, 10), ALARM_SAME);
	cr_assert_eq(alarm_advance(&alarm, 0.1, 116 * SECOND, 5, 10), ALARM_CLEARED);
}

// ---- failures

static struct observation observed(int64_t seconds, bool up, double errors) {
	return (struct observation){.ts_ns = seconds * SECOND,
	                            .seconds = 1,
	                            .up = up,
	                            .counters = {[COUNTER_rx_packets] = 100, [COUNTER_rx_errors] = errors},
	                            .speed_bps = NAN,
	                            .latency_ms = NAN};
}

Test(failures, what_lasts_is_one_and_what_is_near_belongs_together) {
	struct failures failures = {0};
	size_t at = 0;

	for (int64_t i = 1; i <= 1000; i++) {
		bool down = (i > 100 && i <= 120) || (i > 150 && i <= 160) || (i > 500 && i <= 505);
		struct observation o = observed(i, !down, i > 700 && i <= 730 ? 10 : 1);

		cr_assert_eq(failures_add(&failures, &o), 0);
	}
	cr_assert_eq(failures_end(&failures), 0);
	cr_assert_eq(failures.n, 2);
	cr_assert_eq(failures.found[0].from_ns, 100 * SECOND);
	cr_assert_eq(failures.found[0].to_ns, 160 * SECOND);
	cr_assert_eq(failures.found[1].from_ns, 700 * SECOND);
	cr_assert_not(failures_cover(&failures, 100 * SECOND, &at));
	cr_assert(failures_cover(&failures, 130 * SECOND, &at));
	cr_assert_not(failures_cover(&failures, 505 * SECOND, &at));
	cr_assert(failures_cover(&failures, 730 * SECOND, &at));
	cr_assert_not(failures_cover(&failures, 731 * SECOND, &at));
	failures_fini(&failures);
}

// ---- on simulated ports

static struct trial_row simulated(struct simulator *simulator, bool *was_up) {
	struct sim_row sim;
	struct trial_row row = {.value = NAN};
	struct observation *o = &row.observation;

	simulator_next(simulator, &sim);
	o->ts_ns = sim.ts_ns;
	o->seconds = 10;
	o->up = sim.up;
	o->n_down = *was_up && !sim.up;
	o->speed_bps = NAN;
	o->latency_ms = sim.latency > 0 ? sim.latency : NAN;
	o->counters[COUNTER_rx_packets] = 10.0 * (double)sim.rx_packets;
	o->counters[COUNTER_tx_packets] = 10.0 * (double)sim.tx_packets;
	o->counters[COUNTER_rx_errors] = 10.0 * (double)sim.rx_errors;
	o->counters[COUNTER_rx_missed] = 10.0 * (double)sim.rx_missed;
	o->counters[COUNTER_rx_nombuf] = 10.0 * (double)sim.rx_nombuf;
	row.failed = sim.state == SIM_FAILED;
	row.degrading = sim.state == SIM_DEGRADING;
	row.kind = fault_names[sim.fault].name;
	*was_up = sim.up;
	return row;
}

static void feed(struct trial *trial, uint64_t seed, double weeks, bool learns) {
	struct simulate_options options = {
	        .profile = PROFILE_failure, .seed = seed, .start_ns = SIMULATE_START_NS, .step_seconds = 10};
	struct simulator *simulator;
	bool was_up = true;

	cr_assert_eq(simulator_new(&options, &simulator), 0);
	cr_assert_eq(trial_next_port(trial), 0);
	for (int i = 0; i < weeks * 60480; i++) {
		struct trial_row row = simulated(simulator, &was_up);

		cr_assert_eq(learns ? trial_learn(trial, &row, "overload") : trial_test(trial, &row, true),
		             0);
	}
	simulator_free(simulator);
}

static struct trial *tried(void) {
	struct trial_options options = {900, 3600, 0.5, 1, 1};
	struct trial *trial;

	cr_assert_eq(trial_new(&options, &trial), 0);
	feed(trial, 1, 2, true);
	cr_assert_eq(trial_train(trial), 0);
	feed(trial, 2, 1, false);
	return trial;
}

Test(trial, failures_of_ports_that_were_not_learnt_are_told_beforehand) {
	CLEANUP(trial_freep) struct trial *trial = tried();
	struct trial_result results[N_METHODS];
	const struct trial_result *together = &results[METHOD_TOGETHER];

	cr_assert_eq(trial_results(trial, results), 0);
	cr_assert_gt(together->events, 10);
	cr_assert_geq(together->recall, 0.9);
	cr_assert_leq(together->false_per_week, 1.5); // over less than one port-week: one is 1.2
	cr_assert_geq(together->lead_share, 0.5);
	cr_assert_gt(together->recall, results[METHOD_THRESHOLD].recall);
	cr_assert_gt(together->recall, results[METHOD_LAST].recall);
	for (int m = 0; m < N_METHODS; m++) {
		cr_assert(results[m].pr_auc >= 0 && results[m].pr_auc <= 1 + 1e-9);
		cr_assert_leq(results[m].warned, results[m].found);
	}
}

Test(foresight, what_was_saved_answers_the_same_and_what_is_damaged_is_refused) {
	CLEANUP(trial_freep) struct trial *trial = tried();
	const struct foresight *foresight = trial_foresight(trial);
	CLEANUP(bytes_fini) struct bytes file = {0};
	struct foresight *loaded;
	uint64_t random = 5;

	cr_assert_eq(foresight_save(foresight, &file), 0);
	cr_assert_eq(foresight_load(&file, &loaded), 0);
	for (int i = 0; i < 200; i++) {
		struct foresight_factor factors[5];
		float values[N_FEATURES];
		double answer;

		for (int f = 0; f < N_FEATURES; f++)
			values[f] = (float)(20 * uniform(&random) - 10);
		answer = foresight_ask(foresight, values, factors, 5);
		cr_assert_eq(answer, foresight_ask(loaded, values, NULL, 0));
		cr_assert(answer >= 0 && answer <= 1);
		for (int k = 1; k < 5; k++)
			cr_assert_geq(fabs(factors[k - 1].weight), fabs(factors[k].weight));
	}
	foresight_free(loaded);
	for (size_t size = 0; size < file.size; size += 1 + size / 3) {
		struct bytes cut = {file.data, size};

		cr_assert_eq(foresight_load(&cut, &loaded), -EBADMSG, "cut at %zu", size);
	}
	for (int i = 0; i < 300; i++) {
		size_t at = (size_t)(uniform(&random) * (double)file.size);

		file.data[at] ^= 0x40;
		cr_assert_lt(foresight_load(&file, &loaded), 0, "byte %zu", at);
		file.data[at] ^= 0x40;
	}
}

Test(foresight, its_probabilities_are_better_than_the_mean_and_the_same_each_time) {
	CLEANUP(trial_freep) struct trial *first = tried();
	CLEANUP(trial_freep) struct trial *second = tried();
	CLEANUP(bytes_fini) struct bytes a = {0};
	CLEANUP(bytes_fini) struct bytes b = {0};
	const struct foresight_report *report = foresight_report(trial_foresight(first));

	cr_assert_lt(report->brier, 0.7 * report->brier_climate, "%g of %g", report->brier,
	             report->brier_climate);
	cr_assert_eq(foresight_save(trial_foresight(first), &a), 0);
	cr_assert_eq(foresight_save(trial_foresight(second), &b), 0);
	cr_assert_eq(a.size, b.size);
	cr_assert_arr_eq(a.data, b.data, a.size);
}

Test(foresight, too_few_failures_are_no_training) {
	struct trial_options options = {900, 3600, 0.5, 1, 1};
	struct trial *trial;

	cr_assert_eq(trial_new(&options, &trial), 0);
	feed(trial, 1, 0.1, true);
	cr_assert_eq(trial_train(trial), -ENODATA);
	trial_free(trial);
}

Test(trial, a_false_alarm_a_right_one_and_a_missed_event_are_counted_as_such) {
	struct trial_options options = {900, 600, 0.5, 1, 1};
	struct trial_result results[N_METHODS];
	struct trial *trial;

	cr_assert_eq(trial_new(&options, &trial), 0);
	cr_assert_eq(trial_next_port(trial), 0);
	// the naive threshold's score is the share of errors: alarms at 5000 s (false), 19800 s (200 s before a failure)
	for (int64_t i = 1; i <= 50000; i += 10) {
		bool bad = (i > 5000 && i < 5100) || (i > 19800 && i < 20100);
		struct trial_row row = {.observation = observed(i, true, bad ? 50 : 0),
		                        .failed = (i > 20000 && i < 20100) || (i > 40000 && i < 40100),
		                        .value = NAN};

		row.observation.seconds = 10;
		cr_assert_eq(trial_test(trial, &row, true), 0);
	}
	cr_assert_eq(trial_results(trial, results), 0);
	cr_assert_eq(results[METHOD_THRESHOLD].events, 2);
	cr_assert_eq(results[METHOD_THRESHOLD].warned, 1);
	cr_assert_eq(results[METHOD_THRESHOLD].alarms, 2);
	cr_assert_eq(results[METHOD_THRESHOLD].right_alarms, 1);
	cr_assert_float_eq(results[METHOD_THRESHOLD].recall, 0.5, 1e-9);
	cr_assert_float_eq(results[METHOD_THRESHOLD].precision, 0.5, 1e-9);
	cr_assert_float_eq(results[METHOD_THRESHOLD].lead_seconds, 200, 11);
	trial_free(trial);
}
