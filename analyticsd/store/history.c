// history.db: its tables and versions, and transactions.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include "clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SWEEP_EVERY 64 // commits after which a reader whose memory is full looks for what was sealed

#define DAY_NS (86400 * NS_PER_SECOND)

const struct history_level_kind history_levels[N_LEVELS] = {
        [LEVEL_AUTO] = {"auto", 0, 0},
        [LEVEL_RAW] = {"raw", 0, 2 * DAY_NS},
        [LEVEL_SECOND] = {"1s", NS_PER_SECOND, 14 * DAY_NS},
        [LEVEL_MINUTE] = {"1min", 60 * NS_PER_SECOND, 365 * DAY_NS},
        [LEVEL_HOUR] = {"1h", 3600 * NS_PER_SECOND, HISTORY_FOREVER},
};

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
        // Rows become a tail and chunks (history_upgrade.c moves them). A negative tail_id is a damaged commit that was
        // set aside. port_instance counts sealed rows from here on.
        "CREATE TABLE tail (tail_id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
        "CREATE TABLE sealed (series INTEGER PRIMARY KEY, tail_id INTEGER NOT NULL);"
        "CREATE TABLE expired (series INTEGER NOT NULL, level INTEGER NOT NULL, to_ns INTEGER NOT NULL,"
        " PRIMARY KEY (series, level)) WITHOUT ROWID;"
        "CREATE TABLE chunk (chunk_id INTEGER PRIMARY KEY, series INTEGER NOT NULL, level INTEGER NOT NULL,"
        " from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL, n_rows INTEGER NOT NULL, dense INTEGER NOT NULL,"
        " data BLOB NOT NULL);"
        "CREATE INDEX chunk_by_time ON chunk (series, level, to_ns, from_ns, n_rows, dense);"
        "ALTER TABLE port_instance ADD COLUMN stored_seq INTEGER NOT NULL DEFAULT 0;"
        "UPDATE port_instance SET n_rows = 0;",
        // The tail becomes pages of a journal (history_upgrade.c seals what it has). What was set aside as damaged stays, at
        // negative places.
        "ALTER TABLE tail RENAME TO tail_of_version_3;"
        "CREATE TABLE tail (place INTEGER PRIMARY KEY, data BLOB NOT NULL);"
        "INSERT INTO tail SELECT tail_id, data FROM tail_of_version_3 WHERE tail_id < 0;",
};
#undef COUNTER

static const struct db_schema schema = {
        .name = "history.db",
        .migrations = migrations,
        .n_migrations = sizeof(migrations) / sizeof(migrations[0]),
        .synchronous = "NORMAL",
        .convert = history_convert,
};

// ---- what is damaged

void history_report(struct history *history, int64_t id, const char *format, ...) {
	char text[STATUS_MESSAGE_SIZE];
	int64_t *moved;
	va_list values;

	for (size_t i = 0; i < history->n_reported; i++) {
		if (history->reported[i] == id)
			return;
	}
	moved = realloc(history->reported, (history->n_reported + 1) * sizeof(*moved));
	if (moved != NULL) {
		history->reported = moved;
		moved[history->n_reported++] = id;
	}
	if (history->options.report == NULL)
		return;
	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	history->options.report(history->options.report_context, text);
}

// ---- the tail in memory

static int read_sealed(struct history *history, int64_t series, int64_t *ret, struct status *status) {
	int rc;

	*ret = 0;
	if ((rc = db_prepare(history->db, "SELECT tail_id FROM sealed WHERE series = ?",
	                     &history->read_sealed, status)) < 0 ||
	    (rc = db_bind(history->read_sealed, "i", series)) < 0 ||
	    (rc = db_next(history->read_sealed, status)) <= 0)
		return rc;
	*ret = sqlite3_column_int64(history->read_sealed, 0);
	sqlite3_reset(history->read_sealed);
	return 0;
}

// Rows that are in chunks leave.
static int drop_sealed(struct history *history, struct open_series *open, struct status *status) {
	int64_t sealed_id;
	int rc;

	if (open->rows.n == 0)
		return 0;
	if ((rc = read_sealed(history, open->series, &sealed_id, status)) < 0)
		return rc;
	if (open_commit(open, 0) <= sealed_id)
		tail_trim_series(&history->tail, open, sealed_id + 1);
	return 0;
}

int history_open_rows(struct history *history, int64_t series, struct open_series **ret,
                      struct status *status) {
	int rc;

	*ret = tail_find(&history->tail, series);
	if (*ret != NULL && !history->options.write && (rc = drop_sealed(history, *ret, status)) < 0)
		return rc;
	if (*ret != NULL && (*ret)->rows.n == 0)
		*ret = NULL;
	return 0;
}

int history_take_sealed(struct history *history, struct status *status) {
	sqlite3_stmt **statement = &history->each_sealed;
	int rc;

	if ((rc = db_prepare(history->db, "SELECT series, tail_id FROM sealed", statement, status)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		struct open_series *open = tail_get(&history->tail, sqlite3_column_int64(*statement, 0));
		int64_t sealed_id = sqlite3_column_int64(*statement, 1);

		if (open == NULL) {
			rc = -ENOMEM;
			break;
		}
		if (sealed_id <= open->sealed_id)
			continue;
		open->sealed_id = sealed_id;
		tail_trim_series(&history->tail, open, sealed_id + 1);
	}
	sqlite3_reset(*statement);
	history->swept_id = history->read_id;
	return rc;
}

// The writer's memory as the file says.
static int recover(struct history *history, struct status *status) {
	sqlite3_stmt *newest = NULL;
	int rc;

	history->loaded.chunk_id = 0;
	if ((rc = history_load_tail(history, status)) < 0)
		return rc;
	if ((rc = db_prepare(history->db, "SELECT max(tail_id) FROM sealed", &newest, status)) < 0)
		return rc;
	rc = db_next(newest, status);
	history->tail.id = history->read_id + 1;
	if (rc > 0 && sqlite3_column_int64(newest, 0) >= history->tail.id)
		history->tail.id = sqlite3_column_int64(newest, 0) + 1;
	sqlite3_finalize(newest);
	history->forgotten = false;
	return rc < 0 ? rc : 0;
}

// ---- opening

static void set_defaults(struct history_options *options) {
	if (options->memory == 0)
		options->memory = HISTORY_MEMORY;
	for (int level = LEVEL_RAW; level < N_LEVELS; level++) {
		if (options->keep_ns[level] == 0)
			options->keep_ns[level] = history_levels[level].default_keep_ns;
	}
}

static int configure(struct history *history, struct status *status) {
	// what the tail writes is mostly dropped again before a checkpoint would move it into the file
	int rc = db_execute(history->db, "PRAGMA cache_size = -8000; PRAGMA wal_autocheckpoint = 16000;",
	                    status);

	if (rc == 0 && history->options.full_sync)
		rc = db_execute(history->db, "PRAGMA synchronous = FULL", status);
	return rc;
}

int history_open_with(const char *path, const struct history_options *options, struct history **ret,
                      struct status *status) {
	CLEANUP(history_closep) struct history *history = calloc(1, sizeof(*history));
	int rc;

	if (history == NULL)
		return -ENOMEM;
	history->options = *options;
	set_defaults(&history->options);
	if ((rc = db_open(path, options->write ? DB_WRITE : DB_READ, &schema, &history->db, status)) < 0 ||
	    (rc = configure(history, status)) < 0 ||
	    (rc = archive_open(history->db, &history->archive)) < 0 ||
	    (options->write && (rc = recover(history, status)) < 0))
		return rc;
	*ret = history;
	history = NULL;
	return 0;
}

void history_set_keep(struct history *history, const int64_t keep_ns[N_LEVELS]) {
	memcpy(history->options.keep_ns, keep_ns, sizeof(history->options.keep_ns));
	set_defaults(&history->options);
}

int history_open(const char *path, bool write, struct history **ret, struct status *status) {
	return history_open_with(path, &(struct history_options){.write = write}, ret, status);
}

void history_close(struct history *history) {
	if (history == NULL)
		return;
	history_forget_ports(history);
	history_forget_links(history);
	history_forget_names(history);
	archive_close(history->archive);
	db_close(history->db);
	tail_fini(&history->tail);
	tail_file_fini(&history->tail_file);
	chunk_writer_fini(&history->writer);
	rows_fini(&history->loaded.rows);
	free(history->reported);
	free(history);
}

// ---- writing

int history_begin(struct history *history, struct status *status) {
	int rc;

	if (history->forgotten && (rc = recover(history, status)) < 0)
		return rc;
	if ((rc = db_execute(history->db, "BEGIN IMMEDIATE", status)) < 0)
		return rc;
	history->writing = true;
	history->sealed = false;
	return 0;
}

int history_commit(struct history *history, struct status *status) {
	int rc;

	if ((rc = history_seal_due(history, status)) < 0 || (rc = history_write_tail(history, status)) < 0)
		return rc;
	history->archive->ops->release(history->archive);
	if ((rc = db_execute(history->db, "COMMIT", status)) < 0)
		return rc;
	history->writing = false;
	tail_commit(&history->tail);
	return 0;
}

void history_rollback(struct history *history) {
	history->archive->ops->release(history->archive);
	(void)db_execute(history->db, "ROLLBACK", NULL);
	history->writing = false;
	history->loaded.chunk_id = 0;
	history_forget_tail(history);
	history_forget_ports(history);
	history_forget_links(history);
	history_forget_names(history); // their ids may be given again
	if (history->sealed)
		history->forgotten = true; // the file knows what is open
	else
		tail_rollback(&history->tail);
}

// ---- reading

static int read_version(struct history *history, int64_t *ret, struct status *status) {
	int rc;

	if ((rc = db_prepare(history->db, "PRAGMA data_version", &history->data_version, status)) < 0 ||
	    (rc = db_next(history->data_version, status)) < 0)
		return rc;
	*ret = sqlite3_column_int64(history->data_version, 0);
	sqlite3_reset(history->data_version);
	return 0;
}

static int begin_reading(struct history *history, struct status *status) {
	int64_t version;
	int rc;

	if ((rc = db_execute(history->db, "BEGIN", status)) < 0)
		return rc;
	if ((rc = read_version(history, &version, status)) == 0 && version != history->version) {
		history->loaded.chunk_id = 0;
		if ((rc = history_follow(history, status)) == 0)
			history->version = version;
		// rows of series that nobody asks for leave, too
		if (rc == 0 && history->tail.size > history->options.memory &&
		    history->read_id - history->swept_id >= SWEEP_EVERY)
			rc = history_take_sealed(history, status);
	}
	if (rc < 0)
		(void)db_execute(history->db, "COMMIT", NULL);
	return rc;
}

static void end_reading(struct history *history) {
	history->archive->ops->release(history->archive);
	(void)db_execute(history->db, "COMMIT", NULL);
}

int history_enter(struct history *history, struct status *status) {
	if (history->forgotten && !history->writing)
		return recover(history, status);
	return history->options.write || history->reading ? 0 : begin_reading(history, status);
}

void history_leave(struct history *history) {
	if (history->options.write)
		history->archive->ops->release(history->archive);
	else if (!history->reading)
		end_reading(history);
}

int history_read_begin(struct history *history, struct status *status) {
	int rc = history->options.write ? 0 : begin_reading(history, status);

	history->reading = rc == 0;
	return rc;
}

void history_read_end(struct history *history) {
	if (history->reading && !history->options.write)
		end_reading(history);
	history->reading = false;
}
