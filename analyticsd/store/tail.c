// Open rows: added, taken away, and given back their state after a rollback.
// SPDX-License-Identifier: MIT
#include "tail.h"

#include <errno.h>
#include <string.h>

#define KEEP_EMPTY 64 // rows of memory that a sealed series keeps

static void free_open(struct open_series *open) {
	rows_fini(&open->rows);
	rows_fini(&open->sealed_row);
	free(open);
}

void tail_fini(struct tail *tail) {
	for (size_t i = 0; i < tail->n_series; i++) {
		if (tail->series[i] != NULL)
			free_open(tail->series[i]);
	}
	free(tail->series);
	free(tail->touched);
	*tail = (struct tail){0};
}

struct open_series *tail_find(const struct tail *tail, int64_t series) {
	return (size_t)series < tail->n_series ? tail->series[series] : NULL;
}

static int make_place(struct tail *tail, size_t series) {
	size_t n = series + series / 2 + 64;
	struct open_series **moved;

	if (series < tail->n_series)
		return 0;
	moved = reallocarray(tail->series, n, sizeof(struct open_series *));
	if (moved == NULL)
		return -ENOMEM;
	memset(moved + tail->n_series, 0, (n - tail->n_series) * sizeof(struct open_series *));
	tail->series = moved;
	tail->n_series = n;
	return 0;
}

struct open_series *tail_get(struct tail *tail, int64_t series) {
	struct open_series *open = tail_find(tail, series);

	if (open != NULL || series < 0 || make_place(tail, (size_t)series) < 0)
		return open;
	open = calloc(1, sizeof(*open));
	if (open == NULL)
		return NULL;
	open->series = series;
	open->newest_ns = open->sealed_ns = INT64_MIN;
	open->in_order = true;
	tail->series[series] = open;
	return open;
}

static int touch(struct tail *tail, struct open_series *open) {
	struct open_series **moved;

	if (open->touched)
		return 0;
	if (tail->n_touched == tail->touched_capacity) {
		size_t capacity = 2 * tail->touched_capacity + 64;

		moved = reallocarray(tail->touched, capacity, sizeof(struct open_series *));
		if (moved == NULL)
			return -ENOMEM;
		tail->touched = moved;
		tail->touched_capacity = capacity;
	}
	tail->touched[tail->n_touched++] = open;
	open->touched = true;
	return 0;
}

// Adds a row of a commit.
static int add(struct tail *tail, struct open_series *open, size_t width, const uint64_t *row, int64_t id) {
	uint64_t *place;

	if (open->rows.n == 0 && open->rows.width != width + 1) {
		rows_fini(&open->rows);
		open->rows.width = width + 1;
	}
	if (rows_reserve(&open->rows, 1) < 0)
		return -ENOMEM;
	place = rows_at(&open->rows, open->rows.n);
	memcpy(place, row, width * sizeof(*row));
	place[width] = (uint64_t)id;
	if ((int64_t)row[ROW_TS] > open->newest_ns)
		open->newest_ns = (int64_t)row[ROW_TS];
	else if (open->rows.n > 0)
		open->in_order = false;
	tail->n_waiting += open->rows.n == 0;
	tail->size += (width + 1) * sizeof(*row);
	open->rows.n++;
	return 0;
}

int tail_add(struct tail *tail, struct open_series *open, size_t width, const uint64_t *row) {
	if (touch(tail, open) < 0)
		return -ENOMEM;
	return add(tail, open, width, row, tail->id);
}

int tail_restore(struct tail *tail, struct open_series *open, size_t width, const uint64_t *row, int64_t id) {
	int rc = id > open->sealed_id ? add(tail, open, width, row, id) : 0;

	open->n_committed = open->rows.n;
	return rc;
}

static void renew(struct open_series *open) {
	open->newest_ns = INT64_MIN;
	open->in_order = true;
	for (size_t i = 0; i < open->rows.n; i++) {
		int64_t ts_ns = rows_ts(&open->rows, i);

		if (ts_ns > open->newest_ns)
			open->newest_ns = ts_ns;
		else
			open->in_order = false;
	}
	if (open->rows.n == 0)
		open->opened_ns = 0;
}

static void note_less(struct tail *tail, const struct open_series *open, size_t before) {
	tail->size -= (before - open->rows.n) * open->rows.width * sizeof(uint64_t);
	tail->n_waiting -= before > 0 && open->rows.n == 0;
}

void tail_clear(struct tail *tail, struct open_series *open) {
	size_t before = open->rows.n;

	open->rows.n = open->n_committed = 0;
	note_less(tail, open, before);
	if (open->rows.capacity > KEEP_EMPTY && open->rows.capacity > 2 * before)
		rows_fini(&open->rows);
	renew(open);
}

bool tail_remove(struct tail *tail, struct open_series *open, size_t from,
                 bool (*is_to_go)(const void *context, const uint64_t *row), const void *context) {
	size_t before = open->rows.n, committed = open->n_committed, n = from;

	for (size_t i = from; i < before; i++) {
		if (is_to_go(context, rows_at(&open->rows, i))) {
			open->n_committed -= i < committed;
			continue;
		}
		if (n < i)
			memcpy(rows_at(&open->rows, n), rows_at(&open->rows, i),
			       open->rows.width * sizeof(uint64_t));
		n++;
	}
	if (n == before)
		return false;
	open->rows.n = n;
	note_less(tail, open, before);
	renew(open);
	return open->n_committed < committed;
}

void tail_commit(struct tail *tail) {
	for (size_t i = 0; i < tail->n_touched; i++) {
		tail->touched[i]->n_committed = tail->touched[i]->rows.n;
		tail->touched[i]->touched = false;
	}
	tail->n_touched = 0;
	tail->id++;
}

void tail_rollback(struct tail *tail) {
	for (size_t i = 0; i < tail->n_touched; i++) {
		struct open_series *open = tail->touched[i];
		size_t before = open->rows.n;

		open->rows.n = open->n_committed;
		open->touched = false;
		note_less(tail, open, before);
		renew(open);
	}
	tail->n_touched = 0;
}

void tail_trim_series(struct tail *tail, struct open_series *open, int64_t id) {
	size_t before = open->rows.n, n = 0;

	while (n < open->rows.n && open_commit(open, n) < id)
		n++;
	if (n == 0)
		return;
	rows_drop(&open->rows, n);
	open->n_committed -= n < open->n_committed ? n : open->n_committed;
	note_less(tail, open, before);
	renew(open);
}

void tail_trim(struct tail *tail, int64_t id) {
	for (size_t s = 0; s < tail->n_series; s++) {
		if (tail->series[s] != NULL)
			tail_trim_series(tail, tail->series[s], id);
	}
}

int64_t tail_first(const struct tail *tail) {
	int64_t first = INT64_MAX;

	for (size_t s = 0; s < tail->n_series; s++) {
		const struct open_series *open = tail->series[s];

		if (open != NULL && open->n_committed > 0 && open_commit(open, 0) < first)
			first = open_commit(open, 0);
	}
	return first;
}
