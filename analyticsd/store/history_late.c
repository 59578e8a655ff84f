// Rows that came late, and points that are taken back: chunks are made anew, and the levels around them.
// SPDX-License-Identifier: MIT
#include "history_chunk_put.h"

#include "rollup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OWN_ROWS 256 // late rows in a hole that make chunks of their own

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
		CLEANUP(rows_fini) struct rows rows = {0}, renamed = {0};
		const uint64_t *before;

		rc = history_read_chunk(history, open->series, &list.refs[i], &rows, &names_id, status);
		if (rc == -EBADMSG)
			continue;
		if (rc < 0)
			return rc;
		if ((rc = history_row_before(history, open->series, &last, last_names_id, rows.values,
		                             names_id, rows.width, &renamed, &before, status)) < 0)
			return rc;
		if ((level != LEVEL_SECOND || list.refs[i].dense) &&
		    (rc = roll_chunk(open, level, &rows, names_id, before, from_ns, to_ns, ret)) < 0)
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
		rc = entries_add_chunk(history, open->series, &list.refs[i], &entries, status);
		if (rc < 0 || (rc == 0 && (rc = history_drop_chunk(history, &list.refs[i], status)) < 0))
			return rc;
	}
	for (size_t i = 0; i < entries.n; i++) {
		int64_t ts_ns = (int64_t)entries.list[i].row[STEP_TS];

		if (beside || ts_ns < from_ns || ts_ns >= to_ns)
			entries.list[kept++] = entries.list[i];
	}
	entries.n = kept;
	for (size_t i = 0; i < steps->n; i++) {
		if ((rc = entries_add(&entries, &steps->runs[i], 0, steps->runs[i].n, steps->runs[i].width,
		                      steps->names_ids[i], true)) < 0)
			return rc;
	}
	entries_sort(&entries);
	return history_put_entries(history, open->series, level, &entries, SPARSE, status);
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
		rc = entries_add_chunk(history, open->series, ref, &entries, status);
		if (rc < 0 || (rc == 0 && (rc = history_drop_chunk(history, ref, status)) < 0))
			return rc;
		if (ref->from_ns < from_ns)
			from_ns = ref->from_ns;
	}
	if ((rc = entries_add(&entries, rows, i, j, width, open->names_id, true)) < 0)
		return rc;
	entries_sort(&entries);
	if ((rc = history_put_entries(history, open->series, LEVEL_RAW, &entries, BY_TIME, status)) < 0)
		return rc;
	// the row behind the late ones has a rate now
	return renew_levels(history, open, from_ns, apart ? ref->from_ns : ref->to_ns, &fresh, width, status);
}

int history_insert_rows(struct history *history, struct open_series *open, const struct rows *rows,
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
	return history_append_rows(history, open, rows, i, width, status);
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

		rc = entries_add_chunk(history, open->series, &list.refs[i], &entries, status);
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
		if ((rc = history_drop_chunk(history, &list.refs[i], status)) < 0 ||
		    (rc = history_put_entries(history, open->series, LEVEL_RAW, &entries, BY_TIME, status)) <
		            0 ||
		    (rc = renew_levels(history, open, list.refs[i].from_ns, list.refs[i].to_ns, NULL, 0,
		                       status)) < 0)
			return rc;
	}
	open->sealed_known = false;
	return 0;
}
