// room.h: the layout of a room, for the searches inside this library.
// SPDX-License-Identifier: MIT
#pragma once

#include "graph.h"

// What is free on an edge's arc and on the arc that comes back: searches in both senses read it in order.
// Where it is refused it is less than any demand, so that one comparison tells all.
struct free_pair {
	int64_t out_bps;
	int64_t in_bps;
};

struct pathcomp_room {
	const struct pathcomp_graph *graph;
	const struct pathcomp_capacity *capacities;
	const struct pathcomp_ledger *ledger;
	struct pathcomp_window window;
	enum unknown_policies policy;
	struct free_pair *free; // of each edge
	uint64_t version;       // never the same for two rooms, nor for one before and after a change
};

// Refused arcs have INT64_MIN and the reason as what is free.
#define ROOM_REFUSED(REFUSAL) (INT64_MIN + (int64_t)(REFUSAL))

static inline bool room_is_refused(int64_t bps) {
	return bps <= ROOM_REFUSED(PATHCOMP_UNKNOWN);
}

static inline int64_t room_available(const struct pathcomp_room *room, uint32_t arc) {
	return room->free[room->graph->edge_of[arc]].out_bps;
}

static inline void room_set_available(struct pathcomp_room *room, uint32_t arc, int64_t bps) {
	room->free[room->graph->edge_of[arc]].out_bps = bps;
	room->free[room->graph->edge_of[arc ^ 1]].in_bps = bps;
}

static inline enum pathcomp_refusal room_refusal(const struct pathcomp_room *room, uint32_t arc) {
	int64_t bps = room_available(room, arc);

	return room_is_refused(bps) ? (enum pathcomp_refusal)(bps - INT64_MIN) : PATHCOMP_USABLE;
}

// The same room with changes of its own. Returns 0 or -ENOMEM.
int room_copy(const struct pathcomp_room *, struct pathcomp_room **ret);

// Most that the ledger holds at any moment of [from, to).
int64_t ledger_most(const struct pathcomp_ledger *, uint32_t arc, int64_t from_ns, int64_t to_ns);
bool ledger_is_empty(const struct pathcomp_ledger *, uint32_t arc);
