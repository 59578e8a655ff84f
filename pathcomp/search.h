// search.h: the engine under all searches: what may be taken, lengths, and shortest paths under bans.
// SPDX-License-Identifier: MIT
#pragma once

#include "heap.h"
#include "room.h"

// Why a link or node is left out, a bit each.
enum ban { BAN_REQUEST = 1, BAN_SPUR = 2, BAN_PAIR = 4 };

struct banned {
	uint8_t *reasons; // of each link or node
	uint32_t *list;   // those that have any, in the order they got it
	size_t n;
};

struct record {
	span length;
	int64_t potential;   // of searches from both ends: bound to the target less bound to the source
	uint32_t generation; // of the search that wrote it
	uint8_t state;
};

enum { OPEN, SETTLED, ON_BEST_PATH };

enum side { FROM_SOURCE, FROM_TARGET };

struct pathcomp_search {
	const struct pathcomp_graph *graph;
	uint32_t generation;
	struct record *records[2]; // of each side
	struct heap heaps[2];
	uint32_t *crossings; // nodes where a best path leaves what was reached from the source
	size_t n_crossings, crossings_capacity;
	uint32_t *stack;   // of nodes or arcs, for one step at a time
	uint32_t *flooded; // the number of the last search that flooded a node
	struct banned links, nodes;
};

// What one search is about.
struct query {
	const struct pathcomp_room *room;
	uint32_t from, to;
	int64_t demand_bps;
	enum path_metrics metric;
	double spare;          // share of each link's total that must stay free
	bool filtered;         // are there bans, or a share to be spared?
	const span *to_target; // exact lengths to the target, or less; NULL: not known
};

void query_init(struct query *, const struct pathcomp_search *, const struct pathcomp_room *,
                const struct pathcomp_request *);

// Adds a reason to leave out; search_unban() takes it from all. The query must be told (filtered).
void search_ban_link(struct pathcomp_search *, uint32_t link, enum ban);
void search_ban_node(struct pathcomp_search *, uint32_t node, enum ban);
void search_unban(struct pathcomp_search *, enum ban);

// The bans of a request's conditions.
void search_ban_excluded(struct pathcomp_search *, const struct pathcomp_request *);

// What a query may put on an arc: what is free less what is to be spared, INT64_MIN when it must not be
// taken.
int64_t query_available(const struct pathcomp_search *, const struct query *, uint32_t arc);

bool query_passes(const struct pathcomp_search *, const struct query *, const struct edge *, bool backward);

// May the edge at 'i' be taken away from its node (to it, when 'backward')?
static inline bool query_fits(const struct pathcomp_search *search, const struct query *query, uint32_t i,
                              bool backward) {
	const struct free_pair *pair = &query->room->free[i];

	if ((backward ? pair->in_bps : pair->out_bps) < query->demand_bps)
		return false;
	return !query->filtered || query_passes(search, query, &search->graph->edges[i], backward);
}

// The shortest path under the bans, without limits and via. As pathcomp_search_shortest().
int search_run(struct pathcomp_search *, const struct query *, struct pathcomp_path *ret);

// Lengths from every node to query->to (LENGTH_INFINITE: no way), up to query->from when 'until_source'; what
// is not settled then has the length of the source. Returns 0, 1 when the source was not reached, or -ENOMEM.
int search_measure(struct pathcomp_search *, const struct query *, bool until_source, span *ret);

// Adds an arc to a path whose 'arcs' have room for it, and sums up.
void path_append(struct pathcomp_path *, const struct pathcomp_room *, uint32_t arc);
span path_length(const struct pathcomp_graph *, const uint32_t *arcs, size_t n_arcs, enum path_metrics);
int path_copy(const struct pathcomp_path *, struct pathcomp_path *ret);

// As strcmp(), over the ids of links.
int path_compare_ids(const struct pathcomp_graph *, const uint32_t *left, size_t n_left,
                     const uint32_t *right, size_t n_right);

// ---- landmarks.c

enum { LANDMARKS = 8 };

// Bounds that the search of a pair may use; none where the metric was not prepared.
struct bounds {
	const span *to_target;     // exact on the graph when everything is up and empty; by node
	const uint32_t *distances; // to the landmarks, LANDMARKS of each node
	unsigned shift;
	uint32_t of_source[LANDMARKS], of_target[LANDMARKS];
	bool apart; // not connected, whatever the capacity
};

struct bounds landmarks_bounds(const struct pathcomp_graph *, enum path_metrics, uint32_t from, uint32_t to);

// ---- labels.c: paths under limits and through given nodes

// Lower bounds that the searches of one request share.
struct reach;
int reach_new(struct pathcomp_search *, const struct query *, const struct pathcomp_conditions *,
              struct reach **ret);
void reach_free(struct reach *);
DEFINE_CLEANUP(struct reach *, reach_free)

// The shortest continuation of the path 'root' (without arcs: from query->from), under the bans, within what
// the limits leave. 'ret' is the continuation. Returns 0, 1, -ENOMEM, or -E2BIG when it is too much work.
int reach_run(struct pathcomp_search *, const struct query *, const struct reach *, const uint32_t *root,
              size_t n_root, struct pathcomp_path *ret);

// ---- yen.c: loopless paths in order

struct yen;
int yen_new(struct pathcomp_search *, const struct pathcomp_room *, const struct pathcomp_request *,
            struct yen **ret);
void yen_free(struct yen *);
DEFINE_CLEANUP(struct yen *, yen_free)

// The next path; it stays the enumeration's. Returns 0, 1 when there is none, -ENOMEM, or -E2BIG.
int yen_next(struct yen *, const struct pathcomp_path **ret);

static inline bool conditions_limit(const struct pathcomp_conditions *conditions) {
	return conditions != NULL && (conditions->max_latency_ns != UINT64_MAX ||
	                              conditions->max_hops != UINT32_MAX || conditions->n_via > 0);
}
