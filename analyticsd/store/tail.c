// Open rows, and their blobs: for each set of names one chunk of the rows of all its series.
// SPDX-License-Identifier: MIT
#include "tail.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define SIZE_SIZE  4
#define LONG_RUN   4  // rows of one series that follow each other, on average, to be packed by difference
#define KEEP_EMPTY 64 // rows of memory that a sealed series keeps
#define SERIES_MAX (1 << 24) // a number beyond is damage

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

void tail_remove(struct tail *tail, struct open_series *open, size_t i) {
	size_t before = open->rows.n;

	open->rows.n--;
	memmove(rows_at(&open->rows, i), rows_at(&open->rows, i + 1),
	        (open->rows.n - i) * open->rows.width * sizeof(uint64_t));
	open->n_committed -= i < open->n_committed;
	note_less(tail, open, before);
	renew(open);
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

// ---- blobs

static bool is_alike(const struct open_series *a, const struct open_series *b) {
	return series_kind(a->series) == series_kind(b->series) && a->names_id == b->names_id &&
	       a->rows.width == b->rows.width;
}

// New rows of all series that are like 'first', with the series in place of the commit.
static int gather(const struct tail *tail, size_t first, bool *done, struct rows *ret, size_t *ret_n_series) {
	*ret_n_series = 0;
	for (size_t i = first; i < tail->n_touched; i++) {
		const struct open_series *open = tail->touched[i];
		size_t n = open->rows.n - open->n_committed, at = ret->n;

		if (done[i] || !is_alike(open, tail->touched[first]))
			continue;
		done[i] = true;
		if (n == 0)
			continue;
		++*ret_n_series;
		if (rows_add(ret, rows_at(&open->rows, open->n_committed), n) < 0)
			return -ENOMEM;
		for (; at < ret->n; at++)
			rows_at(ret, at)[ret->width - 1] = (uint64_t)open->series;
	}
	return 0;
}

static int append(struct bytes *bytes, const uint8_t *data, size_t size) {
	uint8_t *moved = realloc(bytes->data, bytes->size + SIZE_SIZE + size);

	if (moved == NULL)
		return -ENOMEM;
	memcpy(moved + bytes->size, &(uint32_t){htole32((uint32_t)size)}, SIZE_SIZE);
	memcpy(moved + bytes->size + SIZE_SIZE, data, size);
	bytes->data = moved;
	bytes->size += SIZE_SIZE + size;
	return 0;
}

static int write_alike(const struct tail *tail, size_t first, bool *done, struct chunk_writer *writer,
                       struct bytes *ret) {
	const struct open_series *open = tail->touched[first];
	CLEANUP(rows_fini) struct rows rows = {.width = open->rows.width};
	struct chunk_kind kind = {
	        .series = series_kind(open->series), .level = LEVEL_RAW, .names_id = open->names_id};
	const uint8_t *chunk;
	size_t size, n_series;

	if (gather(tail, first, done, &rows, &n_series) < 0)
		return -ENOMEM;
	if (rows.n == 0)
		return 0;
	kind.mixed = rows.n < LONG_RUN * n_series;
	for (size_t i = 0; i < rows.n; i += CHUNK_ROWS_MAX) {
		size_t some = rows.n - i < CHUNK_ROWS_MAX ? rows.n - i : CHUNK_ROWS_MAX;

		if (chunk_write(writer, &kind, rows_at(&rows, i), some, rows.width, rows.width, &chunk,
		                &size) < 0 ||
		    append(ret, chunk, size) < 0)
			return -ENOMEM;
	}
	return 0;
}

int tail_write(struct tail *tail, struct chunk_writer *writer, struct bytes *ret) {
	CLEANUP(freep) bool *done = calloc(tail->n_touched + 1, sizeof(*done));
	CLEANUP(bytes_fini) struct bytes bytes = {0};

	if (done == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < tail->n_touched; i++) {
		if (!done[i] && write_alike(tail, i, done, writer, &bytes) < 0)
			return -ENOMEM;
	}
	*ret = bytes;
	bytes.data = NULL;
	return 0;
}

static int add_chunk(struct tail *tail, int64_t id, const struct chunk_head *head, const uint8_t *bytes,
                     size_t size) {
	CLEANUP(rows_fini) struct rows rows = {.width = head->n_columns};
	size_t width = rows.width - 1;
	int rc;

	if ((rc = chunk_read_rows(head, bytes, size, &rows)) < 0)
		return rc;
	for (size_t i = 0; i < rows.n; i++) {
		uint64_t *row = rows_at(&rows, i);
		struct open_series *open;

		if (row[width] > SERIES_MAX)
			return -EBADMSG;
		open = tail_get(tail, (int64_t)row[width]);
		if (open == NULL)
			return -ENOMEM;
		// other names come only when the rows before were sealed
		if (open->rows.n > 0 && (open->names_id != head->kind.names_id || open_width(open) != width))
			tail_clear(tail, open);
		open->names_id = head->kind.names_id;
		if (add(tail, open, width, row, id) < 0)
			return -ENOMEM;
		open->n_committed = open->rows.n;
	}
	return 0;
}

int tail_read(struct tail *tail, int64_t id, const uint8_t *bytes, size_t size) {
	struct chunk_head head;
	uint32_t chunk_size;
	int rc, damage = 0;

	while (size >= SIZE_SIZE) {
		memcpy(&chunk_size, bytes, SIZE_SIZE);
		chunk_size = le32toh(chunk_size);
		bytes += SIZE_SIZE;
		size -= SIZE_SIZE;
		if (chunk_size > size)
			return -EBADMSG;
		rc = chunk_read_head(bytes, chunk_size, &head);
		rc = rc != 0 ? -EBADMSG : add_chunk(tail, id, &head, bytes, chunk_size);
		if (rc == -ENOMEM)
			return rc;
		damage = rc < 0 ? rc : damage;
		bytes += chunk_size;
		size -= chunk_size;
	}
	return size > 0 ? -EBADMSG : damage;
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
