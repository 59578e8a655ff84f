// room.h: the layout of a room, for the searches inside this library.
// SPDX-License-Identifier: MIT
#pragma once

#include "graph.h"

// How much is free on an edge's arc and on the arc that comes back, roughly: more is never a lesser grade. Searches
// in both senses read it in the order of edges; only where it is that of the demand must they look closer.
struct grades {
	uint16_t out, in;
};

struct pathcomp_room {
	const struct pathcomp_graph *graph;
	const struct pathcomp_capacity *capacities;
	const struct pathcomp_ledger *ledger;
	struct pathcomp_window window;
	enum unknown_policies policy;
	int64_t *free_bps;     // of each arc; where it is refused less than any demand
	struct grades *grades; // of each edge
	uint64_t version;      // never the same for two rooms, nor for one before and after a change
};

// The exponent and the first bits of the fraction: 1024 steps to each power of two. 0 is less than nothing.
static inline uint16_t room_grade(int64_t bps) {
	double real = (double)bps;
	uint64_t bits;

	if (bps <= 0)
		return bps == 0;
	__builtin_memcpy(&bits, &real, sizeof(bits));
	return (uint16_t)((bits >> 42) - (UINT64_C(1023) << 10) + 2);
}

// Refused arcs have INT64_MIN and the reason as what is free.
#define ROOM_REFUSED(REFUSAL) (INT64_MIN + (int64_t)(REFUSAL))

static inline bool room_is_refused(int64_t bps) {
	return bps <= ROOM_REFUSED(PATHCOMP_UNKNOWN);
}

static inline int64_t room_available(const struct pathcomp_room *room, uint32_t arc) {
	return room->free_bps[arc];
}

static inline void room_set_available(struct pathcomp_room *room, uint32_t arc, int64_t bps) {
	uint16_t grade = room_grade(bps);

	room->free_bps[arc] = bps;
	room->grades[room->graph->edge_of[arc]].out = grade;
	room->grades[room->graph->edge_of[arc ^ 1]].in = grade;
}

// Does a demand of this grade fit on the edge at 'i', out of its node or, when 'backward', into it?
static inline bool room_fits(const struct pathcomp_room *room, uint32_t i, bool backward, int64_t demand_bps,
                             uint16_t demand_grade) {
	const struct grades *grades = &room->grades[i];
	uint16_t grade = backward ? grades->in : grades->out;

	if (grade != demand_grade)
		return grade > demand_grade;
	return room_available(room, room->graph->edges[i].arc ^ (uint32_t)backward) >= demand_bps;
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
