// pathcomp.h: paths through a topology that have room for a demand, and why there is none.
//
// Meaning. A topology becomes a graph; each link has an arc for each direction, numbered 2 * link +
// direction, links in the order of the topology. A caller says what each arc has (struct pathcomp_capacity);
// a room turns that into what is free during one window under one policy; a search finds the shortest path on
// which every arc is free enough, and an explanation names the links that are in the way.
//
// Units. Capacities come in Gbps and are compared as whole bit/s, rounded to the nearest, so that 0.1 + 0.2
// fits where 0.3 is free (equality fits). Costs become micro-units and latencies nanoseconds, rounded to the
// nearest: sums and comparisons are exact from there on.
//
// Which path. The least metric (cost, latency or hops); ties by latency, then hops, then the
// lexicographically least list of link ids, compared byte by byte. The order of nodes and links in the
// topology never matters.
//
// Algorithm. Dijkstra's (Numerische Mathematik 1, 1959), backwards from the target on vectors (metric,
// latency, hops) with a 4-ary heap, until the source is settled; then forwards over the arcs that are tight,
// the least link id first, which is exact because every tight arc leads on to the target on a best path.
//
// Ownership. _new allocates, _free and _fini release, both accept NULL or zeroes. A graph points into its
// topology, a room into its graph, capacities and ledger, a search into its graph: keep the former as long as
// the latter.
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

// The index of a node or link in the topology. Return 0 or -ENOENT.
int pathcomp_graph_find_node(const struct pathcomp_graph *, const char *id, uint32_t *ret);
int pathcomp_graph_find_link(const struct pathcomp_graph *, const char *id, uint32_t *ret);

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

// Returns 0 or -ENOMEM (nothing changed).
int pathcomp_ledger_add(struct pathcomp_ledger *, uint32_t arc, struct pathcomp_window window, double gbps);

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

// Takes in what the capacity or the ledger says now about an arc.
void pathcomp_room_refresh(struct pathcomp_room *, uint32_t arc);

struct pathcomp_view pathcomp_room_view(const struct pathcomp_room *, uint32_t arc);

// ---- search

struct pathcomp_request {
	uint32_t from, to; // nodes
	double gbps;
	enum path_metrics metric;
};

struct pathcomp_path {
	uint32_t *arcs; // from source to target; none when they are the same node
	size_t n_arcs;
	uint64_t cost_micro;
	uint64_t latency_ns;    // links without a latency count 0
	int64_t bottleneck_bps; // least available; PATHCOMP_UNLIMITED when not known on any arc
};

void pathcomp_path_fini(struct pathcomp_path *);

// Memory for searches in one graph, to be used again and again.
struct pathcomp_search;
int pathcomp_search_new(const struct pathcomp_graph *, struct pathcomp_search **ret);
void pathcomp_search_free(struct pathcomp_search *);
DEFINE_CLEANUP(struct pathcomp_search *, pathcomp_search_free)

// The shortest path that fits. Returns 0, 1 when none fits, or -ENOMEM. End 'ret' with pathcomp_path_fini().
int pathcomp_search_shortest(struct pathcomp_search *, const struct pathcomp_room *,
                             const struct pathcomp_request *, struct pathcomp_path *ret);

// ---- why not

struct pathcomp_block {
	enum block_reasons reason; // no_route: not even if all links were up and empty; down: not with the
	                           // links that are up, even if they were empty; else capacity
	uint32_t *cut;             // arcs, by link id; none when there is no route
	size_t n_cut;
};

void pathcomp_block_fini(struct pathcomp_block *);

// Why pathcomp_search_shortest() answered 1. No arc of the cut carries the demand, every route takes one of
// them, and each of them is needed for that (the cut is minimal). Of the cut nearest to the source and the
// one nearest to the target it is the one of fewer links. Returns 0 or -ENOMEM.
int pathcomp_explain(const struct pathcomp_room *, const struct pathcomp_request *,
                     struct pathcomp_block *ret);
