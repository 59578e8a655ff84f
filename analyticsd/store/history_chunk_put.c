// Rows to chunks, in order and by sets of names.
// SPDX-License-Identifier: MIT
#include "history_chunk_put.h"

#include <errno.h>
#include <stdlib.h>

// ---- rows of several sets of names, in order

void entries_fini(struct entries *entries) {
	free(entries->list);
	for (size_t i = 0; i < entries->n_pools; i++)
		rows_fini(&entries->pools[i]);
}

static int add_entry(struct entries *entries, const uint64_t *row, size_t width, int64_t names_id,
                     bool is_new) {
	if (entries->n == entries->capacity) {
		size_t capacity = 2 * entries->capacity + 1024;
		void *moved = reallocarray(entries->list, capacity, sizeof(*entries->list));

		if (moved == NULL)
			return -ENOMEM;
		entries->list = moved;
		entries->capacity = capacity;
	}
	entries->list[entries->n++] = (struct entry){row, names_id, width, is_new};
	return 0;
}

int entries_add(struct entries *entries, const struct rows *rows, size_t from, size_t to, size_t width,
                int64_t names_id, bool is_new) {
	int rc = 0;

	for (size_t i = from; i < to && rc == 0; i++)
		rc = add_entry(entries, rows_at(rows, i), width, names_id, is_new);
	return rc;
}

int entries_add_chunk(struct history *history, int64_t series, const struct chunk_ref *ref,
                      struct entries *entries, struct status *status) {
	struct rows *pool = &entries->pools[entries->n_pools];
	int64_t names_id;
	int rc;

	if (entries->n_pools == sizeof(entries->pools) / sizeof(entries->pools[0]))
		return 1;
	rc = history_read_chunk(history, series, ref, pool, &names_id, status);
	if (rc == -EBADMSG)
		return 1;
	if (rc < 0)
		return rc;
	entries->n_pools++;
	return entries_add(entries, pool, 0, pool->n, pool->width, names_id, false);
}

static int compare_entries(const void *a, const void *b, void *ports) {
	const struct entry *left = a, *right = b;

	return rows_compare(left->row, right->row, *(const bool *)ports);
}

void entries_sort(struct entries *entries) {
	for (size_t i = 1; i < entries->n; i++) {
		if (rows_compare(entries->list[i - 1].row, entries->list[i].row, entries->ports) <= 0)
			continue;
		qsort_r(entries->list, entries->n, sizeof(*entries->list), compare_entries, &entries->ports);
		return;
	}
}

// ---- putting chunks

int history_put_chunk(struct history *history, int64_t series, enum history_level level, int64_t names_id,
                      const uint64_t *values, size_t n, size_t width, size_t stride, enum density density,
                      struct status *status) {
	const struct chunk_kind kind = {.series = series_kind(series), .level = level, .names_id = names_id};
	const uint64_t *last = values + (n - 1) * stride;
	struct chunk_ref ref = {
	        .from_ns = (int64_t)values[ROW_TS],
	        .to_ns = (int64_t)last[ROW_TS],
	        .n_rows = n,
	        .dense = level == LEVEL_RAW &&
	                 (density == DENSE || (density == BY_TIME && is_dense(values, last, n))),
	};
	const uint8_t *data;
	size_t size;

	if (chunk_write(&history->writer, &kind, values, n, width, stride, &data, &size) < 0)
		return -ENOMEM;
	history->sealed = true;
	return history->archive->ops->put(history->archive, series, level, &ref, data, size, status);
}

int history_put_entries(struct history *history, int64_t series, enum history_level level,
                        const struct entries *entries, enum density density, struct status *status) {
	size_t i = 0;
	int rc = 0;

	while (i < entries->n && rc == 0) {
		const struct entry *first = &entries->list[i];
		CLEANUP(rows_fini) struct rows rows = {.width = first->width};
		size_t end = i, most;

		while (end < entries->n && entries->list[end].names_id == first->names_id &&
		       entries->list[end].width == first->width)
			end++;
		most = end - i;
		if (most > CHUNK_ROWS) { // in parts of the same size
			size_t parts = (most + CHUNK_ROWS - 1) / CHUNK_ROWS;

			most = (most + parts - 1) / parts;
		}
		if (end > i + most)
			end = i + most;
		if (rows_reserve(&rows, end - i) < 0)
			return -ENOMEM;
		for (; i < end; i++)
			(void)rows_add(&rows, entries->list[i].row, 1);
		rc = history_put_chunk(history, series, level, first->names_id, rows.values, rows.n,
		                       rows.width, rows.width, density, status);
	}
	return rc;
}

int history_drop_chunk(struct history *history, const struct chunk_ref *ref, struct status *status) {
	if (history->loaded.chunk_id == ref->chunk_id)
		history->loaded.chunk_id = 0;
	history->sealed = true;
	return history->archive->ops->drop(history->archive, ref->chunk_id, status);
}
