// What is free on a link: policies for what isn't known, forecasts over a window, and what a batch took.
// SPDX-License-Identifier: MIT
#include "pathcomp_fixture.h"

#include <criterion/parameterized.h>

#define ONE_LINK                                                                                             \
	"{\"nodes\":[{\"id\":\"a\"},{\"id\":\"b\"}],\"links\":[{\"id\":\"ab\",\"a\":\"a\",\"z\":\"b\"}]}"

static struct pathcomp_view view_of(struct fixture *fixture, const struct pathcomp_ledger *ledger) {
	CLEANUP(pathcomp_room_freep) struct pathcomp_room *room = NULL;

	cr_assert_eq(pathcomp_room_new(fixture->graph, fixture->capacities, fixture->window, fixture->policy,
	                               ledger, &room),
	             0);
	return pathcomp_room_view(room, 0);
}

struct policy_case {
	char what[40];
	struct pathcomp_capacity capacity;
	double refuse, current, allow; // available Gbps; NAN: refused; INFINITY: unlimited
};

ParameterizedTestParameters(room, policies_say_what_the_unknown_is_worth) {
	static struct policy_case cases[] = {
	        {"known", {10, 4, NAN, 0, NULL, 0, STATE_UP}, 6, 6, 6},
	        {"known, with forecast", {10, 4, 7, 0, NULL, 0, STATE_UP}, 3, 3, 3},
	        {"forecast above the total", {10, 4, 12, 0, NULL, 0, STATE_UP}, -2, -2, -2},
	        {"reserved", {10, 4, 7, 2, NULL, 0, STATE_UP}, 1, 1, 1},
	        {"idle", {10, 0, 0, 0, NULL, 0, STATE_UP}, 10, 10, 10},
	        {"no total", {NAN, 4, NAN, 0, NULL, 0, STATE_UP}, NAN, NAN, INFINITY},
	        {"no total, with forecast", {NAN, 4, 7, 0, NULL, 0, STATE_UP}, NAN, NAN, INFINITY},
	        {"stale", {10, 4, 7, 0, NULL, 0, STATE_STALE}, NAN, 6, 3},
	        {"stale, no forecast", {10, 4, NAN, 0, NULL, 0, STATE_STALE}, NAN, 6, 6},
	        {"no data", {10, NAN, NAN, 0, NULL, 0, STATE_UP}, NAN, 10, 10},
	        {"state unknown", {10, 4, NAN, 0, NULL, 0, STATE_UNKNOWN}, NAN, 6, 6},
	        {"no data, but a forecast", {10, NAN, 3, 0, NULL, 0, STATE_UP}, 7, 7, 7},
	        {"down", {10, 0, 0, 0, NULL, 0, STATE_DOWN}, NAN, NAN, NAN},
	        {"admin down", {10, 0, 0, 0, NULL, 0, STATE_ADMIN_DOWN}, NAN, NAN, NAN},
	        {"down and unknown", {NAN, NAN, NAN, 0, NULL, 0, STATE_DOWN}, NAN, NAN, NAN},
	};
	return cr_make_param_array(struct policy_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct policy_case *c, room, policies_say_what_the_unknown_is_worth) {
	const double wanted[N_unknown_policies] = {
	        [UNKNOWN_REFUSE] = c->refuse, [UNKNOWN_CURRENT] = c->current, [UNKNOWN_ALLOW] = c->allow};
	struct fixture f;

	fixture_open(&f, ONE_LINK);
	f.capacities[0] = c->capacity;
	for (int policy = 0; policy < N_unknown_policies; policy++) {
		struct pathcomp_view view;

		f.policy = (enum unknown_policies)policy;
		view = view_of(&f, NULL);
		cr_expect_eq(view.refusal != PATHCOMP_USABLE, isnan(wanted[policy]),
		             "%s, policy %d: refusal %d", c->what, policy, view.refusal);
		if (isnan(wanted[policy]))
			continue;
		cr_expect_eq(view.available_bps,
		             isinf(wanted[policy]) ? PATHCOMP_UNLIMITED : pathcomp_bps(wanted[policy]),
		             "%s, policy %d", c->what, policy);
	}
	fixture_close(&f);
}

Test(room, unlimited_links_do_not_narrow_a_path) {
	struct fixture f;

	fixture_open(&f, ONE_LINK);
	f.policy = UNKNOWN_ALLOW;
	cr_assert_str_eq(fixture_ask(&f, NULL, "a", "b", 1e6, PATH_METRIC_COST), "ab");
	f.policy = UNKNOWN_CURRENT;
	cr_assert_str_eq(fixture_ask(&f, NULL, "a", "b", 0, PATH_METRIC_COST), "capacity: ab");
	fixture_close(&f);
}

static struct band_point band[] = {{1250, 2, 1, 3}, {1500, 5, 4, 7}, {1750, 3, 2, 4}, {2000, 2, 1, 3}};

static void give_band(struct fixture *f) {
	f->capacities[0] = (struct pathcomp_capacity){10, 1, 7, 0, band, 4, STATE_UP};
}

Test(room, the_highest_point_of_the_band_is_the_worst_moment) {
	struct pathcomp_view view;
	struct fixture f;

	fixture_open(&f, ONE_LINK);
	give_band(&f);
	view = view_of(&f, NULL);
	cr_assert_eq(view.available_bps, pathcomp_bps(3));
	cr_assert_eq(view.worst_ns, 1500);
	cr_assert(view.forecast);
	f.capacities[0].forecast_gbps = 8; // an answer for the peak above the band counts
	cr_assert_eq(view_of(&f, NULL).available_bps, pathcomp_bps(2));
	fixture_close(&f);
}

Test(room, without_a_band_no_moment_is_worst) {
	struct fixture f;

	fixture_open(&f, ONE_LINK);
	f.capacities[0] = (struct pathcomp_capacity){10, 1, 7, 0, NULL, 0, STATE_UP};
	cr_assert_eq(view_of(&f, NULL).worst_ns, 0);
	cr_assert_eq(view_of(&f, NULL).available_bps, pathcomp_bps(3));
	fixture_close(&f);
}

Test(room, what_was_taken_counts_when_it_is_there) {
	CLEANUP(pathcomp_ledger_freep) struct pathcomp_ledger *ledger = NULL;
	struct pathcomp_view view;
	struct fixture f;

	fixture_open(&f, ONE_LINK);
	give_band(&f);
	cr_assert_eq(pathcomp_ledger_new(f.graph, &ledger), 0);
	// beside the peak of the forecast: the sum of both is what counts, moment by moment
	cr_assert_eq(pathcomp_ledger_add(ledger, 0, (struct pathcomp_window){1750, 2000}, 5), 0);
	view = view_of(&f, ledger);
	cr_assert_eq(view.available_bps, pathcomp_bps(10 - 3 - 5));
	cr_assert_eq(view.worst_ns, 2000);
	cr_assert_eq(view.held_bps, pathcomp_bps(5));
	// before and after the window: nothing
	cr_assert_eq(pathcomp_ledger_add(ledger, 0, (struct pathcomp_window){0, 1000}, 9), 0);
	cr_assert_eq(pathcomp_ledger_add(ledger, 0, (struct pathcomp_window){2000, 3000}, 9), 0);
	cr_assert_eq(view_of(&f, ledger).available_bps, pathcomp_bps(2));
	// the other direction: nothing either
	cr_assert_eq(pathcomp_ledger_add(ledger, 1, f.window, 9), 0);
	cr_assert_eq(view_of(&f, ledger).available_bps, pathcomp_bps(2));
	fixture_close(&f);
}

Test(room, holds_that_do_not_meet_do_not_add_up) {
	CLEANUP(pathcomp_ledger_freep) struct pathcomp_ledger *ledger = NULL;
	struct fixture f;

	fixture_open(&f, ONE_LINK);
	f.capacities[0] = (struct pathcomp_capacity){10, 1, NAN, 0, NULL, 0, STATE_UP};
	cr_assert_eq(pathcomp_ledger_new(f.graph, &ledger), 0);
	cr_assert_eq(pathcomp_ledger_add(ledger, 0, (struct pathcomp_window){900, 1200}, 4), 0);
	cr_assert_eq(pathcomp_ledger_add(ledger, 0, (struct pathcomp_window){1200, 1500}, 5), 0);
	cr_assert_eq(view_of(&f, ledger).available_bps, pathcomp_bps(4));
	cr_assert_eq(pathcomp_ledger_add(ledger, 0, (struct pathcomp_window){1199, 1300}, 1), 0);
	cr_assert_eq(view_of(&f, ledger).available_bps, pathcomp_bps(3));
	fixture_close(&f);
}

Test(room, a_refreshed_arc_sees_what_was_taken) {
	CLEANUP(pathcomp_ledger_freep) struct pathcomp_ledger *ledger = NULL;
	CLEANUP(pathcomp_room_freep) struct pathcomp_room *room = NULL;
	CLEANUP(pathcomp_path_fini) struct pathcomp_path path = {0};
	const struct pathcomp_request request = {0, 1, 6, PATH_METRIC_COST, NULL};
	struct fixture f;

	fixture_open(&f, ONE_LINK);
	f.capacities[0] = (struct pathcomp_capacity){10, 0, NAN, 0, NULL, 0, STATE_UP};
	cr_assert_eq(pathcomp_ledger_new(f.graph, &ledger), 0);
	cr_assert_eq(pathcomp_room_new(f.graph, f.capacities, f.window, f.policy, ledger, &room), 0);
	cr_assert_eq(pathcomp_search_shortest(f.search, room, &request, &path), 0);
	cr_assert_eq(pathcomp_ledger_add(ledger, path.arcs[0], f.window, 6), 0);
	pathcomp_room_refresh(room, path.arcs[0]);
	cr_assert_eq(pathcomp_search_shortest(f.search, room, &request, &path), 1);
	fixture_close(&f);
}

Test(room, capacities_beyond_all_reason_stay_comparable) {
	cr_assert_eq(pathcomp_bps(1e300), PATHCOMP_BPS_MAX);
	cr_assert_eq(pathcomp_bps(INFINITY), PATHCOMP_BPS_MAX);
	cr_assert_eq(pathcomp_bps(-1e300), -PATHCOMP_BPS_MAX);
	cr_assert_eq(pathcomp_bps(NAN), 0);
	cr_assert_eq(pathcomp_bps(0.3), 300000000);
}
