// The cache of what forecasts learnt: one holder at a time, fresh until something changes, errors lent to others.
// SPDX-License-Identifier: MIT
#include "cache.h"

#include "forecast_fixture.h"

#include <criterion/criterion.h>
#include <pthread.h>

enum { STEPS = 5 * 288, THREADS = 6, ROUNDS = 400 };

static struct kpi_point points[FIXTURE_MOST];

static struct cache_key key_of(const char *link_id, double window_seconds) {
	return (struct cache_key){.link_id = link_id, .window_seconds = window_seconds, .model = "auto"};
}

static struct cache_entry *take(struct cache *cache, const char *link_id) {
	struct cache_key key = key_of(link_id, 86400);
	struct cache_entry *entry;

	cr_assert_eq(cache_take(cache, &key, &entry), 0);
	return entry;
}

static void learn(struct cache *cache, const char *link_id, uint64_t seed, size_t n) {
	struct forecast_query query = fixture_query(86400);
	struct cache_entry *entry = take(cache, link_id);
	uint64_t generation = cache_generation(cache);

	fixture_link(points, STEPS, 300, seed);
	query.now_ns = query.start_ns = points[n - 1].ts_ns;
	cr_assert_eq(forecast_learn(&entry->state, points, n, &query), 0);
	cache_learnt(cache, entry, FIXTURE_NOW_NS, generation);
	cache_put(cache, entry);
}

static bool is_fresh(struct cache *cache, const char *link_id, int64_t now_ns) {
	struct cache_entry *entry = take(cache, link_id);
	bool ret = cache_is_fresh(cache, entry, now_ns);

	cache_put(cache, entry);
	return ret;
}

Test(cache, what_was_learnt_is_fresh_until_its_age_or_a_change) {
	struct cache *cache;

	cr_assert_eq(cache_new(&cache), 0);
	cr_assert_not(is_fresh(cache, "a", FIXTURE_NOW_NS), "nothing was learnt");
	learn(cache, "a", 1, STEPS);
	cr_assert(is_fresh(cache, "a", FIXTURE_NOW_NS));
	cr_assert(is_fresh(cache, "a", FIXTURE_NOW_NS + 29 * NS_PER_SECOND));
	cr_assert_not(is_fresh(cache, "a", FIXTURE_NOW_NS + 31 * NS_PER_SECOND), "a tenth of a step");
	cr_assert_not(is_fresh(cache, "b", FIXTURE_NOW_NS), "another link");
	cache_invalidate(cache);
	cr_assert_not(is_fresh(cache, "a", FIXTURE_NOW_NS));
	learn(cache, "a", 1, STEPS);
	cr_assert(is_fresh(cache, "a", FIXTURE_NOW_NS));
	cache_free(cache);
}

Test(cache, links_of_a_kind_lend_each_other_and_a_pool_in_use_stays) {
	struct cache_key day = key_of("l0", 86400), hour = key_of("l0", 3600);
	struct shared_pool *pool = NULL, *later = NULL;
	struct cache *cache;

	cr_assert_eq(cache_new(&cache), 0);
	cr_assert_eq(cache_pool(cache, &day, true, &pool), 0, "nobody lends");
	for (int i = 0; i < 12; i++) {
		char name[8] = {'l', (char)('a' + i)};

		learn(cache, name, (uint64_t)i, STEPS);
	}
	cr_assert_eq(cache_pool(cache, &hour, true, &pool), 0, "another kind of question");
	cr_assert_eq(cache_pool(cache, &day, true, &pool), 1);
	cr_assert_not_null(cache_pool_errors(pool));
	learn(cache, "la", 99, STEPS);
	cr_assert_eq(cache_pool(cache, &day, false, &later), 1);
	cr_assert_eq(later, pool, "one of twelve is not worth a new one");
	cache_put_pool(cache, later);
	cr_assert_eq(cache_pool(cache, &day, true, &later), 1);
	cr_assert_neq(later, pool);
	cache_put_pool(cache, later);
	cache_put_pool(cache, pool); // replaced meanwhile: goes now
	cr_assert_null(cache_pool_errors(NULL));
	cache_free(cache);
}

Test(cache, the_drift_of_a_link_is_told_once_truth_came) {
	struct forecast_drift drift;
	struct cache *cache;

	cr_assert_eq(cache_new(&cache), 0);
	learn(cache, "a", 1, STEPS - 1);
	cr_assert_eq(cache_drift(cache, "a", DIRECTION_FORWARD, &drift), 0);
	learn(cache, "a", 1, STEPS);
	cr_assert_eq(cache_drift(cache, "a", DIRECTION_FORWARD, &drift), 1);
	cr_assert_eq(drift.ts_ns, FIXTURE_NOW_NS);
	cr_assert_eq(cache_drift(cache, "a", DIRECTION_REVERSE, &drift), 0);
	cr_assert_eq(cache_drift(cache, "b", DIRECTION_FORWARD, &drift), 0);
	cache_free(cache);
}

// An entry's holder is alone: a count that is not atomic comes out right.
static struct cache *shared;
static int count;

static void *hold_often(void *unused) {
	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		struct cache_key key = key_of("one", 60);
		struct cache_entry *entry;

		if (cache_take(shared, &key, &entry) < 0)
			return NULL;
		count++;
		cache_put(shared, entry);
	}
	return NULL;
}

Test(cache, one_thread_at_a_time_holds_an_entry) {
	pthread_t threads[THREADS];

	cr_assert_eq(cache_new(&shared), 0);
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&threads[i], NULL, hold_often, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	cr_assert_eq(count, THREADS * ROUNDS);
	cache_free(shared);
}
