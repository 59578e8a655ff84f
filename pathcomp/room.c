// What is free on each arc: total less use less reservations less what the ledger holds, at the worst moment
// of the window, under the policy for what is not known.
// SPDX-License-Identifier: MIT
#include "room.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define BPS_PER_GBPS 1e9
#define FETCH_AHEAD  48 // arcs

// As llround(), but without a call: a room of many links is made of millions of these.
static inline int64_t whole_bps(double gbps) {
	double bps = gbps * BPS_PER_GBPS, rest;
	int64_t whole;

	if (!(fabs(bps) < (double)PATHCOMP_BPS_MAX))
		return isnan(bps) ? 0 : bps > 0 ? PATHCOMP_BPS_MAX : -PATHCOMP_BPS_MAX;
	whole = (int64_t)bps;
	rest = bps - (double)whole; // exact
	return whole + (rest >= 0.5) - (rest <= -0.5);
}

int64_t pathcomp_bps(double gbps) {
	return whole_bps(gbps);
}

static enum pathcomp_refusal refusal_of(const struct pathcomp_capacity *capacity,
                                        enum unknown_policies policy) {
	bool no_data = isnan(capacity->current_gbps) && isnan(capacity->forecast_gbps);

	if (capacity->state == STATE_DOWN || capacity->state == STATE_ADMIN_DOWN)
		return PATHCOMP_DOWN;
	if (isnan(capacity->total_gbps) && policy != UNKNOWN_ALLOW)
		return PATHCOMP_UNKNOWN;
	if (policy == UNKNOWN_REFUSE &&
	    (no_data || capacity->state == STATE_STALE || capacity->state == STATE_UNKNOWN))
		return PATHCOMP_UNKNOWN;
	return PATHCOMP_USABLE;
}

// One part of the window, during which the use is 'used_bps' at most.
static void weigh_part(const struct pathcomp_room *room, uint32_t arc, int64_t from_ns, int64_t to_ns,
                       int64_t used_bps, struct pathcomp_view *view) {
	int64_t held_bps = 0;

	if (!ledger_is_empty(room->ledger, arc))
		held_bps = ledger_most(room->ledger, arc, from_ns, to_ns);
	if (used_bps + held_bps <= view->used_bps + view->held_bps)
		return;
	view->used_bps = used_bps;
	view->held_bps = held_bps;
	view->worst_ns = to_ns;
}

static size_t highest_point(const struct pathcomp_capacity *capacity) {
	size_t highest = 0;

	for (size_t i = 1; i < capacity->n_series; i++) {
		if (capacity->series[i].upper > capacity->series[highest].upper)
			highest = i;
	}
	return highest;
}

// The band says when; the answer for the peak says how much, should the band stay below it.
static void weigh_series(const struct pathcomp_room *room, uint32_t arc, struct pathcomp_view *view) {
	const struct pathcomp_capacity *capacity = &room->capacities[arc];
	const struct band_point *last = &capacity->series[capacity->n_series - 1];
	int64_t from_ns = room->window.from_ns;
	size_t highest = highest_point(capacity);

	for (size_t i = 0; i < capacity->n_series && from_ns < room->window.to_ns; i++) {
		const struct band_point *point = &capacity->series[i];
		double used_gbps = i == highest ? fmax(point->upper, capacity->forecast_gbps) : point->upper;
		int64_t to_ns = point->ts_ns < room->window.to_ns ? point->ts_ns : room->window.to_ns;

		if (point->ts_ns <= room->window.from_ns && i + 1 < capacity->n_series)
			continue;
		weigh_part(room, arc, from_ns, to_ns, pathcomp_bps(used_gbps), view);
		from_ns = point->ts_ns;
	}
	if (from_ns < room->window.to_ns && !ledger_is_empty(room->ledger, arc))
		weigh_part(room, arc, from_ns, room->window.to_ns, pathcomp_bps(last->upper), view);
}

static void weigh_use(const struct pathcomp_room *room, uint32_t arc, struct pathcomp_view *view) {
	const struct pathcomp_capacity *capacity = &room->capacities[arc];

	view->used_bps = -1; // less than any use
	view->forecast = !isnan(capacity->forecast_gbps) &&
	                 !(capacity->state == STATE_STALE && room->policy == UNKNOWN_CURRENT);
	if (view->forecast && capacity->n_series > 0) {
		weigh_series(room, arc, view);
		return;
	}
	weigh_part(room, arc, room->window.from_ns, room->window.to_ns,
	           pathcomp_bps(view->forecast ? capacity->forecast_gbps : capacity->current_gbps), view);
	view->worst_ns = 0; // the same all the time, as far as is known
}

struct pathcomp_view pathcomp_room_view(const struct pathcomp_room *room, uint32_t arc) {
	const struct pathcomp_capacity *capacity = &room->capacities[arc];
	struct pathcomp_view view = {0};

	view.refusal = graph_has_arc(room->graph, arc) ? refusal_of(capacity, room->policy) : PATHCOMP_ABSENT;
	if (view.refusal == PATHCOMP_ABSENT)
		return view;
	weigh_use(room, arc, &view);
	if (view.refusal != PATHCOMP_USABLE)
		return view;
	view.available_bps = isnan(capacity->total_gbps)
	                             ? PATHCOMP_UNLIMITED
	                             : pathcomp_bps(capacity->total_gbps) - view.used_bps -
	                                       pathcomp_bps(capacity->reserved_gbps) - view.held_bps;
	return view;
}

static uint64_t new_version(void) {
	static _Atomic uint64_t latest;

	return ++latest;
}

// What is free on an arc, as it stands in a room.
static int64_t weigh_whole(const struct pathcomp_room *room, uint32_t arc) {
	struct pathcomp_view view = pathcomp_room_view(room, arc);

	return view.refusal == PATHCOMP_USABLE ? view.available_bps : ROOM_REFUSED(view.refusal);
}

// The same in short for what most arcs are: one figure for the whole window, nothing held.
static inline int64_t weigh_arc(const struct pathcomp_room *room, uint32_t arc) {
	const struct pathcomp_capacity *capacity = &room->capacities[arc];
	bool forecast = !isnan(capacity->forecast_gbps);
	int64_t available_bps;

	if (capacity->state != STATE_UP || capacity->n_series > 0 || isnan(capacity->total_gbps) ||
	    (!forecast && isnan(capacity->current_gbps)) || !ledger_is_empty(room->ledger, arc) ||
	    !graph_has_arc(room->graph, arc))
		return weigh_whole(room, arc);
	available_bps = whole_bps(capacity->total_gbps) -
	                whole_bps(forecast ? capacity->forecast_gbps : capacity->current_gbps);
	if (capacity->reserved_gbps != 0) // mostly there is nothing, and that is foreseen
		available_bps -= whole_bps(capacity->reserved_gbps);
	return available_bps;
}

static void fill(struct pathcomp_room *room) {
	const uint32_t *edge_of = room->graph->edge_of, n_arcs = 2 * room->graph->n_links;

	room->version = new_version();
	for (uint32_t arc = 0; arc < n_arcs; arc += 2) {
		int64_t forward_bps = weigh_arc(room, arc), reverse_bps = weigh_arc(room, arc + 1);
		uint16_t forward = room_grade(forward_bps), reverse = room_grade(reverse_bps);

		if (arc + FETCH_AHEAD < n_arcs) { // they lie anywhere
			__builtin_prefetch(&room->grades[edge_of[arc + FETCH_AHEAD]], 1);
			__builtin_prefetch(&room->grades[edge_of[arc + FETCH_AHEAD + 1]], 1);
		}
		room->free_bps[arc] = forward_bps;
		room->free_bps[arc + 1] = reverse_bps;
		room->grades[edge_of[arc]] = (struct grades){forward, reverse};
		room->grades[edge_of[arc + 1]] = (struct grades){reverse, forward};
	}
}

void pathcomp_room_load(struct pathcomp_room *room, const struct pathcomp_capacity *capacities,
                        struct pathcomp_window window, const struct pathcomp_ledger *ledger) {
	room->capacities = capacities;
	room->window = window;
	room->ledger = ledger;
	fill(room);
}

void pathcomp_room_refresh(struct pathcomp_room *room, uint32_t arc) {
	room_set_available(room, arc, weigh_arc(room, arc));
	room->version = new_version();
}

static int take_memory(struct pathcomp_room *room) {
	size_t n_arcs = 2 * (size_t)room->graph->n_links;

	room->free_bps = malloc((n_arcs + 1) * sizeof(*room->free_bps));
	room->grades = lines_new(n_arcs + 1, sizeof(*room->grades));
	return room->free_bps == NULL || room->grades == NULL ? -ENOMEM : 0;
}

int pathcomp_room_new(const struct pathcomp_graph *graph, const struct pathcomp_capacity *capacities,
                      struct pathcomp_window window, enum unknown_policies policy,
                      const struct pathcomp_ledger *ledger, struct pathcomp_room **ret) {
	CLEANUP(pathcomp_room_freep) struct pathcomp_room *room = calloc(1, sizeof(*room));
	if (room == NULL)
		return -ENOMEM;
	*room = (struct pathcomp_room){.graph = graph,
	                               .capacities = capacities,
	                               .ledger = ledger,
	                               .window = window,
	                               .policy = policy};
	if (take_memory(room) < 0)
		return -ENOMEM;
	fill(room);

	*ret = room;
	room = NULL;
	return 0;
}

int room_copy(const struct pathcomp_room *room, struct pathcomp_room **ret) {
	CLEANUP(pathcomp_room_freep) struct pathcomp_room *copy = malloc(sizeof(*copy));
	size_t n_arcs = 2 * (size_t)room->graph->n_links;

	if (copy == NULL)
		return -ENOMEM;
	*copy = *room;
	copy->version = new_version();
	if (take_memory(copy) < 0)
		return -ENOMEM;
	memcpy(copy->free_bps, room->free_bps, n_arcs * sizeof(*copy->free_bps));
	memcpy(copy->grades, room->grades, n_arcs * sizeof(*copy->grades));

	*ret = copy;
	copy = NULL;
	return 0;
}

void pathcomp_room_free(struct pathcomp_room *room) {
	if (room == NULL)
		return;
	free(room->free_bps);
	free(room->grades);
	free(room);
}
