// Why nothing fits: ask again under fewer conditions until something does, and take the arcs between what can
// be reached and what can't.
// SPDX-License-Identifier: MIT
#include "search.h"

#include <errno.h>
#include <string.h>

// Conditions in the order in which they are told; each holds beside those before it.
enum condition { EXISTS, IS_UP, ALLOWED, HAS_ROOM, UTILIZATION, HOPS, LATENCY, N_CONDITIONS };

static const enum block_reasons reasons[N_CONDITIONS] = {
        [EXISTS] = BLOCK_REASON_NO_ROUTE,         [IS_UP] = BLOCK_REASON_DOWN,
        [ALLOWED] = BLOCK_REASON_EXCLUDED,        [HAS_ROOM] = BLOCK_REASON_CAPACITY,
        [UTILIZATION] = BLOCK_REASON_UTILIZATION, [HOPS] = BLOCK_REASON_HOPS,
        [LATENCY] = BLOCK_REASON_LATENCY,
};

struct flood {
	struct pathcomp_search *search;
	const struct pathcomp_room *room;
	const struct query *query; // its bans are the request's
	uint32_t *queue;
	uint8_t *marks;
};

// Marks of nodes
enum {
	NEAR = 1, // reached from the side of the cut that has room
	FAR = 2,  // reached from the other side, up to what is near
	SEEN = 4,
};

static bool is_banned(const struct pathcomp_search *search, uint32_t arc) {
	return search->links.reasons[pathcomp_arc_link(arc)] != 0 ||
	       search->nodes.reasons[pathcomp_arc_from(search->graph, arc)] != 0 ||
	       search->nodes.reasons[pathcomp_arc_to(search->graph, arc)] != 0;
}

static bool may_pass(const struct flood *flood, uint32_t arc, enum condition condition) {
	const struct pathcomp_room *room = flood->room;

	if (room_refusal(room, arc) == PATHCOMP_ABSENT)
		return false;
	if (condition == EXISTS)
		return true;
	if (room_refusal(room, arc) == PATHCOMP_DOWN)
		return false;
	if (condition == IS_UP)
		return true;
	if (is_banned(flood->search, arc))
		return false;
	if (condition == ALLOWED)
		return true;
	if (condition == HAS_ROOM)
		return room_available(room, arc) >= flood->query->demand_bps;
	return query_available(flood->search, flood->query, arc) >= flood->query->demand_bps;
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

static bool connects(struct flood *flood, const struct query *leg, enum condition condition) {
	clear(flood);
	run(flood, leg->from, false, condition, SEEN, 0);
	return (flood->marks[leg->to] & SEEN) != 0;
}

// ---- the cut

static int compare_ranks(const void *left, const void *right, void *context) {
	const struct pathcomp_graph *graph = context;
	uint32_t left_rank = graph_arc_rank(graph, *(const uint32_t *)left),
	         right_rank = graph_arc_rank(graph, *(const uint32_t *)right);

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

// Marks the two sides of a cut: near to the leg's source, or near to its target when 'backward'.
static void divide(struct flood *flood, const struct query *leg, enum condition condition, bool backward) {
	clear(flood);
	run(flood, backward ? leg->to : leg->from, backward, condition, NEAR, 0);
	run(flood, backward ? leg->from : leg->to, !backward, EXISTS, FAR, NEAR);
}

static int find_cut(struct flood *flood, const struct query *leg, enum condition condition,
                    struct pathcomp_block *ret) {
	size_t at_source, at_target;
	bool backward;

	divide(flood, leg, condition, false);
	at_source = collect(flood, false, NULL);
	divide(flood, leg, condition, true);
	at_target = collect(flood, true, NULL);
	backward = at_target < at_source;
	if (!backward)
		divide(flood, leg, condition, false);

	ret->n_cut = backward ? at_target : at_source;
	ret->cut = malloc((ret->n_cut + 1) * sizeof(*ret->cut));
	if (ret->cut == NULL)
		return -ENOMEM;
	collect(flood, backward, ret->cut);
	qsort_r(ret->cut, ret->n_cut, sizeof(*ret->cut), compare_ranks, (void *)flood->room->graph);
	return 0;
}

// ---- the first condition under which there is nothing

// Is every leg of the way cut by one of the conditions that floods can tell? Returns 1 when it is told, 0
// when the way is free as far as floods can tell, or -ENOMEM.
static int explain_legs(struct flood *flood, const struct pathcomp_request *request,
                        struct pathcomp_block *ret) {
	const struct pathcomp_conditions *conditions = request->conditions;
	size_t n_via = conditions == NULL ? 0 : conditions->n_via;
	int rc;

	for (int condition = EXISTS; condition <= UTILIZATION; condition++) {
		struct query leg = *flood->query;

		for (size_t i = 0; i <= n_via; i++, leg.from = leg.to) {
			leg.to = i < n_via ? conditions->via[i] : request->to;
			if (connects(flood, &leg, (enum condition)condition))
				continue;
			ret->reason = reasons[condition];
			rc = condition == EXISTS ? 0 : find_cut(flood, &leg, (enum condition)condition, ret);
			return rc < 0 ? rc : 1;
		}
	}
	return 0;
}

static int64_t relaxed_bps(const struct pathcomp_room *room, uint32_t arc, enum condition condition) {
	if (room_refusal(room, arc) == PATHCOMP_ABSENT)
		return INT64_MIN;
	if (condition >= IS_UP && room_refusal(room, arc) == PATHCOMP_DOWN)
		return INT64_MIN;
	return condition >= HAS_ROOM ? room_available(room, arc) : PATHCOMP_UNLIMITED;
}

static void relax_conditions(struct pathcomp_conditions *conditions, enum condition condition) {
	if (condition < ALLOWED)
		conditions->n_links = conditions->n_nodes = conditions->n_srlgs = 0;
	if (condition < UTILIZATION)
		conditions->max_utilization = 1;
	if (condition < HOPS)
		conditions->max_hops = UINT32_MAX;
	if (condition < LATENCY)
		conditions->max_latency_ns = UINT64_MAX;
}

// Is there an answer when only the conditions up to one hold? Returns 0, 1 or -errno as a search.
static int ask(struct pathcomp_search *search, const struct pathcomp_room *room,
               const struct pathcomp_request *request, int disjoint, enum condition condition) {
	CLEANUP(pathcomp_room_freep) struct pathcomp_room *relaxed = NULL;
	CLEANUP(pathcomp_paths_fini) struct pathcomp_paths paths = {0};
	CLEANUP(pathcomp_path_fini) struct pathcomp_path path = {0};
	struct pathcomp_conditions conditions = PATHCOMP_NO_CONDITIONS;
	struct pathcomp_request eased = *request;
	int rc;

	if ((rc = room_copy(room, &relaxed)) < 0)
		return rc;
	for (uint32_t arc = 0; arc < 2 * room->graph->n_links; arc++)
		room_set_available(relaxed, arc, relaxed_bps(room, arc, condition));
	if (request->conditions != NULL)
		conditions = *request->conditions;
	relax_conditions(&conditions, condition);
	eased.conditions = &conditions;
	return disjoint >= 0 ? pathcomp_search_disjoint(search, relaxed, &eased,
	                                                (enum disjoint_kinds)disjoint, &paths)
	                     : pathcomp_search_shortest(search, relaxed, &eased, &path);
}

static int explain_by_search(struct pathcomp_search *search, const struct pathcomp_room *room,
                             const struct pathcomp_request *request, int disjoint,
                             struct pathcomp_block *ret) {
	for (int condition = EXISTS; condition < LATENCY; condition++) {
		int rc = ask(search, room, request, disjoint, (enum condition)condition);

		if (rc == 0)
			continue;
		ret->reason = reasons[condition];
		return rc < 0 && rc != -E2BIG ? rc : 0;
	}
	ret->reason = reasons[LATENCY];
	return 0;
}

static bool has_via(const struct pathcomp_request *request) {
	return request->conditions != NULL && request->conditions->n_via > 0;
}

// One path, leg by leg, is cut by the condition that the block tells; a pair, or a path without loops, may be
// by an earlier one.
static int explain_beyond(struct pathcomp_search *search, const struct pathcomp_room *room,
                          const struct pathcomp_request *request, int disjoint,
                          struct pathcomp_block *block) {
	struct pathcomp_block whole = {0};
	int rc = explain_by_search(search, room, request, disjoint, &whole);

	if (rc < 0 || whole.reason != block->reason)
		pathcomp_block_fini(block);
	if (rc == 0)
		block->reason = whole.reason;
	return rc;
}

int pathcomp_explain(struct pathcomp_search *search, const struct pathcomp_room *room,
                     const struct pathcomp_request *request, int disjoint, struct pathcomp_block *ret) {
	CLEANUP(freep) uint32_t *queue = malloc((room->graph->n_nodes + (size_t)1) * sizeof(*queue));
	CLEANUP(freep) uint8_t *marks = malloc(room->graph->n_nodes + (size_t)1);
	struct pathcomp_block block = {0};
	struct flood flood = {.search = search, .room = room, .queue = queue, .marks = marks};
	struct query query;
	int rc;

	if (queue == NULL || marks == NULL)
		return -ENOMEM;
	search_ban_excluded(search, request);
	query_init(&query, search, room, request);
	flood.query = &query;
	rc = explain_legs(&flood, request, &block);
	if (rc == 1 && (disjoint >= 0 || has_via(request)))
		rc = explain_beyond(search, room, request, disjoint, &block);
	else if (rc == 0)
		rc = explain_by_search(search, room, request, disjoint, &block);
	if (rc < 0) {
		pathcomp_block_fini(&block);
		return rc;
	}
	*ret = block;
	return 0;
}

void pathcomp_block_fini(struct pathcomp_block *block) {
	free(block->cut);
	*block = (struct pathcomp_block){0};
}
