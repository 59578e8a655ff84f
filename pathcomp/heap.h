// heap.h: a heap of four children a node, whose entries hold their keys. A node that gets nearer is put in
// again: who takes entries out passes over those that are out of date.
// SPDX-License-Identifier: MIT
#pragma once

#include "length.h"

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

// Without branches where there are all four: which child is the least can't be foreseen.
static inline size_t heap_least_child(const struct heap *heap, size_t first) {
	const struct heap_entry *child = &heap->list[first];
	size_t least = first;

	if (first + HEAP_ARITY <= heap->n) {
		size_t left = child[1].key < child[0].key, right = 2 + (child[3].key < child[2].key);

		return first + (child[right].key < child[left].key ? right : left);
	}
	for (size_t i = first + 1; i < heap->n; i++) {
		if (heap->list[i].key < heap->list[least].key)
			least = i;
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
