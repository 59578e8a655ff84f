// Sealing. Rows that follow what is sealed make chunks and, at each level above, a few steps. Rows that came late are
// merged into the chunks they belong to, and the levels are made anew around them. Small chunks at the end of a
// series (a slow one, or a level's steps of ten minutes) are joined when there are some.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include "clock.h"
#include "rollup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD_NS  (600 * NS_PER_SECOND)   // of time that rows of one series wait
#define SMALL_ROWS 512                     // a chunk with fewer is small
#define SMALL_MANY 16                      // so many at the end are joined
#define SEALS_MOST 32                      // of one commit, unless memory is short
#define OWN_ROWS   256                     // late rows in a hole that make chunks of their own
#define DENSE_NS   (NS_PER_SECOND / 3 * 2) // rows closer than this, on average, are rolled up to seconds

// ---- rows of several sets of names, in order

struct entry {
	const uint64_t *row;
	int64_t names_id;
	size_t width;
	bool is_new;
};

struct entries {
	struct entry *list;
	size_t n, capacity;
	struct rows pools[64];
	size_t n_pools;
	bool ports;
};

static void entries_fini(struct entries *entries) {
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

static int add_rows(struct entries *entries, const struct rows *rows, size_t from, size_t to, size_t width,
                    int64_t names_id, bool is_new) {
	int rc = 0;

	for (size_t i = from; i < to && rc == 0; i++)
		rc = add_entry(entries, rows_at(rows, i), width, names_id, is_new);
	return rc;
}

// Reads a chunk whose rows then live as long as 'entries'. Returns 0, 1 when it is damaged and stays where it is, or a
// negative errno.
static int add_chunk(struct history *history, int64_t series, const struct chunk_ref *ref,
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
	return add_rows(entries, pool, 0, pool->n, pool->width, names_id, false);
}

static int compare_entries(const void *a, const void *b, void *ports) {
	const struct entry *left = a, *right = b;

	return rows_compare(left->row, right->row, *(const bool *)ports);
}

static void sort_entries(struct entries *entries) {
	for (size_t i = 1; i < entries->n; i++) {
		if (rows_compare(entries->list[i - 1].row, entries->list[i].row, entries->ports) <= 0)
			continue;
		qsort_r(entries->list, entries->n, sizeof(*entries->list), compare_entries, &entries->ports);
		return;
	}
}

// ---- putting chunks

enum density { SPARSE, DENSE, BY_TIME };

static bool is_dense(const uint64_t *first, const uint64_t *last, size_t n) {
	return n > 1 && (last[ROW_TS] - first[ROW_TS]) / (n - 1) < DENSE_NS;
}

static int put_chunk(struct history *history, int64_t series, enum history_level level, int64_t names_id,
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

// Entries in order become chunks: one for each run of the same names, none too long.
static int put_entries(struct history *history, int64_t series, enum history_level level,
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
		rc = put_chunk(history, series, level, first->names_id, rows.values, rows.n, rows.width,
		               rows.width, density, status);
	}
	return rc;
}

static int drop_chunk(struct history *history, const struct chunk_ref *ref, struct status *status) {
	if (history->loaded.chunk_id == ref->chunk_id)
		history->loaded.chunk_id = 0;
	history->sealed = true;
	return history->archive->ops->drop(history->archive, ref->chunk_id, status);
}

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
		if ((rc = add_chunk(history, open->series, &list.refs[i], &entries, status)) != 0)
			return rc < 0 ? rc : 0; // a damaged one: they stay as they are
	}
	sort_entries(&entries);
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
		if ((rc = drop_chunk(history, &list.refs[i], status)) < 0)
			return rc;
	}
	open->small[level] = entries.n < SMALL_ROWS;
	return put_entries(history, open->series, level, &entries, SPARSE, status);
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

		rc = put_chunk(history, open->series, level, names_id, rows_at(steps, i), some, steps->width,
		               steps->width, SPARSE, status);
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

static int append_rows(struct history *history, struct open_series *open, const struct rows *rows,
                       size_t from, size_t width, struct status *status) {
	int64_t names_id = open->names_id;
	int rc = 0;

	for (size_t i = from; i < rows->n && rc == 0; i += CHUNK_ROWS) {
		size_t some = rows->n - i < CHUNK_ROWS ? rows->n - i : CHUNK_ROWS;
		const uint64_t *values = rows_at(rows, i), *before = NULL;

		if (open->sealed_row.n > 0 && open->sealed_names_id == names_id &&
		    open->sealed_row.width == width)
			before = open->sealed_row.values;
		if ((rc = put_chunk(history, open->series, LEVEL_RAW, names_id, values, some, width,
		                    rows->width, BY_TIME, status)) == 0 &&
		    (rc = put_levels(history, open, names_id, before, values, some, width, rows->width,
		                     status)) == 0 &&
		    (rc = note_small(history, open, LEVEL_RAW, some, status)) == 0)
			rc = remember_last(open, names_id, rows_at(rows, i + some - 1), width);
	}
	return rc;
}

// ---- rows that came late

// Steps of raw chunks in [from, to), each run of names by itself, as entries.
struct steps {
	struct rows *runs;
	int64_t *names_ids;
	size_t n;
};

static void steps_fini(struct steps *steps) {
	for (size_t i = 0; i < steps->n; i++)
		rows_fini(&steps->runs[i]);
	free(steps->runs);
	free(steps->names_ids);
}

static struct rows *begin_run(struct steps *steps, int64_t names_id, size_t width) {
	struct rows *runs = reallocarray(steps->runs, steps->n + 1, sizeof(*runs));
	int64_t *names_ids = reallocarray(steps->names_ids, steps->n + 1, sizeof(*names_ids));

	if (runs != NULL)
		steps->runs = runs;
	if (names_ids != NULL)
		steps->names_ids = names_ids;
	if (runs == NULL || names_ids == NULL)
		return NULL;
	steps->names_ids[steps->n] = names_id;
	steps->runs[steps->n] = (struct rows){.width = width};
	return &steps->runs[steps->n++];
}

static int roll_chunk(const struct open_series *open, enum history_level level, const struct rows *rows,
                      int64_t names_id, const uint64_t *before, int64_t from_ns, int64_t to_ns,
                      struct steps *ret) {
	enum series_kind kind = series_kind(open->series);
	size_t first = rows_find(rows, from_ns), end = rows_find(rows, to_ns),
	       width = rollup_width(kind, rows->width);
	struct rows *run = ret->n > 0 ? &ret->runs[ret->n - 1] : NULL;

	if (first > 0)
		before = rows_at(rows, first - 1);
	if (first >= end)
		return 0;
	if (run == NULL || run->width != width || ret->names_ids[ret->n - 1] != names_id)
		run = begin_run(ret, names_id, width);
	if (run == NULL)
		return -ENOMEM;
	return rollup_rows(kind, history_levels[level].step_ns, before, rows_at(rows, first), end - first,
	                   rows->width, rows->width, run);
}

static int roll_raw(struct history *history, const struct open_series *open, enum history_level level,
                    int64_t from_ns, int64_t to_ns, struct steps *ret, struct status *status) {
	CLEANUP(chunk_list_fini) struct chunk_list list = {0};
	CLEANUP(rows_fini) struct rows last = {0};
	struct archive *archive = history->archive;
	int64_t last_names_id = -1, names_id;
	int rc;

	if ((rc = archive->ops->before(archive, open->series, LEVEL_RAW, from_ns, 1, &list, status)) < 0 ||
	    (rc = archive->ops->find(archive, open->series, LEVEL_RAW, from_ns, to_ns, SIZE_MAX, &list,
	                             status)) < 0)
		return rc;
	for (size_t i = 0; i < list.n; i++) {
		CLEANUP(rows_fini) struct rows rows = {0};
		bool fits;

		rc = history_read_chunk(history, open->series, &list.refs[i], &rows, &names_id, status);
		if (rc == -EBADMSG)
			continue;
		if (rc < 0)
			return rc;
		fits = last.n > 0 && last_names_id == names_id && last.width == rows.width;
		if ((level != LEVEL_SECOND || list.refs[i].dense) &&
		    (rc = roll_chunk(open, level, &rows, names_id, fits ? last.values : NULL, from_ns, to_ns,
		                     ret)) < 0)
			return rc;
		rows_fini(&last);
		last.width = rows.width;
		last_names_id = names_id;
		if (rows_add(&last, rows_at(&rows, rows.n - 1), 1) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < ret->n; i++)
		rollup_join(series_kind(open->series), history_levels[level].step_ns, &ret->runs[i]);
	return 0;
}

// Puts steps in place of those in [from, to), or, with 'beside', beside them.
static int replace_steps(struct history *history, struct open_series *open, enum history_level level,
                         int64_t from_ns, int64_t to_ns, const struct steps *steps, bool beside,
                         struct status *status) {
	CLEANUP(chunk_list_fini) struct chunk_list list = {0};
	CLEANUP(entries_fini) struct entries entries = {.ports = false};
	struct archive *archive = history->archive;
	size_t kept = 0;
	int rc;

	if ((rc = archive->ops->find(archive, open->series, level, from_ns, to_ns, SIZE_MAX, &list, status)) <
	    0)
		return rc;
	for (size_t i = 0; i < list.n; i++) {
		rc = add_chunk(history, open->series, &list.refs[i], &entries, status);
		if (rc < 0 || (rc == 0 && (rc = drop_chunk(history, &list.refs[i], status)) < 0))
			return rc;
	}
	for (size_t i = 0; i < entries.n; i++) {
		int64_t ts_ns = (int64_t)entries.list[i].row[STEP_TS];

		if (beside || ts_ns < from_ns || ts_ns >= to_ns)
			entries.list[kept++] = entries.list[i];
	}
	entries.n = kept;
	for (size_t i = 0; i < steps->n; i++) {
		if ((rc = add_rows(&entries, &steps->runs[i], 0, steps->runs[i].n, steps->runs[i].width,
		                   steps->names_ids[i], true)) < 0)
			return rc;
	}
	sort_entries(&entries);
	return put_entries(history, open->series, level, &entries, SPARSE, status);
}

// Makes the levels anew around changed rows: from the raw rows where these are all there, else ('fresh': the rows that
// came) beside what is known.
static int renew_levels(struct history *history, struct open_series *open, int64_t from_ns, int64_t to_ns,
                        const struct rows *fresh, size_t width, struct status *status) {
	int64_t expired_ns;
	int rc;

	if ((rc = history_expired(history, open->series, LEVEL_RAW, &expired_ns, status)) < 0)
		return rc;
	for (enum history_level level = LEVEL_SECOND; level < N_LEVELS; level++) {
		CLEANUP(steps_fini) struct steps steps = {0};
		int64_t step_ns = history_levels[level].step_ns;
		int64_t begin_ns = step_start(from_ns, step_ns),
		        end_ns = step_start(to_ns, step_ns) + step_ns;
		bool beside = expired_ns >= begin_ns;

		if (!beside) {
			rc = roll_raw(history, open, level, begin_ns, end_ns, &steps, status);
		} else if (fresh != NULL && fresh->n > 0 && level != LEVEL_SECOND) {
			struct rows *run = begin_run(&steps, open->names_id,
			                             rollup_width(series_kind(open->series), width));

			rc = run == NULL ? -ENOMEM
			                 : rollup_rows(series_kind(open->series), step_ns, NULL,
			                               fresh->values, fresh->n, width, fresh->width, run);
		}
		if (rc < 0 ||
		    (rc = replace_steps(history, open, level, begin_ns, end_ns, &steps, beside, status)) < 0)
			return rc;
	}
	return 0;
}

// Rows [i, j) belong into, or right before, this chunk.
static int merge_late(struct history *history, struct open_series *open, const struct rows *rows, size_t i,
                      size_t j, size_t width, const struct chunk_ref *ref, struct status *status) {
	CLEANUP(entries_fini) struct entries entries = {.ports = series_kind(open->series) == SERIES_PORT};
	struct rows fresh = {.values = rows_at(rows, i), .n = j - i, .width = rows->width};
	int64_t from_ns = rows_ts(rows, i);
	bool apart = rows_ts(rows, j - 1) < ref->from_ns && j - i >= OWN_ROWS;
	int rc = 0;

	if (!apart) {
		rc = add_chunk(history, open->series, ref, &entries, status);
		if (rc < 0 || (rc == 0 && (rc = drop_chunk(history, ref, status)) < 0))
			return rc;
		if (ref->from_ns < from_ns)
			from_ns = ref->from_ns;
	}
	if ((rc = add_rows(&entries, rows, i, j, width, open->names_id, true)) < 0)
		return rc;
	sort_entries(&entries);
	if ((rc = put_entries(history, open->series, LEVEL_RAW, &entries, BY_TIME, status)) < 0)
		return rc;
	// the row behind the late ones has a rate now
	return renew_levels(history, open, from_ns, apart ? ref->from_ns : ref->to_ns, &fresh, width, status);
}

static int insert_rows(struct history *history, struct open_series *open, const struct rows *rows,
                       size_t width, struct status *status) {
	size_t i = 0;
	int rc;

	while (i < rows->n && rows_ts(rows, i) <= open->sealed_ns) {
		CLEANUP(chunk_list_fini) struct chunk_list list = {0};
		size_t j;

		if ((rc = history->archive->ops->find(history->archive, open->series, LEVEL_RAW,
		                                      rows_ts(rows, i), INT64_MAX, 1, &list, status)) < 0)
			return rc;
		if (list.n == 0) // it was dropped meanwhile
			break;
		j = i + 1;
		while (j < rows->n && rows_ts(rows, j) <= list.refs[0].to_ns)
			j++;
		if ((rc = merge_late(history, open, rows, i, j, width, &list.refs[0], status)) < 0)
			return rc;
		i = j;
	}
	open->sealed_known = false; // the last row may be another
	if ((rc = history_know_sealed(history, open, status)) < 0)
		return rc;
	return append_rows(history, open, rows, i, width, status);
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
			rc = append_rows(history, open, rows, 0, open_width(open), status);
		else
			rc = insert_rows(history, open, rows, open_width(open), status);
		if (rc < 0)
			return rc;
	}
	tail_clear(&history->tail, open);
	return note_sealed(history, open, status);
}

// ---- when

// Each series has its own beginning of periods, so that not all are sealed at once.
static int64_t period_of(const struct open_series *open, int64_t ts_ns) {
	uint64_t offset = (uint64_t)open->series * UINT64_C(0x9e3779b97f4a7c15) % (uint64_t)PERIOD_NS;

	return step_start(ts_ns, PERIOD_NS) / PERIOD_NS +
	       (ts_ns - step_start(ts_ns, PERIOD_NS) >= (int64_t)offset);
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

// ---- single rows

int history_find_sealed(struct history *history, struct open_series *open, const uint64_t *row,
                        const uint64_t **ret, struct status *status) {
	struct loaded_chunk *loaded = &history->loaded;
	CLEANUP(chunk_list_fini) struct chunk_list list = {0};
	bool ports = series_kind(open->series) == SERIES_PORT;
	int64_t ts_ns = (int64_t)row[ROW_TS];
	int rc;

	if ((rc = history_know_sealed(history, open, status)) < 0 || ts_ns > open->sealed_ns)
		return rc;
	if ((rc = history->archive->ops->find(history->archive, open->series, LEVEL_RAW, ts_ns, ts_ns + 1, 8,
	                                      &list, status)) < 0)
		return rc;
	for (size_t i = 0; i < list.n; i++) {
		if (loaded->chunk_id != list.refs[i].chunk_id) {
			loaded->chunk_id = 0;
			rows_fini(&loaded->rows);
			rc = history_read_chunk(history, open->series, &list.refs[i], &loaded->rows,
			                        &loaded->names_id, status);
			if (rc == -EBADMSG)
				continue;
			if (rc < 0)
				return rc;
			loaded->chunk_id = list.refs[i].chunk_id;
		}
		for (size_t k = rows_find(&loaded->rows, ts_ns);
		     k < loaded->rows.n && rows_ts(&loaded->rows, k) == ts_ns; k++) {
			if (rows_compare(rows_at(&loaded->rows, k), row, ports) != 0)
				continue;
			if (ret != NULL)
				*ret = rows_at(&loaded->rows, k);
			return 1;
		}
	}
	return 0;
}

int history_cut_points(struct history *history, struct open_series *open, int64_t from_ns, int64_t to_ns,
                       uint64_t source, struct status *status) {
	CLEANUP(chunk_list_fini) struct chunk_list list = {0};
	int rc;

	if ((rc = history_know_sealed(history, open, status)) < 0 || open->sealed_ns <= from_ns)
		return rc;
	if ((rc = history->archive->ops->find(history->archive, open->series, LEVEL_RAW, from_ns + 1,
	                                      to_ns + 1, SIZE_MAX, &list, status)) < 0)
		return rc;
	for (size_t i = 0; i < list.n; i++) {
		CLEANUP(entries_fini) struct entries entries = {.ports = false};
		size_t kept = 0, before;

		rc = add_chunk(history, open->series, &list.refs[i], &entries, status);
		if (rc > 0)
			continue;
		if (rc < 0)
			return rc;
		before = entries.n;
		for (size_t k = 0; k < entries.n; k++) {
			const uint64_t *row = entries.list[k].row;
			int64_t ts_ns = (int64_t)row[POINT_TS];

			if (ts_ns <= from_ns || ts_ns > to_ns || row[POINT_SOURCE] != source)
				entries.list[kept++] = entries.list[k];
		}
		entries.n = kept;
		if (kept == before)
			continue;
		if ((rc = drop_chunk(history, &list.refs[i], status)) < 0 ||
		    (rc = put_entries(history, open->series, LEVEL_RAW, &entries, BY_TIME, status)) < 0 ||
		    (rc = renew_levels(history, open, list.refs[i].from_ns, list.refs[i].to_ns, NULL, 0,
		                       status)) < 0)
			return rc;
	}
	open->sealed_known = false;
	return 0;
}
