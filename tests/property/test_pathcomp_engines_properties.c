// However much a search knows beforehand, it answers alike: a new search in a graph that was not prepared against one
// that was asked often, about rooms that change.
// SPDX-License-Identifier: MIT
#include "pathcomp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define NODES_MAX 1300
#define LINKS_MAX 2900
#define ROUNDS    1500

static uint64_t state;

static uint64_t draw_below(uint64_t n) {
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * UINT64_C(0x2545F4914F6CDD1D)) % n;
}

struct world {
	struct node nodes[NODES_MAX];
	struct link links[LINKS_MAX];
	struct pathcomp_capacity capacities[2 * LINKS_MAX];
	char ids[NODES_MAX + LINKS_MAX][8];
	struct topology topology;
	struct pathcomp_graph *plain, *prepared;
	struct pathcomp_room *plain_room, *room;
	struct pathcomp_search *experienced;
};

// A ring with chords, as networks of operators are; small whole costs make ties. Some links are so long that lengths
// don't fit in 64 bits when 'wide'.
static void draw_world(struct world *w, size_t n_nodes, size_t n_links, bool wide) {
	memset(w, 0, sizeof(*w));
	for (size_t i = 0; i < n_nodes + n_links; i++)
		snprintf(w->ids[i], sizeof(w->ids[i]), "%c%zu", i < n_nodes ? 'n' : 'l', i * 401 % 10007);
	for (size_t i = 0; i < n_nodes; i++)
		w->nodes[i].id = w->ids[i];
	for (size_t i = 0; i < n_links; i++) {
		size_t a = i < n_nodes ? i : draw_below(n_nodes),
		       z = (a + 1 + (i < n_nodes ? 0 : draw_below(20))) % n_nodes;
		struct link *link = &w->links[i];

		*link = (struct link){.id = w->ids[n_nodes + i], .a = w->ids[a], .z = w->ids[z]};
		link->bidirectional = draw_below(9) > 0;
		link->cost = (double)draw_below(4);
		if (wide && draw_below(50) == 0)
			link->cost = 1e6 + 1e-6;
		SET(link, link, latency_ms, wide && draw_below(50) == 0 ? 1e6 + 1e-6 : (double)draw_below(3));
		for (size_t d = 0; d < 2; d++)
			w->capacities[2 * i + d] =
			        (struct pathcomp_capacity){.total_gbps = (double)(1 + draw_below(9)),
			                                   .forecast_gbps = NAN,
			                                   .state = STATE_UP};
	}
	w->topology = (struct topology){
	        .nodes = w->nodes, .n_nodes = n_nodes, .links = w->links, .n_links = n_links};
}

static void open_world(struct world *w) {
	const struct pathcomp_window window = {0, 1};

	cr_assert_eq(pathcomp_graph_new(&w->topology, &w->plain, NULL), 0);
	cr_assert_eq(pathcomp_graph_new(&w->topology, &w->prepared, NULL), 0);
	for (int metric = 0; metric < N_path_metrics; metric++)
		cr_assert_eq(pathcomp_graph_prepare(w->prepared, (enum path_metrics)metric), 0);
	cr_assert_eq(
	        pathcomp_room_new(w->plain, w->capacities, window, UNKNOWN_CURRENT, NULL, &w->plain_room), 0);
	cr_assert_eq(pathcomp_room_new(w->prepared, w->capacities, window, UNKNOWN_CURRENT, NULL, &w->room),
	             0);
	cr_assert_eq(pathcomp_search_new(w->prepared, &w->experienced), 0);
}

static void close_world(struct world *w) {
	pathcomp_search_free(w->experienced);
	pathcomp_room_free(w->room);
	pathcomp_room_free(w->plain_room);
	pathcomp_graph_free(w->prepared);
	pathcomp_graph_free(w->plain);
}

static void change_room(struct world *w) {
	uint32_t arc = (uint32_t)draw_below(2 * w->topology.n_links);

	w->capacities[arc].total_gbps = (double)(1 + draw_below(9));
	pathcomp_room_refresh(w->room, arc);
	pathcomp_room_refresh(w->plain_room, arc);
}

static void expect_same_path(const struct pathcomp_path *left, const struct pathcomp_path *right, int round) {
	cr_assert_eq(left->n_arcs, right->n_arcs, "round %d: %zu and %zu hops", round, left->n_arcs,
	             right->n_arcs);
	cr_assert_eq(memcmp(left->arcs, right->arcs, left->n_arcs * sizeof(*left->arcs)), 0, "round %d",
	             round);
	cr_assert_eq(left->cost_micro, right->cost_micro, "round %d", round);
	cr_assert_eq(left->latency_ns, right->latency_ns, "round %d", round);
	cr_assert_eq(left->bottleneck_bps, right->bottleneck_bps, "round %d", round);
}

static int ask(struct pathcomp_search *search, const struct pathcomp_room *room,
               const struct pathcomp_request *request, int question, struct pathcomp_paths *ret) {
	int rc;

	if (question == 1)
		return pathcomp_search_several(search, room, request, 4, ret);
	if (question >= 2)
		return pathcomp_search_disjoint(search, room, request,
		                                question == 2 ? DISJOINT_LINK : DISJOINT_NODE, ret);
	ret->list = calloc(1, sizeof(*ret->list));
	cr_assert_not_null(ret->list);
	rc = pathcomp_search_shortest(search, room, request, &ret->list[0]);
	ret->n = rc == 0 ? 1 : 0;
	return rc;
}

static size_t check_round(struct world *w, enum path_metrics metric, int least_gbps, int round) {
	CLEANUP(pathcomp_search_freep) struct pathcomp_search *fresh = NULL;
	CLEANUP(pathcomp_paths_fini) struct pathcomp_paths left = {0}, right = {0};
	uint32_t n_nodes = (uint32_t)w->topology.n_nodes;
	const struct pathcomp_request request = {(uint32_t)draw_below(n_nodes), (uint32_t)draw_below(n_nodes),
	                                         (double)(least_gbps + round / 50 % 3), metric, NULL};
	int question = (int)(draw_below(6) < 3 ? 0 : draw_below(4)), rc;

	if (question > 0 && request.from == request.to)
		return 0;
	cr_assert_eq(pathcomp_search_new(w->plain, &fresh), 0);
	rc = ask(fresh, w->plain_room, &request, question, &left);
	cr_assert_eq(ask(w->experienced, w->room, &request, question, &right), rc, "round %d", round);
	cr_assert_eq(left.n, right.n, "round %d", round);
	for (size_t i = 0; i < left.n; i++)
		expect_same_path(&left.list[i], &right.list[i], round);
	return rc == 0;
}

static void check(size_t n_nodes, size_t n_links, int least_gbps, bool wide) {
	static struct world w;
	size_t n_found = 0;

	for (int metric = 0; metric < N_path_metrics; metric++) {
		draw_world(&w, n_nodes, n_links, wide);
		open_world(&w);
		for (int round = 0; round < ROUNDS; round++) {
			if (round % 300 == 299)
				change_room(&w);
			n_found += check_round(&w, (enum path_metrics)metric, least_gbps, round);
		}
		close_world(&w);
	}
	cr_assert(n_found > ROUNDS / 3 && n_found < ROUNDS * 14 / 5, "%zu found: a lopsided test", n_found);
}

Test(pathcomp_engines, experience_changes_no_answer_in_a_small_graph) {
	state = 31;
	check(30, 55, 2, false);
	check(30, 55, 2, true);
}

Test(pathcomp_engines, experience_changes_no_answer_in_a_sparse_graph) {
	state = 32;
	check(400, 600, 2, false);
	check(400, 600, 2, true);
}

Test(pathcomp_engines, experience_changes_no_answer_in_a_dense_graph) {
	state = 33;
	check(150, 600, 6, false);
}

// Too large for a table, too dense to be contracted: by landmarks.
Test(pathcomp_engines, experience_changes_no_answer_in_a_large_graph) {
	state = 34;
	check(NODES_MAX, LINKS_MAX, 4, false);
	check(NODES_MAX, LINKS_MAX, 4, true);
}
