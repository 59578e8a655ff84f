// Every chunk, looked at as a whole.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char each_chunk_sql[] =
        "SELECT c.chunk_id, c.series, c.level, c.from_ns, c.to_ns, c.n_rows, c.data,"
        " CASE c.series & 1 WHEN 0 THEN"
        "  (SELECT 'port ' || host || ' ' || name FROM port WHERE port_id = c.series / 2)"
        " ELSE (SELECT 'link ' || link_id || CASE direction WHEN 0 THEN ' forward' ELSE ' reverse' END || ' "
        "' || kpi"
        "  FROM kpi_series WHERE series_id = c.series / 2) END"
        " FROM chunk c ORDER BY c.chunk_id";

static const char *check_order(const struct rows *rows, const struct chunk_report *report) {
	for (size_t i = 1; i < rows->n; i++) {
		if (rows_ts(rows, i) < rows_ts(rows, i - 1))
			return "its rows are not in the order of time";
	}
	if (rows_ts(rows, 0) != report->from_ns || rows_ts(rows, rows->n - 1) != report->to_ns)
		return "its rows are not of the times that the index says";
	return NULL;
}

// What is wrong with a chunk, or NULL.
static const char *check(const uint8_t *data, size_t size, int64_t series, const struct chunk_report *report,
                         int *rc) {
	CLEANUP(rows_fini) struct rows rows = {0};
	struct chunk_head head;

	*rc = -EBADMSG;
	if (chunk_read_head(data, size, &head) != 0)
		return "its head is not what was written";
	if (head.total_size != size)
		return "it has not the size that its head says";
	if (head.kind.series != series_kind(series) || head.kind.level != report->level)
		return "it is of another kind than the index says";
	if (head.n_rows != report->n_rows)
		return "it has not the number of rows that the index says";
	rows.width = head.n_columns;
	*rc = chunk_read_rows(&head, data, size, &rows);
	if (*rc == -EBADMSG)
		return "a column is not what was written";
	if (*rc < 0)
		return NULL;
	*rc = -EBADMSG;
	return check_order(&rows, report);
}

int history_each_chunk(struct history *history, int (*each)(void *context, const struct chunk_report *),
                       void *context, struct status *status) {
	sqlite3_stmt **statement = &history->each_chunk;
	int rc;

	if ((rc = history_enter(history, status)) < 0)
		return rc;
	if ((rc = db_prepare(history->db, each_chunk_sql, statement, status)) == 0) {
		while ((rc = db_next(*statement, status)) > 0) {
			const char *name = (const char *)sqlite3_column_text(*statement, 7);
			struct chunk_report report = {
			        .chunk_id = sqlite3_column_int64(*statement, 0),
			        .level = (enum history_level)sqlite3_column_int(*statement, 2),
			        .from_ns = sqlite3_column_int64(*statement, 3),
			        .to_ns = sqlite3_column_int64(*statement, 4),
			        .n_rows = (uint64_t)sqlite3_column_int64(*statement, 5),
			        .size = (uint64_t)sqlite3_column_bytes(*statement, 6),
			        .series = name != NULL ? name : "of no port or link",
			};

			report.what = check(sqlite3_column_blob(*statement, 6), report.size,
			                    sqlite3_column_int64(*statement, 1), &report, &rc);
			if (rc == -ENOMEM)
				break;
			report.rc = report.what != NULL ? rc : 0;
			if ((rc = each(context, &report)) < 0)
				break;
		}
		sqlite3_reset(*statement);
	}
	history_leave(history);
	return rc;
}
