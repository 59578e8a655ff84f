// engine.h: the searches for one size of lengths.
// SPDX-License-Identifier: MIT
#pragma once

#include "length.h"
#include "queue.h"
#include "search.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define engine_run        SIZED(engine_run)
#define engine_measure    SIZED(engine_measure)
#define engine_several    SIZED(engine_several)
#define engine_disjoint   SIZED(engine_disjoint)
#define engine_prepare    SIZED(engine_prepare)
#define run_init          SIZED(run_init)
#define run_start         SIZED(run_start)
#define run_from_both     SIZED(run_from_both)
#define run_to_source     SIZED(run_to_source)
#define run_walk          SIZED(run_walk)
#define run_walk_by       SIZED(run_walk_by)
#define run_tell          SIZED(run_tell)
#define exacts_free       SIZED(exacts_free)
#define exact_begin       SIZED(exact_begin)
#define exact_rest        SIZED(exact_rest)
#define exact_walk        SIZED(exact_walk)
#define exact_worked      SIZED(exact_worked)
#define path_length       SIZED(path_length)
#define landmarks_bounds  SIZED(landmarks_bounds)
#define pair_memory_free  SIZED(pair_memory_free)
#define pair_put_in_order SIZED(pair_put_in_order)
#define suurballe         SIZED(suurballe)
#define reach_new         SIZED(reach_new)
#define reach_free        SIZED(reach_free)
#define reach_freep       SIZED(reach_freep)
#define reach_run         SIZED(reach_run)
#define yen_new           SIZED(yen_new)
#define yen_free          SIZED(yen_free)
#define yen_freep         SIZED(yen_freep)
#define yen_next          SIZED(yen_next)

enum side { FROM_SOURCE, FROM_TARGET };

// A node as a search knows it, from both sides.
struct record {
	span at[2];
	uint32_t seen[2]; // the stamp of the search that wrote it
	uint16_t bounds
	        [2]; // of searches from both ends: what is at least to go on from this side, in bounds.unit
	uint32_t first; // of the node's edges, as in the graph; the next record's is where they end
};

// A search takes some stamps, so that nothing is reset between searches.
enum { REACHED, ON_BEST_PATH, FLOODED, FLOODED_RESIDUAL, N_STAMPS };

// So small a search is over before a flood from its goal could tell that it is in vain.
#define FLOOD_AFTER 8

struct engine {
	const struct pathcomp_graph *graph;
	uint32_t stamp; // of what the search at hand reaches
	struct record *records;
	struct heap heaps[2];     // of searches towards one end
	struct queue queues[2];   // of searches from both
	struct numbers crossings; // nodes where a best path leaves what was reached from the source
	struct numbers stack;     // of nodes or edges, for one step at a time
	struct pair_memory *pair; // of who asked for pairs
	struct exacts *exacts;    // of who asks often
};

// ---- landmarks.c

enum { LANDMARKS = 16 };

// Bounds that the search of a pair may use, from the graph as if every arc were up and empty; none where the
// metric was not prepared.
struct bounds {
	const span *to_target, *to_source; // exact, by node
	const uint16_t *distances;         // to the landmarks, LANDMARKS of each node
	span unit;                         // of lengths, that they are in
	uint16_t of_source[LANDMARKS], of_target[LANDMARKS];
	bool apart; // not connected, whatever the capacity
};

void landmarks_bounds(const struct pathcomp_graph *, enum path_metrics metric, uint32_t from, uint32_t to,
                      struct bounds *ret);
int engine_prepare(struct pathcomp_graph *, enum path_metrics metric);

#ifdef __SSE2__

static inline __m128i lanes_most(__m128i left, __m128i right) {
	return _mm_add_epi16(left, _mm_subs_epu16(right, left));
}

#endif

// The most by which distances to landmarks differ: by the triangle inequality, no two nodes are nearer.
static inline uint16_t bounds_differ(const uint16_t *left, const uint16_t *right) {
#ifdef __SSE2__
	__m128i most = _mm_setzero_si128();

	for (int i = 0; i < LANDMARKS; i += 8) {
		__m128i l = _mm_loadu_si128((const __m128i *)&left[i]),
		        r = _mm_loadu_si128((const __m128i *)&right[i]);

		most = lanes_most(most, _mm_or_si128(_mm_subs_epu16(l, r), _mm_subs_epu16(r, l)));
	}
	most = lanes_most(most, _mm_unpackhi_epi64(most, most));
	most = lanes_most(most, _mm_srli_epi64(most, 32));
	most = lanes_most(most, _mm_srli_epi64(most, 16));
	return (uint16_t)_mm_cvtsi128_si32(most);
#else // compilers make vector instructions of it
	uint16_t most = 0;

	for (int i = 0; i < LANDMARKS; i++) {
		uint16_t difference =
		        (uint16_t)(left[i] > right[i] ? left[i] - right[i] : right[i] - left[i]);

		most = difference > most ? difference : most;
	}
	return most;
#endif
}

// ---- engine.c

// A search that runs: the query and what is known about it.
struct run {
	struct pathcomp_search *search;
	struct engine *engine;
	const struct query *query;
	struct measure measure;
	struct bounds bounds;
	span best;                 // of the paths found
	uint64_t work;             // nodes that were settled
	const struct exact *exact; // exact lengths, NULL: not known; for all nodes when it has
	const span *exact_row;     // such a row, else to be asked for with exact_rest()
	bool failed;
};

// Returns false when there can't be a path.
bool run_init(struct run *, struct pathcomp_search *, const struct query *);

// Forgets what was reached.
void run_start(struct run *);

// Searches from the target until the source is reached, and all nodes from which the target is no farther by a
// path that comes by the source. Returns 0, 1 when it can't be reached, or -ENOMEM.
int run_to_source(struct run *);

// Searches from both ends (both_ends.c): run->best and the engine's crossings tell what was found.
void run_from_both(struct run *);

// The path that was found.
int run_walk(struct run *, struct pathcomp_path *ret);

// The path that 'to_target' leads along, which must be exact where it is followed. Returns 0, 1 when something
// is in the way, or -ENOMEM.
int run_walk_by(struct run *, const span *to_target, struct pathcomp_path *ret);

// The edges on the engine's stack as a path.
int run_tell(const struct run *, struct pathcomp_path *ret);

struct exacts;
span exact_rest(struct run *, uint32_t node); // see below

// What is at least to go from a node to the target, or to it from the source; 0 where nothing is known.
static inline span run_ahead(const struct run *run, enum side side, uint32_t node) {
	const struct bounds *bounds = &run->bounds;
	const span *table = side == FROM_SOURCE ? bounds->to_target : bounds->to_source;

	if (table != NULL)
		return table[node];
	if (bounds->distances == NULL)
		return 0;
	return bounds_differ(&bounds->distances[(size_t)node * LANDMARKS],
	                     side == FROM_SOURCE ? bounds->of_target : bounds->of_source) *
	       bounds->unit;
}

// After exact_begin() exact lengths to the target; after run_to_source() lengths to it that no arc makes inconsistent (from - to <= arc), exact on all
// best paths; elsewhere at most exact. They are those that were settled, the best less what is at least to come
// from the source, and what is at least to go: each is consistent, so the lesser and the greater of two are.
static inline span run_rest(struct run *run, uint32_t node) {
	const struct record *record = &run->engine->records[node];
	span behind, ahead;

	if (run->exact != NULL)
		return run->exact_row != NULL ? run->exact_row[node] : exact_rest(run, node);
	behind = run_ahead(run, FROM_TARGET, node);
	if (record->seen[FROM_TARGET] == run->engine->stamp && behind <= run->best &&
	    record->at[FROM_TARGET] <= run->best - behind)
		return record->at[FROM_TARGET];
	behind = behind < run->best ? run->best - behind : 0;
	ahead = run_ahead(run, FROM_SOURCE, node);
	return ahead > behind ? ahead : behind;
}

// The shortest path under the bans, without limits and via. 'to_target', of each node what is at least to go to
// the target, may be NULL. As pathcomp_search_shortest().
int engine_run(struct pathcomp_search *, const struct query *, const span *to_target,
               struct pathcomp_path *ret);

// Lengths from every node to query->to (LENGTH_INFINITE: no way). Returns 0 or -ENOMEM.
int engine_measure(struct pathcomp_search *, const struct query *, span *ret);

span path_length(const struct pathcomp_graph *, const uint32_t *arcs, size_t n_arcs, const struct measure *);

// ---- exact.c

void exacts_free(struct exacts *);

// Are exact lengths to the run's target known, or worth to be known now? Returns 1 when they are, 0, or -ENOMEM.
int exact_begin(struct run *);

// From a node to the target, as far as the demand fits; LENGTH_INFINITE: no way, or run->failed.
span exact_rest(struct run *, uint32_t node);

// The shortest path by them. Returns 0, 1 when there is none, or -ENOMEM.
int exact_walk(struct run *, struct pathcomp_path *ret);

// Tells how much work a search was that they might have saved.
void exact_worked(struct pathcomp_search *, const struct query *, uint64_t work);

// ---- yen.c, disjoint.c: see pathcomp_search_several(), pathcomp_search_disjoint()

int engine_several(struct pathcomp_search *, const struct pathcomp_room *, const struct pathcomp_request *,
                   size_t k, struct pathcomp_paths *ret);
int engine_disjoint(struct pathcomp_search *, const struct pathcomp_room *, const struct pathcomp_request *,
                    enum disjoint_kinds, struct pathcomp_paths *ret);

// ---- suurballe.c

struct pair_memory;
void pair_memory_free(struct pair_memory *);

// The pair under the bans, of links or nodes apart. Returns 0, 1, or -ENOMEM; 'pair' is empty before.
int suurballe(struct pathcomp_search *, const struct query *, bool nodes_differ,
              struct pathcomp_path pair[2]);

// The better one first.
void pair_put_in_order(const struct pathcomp_graph *, const struct measure *, struct pathcomp_path pair[2]);

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
