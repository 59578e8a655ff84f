// room.h: the layout of a room, for the searches inside this library.
// SPDX-License-Identifier: MIT
#pragma once

#include "pathcomp.h"

struct pathcomp_room {
	const struct pathcomp_graph *graph;
	const struct pathcomp_capacity *capacities;
	const struct pathcomp_ledger *ledger;
	struct pathcomp_window window;
	enum unknown_policies policy;
	int64_t *available_bps; // of each arc; INT64_MIN when it is refused, so that one comparison tells all
	uint8_t *refusals;      // enum pathcomp_refusal of each arc
};

static inline bool room_fits(const struct pathcomp_room *room, uint32_t arc, int64_t demand_bps) {
	return room->available_bps[arc] >= demand_bps;
}

// Most that the ledger holds at any moment of [from, to).
int64_t ledger_most(const struct pathcomp_ledger *, uint32_t arc, int64_t from_ns, int64_t to_ns);
bool ledger_is_empty(const struct pathcomp_ledger *, uint32_t arc);
