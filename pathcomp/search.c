// The shortest path that fits. Records of nodes carry the number of the search that wrote them, so nothing is
// reset between searches; memory is taken once, when the search is made.
// SPDX-License-Identifier: MIT
#include "graph.h"
#include "room.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define ARITY   4
#define SETTLED UINT32_MAX

// What a path is compared by, before the link ids.
struct length {
	uint64_t metric;
	uint64_t latency_ns;
	uint32_t hops;
};

struct record {
	struct length length; // to the target
	uint32_t generation;  // of the search that wrote it
	uint32_t slot;        // in the heap, or SETTLED
};

struct pathcomp_search {
	const struct pathcomp_graph *graph;
	uint32_t generation;
	uint32_t *heap; // nodes; the nearest first
	uint32_t n_heap;
	struct record *records;
};

int pathcomp_search_new(const struct pathcomp_graph *graph, struct pathcomp_search **ret) {
	CLEANUP(pathcomp_search_freep) struct pathcomp_search *search = calloc(1, sizeof(*search));

	if (search == NULL)
		return -ENOMEM;
	search->graph = graph;
	search->heap = malloc((graph->n_nodes + (size_t)1) * sizeof(*search->heap));
	search->records = calloc(graph->n_nodes + (size_t)1, sizeof(*search->records));
	if (search->heap == NULL || search->records == NULL)
		return -ENOMEM;
	*ret = search;
	search = NULL;
	return 0;
}

void pathcomp_search_free(struct pathcomp_search *search) {
	if (search == NULL)
		return;
	free(search->heap);
	free(search->records);
	free(search);
}

static void start_generation(struct pathcomp_search *search) {
	if (++search->generation == 0) {
		memset(search->records, 0, search->graph->n_nodes * sizeof(*search->records));
		search->generation = 1;
	}
	search->n_heap = 0;
}

static int compare(const struct length *left, const struct length *right) {
	if (left->metric != right->metric)
		return left->metric < right->metric ? -1 : 1;
	if (left->latency_ns != right->latency_ns)
		return left->latency_ns < right->latency_ns ? -1 : 1;
	return (left->hops > right->hops) - (left->hops < right->hops);
}

static struct length extend(const struct length *length, const struct weight *weight,
                            enum path_metrics metric) {
	uint64_t step = metric == PATH_METRIC_COST      ? weight->cost_micro
	                : metric == PATH_METRIC_LATENCY ? weight->latency_ns
	                                                : 1;

	return (struct length){length->metric + step, length->latency_ns + weight->latency_ns,
	                       length->hops + 1};
}

// ---- the heap

static void put(struct pathcomp_search *search, uint32_t slot, uint32_t node) {
	search->heap[slot] = node;
	search->records[node].slot = slot;
}

static bool is_nearer(const struct pathcomp_search *search, uint32_t left, uint32_t right) {
	return compare(&search->records[left].length, &search->records[right].length) < 0;
}

static void sift_up(struct pathcomp_search *search, uint32_t slot, uint32_t node) {
	while (slot > 0) {
		uint32_t parent = (slot - 1) / ARITY;

		if (!is_nearer(search, node, search->heap[parent]))
			break;
		put(search, slot, search->heap[parent]);
		slot = parent;
	}
	put(search, slot, node);
}

static void sift_down(struct pathcomp_search *search, uint32_t slot, uint32_t node) {
	for (;;) {
		uint32_t first = slot * ARITY + 1, nearest = first;

		if (first >= search->n_heap)
			break;
		for (uint32_t child = first + 1; child < first + ARITY && child < search->n_heap; child++) {
			if (is_nearer(search, search->heap[child], search->heap[nearest]))
				nearest = child;
		}
		if (!is_nearer(search, search->heap[nearest], node))
			break;
		put(search, slot, search->heap[nearest]);
		slot = nearest;
	}
	put(search, slot, node);
}

static uint32_t pop(struct pathcomp_search *search) {
	uint32_t node = search->heap[0];

	search->n_heap--;
	if (search->n_heap > 0)
		sift_down(search, 0, search->heap[search->n_heap]);
	search->records[node].slot = SETTLED;
	return node;
}

static void reach(struct pathcomp_search *search, uint32_t node, const struct length *length) {
	struct record *record = &search->records[node];

	if (record->generation != search->generation) {
		*record = (struct record){*length, search->generation, search->n_heap};
		sift_up(search, search->n_heap++, node);
	} else if (record->slot != SETTLED && compare(length, &record->length) < 0) {
		record->length = *length;
		sift_up(search, record->slot, node);
	}
}

// ---- lengths to the target, then the path

// Returns whether the source was reached.
static bool measure(struct pathcomp_search *search, const struct pathcomp_room *room,
                    const struct pathcomp_request *request) {
	const struct pathcomp_graph *graph = search->graph;
	const int64_t demand_bps = pathcomp_bps(request->gbps);

	start_generation(search);
	reach(search, request->to, &(struct length){0});
	while (search->n_heap > 0) {
		uint32_t node = pop(search);

		if (node == request->from)
			return true;
		for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
			const struct edge *edge = &graph->edges[i];
			struct length length;

			if (!room_fits(room, edge->arc ^ 1, demand_bps))
				continue;
			length = extend(&search->records[node].length,
			                &graph->weights[pathcomp_arc_link(edge->arc)], request->metric);
			reach(search, edge->other, &length);
		}
	}
	return false;
}

// The edge of least link id among those on which the length at 'node' is made up. Nodes that are not settled
// are farther than the source, so they never are.
static const struct edge *tight_edge(const struct pathcomp_search *search, const struct pathcomp_room *room,
                                     const struct pathcomp_request *request, int64_t demand_bps,
                                     uint32_t node) {
	const struct pathcomp_graph *graph = search->graph;
	const struct edge *best = NULL;

	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		const struct edge *edge = &graph->edges[i];
		const struct weight *weight = &graph->weights[pathcomp_arc_link(edge->arc)];
		struct length length;

		if (search->records[edge->other].generation != search->generation ||
		    !room_fits(room, edge->arc, demand_bps))
			continue;
		length = extend(&search->records[edge->other].length, weight, request->metric);
		if (compare(&length, &search->records[node].length) == 0 &&
		    (best == NULL || weight->rank < graph->weights[pathcomp_arc_link(best->arc)].rank))
			best = edge;
	}
	return best;
}

static void append(struct pathcomp_path *path, const struct pathcomp_room *room, uint32_t arc) {
	const struct weight *weight = &room->graph->weights[pathcomp_arc_link(arc)];

	path->arcs[path->n_arcs++] = arc;
	path->cost_micro += weight->cost_micro;
	path->latency_ns += weight->latency_ns;
	if (room->available_bps[arc] < path->bottleneck_bps)
		path->bottleneck_bps = room->available_bps[arc];
}

int pathcomp_search_shortest(struct pathcomp_search *search, const struct pathcomp_room *room,
                             const struct pathcomp_request *request, struct pathcomp_path *ret) {
	struct pathcomp_path path = {.bottleneck_bps = PATHCOMP_UNLIMITED};
	const int64_t demand_bps = pathcomp_bps(request->gbps);
	uint32_t node = request->from;

	if (!measure(search, room, request))
		return 1;
	path.arcs = malloc((search->records[node].length.hops + (size_t)1) * sizeof(*path.arcs));
	if (path.arcs == NULL)
		return -ENOMEM;
	while (node != request->to) {
		const struct edge *edge = tight_edge(search, room, request, demand_bps, node);

		assert(edge != NULL);
		append(&path, room, edge->arc);
		node = edge->other;
	}
	*ret = path;
	return 0;
}

void pathcomp_path_fini(struct pathcomp_path *path) {
	free(path->arcs);
	*path = (struct pathcomp_path){0};
}
