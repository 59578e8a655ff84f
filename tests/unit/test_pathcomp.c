// Paths in topologies small enough to see the answer.
// SPDX-License-Identifier: MIT
#include "pathcomp_fixture.h"

#include <errno.h>

#define NODES(A, B, C, D)                                                                                    \
	"{\"nodes\":[{\"id\":\"" A "\"},{\"id\":\"" B "\"},{\"id\":\"" C "\"},{\"id\":\"" D "\"}],"          \
	"\"links\":["
#define ABCD                 NODES("a", "b", "c", "d")
#define END                  "]}"
#define LINK(ID, A, Z, REST) "{\"id\":\"" ID "\",\"a\":\"" A "\",\"z\":\"" Z "\"" REST "}"
#define GBPS(TOTAL)          ",\"total_capacity_gbps\":" #TOTAL

// Asks once and compares; 'cost' unless said.
static void expect(struct fixture *fixture, const char *from, const char *to, double gbps,
                   enum path_metrics metric, const char *wanted) {
	const char *answer = fixture_ask(fixture, NULL, from, to, gbps, metric);

	cr_assert_str_eq(answer, wanted, "%s to %s with %g: %s, not %s", from, to, gbps, answer, wanted);
}

Test(pathcomp, least_cost_that_fits) {
	struct fixture f;

	fixture_open(&f,
	             ABCD LINK("ab", "a", "b", GBPS(10)) "," LINK("bd", "b", "d", GBPS(4)) "," LINK(
	                     "ac", "a", "c", GBPS(10) ",\"cost\":2") "," LINK("cd", "c", "d", GBPS(8)) END);
	expect(&f, "a", "d", 3, PATH_METRIC_COST, "ab bd");
	expect(&f, "a", "d", 5, PATH_METRIC_COST, "ac cd");
	expect(&f, "d", "a", 5, PATH_METRIC_COST, "cd' ac'");
	expect(&f, "a", "d", 9, PATH_METRIC_COST, "capacity: bd cd");
	fixture_close(&f);
}

Test(pathcomp, each_metric_has_its_own_shortest_path) {
	struct fixture f;

	fixture_open(
	        &f,
	        ABCD LINK("direct", "a", "d", GBPS(1) ",\"cost\":9,\"latency_ms\":9") "," LINK(
	                "ab", "a", "b",
	                GBPS(1) ",\"cost\":1,\"latency_ms\":5") "," LINK("bd", "b", "d",
	                                                                 GBPS(1) ",\"cost\":1,\"latency_ms\":"
	                                                                         "5") "," LINK("ac", "a", "c",
	                                                                                       GBPS(1) ",\"co"
	                                                                                               "st\":"
	                                                                                               "3,"
	                                                                                               "\"lat"
	                                                                                               "ency_"
	                                                                                               "ms\":"
	                                                                                               "1") "," LINK("cd",
	                                                                                                             "c",
	                                                                                                             "d",
	                                                                                                             GBPS(1) ",\"cost\":3,\"latency_ms\":1")
	                END);
	expect(&f, "a", "d", 1, PATH_METRIC_COST, "ab bd");
	expect(&f, "a", "d", 1, PATH_METRIC_LATENCY, "ac cd");
	expect(&f, "a", "d", 1, PATH_METRIC_HOPS, "direct");
	fixture_close(&f);
}

Test(pathcomp, ties_go_by_latency_then_hops_then_ids) {
	struct fixture f;

	// the same cost 2: two hops of latency 2 (ab bd), two of latency 3 (ac cd), one of latency 2 (far)
	fixture_open(
	        &f,
	        ABCD LINK("ab", "a", "b", GBPS(9) ",\"latency_ms\":1") "," LINK("bd", "b", "d", GBPS(9) ",\"latency_ms\":1") "," LINK(
	                "ac", "a", "c",
	                GBPS(5) ",\"latency_ms\":1") "," LINK("cd", "c", "d",
	                                                      GBPS(5) ",\"latency_ms\":2") "," LINK("far",
	                                                                                            "a", "d",
	                                                                                            GBPS(3) ",\"cost\":2,\"latency_ms\":2")
	                END);
	expect(&f, "a", "d", 1, PATH_METRIC_COST, "far");
	expect(&f, "a", "d", 4, PATH_METRIC_COST, "ab bd");
	fixture_close(&f);
}

Test(pathcomp, ids_are_compared_link_by_link_as_bytes) {
	struct fixture f;

	// "B" sorts before "a", "a10" before "a9", and the first link decides before the second
	fixture_open(&f, ABCD LINK("a9", "a", "b", GBPS(1)) "," LINK("a10", "a", "c", GBPS(1)) "," LINK(
	                         "x1", "b", "d", GBPS(1)) "," LINK("x2", "c", "d", GBPS(1)) END);
	expect(&f, "a", "d", 1, PATH_METRIC_COST, "a10 x2");
	expect(&f, "d", "a", 1, PATH_METRIC_COST, "x1' a9'");
	fixture_close(&f);
	fixture_open(&f, ABCD LINK("a", "a", "b", GBPS(1)) "," LINK("B", "a", "b", GBPS(1)) END);
	expect(&f, "a", "b", 1, PATH_METRIC_COST, "B");
	fixture_close(&f);
}

Test(pathcomp, a_longer_list_of_free_links_loses_to_fewer_hops) {
	struct fixture f;

	fixture_open(&f, ABCD LINK("a1", "a", "b", GBPS(1) ",\"cost\":0") "," LINK(
	                         "a2", "b", "c", GBPS(1) ",\"cost\":0") "," LINK("z", "a", "c",
	                                                                         GBPS(1) ",\"cost\":0") END);
	expect(&f, "a", "c", 1, PATH_METRIC_COST, "z");
	fixture_close(&f);
}

Test(pathcomp, costs_are_exact_micro_units) {
	struct fixture f;

	// 0.1 + 0.2 and 0.3 are the same cost: hops decide, not the last bit of a double
	fixture_open(&f,
	             ABCD LINK("ab", "a", "b", GBPS(1) ",\"cost\":0.1") "," LINK(
	                     "bc", "b", "c", GBPS(1) ",\"cost\":0.2") "," LINK("x", "a", "c",
	                                                                       GBPS(1) ",\"cost\":0.3") END);
	expect(&f, "a", "c", 1, PATH_METRIC_COST, "x");
	fixture_close(&f);
}

Test(pathcomp, a_unidirectional_link_has_no_reverse) {
	struct fixture f;

	fixture_open(&f, ABCD LINK("ab", "a", "b",
	                           GBPS(1) ",\"bidirectional\":false") "," LINK("cb", "c", "b", GBPS(1)) END);
	expect(&f, "a", "c", 1, PATH_METRIC_COST, "ab cb'");
	expect(&f, "c", "a", 1, PATH_METRIC_COST, "no_route:");
	expect(&f, "a", "d", 1, PATH_METRIC_COST, "no_route:");
	fixture_close(&f);
}

Test(pathcomp, each_direction_has_its_own_room) {
	struct fixture f;

	fixture_open(&f,
	             ABCD LINK("ab", "a", "b",
	                       GBPS(10) ",\"used_capacity_gbps\":8,\"used_capacity_reverse_gbps\":1") END);
	expect(&f, "b", "a", 9, PATH_METRIC_COST, "ab'");
	expect(&f, "a", "b", 9, PATH_METRIC_COST, "capacity: ab");
	expect(&f, "a", "b", 2, PATH_METRIC_COST, "ab");
	fixture_close(&f);
}

Test(pathcomp, parallel_links_are_chosen_one_by_one) {
	struct fixture f;

	fixture_open(&f,
	             ABCD LINK("p1", "a", "b", GBPS(1)) "," LINK("p2", "b", "a", GBPS(5) ",\"cost\":3") END);
	expect(&f, "a", "b", 1, PATH_METRIC_COST, "p1");
	expect(&f, "a", "b", 2, PATH_METRIC_COST, "p2'");
	expect(&f, "a", "b", 6, PATH_METRIC_COST, "capacity: p1 p2'");
	fixture_close(&f);
}

Test(pathcomp, equality_fits_whatever_the_doubles_say) {
	struct fixture f;

	// 0.3 - 0.1 is a bit less than 0.2 in doubles
	fixture_open(&f, ABCD LINK("ab", "a", "b", GBPS(0.3) ",\"used_capacity_gbps\":0.1") END);
	expect(&f, "a", "b", 0.2, PATH_METRIC_COST, "ab");
	expect(&f, "a", "b", 0.200000001, PATH_METRIC_COST, "capacity: ab");
	expect(&f, "a", "b", 0.1 + 0.1, PATH_METRIC_COST, "ab");
	fixture_close(&f);
}

Test(pathcomp, an_overloaded_link_has_less_than_nothing) {
	struct fixture f;

	fixture_open(&f, ABCD LINK("ab", "a", "b", GBPS(10) ",\"used_capacity_gbps\":12") END);
	expect(&f, "a", "b", 0, PATH_METRIC_COST, "capacity: ab");
	fixture_close(&f);
}

Test(pathcomp, links_that_are_down_carry_nothing) {
	struct fixture f;

	fixture_open(&f, ABCD LINK("ab", "a", "b", GBPS(10) ",\"admin_up\":false") "," LINK(
	                         "ac", "a", "c", GBPS(10)) "," LINK("cb", "c", "b", GBPS(10)) END);
	expect(&f, "a", "b", 1, PATH_METRIC_COST, "ac cb");
	f.capacities[fixture_arc(&f, "cb", DIRECTION_FORWARD)].state = STATE_DOWN;
	expect(&f, "a", "b", 1, PATH_METRIC_COST, "down: ab cb");
	f.policy = UNKNOWN_ALLOW;
	expect(&f, "a", "b", 1, PATH_METRIC_COST, "down: ab cb");
	fixture_close(&f);
}

Test(pathcomp, blocked_for_capacity_when_links_that_are_up_make_a_route) {
	struct fixture f;

	fixture_open(&f, ABCD LINK("down", "a", "b",
	                           GBPS(10) ",\"admin_up\":false") "," LINK("thin", "a", "b", GBPS(1)) END);
	expect(&f, "a", "b", 5, PATH_METRIC_COST, "capacity: down thin");
	fixture_close(&f);
}

Test(pathcomp, the_cut_leaves_out_what_leads_nowhere) {
	struct fixture f;

	// c is a dead end behind a thin link: no upgrade of it would help
	fixture_open(&f, ABCD LINK("ab", "a", "b", GBPS(10)) "," LINK("ac", "a", "c", GBPS(1)) "," LINK(
	                         "bd", "b", "d", GBPS(1)) END);
	expect(&f, "a", "d", 5, PATH_METRIC_COST, "capacity: bd");
	fixture_close(&f);
}

Test(pathcomp, the_cut_of_fewer_links_is_shown) {
	struct fixture f;

	// at the source two thin links, at the target one
	fixture_open(&f, ABCD LINK("ab", "a", "b", GBPS(1)) "," LINK("ac", "a", "c", GBPS(1)) "," LINK(
	                         "bc", "b", "c", GBPS(9)) "," LINK("cd", "c", "d", GBPS(1)) END);
	expect(&f, "a", "d", 5, PATH_METRIC_COST, "capacity: cd");
	expect(&f, "d", "a", 5, PATH_METRIC_COST, "capacity: cd'");
	fixture_close(&f);
}

Test(pathcomp, sums_of_a_path_are_told) {
	CLEANUP(pathcomp_room_freep) struct pathcomp_room *room = NULL;
	CLEANUP(pathcomp_path_fini) struct pathcomp_path path = {0};
	struct pathcomp_request request = {.gbps = 1};
	struct fixture f;

	fixture_open(&f, ABCD LINK("ab", "a", "b", GBPS(10) ",\"cost\":1.5,\"latency_ms\":0.25") "," LINK(
	                         "bc", "b", "c", GBPS(4) ",\"used_capacity_gbps\":1.5") END);
	request.from = fixture_node(&f, "a");
	request.to = fixture_node(&f, "c");
	cr_assert_eq(pathcomp_room_new(f.graph, f.capacities, f.window, UNKNOWN_CURRENT, NULL, &room), 0);
	cr_assert_eq(pathcomp_search_shortest(f.search, room, &request, &path), 0);
	cr_assert_eq(path.n_arcs, 2);
	cr_assert_eq(path.cost_micro, 2500000);
	cr_assert_eq(path.latency_ns, 250000);
	cr_assert_eq(path.bottleneck_bps, INT64_C(2500000000));
	cr_assert_eq(pathcomp_arc_from(f.graph, path.arcs[1]), fixture_node(&f, "b"));
	cr_assert_eq(pathcomp_arc_to(f.graph, path.arcs[1]), fixture_node(&f, "c"));
	fixture_close(&f);
}

Test(pathcomp, from_a_node_to_itself_is_the_empty_path) {
	struct fixture f;

	fixture_open(&f, ABCD LINK("ab", "a", "b", GBPS(1)) END);
	expect(&f, "a", "a", 5, PATH_METRIC_COST, "");
	fixture_close(&f);
}

// A row of nodes: its ends are as far apart as its links add up to.
Test(pathcomp, costs_too_large_to_add_up_are_refused) {
	struct pathcomp_graph *graph = NULL;
	struct status status = {0};
	struct node nodes[3001] = {0};
	struct link links[3000] = {0};
	char node_ids[3001][8], link_ids[3000][8];
	struct topology topology = {.nodes = nodes, .n_nodes = 3001, .links = links, .n_links = 3000};

	for (size_t i = 0; i < 3001; i++) {
		snprintf(node_ids[i], sizeof(node_ids[i]), "n%zu", i);
		nodes[i].id = node_ids[i];
	}
	for (size_t i = 0; i < 3000; i++) {
		snprintf(link_ids[i], sizeof(link_ids[i]), "l%zu", i);
		links[i] = (struct link){.id = link_ids[i], .a = node_ids[i], .z = node_ids[i + 1]};
		links[i].cost = i % 2 == 0 ? 1e9 : 1e9 - 1e-6;
	}
	cr_assert_eq(pathcomp_graph_new(&topology, &graph, &status), -EINVAL);
	cr_assert(strstr(status.message, "costs") != NULL, "%s", status.message);
	for (size_t i = 0; i < 3000; i++)
		SET(&links[i], link, latency_ms, 1e9 - (i % 2 == 0 ? 0 : 1e-6)), links[i].cost = 1;
	cr_assert_eq(pathcomp_graph_new(&topology, &graph, &status), -EINVAL);
	cr_assert(strstr(status.message, "latencies") != NULL, "%s", status.message);
	topology.n_links = 10;
	topology.n_nodes = 11;
	cr_assert_eq(pathcomp_graph_new(&topology, &graph, &status), 0);
	cr_assert_eq(pathcomp_graph_components(graph), 1);
	pathcomp_graph_free(graph);
}
