// Names with the number of their owners, and buckets by hash: drivers have thousands of statistics.
// SPDX-License-Identifier: MIT
#include "columns.h"

#include "codec.h"
#include "message.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define N_BUCKETS ((size_t)2 * LIMIT_NAMES) // so that half of them stay empty

struct columns {
	size_t n_owners;
	size_t n;
	char *names[LIMIT_NAMES];
	uint16_t buckets[N_BUCKETS]; // index of the name + 1; 0 is empty
};

// The bucket that holds the name, or the empty one that it belongs to.
static uint16_t *bucket_of(struct columns *columns, const char *name) {
	size_t at = 5381;

	for (const char *c = name; *c != '\0'; c++)
		at = at * 33 + (unsigned char)*c;
	for (at %= N_BUCKETS; columns->buckets[at] != 0; at = (at + 1) % N_BUCKETS) {
		if (strcmp(columns->names[columns->buckets[at] - 1], name) == 0)
			break;
	}
	return &columns->buckets[at];
}

int columns_add(struct columns *columns, const char *name) {
	uint16_t *bucket;

	if (!id_is_valid(name))
		return 1;
	bucket = bucket_of(columns, name);
	if (*bucket != 0)
		return 1;
	if (columns->n == LIMIT_NAMES)
		return -ENOSPC;
	columns->names[columns->n] = strdup(name);
	if (columns->names[columns->n] == NULL)
		return -ENOMEM;
	*bucket = (uint16_t)++columns->n;
	return 0;
}

int columns_new(struct columns **ret) {
	CLEANUP(columns_freep) struct columns *columns = calloc(1, sizeof(*columns));
	int rc;

	if (columns == NULL)
		return -ENOMEM;
	columns->n_owners = 1;
	for (size_t i = 0; i < N_PORT_COUNTERS; i++) {
		if ((rc = columns_add(columns, port_counters[i].name)) < 0)
			return rc;
	}
	*ret = columns;
	columns = NULL;
	return 0;
}

struct columns *columns_share(struct columns *columns) {
	if (columns != NULL)
		columns->n_owners++;
	return columns;
}

void columns_free(struct columns *columns) {
	if (columns == NULL || --columns->n_owners > 0)
		return;
	for (size_t i = 0; i < columns->n; i++)
		free(columns->names[i]);
	free(columns);
}

const char *const *columns_names(const struct columns *columns, size_t *ret_n) {
	*ret_n = columns->n;
	return (const char *const *)columns->names;
}
