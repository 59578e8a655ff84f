// Exact lengths for a room, where they are worth it. As long as requests come in for one room at demands that
// prune the same arcs, the work of their searches is added up; when it is as much as making exact lengths would
// have been, they are made: so what is spent is at most twice what would have been best. Small graphs get a
// table of all pairs, sparse ones lengths for their contraction, by which the rest of the way from any node
// follows in a few steps (Strasser and Zeitz, A Fast and Tight Heuristic for A* in Road Networks, 2021). The
// path is then walked from the source, by least link id, like any other.
// SPDX-License-Identifier: MIT
#include "contraction.h"
#include "engine.h"

#include <errno.h>
#include <string.h>

#define TABLE_NODES 128
#define ROOMS       4 // that are remembered

#define FAR (LENGTH_INFINITE >> 2) // two of them can be added

// A room, by one metric, at demands that prune alike.
struct exact {
	uint64_t version; // of the room; 0: none
	enum path_metrics metric;
	int64_t above_bps, to_bps; // above_bps < demand <= to_bps
	uint64_t work;             // of searches so far
	bool ready;
	span *lengths; // of the table: to each node from all; of the contraction: up each arc, then down each
};

struct rest {
	span at;
	uint32_t seen;
};

struct exacts {
	struct exact rooms[ROOMS];
	unsigned latest, oldest;
	uint32_t stamp;
	struct rest *below; // of each rank: to the target, over lesser ranks
	struct rest *rests; // of each rank: to the target
	struct numbers stack;
};

void exacts_free(struct exacts *exacts) {
	if (exacts == NULL)
		return;
	for (int i = 0; i < ROOMS; i++)
		free(exacts->rooms[i].lengths);
	free(exacts->below);
	free(exacts->rests);
	numbers_fini(&exacts->stack);
	free(exacts);
}

static bool is_small(const struct pathcomp_graph *graph) {
	return graph->n_nodes <= TABLE_NODES;
}

static bool is_of(const struct exact *exact, const struct query *query) {
	return exact->version == query->room->version && exact->metric == query->metric &&
	       exact->above_bps < query->demand_bps && query->demand_bps <= exact->to_bps;
}

// What is remembered of the query's room; NULL where nothing can be.
static struct exact *find(struct pathcomp_search *search, const struct query *query) {
	struct exacts *exacts = search->engine->exacts;

	if (query->filtered || (!is_small(search->graph) && search->graph->contraction == NULL))
		return NULL;
	if (exacts == NULL && (exacts = search->engine->exacts = calloc(1, sizeof(*exacts))) == NULL)
		return NULL;
	if (is_of(&exacts->rooms[exacts->latest], query))
		return &exacts->rooms[exacts->latest];
	for (unsigned i = 0; i < ROOMS; i++) {
		if (is_of(&exacts->rooms[i], query)) {
			exacts->latest = i;
			return &exacts->rooms[i];
		}
	}
	exacts->latest = exacts->oldest;
	exacts->oldest = (exacts->oldest + 1) % ROOMS;
	free(exacts->rooms[exacts->latest].lengths);
	exacts->rooms[exacts->latest] = (struct exact){.version = query->room->version,
	                                               .metric = query->metric,
	                                               .above_bps = query->demand_bps - 1,
	                                               .to_bps = query->demand_bps};
	return &exacts->rooms[exacts->latest];
}

void exact_worked(struct pathcomp_search *search, const struct query *query, uint64_t work) {
	struct exact *exact = find(search, query);

	if (exact != NULL)
		exact->work += work;
}

// ---- to make them

// The demands at which just the same arcs fit.
static void widen(struct exact *exact, const struct query *query) {
	const struct pathcomp_room *room = query->room;

	exact->above_bps = INT64_MIN;
	exact->to_bps = INT64_MAX;
	for (size_t i = 0; i < 2 * (size_t)room->graph->n_links; i++) {
		int64_t bps = room->free_bps[i];

		if (bps < query->demand_bps && bps > exact->above_bps)
			exact->above_bps = bps;
		if (bps >= query->demand_bps && bps < exact->to_bps)
			exact->to_bps = bps;
	}
}

static int make_table(struct pathcomp_search *search, const struct query *query, struct exact *exact) {
	size_t n_nodes = search->graph->n_nodes;
	struct query row = *query;
	int rc = 0;

	exact->lengths = malloc(n_nodes * n_nodes * sizeof(*exact->lengths));
	if (exact->lengths == NULL)
		return -ENOMEM;
	for (row.to = 0; row.to < n_nodes && rc == 0; row.to++)
		rc = engine_measure(search, &row, &exact->lengths[row.to * n_nodes]);
	return rc;
}

static void lower(span *length, span to) {
	if (to < *length)
		*length = to;
}

static void take_edges(const struct pathcomp_graph *graph, const struct query *query, span *up, span *down) {
	const struct contraction *contraction = graph->contraction;

	for (uint32_t node = 0; node < graph->n_nodes; node++) {
		uint32_t tail = contraction->rank_of[node];

		for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
			const struct edge *edge = &graph->edges[i];
			uint32_t head = contraction->rank_of[edge->other];

			if (head == tail ||
			    !room_fits(query->room, i, false, query->demand_bps, query->demand_grade))
				continue;
			lower(tail < head ? &up[contraction_arc(contraction, tail, head)]
			                  : &down[contraction_arc(contraction, head, tail)],
			      edge_length(graph, edge, query->measure));
		}
	}
}

// Ways between two neighbours of a rank over it, which are neighbours of each other.
static void join_neighbours(const struct contraction *contraction, uint32_t rank, span *up, span *down) {
	const uint32_t *heads = contraction->heads;
	uint32_t end = contraction->first[rank + 1];

	for (uint32_t left = contraction->first[rank]; left < end; left++) {
		uint32_t arc = contraction->first[heads[left]];

		for (uint32_t right = left + 1; right < end; right++, arc++) {
			while (heads[arc] != heads[right])
				arc++;
			lower(&up[arc], down[left] + up[right]);
			lower(&down[arc], down[right] + up[left]);
		}
	}
}

static int make_contraction(const struct pathcomp_graph *graph, const struct query *query,
                            struct exacts *exacts, struct exact *exact) {
	const struct contraction *contraction = graph->contraction;
	size_t n_arcs = contraction->first[graph->n_nodes], n_nodes = graph->n_nodes;

	if (exacts->below == NULL)
		exacts->below = calloc(n_nodes + 1, sizeof(*exacts->below));
	if (exacts->rests == NULL)
		exacts->rests = calloc(n_nodes + 1, sizeof(*exacts->rests));
	exact->lengths = malloc((2 * n_arcs + 1) * sizeof(*exact->lengths));
	if (exacts->below == NULL || exacts->rests == NULL || exact->lengths == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < 2 * n_arcs; i++)
		exact->lengths[i] = FAR;
	take_edges(graph, query, exact->lengths, exact->lengths + n_arcs);
	for (uint32_t rank = 0; rank < n_nodes; rank++)
		join_neighbours(contraction, rank, exact->lengths, exact->lengths + n_arcs);
	return 0;
}

static int make(struct pathcomp_search *search, const struct query *query, struct exact *exact) {
	int rc = is_small(search->graph)
	                 ? make_table(search, query, exact)
	                 : make_contraction(search->graph, query, search->engine->exacts, exact);

	if (rc < 0)
		return rc;
	widen(exact, query);
	exact->ready = true;
	return 0;
}

static uint64_t worth(const struct pathcomp_graph *graph) {
	return is_small(graph) ? (uint64_t)graph->n_nodes * graph->n_nodes : graph->contraction->work;
}

// ---- to use them

static void reach_below(const struct pathcomp_graph *graph, const struct exact *exact, struct exacts *exacts,
                        uint32_t target) {
	const struct contraction *contraction = graph->contraction;
	const span *down = exact->lengths + contraction->first[graph->n_nodes];
	uint32_t rank = contraction->rank_of[target];

	if (++exacts->stamp == 0) {
		memset(exacts->below, 0, graph->n_nodes * sizeof(*exacts->below));
		memset(exacts->rests, 0, graph->n_nodes * sizeof(*exacts->rests));
		exacts->stamp = 1;
	}
	exacts->below[rank] = (struct rest){0, exacts->stamp};
	for (;;) {
		uint32_t first = contraction->first[rank], end = contraction->first[rank + 1];

		if (exacts->below[rank].seen == exacts->stamp) {
			for (uint32_t arc = first; arc < end; arc++) {
				struct rest *rest = &exacts->below[contraction->heads[arc]];
				span at = exacts->below[rank].at + down[arc];

				if (at < FAR && (rest->seen != exacts->stamp || at < rest->at))
					*rest = (struct rest){at, exacts->stamp};
			}
		}
		if (first == end)
			return;
		rank = contraction->heads[first];
	}
}

// The way from each rank goes up first, or at once down: those above are settled before.
span exact_rest(struct run *run, uint32_t node) {
	const struct contraction *contraction = run->search->graph->contraction;
	struct exacts *exacts = run->engine->exacts;
	uint32_t rank = contraction->rank_of[node];
	struct rest *rests = exacts->rests;

	exacts->stack.n = 0;
	for (uint32_t at = rank; rests[at].seen != exacts->stamp;
	     at = contraction->heads[contraction->first[at]]) {
		if (numbers_add(&exacts->stack, at) < 0) {
			run->failed = true;
			return LENGTH_INFINITE;
		}
		if (contraction->first[at] == contraction->first[at + 1])
			break;
	}
	while (exacts->stack.n > 0) {
		uint32_t at = exacts->stack.list[--exacts->stack.n];
		span least = exacts->below[at].seen == exacts->stamp ? exacts->below[at].at : FAR;

		for (uint32_t arc = contraction->first[at]; arc < contraction->first[at + 1]; arc++)
			lower(&least, run->exact->lengths[arc] + rests[contraction->heads[arc]].at);
		rests[at] = (struct rest){least, exacts->stamp};
	}
	return rests[rank].at < FAR ? rests[rank].at : LENGTH_INFINITE;
}

int exact_begin(struct run *run) {
	struct pathcomp_search *search = run->search;
	struct exact *exact = find(search, run->query);
	int rc;

	if (exact == NULL || (!exact->ready && exact->work < worth(search->graph)))
		return 0;
	if (!exact->ready && (rc = make(search, run->query, exact)) < 0) {
		*exact = (struct exact){.lengths = exact->lengths};
		return rc;
	}
	run->exact = exact;
	if (is_small(search->graph))
		run->exact_row = &exact->lengths[(size_t)run->query->to * search->graph->n_nodes];
	else
		reach_below(search->graph, exact, search->engine->exacts, run->query->to);
	return 1;
}

int exact_walk(struct run *run, struct pathcomp_path *ret) {
	const struct pathcomp_graph *graph = run->search->graph;
	const struct query *query = run->query;
	span rest;

	if (run->exact_row != NULL)
		return run_walk_by(run, run->exact_row, ret);
	rest = exact_rest(run, query->from);
	if (rest == LENGTH_INFINITE)
		return run->failed ? -ENOMEM : 1;
	run->engine->stack.n = 0;
	for (uint32_t node = query->from; node != query->to && !run->failed;) {
		for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
			const struct edge *edge = &graph->edges[i];
			span length;

			if (!room_fits(query->room, i, false, query->demand_bps, query->demand_grade))
				continue;
			length = edge_length(graph, edge, &run->measure);
			if (length > rest || exact_rest(run, edge->other) != rest - length)
				continue;
			run->failed |= numbers_add(&run->engine->stack, i) < 0;
			rest -= length;
			node = edge->other;
			break;
		}
	}
	return run->failed ? -ENOMEM : run_tell(run, ret);
}
