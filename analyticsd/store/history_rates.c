// Rates of raw rows: each to the row before it, over chunks, changes of names and the tail.
// SPDX-License-Identifier: MIT
#include "history_scan.h"

#include "rollup.h"

#include <errno.h>
#include <string.h>

// Sorted rows (one at least) with the same names become rows of one, with the rates to the row before each.
static int give_rates(struct scanner *scanner, const struct rows *rows, size_t width, int64_t names_id) {
	CLEANUP(rows_fini) struct rows steps = {.width = rollup_width(SERIES_PORT, width)}, renamed = {0};
	size_t places[scanner->n + 1], n = 0;
	const uint64_t *before;
	int rc, is_there;

	if ((is_there = scanner_find_places(scanner, LEVEL_SECOND, names_id, steps.width, places)) < 0)
		return is_there;
	if ((rc = scanner_make_batch(scanner, rows->n)) < 0 ||
	    (rc = history_row_before(scanner->history, scanner->scan->series, &scanner->before,
	                             scanner->before_names_id, rows_at(rows, 0), names_id, width, &renamed,
	                             &before, scanner->status)) < 0)
		return rc;
	for (size_t i = 0; i < rows->n && is_there > 0; i++) {
		steps.n = 0;
		if ((rc = rollup_rows(SERIES_PORT, 1, before, rows_at(rows, i), 1, width, rows->width,
		                      &steps)) < 0)
			return rc;
		before = rows_at(rows, i);
		if (rows_ts(rows, i) < scanner->scan->from_ns || rows_ts(rows, i) >= scanner->scan->to_ns)
			continue;
		scanner_column(scanner, 0)[n] = steps.values[STEP_TS];
		scanner_column(scanner, 1)[n] = 1;
		for (size_t k = 0; k < scanner->n; k++)
			scanner_column(scanner, 2 + k)[n] = steps.values[places[k]];
		n++;
	}
	scanner->before.n = 0;
	if (scanner->before.width != width) {
		rows_fini(&scanner->before);
		scanner->before.width = width;
	}
	scanner->before_names_id = names_id;
	if (rows_add(&scanner->before, rows_at(rows, rows->n - 1), 1) < 0)
		return -ENOMEM;
	return scanner_give(scanner, 0, n, true);
}

struct run {
	const struct rows *rows;
	size_t next, end, width;
	int64_t names_id;
};

static int64_t next_ts(const struct run *run) {
	return run->next < run->end ? rows_ts(run->rows, run->next) : INT64_MAX;
}

// The rows of a run before a time.
static int give_run(struct scanner *scanner, struct run *run, int64_t before_ns) {
	struct rows part = {.values = rows_at(run->rows, run->next), .width = run->rows->width};

	while (run->next + part.n < run->end && rows_ts(run->rows, run->next + part.n) < before_ns)
		part.n++;
	run->next += part.n;
	return part.n > 0 ? give_rates(scanner, &part, run->width, run->names_id) : 0;
}

// Rows of two sets of names, in turns.
static int give_runs(struct scanner *scanner, struct run *a, struct run *b) {
	int rc = 0;

	while (rc == 0 && (a->next < a->end || b->next < b->end)) {
		struct run *first = next_ts(a) <= next_ts(b) ? a : b, *second = first == a ? b : a;

		// a row at the same time as the other's next one goes first
		rc = give_run(scanner, first, next_ts(second) < INT64_MAX ? next_ts(second) + 1 : INT64_MAX);
	}
	return rc;
}

// Open rows that belong among those of a chunk.
static int give_joined(struct scanner *scanner, struct run *chunk, struct run *open) {
	CLEANUP(rows_fini) struct rows all = {.width = open->rows->width};
	struct run joined = {.rows = &all, .width = chunk->width, .names_id = chunk->names_id};

	if (rows_reserve(&all, chunk->end + open->end - open->next) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < chunk->end; i++)
		memcpy(rows_at(&all, all.n++), rows_at(chunk->rows, i), chunk->width * sizeof(uint64_t));
	if (rows_add(&all, rows_at(open->rows, open->next), open->end - open->next) < 0)
		return -ENOMEM;
	rows_sort(&all, true);
	joined.end = all.n;
	open->next = open->end;
	return give_run(scanner, &joined, INT64_MAX);
}

static int scan_rates_of(struct scanner *scanner, const struct chunk_ref *ref, struct run *open) {
	CLEANUP(rows_fini) struct rows rows = {0};
	struct run chunk = {.rows = &rows};
	int rc;

	rc = history_read_chunk(scanner->history, scanner->scan->series, ref, &rows, &chunk.names_id,
	                        scanner->status);
	if (rc < 0)
		return rc == -EBADMSG ? 0 : rc;
	chunk.end = rows.n;
	chunk.width = rows.width;
	open->end = open->next;
	while (open->end < open->rows->n && rows_ts(open->rows, open->end) <= ref->to_ns)
		open->end++;
	if (open->end > open->next && open->names_id == chunk.names_id && open->width == chunk.width)
		return give_joined(scanner, &chunk, open);
	return give_runs(scanner, &chunk, open);
}

static int give_chunks(struct scanner *scanner, const struct chunk_list *list,
                       const struct open_series *open) {
	CLEANUP(rows_fini) struct rows sorted = {.width = 1};
	struct run rest = {.rows = &sorted};
	int rc = 0;

	if (open != NULL) {
		sorted.width = open->rows.width;
		rest.width = open_width(open);
		rest.names_id = open->names_id;
		if (rows_add(&sorted, open->rows.values, open->rows.n) < 0)
			return -ENOMEM;
		rows_sort(&sorted, true);
	}
	for (size_t i = 0; i < list->n && rc == 0; i++)
		rc = scan_rates_of(scanner, &list->refs[i], &rest);
	rest.end = sorted.n;
	return rc == 0 ? give_run(scanner, &rest, INT64_MAX) : rc;
}

// Remembers the last raw row before a chunk that is scanned for rates by itself.
static int remember_before(struct scanner *scanner, const struct chunk_ref *ref) {
	CLEANUP(chunk_list_fini) struct chunk_list list = {0};
	CLEANUP(rows_fini) struct rows rows = {0};
	struct archive *archive = scanner->history->archive;
	int rc;

	scanner->before.n = 0;
	if ((rc = archive->ops->before(archive, scanner->scan->series, LEVEL_RAW, ref->from_ns, 1, &list,
	                               scanner->status)) < 0 ||
	    list.n == 0)
		return rc;
	rc = history_read_chunk(scanner->history, scanner->scan->series, &list.refs[0], &rows,
	                        &scanner->before_names_id, scanner->status);
	if (rc < 0)
		return rc == -EBADMSG ? 0 : rc;
	rows_fini(&scanner->before);
	scanner->before.width = rows.width;
	return rows_add(&scanner->before, rows_at(&rows, rows.n - 1), 1);
}

int scanner_rates(struct scanner *scanner, const struct open_series *open) {
	CLEANUP(chunk_list_fini) struct chunk_list list = {0};
	const struct scan *scan = scanner->scan;
	struct archive *archive = scanner->history->archive;
	int rc;

	if ((rc = archive->ops->before(archive, scan->series, LEVEL_RAW, scan->from_ns, 1, &list,
	                               scanner->status)) < 0 ||
	    (rc = archive->ops->find(archive, scan->series, LEVEL_RAW, scan->from_ns, scan->to_ns, SIZE_MAX,
	                             &list, scanner->status)) < 0)
		return rc;
	return give_chunks(scanner, &list, open);
}

int scanner_rates_of_chunk(struct scanner *scanner, const struct chunk_ref *ref) {
	struct chunk_ref own = *ref;
	int rc = remember_before(scanner, ref);

	return rc < 0 ? rc : give_chunks(scanner, &(struct chunk_list){.refs = &own, .n = 1}, NULL);
}
