// Gathering of rows by time and size: waking subscribers is what costs at a high rate, not the bytes.
// SPDX-License-Identifier: MIT
#include "batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool batch_excludes(const struct batch *batch, const struct batch_head *head, size_t width) {
	return batch->n_rows > 0 && (batch->width != width || batch->head.speed_mbps != head->speed_mbps ||
	                             batch->head.up != head->up || batch->head.epoch != head->epoch ||
	                             batch->head.columns != head->columns);
}

static int reserve(struct batch *batch, size_t n_values) {
	size_t capacity = batch->capacity > 0 ? batch->capacity : n_values;
	uint64_t *rows;

	while (capacity < n_values)
		capacity *= 2;
	if (capacity == batch->capacity)
		return 0;
	rows = reallocarray(batch->rows, capacity, sizeof(*rows));
	if (rows == NULL)
		return -ENOMEM;
	batch->rows = rows;
	batch->capacity = capacity;
	return 0;
}

int batch_add(struct batch *batch, const struct batch_head *head, const uint64_t *row, size_t width,
              int64_t now_ns) {
	int rc;

	if ((rc = reserve(batch, (batch->n_rows + 1) * width)) < 0)
		return rc;
	if (batch->n_rows == 0) {
		batch->head = *head;
		batch->head.columns = columns_share(head->columns);
		batch->width = width;
		batch->first_ns = now_ns;
	}
	memcpy(batch->rows + batch->n_rows * width, row, width * sizeof(*row));
	batch->n_rows++;
	return 0;
}

bool batch_is_due(const struct batch *batch, int64_t now_ns, int64_t interval_ns, int64_t patience_ns) {
	size_t row_size = batch->width * sizeof(*batch->rows);

	return batch->n_rows > 0 && (now_ns + interval_ns > batch->first_ns + patience_ns ||
	                             (batch->n_rows + 1) * row_size > BATCH_MAX_SIZE);
}

void batch_clear(struct batch *batch) {
	columns_free(batch->head.columns);
	batch->head.columns = NULL;
	batch->n_rows = 0;
}

void batch_fini(struct batch *batch) {
	batch_clear(batch);
	free(batch->rows);
	memset(batch, 0, sizeof(*batch));
}
