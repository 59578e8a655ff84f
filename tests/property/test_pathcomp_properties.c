// Random small topologies against the enumeration of all their paths.
// SPDX-License-Identifier: MIT
#include "pathcomp_world.h"

#define ROUNDS 1500
// ---- the oracle: every path without loops

struct candidate {
	int n;
	uint32_t arcs[MAX_NODES];
	double metric, latency, narrowest;
};

struct enumeration {
	const struct world *w;
	double demand; // arcs with less are not taken
	bool found;
	struct candidate best;
	double widest;
};

static bool arc_ends(const struct world *w, uint32_t arc, const char **from, const char **to) {
	const struct link *link = &w->links[arc / 2];

	*from = arc % 2 == 0 ? link->a : link->z;
	*to = arc % 2 == 0 ? link->z : link->a;
	return arc % 2 == 0 || link->bidirectional;
}

// -INFINITY when it carries nothing at all
static double arc_room(const struct world *w, uint32_t arc) {
	const struct pathcomp_capacity *capacity = &w->capacities[arc];

	if (capacity->state == STATE_DOWN || isnan(capacity->total_gbps))
		return -INFINITY;
	return capacity->total_gbps - capacity->current_gbps;
}

static int compare_ids(const struct world *w, const struct candidate *l, const struct candidate *r) {
	for (int i = 0; i < l->n && i < r->n; i++) {
		int difference = strcmp(w->links[l->arcs[i] / 2].id, w->links[r->arcs[i] / 2].id);

		if (difference != 0)
			return difference;
	}
	return l->n - r->n;
}

static bool is_better(const struct world *w, const struct candidate *l, const struct candidate *r) {
	if (l->metric != r->metric)
		return l->metric < r->metric;
	if (l->latency != r->latency)
		return l->latency < r->latency;
	if (l->n != r->n)
		return l->n < r->n;
	return compare_ids(w, l, r) < 0;
}

static void enumerate(struct enumeration *e, const char *at, unsigned visited,
                      const struct candidate *so_far) {
	const struct world *w = e->w;

	if (strcmp(at, w->node_ids[1]) == 0) {
		if (!e->found || is_better(w, so_far, &e->best))
			e->best = *so_far;
		e->found = true;
		e->widest = fmax(e->widest, so_far->narrowest);
		return;
	}
	for (uint32_t arc = 0; arc < 2 * w->topology.n_links; arc++) {
		struct candidate next = *so_far;
		const char *from, *to;
		double latency = w->links[arc / 2].latency_ms;
		size_t index = 0;

		if (!arc_ends(w, arc, &from, &to) || strcmp(from, at) != 0 || arc_room(w, arc) < e->demand)
			continue;
		while (strcmp(w->nodes[index].id, to) != 0)
			index++;
		if (visited & 1U << index)
			continue;
		next.arcs[next.n++] = arc;
		next.latency += latency;
		next.metric += w->request.metric == PATH_METRIC_COST      ? w->links[arc / 2].cost
		               : w->request.metric == PATH_METRIC_LATENCY ? latency
		                                                          : 1;
		next.narrowest = fmin(next.narrowest, arc_room(w, arc));
		enumerate(e, to, visited | 1U << index, &next);
	}
}

static struct enumeration all_paths(const struct world *w, double demand) {
	struct enumeration e = {.w = w, .demand = demand, .widest = -INFINITY};

	enumerate(&e, w->nodes[0].id, 1U, &(struct candidate){.narrowest = INFINITY});
	return e;
}

static uint64_t metric_of(const struct world *w, const struct pathcomp_path *path) {
	return w->request.metric == PATH_METRIC_COST      ? path->cost_micro
	       : w->request.metric == PATH_METRIC_LATENCY ? path->latency_ns
	                                                  : path->n_arcs * 1000000;
}

// ---- properties

Test(pathcomp_properties, the_answer_is_the_best_of_all_paths) {
	size_t n_found = 0;

	state = 1;
	for (int round = 0; round < ROUNDS; round++) {
		struct pathcomp_path path = {0};
		struct world w;
		struct enumeration e;
		int rc;

		world_init(&w);
		e = all_paths(&w, w.request.gbps);
		rc = pathcomp_search_shortest(w.search, w.room, &w.request, &path);
		cr_assert_eq(rc, e.found ? 0 : 1, "round %d", round);
		if (rc == 0) {
			n_found++;
			cr_assert_eq(metric_of(&w, &path), (uint64_t)(e.best.metric * 1e6), "round %d",
			             round);
			cr_assert_eq(path.latency_ns, (uint64_t)(e.best.latency * 1e6), "round %d", round);
			cr_assert_eq(path.n_arcs, (size_t)e.best.n, "round %d", round);
			cr_assert_eq(memcmp(path.arcs, e.best.arcs, path.n_arcs * sizeof(*path.arcs)), 0,
			             "round %d: not the least list of ids", round);
			cr_assert_eq(path.bottleneck_bps, pathcomp_bps(e.best.narrowest));
		}
		pathcomp_path_fini(&path);
		world_fini(&w);
	}
	cr_assert(n_found > ROUNDS / 10 && n_found < ROUNDS * 9 / 10, "%zu found: a lopsided test", n_found);
}

Test(pathcomp_properties, blocked_exactly_when_the_widest_path_is_narrower) {
	state = 2;
	for (int round = 0; round < ROUNDS; round++) {
		struct pathcomp_path path = {0};
		struct world w;
		double widest;
		int rc;

		world_init(&w);
		widest = all_paths(&w, -1e9).widest;
		rc = pathcomp_search_shortest(w.search, w.room, &w.request, &path);
		cr_assert_eq(rc == 1, widest < w.request.gbps, "round %d: widest %g, demand %g", round,
		             widest, w.request.gbps);
		pathcomp_path_fini(&path);
		world_fini(&w);
	}
}

Test(pathcomp_properties, more_demand_never_shortens) {
	state = 3;
	for (int round = 0; round < ROUNDS; round++) {
		struct world w;
		uint64_t least = 0;

		world_init(&w);
		for (int demand = 0; demand < 6; demand++) {
			struct pathcomp_path path = {0};

			w.request.gbps = demand;
			if (pathcomp_search_shortest(w.search, w.room, &w.request, &path) == 1) {
				least = UINT64_MAX;
				continue;
			}
			cr_assert_geq(metric_of(&w, &path), least, "round %d, demand %d", round, demand);
			least = metric_of(&w, &path);
			pathcomp_path_fini(&path);
		}
		world_fini(&w);
	}
}

// The same world with nodes and links in another order.
static void shuffle(const struct world *w, struct world *ret) {
	size_t n_nodes = w->topology.n_nodes, n_links = w->topology.n_links;

	*ret = *w;
	ret->topology.nodes = ret->nodes;
	ret->topology.links = ret->links;
	for (size_t i = n_nodes; i > 1; i--) {
		size_t j = draw_below(i);
		struct node node = ret->nodes[i - 1];

		ret->nodes[i - 1] = ret->nodes[j];
		ret->nodes[j] = node;
	}
	for (size_t i = n_links; i > 1; i--) {
		size_t j = draw_below(i), size = 2 * sizeof(ret->capacities[0]);
		struct link link = ret->links[i - 1];
		struct pathcomp_capacity pair[2];

		ret->links[i - 1] = ret->links[j];
		ret->links[j] = link;
		memcpy(pair, &ret->capacities[2 * (i - 1)], size);
		memmove(&ret->capacities[2 * (i - 1)], &ret->capacities[2 * j], size);
		memcpy(&ret->capacities[2 * j], pair, size);
	}
	world_build(ret);
	(void)pathcomp_graph_find_node(ret->graph, w->node_ids[0], &ret->request.from);
	(void)pathcomp_graph_find_node(ret->graph, w->node_ids[1], &ret->request.to);
}

static void expect_same_links(const struct world *l, const uint32_t *left, size_t n_left,
                              const struct world *r, const uint32_t *right, size_t n_right, int round) {
	cr_assert_eq(n_left, n_right, "round %d", round);
	for (size_t i = 0; i < n_left; i++) {
		cr_assert_str_eq(l->links[left[i] / 2].id, r->links[right[i] / 2].id, "round %d", round);
		cr_assert_eq(left[i] % 2, right[i] % 2, "round %d", round);
	}
}

static void expect_same_pairs(const struct world *w, const struct world *shuffled, int round) {
	for (int kind = 0; kind < N_disjoint_kinds; kind++) {
		struct pathcomp_paths left = {0}, right = {0};
		int rc = pathcomp_search_disjoint(w->search, w->room, &w->request, (enum disjoint_kinds)kind,
		                                  &left);

		cr_assert_eq(pathcomp_search_disjoint(shuffled->search, shuffled->room, &shuffled->request,
		                                      (enum disjoint_kinds)kind, &right),
		             rc, "round %d", round);
		for (size_t i = 0; i < left.n; i++)
			expect_same_links(w, left.list[i].arcs, left.list[i].n_arcs, shuffled,
			                  right.list[i].arcs, right.list[i].n_arcs, round);
		pathcomp_paths_fini(&left);
		pathcomp_paths_fini(&right);
	}
}

Test(pathcomp_properties, the_order_of_the_input_changes_nothing) {
	state = 4;
	for (int round = 0; round < ROUNDS; round++) {
		struct pathcomp_path left = {0}, right = {0};
		struct pathcomp_block why = {0}, why_too = {0};
		struct world w, shuffled;
		int rc;

		world_init(&w);
		shuffle(&w, &shuffled);
		rc = pathcomp_search_shortest(w.search, w.room, &w.request, &left);
		cr_assert_eq(
		        pathcomp_search_shortest(shuffled.search, shuffled.room, &shuffled.request, &right),
		        rc);
		expect_same_links(&w, left.arcs, left.n_arcs, &shuffled, right.arcs, right.n_arcs, round);
		if (rc == 1) {
			cr_assert_eq(pathcomp_explain(w.search, w.room, &w.request, -1, &why), 0);
			cr_assert_eq(pathcomp_explain(shuffled.search, shuffled.room, &shuffled.request, -1,
			                              &why_too),
			             0);
			cr_assert_eq(why.reason, why_too.reason);
			expect_same_links(&w, why.cut, why.n_cut, &shuffled, why_too.cut, why_too.n_cut,
			                  round);
		}
		expect_same_pairs(&w, &shuffled, round);
		pathcomp_block_fini(&why);
		pathcomp_block_fini(&why_too);
		pathcomp_path_fini(&left);
		pathcomp_path_fini(&right);
		world_fini(&w);
		world_fini(&shuffled);
	}
}

// Is there a route when every arc is wide open, save those of the cut ('but' is open all the same)?
static bool connects_without(struct world *w, const struct pathcomp_block *block, size_t but) {
	struct pathcomp_capacity saved[2 * MAX_LINKS + 2];
	bool found;

	memcpy(saved, w->capacities, sizeof(saved));
	for (size_t arc = 0; arc < 2 * w->topology.n_links; arc++)
		w->capacities[arc] = (struct pathcomp_capacity){.total_gbps = 100, .state = STATE_UP};
	for (size_t i = 0; i < block->n_cut; i++) {
		if (i != but)
			w->capacities[block->cut[i]].state = STATE_DOWN;
	}
	found = all_paths(w, 50).found;
	memcpy(w->capacities, saved, sizeof(saved));
	return found;
}

Test(pathcomp_properties, the_cut_is_a_cut_without_a_link_too_many) {
	size_t n_cuts = 0;

	state = 5;
	for (int round = 0; round < ROUNDS; round++) {
		struct pathcomp_block block = {0}, none = {0};
		struct pathcomp_path path = {0};
		struct world w;

		world_init(&w);
		if (pathcomp_search_shortest(w.search, w.room, &w.request, &path) == 1) {
			cr_assert_eq(pathcomp_explain(w.search, w.room, &w.request, -1, &block), 0);
			cr_assert_eq(block.reason == BLOCK_REASON_NO_ROUTE,
			             !connects_without(&w, &none, SIZE_MAX), "round %d", round);
			cr_assert_eq(block.reason == BLOCK_REASON_NO_ROUTE, block.n_cut == 0, "round %d",
			             round);
			cr_assert_not(connects_without(&w, &block, SIZE_MAX), "round %d: a way around",
			              round);
			for (size_t i = 0; i < block.n_cut; i++) {
				cr_assert_lt(arc_room(&w, block.cut[i]), w.request.gbps, "round %d", round);
				cr_assert(connects_without(&w, &block, i), "round %d: one too many", round);
			}
			n_cuts += block.n_cut > 1;
		}
		pathcomp_block_fini(&block);
		pathcomp_path_fini(&path);
		world_fini(&w);
	}
	cr_assert_gt(n_cuts, ROUNDS / 50);
}

Test(pathcomp_properties, what_a_batch_holds_is_the_most_at_any_moment) {
	state = 6;
	for (int round = 0; round < ROUNDS; round++) {
		struct node nodes[] = {{.id = "a"}, {.id = "b"}};
		struct link link = {.id = "ab", .a = "a", .z = "b"};
		struct topology topology = {.nodes = nodes, .n_nodes = 2, .links = &link, .n_links = 1};
		struct pathcomp_capacity capacities[2] = {{.total_gbps = 100, .state = STATE_UP}};
		struct band_point series[5];
		struct pathcomp_window window = {(int64_t)draw_below(20), 0};
		double load[64] = {0}, most = 0;
		CLEANUP(pathcomp_graph_freep) struct pathcomp_graph *graph = NULL;
		CLEANUP(pathcomp_ledger_freep) struct pathcomp_ledger *ledger = NULL;
		CLEANUP(pathcomp_room_freep) struct pathcomp_room *room = NULL;

		window.to_ns = window.from_ns + 20;
		for (size_t i = 0; i < 5; i++) {
			series[i] = (struct band_point){window.from_ns + 4 * (int64_t)(i + 1), 0, 0,
			                                (double)draw_below(8)};
			for (int64_t t = series[i].ts_ns - 4; t < series[i].ts_ns; t++)
				load[t] += series[i].upper;
			capacities[0].forecast_gbps = fmax(capacities[0].forecast_gbps, series[i].upper);
		}
		capacities[0].series = series;
		capacities[0].n_series = 5;
		cr_assert_eq(pathcomp_graph_new(&topology, &graph, NULL), 0);
		cr_assert_eq(pathcomp_ledger_new(graph, &ledger), 0);
		for (uint64_t n = draw_below(round % 4 == 0 ? 60 : 6); n > 0; n--) {
			struct pathcomp_window hold = {(int64_t)draw_below(40), 0};
			double gbps = (double)draw_below(5);

			hold.to_ns = hold.from_ns + 1 + (int64_t)draw_below(20);
			cr_assert_eq(pathcomp_ledger_add(ledger, 0, hold, gbps), 0);
			for (int64_t t = hold.from_ns; t < hold.to_ns; t++)
				load[t] += gbps;
		}
		for (int64_t t = window.from_ns; t < window.to_ns; t++)
			most = fmax(most, load[t]);
		cr_assert_eq(pathcomp_room_new(graph, capacities, window, UNKNOWN_CURRENT, ledger, &room), 0);
		cr_assert_eq(pathcomp_room_view(room, 0).available_bps, pathcomp_bps(100 - most), "round %d",
		             round);
	}
}
