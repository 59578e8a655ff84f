// The shortest path between two nodes. Where lengths to or from an end are known well (those of the empty
// graph in a table, or what Yen's algorithm measured) the search is one A* towards that end; else it goes from
// both ends at once (both_ends.c).
//
// Ties. A side goes on while its nearest node could still be on a path as short as the best; so, of every
// best path, all nodes are settled by a side: first those of the source's side, then those of the target's.
// An arc between the two is remembered as a crossing. From the crossings back over the arcs that are tight,
// the nodes on best paths are marked; then the path is walked forwards. Rows are in the order of link ids, so
// the first edge of a row that goes on is the one of least id. A length that adds up to the best is exact,
// whether its node was settled or not.
// SPDX-License-Identifier: MIT
#include "engine.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define NONE UINT32_MAX

static void engine_free(struct engine *engine) {
	if (engine == NULL)
		return;
	free(engine->records);
	for (int side = 0; side < 2; side++) {
		heap_fini(&engine->heaps[side]);
		queue_fini(&engine->queues[side]);
	}
	numbers_fini(&engine->crossings);
	numbers_fini(&engine->stack);
	pair_memory_free(engine->pair);
	exacts_free(engine->exacts);
	free(engine);
}

static int engine_new(const struct pathcomp_graph *graph, struct engine **ret) {
	struct engine *engine = calloc(1, sizeof(*engine));

	if (engine == NULL)
		return -ENOMEM;
	engine->graph = graph;
	engine->records = lines_new(graph->n_nodes + (size_t)1, sizeof(*engine->records));
	if (engine->records == NULL) {
		free(engine);
		return -ENOMEM;
	}
	for (size_t node = 0; node <= graph->n_nodes; node++)
		engine->records[node].first = graph->first[node];
	*ret = engine;
	return 0;
}

static void start_stamp(struct engine *engine) {
	if (engine->stamp > UINT32_MAX - 2 * N_STAMPS) {
		for (uint32_t node = 0; node < engine->graph->n_nodes; node++)
			memset(engine->records[node].seen, 0, sizeof(engine->records[node].seen));
		pair_memory_free(engine->pair);
		engine->pair = NULL;
		engine->stamp = 0;
	}
	engine->stamp += N_STAMPS;
	for (int side = 0; side < 2; side++) {
		engine->heaps[side].n = 0;
		engine->heaps[side].failed = false;
	}
	engine->crossings.n = 0;
	engine->stack.n = 0;
}

static bool run_failed(const struct run *run) {
	const struct engine *engine = run->engine;

	return run->failed || engine->heaps[0].failed || engine->heaps[1].failed ||
	       engine->queues[0].near.failed || engine->queues[1].near.failed;
}

static void push(struct run *run, struct numbers *numbers, uint32_t number) {
	if (numbers_add(numbers, number) < 0)
		run->failed = true;
}

static inline bool is_reached(const struct run *run, enum side side, uint32_t node) {
	return run->engine->records[node].seen[side] == run->engine->stamp + REACHED;
}

// ---- towards one end, to which what is at least to go is known

// A flood the other way, a node at a time: where it ends without having come to where the search began, there
// is no path, and that is mostly near the end.
struct flood {
	enum side side; // where it comes from
	uint32_t wanted;
	size_t head;
	bool ended;
};

static void flood_reach(struct run *run, struct flood *flood, uint32_t node) {
	uint32_t *seen = &run->engine->records[node].seen[flood->side];

	if (*seen == run->engine->stamp + FLOODED)
		return;
	*seen = run->engine->stamp + FLOODED;
	flood->ended |= node == flood->wanted;
	push(run, &run->engine->stack, node);
}

// Returns false when there is no more, and no path.
static bool flood_on(struct run *run, struct flood *flood) {
	const struct pathcomp_graph *graph = run->engine->graph;
	uint32_t node;

	if (flood->ended)
		return true;
	if (flood->head == run->engine->stack.n)
		return false;
	node = run->engine->stack.list[flood->head++];
	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		if (query_fits(run->search, run->query, i, flood->side == FROM_TARGET))
			flood_reach(run, flood, graph->edges[i].other);
	}
	return true;
}

static inline span ahead_of(const struct run *run, enum side side, const span *ahead, uint32_t node) {
	return ahead != NULL ? ahead[node] : run_ahead(run, side, node);
}

// Reaches the neighbours of a node. Returns one to go straight on with, no farther from the goal than was
// bound to be, or NONE.
static inline uint32_t expand(struct run *run, enum side side, const span *ahead, uint32_t node, span key) {
	const struct pathcomp_graph *graph = run->engine->graph;
	struct record *records = run->engine->records;
	const uint32_t goal = side == FROM_SOURCE ? run->query->to : run->query->from,
	               stamp = run->engine->stamp;
	const struct measure measure = run->measure;
	uint32_t straight = NONE;
	span at = records[node].at[side];

	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		const struct edge *edge = &graph->edges[i];
		struct record *record = &records[edge->other];
		span next, ahead_of_next;

		if (!query_fits(run->search, run->query, i, side == FROM_TARGET))
			continue;
		next = at + edge_length(graph, edge, &measure);
		if (record->seen[side] == stamp && next >= record->at[side])
			continue;
		ahead_of_next = ahead_of(run, side, ahead, edge->other);
		if (ahead_of_next == LENGTH_INFINITE || next + ahead_of_next > run->best)
			continue;
		record->at[side] = next;
		record->seen[side] = stamp;
		if (edge->other == goal)
			run->best = next;
		else if (next + ahead_of_next == key && straight == NONE)
			straight = edge->other;
		else
			heap_put(&run->engine->heaps[side], edge->other, next + ahead_of_next);
	}
	return straight;
}

// The next node that is worth it, NONE when there is none.
static uint32_t take(struct run *run, enum side side, const span *ahead, span *ret_key) {
	struct heap *heap = &run->engine->heaps[side];

	while (heap->n > 0) {
		struct heap_entry entry = heap_take(heap);

		if (entry.key > run->best)
			return NONE;
		if (run->engine->records[entry.item].at[side] + ahead_of(run, side, ahead, entry.item) !=
		    entry.key)
			continue; // out of date
		*ret_key = entry.key;
		return entry.item;
	}
	return NONE;
}

// Until the goal and all that is not farther is settled.
static void run_towards(struct run *run, enum side side, const span *ahead) {
	const struct query *query = run->query;
	uint32_t node = side == FROM_SOURCE ? query->from : query->to;
	struct flood flood = {.side = !side, .wanted = node};
	span key = ahead_of(run, side, ahead, node);

	run->engine->records[node].at[side] = 0;
	run->engine->records[node].seen[side] = run->engine->stamp;
	flood_reach(run, &flood, side == FROM_SOURCE ? query->to : query->from);
	for (int n = 0; node != NONE && !run_failed(run); n += n < FLOOD_AFTER) {
		uint32_t straight = expand(run, side, ahead, node, key);

		run->work++;
		if (n == FLOOD_AFTER && run->best == LENGTH_INFINITE && !flood_on(run, &flood))
			return;
		node = straight != NONE ? straight : take(run, side, ahead, &key);
	}
}

void run_start(struct run *run) {
	start_stamp(run->engine);
}

int run_to_source(struct run *run) {
	run_start(run);
	run_towards(run, FROM_TARGET, run->bounds.to_source);
	if (run_failed(run))
		return -ENOMEM;
	return run->best == LENGTH_INFINITE ? 1 : 0;
}

// ---- the path, out of what was reached

static void mark_node(struct run *run, uint32_t node) {
	uint32_t *seen = &run->engine->records[node].seen[FROM_SOURCE];

	if (*seen == run->engine->stamp + ON_BEST_PATH)
		return;
	*seen = run->engine->stamp + ON_BEST_PATH;
	push(run, &run->engine->stack, node);
}

// Marks what lies on best paths between the source and the crossings.
static void mark(struct run *run) {
	struct engine *engine = run->engine;
	const struct pathcomp_graph *graph = engine->graph;
	const struct record *records = engine->records;

	engine->stack.n = 0;
	for (size_t i = 0; i < engine->crossings.n; i++)
		mark_node(run, engine->crossings.list[i]);
	while (engine->stack.n > 0) {
		uint32_t node = engine->stack.list[--engine->stack.n];

		for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
			const struct edge *edge = &graph->edges[i];

			if (is_reached(run, FROM_SOURCE, edge->other) &&
			    records[edge->other].at[FROM_SOURCE] + edge_length(graph, edge, &run->measure) ==
			            records[node].at[FROM_SOURCE] &&
			    query_fits(run->search, run->query, i, true))
				mark_node(run, edge->other);
		}
	}
}

static inline bool is_on_best_path(const struct run *run, uint32_t node, span at) {
	const struct record *record = &run->engine->records[node];

	if (is_reached(run, FROM_TARGET, node) && at + record->at[FROM_TARGET] == run->best)
		return true;
	return record->seen[FROM_SOURCE] == run->engine->stamp + ON_BEST_PATH &&
	       record->at[FROM_SOURCE] == at;
}

static uint32_t next_edge(const struct run *run, uint32_t node, span at) {
	const struct pathcomp_graph *graph = run->engine->graph;

	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		const struct edge *edge = &graph->edges[i];

		if (is_on_best_path(run, edge->other, at + edge_length(graph, edge, &run->measure)) &&
		    query_fits(run->search, run->query, i, false))
			return i;
	}
	return NONE;
}

int run_tell(const struct run *run, struct pathcomp_path *ret) {
	const struct pathcomp_graph *graph = run->engine->graph;
	const struct numbers *edges = &run->engine->stack;
	struct pathcomp_path path = {.n_arcs = edges->n, .bottleneck_bps = PATHCOMP_UNLIMITED};

	path.arcs = malloc((edges->n + 1) * sizeof(*path.arcs));
	if (path.arcs == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < edges->n; i++) {
		const struct edge *edge = &graph->edges[edges->list[i]];
		int64_t available_bps = room_available(run->query->room, edge->arc);

		path.arcs[i] = edge->arc;
		path.cost_micro += graph_edge_cost_micro(graph, edge);
		path.latency_ns += graph_edge_latency_ns(graph, edge);
		if (available_bps < path.bottleneck_bps)
			path.bottleneck_bps = available_bps;
	}
	*ret = path;
	return 0;
}

int run_walk(struct run *run, struct pathcomp_path *ret) {
	const struct pathcomp_graph *graph = run->engine->graph;
	uint32_t node = run->query->from;
	span at = 0;

	run->engine->stack.n = 0;
	while (node != run->query->to && !run->failed) {
		uint32_t i = next_edge(run, node, at);

		assert(i != NONE);
		push(run, &run->engine->stack, i);
		at += edge_length(graph, &graph->edges[i], &run->measure);
		node = graph->edges[i].other;
	}
	return run->failed ? -ENOMEM : run_tell(run, ret);
}

// ---- straight on

// A path as short as the bound is a best one; and when at each node the least id was taken, no other best path
// has lesser ids.
int run_walk_by(struct run *run, const span *to_target, struct pathcomp_path *ret) {
	const struct pathcomp_graph *graph = run->engine->graph;
	const struct measure measure = run->measure;

	if (to_target[run->query->from] == LENGTH_INFINITE)
		return 1;
	run->engine->stack.n = 0;
	for (uint32_t node = run->query->from; node != run->query->to && !run->failed;) {
		uint32_t i = graph->first[node], end = graph->first[node + 1];

		for (; i < end; i++) {
			const struct edge *edge = &graph->edges[i];

			if (to_target[edge->other] < to_target[node] &&
			    edge_length(graph, edge, &measure) + to_target[edge->other] == to_target[node] &&
			    query_fits(run->search, run->query, i, false))
				break;
		}
		if (i == end)
			return 1;
		push(run, &run->engine->stack, i);
		node = graph->edges[i].other;
	}
	run->work += run->engine->stack.n;
	return run->failed ? -ENOMEM : run_tell(run, ret);
}

// ---- a query

bool run_init(struct run *run, struct pathcomp_search *search, const struct query *query) {
	run->search = search;
	run->engine = search->engine;
	run->query = query;
	run->measure = *query->measure;
	run->best = LENGTH_INFINITE;
	run->work = 0;
	run->exact = NULL;
	run->exact_row = NULL;
	run->failed = search->failed;
	landmarks_bounds(search->graph, query->metric, query->from, query->to, &run->bounds);
	return !run->bounds.apart && (!query->filtered || (search->nodes.reasons[query->from] == 0 &&
	                                                   search->nodes.reasons[query->to] == 0));
}

static void search_between(struct run *run, const span *to_target) {
	start_stamp(run->engine);
	if (to_target != NULL) {
		run_towards(run, FROM_SOURCE, to_target);
		push(run, &run->engine->crossings, run->query->to);
	} else if (run->bounds.to_source != NULL) {
		run_towards(run, FROM_TARGET, run->bounds.to_source);
	} else {
		run_from_both(run);
	}
}

static int search_path(struct run *run, const span *to_target, struct pathcomp_path *ret) {
	const span *straight = to_target != NULL ? to_target : run->bounds.to_target;
	int rc;

	if (straight != NULL && straight[run->query->from] == LENGTH_INFINITE)
		return 1;
	if (straight != NULL && (rc = run_walk_by(run, straight, ret)) <= 0)
		return rc;
	search_between(run, to_target);
	if (run_failed(run))
		return -ENOMEM;
	if (run->best == LENGTH_INFINITE)
		return 1;
	mark(run);
	return run_walk(run, ret);
}

int engine_run(struct pathcomp_search *search, const struct query *query, const span *to_target,
               struct pathcomp_path *ret) {
	struct run run;
	int rc;

	if (!run_init(&run, search, query))
		return run.failed ? -ENOMEM : 1;
	if (query->from == query->to) {
		search->engine->stack.n = 0;
		return run_tell(&run, ret);
	}
	if (to_target != NULL)
		return search_path(&run, to_target, ret);
	if ((rc = exact_begin(&run)) != 0)
		return rc < 0 ? rc : exact_walk(&run, ret);
	rc = search_path(&run, NULL, ret);
	exact_worked(search, query, run.work);
	return rc;
}

int engine_measure(struct pathcomp_search *search, const struct query *query, span *ret) {
	const struct pathcomp_graph *graph = search->graph;
	const struct measure measure = *query->measure;
	struct heap *heap = &search->engine->heaps[0];

	for (uint32_t node = 0; node < graph->n_nodes; node++)
		ret[node] = LENGTH_INFINITE;
	heap->n = 0;
	heap->failed = false;
	ret[query->to] = 0;
	heap_put(heap, query->to, 0);
	while (heap->n > 0 && !heap->failed) {
		struct heap_entry entry = heap_take(heap);

		if (entry.key > ret[entry.item])
			continue;
		for (uint32_t i = graph->first[entry.item]; i < graph->first[entry.item + 1]; i++) {
			const struct edge *edge = &graph->edges[i];
			span next;

			if (!query_fits(search, query, i, true))
				continue;
			next = entry.key + edge_length(graph, edge, &measure);
			if (next >= ret[edge->other])
				continue;
			ret[edge->other] = next;
			heap_put(heap, edge->other, next);
		}
	}
	return heap->failed ? -ENOMEM : 0;
}

span path_length(const struct pathcomp_graph *graph, const uint32_t *arcs, size_t n_arcs,
                 const struct measure *measure) {
	span sum = 0;

	for (size_t i = 0; i < n_arcs; i++)
		sum += edge_length(graph, graph_edge(graph, arcs[i]), measure);
	return sum;
}

// ---- one path

static int engine_shortest(struct pathcomp_search *search, const struct query *query,
                           const struct pathcomp_request *request, struct pathcomp_path *ret) {
	CLEANUP(reach_freep) struct reach *reach = NULL;
	int rc;

	if (!conditions_limit(request->conditions))
		return engine_run(search, query, NULL, ret);
	if ((rc = reach_new(search, query, request->conditions, &reach)) < 0)
		return rc;
	return reach_run(search, query, reach, NULL, 0, ret);
}

const struct engine_calls SIZED(engine_calls) = {
        engine_new, engine_free, engine_prepare, engine_shortest, engine_several, engine_disjoint,
};
