// Rates of ports and used capacity of links: what is measured, and what is left out and counted.
// SPDX-License-Identifier: MIT
#include "rates.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>

#define SECOND NS_PER_SECOND

static struct port_reading reading(uint64_t seq, int64_t ts_ns, uint64_t tx_bytes) {
	return (struct port_reading){.instance = 1,
	                             .seq = seq,
	                             .ts_ns = ts_ns,
	                             .up = true,
	                             .tx_bytes = tx_bytes,
	                             .tx_packets = tx_bytes / 1000};
}

Test(rates, two_readings_a_second_apart_give_their_mean_rate) {
	struct rate_state state = {0};
	struct port_reading first = reading(1, SECOND, 1000),
	                    second = reading(2, 2 * SECOND, 1000 + 125000000);
	struct port_rate rate;

	cr_assert_eq(rate_advance(&state, &first, ACCOUNTING_L2, &rate), RATE_WAITING);
	cr_assert_eq(rate_advance(&state, &second, ACCOUNTING_L2, &rate), RATE_READY);
	cr_assert_float_eq(rate.tx_gbps, 1, 1e-12);
	cr_assert_float_eq(rate.rx_gbps, 0, 0);
	cr_assert_eq(rate.from_ns, SECOND);
	cr_assert_eq(rate.to_ns, 2 * SECOND);
}

Test(rates, l1_adds_24_bytes_a_frame) {
	struct rate_state state = {0};
	struct port_reading first = {.instance = 1, .seq = 1, .ts_ns = 0, .up = true};
	struct port_reading second = {.instance = 1,
	                              .seq = 2,
	                              .ts_ns = SECOND,
	                              .up = true,
	                              .rx_packets = 1000000,
	                              .rx_bytes = 60000000};
	struct port_rate rate;

	rate_advance(&state, &first, ACCOUNTING_L1, &rate);
	cr_assert_eq(rate_advance(&state, &second, ACCOUNTING_L1, &rate), RATE_READY);
	cr_assert_float_eq(rate.rx_gbps, 84e6 * 8 / 1e9, 1e-12);
}

Test(rates, fast_samples_are_gathered_to_a_second) {
	struct rate_state state = {0};
	struct port_rate rate;
	int ready = 0;

	for (uint64_t i = 0; i <= 3000; i++) { // 1 kHz
		struct port_reading next = reading(i + 1, (int64_t)i * NS_PER_MS, i * 1000);

		if (rate_advance(&state, &next, ACCOUNTING_L2, &rate) == RATE_READY) {
			ready++;
			cr_assert_float_eq(rate.tx_gbps, 0.008, 1e-9);
		}
	}
	cr_assert_eq(ready, 3);
}

Test(rates, counters_near_2_to_the_64_stay_exact) {
	struct rate_state state = {0};
	struct port_reading first = reading(1, 0, UINT64_MAX - 125), second = reading(2, SECOND, UINT64_MAX);
	struct port_rate rate;

	first.tx_packets = second.tx_packets = 7;
	rate_advance(&state, &first, ACCOUNTING_L2, &rate);
	cr_assert_eq(rate_advance(&state, &second, ACCOUNTING_L2, &rate), RATE_READY);
	cr_assert_float_eq(rate.tx_gbps, 1e-6, 1e-18);
}

struct odd_case {
	char name[32];
	struct port_reading second;
	enum rate_event event;
};

// The first reading is seq 5, 10 s, 3,000,000,000 bytes, up.
ParameterizedTestParameters(rates, odd_intervals_are_left_out_and_named) {
	static struct odd_case cases[] = {
	        {"reset by falling", {1, 6, 0, 11 * SECOND, true, 0, 0, 0, 5000}, RATE_WRAP},
	        {"reset far below", {1, 6, 0, 11 * SECOND, true, 0, 0, 0, 2900000000}, RATE_RESET},
	        {"reset by epoch", {1, 6, 1, 11 * SECOND, true, 0, 0, 0, 3000001000}, RATE_RESET},
	        {"another instance", {2, 1, 0, 11 * SECOND, true, 0, 0, 0, 3000001000}, RATE_RESET},
	        {"a row missing", {1, 7, 0, 11 * SECOND, true, 0, 0, 0, 3000001000}, RATE_GAP},
	        {"the clock stepped back", {1, 6, 0, 9 * SECOND, true, 0, 0, 0, 3000001000}, RATE_CLOCK_STEP},
	        {"the clock stood", {1, 6, 0, 10 * SECOND, true, 0, 0, 0, 3000001000}, RATE_CLOCK_STEP},
	        {"down at the end", {1, 6, 0, 11 * SECOND, false, 0, 0, 0, 3000001000}, RATE_DOWN},
	        {"the same row again", {1, 5, 0, 10 * SECOND, true, 0, 0, 0, 3000000000}, RATE_STALE},
	        {"an older row", {1, 4, 0, 9 * SECOND, true, 0, 0, 0, 2999990000}, RATE_STALE},
	};
	return cr_make_param_array(struct odd_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct odd_case *c, rates, odd_intervals_are_left_out_and_named) {
	struct port_reading first = {1, 5, 0, 10 * SECOND, true, 0, 3000000, 0, 3000000000};
	struct rate_state state = {0};
	struct port_rate rate = {.tx_gbps = -1};
	struct port_reading third;

	c->second.tx_packets = 3000000;
	rate_advance(&state, &first, ACCOUNTING_L2, &rate);
	cr_assert_eq(rate_advance(&state, &c->second, ACCOUNTING_L2, &rate), c->event, "%s", c->name);
	cr_assert_eq(rate.tx_gbps, -1, "%s gave a rate", c->name);

	// and the interval after it is measured again
	if (c->event == RATE_STALE || c->event == RATE_DOWN)
		return;
	third = c->second;
	third.seq++;
	third.ts_ns += SECOND;
	third.tx_bytes += 125000000;
	cr_assert_eq(rate_advance(&state, &third, ACCOUNTING_L2, &rate), RATE_READY, "after %s", c->name);
	cr_assert_float_eq(rate.tx_gbps, 1, 1e-9, "after %s", c->name);
}

// ---- links

static struct usage *usage;

static void setup(void) {
	cr_assert_eq(usage_new(ACCOUNTING_L2, &usage), 0);
}

static void teardown(void) {
	usage_free(usage);
}

TestSuite(usage, .init = setup, .fini = teardown);

// One row of a port that sends 'tx' and receives 'rx' Gbit each second.
static size_t advance(const char *host, const char *name, uint64_t second, double tx, double rx,
                      struct usage_point points[static N_directions]) {
	struct port_reading next = {
	        .instance = 1,
	        .seq = second + 1,
	        .ts_ns = (int64_t)second * SECOND,
	        .up = true,
	        .tx_bytes = second * (uint64_t)(tx * 125e6),
	        .rx_bytes = second * (uint64_t)(rx * 125e6),
	};
	uint64_t missing;
	size_t n = 99;

	usage_advance(usage, host, name, &next, &missing, points, &n);
	return n;
}

Test(usage, end_a_alone_gives_both_directions) {
	struct usage_binding binding = {"L", "h", "p", END_A};
	struct usage_point points[N_directions];

	usage_bind(usage, &binding, 1);
	cr_assert_eq(advance("h", "p", 0, 3, 1, points), 0);
	cr_assert_eq(advance("h", "p", 1, 3, 1, points), 2);
	cr_assert_eq(points[0].direction, DIRECTION_FORWARD);
	cr_assert_float_eq(points[0].point.gbps, 3, 1e-9);
	cr_assert_eq(points[1].direction, DIRECTION_REVERSE);
	cr_assert_float_eq(points[1].point.gbps, 1, 1e-9);
	cr_assert_str_eq(points[0].link_id, "L");
}

Test(usage, end_z_alone_receives_what_is_forward) {
	struct usage_binding binding = {"L", "h", "p", END_Z};
	struct usage_point points[N_directions];
	double forward = -1, reverse = -1;

	usage_bind(usage, &binding, 1);
	advance("h", "p", 0, 3, 1, points);
	for (size_t i = 0, n = advance("h", "p", 1, 3, 1, points); i < n; i++)
		*(points[i].direction == DIRECTION_FORWARD ? &forward : &reverse) = points[i].point.gbps;
	cr_assert_float_eq(forward, 1, 1e-9);
	cr_assert_float_eq(reverse, 3, 1e-9);
}

Test(usage, with_both_ends_each_gives_what_it_sends) {
	struct usage_binding bindings[] = {{"L", "a", "p", END_A}, {"L", "z", "p", END_Z}};
	struct usage_point points[N_directions];
	size_t forward = 0, reverse = 0;

	usage_bind(usage, bindings, 2);
	for (uint64_t second = 0; second < 10; second++) {
		for (int end = 0; end < 2; end++) {
			size_t n = advance(end == 0 ? "a" : "z", "p", second, end == 0 ? 3 : 1,
			                   end == 0 ? 0.9 : 2.9, points);

			for (size_t i = 0; i < n && second > 1; i++) {
				bool is_forward = points[i].direction == DIRECTION_FORWARD;

				cr_assert_float_eq(points[i].point.gbps, is_forward ? 3 : 1, 1e-9);
				forward += is_forward;
				reverse += !is_forward;
			}
		}
	}
	cr_assert_eq(forward, 8, "each second once");
	cr_assert_eq(reverse, 8);
}

Test(usage, a_silent_far_end_is_replaced_by_what_the_near_end_receives) {
	struct usage_binding bindings[] = {{"L", "a", "p", END_A}, {"L", "z", "p", END_Z}};
	struct usage_point points[N_directions];

	usage_bind(usage, bindings, 2);
	for (uint64_t second = 0; second < 3; second++) {
		advance("a", "p", second, 3, 1, points);
		advance("z", "p", second, 1, 3, points);
	}
	cr_assert_eq(advance("a", "p", 3, 3, 1, points), 1, "z was heard a second ago");
	for (uint64_t second = 4; second < 7; second++)
		advance("a", "p", second, 3, 1, points);
	cr_assert_eq(advance("a", "p", 7, 3, 1, points), 2, "z has been silent for 5 s");
}

Test(usage, a_lag_is_the_sum_of_its_ports) {
	struct usage_binding bindings[] = {{"L", "h", "p0", END_A}, {"L", "h", "p1", END_A}};
	struct usage_point points[N_directions];

	usage_bind(usage, bindings, 2);
	advance("h", "p0", 0, 3, 0, points);
	advance("h", "p1", 0, 2, 0, points);
	cr_assert_eq(advance("h", "p0", 1, 3, 0, points), 0, "half a LAG is no answer");
	cr_assert_eq(advance("h", "p1", 1, 2, 0, points), 2);
	cr_assert_float_eq(points[0].point.gbps, 5, 1e-9);
}

Test(usage, a_lag_with_a_silent_member_gives_nothing) {
	struct usage_binding bindings[] = {{"L", "h", "p0", END_A}, {"L", "h", "p1", END_A}};
	struct usage_point points[N_directions];

	usage_bind(usage, bindings, 2);
	for (uint64_t second = 0; second < 10; second++)
		cr_assert_eq(advance("h", "p0", second, 3, 0, points), 0);
}

Test(usage, rows_that_are_missing_are_counted) {
	struct port_reading first = reading(3, 0, 0), later = reading(10, 7 * SECOND, 1000);
	struct usage_point points[N_directions];
	uint64_t missing = 99;
	size_t n;

	usage_advance(usage, "h", "p", &first, &missing, points, &n);
	cr_assert_eq(missing, 0);
	cr_assert_eq(usage_advance(usage, "h", "p", &later, &missing, points, &n), RATE_GAP);
	cr_assert_eq(missing, 6);
}

Test(usage, a_port_that_is_bound_nowhere_measures_nothing) {
	struct usage_point points[N_directions];

	advance("h", "p", 0, 1, 1, points);
	cr_assert_eq(advance("h", "p", 1, 1, 1, points), 0);
}

Test(usage, binding_anew_keeps_what_is_known_of_a_port) {
	struct usage_binding binding = {"L", "h", "p", END_A}, other = {"M", "h", "p", END_A};
	struct usage_point points[N_directions];

	usage_bind(usage, &binding, 1);
	advance("h", "p", 0, 1, 1, points);
	usage_bind(usage, &other, 1);
	cr_assert_eq(advance("h", "p", 1, 1, 1, points), 2);
	cr_assert_str_eq(points[0].link_id, "M");
}
