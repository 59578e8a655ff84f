// bytes.h: a heap buffer that its holder frees.
// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct bytes {
	uint8_t *data;
	size_t size;
};

static inline void bytes_fini(struct bytes *bytes) {
	free(bytes->data);
	bytes->data = NULL;
	bytes->size = 0;
}
