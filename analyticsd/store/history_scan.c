// Reading a series: only the columns that are wanted, of the chunks that are in the range, with the open rows where they
// belong. What is damaged is said and left out.
// SPDX-License-Identifier: MIT
#include "history_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// ---- columns

static void scanner_fini(struct scanner *scanner) {
	chunk_bytes_fini(&scanner->head_bytes);
	chunk_bytes_fini(&scanner->bytes);
	free(scanner->values);
	free(scanner->columns);
	rows_fini(&scanner->late);
	rows_fini(&scanner->before);
}

int scanner_make_batch(struct scanner *scanner, size_t n) {
	uint64_t *moved;

	if (n <= scanner->values_rows)
		return 0;
	n += n / 4;
	moved = reallocarray(NULL, n * (scanner->n + 2), sizeof(*moved));
	if (moved == NULL)
		return -ENOMEM;
	free(scanner->values);
	scanner->values = moved;
	scanner->values_rows = n;
	return 0;
}

int scanner_find_places(struct scanner *scanner, enum history_level level, int64_t names_id, size_t width,
                        size_t *places) {
	const struct scan *scan = scanner->scan;
	const struct name_set *set = NULL;
	int rc, index;

	if (series_kind(scan->series) == SERIES_LINK) {
		places[0] = level == LEVEL_RAW            ? POINT_VALUE
		            : scan->value == SCAN_LAST    ? POINT_STEP_LAST
		            : scan->value == SCAN_HIGHEST ? POINT_STEP_MAX
		                                          : POINT_STEP_SUM;
		return 1;
	}
	for (size_t i = 0; i < scan->n_places; i++)
		places[i] = scan->places[i];
	if (scan->n_counters > 0 &&
	    (rc = history_names(scanner->history, names_id, &set, scanner->status)) < 0)
		return rc;
	for (size_t i = 0; i < scan->n_counters; i++) {
		if ((index = history_find_name(set, scan->counters[i])) < 0)
			return 0;
		places[scan->n_places + i] =
		        level == LEVEL_RAW ? ROW_COUNTERS + (size_t)index
		                           : STEP_VALUES + 2 * (size_t)index + (scan->value == SCAN_HIGHEST);
	}
	for (size_t i = 0; i < scanner->n; i++) {
		if (places[i] >= width)
			return 0;
	}
	return 1;
}

// What is packed in a column.
static int read_packed(struct scanner *scanner, const struct chunk_ref *ref, const struct chunk_head *head,
                       size_t place, uint64_t *ret) {
	size_t offset, size;
	int rc;

	chunk_column_place(head, place, &offset, &size);
	if (offset + size <= scanner->head_bytes.size) // it came with the head
		rc = chunk_read_column(head, place, scanner->head_bytes.data + offset, size, ret);
	else if ((rc = history_read_part(scanner->history, scanner->scan->series, ref, offset, size,
	                                 &scanner->bytes, scanner->status)) < 0)
		return rc;
	else
		rc = chunk_read_column(head, place, scanner->bytes.data, scanner->bytes.size, ret);
	return rc < 0 ? history_chunk_damaged(scanner->history, scanner->scan->series, ref,
	                                      "a column is not what was written")
	              : 0;
}

static int read_column(struct scanner *scanner, const struct chunk_ref *ref, const struct chunk_head *head,
                       size_t place, uint64_t *ret) {
	CLEANUP(freep) uint64_t *added = NULL;
	size_t other;
	int rc;

	if ((rc = read_packed(scanner, ref, head, place, ret)) < 0 ||
	    !chunk_has_reference(head, place, &other))
		return rc;
	added = reallocarray(NULL, head->n_rows, sizeof(*added));
	if (added == NULL)
		return -ENOMEM;
	if ((rc = read_packed(scanner, ref, head, other, added)) < 0)
		return rc;
	for (size_t i = 0; i < head->n_rows; i++)
		ret[i] += added[i];
	return 0;
}

// ---- batches

int scanner_give(struct scanner *scanner, size_t from, size_t to, bool steps) {
	struct batch batch = {.n = to - from, .columns = scanner->columns, .n_after = scanner->n_after};

	if (from >= to)
		return 0;
	batch.ts = scanner_column(scanner, 0) + from;
	batch.rows = steps ? scanner_column(scanner, 1) + from : NULL;
	for (size_t k = 0; k < scanner->n; k++)
		scanner->columns[k] = scanner_column(scanner, 2 + k) + from;
	return scanner->scan->each(scanner->scan->context, &batch);
}

static void put_late(struct scanner *scanner, size_t at, const uint64_t *row) {
	scanner_column(scanner, 0)[at] = row[0];
	scanner_column(scanner, 1)[at] = 1;
	for (size_t k = 0; k < scanner->n; k++)
		scanner_column(scanner, 2 + k)[at] = row[1 + k];
}

// Late rows up to a time, before what comes next.
static int give_late(struct scanner *scanner, int64_t before_ns) {
	size_t end = scanner->next_late, n;
	int rc;

	while (end < scanner->late.n && rows_ts(&scanner->late, end) < before_ns)
		end++;
	n = end - scanner->next_late;
	if (n == 0)
		return 0;
	if ((rc = scanner_make_batch(scanner, n)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		put_late(scanner, i, rows_at(&scanner->late, scanner->next_late + i));
	scanner->next_late = end;
	return scanner_give(scanner, 0, n, true);
}

// The batch is full of 'n' rows; late rows that belong between them are put there, from behind.
static int give_merged(struct scanner *scanner, size_t from, size_t to, bool steps) {
	const int64_t *ts = (const int64_t *)scanner_column(scanner, 0);
	size_t end = scanner->next_late, n = to - from, late;

	while (end < scanner->late.n && rows_ts(&scanner->late, end) <= ts[to - 1])
		end++;
	late = end - scanner->next_late;
	if (late == 0)
		return scanner_give(scanner, from, to, steps);
	CLEANUP(freep) uint64_t *old = scanner->values;
	size_t old_rows = scanner->values_rows, i = n, l = late;

	scanner->values = NULL;
	scanner->values_rows = 0;
	if (scanner_make_batch(scanner, n + late) < 0)
		return -ENOMEM;
	for (size_t at = n + late; at-- > 0;) {
		const uint64_t *row = l > 0 ? rows_at(&scanner->late, scanner->next_late + l - 1) : NULL;

		if (row != NULL && (i == 0 || (int64_t)row[0] >= (int64_t)old[from + i - 1])) {
			put_late(scanner, at, row);
			l--;
			continue;
		}
		i--;
		for (size_t k = 0; k < scanner->n + 2; k++)
			scanner_column(scanner, k)[at] = k == 1 && !steps ? 1 : old[k * old_rows + from + i];
	}
	scanner->next_late = end;
	return scanner_give(scanner, 0, n + late, true);
}

static size_t find_time(const uint64_t *ts, size_t n, int64_t ts_ns) {
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((int64_t)ts[middle] < ts_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int scan_chunk(struct scanner *scanner, enum history_level level, const struct chunk_ref *ref) {
	const struct scan *scan = scanner->scan;
	size_t places[scanner->n + 1], from, to;
	struct chunk_head head;
	int rc;

	if ((rc = history_read_head(scanner->history, scan->series, ref, &scanner->head_bytes, &head,
	                            scanner->status)) < 0 ||
	    (rc = scanner_find_places(scanner, level, head.kind.names_id, head.n_columns, places)) <= 0 ||
	    (rc = scanner_make_batch(scanner, head.n_rows)) < 0 ||
	    (rc = read_column(scanner, ref, &head, ROW_TS, scanner_column(scanner, 0))) < 0)
		return rc;
	from = find_time(scanner_column(scanner, 0), head.n_rows, scanner->from_ns);
	to = find_time(scanner_column(scanner, 0), head.n_rows, scanner->to_ns);
	if (from >= to)
		return 0;
	if (level != LEVEL_RAW &&
	    (rc = read_column(scanner, ref, &head, STEP_ROWS, scanner_column(scanner, 1))) < 0)
		return rc;
	for (size_t k = 0; k < scanner->n; k++) {
		if ((rc = read_column(scanner, ref, &head, places[k], scanner_column(scanner, 2 + k))) < 0)
			return rc;
	}
	if (scanner->next_late < scanner->late.n)
		return give_merged(scanner, from, to, level != LEVEL_RAW);
	return scanner_give(scanner, from, to, level != LEVEL_RAW);
}

// ---- a scan

static int collect_late(struct scanner *scanner, const struct open_series *open) {
	const struct scan *scan = scanner->scan;
	size_t places[scanner->n + 1];
	int rc;

	memset(places, 0, sizeof(places));
	if ((rc = scanner_find_places(scanner, LEVEL_RAW, open->names_id, open_width(open), places)) <= 0)
		return rc;
	scanner->late.width = 1 + scanner->n;
	for (size_t i = open->in_order ? rows_find(&open->rows, scan->from_ns) : 0; i < open->rows.n; i++) {
		const uint64_t *row = rows_at(&open->rows, i);
		uint64_t *late;

		if (open->in_order && (int64_t)row[ROW_TS] >= scan->to_ns)
			break;
		if ((int64_t)row[ROW_TS] < scan->from_ns || (int64_t)row[ROW_TS] >= scan->to_ns)
			continue;
		if (rows_reserve(&scanner->late, 1) < 0)
			return -ENOMEM;
		late = rows_at(&scanner->late, scanner->late.n++);
		late[0] = row[ROW_TS];
		for (size_t k = 0; k < scanner->n; k++)
			late[1 + k] = row[places[k]];
	}
	if (!open->in_order)
		rows_sort(&scanner->late, false);
	return 0;
}

// What the index says, which may be damaged.
static size_t rows_of(const struct chunk_ref *ref) {
	return ref->n_rows < CHUNK_ROWS_MAX ? ref->n_rows : 0;
}

// Chunks of one level, in a part of the range.
static int scan_level(struct scanner *scanner, enum history_level level, int64_t from_ns, int64_t to_ns) {
	CLEANUP(chunk_list_fini) struct chunk_list list = {0};
	struct archive *archive = scanner->history->archive;
	int rc;

	if (from_ns >= to_ns)
		return 0;
	scanner->from_ns = from_ns;
	scanner->to_ns = to_ns;
	if ((rc = archive->ops->find(archive, scanner->scan->series, level, from_ns, to_ns, SIZE_MAX, &list,
	                             scanner->status)) < 0)
		return rc;
	scanner->n_after = 0;
	for (size_t i = 0; i < list.n; i++)
		scanner->n_after += rows_of(&list.refs[i]);
	for (size_t i = 0; i < list.n; i++) {
		if ((rc = give_late(scanner, list.refs[i].from_ns)) != 0)
			return rc;
		scanner->n_after -= rows_of(&list.refs[i]);
		rc = scan_chunk(scanner, level, &list.refs[i]);
		if (rc != 0 && rc != -EBADMSG)
			return rc;
	}
	return 0;
}

// A raw chunk that was not rolled up to seconds is as good as these.
static int scan_sparse(struct scanner *scanner, const struct chunk_ref *ref) {
	const struct scan *scan = scanner->scan;
	int rc;

	scanner->from_ns = scan->from_ns;
	scanner->to_ns = scan->to_ns;
	if ((rc = give_late(scanner, ref->from_ns)) != 0)
		return rc;
	if (scan->value != SCAN_HIGHEST || series_kind(scan->series) != SERIES_PORT)
		rc = scan_chunk(scanner, LEVEL_RAW, ref);
	else
		rc = scanner_rates_of_chunk(scanner, ref);
	return rc == -EBADMSG ? 0 : rc;
}

static int scan_seconds(struct scanner *scanner) {
	CLEANUP(chunk_list_fini) struct chunk_list raw = {0};
	const struct scan *scan = scanner->scan;
	struct archive *archive = scanner->history->archive;
	int64_t at_ns = scan->from_ns;
	int rc;

	if ((rc = archive->ops->find(archive, scan->series, LEVEL_RAW, scan->from_ns, scan->to_ns, SIZE_MAX,
	                             &raw, scanner->status)) < 0)
		return rc;
	for (size_t i = 0; i < raw.n; i++) {
		if (raw.refs[i].dense)
			continue;
		if ((rc = scan_level(scanner, LEVEL_SECOND, at_ns, raw.refs[i].from_ns)) != 0 ||
		    (rc = scan_sparse(scanner, &raw.refs[i])) != 0)
			return rc;
		at_ns = raw.refs[i].to_ns + 1;
	}
	return scan_level(scanner, LEVEL_SECOND, at_ns, scan->to_ns);
}

int history_scan(struct history *history, const struct scan *scan, struct status *status) {
	CLEANUP(scanner_fini) struct scanner scanner = {.history = history, .scan = scan, .status = status};
	bool ports = series_kind(scan->series) == SERIES_PORT;
	struct open_series *open;
	int rc;

	if (scan->from_ns >= scan->to_ns)
		return 0;
	scanner.n = ports ? scan->n_places + scan->n_counters : 1;
	scanner.columns = calloc(scanner.n + 1, sizeof(*scanner.columns));
	if (scanner.columns == NULL)
		return -ENOMEM;
	if ((rc = history_open_rows(history, scan->series, &open, status)) < 0)
		return rc;
	if (ports && scan->level == LEVEL_RAW && scan->value == SCAN_HIGHEST)
		return scanner_rates(&scanner, open);
	if (open != NULL && (rc = collect_late(&scanner, open)) < 0)
		return rc;
	if (scan->level == LEVEL_SECOND)
		rc = scan_seconds(&scanner);
	else
		rc = scan_level(&scanner, scan->level, scan->from_ns, scan->to_ns);
	return rc == 0 ? give_late(&scanner, INT64_MAX) : rc;
}
