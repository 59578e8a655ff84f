// Why nothing fits: flood the graph with and without the conditions, and take the arcs between what can be
// reached and what can't.
// SPDX-License-Identifier: MIT
#include "graph.h"
#include "room.h"

#include <errno.h>
#include <string.h>

// Which arcs a flood runs over, each kind a part of the one before.
enum condition { EXISTS, IS_UP, FITS };

struct flood {
	const struct pathcomp_room *room;
	int64_t demand_bps;
	uint32_t *queue;
	uint8_t *marks;
};

// Marks of nodes
enum {
	NEAR = 1, // reached from the side of the cut that has room
	FAR = 2,  // reached from the other side, up to what is near
	SEEN = 4,
};

static bool may_pass(const struct flood *flood, uint32_t arc, enum condition condition) {
	const struct pathcomp_room *room = flood->room;

	if (room->refusals[arc] == PATHCOMP_ABSENT)
		return false;
	if (condition == EXISTS)
		return true;
	if (condition == IS_UP)
		return room->refusals[arc] != PATHCOMP_DOWN;
	return room_fits(room, arc, flood->demand_bps);
}

// Marks what can be reached from 'start' (what can reach it, when 'backward') by arcs of the condition,
// without entering nodes that bear a mark of 'walls'.
static void run(struct flood *flood, uint32_t start, bool backward, enum condition condition, uint8_t mark,
                uint8_t walls) {
	const struct pathcomp_graph *graph = flood->room->graph;
	size_t head = 0, tail = 0;

	flood->queue[tail++] = start;
	flood->marks[start] |= mark;
	while (head < tail) {
		uint32_t node = flood->queue[head++];

		for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
			const struct edge *edge = &graph->edges[i];

			if ((flood->marks[edge->other] & (mark | walls)) != 0 ||
			    !may_pass(flood, edge->arc ^ (uint32_t)backward, condition))
				continue;
			flood->marks[edge->other] |= mark;
			flood->queue[tail++] = edge->other;
		}
	}
}

static void clear(struct flood *flood) {
	memset(flood->marks, 0, flood->room->graph->n_nodes);
}

static bool connects(struct flood *flood, const struct pathcomp_request *request, enum condition condition) {
	clear(flood);
	run(flood, request->from, false, condition, SEEN, 0);
	return (flood->marks[request->to] & SEEN) != 0;
}

static int compare_ranks(const void *left, const void *right, void *context) {
	const struct pathcomp_graph *graph = context;
	uint32_t left_rank = graph->weights[pathcomp_arc_link(*(const uint32_t *)left)].rank;
	uint32_t right_rank = graph->weights[pathcomp_arc_link(*(const uint32_t *)right)].rank;

	return (left_rank > right_rank) - (left_rank < right_rank);
}

// The arcs from near to far nodes, or the other way when 'backward'. Only counts when 'ret' is NULL.
static size_t collect(const struct flood *flood, bool backward, uint32_t *ret) {
	const struct pathcomp_graph *graph = flood->room->graph;
	const uint8_t tail = backward ? FAR : NEAR, head = backward ? NEAR : FAR;
	size_t n = 0;

	for (uint32_t node = 0; node < graph->n_nodes; node++) {
		if ((flood->marks[node] & tail) == 0)
			continue;
		for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
			const struct edge *edge = &graph->edges[i];

			if ((flood->marks[edge->other] & head) == 0 || !graph_has_arc(graph, edge->arc))
				continue;
			if (ret != NULL)
				ret[n] = edge->arc;
			n++;
		}
	}
	return n;
}

// Marks the two sides of a cut: near to the source, or near to the target when 'backward'.
static void divide(struct flood *flood, const struct pathcomp_request *request, bool backward) {
	clear(flood);
	run(flood, backward ? request->to : request->from, backward, FITS, NEAR, 0);
	run(flood, backward ? request->from : request->to, !backward, EXISTS, FAR, NEAR);
}

static int find_cut(struct flood *flood, const struct pathcomp_request *request, struct pathcomp_block *ret) {
	size_t at_source, at_target;
	bool backward;

	divide(flood, request, false);
	at_source = collect(flood, false, NULL);
	divide(flood, request, true);
	at_target = collect(flood, true, NULL);
	backward = at_target < at_source;
	if (!backward)
		divide(flood, request, false);

	ret->n_cut = backward ? at_target : at_source;
	ret->cut = malloc((ret->n_cut + 1) * sizeof(*ret->cut));
	if (ret->cut == NULL)
		return -ENOMEM;
	collect(flood, backward, ret->cut);
	qsort_r(ret->cut, ret->n_cut, sizeof(*ret->cut), compare_ranks, (void *)flood->room->graph);
	return 0;
}

int pathcomp_explain(const struct pathcomp_room *room, const struct pathcomp_request *request,
                     struct pathcomp_block *ret) {
	CLEANUP(freep) uint32_t *queue = NULL;
	CLEANUP(freep) uint8_t *marks = NULL;
	struct flood flood = {.room = room, .demand_bps = pathcomp_bps(request->gbps)};
	struct pathcomp_block block = {0};
	int rc;

	queue = malloc((room->graph->n_nodes + (size_t)1) * sizeof(*queue));
	marks = malloc(room->graph->n_nodes + (size_t)1);
	if (queue == NULL || marks == NULL)
		return -ENOMEM;
	flood.queue = queue;
	flood.marks = marks;
	if (!connects(&flood, request, EXISTS)) {
		block.reason = BLOCK_REASON_NO_ROUTE;
	} else {
		block.reason = connects(&flood, request, IS_UP) ? BLOCK_REASON_CAPACITY : BLOCK_REASON_DOWN;
		if ((rc = find_cut(&flood, request, &block)) < 0)
			return rc;
	}
	*ret = block;
	return 0;
}

void pathcomp_block_fini(struct pathcomp_block *block) {
	free(block->cut);
	*block = (struct pathcomp_block){0};
}
