// Rows that are missing, rows as they were stored, and measured points to be derived anew: what history does for
// replay.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include <errno.h>
#include <string.h>

// ---- gaps

static int insert_gap(struct history *history, int64_t port_id, uint64_t instance, const struct seq_gap *gap,
                      struct status *status) {
	int rc;

	if ((rc = db_bind(history->insert_gap, "iiiii", port_id, (int64_t)instance, (int64_t)gap->from_seq,
	                  (int64_t)gap->to_seq, (int64_t)gap->gone)) < 0)
		return rc;
	return db_run(history->insert_gap, status);
}

static int note_last_seq(struct history *history, int64_t port_id, uint64_t instance, uint64_t last_seq,
                         struct status *status) {
	static const char sql[] =
	        "INSERT INTO port_instance (port_id, instance, n_rows, last_seq) VALUES (?, ?, 0, ?)"
	        " ON CONFLICT (port_id, instance) DO UPDATE SET last_seq = max(last_seq, excluded.last_seq)";
	sqlite3_stmt **statement = &history->note_last_seq;
	int rc;

	if ((rc = db_prepare(history->db, sql, statement, status)) < 0 ||
	    (rc = db_bind(*statement, "iii", port_id, (int64_t)instance, (int64_t)last_seq)) < 0)
		return rc;
	return db_run(*statement, status);
}

int history_set_gaps(struct history *history, const char *host, const char *name, uint64_t instance,
                     uint64_t last_seq, const struct seq_gap *gaps, size_t n_gaps, struct status *status) {
	int64_t port_id;
	int rc;

	if ((rc = history_find_port(history, host, name, &port_id, status)) <= 0)
		return rc;
	if ((rc = note_last_seq(history, port_id, instance, last_seq, status)) < 0 ||
	    (rc = db_prepare(history->db, "DELETE FROM port_gap WHERE port_id = ? AND instance = ?",
	                     &history->drop_gaps, status)) < 0 ||
	    (rc = db_bind(history->drop_gaps, "ii", port_id, (int64_t)instance)) < 0 ||
	    (rc = db_run(history->drop_gaps, status)) < 0 ||
	    (rc = db_prepare(history->db,
	                     "INSERT INTO port_gap (port_id, instance, from_seq, to_seq, gone)"
	                     " VALUES (?, ?, ?, ?, ?)",
	                     &history->insert_gap, status)) < 0)
		return rc;
	for (size_t i = 0; i < n_gaps; i++) {
		if ((rc = insert_gap(history, port_id, instance, &gaps[i], status)) < 0)
			return rc;
	}
	return 1;
}

static int read_last_seq(struct history *history, int64_t port_id, uint64_t instance, uint64_t *ret,
                         struct status *status) {
	sqlite3_stmt **statement = &history->read_instance;
	int rc;

	if ((rc = db_prepare(history->db,
	                     "SELECT last_seq FROM port_instance WHERE port_id = ? AND instance = ?",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "ii", port_id, (int64_t)instance)) < 0 ||
	    (rc = db_next(*statement, status)) <= 0)
		return rc;
	*ret = (uint64_t)sqlite3_column_int64(*statement, 0);
	sqlite3_reset(*statement);
	return 1;
}

int history_gaps(struct history *history, const char *host, const char *name, uint64_t instance,
                 int (*each)(void *context, const struct seq_gap *), void *context, uint64_t *ret_last_seq,
                 struct status *status) {
	sqlite3_stmt **statement = &history->read_gaps;
	int64_t port_id;
	int rc;

	if ((rc = history_find_port(history, host, name, &port_id, status)) <= 0 ||
	    (rc = read_last_seq(history, port_id, instance, ret_last_seq, status)) <= 0)
		return rc;
	if ((rc = db_prepare(history->db,
	                     "SELECT from_seq, to_seq, gone FROM port_gap WHERE port_id = ? AND instance = ?"
	                     " ORDER BY from_seq",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "ii", port_id, (int64_t)instance)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		struct seq_gap gap = {
		        .from_seq = (uint64_t)sqlite3_column_int64(*statement, 0),
		        .to_seq = (uint64_t)sqlite3_column_int64(*statement, 1),
		        .gone = sqlite3_column_int(*statement, 2) != 0,
		};

		if ((rc = each(context, &gap)) < 0)
			break;
	}
	sqlite3_reset(*statement);
	return rc < 0 ? rc : 1;
}

// ---- rows

#define COUNTER(NAME, UNIT, HELP) ", s." #NAME
static const char read_rows_sql[] = "SELECT s.instance, s.seq, s.epoch, s.ts_ns, s.up"
#include "port_sample.def"
                                    " FROM port_sample s WHERE s.port_id = ? AND s.ts_ns >= ? AND s.ts_ns < ?"
                                    " ORDER BY s.ts_ns, s.instance, s.seq";

static const char each_last_row_sql[] =
        "SELECT s.instance, s.seq, s.epoch, s.ts_ns, s.up"
#include "port_sample.def"
        ", p.host, p.name FROM port p JOIN port_sample s ON (s.port_id, s.ts_ns, s.instance, s.seq) ="
        " (SELECT port_id, ts_ns, instance, seq FROM port_sample WHERE port_id = p.port_id"
        "  ORDER BY ts_ns DESC, instance DESC, seq DESC LIMIT 1)";
#undef COUNTER

#define FIRST_COUNTER 5

static void read_row(sqlite3_stmt *statement, struct stored_row *ret) {
	ret->instance = (uint64_t)sqlite3_column_int64(statement, 0);
	ret->seq = (uint64_t)sqlite3_column_int64(statement, 1);
	ret->epoch = sqlite3_column_int64(statement, 2);
	ret->ts_ns = sqlite3_column_int64(statement, 3);
	ret->up = sqlite3_column_int(statement, 4) != 0;
	for (int i = 0; i < N_PORT_COUNTERS; i++)
		ret->counters[i] = (uint64_t)sqlite3_column_int64(statement, FIRST_COUNTER + i);
}

static int collect(sqlite3_stmt *statement, struct stored_row **rows, size_t *n, struct status *status) {
	size_t capacity = 0;
	int rc;

	while ((rc = db_next(statement, status)) > 0) {
		if (*n == capacity) {
			size_t larger = capacity > 0 ? 2 * capacity : 64;
			void *moved = reallocarray(*rows, larger, sizeof(**rows));

			if (moved == NULL) {
				sqlite3_reset(statement);
				return -ENOMEM;
			}
			*rows = moved;
			capacity = larger;
		}
		read_row(statement, &(*rows)[(*n)++]);
	}
	return rc;
}

int history_rows(struct history *history, const char *host, const char *name, int64_t from_ns, int64_t to_ns,
                 struct stored_row **ret, size_t *ret_n, struct status *status) {
	CLEANUP(freep) struct stored_row *rows = NULL;
	int64_t port_id;
	size_t n = 0;
	int rc;

	if ((rc = history_find_port(history, host, name, &port_id, status)) < 0)
		return rc;
	if (rc > 0 && ((rc = db_prepare(history->db, read_rows_sql, &history->read_rows, status)) < 0 ||
	               (rc = db_bind(history->read_rows, "iii", port_id, from_ns, to_ns)) < 0 ||
	               (rc = collect(history->read_rows, &rows, &n, status)) < 0))
		return rc;
	*ret = rows;
	*ret_n = n;
	rows = NULL;
	return 0;
}

int history_each_last_row(struct history *history,
                          int (*each)(void *context, const char *host, const char *name,
                                      const struct stored_row *),
                          void *context, struct status *status) {
	sqlite3_stmt **statement = &history->each_last_row;
	struct stored_row row;
	int rc;

	if ((rc = db_prepare(history->db, each_last_row_sql, statement, status)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		read_row(*statement, &row);
		rc = each(context,
		          (const char *)sqlite3_column_text(*statement, FIRST_COUNTER + N_PORT_COUNTERS),
		          (const char *)sqlite3_column_text(*statement, FIRST_COUNTER + N_PORT_COUNTERS + 1),
		          &row);
		if (rc < 0)
			break;
	}
	sqlite3_reset(*statement);
	return rc;
}

// ---- points

int history_drop_measured(struct history *history, const char *link_id, enum directions direction,
                          int64_t from_ns, int64_t to_ns, struct status *status) {
	sqlite3_stmt **statement = &history->drop_measured;
	int64_t series_id;
	int rc;

	if ((rc = history_find_series(history, link_id, direction, KPI_LINK_USED_CAPACITY, &series_id,
	                              status)) <= 0)
		return rc;
	if ((rc = db_prepare(history->db,
	                     "DELETE FROM kpi_sample WHERE series_id = ? AND ts_ns > ? AND ts_ns <= ?"
	                     " AND source = ?",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "iiii", series_id, from_ns, to_ns, (int64_t)KPI_MEASURED)) < 0)
		return rc;
	return db_run(*statement, status);
}
