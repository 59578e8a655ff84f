// The simulator: the demo's formula, the same rows for the same seed, and faults that show before they fail.
// SPDX-License-Identifier: MIT
#include "clock.h"
#include "noise.h"
#include "simulate.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <string.h>

static struct simulate_options options_of(enum profile profile, uint64_t seed) {
	return (struct simulate_options){
	        .profile = profile, .seed = seed, .start_ns = SIMULATE_START_NS, .step_seconds = 1};
}

static struct simulator *new_simulator(const struct simulate_options *options) {
	struct simulator *simulator = NULL;

	cr_assert_eq(simulator_new(options, &simulator), 0);
	return simulator;
}

Test(simulate, sinusoidal_is_the_formula_of_the_demo) {
	struct simulate_options options = options_of(PROFILE_sinusoidal, 7);
	CLEANUP(simulator_freep) struct simulator *simulator = new_simulator(&options);
	double squares = 0;
	int drops = 0;

	for (int s = 0; s < 86400; s++) {
		double base = 20000 + (sin((s - 8 * 3600) / 86400.0 * 2 * M_PI) + 1) / 2 * 280000;
		struct sim_row row;
		double rx, ratio;

		simulator_next(simulator, &row);
		rx = (double)row.rx_packets;
		ratio = (double)row.tx_packets / rx;
		cr_assert_eq(row.ts_ns, SIMULATE_START_NS + s * NS_PER_SECOND);
		cr_assert(rx > base - 5001 && rx <= base + 5000, "second %d: %g around %g", s, rx, base);
		cr_assert(ratio > 0.949 && ratio < 1.051);
		cr_assert(fabs(row.latency - (0.1 + rx / 300000 * 1.5)) <= 0.1);
		cr_assert_str_eq(simulator_label(simulator, &row),
		                 s >= 7 * 3600 && s < 22 * 3600 ? "normal_day" : "normal_night");
		squares += pow(rx + 0.5 - base, 2);
		drops += (int)row.packet_drops;
	}
	// Uniform noise: deviation 10000 / sqrt(12), known to about 0.3 % from so many.
	cr_assert(fabs(sqrt(squares / 86400) - 2886.75) < 30);
	cr_assert(drops >= 1 && drops <= 10);
}

ParameterizedTestParameters(simulate, same_seed_same_rows) {
	static enum profile profiles[N_PROFILES];

	for (int i = 0; i < N_PROFILES; i++)
		profiles[i] = (enum profile)i;
	return cr_make_param_array(enum profile, profiles, N_PROFILES);
}

ParameterizedTest(enum profile *profile, simulate, same_seed_same_rows) {
	struct simulate_options options = options_of(*profile, 3), other = options_of(*profile, 4);
	CLEANUP(simulator_freep) struct simulator *one = new_simulator(&options);
	CLEANUP(simulator_freep) struct simulator *two = new_simulator(&options);
	CLEANUP(simulator_freep) struct simulator *three = new_simulator(&other);
	size_t different = 0;

	for (int s = 0; s < 50000; s++) {
		struct sim_row a, b, c;

		simulator_next(one, &a);
		simulator_next(two, &b);
		simulator_next(three, &c);
		cr_assert_eq(a.rx_packets, b.rx_packets);
		cr_assert_eq(a.tx_packets, b.tx_packets);
		cr_assert_eq(a.rx_errors, b.rx_errors);
		cr_assert_eq(a.latency, b.latency);
		cr_assert_eq(a.state, b.state);
		different += a.rx_packets != c.rx_packets;
	}
	cr_assert_gt(different, 45000);
}

// Mean rate of a day, by hour of day.
static void day_of(struct simulator *simulator, double hours[static 24]) {
	for (int hour = 0; hour < 24; hour++) {
		hours[hour] = 0;
		for (int i = 0; i < 60; i++) {
			struct sim_row row;

			simulator_next(simulator, &row);
			hours[hour] += (double)row.rx_packets / 60;
		}
	}
}

static double mean_of(const double hours[static 24]) {
	double sum = 0;

	for (int hour = 0; hour < 24; hour++)
		sum += hours[hour] / 24;
	return sum;
}

Test(simulate, weekends_are_quieter_and_trend_grows) {
	struct simulate_options weekly = options_of(PROFILE_weekly, 1), trend = options_of(PROFILE_trend, 1);
	CLEANUP(simulator_freep) struct simulator *one = NULL, *two = NULL;
	double days[14], growth[14], hours[24];

	weekly.step_seconds = trend.step_seconds = 60;
	one = new_simulator(&weekly);
	two = new_simulator(&trend);
	for (int day = 0; day < 14; day++) {
		day_of(one, hours);
		days[day] = mean_of(hours);
		cr_assert_lt(hours[4], hours[20] / 2);
		day_of(two, hours);
		growth[day] = mean_of(hours) / days[day];
	}
	for (int week = 0; week < 2; week++) {
		cr_assert_lt(days[7 * week + 6], 0.85 * days[7 * week + 2]); // Sunday, Wednesday
		cr_assert_lt(days[7 * week + 5], 0.9 * days[7 * week + 2]);  // Saturday
	}
	cr_assert(fabs(growth[13] - growth[0] - 13 * 0.02) < 0.01);
}

Test(simulate, bursts_come_and_go_without_a_day) {
	struct simulate_options options = options_of(PROFILE_bursty, 5);
	CLEANUP(simulator_freep) struct simulator *simulator = new_simulator(&options);
	int quiet = 0, busy = 0, changes = 0;
	bool was_busy = false;

	for (int s = 0; s < 86400; s++) {
		struct sim_row row;
		bool is_busy;

		simulator_next(simulator, &row);
		is_busy = row.rx_packets > 0.12 * SIMULATE_NOMINAL;
		changes += is_busy != was_busy;
		was_busy = is_busy;
		busy += is_busy;
		quiet += !is_busy;
	}
	cr_assert_gt(quiet, busy);
	cr_assert_gt(busy, 1000);
	cr_assert_gt(changes, 1000);
}

Test(simulate, a_row_of_a_coarse_step_is_still_one_second) {
	struct simulate_options options = options_of(PROFILE_sinusoidal, 1);
	CLEANUP(simulator_freep) struct simulator *simulator = NULL;
	struct sim_row row;

	options.step_seconds = 3600;
	simulator = new_simulator(&options);
	for (int hour = 0; hour < 15; hour++)
		simulator_next(simulator, &row);
	cr_assert_eq(row.ts_ns, SIMULATE_START_NS + 14 * 3600 * NS_PER_SECOND);
	cr_assert(row.rx_packets > 295000 - 1 && row.rx_packets <= 305000);
}

// ---- faults

struct shown {
	size_t rows;
	double errors, nombuf, missed, unsent, down, latency; // means over the rows
};

static void add(struct shown *shown, const struct sim_row *row) {
	double rx = fmax((double)row->rx_packets, 1);

	shown->rows++;
	shown->errors += (double)row->rx_errors;
	shown->nombuf += (double)row->rx_nombuf;
	shown->missed += (double)row->rx_missed;
	shown->unsent += 1 - (double)row->tx_packets / rx;
	shown->down += !row->up;
	shown->latency += row->latency - 0.1 - 1.5 * rx / SIMULATE_NOMINAL;
}

static double sign_of(const struct shown *shown, enum fault fault) {
	double n = fmax((double)shown->rows, 1);

	switch (fault) {
	case FAULT_degrading_optics:
		return shown->errors / n;
	case FAULT_buffer_exhaustion:
		return shown->nombuf / n;
	case FAULT_flapping:
		return shown->down / n;
	case FAULT_silent_drop:
		return shown->unsent / n;
	case FAULT_overload:
		return shown->missed / n;
	default:
		return shown->latency / n;
	}
}

ParameterizedTestParameters(simulate, a_fault_shows_more_and_more_then_fails) {
	static enum fault faults[N_FAULTS - 1];

	for (int i = 1; i < N_FAULTS; i++)
		faults[i - 1] = (enum fault)i;
	return cr_make_param_array(enum fault, faults, N_FAULTS - 1);
}

ParameterizedTest(enum fault *fault, simulate, a_fault_shows_more_and_more_then_fails) {
	struct simulate_options options = options_of(PROFILE_failure, 11);
	CLEANUP(simulator_freep) struct simulator *simulator = NULL;
	struct shown normal = {0}, degrading = {0}, failed = {0};
	enum sim_state state = SIM_NORMAL;
	int failures = 0;

	options.faults = 1U << *fault;
	simulator = new_simulator(&options);
	for (int s = 0; s < 3 * 86400; s++) {
		struct sim_row row;

		simulator_next(simulator, &row);
		cr_assert(row.fault == FAULT_NONE || row.fault == *fault);
		cr_assert_eq(row.fault == FAULT_NONE, row.state == SIM_NORMAL);
		// One after the other: normal, degrading, failed, normal.
		cr_assert(row.state == state || row.state == (state + 1) % 3, "%d after %d", row.state,
		          state);
		failures += row.state == SIM_FAILED && state != SIM_FAILED;
		state = row.state;
		cr_assert(row.up || (row.rx_packets == 0 && row.tx_packets == 0));
		cr_assert_leq(row.tx_packets, row.rx_packets);
		add(state == SIM_NORMAL ? &normal : state == SIM_DEGRADING ? &degrading : &failed, &row);
	}
	cr_assert_geq(failures, 3);
	cr_assert_gt(sign_of(&degrading, *fault), 3 * sign_of(&normal, *fault) + 1e-6);
	if (*fault == FAULT_degrading_optics || *fault == FAULT_flapping)
		cr_assert_eq((size_t)failed.down, failed.rows);
	else if (*fault == FAULT_memory_leak)
		cr_assert_gt(failed.nombuf, 0);
	else
		cr_assert_gt(sign_of(&failed, *fault), sign_of(&degrading, *fault));
}

Test(simulate, which_faults_are_chosen_does_not_change_the_traffic) {
	struct simulate_options one = options_of(PROFILE_failure, 2), two = one;
	CLEANUP(simulator_freep) struct simulator *a = NULL, *b = NULL;
	size_t both_well = 0;

	one.faults = 1U << FAULT_flapping;
	two.faults = 1U << FAULT_overload | 1U << FAULT_memory_leak;
	a = new_simulator(&one);
	b = new_simulator(&two);
	for (int s = 0; s < 2 * 86400; s++) {
		struct sim_row x, y;

		simulator_next(a, &x);
		simulator_next(b, &y);
		if (x.state != SIM_NORMAL || y.state != SIM_NORMAL)
			continue;
		both_well++;
		cr_assert_eq(x.rx_packets, y.rx_packets);
		cr_assert_eq(x.rx_errors, y.rx_errors);
	}
	cr_assert_gt(both_well, 86400);
}

Test(simulate, poisson_has_its_mean_on_both_sides_of_the_change_of_method) {
	const double means[] = {0.3, 29, 31, 500};
	struct noise noise;

	noise_init(&noise, 1, 1);
	for (int i = 0; i < 4; i++) {
		double sum = 0;

		for (int k = 0; k < 20000; k++)
			sum += (double)noise_poisson(&noise, means[i]);
		cr_assert(fabs(sum / 20000 - means[i]) < 5 * sqrt(means[i] / 20000));
	}
}
