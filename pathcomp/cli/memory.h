// memory.h: pieces of memory that end together.
// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct memory_piece {
	struct memory_piece *next;
	max_align_t data[];
};

struct memory {
	struct memory_piece *pieces;
};

// Zeroes, or NULL.
static inline void *memory_take(struct memory *memory, size_t n, size_t size) {
	struct memory_piece *piece;

	if (size > 0 && n > (SIZE_MAX / 2 - sizeof(*piece)) / size)
		return NULL;
	piece = calloc(1, sizeof(*piece) + n * size + 1);
	if (piece == NULL)
		return NULL;
	piece->next = memory->pieces;
	memory->pieces = piece;
	return piece->data;
}

static inline void memory_fini(struct memory *memory) {
	while (memory->pieces != NULL) {
		struct memory_piece *next = memory->pieces->next;

		free(memory->pieces);
		memory->pieces = next;
	}
}
