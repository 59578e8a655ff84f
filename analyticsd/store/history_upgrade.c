// From version 2 to 3: rows of tables become chunks, a port or series after the other.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include "bitpack.h"

#include <errno.h>
#include <string.h>

#define ROWS_VERSION 2 // the last that has rows in tables

#define COUNTER(NAME, UNIT, HELP) ", " #NAME
static const char ports_sql[] =
        "SELECT port_id, coalesce(names_id, 0), extra, ts_ns, seq, instance, epoch, up"
#include "port_sample.def"
        " FROM port_sample ORDER BY port_id, ts_ns, instance, seq";
#undef COUNTER
static const char points_sql[] =
        "SELECT series_id, ts_ns, gbps, source FROM kpi_sample ORDER BY series_id, ts_ns";

#define EXTRA_COLUMN 2
#define FIRST_COLUMN 3 // then as enum port_column

// Rows come by series: one is sealed before the next begins.
static int add(struct history *history, int64_t series, int64_t names_id, size_t width, const uint64_t *row,
               struct open_series **open, struct status *status) {
	int rc;

	if (*open != NULL &&
	    ((*open)->series != series || (*open)->names_id != names_id || (*open)->rows.n >= CHUNK_ROWS) &&
	    (rc = history_seal_series(history, *open, status)) < 0)
		return rc;
	*open = tail_get(&history->tail, series);
	if (*open == NULL)
		return -ENOMEM;
	(*open)->names_id = names_id;
	return tail_add(&history->tail, *open, width, row);
}

static int add_port_row(struct history *history, sqlite3_stmt *statement, struct open_series **open,
                        struct status *status) {
	size_t n_extra = (size_t)sqlite3_column_bytes(statement, EXTRA_COLUMN) / sizeof(uint64_t);
	size_t width = ROW_COUNTERS + N_PORT_COUNTERS + n_extra;
	uint64_t row[width];

	for (int i = 0; i < ROW_COUNTERS + N_PORT_COUNTERS; i++)
		row[i] = (uint64_t)sqlite3_column_int64(statement, FIRST_COLUMN + i);
	if (n_extra > 0)
		memcpy(row + ROW_COUNTERS + N_PORT_COUNTERS, sqlite3_column_blob(statement, EXTRA_COLUMN),
		       n_extra * sizeof(*row));
	return add(history, series_number(SERIES_PORT, sqlite3_column_int64(statement, 0)),
	           sqlite3_column_int64(statement, 1), width, row, open, status);
}

static int add_point(struct history *history, sqlite3_stmt *statement, struct open_series **open,
                     struct status *status) {
	const uint64_t point[POINT_WIDTH] = {
	        [POINT_TS] = (uint64_t)sqlite3_column_int64(statement, 1),
	        [POINT_VALUE] = bitpack_from_real(sqlite3_column_double(statement, 2)),
	        [POINT_SOURCE] = (uint64_t)sqlite3_column_int64(statement, 3),
	};

	return add(history, series_number(SERIES_LINK, sqlite3_column_int64(statement, 0)), 0, POINT_WIDTH,
	           point, open, status);
}

static int move_rows(struct history *history, const char *sql,
                     int (*add_one)(struct history *, sqlite3_stmt *, struct open_series **, struct status *),
                     struct status *status) {
	struct open_series *open = NULL;
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(history->db, sql, &statement, status)) < 0)
		return rc;
	while ((rc = db_next(statement, status)) > 0) {
		if ((rc = add_one(history, statement, &open, status)) < 0)
			break;
	}
	sqlite3_finalize(statement);
	if (rc >= 0 && open != NULL)
		rc = history_seal_series(history, open, status);
	return rc;
}

int history_convert(sqlite3 *db, int version, struct status *status) {
	struct history history = {
	        .db = db, .options = {.write = true, .memory = SIZE_MAX}, .tail = {.id = 1}};
	sqlite3_stmt *statement;
	int rc;

	if (version != ROWS_VERSION)
		return 0;
	if ((rc = archive_open(db, &history.archive)) < 0)
		return rc;
	if ((rc = move_rows(&history, ports_sql, add_port_row, status)) >= 0)
		rc = move_rows(&history, points_sql, add_point, status);
	archive_close(history.archive);
	tail_fini(&history.tail);
	chunk_writer_fini(&history.writer);
	rows_fini(&history.loaded.rows);
	history_forget_names(&history);
	free(history.reported);
	while ((statement = sqlite3_next_stmt(db, NULL)) != NULL)
		sqlite3_finalize(statement); // of this history
	if (rc < 0)
		return rc;
	return db_execute(db, "DROP TABLE port_sample; DROP TABLE kpi_sample;", status);
}
