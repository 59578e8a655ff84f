// bytes.h: a heap buffer that its holder frees.
// SPDX-License-Identifier: MIT
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
	uint8_t *data;
	size_t size;
};

static inline void bytes_fini(struct bytes *bytes) {
	free(bytes->data);
	bytes->data = NULL;
	bytes->size = 0;
}

// Puts a copy of 'data' behind what is there. Returns 0 or -ENOMEM, which leaves the buffer as it was.
static inline int bytes_append(struct bytes *bytes, const void *data, size_t size) {
	uint8_t *moved = realloc(bytes->data, bytes->size + size + 1);

	if (moved == NULL)
		return -ENOMEM;
	if (size > 0)
		memcpy(moved + bytes->size, data, size);
	bytes->data = moved;
	bytes->size += size;
	return 0;
}
