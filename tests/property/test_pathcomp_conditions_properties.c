// Conditions, several paths, pairs, widths, upgrades and reasons on random small topologies against the
// enumeration of all their paths; and that a graph that was prepared gives the same answers.
// SPDX-License-Identifier: MIT
#include "pathcomp_world.h"

#define ROUNDS    5000
#define MAX_PATHS 20000

struct route {
	uint32_t arcs[MAX_NODES];
	int n;
	unsigned nodes; // bits of the inner nodes
	double metric, latency;
};

// All paths that keep the conditions, best first.
struct routes {
	struct route list[MAX_PATHS];
	size_t n;
};

struct conditions {
	struct pathcomp_conditions of;
	uint32_t links[2], nodes[2], srlgs[2], via[2];
	size_t via_index[2], node_index[2]; // in the world
};

static struct routes routes;

static size_t index_of(const struct world *w, const char *id) {
	size_t index = 0;

	while (strcmp(w->nodes[index].id, id) != 0)
		index++;
	return index;
}

static const char *tail_id(const struct world *w, uint32_t arc) {
	return arc % 2 == 0 ? w->links[arc / 2].a : w->links[arc / 2].z;
}

static const char *head_id(const struct world *w, uint32_t arc) {
	return tail_id(w, arc ^ 1);
}

static uint32_t number_of(const struct world *w, size_t index) {
	uint32_t number = 0;

	cr_assert_eq(pathcomp_graph_find_node(w->graph, w->node_ids[index], &number), 0);
	return number;
}

static void draw_conditions(struct world *w, struct conditions *c, bool with_limits) {
	memset(c, 0, sizeof(*c));
	c->of = PATHCOMP_NO_CONDITIONS;
	c->of.links = c->links;
	c->of.nodes = c->nodes;
	c->of.srlgs = c->srlgs;
	c->of.via = c->via;
	if (draw_below(4) == 0 && w->topology.n_links > 0)
		c->links[c->of.n_links++] = (uint32_t)draw_below(w->topology.n_links);
	if (draw_below(5) == 0 && w->topology.n_nodes > 3) {
		c->node_index[0] = 2 + draw_below(w->topology.n_nodes - 2);
		c->nodes[c->of.n_nodes++] = number_of(w, c->node_index[0]);
	}
	if (draw_below(5) == 0 &&
	    pathcomp_graph_find_srlg(w->graph, group_names[draw_below(N_GROUPS)], &c->srlgs[0]) == 0)
		c->of.n_srlgs = 1;
	if (draw_below(3) == 0)
		c->of.max_utilization = (double)draw_below(5) / 4;
	w->request.conditions = &c->of;
	if (!with_limits)
		return;
	if (draw_below(2) == 0)
		c->of.max_latency_ns = draw_below(7) * 1000000;
	if (draw_below(2) == 0)
		c->of.max_hops = (uint32_t)draw_below(6);
	for (uint64_t n = draw_below(4) == 0 ? 1 + draw_below(2) : 0; n > 0 && w->topology.n_nodes > 2; n--) {
		c->via_index[c->of.n_via] = 2 + draw_below(w->topology.n_nodes - 2);
		c->via[c->of.n_via] = number_of(w, c->via_index[c->of.n_via]);
		c->of.n_via++;
	}
}

// ---- the oracle

static bool has_group(const struct world *w, uint32_t link, const char *group) {
	for (size_t i = 0; i < w->links[link].n_srlg; i++) {
		if (strcmp(w->links[link].srlg[i], group) == 0)
			return true;
	}
	return false;
}

static const char *group_at(const struct world *w, uint32_t number) {
	for (size_t i = 0; i < N_GROUPS; i++) {
		uint32_t found;

		if (pathcomp_graph_find_srlg(w->graph, group_names[i], &found) == 0 && found == number)
			return group_names[i];
	}
	return "";
}

// What the demand may find on an arc; -INFINITY where it must not go.
static double allowed(const struct world *w, const struct conditions *c, uint32_t arc) {
	const struct pathcomp_capacity *capacity = &w->capacities[arc];

	if (capacity->state == STATE_DOWN || isnan(capacity->total_gbps) ||
	    (arc % 2 == 1 && !w->links[arc / 2].bidirectional))
		return -INFINITY;
	if (c->of.n_links > 0 && c->links[0] == arc / 2)
		return -INFINITY;
	if (c->of.n_nodes > 0 && (index_of(w, tail_id(w, arc)) == c->node_index[0] ||
	                          index_of(w, head_id(w, arc)) == c->node_index[0]))
		return -INFINITY;
	if (c->of.n_srlgs > 0 && has_group(w, arc / 2, group_at(w, c->srlgs[0])))
		return -INFINITY;
	return capacity->total_gbps * c->of.max_utilization - capacity->current_gbps;
}

static bool passes_via(const struct world *w, const struct conditions *c, const struct route *route) {
	size_t leg = 0;

	for (int i = 0; i < route->n; i++) {
		size_t node = index_of(w, head_id(w, route->arcs[i]));

		while (leg < c->of.n_via && c->via_index[leg] == node)
			leg++;
	}
	return leg == c->of.n_via;
}

static void find_routes(const struct world *w, const struct conditions *c, size_t at, unsigned visited,
                        const struct route *so_far, struct routes *ret) {
	if (at == 1) {
		bool fits = so_far->latency * 1e6 <= (double)c->of.max_latency_ns &&
		            (uint32_t)so_far->n <= c->of.max_hops && passes_via(w, c, so_far);

		cr_assert_lt(ret->n, MAX_PATHS);
		if (fits)
			ret->list[ret->n++] = *so_far;
		return;
	}
	for (uint32_t arc = 0; arc < 2 * w->topology.n_links; arc++) {
		struct route next = *so_far;
		size_t head;

		if (index_of(w, tail_id(w, arc)) != at || allowed(w, c, arc) < w->request.gbps)
			continue;
		head = index_of(w, head_id(w, arc));
		if (visited & 1U << head)
			continue;
		next.arcs[next.n++] = arc;
		next.nodes |= head == 1 ? 0 : 1U << head;
		next.latency += w->links[arc / 2].latency_ms;
		next.metric += w->request.metric == PATH_METRIC_COST      ? w->links[arc / 2].cost
		               : w->request.metric == PATH_METRIC_LATENCY ? w->links[arc / 2].latency_ms
		                                                          : 1;
		find_routes(w, c, head, visited | 1U << head, &next, ret);
	}
}

static const struct world *sorting;

static int compare_routes(const void *left, const void *right) {
	const struct route *l = left, *r = right;

	if (l->metric != r->metric)
		return l->metric < r->metric ? -1 : 1;
	if (l->latency != r->latency)
		return l->latency < r->latency ? -1 : 1;
	if (l->n != r->n)
		return l->n < r->n ? -1 : 1;
	for (int i = 0; i < l->n; i++) {
		int difference = strcmp(sorting->links[l->arcs[i] / 2].id, sorting->links[r->arcs[i] / 2].id);

		if (difference != 0)
			return difference;
	}
	return 0;
}

static void all_routes(const struct world *w, const struct conditions *c, struct routes *ret) {
	ret->n = 0;
	find_routes(w, c, 0, 1, &(struct route){.n = 0}, ret);
	sorting = w;
	qsort(ret->list, ret->n, sizeof(ret->list[0]), compare_routes);
}

static void expect_route(const struct pathcomp_path *path, const struct route *route, int round) {
	cr_assert_eq(path->n_arcs, (size_t)route->n, "round %d: %zu hops, not %d", round, path->n_arcs,
	             route->n);
	cr_assert_eq(memcmp(path->arcs, route->arcs, path->n_arcs * sizeof(*path->arcs)), 0,
	             "round %d: another path", round);
	cr_assert_eq(path->latency_ns, (uint64_t)(route->latency * 1e6), "round %d", round);
}

// Every second world is one whose graph was prepared.
static void open_world(struct world *w, int round) {
	world_init(w);
	if (round % 2 == 1)
		cr_assert_eq(pathcomp_graph_prepare(w->graph, w->request.metric), 0);
}

// ---- properties

Test(pathcomp_conditions, the_answer_is_the_best_of_all_that_keep_the_conditions) {
	size_t n_found = 0, n_limited = 0;

	state = 11;
	for (int round = 0; round < 3 * ROUNDS; round++) {
		struct pathcomp_path path = {0};
		struct conditions c;
		struct world w;
		int rc;

		open_world(&w, round);
		draw_conditions(&w, &c, true);
		all_routes(&w, &c, &routes);
		rc = pathcomp_search_shortest(w.search, w.room, &w.request, &path);
		cr_assert_eq(rc, routes.n > 0 ? 0 : 1, "round %d: %d, with %zu routes", round, rc, routes.n);
		if (rc == 0) {
			expect_route(&path, &routes.list[0], round);
			n_found++;
			n_limited += c.of.n_via > 0 || c.of.max_hops != UINT32_MAX;
		}
		pathcomp_path_fini(&path);
		world_fini(&w);
	}
	cr_assert(n_found > ROUNDS / 4 && n_limited > ROUNDS / 20, "%zu found, %zu limited", n_found,
	          n_limited);
}

static void check_several(bool with_limits) {
	size_t n_several = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct pathcomp_paths paths = {0};
		size_t k = 1 + draw_below(12);
		struct conditions c;
		struct world w;
		int rc;

		open_world(&w, round);
		draw_conditions(&w, &c, with_limits);
		all_routes(&w, &c, &routes);
		rc = pathcomp_search_several(w.search, w.room, &w.request, k, &paths);
		cr_assert_eq(rc, routes.n > 0 ? 0 : 1, "round %d", round);
		cr_assert_eq(paths.n, routes.n < k ? routes.n : k, "round %d: %zu paths of %zu", round,
		             paths.n, routes.n);
		for (size_t i = 0; i < paths.n; i++)
			expect_route(&paths.list[i], &routes.list[i], round);
		n_several += paths.n > 2;
		pathcomp_paths_fini(&paths);
		world_fini(&w);
	}
	cr_assert_gt(n_several, ROUNDS / 20);
}

Test(pathcomp_conditions, several_paths_are_the_first_of_all_in_order) {
	state = 12;
	check_several(false);
}

Test(pathcomp_conditions, several_paths_under_limits_are_the_first_of_all_in_order) {
	state = 13;
	check_several(true);
}

static bool share(const struct world *w, enum disjoint_kinds kind, const struct route *l,
                  const struct route *r) {
	if (kind == DISJOINT_NODE && (l->nodes & r->nodes) != 0)
		return true;
	for (int i = 0; i < l->n; i++) {
		for (int j = 0; j < r->n; j++) {
			const struct link *link = &w->links[l->arcs[i] / 2];

			if (l->arcs[i] / 2 == r->arcs[j] / 2)
				return true;
			for (size_t g = 0; kind == DISJOINT_SRLG && g < link->n_srlg; g++) {
				if (has_group(w, r->arcs[j] / 2, link->srlg[g]))
					return true;
			}
		}
	}
	return false;
}

struct pair_length {
	double metric, latency;
	int hops;
	bool found;
};

static bool is_shorter(const struct pair_length *l, const struct pair_length *r) {
	if (l->metric != r->metric)
		return l->metric < r->metric;
	return l->latency != r->latency ? l->latency < r->latency : l->hops < r->hops;
}

static struct pair_length best_pair(const struct world *w, enum disjoint_kinds kind) {
	struct pair_length best = {0};

	for (size_t i = 0; i < routes.n; i++) {
		for (size_t j = i + 1; j < routes.n; j++) {
			const struct route *l = &routes.list[i], *r = &routes.list[j];
			struct pair_length pair = {l->metric + r->metric, l->latency + r->latency,
			                           l->n + r->n, true};

			if ((!best.found || is_shorter(&pair, &best)) && !share(w, kind, l, r))
				best = pair;
		}
	}
	return best;
}

// The route that a path is; it must be one of all.
static const struct route *route_of(const struct pathcomp_path *path, int round) {
	for (size_t i = 0; i < routes.n; i++) {
		if ((size_t)routes.list[i].n == path->n_arcs &&
		    memcmp(routes.list[i].arcs, path->arcs, path->n_arcs * sizeof(*path->arcs)) == 0)
			return &routes.list[i];
	}
	cr_assert_fail("round %d: a path that is none, or doesn't fit", round);
	return NULL;
}

static void check_pairs(enum disjoint_kinds kind, bool with_limits) {
	size_t n_pairs = 0, n_traps = 0;

	for (int round = 0; round < ROUNDS; round++) {
		struct pathcomp_paths paths = {0};
		struct pair_length best;
		struct conditions c;
		struct world w;
		int rc;

		open_world(&w, round);
		draw_conditions(&w, &c, with_limits);
		all_routes(&w, &c, &routes);
		best = best_pair(&w, kind);
		rc = pathcomp_search_disjoint(w.search, w.room, &w.request, kind, &paths);
		cr_assert_eq(rc, best.found ? 0 : 1, "round %d: %d", round, rc);
		if (rc == 0) {
			const struct route *l = route_of(&paths.list[0], round),
			                   *r = route_of(&paths.list[1], round);

			cr_assert_not(share(&w, kind, l, r), "round %d", round);
			cr_assert_float_eq(l->metric + r->metric, best.metric, 1e-9, "round %d: %g, not %g",
			                   round, l->metric + r->metric, best.metric);
			cr_assert_float_eq(l->latency + r->latency, best.latency, 1e-9, "round %d", round);
			cr_assert_eq(l->n + r->n, best.hops, "round %d", round);
			cr_assert(compare_routes(l, r) <= 0, "round %d: the better one is first", round);
			cr_assert_not(paths.bounded);
			n_pairs++;
			n_traps += l != &routes.list[0]; // not with the shortest path
		}
		pathcomp_paths_fini(&paths);
		world_fini(&w);
	}
	cr_assert(n_pairs > ROUNDS / 50 && (with_limits || n_traps > 2), "%zu pairs, %zu traps", n_pairs,
	          n_traps);
}

Test(pathcomp_conditions, pairs_without_a_common_link_are_the_least_of_all) {
	state = 14;
	check_pairs(DISJOINT_LINK, false);
}

Test(pathcomp_conditions, pairs_without_a_common_node_are_the_least_of_all) {
	state = 15;
	check_pairs(DISJOINT_NODE, false);
}

Test(pathcomp_conditions, pairs_without_a_common_risk_are_the_least_of_all) {
	state = 16;
	check_pairs(DISJOINT_SRLG, false);
}

Test(pathcomp_conditions, pairs_under_limits_are_the_least_of_all) {
	state = 17;
	for (int kind = 0; kind < N_disjoint_kinds; kind++)
		check_pairs((enum disjoint_kinds)kind, true);
}

Test(pathcomp_conditions, the_width_is_the_most_that_fits_and_no_more) {
	size_t n_found = 0;

	state = 18;
	for (int round = 0; round < 2 * ROUNDS; round++) {
		struct pathcomp_path path = {0};
		struct conditions c;
		struct world w;
		int64_t bps = 0;
		int rc;

		open_world(&w, round);
		draw_conditions(&w, &c, round % 4 < 2);
		all_routes(&w, &c, &routes);
		rc = pathcomp_search_width(w.search, w.room, &w.request, &bps);
		cr_assert_eq(rc, routes.n > 0 ? 0 : 1, "round %d", round);
		if (rc == 0) {
			n_found++;
			w.request.gbps = (double)bps / 1e9;
			all_routes(&w, &c, &routes);
			cr_assert_gt(routes.n, 0, "round %d: %g doesn't fit", round, w.request.gbps);
			cr_assert_eq(pathcomp_search_widest(w.search, w.room, &w.request, &path), 0);
			expect_route(&path, &routes.list[0], round);
			w.request.gbps += 1e-9;
			all_routes(&w, &c, &routes);
			cr_assert_eq(routes.n, 0, "round %d: more than %g fits", round, w.request.gbps);
		}
		pathcomp_path_fini(&path);
		world_fini(&w);
	}
	cr_assert_gt(n_found, ROUNDS / 10);
}

// ---- upgrades

static double added_for(const struct world *w, const struct conditions *c, const struct route *route) {
	double sum = 0;

	for (int i = 0; i < route->n; i++) {
		double share = c->of.max_utilization;
		double lacks = w->request.gbps - allowed(w, c, route->arcs[i]);

		sum += lacks > 0 ? lacks / share : 0;
	}
	return sum;
}

Test(pathcomp_conditions, the_upgrade_is_the_least_that_makes_a_path_fit) {
	size_t n_upgrades = 0;

	state = 19;
	for (int round = 0; round < ROUNDS; round++) {
		struct pathcomp_upgrade upgrade = {0};
		struct pathcomp_room *upgraded = NULL;
		struct pathcomp_path path = {0};
		double least = INFINITY, sum = 0, demand;
		struct conditions c;
		struct world w;
		int rc;

		open_world(&w, round);
		draw_conditions(&w, &c, false);
		if (c.of.max_utilization == 0)
			c.of.max_utilization = 1;
		demand = w.request.gbps + 3;
		w.request.gbps = -1e6; // every path that may be taken at all
		all_routes(&w, &c, &routes);
		w.request.gbps = demand;
		for (size_t i = 0; i < routes.n; i++)
			least = fmin(least, added_for(&w, &c, &routes.list[i]));
		rc = pathcomp_search_upgrade(w.search, w.room, &w.request, &upgrade);
		cr_assert_eq(rc, routes.n > 0 ? 0 : 1, "round %d", round);
		if (rc == 0) {
			for (size_t i = 0; i < upgrade.n; i++)
				sum += (double)upgrade.list[i].bps / 1e9;
			cr_assert_float_eq(sum, least, 1e-6, "round %d: %g, not %g", round, sum, least);
			cr_assert_eq(pathcomp_room_upgraded(w.room, &upgrade, &upgraded), 0);
			cr_assert_eq(pathcomp_search_shortest(w.search, upgraded, &w.request, &path), 0,
			             "round %d: still blocked", round);
			n_upgrades += sum > 0;
		}
		pathcomp_path_fini(&path);
		pathcomp_room_free(upgraded);
		pathcomp_upgrade_fini(&upgrade);
		world_fini(&w);
	}
	cr_assert_gt(n_upgrades, ROUNDS / 10);
}

// ---- reasons

// The conditions up to one, as pathcomp_explain() orders them.
static void ease(struct conditions *c, struct world *w, enum block_reasons last) {
	static const int order[N_block_reasons] = {
	        [BLOCK_REASON_NO_ROUTE] = 0, [BLOCK_REASON_DOWN] = 1,        [BLOCK_REASON_EXCLUDED] = 2,
	        [BLOCK_REASON_CAPACITY] = 3, [BLOCK_REASON_UTILIZATION] = 4, [BLOCK_REASON_HOPS] = 5,
	        [BLOCK_REASON_LATENCY] = 6,
	};

	if (order[last] < 6)
		c->of.max_latency_ns = UINT64_MAX;
	if (order[last] < 5)
		c->of.max_hops = UINT32_MAX;
	if (order[last] < 4)
		c->of.max_utilization = 1;
	for (size_t arc = 0; arc < 2 * w->topology.n_links && order[last] < 3; arc++) {
		w->capacities[arc].total_gbps = 1e6;
		if (order[last] < 1)
			w->capacities[arc].state = STATE_UP;
	}
	if (order[last] < 2)
		c->of.n_links = c->of.n_nodes = c->of.n_srlgs = 0;
}

static bool has_answer(struct world *w, struct conditions *c, int disjoint, int last) {
	struct conditions eased = *c;
	struct world easier = *w;

	eased.of.links = eased.links;
	if (last >= 0)
		ease(&eased, &easier, (enum block_reasons)last);
	all_routes(&easier, &eased, &routes);
	return disjoint < 0 ? routes.n > 0 : best_pair(&easier, (enum disjoint_kinds)disjoint).found;
}

Test(pathcomp_conditions, the_reason_is_the_first_condition_that_leaves_nothing) {
	static const enum block_reasons order[] = {
	        BLOCK_REASON_NO_ROUTE,    BLOCK_REASON_DOWN, BLOCK_REASON_EXCLUDED, BLOCK_REASON_CAPACITY,
	        BLOCK_REASON_UTILIZATION, BLOCK_REASON_HOPS, BLOCK_REASON_LATENCY};
	size_t n_seen[N_block_reasons] = {0};

	state = 20;
	for (int round = 0; round < 2 * ROUNDS; round++) {
		int disjoint = round % 4 - 1;
		struct pathcomp_block block = {0};
		struct conditions c;
		struct world w;
		size_t i = 0;

		open_world(&w, round);
		draw_conditions(&w, &c, true);
		if (!has_answer(&w, &c, disjoint, -1)) {
			while (i < 6 && has_answer(&w, &c, disjoint, (int)order[i]))
				i++;
			cr_assert_eq(pathcomp_explain(w.search, w.room, &w.request, disjoint, &block), 0);
			cr_assert_eq(block.reason, order[i], "round %d (kind %d): %s, not %s", round,
			             disjoint, choice_word(&block_reasons_choices, (int)block.reason),
			             choice_word(&block_reasons_choices, (int)order[i]));
			n_seen[block.reason]++;
		}
		pathcomp_block_fini(&block);
		world_fini(&w);
	}
	for (int reason = 0; reason < N_block_reasons; reason++)
		cr_expect_gt(n_seen[reason], 0, "%s was never seen",
		             choice_word(&block_reasons_choices, reason));
}

// ---- preparing changes no answer

#define BIG_NODES 1500
#define BIG_LINKS 4000

static struct node big_nodes[BIG_NODES];
static struct link big_links[BIG_LINKS];
static char big_ids[BIG_NODES + BIG_LINKS][8];
static struct pathcomp_capacity big_capacities[2 * BIG_LINKS];

// Few costs, so that ties are many; one link in four leads far.
static void draw_big(struct topology *ret) {
	*ret = (struct topology){.topology_id = "big",
	                         .nodes = big_nodes,
	                         .n_nodes = BIG_NODES,
	                         .links = big_links,
	                         .n_links = BIG_LINKS};
	for (size_t i = 0; i < BIG_NODES + BIG_LINKS; i++)
		snprintf(big_ids[i], sizeof(big_ids[i]), "%c%zu", i < BIG_NODES ? 'n' : 'l',
		         (i * 4001) % 5500);
	for (size_t i = 0; i < BIG_NODES; i++)
		big_nodes[i] = (struct node){.id = big_ids[i]};
	for (size_t i = 0; i < BIG_LINKS; i++) {
		size_t a = draw_below(BIG_NODES);
		size_t z = (a + 1 + draw_below(draw_below(4) == 0 ? BIG_NODES - 1 : 12)) % BIG_NODES;
		struct link *link = &big_links[i];

		*link = (struct link){.id = big_ids[BIG_NODES + i], .a = big_ids[a], .z = big_ids[z]};
		link->bidirectional = draw_below(5) > 0;
		link->cost = (double)draw_below(4);
		SET(link, link, latency_ms, (double)draw_below(3));
		for (size_t d = 0; d < 2; d++)
			big_capacities[2 * i + d] =
			        (struct pathcomp_capacity){.total_gbps = (double)(1 + draw_below(5)),
			                                   .forecast_gbps = NAN,
			                                   .state = STATE_UP};
	}
}

struct big {
	struct topology topology;
	struct pathcomp_graph *graph;
	struct pathcomp_search *search;
	struct pathcomp_room *room;
};

static void big_build(struct big *big) {
	cr_assert_eq(pathcomp_graph_new(&big->topology, &big->graph, NULL), 0);
	cr_assert_eq(pathcomp_search_new(big->graph, &big->search), 0);
	cr_assert_eq(pathcomp_room_new(big->graph, big_capacities, (struct pathcomp_window){0, 1},
	                               UNKNOWN_CURRENT, NULL, &big->room),
	             0);
}

static void big_free(struct big *big) {
	pathcomp_room_free(big->room);
	pathcomp_search_free(big->search);
	pathcomp_graph_free(big->graph);
}

Test(pathcomp_conditions, landmarks_change_no_answer) {
	struct big plain, prepared;
	size_t n_found = 0;

	state = 21;
	for (int metric = 0; metric < N_path_metrics; metric++) {
		draw_big(&plain.topology);
		prepared.topology = plain.topology;
		big_build(&plain);
		big_build(&prepared);
		cr_assert_eq(pathcomp_graph_prepare(prepared.graph, (enum path_metrics)metric), 0);
		for (int round = 0; round < 400; round++) {
			const struct pathcomp_request request = {
			        (uint32_t)draw_below(BIG_NODES), (uint32_t)draw_below(BIG_NODES),
			        (double)draw_below(6), (enum path_metrics)metric, NULL};
			struct pathcomp_path left = {0}, right = {0};
			int rc = pathcomp_search_shortest(plain.search, plain.room, &request, &left);

			cr_assert_eq(
			        pathcomp_search_shortest(prepared.search, prepared.room, &request, &right),
			        rc, "metric %d, round %d", metric, round);
			cr_assert_eq(left.n_arcs, right.n_arcs, "metric %d, round %d", metric, round);
			if (rc == 0)
				cr_assert_eq(memcmp(left.arcs, right.arcs, left.n_arcs * sizeof(*left.arcs)),
				             0, "metric %d, round %d", metric, round);
			n_found += rc == 0;
			pathcomp_path_fini(&left);
			pathcomp_path_fini(&right);
		}
		big_free(&plain);
		big_free(&prepared);
	}
	cr_assert(n_found > 300 && n_found < 1150, "%zu found: a lopsided test", n_found);
}
