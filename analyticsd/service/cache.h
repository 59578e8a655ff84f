// cache.h: forecasts that are still good: until their age is up, or something that they rest on was changed
// by a request. Shared by the workers; every function may be called from any thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "forecast.h"
#include "message.h"

#include <stdbool.h>

#define CACHE_ENTRIES 20000

struct cache;

int cache_new(struct cache **ret);
void cache_free(struct cache *);
DEFINE_CLEANUP(struct cache *, cache_free)

// What a forecast depends on beside the samples. 'start_ns' 0: from now.
struct cache_key {
	const char *link_id;
	enum directions direction;
	double window_seconds, quantile, peak_resolution_seconds;
	int64_t start_ns;
	enum statistics statistic;
	const char *model;
	bool series, strict_history;
};

// Copies the kept forecast; the caller ends it with forecast_fini(). Returns 1, 0 when there is none, or
// -ENOMEM.
int cache_find(struct cache *, const struct cache_key *, int64_t now_ns, struct forecast *ret);

// Keeps a copy. 'generation' is what cache_generation() said before the samples were read.
void cache_keep(struct cache *, const struct cache_key *, int64_t now_ns, uint64_t generation,
                const struct forecast *);

uint64_t cache_generation(struct cache *);

// A request changed history or topology: what was kept is no longer good.
void cache_invalidate(struct cache *);
