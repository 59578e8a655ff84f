// The cache: a hash under one lock, in which nobody stays for long. An entry is held by one thread at a time under a
// lock of its own; what others may see of it (lent errors, drift, size) is copied out when it has learnt.
// SPDX-License-Identifier: MIT
#include "cache.h"

#include "clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define KIND_SIZE (LIMIT_ID_SIZE + 160)
#define KEY_SIZE  (KIND_SIZE + LIMIT_ID_SIZE + 8)

enum {
	MOST_LENDERS = 256,
	REBUILD_SHARE = 8 // a pool is made anew when one in so many of its lenders has changed
};

// Shared by those who answer with it; goes with the last of them when it was replaced.
struct shared_pool {
	struct forecast_pool *pool;
	int holders;
	bool is_replaced;
};

// A kind of question, whichever the link.
struct kind {
	char key[KIND_SIZE];
	struct shared_pool *pool; // of the lenders, or NULL
	size_t n_entries, n_lenders, n_changes;
	UT_hash_handle hh;
};

struct entry {
	struct cache_entry public; // first: its holder knows this part
	char key[KEY_SIZE];
	char link_id[LIMIT_ID_SIZE + 1];
	enum directions direction;
	pthread_mutex_t lock;
	int users; // holder and those who wait
	// under the cache's lock
	struct kind *kind;
	struct forecast_pool *lent;
	struct forecast_drift drift;
	size_t size;
	int64_t until_ns;
	uint64_t generation;
	UT_hash_handle hh;
};

struct cache {
	pthread_mutex_t lock;
	struct entry *entries; // least recently used first
	struct kind *kinds;
	size_t size;
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

// ---- pools

static void free_if_unused(struct shared_pool *pool) {
	if (pool == NULL || pool->holders > 0)
		return;
	forecast_pool_free(pool->pool);
	free(pool);
}

static void replace_pool(struct kind *kind, struct shared_pool *pool) {
	if (kind->pool != NULL)
		kind->pool->is_replaced = true;
	free_if_unused(kind->pool);
	kind->pool = pool;
	kind->n_changes = 0;
}

static int by_hash(const void *a, const void *b) {
	unsigned int left = (*(struct entry *const *)a)->hh.hashv,
	             right = (*(struct entry *const *)b)->hh.hashv;

	return left < right ? -1 : left > right;
}

// Lenders whichever came first: the choice of those who take part must not depend on who was faster.
static int merge_lenders(struct cache *cache, const struct kind *kind, struct forecast_pool *pool) {
	CLEANUP(freep) struct entry **lenders = calloc(kind->n_lenders + 1, sizeof(*lenders));
	size_t n = 0;
	int rc = 0;

	if (lenders == NULL)
		return -ENOMEM;
	for (struct entry *entry = cache->entries; entry != NULL; entry = entry->hh.next) {
		if (entry->kind == kind && entry->lent != NULL)
			lenders[n++] = entry;
	}
	qsort(lenders, n, sizeof(*lenders), by_hash);
	for (size_t i = 0; i < n && i < MOST_LENDERS && rc == 0; i++)
		rc = forecast_pool_merge(pool, lenders[i]->lent);
	return rc;
}

static int make_pool(struct cache *cache, struct kind *kind) {
	struct shared_pool *pool = calloc(1, sizeof(*pool));
	int rc;

	if (pool == NULL || forecast_pool_new(&pool->pool) < 0) {
		free(pool);
		return -ENOMEM;
	}
	if ((rc = merge_lenders(cache, kind, pool->pool)) < 0) {
		free_if_unused(pool);
		return rc;
	}
	forecast_pool_sort(pool->pool);
	replace_pool(kind, pool);
	return 0;
}

static void make_kind_key(const struct cache_key *key, char text[static KIND_SIZE]) {
	snprintf(text, KIND_SIZE, "%s\n%d %a %a %lld %d", key->model, key->statistic, key->window_seconds,
	         key->peak_resolution_seconds, (long long)key->start_ns, key->strict_history);
}

int cache_pool(struct cache *cache, const struct cache_key *key, bool all, struct shared_pool **ret) {
	char text[KIND_SIZE];
	struct kind *kind;
	int rc = 0;

	make_kind_key(key, text);
	pthread_mutex_lock(&cache->lock);
	HASH_FIND_STR(cache->kinds, text, kind);
	if (kind != NULL && kind->n_lenders > 0) {
		bool is_old = kind->n_changes > (all ? 0 : kind->n_lenders / REBUILD_SHARE);

		if (kind->pool == NULL || is_old)
			rc = make_pool(cache, kind);
		if (rc == 0) {
			kind->pool->holders++;
			*ret = kind->pool;
			rc = 1;
		}
	}
	pthread_mutex_unlock(&cache->lock);
	return rc;
}

const struct forecast_pool *cache_pool_errors(const struct shared_pool *pool) {
	return pool != NULL ? pool->pool : NULL;
}

void cache_put_pool(struct cache *cache, struct shared_pool *pool) {
	if (pool == NULL)
		return;
	pthread_mutex_lock(&cache->lock);
	pool->holders--;
	if (pool->is_replaced)
		free_if_unused(pool);
	pthread_mutex_unlock(&cache->lock);
}

// ---- entries

static void stop_lending(struct entry *entry) {
	if (entry->lent == NULL)
		return;
	forecast_pool_free(entry->lent);
	entry->lent = NULL;
	entry->kind->n_changes++;
	entry->kind->n_lenders--;
}

static void leave_kind(struct cache *cache, struct kind *kind) {
	if (--kind->n_entries > 0)
		return;
	replace_pool(kind, NULL);
	HASH_DEL(cache->kinds, kind);
	free(kind);
}

static void drop(struct cache *cache, struct entry *entry) {
	HASH_DEL(cache->entries, entry);
	stop_lending(entry);
	leave_kind(cache, entry->kind);
	cache->size -= entry->size;
	forecast_state_free(entry->public.state);
	pthread_mutex_destroy(&entry->lock);
	free(entry);
}

void cache_free(struct cache *cache) {
	struct entry *entry, *next;

	if (cache == NULL)
		return;
	HASH_ITER (hh, cache->entries, entry, next) {
		drop(cache, entry); // the last of a kind takes it along
	}
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

static void make_room(struct cache *cache) {
	struct entry *entry, *next;

	HASH_ITER (hh, cache->entries, entry, next) {
		if (HASH_COUNT(cache->entries) < CACHE_ENTRIES && cache->size < CACHE_BYTES)
			return;
		if (entry->users == 0)
			drop(cache, entry);
	}
}

static struct kind *find_kind(struct cache *cache, const struct cache_key *key) {
	char text[KIND_SIZE];
	struct kind *kind;

	make_kind_key(key, text);
	HASH_FIND_STR(cache->kinds, text, kind);
	if (kind != NULL || (kind = calloc(1, sizeof(*kind))) == NULL)
		return kind;
	memcpy(kind->key, text, sizeof(text));
	HASH_ADD_STR(cache->kinds, key, kind);
	return kind;
}

static struct entry *find_entry(struct cache *cache, const struct cache_key *key) {
	char text[KEY_SIZE], kind[KIND_SIZE];
	struct entry *entry;

	make_kind_key(key, kind);
	snprintf(text, sizeof(text), "%s\n%d %s", key->link_id, key->direction, kind);
	HASH_FIND_STR(cache->entries, text, entry);
	if (entry != NULL) {
		HASH_DEL(cache->entries, entry); // to the end: used last
		HASH_ADD_STR(cache->entries, key, entry);
		return entry;
	}
	make_room(cache);
	if ((entry = calloc(1, sizeof(*entry))) == NULL)
		return NULL;
	if ((entry->kind = find_kind(cache, key)) == NULL) {
		free(entry);
		return NULL;
	}
	entry->kind->n_entries++;
	memcpy(entry->key, text, sizeof(text));
	snprintf(entry->link_id, sizeof(entry->link_id), "%s", key->link_id);
	entry->direction = key->direction;
	pthread_mutex_init(&entry->lock, NULL);
	HASH_ADD_STR(cache->entries, key, entry);
	return entry;
}

int cache_take(struct cache *cache, const struct cache_key *key, struct cache_entry **ret) {
	struct entry *entry;

	pthread_mutex_lock(&cache->lock);
	entry = find_entry(cache, key);
	if (entry != NULL)
		entry->users++;
	pthread_mutex_unlock(&cache->lock);
	if (entry == NULL)
		return -ENOMEM;
	pthread_mutex_lock(&entry->lock);
	*ret = &entry->public;
	return 0;
}

void cache_put(struct cache *cache, struct cache_entry *public) {
	struct entry *entry = (struct entry *)public;

	pthread_mutex_unlock(&entry->lock);
	pthread_mutex_lock(&cache->lock);
	entry->users--;
	pthread_mutex_unlock(&cache->lock);
}

bool cache_is_fresh(struct cache *cache, const struct cache_entry *public, int64_t now_ns) {
	const struct entry *entry = (const struct entry *)public;
	bool is_fresh;

	pthread_mutex_lock(&cache->lock);
	is_fresh =
	        public->state != NULL && entry->generation == cache->generation && now_ns < entry->until_ns;
	pthread_mutex_unlock(&cache->lock);
	return is_fresh;
}

void cache_learnt(struct cache *cache, struct cache_entry *public, int64_t now_ns, uint64_t generation) {
	struct entry *entry = (struct entry *)public;
	struct forecast_pool *lent = NULL;

	if (forecast_pool_new(&lent) == 0 && forecast_pool_add(lent, public->state) < 0) {
		forecast_pool_free(lent);
		lent = NULL; // a cache may forget
	}
	public->is_told = false;
	pthread_mutex_lock(&cache->lock);
	entry->kind->n_changes += entry->lent == NULL; // else it counts when the old errors go
	stop_lending(entry);
	entry->lent = lent;
	entry->kind->n_lenders += lent != NULL;
	entry->drift = forecast_drift(public->state);
	cache->size -= entry->size;
	entry->size = sizeof(*entry) + forecast_state_size(public->state);
	cache->size += entry->size;
	entry->generation = generation;
	entry->until_ns = now_ns + (int64_t)(forecast_state_max_age_seconds(public->state) * 1e9);
	pthread_mutex_unlock(&cache->lock);
}

int cache_drift(struct cache *cache, const char *link_id, enum directions direction,
                struct forecast_drift *ret) {
	int64_t newest_ns = 0;

	pthread_mutex_lock(&cache->lock);
	for (struct entry *entry = cache->entries; entry != NULL; entry = entry->hh.next) {
		if (entry->direction != direction || entry->drift.ts_ns <= newest_ns ||
		    strcmp(entry->link_id, link_id) != 0)
			continue;
		newest_ns = entry->drift.ts_ns;
		*ret = entry->drift;
	}
	pthread_mutex_unlock(&cache->lock);
	return newest_ns > 0;
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
