// From version 2 to 3: rows of tables become chunks, a port or series after the other. From 3 to 4: the tail, which had a
// blob of chunks for each commit, is sealed.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include "bitpack.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

#define SIZE_SIZE  4         // of the size in front of a chunk in version 3's tail
#define SERIES_MAX (1 << 24) // a number beyond is damage

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

static int move_tables(struct history *history, struct status *status) {
	int rc = move_rows(history, ports_sql, add_port_row, status);

	return rc < 0 ? rc : move_rows(history, points_sql, add_point, status);
}

// ---- the tail of version 3: of each commit the chunks of its rows, each behind its size, with a column for the series

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
		if (tail_restore(tail, open, width, row, id) < 0)
			return -ENOMEM;
	}
	return 0;
}

static int read_commit(struct tail *tail, int64_t id, const uint8_t *bytes, size_t size) {
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

static int drop_sealed(struct history *history, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(history->db, "SELECT series, tail_id FROM sealed", &statement, status)) < 0)
		return rc;
	while ((rc = db_next(statement, status)) > 0) {
		struct open_series *open = tail_find(&history->tail, sqlite3_column_int64(statement, 0));

		if (open != NULL)
			tail_trim_series(&history->tail, open, sqlite3_column_int64(statement, 1) + 1);
	}
	sqlite3_finalize(statement);
	return rc;
}

// A commit that is damaged is kept beside the pages.
static int keep_damaged(struct history *history, int64_t id, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(
	             history->db,
	             "INSERT INTO tail SELECT -tail_id, data FROM tail_of_version_3 WHERE tail_id = ?",
	             &statement, status)) == 0 &&
	    (rc = db_bind(statement, "i", id)) == 0)
		rc = db_run(statement, status);
	sqlite3_finalize(statement);
	return rc;
}

static int read_commits(struct history *history, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(history->db,
	                     "SELECT tail_id, data FROM tail_of_version_3 WHERE tail_id > 0 ORDER BY tail_id",
	                     &statement, status)) < 0)
		return rc;
	while ((rc = db_next(statement, status)) > 0) {
		int64_t id = sqlite3_column_int64(statement, 0);

		rc = read_commit(&history->tail, id, sqlite3_column_blob(statement, 1),
		                 (size_t)sqlite3_column_bytes(statement, 1));
		history->tail.id = id + 1;
		if (rc == -EBADMSG)
			rc = keep_damaged(history, id, status);
		if (rc < 0)
			break;
	}
	sqlite3_finalize(statement);
	return rc;
}

static int seal_tail(struct history *history, struct status *status) {
	int rc;

	if ((rc = read_commits(history, status)) < 0 || (rc = drop_sealed(history, status)) < 0)
		return rc;
	for (size_t i = 0; i < history->tail.n_series && rc >= 0; i++) {
		struct open_series *open = history->tail.series[i];

		if (open != NULL && open->rows.n > 0)
			rc = history_seal_series(history, open, status);
	}
	return rc;
}

static const struct {
	int (*move)(struct history *, struct status *);
	const char *drop;
} conversions[] = {
        [2] = {move_tables, "DROP TABLE port_sample; DROP TABLE kpi_sample;"},
        [3] = {seal_tail, "DROP TABLE tail_of_version_3;"},
};

int history_convert(sqlite3 *db, int version, struct status *status) {
	struct history history = {
	        .db = db, .options = {.write = true, .memory = SIZE_MAX}, .tail = {.id = 1}};
	sqlite3_stmt *statement;
	int rc;

	if (version >= (int)(sizeof(conversions) / sizeof(conversions[0])) ||
	    conversions[version].move == NULL)
		return 0;
	if ((rc = archive_open(db, &history.archive)) < 0)
		return rc;
	rc = conversions[version].move(&history, status);
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
	return db_execute(db, conversions[version].drop, status);
}
