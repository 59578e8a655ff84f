// Two paths that share no link, or no node between the ends, of least total length: Suurballe's algorithm
// (Networks 4, 1974; with Tarjan, Networks 14, 1984). The second search runs on lengths reduced by those to
// the target, as far as they are known (run_rest()), may take the first path's links backwards at a gain, and
// what is taken both ways drops out; so trap graphs are no trap.
//
// Ties. The first path is the best one of all; of the shortest residual paths it is the one of fewest steps, then
// of least ids. Neither depends on how the lengths came to be known.
// SPDX-License-Identifier: MIT
#include "engine.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define NONE UINT32_MAX

// A node of the first path is two states when nodes must differ: who comes in from aside may only go back
// along the path; who came back may go anywhere.
enum { OUT, IN };

struct state {
	span at;
	uint32_t seen;  // the engine's stamp of the search that wrote it
	uint32_t steps; // to the target on shortest residual paths; NONE: on none, as far as is known
};

// Of a node: run_rest(), which is asked for often.
struct rest {
	span at;
	uint32_t seen; // the engine's stamp of the search that asked first
};

// What is kept from pair to pair, so that nothing of the size of the graph is written for each.
struct pair_memory {
	struct state *states;      // two of each node: 2 * node + OUT or IN
	struct rest *rests;        // of each node
	uint32_t *next, *before;   // arcs of the first path that leave and enter a node, NONE elsewhere
	uint32_t *aside;           // another arc of the pair that leaves a node
	struct numbers first, way; // arcs of the first path; of the residual one, from the target
};

void pair_memory_free(struct pair_memory *memory) {
	if (memory == NULL)
		return;
	free(memory->states);
	free(memory->rests);
	free(memory->next);
	free(memory->before);
	free(memory->aside);
	numbers_fini(&memory->first);
	numbers_fini(&memory->way);
	free(memory);
}

static struct pair_memory *pair_memory_of(struct pathcomp_search *search) {
	size_t n = search->graph->n_nodes + (size_t)1;
	struct pair_memory *memory = search->engine->pair;

	if (memory != NULL)
		return memory;
	memory = calloc(1, sizeof(*memory));
	if (memory == NULL)
		return NULL;
	memory->states = calloc(2 * n, sizeof(*memory->states));
	memory->rests = calloc(n, sizeof(*memory->rests));
	memory->next = malloc(n * sizeof(*memory->next));
	memory->before = malloc(n * sizeof(*memory->before));
	memory->aside = malloc(n * sizeof(*memory->aside));
	if (memory->states == NULL || memory->rests == NULL || memory->next == NULL ||
	    memory->before == NULL || memory->aside == NULL) {
		pair_memory_free(memory);
		return NULL;
	}
	memset(memory->next, 0xff, n * sizeof(*memory->next));
	memset(memory->before, 0xff, n * sizeof(*memory->before));
	memset(memory->aside, 0xff, n * sizeof(*memory->aside));
	return search->engine->pair = memory;
}

struct residual {
	struct run run; // that found the first path
	struct pair_memory *memory;
	bool nodes_differ;
};

static void forget(struct residual *residual) {
	const struct pathcomp_graph *graph = residual->run.engine->graph;
	struct pair_memory *memory = residual->memory;

	if (memory == NULL)
		return;
	for (size_t i = 0; i < memory->first.n; i++) {
		memory->next[pathcomp_arc_from(graph, memory->first.list[i])] = NONE;
		memory->before[pathcomp_arc_to(graph, memory->first.list[i])] = NONE;
	}
	for (size_t i = 0; i < memory->way.n; i++)
		memory->aside[pathcomp_arc_from(graph, memory->way.list[i])] = NONE;
	memory->first.n = memory->way.n = 0;
}

static int take_first(struct residual *residual, const struct pathcomp_path *first) {
	const struct pathcomp_graph *graph = residual->run.engine->graph;
	struct pair_memory *memory = residual->memory;

	for (size_t i = 0; i < first->n_arcs; i++) {
		if (numbers_add(&memory->first, first->arcs[i]) < 0)
			return -ENOMEM;
		memory->next[pathcomp_arc_from(graph, first->arcs[i])] = first->arcs[i];
		memory->before[pathcomp_arc_to(graph, first->arcs[i])] = first->arcs[i];
	}
	return 0;
}

static span rest_of(struct residual *residual, uint32_t node) {
	struct rest *rest = &residual->memory->rests[node];

	if (rest->seen != residual->run.engine->stamp)
		*rest = (struct rest){run_rest(&residual->run, node), residual->run.engine->stamp};
	return rest->at;
}

static bool is_inner(const struct residual *residual, uint32_t node) {
	return residual->memory->next[node] != NONE && residual->memory->before[node] != NONE;
}

// The state that an arc from aside leads to.
static uint32_t state_at(const struct residual *residual, uint32_t node) {
	return 2 * node + (residual->nodes_differ && is_inner(residual, node) ? IN : OUT);
}

static void reach(struct residual *residual, uint32_t number, span at) {
	struct state *state = &residual->memory->states[number];
	uint32_t stamp = residual->run.engine->stamp;

	if (state->seen == stamp && at >= state->at)
		return;
	*state = (struct state){at, stamp, NONE};
	heap_put(&residual->run.engine->heaps[FROM_SOURCE], number, at);
}

// Is an edge of a node neither the first path's nor the way back on it?
static bool goes_aside(const struct residual *residual, uint32_t node, const struct edge *edge) {
	return residual->memory->next[node] != edge->arc && residual->memory->before[node] != (edge->arc ^ 1);
}

static void leave(struct residual *residual, uint32_t node, span at) {
	struct run *run = &residual->run;
	const struct pathcomp_graph *graph = run->engine->graph;
	span whole = at - rest_of(residual, node);

	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		const struct edge *edge = &graph->edges[i];
		uint32_t other = edge->other;
		span rest;

		if (!goes_aside(residual, node, edge) || !query_fits(run->search, run->query, i, false))
			continue;
		rest = rest_of(residual, other);
		if (rest != LENGTH_INFINITE)
			reach(residual, state_at(residual, other),
			      whole + edge_length(graph, edge, &run->measure) + rest);
	}
}

// Back along the first path: what it cost is won, so the reduced length is 0.
static void go_back(struct residual *residual, uint32_t node, span at) {
	uint32_t arc = residual->memory->before[node], from;

	if (arc == NONE)
		return;
	from = pathcomp_arc_from(residual->run.engine->graph, arc);
	if (from != residual->run.query->from)
		reach(residual, 2 * from + OUT, at);
}

static void settle(struct residual *residual, uint32_t state, span at) {
	uint32_t node = state / 2;

	if (state % 2 == IN) {
		go_back(residual, node, at);
		return;
	}
	leave(residual, node, at);
	if (!is_inner(residual, node))
		return;
	if (residual->nodes_differ)
		reach(residual, 2 * node + IN, at);
	else
		go_back(residual, node, at);
}

// A flood from the target against the residual arcs, a node at a time: where it ends without having come to the
// source, there is no pair, and that is mostly near the target. It minds links only, not nodes.
static int flood_reach(struct residual *residual, uint32_t node) {
	uint32_t *seen = &residual->run.engine->records[node].seen[FROM_SOURCE];

	if (*seen == residual->run.engine->stamp + FLOODED_RESIDUAL)
		return 0;
	*seen = residual->run.engine->stamp + FLOODED_RESIDUAL;
	return numbers_add(&residual->run.engine->stack, node);
}

// Returns 0, 1 when there is no more, or -ENOMEM.
static int flood_on(struct residual *residual, size_t *head) {
	struct engine *engine = residual->run.engine;
	const struct pathcomp_graph *graph = engine->graph;
	const struct query *query = residual->run.query;
	const uint32_t *next = residual->memory->next;
	uint32_t node;
	int rc = 0;

	if (engine->records[query->from].seen[FROM_SOURCE] == engine->stamp + FLOODED_RESIDUAL)
		return 0;
	if (*head == engine->stack.n)
		return 1;
	node = engine->stack.list[(*head)++];
	for (uint32_t i = graph->first[node]; i < graph->first[node + 1] && rc == 0; i++) {
		const struct edge *edge = &graph->edges[i];

		if (next[edge->other] != (edge->arc ^ 1) && query_fits(residual->run.search, query, i, true))
			rc = flood_reach(residual, edge->other);
	}
	if (rc == 0 && next[node] != NONE)
		rc = flood_reach(residual, pathcomp_arc_to(graph, next[node]));
	return rc;
}

// Settles the target and all that is not farther. Returns 0 when it was reached, 1, or -ENOMEM.
static int flow(struct residual *residual) {
	struct heap *heap = &residual->run.engine->heaps[FROM_SOURCE];
	const struct query *query = residual->run.query;
	span best = LENGTH_INFINITE;
	size_t head = 0, n_settled = 0;
	int rc;

	heap->n = 0;
	residual->run.engine->stack.n = 0;
	if ((rc = flood_reach(residual, query->to)) < 0)
		return rc;
	reach(residual, 2 * query->from + OUT, 0);
	while (heap->n > 0 && !heap->failed && heap->list[0].key <= best) {
		struct heap_entry entry = heap_take(heap);

		if (entry.key > residual->memory->states[entry.item].at)
			continue;
		if (entry.item / 2 == query->to) {
			best = entry.key;
			continue;
		}
		settle(residual, entry.item, entry.key);
		if (best == LENGTH_INFINITE && ++n_settled > FLOOD_AFTER &&
		    (rc = flood_on(residual, &head)) != 0)
			return rc;
	}
	if (heap->failed || residual->run.failed)
		return -ENOMEM;
	return best == LENGTH_INFINITE ? 1 : 0;
}

// ---- the residual path: of the shortest ones that of fewest steps, then of least link ids, back steps last

static struct state *known(const struct residual *residual, uint32_t number) {
	struct state *state = &residual->memory->states[number];

	return state->seen == residual->run.engine->stamp ? state : NULL;
}

static bool is_tight(struct residual *residual, uint32_t from, uint32_t to, const struct edge *edge) {
	const struct state *left = known(residual, from), *right = known(residual, to);

	if (left == NULL || right == NULL)
		return false;
	if (edge == NULL)
		return left->at == right->at;
	return left->at + edge_length(residual->run.engine->graph, edge, &residual->run.measure) +
	               rest_of(residual, to / 2) ==
	       right->at + rest_of(residual, from / 2);
}

// Notes that 'from' is a step before 'to', if that is the shortest way on and nothing nearer was noted.
static int step_back(struct residual *residual, uint32_t from, uint32_t to, const struct edge *edge) {
	struct state *state = known(residual, from);

	if (state == NULL || state->steps != NONE || !is_tight(residual, from, to, edge))
		return 0;
	state->steps = residual->memory->states[to].steps + 1;
	return numbers_add(&residual->run.engine->stack, from);
}

// The state from which one goes back along the first path by the arc that enters a node; NONE at its ends.
static uint32_t back_from(const struct residual *residual, uint32_t node) {
	return is_inner(residual, node) ? state_at(residual, node) : NONE;
}

static int step_back_to(struct residual *residual, uint32_t number) {
	const struct pathcomp_graph *graph = residual->run.engine->graph;
	const struct query *query = residual->run.query;
	uint32_t node = number / 2, next = residual->memory->next[node], before;
	int rc = 0;

	if (number == state_at(residual, node)) {
		for (uint32_t i = graph->first[node]; i < graph->first[node + 1] && rc == 0; i++) {
			const struct edge *edge = &graph->edges[i], *back = graph_edge(graph, edge->arc ^ 1);

			if (goes_aside(residual, edge->other, back) &&
			    query_fits(residual->run.search, query, i, true))
				rc = step_back(residual, 2 * edge->other + OUT, number, back);
		}
	}
	if (rc == 0 && number % 2 == IN)
		rc = step_back(residual, 2 * node + OUT, number, NULL);
	if (rc == 0 && number % 2 == OUT && next != NONE && node != query->from &&
	    (before = back_from(residual, pathcomp_arc_to(graph, next))) != NONE)
		rc = step_back(residual, before, number, NULL);
	return rc;
}

// Counts the steps to the target, from there.
static int count_steps(struct residual *residual) {
	struct numbers *queue = &residual->run.engine->stack;
	uint32_t target = state_at(residual, residual->run.query->to);
	int rc;

	queue->n = 0;
	known(residual, target)->steps = 0;
	rc = numbers_add(queue, target);
	for (size_t head = 0; head < queue->n && rc == 0; head++)
		rc = step_back_to(residual, queue->list[head]);
	return rc;
}

static bool is_next(struct residual *residual, uint32_t from, uint32_t to, const struct edge *edge) {
	const struct state *state = known(residual, to);

	return state != NULL && state->steps != NONE &&
	       state->steps + 1 == residual->memory->states[from].steps && is_tight(residual, from, to, edge);
}

// The edge aside by which the residual path goes on from a node's OUT; NULL: back.
static const struct edge *next_aside(struct residual *residual, uint32_t node) {
	const struct pathcomp_graph *graph = residual->run.engine->graph;

	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		const struct edge *edge = &graph->edges[i];

		if (goes_aside(residual, node, edge) &&
		    is_next(residual, 2 * node + OUT, state_at(residual, edge->other), edge) &&
		    query_fits(residual->run.search, residual->run.query, i, false))
			return edge;
	}
	return NULL;
}

// Lays the residual path over the first: an arc cancels the first path's that it goes back on.
static int trace(struct residual *residual) {
	const struct pathcomp_graph *graph = residual->run.engine->graph;
	struct pair_memory *memory = residual->memory;
	struct numbers *cancelled = &residual->run.engine->stack;
	int rc = count_steps(residual);

	cancelled->n = 0;
	for (uint32_t node = residual->run.query->from; node != residual->run.query->to && rc == 0;) {
		const struct edge *edge = next_aside(residual, node);

		// having come into an inner node from aside, there is only the way back
		if (edge != NULL) {
			memory->aside[node] = edge->arc;
			rc = numbers_add(&memory->way, edge->arc);
			node = edge->other;
			if (!residual->nodes_differ || !is_inner(residual, node))
				continue;
		}
		if (rc == 0)
			rc = numbers_add(cancelled, pathcomp_arc_from(graph, memory->before[node]));
		node = pathcomp_arc_from(graph, memory->before[node]);
	}
	for (size_t i = 0; i < cancelled->n && rc == 0; i++)
		memory->next[cancelled->list[i]] = NONE;
	return rc;
}

// ---- two paths out of the first and the residual one

// Takes the least arc by id that leaves 'node' out of the pair; there is one.
static uint32_t take_from(const struct residual *residual, uint32_t node) {
	const struct pathcomp_graph *graph = residual->run.engine->graph;
	uint32_t *next = &residual->memory->next[node], *aside = &residual->memory->aside[node], arc;
	uint32_t *least = next;

	if (*next == NONE || (*aside != NONE && graph_arc_rank(graph, *aside) < graph_arc_rank(graph, *next)))
		least = aside;
	arc = *least;
	assert(arc != NONE);
	*least = NONE;
	return arc;
}

static int walk(struct residual *residual, struct pathcomp_path *ret) {
	const struct query *query = residual->run.query;
	struct numbers *arcs = &residual->run.engine->stack;

	arcs->n = 0;
	for (uint32_t node = query->from; node != query->to;) {
		uint32_t arc = take_from(residual, node);

		if (numbers_add(arcs, arc) < 0)
			return -ENOMEM;
		node = pathcomp_arc_to(residual->run.engine->graph, arc);
	}
	return pathcomp_room_path(query->room, arcs->list, arcs->n, ret);
}

void pair_put_in_order(const struct pathcomp_graph *graph, const struct measure *measure,
                       struct pathcomp_path pair[2]) {
	span left = path_length(graph, pair[0].arcs, pair[0].n_arcs, measure),
	     right = path_length(graph, pair[1].arcs, pair[1].n_arcs, measure);
	struct pathcomp_path first = pair[0];

	if (left < right || (left == right && path_compare_ids(graph, pair[0].arcs, pair[0].n_arcs,
	                                                       pair[1].arcs, pair[1].n_arcs) <= 0))
		return;
	pair[0] = pair[1];
	pair[1] = first;
}

static int find_first(struct run *run, struct pathcomp_path *ret) {
	int rc = exact_begin(run);

	if (rc < 0)
		return rc;
	if (rc == 1) {
		run_start(run);
		return exact_walk(run, ret);
	}
	rc = run_to_source(run);
	exact_worked(run->search, run->query, run->work);
	return rc != 0 ? rc : run_walk(run, ret);
}

static int find_pair(struct residual *residual, struct pathcomp_path pair[2]) {
	CLEANUP(pathcomp_path_fini) struct pathcomp_path first = {0};
	int rc;

	if ((rc = find_first(&residual->run, &first)) != 0)
		return rc;
	residual->memory = pair_memory_of(residual->run.search);
	if (residual->memory == NULL)
		return -ENOMEM;
	if ((rc = take_first(residual, &first)) < 0 || (rc = flow(residual)) != 0 ||
	    (rc = trace(residual)) < 0 || (rc = walk(residual, &pair[0])) < 0 ||
	    (rc = walk(residual, &pair[1])) < 0)
		return rc;
	pair_put_in_order(residual->run.engine->graph, residual->run.query->measure, pair);
	return 0;
}

int suurballe(struct pathcomp_search *search, const struct query *query, bool nodes_differ,
              struct pathcomp_path pair[2]) {
	struct residual residual = {.nodes_differ = nodes_differ};
	int rc;

	if (!run_init(&residual.run, search, query))
		return residual.run.failed ? -ENOMEM : 1;
	rc = find_pair(&residual, pair);
	forget(&residual);
	return rc;
}
