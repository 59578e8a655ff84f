// The search from both ends at once, with landmarks where the graph was prepared: half the difference of the two
// bounds of a node is its potential (Ikeda et al., A Fast Algorithm for Finding Better Routes by AI Search
// Techniques, 1994). Lengths count twice here, so that the half is whole.
//
// What goes on for each edge can't be foreseen, and a processor that guesses wrong loses more than the work is: so
// edges are first sifted without branches, then those that matter are looked at.
// SPDX-License-Identifier: MIT
#include "engine.h"

#define ROW 32 // edges that are sifted at once

// What is the same for all edges of a search.
struct both {
	struct run *run;
	struct record *records;
	uint32_t stamp;
	span tops[2]; // the least key of each side; LENGTH_INFINITE when it has come to its end
};

static inline span key_of(const struct both *both, enum side side, const struct record *record) {
	return 2 * record->at[side] + record->bounds[side] * both->run->bounds.unit -
	       record->bounds[!side] * both->run->bounds.unit;
}

static inline void find_bounds(const struct both *both, uint32_t node, struct record *record) {
	const struct bounds *bounds = &both->run->bounds;
	const uint16_t *distances;

	record->bounds[0] = record->bounds[1] = 0;
	if (bounds->distances == NULL)
		return;
	distances = &bounds->distances[(size_t)node * LANDMARKS];
	record->bounds[FROM_SOURCE] = bounds_differ(distances, bounds->of_target);
	record->bounds[FROM_TARGET] = bounds_differ(distances, bounds->of_source);
}

static inline void reach(struct both *both, enum side side, uint32_t node, span at) {
	struct run *run = both->run;
	struct record *record = &both->records[node];
	span key;

	if (record->seen[side] != both->stamp) {
		record->seen[side] = both->stamp;
		if (record->seen[!side] != both->stamp)
			find_bounds(both, node, record);
	}
	record->at[side] = at;
	key = key_of(both, side, record);
	if (run->best != LENGTH_INFINITE && (at + record->bounds[side] * run->bounds.unit > run->best ||
	                                     key + both->tops[!side] > 2 * run->best))
		return;
	queue_put(&run->engine->queues[side], node, key);
}

// A path over an arc from 'tail', which the source's side has reached, to a node that the target's side has.
static void meet(struct run *run, uint32_t tail, span whole) {
	if (whole < run->best)
		run->engine->crossings.n = 0;
	run->best = whole;
	if (numbers_add(&run->engine->crossings, tail) < 0)
		run->failed = true;
}

static inline void consider(struct both *both, enum side side, uint32_t node, span at,
                            const struct edge *edge) {
	const struct record *record = &both->records[edge->other];
	span next = at + edge_length(both->run->engine->graph, edge, &both->run->measure);

	if (record->seen[!side] == both->stamp && next + record->at[!side] <= both->run->best)
		meet(both->run, side == FROM_SOURCE ? node : edge->other, next + record->at[!side]);
	if (record->seen[side] != both->stamp || next < record->at[side])
		reach(both, side, edge->other, next);
}

__attribute__((always_inline)) static inline void relax(struct both *both, const enum side side,
                                                        uint32_t node) {
	struct run *run = both->run;
	const struct pathcomp_graph *graph = run->engine->graph;
	const struct record *records = both->records;
	const uint32_t end = records[node + 1].first, stamp = both->stamp;
	const uint16_t *distances = run->bounds.distances;
	const struct grades *all_grades = run->query->room->grades;
	const uint16_t demand = run->query->demand_grade;
	const struct measure measure = run->measure;
	const span at = records[node].at[side], best = run->best;

	for (uint32_t start = records[node].first; start < end; start += ROW) {
		const uint32_t stop = end - start < ROW ? end : start + ROW;
		uint32_t worth[ROW];
		uint32_t n_worth = 0;

		for (uint32_t i = start; i < stop; i++) {
			const struct edge *edge = &graph->edges[i];
			const struct grades *grades = &all_grades[i];
			const struct record *record = &records[edge->other];
			span next = at + edge_length(graph, edge, &measure);
			bool fits = (side == FROM_TARGET ? grades->in : grades->out) >= demand,
			     is_new = record->seen[side] != stamp, is_nearer = next < record->at[side],
			     is_met = record->seen[!side] == stamp,
			     is_whole = next + record->at[!side] <= best;

			if (distances != NULL)
				__builtin_prefetch(&distances[(size_t)edge->other * LANDMARKS]);
			worth[n_worth] = i;
			n_worth += fits & (is_new | is_nearer | (is_met & is_whole));
		}
		for (uint32_t i = 0; i < n_worth; i++) {
			if (query_fits(run->search, run->query, worth[i], side == FROM_TARGET))
				consider(both, side, node, at, &graph->edges[worth[i]]);
		}
	}
}

// After entries that are out of date; what is next is fetched already.
static inline void find_top(struct both *both, enum side side) {
	struct queue *queue = &both->run->engine->queues[side];

	while (queue_ready(queue)) {
		struct heap_entry least = queue_least(queue);
		const struct record *record = &both->records[least.item];

		if (key_of(both, side, record) == least.key) {
			both->tops[side] = least.key;
			__builtin_prefetch(&both->run->engine->graph->edges[record->first]);
			__builtin_prefetch(&both->run->query->room->grades[record->first]);
			return;
		}
		(void)queue_take(queue);
	}
	both->tops[side] = LENGTH_INFINITE;
}

static void start(struct both *both, enum side side, uint32_t node) {
	struct run *run = both->run;
	struct record *record = &both->records[node];

	record->seen[side] = both->stamp;
	record->at[side] = 0;
	find_bounds(both, node, record);
	queue_start(&run->engine->queues[side], key_of(both, side, record), run->measure.step_shift);
	queue_put(&run->engine->queues[side], node, key_of(both, side, record));
	find_top(both, side);
}

void run_from_both(struct run *run) {
	struct both both = {run, run->engine->records, run->engine->stamp, {0, 0}};
	struct queue *queues = run->engine->queues;

	start(&both, FROM_SOURCE, run->query->from);
	start(&both, FROM_TARGET, run->query->to);
	while (!run->failed && !queues[FROM_SOURCE].near.failed && !queues[FROM_TARGET].near.failed) {
		if (both.tops[FROM_SOURCE] == LENGTH_INFINITE || both.tops[FROM_TARGET] == LENGTH_INFINITE)
			return;
		if (run->best != LENGTH_INFINITE &&
		    both.tops[FROM_SOURCE] + both.tops[FROM_TARGET] > 2 * run->best)
			return;
		run->work++;
		if (queues[FROM_TARGET].n < queues[FROM_SOURCE].n) {
			relax(&both, FROM_TARGET, queue_take(&queues[FROM_TARGET]).item);
			find_top(&both, FROM_TARGET);
		} else {
			relax(&both, FROM_SOURCE, queue_take(&queues[FROM_SOURCE]).item);
			find_top(&both, FROM_SOURCE);
		}
	}
}
