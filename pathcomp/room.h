// room.h: the layout of a room, for the searches inside this library.
// SPDX-License-Identifier: MIT
#pragma once

#include "graph.h"

// What is free on an edge's arc and on the arc that comes back: searches in both senses read it in order.
// INT64_MIN where it is refused, so that one comparison tells all.
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
	uint8_t *refusals;      // enum pathcomp_refusal of each arc
};

static inline int64_t room_available(const struct pathcomp_room *room, uint32_t arc) {
	return room->free[room->graph->edge_of[arc]].out_bps;
}

static inline void room_set_available(struct pathcomp_room *room, uint32_t arc, int64_t bps) {
	room->free[room->graph->edge_of[arc]].out_bps = bps;
	room->free[room->graph->edge_of[arc ^ 1]].in_bps = bps;
}

// The same room with changes of its own. Returns 0 or -ENOMEM.
int room_copy(const struct pathcomp_room *, struct pathcomp_room **ret);

// Most that the ledger holds at any moment of [from, to).
int64_t ledger_most(const struct pathcomp_ledger *, uint32_t arc, int64_t from_ns, int64_t to_ns);
bool ledger_is_empty(const struct pathcomp_ledger *, uint32_t arc);
