// What a map holds under a name that no message knows: numbers of somebody else's.
// SPDX-License-Identifier: MIT
#include "document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// The value of a key, or NULL.
static const msgpack_object *find(const msgpack_object *map, const char *key) {
	for (uint32_t i = 0; i < map->via.map.size; i++) {
		const msgpack_object *name = &map->via.map.ptr[i].key;

		if (name->type == MSGPACK_OBJECT_STR && name->via.str.size == strlen(key) &&
		    memcmp(name->via.str.ptr, key, name->via.str.size) == 0)
			return &map->via.map.ptr[i].val;
	}
	return NULL;
}

int document_numbers(const struct document *document, const char *key, double **ret, size_t *ret_n,
                     struct status *status) {
	const msgpack_object *value = find(&document->root, key);
	const msgpack_object *elements = value;
	size_t n = 1;
	double *numbers;

	if (value == NULL)
		n = 0;
	else if (value->type == MSGPACK_OBJECT_ARRAY) {
		elements = value->via.array.ptr;
		n = value->via.array.size;
	}
	numbers = calloc(n + 1, sizeof(*numbers));
	if (numbers == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (object_to_real(&elements[i], &numbers[i]) < 0) {
			free(numbers);
			return status_set(status, STATUS_INVALID_ARGUMENT,
			                  "%s: neither a number nor a list of numbers", key);
		}
	}

	*ret = numbers;
	*ret_n = n;
	return 0;
}
