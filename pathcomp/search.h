// search.h: what all searches share: what may be taken, and the queries that they answer.
// SPDX-License-Identifier: MIT
#pragma once

#include "room.h"

#include <errno.h>

// Why a link or node is left out, a bit each.
enum ban { BAN_REQUEST = 1, BAN_SPUR = 2, BAN_PAIR = 4 };

// A list of numbers that grows.
struct numbers {
	uint32_t *list;
	size_t n, capacity;
};

void numbers_fini(struct numbers *);
int numbers_grow(struct numbers *);

static inline int numbers_add(struct numbers *numbers, uint32_t number) {
	if (numbers->n == numbers->capacity && numbers_grow(numbers) < 0)
		return -ENOMEM;
	numbers->list[numbers->n++] = number;
	return 0;
}

struct banned {
	uint8_t *reasons;    // of each link or node
	struct numbers list; // those that have any, in the order they got it
};

struct engine; // the memory of searches for lengths of the graph's size
struct engine_calls;

struct pathcomp_search {
	const struct pathcomp_graph *graph;
	struct banned links, nodes;
	struct engine *engine;
	const struct engine_calls *calls;
	bool failed; // there was no memory for a ban: what is searched under it is void
};

// What one search is about.
struct query {
	const struct pathcomp_room *room;
	const struct measure *measure; // of the metric
	uint32_t from, to;
	int64_t demand_bps;
	uint16_t demand_grade; // of that, see room.h
	enum path_metrics metric;
	double spare;  // share of each link's total that must stay free
	bool filtered; // are there bans, or a share to be spared?
};

void query_init(struct query *, const struct pathcomp_search *, const struct pathcomp_room *,
                const struct pathcomp_request *);

static inline void query_set_demand(struct query *query, int64_t bps) {
	query->demand_bps = bps;
	query->demand_grade = room_grade(bps);
}

// Adds a reason to leave out; search_unban() takes it from all. The query must be told (filtered).
void search_ban_link(struct pathcomp_search *, uint32_t link, enum ban);
void search_ban_node(struct pathcomp_search *, uint32_t node, enum ban);
void search_unban(struct pathcomp_search *, enum ban);

// The bans of a request's conditions.
void search_ban_excluded(struct pathcomp_search *, const struct pathcomp_request *);

// What a query may put on an arc: what is free less what is to be spared; refused (room_is_refused()) when it
// must not be taken.
int64_t query_available(const struct pathcomp_search *, const struct query *, uint32_t arc);

// Does a share of the total stay free as well?
bool query_spares(const struct query *, uint32_t arc);

// What a filtered query asks of an edge that is free enough.
static inline bool query_passes(const struct pathcomp_search *search, const struct query *query,
                                const struct edge *edge, bool backward) {
	if ((search->links.reasons[pathcomp_arc_link(edge->arc)] | search->nodes.reasons[edge->other]) != 0)
		return false;
	return query->spare <= 0 || query_spares(query, edge->arc ^ (uint32_t)backward);
}

// May the edge at 'i' be taken away from its node (to it, when 'backward')?
static inline bool query_fits(const struct pathcomp_search *search, const struct query *query, uint32_t i,
                              bool backward) {
	if (!room_fits(query->room, i, backward, query->demand_bps, query->demand_grade))
		return false;
	return !query->filtered || query_passes(search, query, &search->graph->edges[i], backward);
}

// The shortest path of a query whose bans are set, under the request's limits. As pathcomp_search_shortest().
int search_query(struct pathcomp_search *, const struct query *, const struct pathcomp_request *,
                 struct pathcomp_path *ret);

// Adds an arc to a path whose 'arcs' have room for it, and sums up.
void path_append(struct pathcomp_path *, const struct pathcomp_room *, uint32_t arc);
int path_copy(const struct pathcomp_path *, struct pathcomp_path *ret);

// As strcmp(), over the ids of links.
int path_compare_ids(const struct pathcomp_graph *, const uint32_t *left, size_t n_left,
                     const uint32_t *right, size_t n_right);

static inline bool conditions_limit(const struct pathcomp_conditions *conditions) {
	return conditions != NULL && (conditions->max_latency_ns != UINT64_MAX ||
	                              conditions->max_hops != UINT32_MAX || conditions->n_via > 0);
}

// ---- the searches for one size of lengths

struct engine_calls {
	int (*new)(const struct pathcomp_graph *, struct engine **ret);
	void (*free)(struct engine *);
	int (*prepare)(struct pathcomp_graph *, enum path_metrics);
	int (*shortest)(struct pathcomp_search *, const struct query *, const struct pathcomp_request *,
	                struct pathcomp_path *ret);
	int (*several)(struct pathcomp_search *, const struct pathcomp_room *,
	               const struct pathcomp_request *, size_t k, struct pathcomp_paths *ret);
	int (*disjoint)(struct pathcomp_search *, const struct pathcomp_room *,
	                const struct pathcomp_request *, enum disjoint_kinds, struct pathcomp_paths *ret);
};

extern const struct engine_calls engine_calls_64, engine_calls_128;

static inline const struct engine_calls *engine_calls_of(const struct pathcomp_graph *graph) {
	return graph->narrow ? &engine_calls_64 : &engine_calls_128;
}
