// history.db: its tables, and the writing and reading of samples and series. What the counters mean is
// ingest's.
// SPDX-License-Identifier: MIT
#include "history.h"

#include "clock.h"
#include "db.h"
#include "history_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNTER(NAME, UNIT, HELP) ", " #NAME " INTEGER NOT NULL"
static const char *const migrations[] = {
        "CREATE TABLE port ("
        " port_id INTEGER PRIMARY KEY, host TEXT NOT NULL, name TEXT NOT NULL, port INTEGER NOT NULL, link "
        "TEXT,"
        " instance INTEGER NOT NULL, last_seq INTEGER NOT NULL, last_ts_ns INTEGER NOT NULL,"
        " speed_mbps INTEGER NOT NULL, up INTEGER NOT NULL, UNIQUE (host, name));"
        "CREATE TABLE port_instance ("
        " port_id INTEGER NOT NULL, instance INTEGER NOT NULL, n_rows INTEGER NOT NULL, last_seq INTEGER NOT "
        "NULL,"
        " PRIMARY KEY (port_id, instance)) WITHOUT ROWID;"
        "CREATE TABLE name_set (names_id INTEGER PRIMARY KEY, names TEXT NOT NULL UNIQUE);"
        "CREATE TABLE port_sample ("
        " port_id INTEGER NOT NULL, ts_ns INTEGER NOT NULL, instance INTEGER NOT NULL, seq INTEGER NOT NULL,"
        " epoch INTEGER NOT NULL, up INTEGER NOT NULL"
#include "port_sample.def"
        ", names_id INTEGER, extra BLOB,"
        " PRIMARY KEY (port_id, ts_ns, instance, seq)) WITHOUT ROWID;"
        "CREATE TABLE source ("
        " host TEXT NOT NULL, instance INTEGER NOT NULL, interval_ns INTEGER NOT NULL, dropped INTEGER NOT "
        "NULL,"
        " last_ns INTEGER NOT NULL, PRIMARY KEY (host, instance)) WITHOUT ROWID;"
        "CREATE TABLE kpi_series ("
        " series_id INTEGER PRIMARY KEY, link_id TEXT NOT NULL, direction INTEGER NOT NULL, kpi INTEGER NOT "
        "NULL,"
        " UNIQUE (link_id, direction, kpi));"
        "CREATE TABLE kpi_sample ("
        " series_id INTEGER NOT NULL, ts_ns INTEGER NOT NULL, gbps REAL NOT NULL, source INTEGER NOT NULL,"
        " PRIMARY KEY (series_id, ts_ns)) WITHOUT ROWID;",
        // What is missing of what was stored before: between the rows, and up to the last one that is known of.
        "CREATE TABLE port_gap ("
        " port_id INTEGER NOT NULL, instance INTEGER NOT NULL, from_seq INTEGER NOT NULL, to_seq INTEGER NOT "
        "NULL,"
        " gone INTEGER NOT NULL, PRIMARY KEY (port_id, instance, from_seq)) WITHOUT ROWID;"
        "INSERT INTO port_gap SELECT port_id, instance, before + 1, seq - 1, 0 FROM"
        " (SELECT port_id, instance, seq, lag(seq, 1, 0) OVER (PARTITION BY port_id, instance ORDER BY seq)"
        "  AS before FROM port_sample) WHERE seq > before + 1;"
        "INSERT INTO port_gap SELECT i.port_id, i.instance, s.last + 1, i.last_seq, 0 FROM port_instance i "
        "JOIN"
        " (SELECT port_id, instance, max(seq) AS last FROM port_sample GROUP BY port_id, instance) s"
        " USING (port_id, instance) WHERE i.last_seq > s.last;",
};
#undef COUNTER

static const struct db_schema schema = {
        .name = "history.db",
        .migrations = migrations,
        .n_migrations = sizeof(migrations) / sizeof(migrations[0]),
        .synchronous = "NORMAL",
};

int history_open(const char *path, bool write, struct history **ret, struct status *status) {
	CLEANUP(history_closep) struct history *history = calloc(1, sizeof(*history));
	int rc;

	if (history == NULL)
		return -ENOMEM;
	if ((rc = db_open(path, write ? DB_WRITE : DB_READ, &schema, &history->db, status)) < 0)
		return rc;
	*ret = history;
	history = NULL;
	return 0;
}

void history_close(struct history *history) {
	if (history == NULL)
		return;
	db_close(history->db);
	free(history->names);
	free(history);
}

int history_begin(struct history *history, struct status *status) {
	return db_execute(history->db, "BEGIN IMMEDIATE", status);
}

int history_commit(struct history *history, struct status *status) {
	return db_execute(history->db, "COMMIT", status);
}

void history_rollback(struct history *history) {
	(void)db_execute(history->db, "ROLLBACK", NULL);
}

int history_read_begin(struct history *history, struct status *status) {
	return db_execute(history->db, "BEGIN", status);
}

void history_read_end(struct history *history) {
	(void)db_execute(history->db, "COMMIT", NULL);
}

// ---- ports

int history_find_port(struct history *history, const char *host, const char *name, int64_t *ret,
                      struct status *status) {
	sqlite3_stmt **statement = &history->find_port;
	int rc;

	if ((rc = db_prepare(history->db, "SELECT port_id FROM port WHERE host = ? AND name = ?", statement,
	                     status)) < 0 ||
	    (rc = db_bind(*statement, "tt", host, name)) < 0 || (rc = db_next(*statement, status)) <= 0)
		return rc;
	*ret = sqlite3_column_int64(*statement, 0);
	sqlite3_reset(*statement);
	return 1;
}

// Brings the port's line up to date from a sample whose last row is 'last'. Rows that come late don't: an
// instance that was heard before another one does not come back, and a clock that steps back holds nothing up.
static int note_port(struct history *history, const struct sample *sample, const uint64_t *last, int64_t *ret,
                     struct status *status) {
	static const char sql[] =
	        "INSERT INTO port (host, name, port, link, instance, last_seq, last_ts_ns, speed_mbps, up)"
	        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
	        " ON CONFLICT (host, name) DO UPDATE SET port = excluded.port, link = excluded.link,"
	        " instance = excluded.instance, last_seq = excluded.last_seq, last_ts_ns = "
	        "excluded.last_ts_ns,"
	        " speed_mbps = excluded.speed_mbps, up = excluded.up"
	        " WHERE CASE WHEN excluded.instance = instance THEN excluded.last_seq >= last_seq"
	        " ELSE NOT EXISTS (SELECT 1 FROM port_instance i WHERE i.port_id = port.port_id"
	        " AND i.instance = excluded.instance AND i.n_rows > 0) END";
	sqlite3_stmt **statement = &history->note_port;
	int rc;

	if ((rc = db_prepare(history->db, sql, statement, status)) < 0 ||
	    (rc = db_bind(*statement, "ttitiiiii", sample->host, sample->name, sample->port, sample->link,
	                  (int64_t)sample->instance, (int64_t)last[0], (int64_t)last[1], sample->speed_mbps,
	                  (int64_t)sample->up)) < 0 ||
	    (rc = db_run(*statement, status)) < 0)
		return rc;
	rc = history_find_port(history, sample->host, sample->name, ret, status);
	return rc == 0 ? -EIO : rc < 0 ? rc : 0;
}

static int note_rows(struct history *history, const struct sample *sample, int64_t port_id, uint64_t rows,
                     uint64_t last_seq, struct status *status) {
	static const char sql[] =
	        "INSERT INTO port_instance (port_id, instance, n_rows, last_seq) VALUES (?, ?, ?, ?)"
	        " ON CONFLICT (port_id, instance) DO UPDATE SET n_rows = n_rows + excluded.n_rows,"
	        " last_seq = max(last_seq, excluded.last_seq)";
	sqlite3_stmt **statement = &history->note_rows;
	int rc;

	if ((rc = db_prepare(history->db, sql, statement, status)) < 0 ||
	    (rc = db_bind(*statement, "iiii", port_id, (int64_t)sample->instance, (int64_t)rows,
	                  (int64_t)last_seq)) < 0)
		return rc;
	return db_run(*statement, status);
}

// ---- names beyond the basic counters, kept once as lines of text

static int join_names(const struct sample *sample, char **ret) {
	size_t size = 1;
	char *text, *at;

	for (size_t i = N_PORT_COUNTERS; i < sample->n_names; i++)
		size += strlen(sample->names[i]) + 1;
	text = at = malloc(size);
	if (text == NULL)
		return -ENOMEM;
	for (size_t i = N_PORT_COUNTERS; i < sample->n_names; i++)
		at += sprintf(at, "%s\n", sample->names[i]);
	*at = '\0';
	*ret = text;
	return 0;
}

static int note_names(struct history *history, const struct sample *sample, int64_t *ret,
                      struct status *status) {
	CLEANUP(freep) char *names = NULL;
	int rc;

	if ((rc = join_names(sample, &names)) < 0)
		return rc;
	if (history->names == NULL || strcmp(names, history->names) != 0) {
		if ((rc = db_prepare(history->db,
		                     "INSERT INTO name_set (names) VALUES (?) ON CONFLICT (names)"
		                     " DO UPDATE SET names = excluded.names RETURNING names_id",
		                     &history->note_names, status)) < 0 ||
		    (rc = db_bind(history->note_names, "t", names)) < 0 ||
		    (rc = db_next(history->note_names, status)) < 0)
			return rc;
		history->names_id = sqlite3_column_int64(history->note_names, 0);
		sqlite3_reset(history->note_names);
		free(history->names);
		history->names = names;
		names = NULL;
	}
	*ret = history->names_id;
	return 0;
}

// ---- rows

static bool has_basic_names(const struct sample *sample) {
	if (sample->n_names < N_PORT_COUNTERS)
		return false;
	for (size_t i = 0; i < N_PORT_COUNTERS; i++) {
		if (strcmp(sample->names[i], port_counters[i].name) != 0)
			return false;
	}
	return true;
}

int history_check_sample(const struct sample *sample, struct status *status) {
	if (!has_basic_names(sample))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "names: must begin with the %d basic counters", N_PORT_COUNTERS);
	return 0;
}

#define COUNTER(NAME, UNIT, HELP) ", " #NAME
static const char insert_row_sql[] =
        "INSERT OR IGNORE INTO port_sample (port_id, ts_ns, instance, seq, epoch, up"
#include "port_sample.def"
        ", names_id, extra) VALUES (?, ?, ?, ?, ?, ?"
#undef COUNTER
#define COUNTER(NAME, UNIT, HELP) ", ?"
#include "port_sample.def"
        ", ?, ?)";
#undef COUNTER

static int insert_row(struct history *history, const struct sample *sample, int64_t port_id,
                      const int64_t *names_id, const uint64_t *row, struct status *status) {
	sqlite3_stmt *statement = history->insert_row;
	size_t n_extra = sample->n_names - N_PORT_COUNTERS;
	int column = 6, rc;

	if ((rc = db_bind(statement, "iiiiii", port_id, (int64_t)row[1], (int64_t)sample->instance,
	                  (int64_t)row[0], sample->epoch, (int64_t)sample->up)) < 0)
		return rc;
	for (size_t i = 0; i < N_PORT_COUNTERS; i++)
		sqlite3_bind_int64(statement, ++column, (int64_t)row[2 + i]);
	if (n_extra > 0) {
		sqlite3_bind_int64(statement, ++column, *names_id);
		sqlite3_bind_blob(statement, ++column, row + 2 + N_PORT_COUNTERS,
		                  (int)(n_extra * sizeof(*row)), SQLITE_STATIC);
	} else {
		sqlite3_bind_null(statement, ++column);
		sqlite3_bind_null(statement, ++column);
	}
	return db_run(statement, status);
}

int history_add_sample(struct history *history, const struct sample *sample, struct sample_stored *ret,
                       struct status *status) {
	size_t width = 2 + sample->n_names;
	int64_t port_id = 0, names_id = 0;
	int rc;

	*ret = (struct sample_stored){0};
	if ((rc = history_check_sample(sample, status)) < 0)
		return rc;
	if (sample->n_rows == 0)
		return 0;
	if ((rc = note_port(history, sample, sample->rows + (sample->n_rows - 1) * width, &port_id, status)) <
	            0 ||
	    (rc = db_prepare(history->db, insert_row_sql, &history->insert_row, status)) < 0)
		return rc;
	if (sample->n_names > N_PORT_COUNTERS && (rc = note_names(history, sample, &names_id, status)) < 0)
		return rc;
	for (size_t i = 0; i < sample->n_rows; i++) {
		if ((rc = insert_row(history, sample, port_id, &names_id, sample->rows + i * width, status)) <
		    0)
			return rc;
		if (sqlite3_changes(history->db) > 0)
			ret->rows++;
		else
			ret->duplicates++;
	}
	return note_rows(history, sample, port_id, ret->rows, sample->rows[(sample->n_rows - 1) * width],
	                 status);
}

// ---- publishers

// A publisher tells its last row of each port: rows that never came show as lost by it.
static int note_hello_port(struct history *history, const struct hello *hello, const struct hello_port *port,
                           struct status *status) {
	sqlite3_stmt **statement = &history->note_hello_port;
	int64_t port_id;
	int rc;

	if ((rc = history_find_port(history, hello->host, port->name, &port_id, status)) <= 0)
		return rc;
	if ((rc = db_prepare(history->db,
	                     "UPDATE port_instance SET last_seq = max(last_seq, ?) WHERE port_id = ? AND "
	                     "instance = ?",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "iii", (int64_t)port->last_seq, port_id, (int64_t)hello->instance)) < 0)
		return rc;
	return db_run(*statement, status);
}

int history_add_hello(struct history *history, const char *host, uint64_t instance, int64_t now_ns,
                      const struct hello *hello, struct status *status) {
	static const char sql[] =
	        "INSERT INTO source (host, instance, interval_ns, dropped, last_ns) VALUES (?, ?, ?, ?, ?)"
	        " ON CONFLICT (host, instance) DO UPDATE SET last_ns = max(last_ns, excluded.last_ns),"
	        " interval_ns = CASE WHEN excluded.interval_ns > 0 THEN excluded.interval_ns ELSE "
	        "interval_ns END,"
	        " dropped = max(dropped, excluded.dropped)";
	int rc;

	if ((rc = db_prepare(history->db, sql, &history->note_source, status)) < 0 ||
	    (rc = db_bind(history->note_source, "tiiii", host, (int64_t)instance,
	                  hello != NULL ? (int64_t)hello->interval_ns : 0,
	                  hello != NULL ? (int64_t)hello->dropped : 0, now_ns)) < 0 ||
	    (rc = db_run(history->note_source, status)) < 0)
		return rc;
	for (size_t i = 0; hello != NULL && i < hello->n_ports; i++) {
		if ((rc = note_hello_port(history, hello, &hello->ports[i], status)) < 0)
			return rc;
	}
	return 0;
}

// ---- KPI series

int history_find_series(struct history *history, const char *link_id, enum directions direction, int64_t kpi,
                        int64_t *ret, struct status *status) {
	sqlite3_stmt **statement = &history->find_series;
	int rc;

	if ((rc = db_prepare(
	             history->db,
	             "SELECT series_id FROM kpi_series WHERE link_id = ? AND direction = ? AND kpi = ?",
	             statement, status)) < 0 ||
	    (rc = db_bind(*statement, "tii", link_id, (int64_t)direction, kpi)) < 0 ||
	    (rc = db_next(*statement, status)) <= 0)
		return rc;
	*ret = sqlite3_column_int64(*statement, 0);
	sqlite3_reset(*statement);
	return 1;
}

static int make_series(struct history *history, const char *link_id, enum directions direction, int64_t kpi,
                       int64_t *ret, struct status *status) {
	int rc;

	if ((rc = history_find_series(history, link_id, direction, kpi, ret, status)) != 0)
		return rc < 0 ? rc : 0;
	if ((rc = db_prepare(history->db, "INSERT INTO kpi_series (link_id, direction, kpi) VALUES (?, ?, ?)",
	                     &history->make_series, status)) < 0 ||
	    (rc = db_bind(history->make_series, "tii", link_id, (int64_t)direction, kpi)) < 0 ||
	    (rc = db_run(history->make_series, status)) < 0)
		return rc;
	*ret = sqlite3_last_insert_rowid(history->db);
	return 0;
}

// The time is there already: with the same value it is known, with another it conflicts.
static int compare_kpi(struct history *history, int64_t series_id, const struct kpi_point *point,
                       struct kpi_appended *ret, struct status *status) {
	int rc;

	if ((rc = db_prepare(history->db, "SELECT gbps FROM kpi_sample WHERE series_id = ? AND ts_ns = ?",
	                     &history->read_point, status)) < 0 ||
	    (rc = db_bind(history->read_point, "ii", series_id, point->ts_ns)) < 0 ||
	    (rc = db_next(history->read_point, status)) <= 0)
		return rc;
	if (sqlite3_column_double(history->read_point, 0) == point->gbps)
		ret->known++;
	else
		ret->conflicting++;
	sqlite3_reset(history->read_point);
	return 0;
}

int history_add_kpi(struct history *history, const char *link_id, enum directions direction, int64_t kpi,
                    enum kpi_source source, const struct kpi_point *points, size_t n_points,
                    struct kpi_appended *ret, struct status *status) {
	struct kpi_appended unused = {0};
	int64_t series_id;
	int rc;

	if (ret == NULL)
		ret = &unused;
	if ((rc = make_series(history, link_id, direction, kpi, &series_id, status)) < 0 ||
	    (rc = db_prepare(
	             history->db,
	             "INSERT OR IGNORE INTO kpi_sample (series_id, ts_ns, gbps, source) VALUES (?, ?, ?, ?)",
	             &history->insert_point, status)) < 0)
		return rc;
	for (size_t i = 0; i < n_points; i++) {
		if ((rc = db_bind(history->insert_point, "iidi", series_id, points[i].ts_ns, points[i].gbps,
		                  (int64_t)source)) < 0 ||
		    (rc = db_run(history->insert_point, status)) < 0)
			return rc;
		if (sqlite3_changes(history->db) > 0)
			ret->stored++;
		else if ((rc = compare_kpi(history, series_id, &points[i], ret, status)) < 0)
			return rc;
	}
	return 0;
}
