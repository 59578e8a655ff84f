// Growing, sorting and searching of rows.
// SPDX-License-Identifier: MIT
#include "rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_LEAST 16

void rows_fini(struct rows *rows) {
	free(rows->values);
	rows->values = NULL;
	rows->n = rows->capacity = 0;
}

int rows_reserve(struct rows *rows, size_t n) {
	size_t capacity = rows->capacity > 0 ? rows->capacity : ROWS_LEAST;
	void *moved;

	if (rows->n + n <= rows->capacity)
		return 0;
	while (capacity < rows->n + n)
		capacity *= 2;
	moved = reallocarray(rows->values, capacity, rows->width * sizeof(*rows->values));
	if (moved == NULL)
		return -ENOMEM;
	rows->values = moved;
	rows->capacity = capacity;
	return 0;
}

int rows_add(struct rows *rows, const uint64_t *values, size_t n) {
	int rc = rows_reserve(rows, n);

	if (rc == 0 && n > 0) {
		memcpy(rows_at(rows, rows->n), values, n * rows->width * sizeof(*values));
		rows->n += n;
	}
	return rc;
}

void rows_drop(struct rows *rows, size_t n) {
	size_t capacity = 2 * (rows->n - n) + ROWS_LEAST;
	void *moved;

	if (n == 0)
		return;
	rows->n -= n;
	memmove(rows->values, rows_at(rows, n), rows->n * rows->width * sizeof(*rows->values));
	if (capacity > rows->capacity / 2)
		return;
	moved = reallocarray(rows->values, capacity, rows->width * sizeof(*rows->values));
	if (moved == NULL)
		return;
	rows->values = moved;
	rows->capacity = capacity;
}

int rows_compare(const uint64_t *a, const uint64_t *b, bool ports) {
	if (a[ROW_TS] != b[ROW_TS])
		return (int64_t)a[ROW_TS] < (int64_t)b[ROW_TS] ? -1 : 1;
	if (!ports)
		return 0;
	if (a[ROW_INSTANCE] != b[ROW_INSTANCE])
		return a[ROW_INSTANCE] < b[ROW_INSTANCE] ? -1 : 1;
	return (a[ROW_SEQ] > b[ROW_SEQ]) - (a[ROW_SEQ] < b[ROW_SEQ]);
}

static int compare(const void *a, const void *b, void *ports) {
	return rows_compare(a, b, *(const bool *)ports);
}

void rows_sort(struct rows *rows, bool ports) {
	for (size_t i = 1; i < rows->n; i++) {
		if (rows_compare(rows_at(rows, i - 1), rows_at(rows, i), ports) <= 0)
			continue;
		qsort_r(rows->values, rows->n, rows->width * sizeof(*rows->values), compare, &ports);
		return;
	}
}

size_t rows_find(const struct rows *rows, int64_t ts_ns) {
	size_t low = 0, high = rows->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (rows_ts(rows, middle) < ts_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
