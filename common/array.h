// array.h: heap arrays that grow by doubling.
// SPDX-License-Identifier: MIT
#pragma once

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

// Makes room for one element of 'size' behind the 'n' of '*array', which holds '*capacity'. Returns 0 or -ENOMEM, which
// leaves all as it was.
static inline int array_room(void **array, size_t n, size_t *capacity, size_t size) {
	size_t larger = *capacity > 0 ? 2 * *capacity : 16;
	void *moved;

	if (n < *capacity)
		return 0;
	moved = reallocarray(*array, larger, size);
	if (moved == NULL)
		return -ENOMEM;
	*array = moved;
	*capacity = larger;
	return 0;
}
