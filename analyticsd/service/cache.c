// The cache of forecasts: a hash under one lock; copies go in and out.
// SPDX-License-Identifier: MIT
#include "cache.h"

#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define KEY_SIZE (2 * LIMIT_ID_SIZE + 160)

struct entry {
	char key[KEY_SIZE];
	struct forecast forecast;
	int64_t until_ns;
	uint64_t generation;
	UT_hash_handle hh;
};

struct cache {
	pthread_mutex_t lock;
	struct entry *entries; // oldest first
	uint64_t generation;
};

int cache_new(struct cache **ret) {
	struct cache *cache = calloc(1, sizeof(*cache));

	if (cache == NULL)
		return -ENOMEM;
	pthread_mutex_init(&cache->lock, NULL);
	*ret = cache;
	return 0;
}

static void drop(struct cache *cache, struct entry *entry) {
	HASH_DEL(cache->entries, entry);
	forecast_fini(&entry->forecast);
	free(entry);
}

void cache_free(struct cache *cache) {
	struct entry *entry, *next;

	if (cache == NULL)
		return;
	HASH_ITER (hh, cache->entries, entry, next) {
		drop(cache, entry);
	}
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static void make_key(const struct cache_key *key, char text[static KEY_SIZE]) {
	snprintf(text, KEY_SIZE, "%s\n%s\n%d %d %a %a %a %lld %d %d", key->link_id, key->model,
	         key->direction, key->statistic, key->window_seconds, key->quantile,
	         key->peak_resolution_seconds, (long long)key->start_ns, key->series, key->strict_history);
}

static int copy_forecast(const struct forecast *from, struct forecast *ret) {
	*ret = *from;
	ret->series = NULL;
	if (from->n_series == 0)
		return 0;
	ret->series = malloc(from->n_series * sizeof(*ret->series));
	if (ret->series == NULL)
		return -ENOMEM;
	memcpy(ret->series, from->series, from->n_series * sizeof(*ret->series));
	return 0;
}

int cache_find(struct cache *cache, const struct cache_key *key, int64_t now_ns, struct forecast *ret) {
	struct entry *entry;
	char text[KEY_SIZE];
	int rc = 0;

	make_key(key, text);
	pthread_mutex_lock(&cache->lock);
	HASH_FIND_STR(cache->entries, text, entry);
	if (entry != NULL && entry->generation == cache->generation && now_ns < entry->until_ns) {
		rc = copy_forecast(&entry->forecast, ret);
		rc = rc < 0 ? rc : 1;
	}
	pthread_mutex_unlock(&cache->lock);
	return rc;
}

void cache_keep(struct cache *cache, const struct cache_key *key, int64_t now_ns, uint64_t generation,
                const struct forecast *forecast) {
	struct entry *entry = calloc(1, sizeof(*entry)), *old;

	if (entry == NULL || copy_forecast(forecast, &entry->forecast) < 0) {
		free(entry); // a cache may forget
		return;
	}
	make_key(key, entry->key);
	entry->generation = generation;
	entry->until_ns = now_ns + (int64_t)(forecast_max_age_seconds(forecast) * 1e9);
	pthread_mutex_lock(&cache->lock);
	HASH_FIND_STR(cache->entries, entry->key, old);
	if (old == NULL && HASH_COUNT(cache->entries) >= CACHE_ENTRIES)
		old = cache->entries; // uthash keeps the order of insertion: the oldest goes
	if (old != NULL)
		drop(cache, old);
	HASH_ADD_STR(cache->entries, key, entry);
	pthread_mutex_unlock(&cache->lock);
}

uint64_t cache_generation(struct cache *cache) {
	uint64_t generation;

	pthread_mutex_lock(&cache->lock);
	generation = cache->generation;
	pthread_mutex_unlock(&cache->lock);
	return generation;
}

void cache_invalidate(struct cache *cache) {
	pthread_mutex_lock(&cache->lock);
	cache->generation++;
	pthread_mutex_unlock(&cache->lock);
}
