// The shortest path between two nodes, from both ends at once where no exact lengths to the target are
// known, with landmarks where the graph was prepared. Records of nodes carry the number of the search that
// wrote them, so nothing is reset between searches.
//
// Ties. A side goes on while its nearest node could still be on a path as short as the best; so, of every
// best path, all nodes are settled by a side: first those of the source's side, then those of the target's.
// An arc between the two is remembered as a crossing. From the crossings back over the arcs that are tight,
// the nodes on best paths are marked; then the path is walked forwards, the least link id first.
// SPDX-License-Identifier: MIT
#include "search.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int pathcomp_search_new(const struct pathcomp_graph *graph, struct pathcomp_search **ret) {
	CLEANUP(pathcomp_search_freep) struct pathcomp_search *search = calloc(1, sizeof(*search));
	size_t n_nodes = graph->n_nodes + (size_t)1, n_links = graph->n_links + (size_t)1;

	if (search == NULL)
		return -ENOMEM;
	search->graph = graph;
	search->records[0] = calloc(n_nodes, sizeof(struct record));
	search->records[1] = calloc(n_nodes, sizeof(struct record));
	search->stack = malloc(n_nodes * sizeof(*search->stack));
	search->flooded = calloc(n_nodes, sizeof(*search->flooded));
	search->links.reasons = calloc(n_links, 1);
	search->nodes.reasons = calloc(n_nodes, 1);
	search->links.list = malloc(n_links * sizeof(uint32_t));
	search->nodes.list = malloc(n_nodes * sizeof(uint32_t));
	if (search->records[0] == NULL || search->records[1] == NULL || search->stack == NULL ||
	    search->flooded == NULL || search->links.reasons == NULL || search->nodes.reasons == NULL ||
	    search->links.list == NULL || search->nodes.list == NULL)
		return -ENOMEM;
	*ret = search;
	search = NULL;
	return 0;
}

static void banned_fini(struct banned *banned) {
	free(banned->reasons);
	free(banned->list);
}

void pathcomp_search_free(struct pathcomp_search *search) {
	if (search == NULL)
		return;
	for (int side = 0; side < 2; side++) {
		free(search->records[side]);
		heap_fini(&search->heaps[side]);
	}
	banned_fini(&search->links);
	banned_fini(&search->nodes);
	free(search->crossings);
	free(search->stack);
	free(search->flooded);
	free(search);
}

// ---- what may be taken

static void ban(struct banned *banned, uint32_t i, enum ban reason) {
	if (banned->reasons[i] == 0)
		banned->list[banned->n++] = i;
	banned->reasons[i] |= (uint8_t)reason;
}

static void unban(struct banned *banned, enum ban reason) {
	size_t n = 0;

	for (size_t i = 0; i < banned->n; i++) {
		uint32_t at = banned->list[i];

		banned->reasons[at] &= (uint8_t)~reason;
		if (banned->reasons[at] != 0)
			banned->list[n++] = at;
	}
	banned->n = n;
}

void search_ban_link(struct pathcomp_search *search, uint32_t link, enum ban reason) {
	ban(&search->links, link, reason);
}

void search_ban_node(struct pathcomp_search *search, uint32_t node, enum ban reason) {
	ban(&search->nodes, node, reason);
}

void search_unban(struct pathcomp_search *search, enum ban reason) {
	unban(&search->links, reason);
	unban(&search->nodes, reason);
}

void search_ban_excluded(struct pathcomp_search *search, const struct pathcomp_request *request) {
	const struct pathcomp_conditions *conditions = request->conditions;
	const struct srlgs *srlgs = search->graph->srlgs;

	search_unban(search, BAN_REQUEST);
	if (conditions == NULL)
		return;
	for (size_t i = 0; i < conditions->n_links; i++)
		search_ban_link(search, conditions->links[i], BAN_REQUEST);
	for (size_t i = 0; i < conditions->n_nodes; i++)
		search_ban_node(search, conditions->nodes[i], BAN_REQUEST);
	for (size_t i = 0; i < conditions->n_srlgs; i++) {
		uint32_t group = conditions->srlgs[i];

		for (uint32_t at = srlgs->of_group[group]; at < srlgs->of_group[group + 1]; at++)
			search_ban_link(search, srlgs->links[at], BAN_REQUEST);
	}
}

void query_init(struct query *query, const struct pathcomp_search *search, const struct pathcomp_room *room,
                const struct pathcomp_request *request) {
	*query = (struct query){.room = room,
	                        .from = request->from,
	                        .to = request->to,
	                        .demand_bps = pathcomp_bps(request->gbps),
	                        .metric = request->metric};
	if (request->conditions != NULL)
		query->spare = 1 - request->conditions->max_utilization;
	query->filtered = search->links.n > 0 || search->nodes.n > 0 || query->spare > 0;
}

static int64_t less_spare(const struct query *query, uint32_t arc, int64_t available_bps) {
	if (query->spare <= 0 || available_bps == INT64_MIN || available_bps == PATHCOMP_UNLIMITED)
		return available_bps;
	return available_bps - pathcomp_bps(query->room->capacities[arc].total_gbps * query->spare);
}

int64_t query_available(const struct pathcomp_search *search, const struct query *query, uint32_t arc) {
	if (search->links.reasons[pathcomp_arc_link(arc)] != 0 ||
	    search->nodes.reasons[pathcomp_arc_to(search->graph, arc)] != 0 ||
	    search->nodes.reasons[pathcomp_arc_from(search->graph, arc)] != 0)
		return INT64_MIN;
	return less_spare(query, arc, room_available(query->room, arc));
}

bool query_passes(const struct pathcomp_search *search, const struct query *query, const struct edge *edge,
                  bool backward) {
	uint32_t arc = edge->arc ^ (uint32_t)backward;

	if (search->links.reasons[pathcomp_arc_link(arc)] != 0 || search->nodes.reasons[edge->other] != 0)
		return false;
	return query->spare <= 0 ||
	       less_spare(query, arc, room_available(query->room, arc)) >= query->demand_bps;
}

// ---- reaching and settling

static void start_generation(struct pathcomp_search *search) {
	if (++search->generation == 0) {
		for (int side = 0; side < 2; side++)
			memset(search->records[side], 0, search->graph->n_nodes * sizeof(struct record));
		memset(search->flooded, 0, search->graph->n_nodes * sizeof(*search->flooded));
		search->generation = 1;
	}
	for (int side = 0; side < 2; side++) {
		search->heaps[side].n = 0;
		search->heaps[side].failed = false;
	}
	search->n_crossings = 0;
}

// A search that runs: the query and what is known about it.
struct run {
	struct pathcomp_search *search;
	const struct query *query;
	struct bounds bounds;
	const span *to_target;
	span best; // of the paths found
	bool failed;
};

static int64_t differ_most(const uint32_t *left, const uint32_t *right) {
	uint32_t most = 0;

	for (int i = 0; i < LANDMARKS; i++) {
		uint32_t difference = left[i] > right[i] ? left[i] - right[i] : right[i] - left[i];

		most = difference > most ? difference : most;
	}
	return most;
}

// By the triangle inequality a node is as far from an end as the two differ in their distance to a landmark.
static int64_t find_potential(const struct run *run, uint32_t node) {
	const struct bounds *bounds = &run->bounds;
	const uint32_t *distances;

	if (bounds->distances == NULL)
		return 0;
	distances = &bounds->distances[(size_t)node * LANDMARKS];
	return (differ_most(distances, bounds->of_target) - differ_most(distances, bounds->of_source)) *
	       (INT64_C(1) << bounds->shift);
}

// From both ends, lengths count twice, so that half the difference of two bounds is whole.
static span key_of(const struct run *run, enum side side, uint32_t node, const struct record *record) {
	int64_t potential = side == FROM_SOURCE ? record->potential : -record->potential;

	if (run->to_target != NULL)
		return record->length + run->to_target[node];
	return 2 * record->length + ((span)(uint64_t)potential << 64);
}

static void reach(struct run *run, enum side side, uint32_t node, span at) {
	struct pathcomp_search *search = run->search;
	struct record *record = &search->records[side][node];

	if (record->generation != search->generation) {
		*record = (struct record){at, 0, search->generation, OPEN};
		if (run->to_target == NULL)
			record->potential = find_potential(run, node);
	} else if (at < record->length) {
		record->length = at;
	} else {
		return;
	}
	heap_put(&search->heaps[side], node, key_of(run, side, node, record));
}

static void remember_crossing(struct run *run, uint32_t node) {
	struct pathcomp_search *search = run->search;

	if (search->n_crossings == search->crossings_capacity) {
		size_t capacity = 2 * search->crossings_capacity + 64;
		uint32_t *moved = realloc(search->crossings, capacity * sizeof(*moved));

		if (moved == NULL) {
			run->failed = true;
			return;
		}
		search->crossings = moved;
		search->crossings_capacity = capacity;
	}
	search->crossings[search->n_crossings++] = node;
}

// A path over an arc from 'tail', which the source's side has reached, to a node that the target's side has.
static void meet(struct run *run, uint32_t tail, span whole) {
	if (whole > run->best)
		return;
	if (whole < run->best)
		run->search->n_crossings = 0;
	run->best = whole;
	remember_crossing(run, tail);
}

static void relax(struct run *run, enum side side, uint32_t node) {
	struct pathcomp_search *search = run->search;
	const struct pathcomp_graph *graph = search->graph;
	const struct record *others = search->records[!side];
	span at = search->records[side][node].length;

	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		const struct edge *edge = &graph->edges[i];
		span next;

		if (!query_fits(search, run->query, i, side == FROM_TARGET))
			continue;
		next = at + edge_length(graph, edge, run->query->metric);
		if (others[edge->other].generation == search->generation)
			meet(run, side == FROM_SOURCE ? node : edge->other,
			     next + others[edge->other].length);
		if (run->to_target == NULL || run->to_target[edge->other] != LENGTH_INFINITE)
			reach(run, side, edge->other, next);
	}
}

// The least key of a side, after those that are out of date; LENGTH_INFINITE when it has come to its end.
static span least_key(struct run *run, enum side side) {
	struct heap *heap = &run->search->heaps[side];

	while (heap->n > 0 && run->search->records[side][heap->list[0].item].state == SETTLED)
		(void)heap_take(heap);
	return heap->n == 0 ? LENGTH_INFINITE : heap->list[0].key;
}

static void settle(struct run *run, enum side side) {
	uint32_t node = heap_take(&run->search->heaps[side]).item;

	run->search->records[side][node].state = SETTLED;
	relax(run, side, node);
}

static void run_from_both(struct run *run) {
	const struct heap *heaps = run->search->heaps;

	while (!run->failed && !heaps[0].failed && !heaps[1].failed) {
		span source = least_key(run, FROM_SOURCE), target = least_key(run, FROM_TARGET);

		if (source == LENGTH_INFINITE || target == LENGTH_INFINITE)
			return;
		if (run->best != LENGTH_INFINITE && source + target > 2 * run->best)
			return;
		settle(run, heaps[FROM_TARGET].n < heaps[FROM_SOURCE].n ? FROM_TARGET : FROM_SOURCE);
	}
}

// ---- the path, once lengths are known

// Marks the nodes of the source's side that are on best paths.
static void mark(struct run *run) {
	struct pathcomp_search *search = run->search;
	const struct pathcomp_graph *graph = search->graph;
	struct record *records = search->records[FROM_SOURCE];
	size_t n = 0;

	for (size_t i = 0; i < search->n_crossings; i++) {
		uint32_t node = search->crossings[i];

		if (records[node].state == SETTLED)
			search->stack[n++] = node;
		records[node].state = records[node].state == SETTLED ? ON_BEST_PATH : records[node].state;
	}
	while (n > 0) {
		uint32_t node = search->stack[--n];

		for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
			const struct edge *edge = &graph->edges[i];
			struct record *record = &records[edge->other];

			if (record->generation != search->generation || record->state != SETTLED ||
			    record->length + edge_length(graph, edge, run->query->metric) !=
			            records[node].length ||
			    !query_fits(search, run->query, i, true))
				continue;
			record->state = ON_BEST_PATH;
			search->stack[n++] = edge->other;
		}
	}
}

static bool is_on_best_path(const struct run *run, uint32_t node, span at) {
	const struct pathcomp_search *search = run->search;
	const struct record *source = &search->records[FROM_SOURCE][node],
	                    *target = &search->records[FROM_TARGET][node];

	if (source->generation == search->generation && source->state == ON_BEST_PATH && source->length == at)
		return true;
	return target->generation == search->generation && target->state == SETTLED &&
	       at + target->length == run->best;
}

static const struct edge *next_edge(const struct run *run, uint32_t node, span at) {
	const struct pathcomp_graph *graph = run->search->graph;
	const struct edge *best = NULL;

	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		const struct edge *edge = &graph->edges[i];

		if (best != NULL && graph_arc_rank(graph, edge->arc) > graph_arc_rank(graph, best->arc))
			continue;
		if (query_fits(run->search, run->query, i, false) &&
		    is_on_best_path(run, edge->other, at + edge_length(graph, edge, run->query->metric)))
			best = edge;
	}
	return best;
}

static int walk(struct run *run, struct pathcomp_path *ret) {
	struct pathcomp_path path = {.bottleneck_bps = PATHCOMP_UNLIMITED};
	const struct pathcomp_graph *graph = run->search->graph;
	uint32_t node = run->query->from;
	span at = 0;

	path.arcs = malloc((length_hops(graph, run->best) + (size_t)1) * sizeof(*path.arcs));
	if (path.arcs == NULL)
		return -ENOMEM;
	while (node != run->query->to) {
		const struct edge *edge = next_edge(run, node, at);

		assert(edge != NULL);
		path_append(&path, run->query->room, edge->arc);
		at += edge_length(graph, edge, run->query->metric);
		node = edge->other;
	}
	*ret = path;
	return 0;
}

// ---- straight on

// The arc of least id that goes on at no loss against the bounds.
static const struct edge *straight_edge(const struct run *run, uint32_t node) {
	const struct pathcomp_graph *graph = run->search->graph;
	const struct edge *best = NULL;

	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		const struct edge *edge = &graph->edges[i];

		if (run->to_target[edge->other] >= run->to_target[node] ||
		    edge_length(graph, edge, run->query->metric) + run->to_target[edge->other] !=
		            run->to_target[node] ||
		    !query_fits(run->search, run->query, i, false))
			continue;
		if (best == NULL || graph_arc_rank(graph, edge->arc) < graph_arc_rank(graph, best->arc))
			best = edge;
	}
	return best;
}

// A path as short as the bound is a best one; and when at each node the least id was taken, no other best path
// has lesser ids. Returns 0, 1 when something is in the way, or -ENOMEM.
static int walk_straight(struct run *run, struct pathcomp_path *ret) {
	struct pathcomp_path path = {.bottleneck_bps = PATHCOMP_UNLIMITED};
	uint32_t n = 0, *arcs = run->search->stack;

	for (uint32_t node = run->query->from; node != run->query->to;) {
		const struct edge *edge = straight_edge(run, node);

		if (edge == NULL)
			return 1;
		arcs[n++] = edge->arc;
		node = edge->other;
	}
	path.arcs = malloc((n + (size_t)1) * sizeof(*path.arcs));
	if (path.arcs == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		path_append(&path, run->query->room, arcs[i]);
	*ret = path;
	return 0;
}

// ---- cut off

// A flood against the direction from the target, some nodes at a time: where it ends without having come to the
// source, there is no path, and that is mostly near the target.
struct flood {
	uint32_t head, tail;
};

static void flood_reach(struct pathcomp_search *search, struct flood *flood, uint32_t node) {
	if (search->flooded[node] == search->generation)
		return;
	search->flooded[node] = search->generation;
	search->stack[flood->tail++] = node;
}

// Floods on over one node. Returns false when there is no more, and the source was not among them.
static bool flood_on(struct run *run, struct flood *flood) {
	struct pathcomp_search *search = run->search;
	const struct pathcomp_graph *graph = search->graph;
	uint32_t node;

	if (search->flooded[run->query->from] == search->generation)
		return true;
	if (flood->head == flood->tail)
		return false;
	node = search->stack[flood->head++];
	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		if (query_fits(search, run->query, i, true))
			flood_reach(search, flood, graph->edges[i].other);
	}
	return true;
}

static void run_from_source(struct run *run) {
	struct flood flood = {0};

	flood_reach(run->search, &flood, run->query->to);
	while (!run->failed && !run->search->heaps[0].failed) {
		span key = least_key(run, FROM_SOURCE);

		if (key == LENGTH_INFINITE || key > run->best)
			return;
		settle(run, FROM_SOURCE);
		if (run->best == LENGTH_INFINITE && !flood_on(run, &flood))
			return;
	}
}

static bool may_begin(const struct run *run) {
	const struct query *query = run->query;

	return !run->bounds.apart && run->search->nodes.reasons[query->from] == 0 &&
	       run->search->nodes.reasons[query->to] == 0 &&
	       (run->to_target == NULL || run->to_target[query->from] != LENGTH_INFINITE);
}

int search_run(struct pathcomp_search *search, const struct query *query, struct pathcomp_path *ret) {
	struct run run = {.search = search, .query = query, .best = LENGTH_INFINITE};
	int rc;

	run.to_target = query->to_target;
	if (run.to_target == NULL)
		run.bounds = landmarks_bounds(search->graph, query->metric, query->from, query->to);
	if (run.bounds.to_target != NULL)
		run.to_target = run.bounds.to_target;
	if (!may_begin(&run))
		return 1;
	if (run.to_target != NULL && (rc = walk_straight(&run, ret)) <= 0)
		return rc;
	start_generation(search);
	reach(&run, FROM_SOURCE, query->from, 0);
	reach(&run, FROM_TARGET, query->to, 0);
	if (query->from == query->to)
		run.best = 0;
	else if (run.to_target != NULL)
		run_from_source(&run);
	else
		run_from_both(&run);
	if (run.failed || search->heaps[0].failed || search->heaps[1].failed)
		return -ENOMEM;
	if (run.best == LENGTH_INFINITE)
		return 1;
	search->records[FROM_TARGET][query->to].state = SETTLED;
	mark(&run);
	return walk(&run, ret);
}

int search_measure(struct pathcomp_search *search, const struct query *query, bool until_source, span *ret) {
	struct run run = {.search = search, .query = query, .best = LENGTH_INFINITE};
	const struct record *records = search->records[FROM_TARGET];
	span beyond = LENGTH_INFINITE;

	start_generation(search);
	reach(&run, FROM_TARGET, query->to, 0);
	while (least_key(&run, FROM_TARGET) != LENGTH_INFINITE && !search->heaps[FROM_TARGET].failed) {
		if (until_source && search->heaps[FROM_TARGET].list[0].item == query->from) {
			beyond = records[query->from].length;
			break;
		}
		settle(&run, FROM_TARGET);
	}
	if (search->heaps[FROM_TARGET].failed)
		return -ENOMEM;
	for (uint32_t node = 0; node < search->graph->n_nodes; node++) {
		bool is_reached = records[node].generation == search->generation;

		ret[node] = is_reached && records[node].state == SETTLED ? records[node].length : beyond;
	}
	return until_source && beyond == LENGTH_INFINITE ? 1 : 0;
}

// ---- one path

static int search_limited(struct pathcomp_search *search, struct query *query,
                          const struct pathcomp_request *request, struct pathcomp_path *ret) {
	CLEANUP(reach_freep) struct reach *reach = NULL;
	int rc;

	if ((rc = reach_new(search, query, request->conditions, &reach)) < 0)
		return rc;
	return reach_run(search, query, reach, NULL, 0, ret);
}

int pathcomp_search_shortest(struct pathcomp_search *search, const struct pathcomp_room *room,
                             const struct pathcomp_request *request, struct pathcomp_path *ret) {
	struct query query;

	search_ban_excluded(search, request);
	query_init(&query, search, room, request);
	return conditions_limit(request->conditions) ? search_limited(search, &query, request, ret)
	                                             : search_run(search, &query, ret);
}
