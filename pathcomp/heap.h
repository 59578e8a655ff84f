// heap.h: a heap of four children a node, whose entries hold their keys. A node that gets nearer is put in
// again: who takes entries out passes over those that are out of date.
// SPDX-License-Identifier: MIT
#pragma once

#include "graph.h"

#include <stdlib.h>

#define HEAP_ARITY 4

struct heap_entry {
	span key;
	uint32_t item;
};

struct heap {
	struct heap_entry *list; // the least first
	size_t n, capacity;
	bool failed; // there was no memory for an entry: the search is void
};

static inline void heap_fini(struct heap *heap) {
	free(heap->list);
	*heap = (struct heap){0};
}

static inline bool heap_grow(struct heap *heap) {
	size_t capacity = heap->capacity > 0 ? 2 * heap->capacity : 64;
	struct heap_entry *moved = realloc(heap->list, capacity * sizeof(*moved));

	if (moved == NULL) {
		heap->failed = true;
		return false;
	}
	heap->list = moved;
	heap->capacity = capacity;
	return true;
}

static inline void heap_put(struct heap *heap, uint32_t item, span key) {
	size_t slot = heap->n;

	if (slot == heap->capacity && !heap_grow(heap))
		return;
	heap->n++;
	while (slot > 0) {
		size_t parent = (slot - 1) / HEAP_ARITY;

		if (key >= heap->list[parent].key)
			break;
		heap->list[slot] = heap->list[parent];
		slot = parent;
	}
	heap->list[slot] = (struct heap_entry){key, item};
}

static inline size_t heap_least_child(const struct heap *heap, size_t first) {
	size_t end = first + HEAP_ARITY < heap->n ? first + HEAP_ARITY : heap->n, least = first;

	for (size_t child = first + 1; child < end; child++) {
		if (heap->list[child].key < heap->list[least].key)
			least = child;
	}
	return least;
}

// Takes out the least entry; there must be one.
static inline struct heap_entry heap_take(struct heap *heap) {
	struct heap_entry top = heap->list[0], last = heap->list[--heap->n];
	size_t slot = 0;

	for (;;) {
		size_t first = slot * HEAP_ARITY + 1, least;

		if (first >= heap->n)
			break;
		least = heap_least_child(heap, first);
		if (heap->list[least].key >= last.key)
			break;
		heap->list[slot] = heap->list[least];
		slot = least;
	}
	if (heap->n > 0)
		heap->list[slot] = last;
	return top;
}
