// queue.h: a heap for keys that come near the end of a search's way and are mostly never taken out: only those of
// the next step are in order, the rest lie in buckets of one step each, in which order doesn't matter yet. What is
// beyond the last bucket is dealt out anew, in larger steps, should its turn come: a wrong step costs time, never
// order.
// SPDX-License-Identifier: MIT
#pragma once

#include "heap.h"

#include <string.h>

enum { QUEUE_BUCKETS = 1024, QUEUE_BEYOND = QUEUE_BUCKETS - 1 };

#define QUEUE_NONE UINT32_MAX

struct queue_entry {
	span key;
	uint32_t item;
	uint32_t next; // in its bucket
};

struct queue {
	struct heap near; // keys below 'limit'
	span base, limit; // bucket i is [base + i steps, base + i + 1 steps)
	unsigned step_shift;
	struct queue_entry *far;
	size_t n_far, far_capacity; // with those that were taken out
	size_t n;                   // in all
	uint64_t occupied[QUEUE_BUCKETS / 64];
	uint32_t first[QUEUE_BUCKETS]; // of those that are occupied
};

static inline void queue_fini(struct queue *queue) {
	heap_fini(&queue->near);
	free(queue->far);
	*queue = (struct queue){0};
}

// Empties it. No key will be less than 'base'.
static inline void queue_start(struct queue *queue, span base, unsigned step_shift) {
	queue->near.n = 0;
	queue->near.failed = false;
	queue->n = queue->n_far = 0;
	queue->base = queue->limit = base;
	queue->step_shift = step_shift;
	memset(queue->occupied, 0, sizeof(queue->occupied));
}

static inline void queue_link(struct queue *queue, uint32_t at) {
	span step = (queue->far[at].key - queue->base) >> queue->step_shift;
	uint32_t bucket = step < QUEUE_BEYOND ? (uint32_t)step : QUEUE_BEYOND;
	uint64_t bit = UINT64_C(1) << bucket % 64, *word = &queue->occupied[bucket / 64];

	queue->far[at].next = *word & bit ? queue->first[bucket] : QUEUE_NONE;
	queue->first[bucket] = at;
	*word |= bit;
}

static inline bool queue_grow(struct queue *queue) {
	size_t capacity = queue->far_capacity > 0 ? 2 * queue->far_capacity : 64;
	struct queue_entry *moved = realloc(queue->far, capacity * sizeof(*moved));

	if (moved == NULL) {
		queue->near.failed = true;
		return false;
	}
	queue->far = moved;
	queue->far_capacity = capacity;
	return true;
}

static inline void queue_put(struct queue *queue, uint32_t item, span key) {
	queue->n++;
	if (key < queue->limit) {
		heap_put(&queue->near, item, key);
		return;
	}
	if (queue->n_far == queue->far_capacity && !queue_grow(queue))
		return;
	queue->far[queue->n_far] = (struct queue_entry){.key = key, .item = item};
	queue_link(queue, (uint32_t)queue->n_far++);
}

static inline uint32_t queue_lowest(const struct queue *queue) {
	for (uint32_t word = 0; word < QUEUE_BUCKETS / 64; word++) {
		if (queue->occupied[word] != 0)
			return word * 64 + (uint32_t)__builtin_ctzll(queue->occupied[word]);
	}
	return QUEUE_NONE;
}

// All that is left was beyond the buckets.
static inline void queue_deal(struct queue *queue) {
	uint32_t first = queue->first[QUEUE_BEYOND];

	queue->base = queue->far[first].key;
	for (uint32_t at = first; at != QUEUE_NONE; at = queue->far[at].next) {
		if (queue->far[at].key < queue->base)
			queue->base = queue->far[at].key;
	}
	queue->limit = queue->base;
	queue->step_shift += 2;
	queue->occupied[QUEUE_BEYOND / 64] = 0;
	for (uint32_t at = first, next; at != QUEUE_NONE; at = next) {
		next = queue->far[at].next;
		queue_link(queue, at);
	}
}

// Puts what comes next in order. Returns false when the queue is empty.
static inline bool queue_ready(struct queue *queue) {
	while (queue->near.n == 0) {
		uint32_t bucket = queue_lowest(queue);

		if (bucket == QUEUE_NONE)
			return false;
		if (bucket == QUEUE_BEYOND) {
			queue_deal(queue);
			continue;
		}
		queue->limit = queue->base + ((span)(bucket + 1) << queue->step_shift);
		queue->occupied[bucket / 64] &= ~(UINT64_C(1) << bucket % 64);
		for (uint32_t at = queue->first[bucket]; at != QUEUE_NONE; at = queue->far[at].next)
			heap_put(&queue->near, queue->far[at].item, queue->far[at].key);
	}
	return true;
}

// The least; queue_ready() must have been asked.
static inline struct heap_entry queue_least(const struct queue *queue) {
	return queue->near.list[0];
}

static inline struct heap_entry queue_take(struct queue *queue) {
	queue->n--;
	return heap_take(&queue->near);
}
