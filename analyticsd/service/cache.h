// cache.h: what was learnt of links, kept for the next forecast: as it is until its age is up or something that it rests
// on was changed by a request; then it learns on. Links lend each other errors here. Shared by the workers; every
// function may be called from any thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "forecast.h"
#include "message.h"

#include <stdbool.h>

#define CACHE_ENTRIES 20000
#define CACHE_BYTES   (256L << 20)

struct cache;

int cache_new(struct cache **ret);
void cache_free(struct cache *); // nobody holds an entry any more
DEFINE_CLEANUP(struct cache *, cache_free)

// What a state depends on beside the samples. 'start_ns' 0: from now.
struct cache_key {
	const char *link_id;
	enum directions direction;
	double window_seconds, peak_resolution_seconds;
	int64_t start_ns;
	enum statistics statistic;
	const char *model;
	bool strict_history;
};

// One link and kind of question. Its holder alone touches it.
struct cache_entry {
	struct forecast_state *state; // NULL at first
	bool has_series;              // the state was learnt for them too
	bool is_told;                 // what was learnt last was published
};

// Waits while another thread holds the entry; makes it when there is none. Returns 0 or -ENOMEM. A thread holds one at a
// time, and gives it back with cache_put().
int cache_take(struct cache *, const struct cache_key *, struct cache_entry **ret);

// Whether what the held entry knows is still good.
bool cache_is_fresh(struct cache *, const struct cache_entry *, int64_t now_ns);

// The holder learnt anew, from samples that were read after cache_generation() said 'generation'.
void cache_learnt(struct cache *, struct cache_entry *, int64_t now_ns, uint64_t generation);
void cache_put(struct cache *, struct cache_entry *);

struct shared_pool;

// The errors of links for this kind of question, sorted; 'all': also what came within the last moments. cache_put_pool()
// when the answer is made. Returns 1, 0 when there are none, or -ENOMEM.
int cache_pool(struct cache *, const struct cache_key *, bool all, struct shared_pool **ret);
const struct forecast_pool *cache_pool_errors(const struct shared_pool *); // NULL of NULL
void cache_put_pool(struct cache *, struct shared_pool *);                 // NULL is fine

// How the newest truth of a link compares with what was said of it, by whichever question has it. Returns 1, or 0 when
// nothing was scored.
int cache_drift(struct cache *, const char *link_id, enum directions, struct forecast_drift *ret);

uint64_t cache_generation(struct cache *);

// A request changed history or topology: what is known is no longer fresh.
void cache_invalidate(struct cache *);
