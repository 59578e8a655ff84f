// pathcomp.h: paths through a topology that have room for a demand, and why there is none.
//
// Meaning. A topology becomes a graph; each link has an arc for each direction, numbered 2 * link +
// direction, links in the order of the topology. A caller says what each arc has (struct pathcomp_capacity);
// a room turns that into what is free during one window under one policy; a search finds the shortest path
// on which every arc is free enough, and an explanation names the links that are in the way.
//
// Units. Capacities come in Gbps and are compared as whole bit/s, rounded to the nearest, so that 0.1 + 0.2
// fits where 0.3 is free (equality fits). Costs become micro-units and latencies nanoseconds, rounded to the
// nearest: sums and comparisons are exact from there on.
//
// Which path. The least metric (cost, latency or hops); ties by latency, then hops, then the
// lexicographically least list of link ids, compared byte by byte. The order of nodes and links in the
// topology never matters.
//
// Algorithms. Dijkstra's (Numerische Mathematik 1, 1959) from both ends on (metric, latency, hops) as one
// number; goal-directed by a table of all pairs or by landmarks where a graph was prepared
// (pathcomp_graph_prepare()). A search that is asked often about one room makes itself exact lengths, when they
// are worth it. None of it changes an answer. Yen's and Lawler's for several paths, Suurballe's for pairs, labels
// under limits. Each is named where it is.
//
// Ownership. _new allocates, _free and _fini release, both accept NULL or zeroes. A graph points into its
// topology, a room into its graph, capacities and ledger, a search into its graph: keep the former as long
// as the latter.
//
// Errors. 0 or -errno; 1 is the expected answer "none".
//
// Threads. A graph may be shared by any number of threads. A room may be read by many while nobody refreshes
// it. A search belongs to one thread at a time.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "message.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PATHCOMP_BPS_MAX   (INT64_MAX / 4) // more than that is as good as that
#define PATHCOMP_UNLIMITED INT64_MAX       // available: not known, and allowed

// Gbps as whole bit/s. NAN is 0.
int64_t pathcomp_bps(double gbps);

// ---- graph

struct pathcomp_graph;

// 'topology' must have passed topology_check(). Returns 0, -ENOMEM, or -EINVAL with 'status' when the costs
// or latencies of all links add up to more than an exact sum can hold (9.2e12).
int pathcomp_graph_new(const struct topology *topology, struct pathcomp_graph **ret, struct status *status);
void pathcomp_graph_free(struct pathcomp_graph *);
DEFINE_CLEANUP(struct pathcomp_graph *, pathcomp_graph_free)

const struct topology *pathcomp_graph_topology(const struct pathcomp_graph *);

// Computes bounds for searches by a metric, once: seconds for hundreds of thousands of nodes, so it is worth
// it for who asks much. While nobody searches. Returns 0 or -ENOMEM.
int pathcomp_graph_prepare(struct pathcomp_graph *, enum path_metrics metric);

// The number of a node, which is the graph's own; the index of a link in the topology; the number of a
// shared-risk group. Return 0 or -ENOENT.
int pathcomp_graph_find_node(const struct pathcomp_graph *, const char *id, uint32_t *ret);
int pathcomp_graph_find_link(const struct pathcomp_graph *, const char *id, uint32_t *ret);
int pathcomp_graph_find_srlg(const struct pathcomp_graph *, const char *id, uint32_t *ret);

// The index in the topology of a node.
uint32_t pathcomp_graph_node_index(const struct pathcomp_graph *, uint32_t node);

// How many parts hang together, directions aside; 0 when there is no memory to count them.
uint32_t pathcomp_graph_components(const struct pathcomp_graph *);

static inline uint32_t pathcomp_arc(uint32_t link, enum directions direction) {
	return 2 * link + (uint32_t)direction;
}

static inline uint32_t pathcomp_arc_link(uint32_t arc) {
	return arc / 2;
}

static inline enum directions pathcomp_arc_direction(uint32_t arc) {
	return (enum directions)(arc % 2);
}

// The nodes that an arc leaves and enters.
uint32_t pathcomp_arc_from(const struct pathcomp_graph *, uint32_t arc);
uint32_t pathcomp_arc_to(const struct pathcomp_graph *, uint32_t arc);

// ---- what is free

struct pathcomp_window {
	int64_t from_ns;
	int64_t to_ns; // not included
};

// One arc during the window, as the caller knows it.
struct pathcomp_capacity {
	double total_gbps;    // NAN: not known
	double current_gbps;  // in use now; NAN: never known
	double forecast_gbps; // most that will be in use during the window; NAN: no forecast, current use
	                      // counts
	double reserved_gbps; // most that admitted services hold during the window
	const struct band_point *series; // the forecast over the window, NULL when not known
	size_t n_series;
	enum states state;
};

// What earlier requests of a batch took, by arc and time.
struct pathcomp_ledger;
int pathcomp_ledger_new(const struct pathcomp_graph *, struct pathcomp_ledger **ret);
void pathcomp_ledger_free(struct pathcomp_ledger *);
DEFINE_CLEANUP(struct pathcomp_ledger *, pathcomp_ledger_free)

// Less than 0 gives back what was added for the same window. Returns 0 or -ENOMEM (nothing changed).
int pathcomp_ledger_add(struct pathcomp_ledger *, uint32_t arc, struct pathcomp_window window, double gbps);

// The earliest 'most' different moments inside the window when a hold ends (or begins), ascending; returns how many.
size_t pathcomp_ledger_moments(const struct pathcomp_ledger *, struct pathcomp_window window, bool ends,
                               int64_t *ret, size_t most);

enum pathcomp_refusal {
	PATHCOMP_USABLE,  // as far as there is room
	PATHCOMP_ABSENT,  // a unidirectional link has no such direction
	PATHCOMP_DOWN,    // down or admin down
	PATHCOMP_UNKNOWN, // the policy doesn't take what is not known
};

// One arc of a room: the figures at the moment of the window when it is tightest.
struct pathcomp_view {
	enum pathcomp_refusal refusal;
	int64_t available_bps; // total - used - reserved - held; PATHCOMP_UNLIMITED; 0 when refused
	int64_t used_bps;      // that counted: forecast or current
	int64_t held_bps;      // by the ledger
	bool forecast;         // was `used` the forecast?
	int64_t worst_ns;      // that moment, 0 when it can't be told
};

// What is free on each arc during 'window' under a policy:
//
//              total not known   stale                   no data (no current use, no forecast; state unknown)
//   refuse     not usable        not usable              not usable
//   current    not usable        current use counts      current use counts, 0 when there is none
//   allow      fits anything     the forecast counts     current use counts, 0 when there is none
//
// Links that are down or admin down carry nothing, whatever the policy.
struct pathcomp_room;

// 'capacities' has an element for each arc; 'ledger' may be NULL. Returns 0 or -ENOMEM.
int pathcomp_room_new(const struct pathcomp_graph *, const struct pathcomp_capacity *capacities,
                      struct pathcomp_window window, enum unknown_policies policy,
                      const struct pathcomp_ledger *ledger, struct pathcomp_room **ret);
void pathcomp_room_free(struct pathcomp_room *);
DEFINE_CLEANUP(struct pathcomp_room *, pathcomp_room_free)

// Takes in other capacities, window and ledger in place of those it has: a new forecast, in the memory of the old.
void pathcomp_room_load(struct pathcomp_room *, const struct pathcomp_capacity *capacities,
                        struct pathcomp_window window, const struct pathcomp_ledger *ledger);

// Takes in what the capacity or the ledger says now about an arc.
void pathcomp_room_refresh(struct pathcomp_room *, uint32_t arc);

struct pathcomp_view pathcomp_room_view(const struct pathcomp_room *, uint32_t arc);

// ---- search

// Hard conditions. Lists are the caller's.
struct pathcomp_conditions {
	uint64_t max_latency_ns; // UINT64_MAX: any
	uint32_t max_hops;       // UINT32_MAX: any
	double max_utilization;  // share of each link's total that may be in use with the demand; 1: any
	const uint32_t *links, *nodes, *srlgs; // to leave out
	size_t n_links, n_nodes, n_srlgs;
	const uint32_t *via; // nodes to come by, in this order
	size_t n_via;
};

#define PATHCOMP_NO_CONDITIONS                                                                               \
	(struct pathcomp_conditions) {                                                                       \
		.max_latency_ns = UINT64_MAX, .max_hops = UINT32_MAX, .max_utilization = 1                   \
	}

struct pathcomp_request {
	uint32_t from, to; // nodes
	double gbps;
	enum path_metrics metric;
	const struct pathcomp_conditions *conditions; // NULL: none
};

struct pathcomp_path {
	uint32_t *arcs; // from source to target; none when they are the same node
	size_t n_arcs;
	uint64_t cost_micro;
	uint64_t latency_ns;    // links without a latency count 0
	int64_t bottleneck_bps; // least available; PATHCOMP_UNLIMITED when not known on any arc
};

void pathcomp_path_fini(struct pathcomp_path *);

// The path over these arcs, with its sums. Returns 0 or -ENOMEM.
int pathcomp_room_path(const struct pathcomp_room *, const uint32_t *arcs, size_t n_arcs,
                       struct pathcomp_path *ret);

struct pathcomp_paths {
	struct pathcomp_path *list; // best first
	size_t n;
	bool bounded; // the limit of work was hit: a better pair may exist
};

void pathcomp_paths_fini(struct pathcomp_paths *);

// Memory for searches in one graph, to be used again and again.
struct pathcomp_search;
int pathcomp_search_new(const struct pathcomp_graph *, struct pathcomp_search **ret);
void pathcomp_search_free(struct pathcomp_search *);
DEFINE_CLEANUP(struct pathcomp_search *, pathcomp_search_free)

// All searches return 0, 1 when there is none, -ENOMEM, or -E2BIG when a hard problem (via, a pair under limits
// or without common risks) is more work than a search is given. End what they return with its _fini().

// The shortest path that fits, without loops.
int pathcomp_search_shortest(struct pathcomp_search *, const struct pathcomp_room *,
                             const struct pathcomp_request *, struct pathcomp_path *ret);

// The up to 'k' shortest ones, in order.
int pathcomp_search_several(struct pathcomp_search *, const struct pathcomp_room *,
                            const struct pathcomp_request *, size_t k, struct pathcomp_paths *ret);

// The pair of least total metric, latency and hops that has no link, no node but the ends, or no shared-risk
// group (and no link) in common; of several such pairs, one that depends on ids alone. The better path is first.
int pathcomp_search_disjoint(struct pathcomp_search *, const struct pathcomp_room *,
                             const struct pathcomp_request *, enum disjoint_kinds,
                             struct pathcomp_paths *ret);

// The most that a path can carry that keeps the conditions, if it is not less than the request's demand; the
// shortest of the paths that carry as much.
int pathcomp_search_width(struct pathcomp_search *, const struct pathcomp_room *,
                          const struct pathcomp_request *, int64_t *ret_bps);
int pathcomp_search_widest(struct pathcomp_search *, const struct pathcomp_room *,
                           const struct pathcomp_request *, struct pathcomp_path *ret);

struct pathcomp_addition {
	uint32_t arc;
	int64_t bps;
};

struct pathcomp_upgrade {
	struct pathcomp_addition *list; // from source to target
	size_t n;
};

void pathcomp_upgrade_fini(struct pathcomp_upgrade *);

// The least that must be added in all to links that are up and of known total so that a path carries the
// demand; of those, on a path of fewest hops. Limits and via are not minded: see with
// pathcomp_room_upgraded() whether there is a path then.
int pathcomp_search_upgrade(struct pathcomp_search *, const struct pathcomp_room *,
                            const struct pathcomp_request *, struct pathcomp_upgrade *ret);

// The room as it would be with the upgrade. Returns 0 or -ENOMEM.
int pathcomp_room_upgraded(const struct pathcomp_room *, const struct pathcomp_upgrade *,
                           struct pathcomp_room **ret);

// ---- why not

struct pathcomp_block {
	enum block_reasons reason; // the first condition that leaves nothing: no_route (links up and empty),
	                           // down, excluded, capacity, utilization, hops, latency
	uint32_t *cut; // arcs, by link id; none when there is no route, for hops and latency, and for pairs
	               // where one path would do
	size_t n_cut;
};

void pathcomp_block_fini(struct pathcomp_block *);

// Why a search answered 1; 'disjoint' is the kind of a pair, -1 for one path. No arc of the cut may be taken,
// every route (from one via to the next, where the first such leg is cut) takes one of them, and each of them
// is needed for that (the cut is minimal). Of the cut nearest to the source and the one nearest to the target
// it is the one of fewer links. Returns 0 or -ENOMEM.
int pathcomp_explain(struct pathcomp_search *, const struct pathcomp_room *, const struct pathcomp_request *,
                     int disjoint, struct pathcomp_block *ret);
