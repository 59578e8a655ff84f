// Sealing. Rows that follow what is sealed make chunks and, at each level above, a few steps. Rows that came late are
// merged into the chunks they belong to, and the levels are made anew around them. Small chunks at the end of a
// series (a slow one, or a level's steps of ten minutes) are joined when there are some.
// SPDX-License-Identifier: MIT
#include "history_chunk_put.h"

#include "rollup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD_NS  (600 * NS_PER_SECOND) // of time that rows of one series wait
#define GROUP_BITS 5                     // 32 groups of series in a period
#define SMALL_ROWS 512                   // a chunk with fewer is small
#define SMALL_MANY 16                    // so many at the end are joined
#define SEALS_MOST 32                    // of one commit, unless memory is short

// Joins the small chunks at the end.
static int join_small(struct history *history, struct open_series *open, enum history_level level,
                      struct status *status) {
	CLEANUP(chunk_list_fini) struct chunk_list list = {0};
	CLEANUP(entries_fini) struct entries entries = {.ports = false};
	enum series_kind kind = series_kind(open->series);
	size_t n = 0, total = 0;
	int rc;

	open->small[level] = 0;
	if ((rc = history->archive->ops->before(history->archive, open->series, level, INT64_MAX,
	                                        4 * SMALL_MANY, &list, status)) < 0)
		return rc;
	while (n < list.n && list.refs[n].n_rows < SMALL_ROWS && !list.refs[n].dense &&
	       total + list.refs[n].n_rows <= CHUNK_ROWS)
		total += list.refs[n++].n_rows;
	if (n < 2)
		return 0;
	for (size_t i = n; i-- > 0;) {
		if ((rc = entries_add_chunk(history, open->series, &list.refs[i], &entries, status)) != 0)
			return rc < 0 ? rc : 0; // a damaged one: they stay as they are
	}
	entries_sort(&entries);
	if (level != LEVEL_RAW) { // parts of one step come together
		size_t kept = 0;

		for (size_t i = 0; i < entries.n; i++) {
			struct entry *last = kept > 0 ? &entries.list[kept - 1] : NULL;
			const struct entry *entry = &entries.list[i];
			int64_t step_ns = history_levels[level].step_ns;

			if (last != NULL && last->names_id == entry->names_id &&
			    last->width == entry->width &&
			    step_start((int64_t)last->row[STEP_TS], step_ns) ==
			            step_start((int64_t)entry->row[STEP_TS], step_ns))
				// the pools are ours
				rollup_merge(kind, entry->width, (uint64_t *)last->row, entry->row);
			else
				entries.list[kept++] = *entry;
		}
		entries.n = kept;
	}
	for (size_t i = 0; i < n; i++) {
		if ((rc = history_drop_chunk(history, &list.refs[i], status)) < 0)
			return rc;
	}
	open->small[level] = entries.n < SMALL_ROWS;
	return history_put_entries(history, open->series, level, &entries, SPARSE, status);
}

static int note_small(struct history *history, struct open_series *open, enum history_level level, size_t n,
                      struct status *status) {
	if (n >= SMALL_ROWS) {
		open->small[level] = 0;
		return 0;
	}
	return ++open->small[level] >= SMALL_MANY ? join_small(history, open, level, status) : 0;
}

// ---- rows that follow

int history_know_sealed(struct history *history, struct open_series *open, struct status *status) {
	CLEANUP(chunk_list_fini) struct chunk_list list = {0};
	CLEANUP(rows_fini) struct rows rows = {0};
	int rc;

	if (open->sealed_known)
		return 0;
	if ((rc = history->archive->ops->before(history->archive, open->series, LEVEL_RAW, INT64_MAX, 1,
	                                        &list, status)) < 0)
		return rc;
	open->sealed_ns = INT64_MIN;
	open->sealed_row.n = 0;
	if (list.n > 0) {
		open->sealed_ns = list.refs[0].to_ns;
		rc = history_read_chunk(history, open->series, &list.refs[0], &rows, &open->sealed_names_id,
		                        status);
		if (rc < 0 && rc != -EBADMSG)
			return rc;
		if (rc == 0) {
			rows_fini(&open->sealed_row);
			open->sealed_row.width = rows.width;
			if (rows_add(&open->sealed_row, rows_at(&rows, rows.n - 1), 1) < 0)
				return -ENOMEM;
		}
	}
	open->sealed_known = true;
	return 0;
}

static int remember_last(struct open_series *open, int64_t names_id, const uint64_t *row, size_t width) {
	if (open->sealed_row.width != width) {
		rows_fini(&open->sealed_row);
		open->sealed_row.width = width;
	}
	open->sealed_row.n = 0;
	open->sealed_names_id = names_id;
	open->sealed_ns = (int64_t)row[ROW_TS];
	return rows_add(&open->sealed_row, row, 1);
}

static int put_steps(struct history *history, struct open_series *open, enum history_level level,
                     int64_t names_id, const struct rows *steps, struct status *status) {
	int rc = 0;

	for (size_t i = 0; i < steps->n && rc == 0; i += CHUNK_ROWS) {
		size_t some = steps->n - i < CHUNK_ROWS ? steps->n - i : CHUNK_ROWS;

		rc = history_put_chunk(history, open->series, level, names_id, rows_at(steps, i), some,
		                       steps->width, steps->width, SPARSE, status);
		if (rc == 0)
			rc = note_small(history, open, level, some, status);
	}
	return rc;
}

// The levels of rows that follow what is there: seconds where rows are dense, minutes of rows or seconds, hours of
// minutes.
static int put_levels(struct history *history, struct open_series *open, int64_t names_id,
                      const uint64_t *before, const uint64_t *values, size_t n, size_t width, size_t stride,
                      struct status *status) {
	enum series_kind kind = series_kind(open->series);
	CLEANUP(rows_fini) struct rows steps = {.width = rollup_width(kind, width)};
	enum history_level level =
	        is_dense(values, values + (n - 1) * stride, n) ? LEVEL_SECOND : LEVEL_MINUTE;
	int rc;

	rc = rollup_rows(kind, history_levels[level].step_ns, before, values, n, width, stride, &steps);
	for (; level < N_LEVELS && rc == 0; level++) {
		rollup_join(kind, history_levels[level].step_ns, &steps);
		rc = put_steps(history, open, level, names_id, &steps, status);
	}
	return rc;
}

int history_append_rows(struct history *history, struct open_series *open, const struct rows *rows,
                        size_t from, size_t width, struct status *status) {
	int64_t names_id = open->names_id;
	int rc = 0;

	for (size_t i = from; i < rows->n && rc == 0; i += CHUNK_ROWS) {
		size_t some = rows->n - i < CHUNK_ROWS ? rows->n - i : CHUNK_ROWS;
		const uint64_t *values = rows_at(rows, i), *before;
		CLEANUP(rows_fini) struct rows renamed = {0};

		if ((rc = history_row_before(history, open->series, &open->sealed_row, open->sealed_names_id,
		                             values, names_id, width, &renamed, &before, status)) == 0 &&
		    (rc = history_put_chunk(history, open->series, LEVEL_RAW, names_id, values, some, width,
		                            rows->width, BY_TIME, status)) == 0 &&
		    (rc = put_levels(history, open, names_id, before, values, some, width, rows->width,
		                     status)) == 0 &&
		    (rc = note_small(history, open, LEVEL_RAW, some, status)) == 0)
			rc = remember_last(open, names_id, rows_at(rows, i + some - 1), width);
	}
	return rc;
}

// ---- a series

// What the tail of this series had up to now is in chunks.
static int note_sealed(struct history *history, const struct open_series *open, struct status *status) {
	int rc;

	if ((rc = db_prepare(history->db,
	                     "INSERT INTO sealed (series, tail_id) VALUES (?, ?) ON CONFLICT (series)"
	                     " DO UPDATE SET tail_id = excluded.tail_id",
	                     &history->note_sealed, status)) < 0 ||
	    (rc = db_bind(history->note_sealed, "ii", open->series, history->tail.id - 1)) < 0)
		return rc;
	return db_run(history->note_sealed, status);
}

// Rows and newest seq of each instance of a port.
static int note_instances(struct history *history, const struct open_series *open, struct status *status) {
	const struct rows *rows = &open->rows;
	size_t i = 0;
	int rc;

	if ((rc = db_prepare(
	             history->db,
	             "INSERT INTO port_instance (port_id, instance, n_rows, last_seq, stored_seq)"
	             " VALUES (?, ?, ?, ?, ?) ON CONFLICT (port_id, instance) DO UPDATE SET"
	             " n_rows = n_rows + excluded.n_rows, last_seq = max(last_seq, excluded.last_seq),"
	             " stored_seq = max(stored_seq, excluded.stored_seq)",
	             &history->note_rows, status)) < 0)
		return rc;
	while (i < rows->n) {
		uint64_t instance = rows_at(rows, i)[ROW_INSTANCE], newest = 0;
		size_t n = 0;

		for (; i < rows->n && rows_at(rows, i)[ROW_INSTANCE] == instance; i++, n++) {
			if (rows_at(rows, i)[ROW_SEQ] > newest)
				newest = rows_at(rows, i)[ROW_SEQ];
		}
		if ((rc = db_bind(history->note_rows, "iiiii", series_id(open->series), (int64_t)instance,
		                  (int64_t)n, (int64_t)newest, (int64_t)newest)) < 0 ||
		    (rc = db_run(history->note_rows, status)) < 0)
			return rc;
	}
	return 0;
}

int history_seal_series(struct history *history, struct open_series *open, struct status *status) {
	bool ports = series_kind(open->series) == SERIES_PORT;
	struct rows *rows = &open->rows;
	int rc;

	history->sealed = true;
	if (rows->n > 0) {
		if (ports && (rc = note_instances(history, open, status)) < 0)
			return rc;
		if (!open->in_order)
			rows_sort(rows, ports);
		if ((rc = history_know_sealed(history, open, status)) < 0)
			return rc;
		if (rows_ts(rows, 0) > open->sealed_ns)
			rc = history_append_rows(history, open, rows, 0, open_width(open), status);
		else
			rc = history_insert_rows(history, open, rows, open_width(open), status);
		if (rc < 0)
			return rc;
	}
	tail_clear(&history->tail, open);
	return note_sealed(history, open, status);
}

// ---- when

// Series begin their periods at several times, so that not all are sealed at once; those that are, share pages.
static int64_t period_of(const struct open_series *open, int64_t ts_ns) {
	uint64_t group = ((uint64_t)open->series * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - GROUP_BITS);
	int64_t offset = (int64_t)group * (PERIOD_NS >> GROUP_BITS);

	return step_start(ts_ns, PERIOD_NS) / PERIOD_NS + (ts_ns - step_start(ts_ns, PERIOD_NS) >= offset);
}

static bool is_due(const struct open_series *open) {
	return open->rows.n >= CHUNK_ROWS || (open->rows.n > 0 && period_of(open, rows_ts(&open->rows, 0)) !=
	                                                                  period_of(open, open->newest_ns));
}

int history_seal_due(struct history *history, struct status *status) {
	struct tail *tail = &history->tail;
	int n = 0, rc;

	for (size_t i = 0; i < tail->n_touched && n < SEALS_MOST; i++) {
		if (!is_due(tail->touched[i]))
			continue;
		if ((rc = history_seal_series(history, tail->touched[i], status)) < 0)
			return rc;
		n++;
	}
	return history_seal_excess(history, status);
}

// Those that wait longest: the file's tail gets shorter, too.
static struct open_series *find_oldest(const struct tail *tail) {
	struct open_series *oldest = NULL;

	for (size_t s = 0; s < tail->n_series; s++) {
		struct open_series *open = tail->series[s];

		if (open != NULL && open->rows.n > 0 &&
		    (oldest == NULL || open_commit(open, 0) < open_commit(oldest, 0) ||
		     (open_commit(open, 0) == open_commit(oldest, 0) && open->rows.n > oldest->rows.n)))
			oldest = open;
	}
	return oldest;
}

int history_seal_excess(struct history *history, struct status *status) {
	size_t most = history->options.memory;
	int rc = 0;

	if (history->tail.size <= most)
		return 0;
	while (history->tail.size > most / 8 * 7 && rc == 0) {
		struct open_series *oldest = find_oldest(&history->tail);

		if (oldest == NULL)
			break;
		rc = history_seal_series(history, oldest, status);
	}
	return rc;
}
