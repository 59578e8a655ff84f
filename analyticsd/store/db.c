// SQLite handles: pragmas, schema versions, and result codes that end here.
// SPDX-License-Identifier: MIT
#include "db.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BUSY_TIMEOUT_MS 5000

static const struct {
	int result;
	int error;
	enum status_code code;
} results[] = {
        {SQLITE_FULL, ENOSPC, STATUS_RESOURCE_EXHAUSTED},
        {SQLITE_NOMEM, ENOMEM, STATUS_RESOURCE_EXHAUSTED},
        {SQLITE_BUSY, EBUSY, STATUS_UNAVAILABLE},
        {SQLITE_READONLY, EROFS, STATUS_FAILED_PRECONDITION},
        {SQLITE_PERM, EACCES, STATUS_FAILED_PRECONDITION},
        {SQLITE_CANTOPEN, ENOENT, STATUS_FAILED_PRECONDITION},
        {SQLITE_CONSTRAINT, EEXIST, STATUS_ALREADY_EXISTS},
        {SQLITE_CORRUPT, EBADMSG, STATUS_INTERNAL},
        {SQLITE_NOTADB, EBADMSG, STATUS_INTERNAL},
};

int db_error(sqlite3 *db, int result, struct status *status) {
	const char *path = db != NULL ? sqlite3_db_filename(db, "main") : NULL;
	const char *text = db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(result);

	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
		if (results[i].result == (result & 0xff)) {
			status_set(status, results[i].code, "%s: %s", path != NULL ? path : "database", text);
			return -results[i].error;
		}
	}
	status_set(status, STATUS_INTERNAL, "%s: %s", path != NULL ? path : "database", text);
	return -EIO;
}

void db_close(sqlite3 *db) {
	sqlite3_stmt *statement;

	if (db == NULL)
		return;
	while ((statement = sqlite3_next_stmt(db, NULL)) != NULL)
		sqlite3_finalize(statement);
	sqlite3_close(db);
}

int db_execute(sqlite3 *db, const char *sql, struct status *status) {
	int result = sqlite3_exec(db, sql, NULL, NULL, NULL);

	return result == SQLITE_OK ? 0 : db_error(db, result, status);
}

static int read_version(sqlite3 *db, int *ret, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(db, "PRAGMA user_version", &statement, status)) < 0)
		return rc;
	rc = db_next(statement, status);
	if (rc > 0)
		*ret = sqlite3_column_int(statement, 0);
	sqlite3_finalize(statement);
	return rc < 0 ? rc : 0;
}

static int migrate_one(sqlite3 *db, const struct db_schema *schema, int version, struct status *status) {
	char pragma[64];
	int rc;

	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", version + 1);
	if ((rc = db_execute(db, "BEGIN IMMEDIATE", status)) < 0)
		return rc;
	if ((rc = db_execute(db, schema->migrations[version], status)) < 0 ||
	    (schema->convert != NULL && (rc = schema->convert(db, version, status)) < 0) ||
	    (rc = db_execute(db, pragma, status)) < 0 || (rc = db_execute(db, "COMMIT", status)) < 0)
		(void)db_execute(db, "ROLLBACK", NULL);
	return rc;
}

static int migrate(sqlite3 *db, const char *path, enum db_mode mode, const struct db_schema *schema,
                   struct status *status) {
	int version = 0, rc;

	if ((rc = read_version(db, &version, status)) < 0)
		return rc;
	if (version > schema->n_migrations) {
		status_set(status, STATUS_FAILED_PRECONDITION,
		           "%s: version %d, written by a newer release (this one knows %d)", path, version,
		           schema->n_migrations);
		return -ENOTSUP;
	}
	if (mode == DB_READ && version < schema->n_migrations)
		return status_set(status, STATUS_FAILED_PRECONDITION,
		                  "%s: version %d has not been brought to %d", path, version,
		                  schema->n_migrations);
	for (; version < schema->n_migrations; version++) {
		if ((rc = migrate_one(db, schema, version, status)) < 0)
			return rc;
	}
	return 0;
}

static int configure(sqlite3 *db, enum db_mode mode, const struct db_schema *schema, struct status *status) {
	char pragmas[160];

	sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
	sqlite3_extended_result_codes(db, 1);
	snprintf(pragmas, sizeof(pragmas),
	         "PRAGMA synchronous = %s; PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY;",
	         schema->synchronous);
	if (mode == DB_WRITE) {
		int rc = db_execute(db, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;",
		                    status);

		if (rc < 0)
			return rc;
	}
	return db_execute(db, pragmas, status);
}

int db_open(const char *path, enum db_mode mode, const struct db_schema *schema, sqlite3 **ret,
            struct status *status) {
	CLEANUP(db_closep) sqlite3 *db = NULL;
	int flags = SQLITE_OPEN_NOMUTEX |
	            (mode == DB_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
	int result, rc;

	result = sqlite3_open_v2(path, &db, flags, NULL);
	if (result != SQLITE_OK) {
		rc = db_error(db, result, NULL);
		status_set(status, STATUS_FAILED_PRECONDITION, "%s: %s", path,
		           db != NULL ? sqlite3_errmsg(db) : "no memory");
		return rc;
	}
	// SQLite opens a file that it may only read as read-only, and says so at the first write: say it now.
	if (mode == DB_WRITE && sqlite3_db_readonly(db, "main") == 1) {
		status_set(status, STATUS_FAILED_PRECONDITION, "%s: cannot be written", path);
		return -EROFS;
	}
	if ((rc = configure(db, mode, schema, status)) < 0 ||
	    (rc = migrate(db, path, mode, schema, status)) < 0)
		return rc;
	*ret = db;
	db = NULL;
	return 0;
}

int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement, struct status *status) {
	int result;

	if (*statement != NULL)
		return 0;
	result = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
	return result == SQLITE_OK ? 0 : db_error(db, result, status);
}

static int bind_one(sqlite3_stmt *statement, int index, char kind, va_list *values) {
	const char *text;
	double real;

	switch (kind) {
	case 'i':
		return sqlite3_bind_int64(statement, index, va_arg(*values, int64_t));
	case 'd':
		real = va_arg(*values, double);
		return isnan(real) ? sqlite3_bind_null(statement, index)
		                   : sqlite3_bind_double(statement, index, real);
	case 't':
		text = va_arg(*values, const char *);
		return text == NULL ? sqlite3_bind_null(statement, index)
		                    : sqlite3_bind_text(statement, index, text, -1, SQLITE_STATIC);
	default:
		return SQLITE_MISUSE;
	}
}

static int bind_all(sqlite3_stmt *statement, const char *kinds, va_list *values) {
	int result = SQLITE_OK;

	for (int i = 0; kinds[i] != '\0' && result == SQLITE_OK; i++)
		result = bind_one(statement, i + 1, kinds[i], values);
	return result == SQLITE_OK ? 0 : db_error(sqlite3_db_handle(statement), result, NULL);
}

int db_bind(sqlite3_stmt *statement, const char *kinds, ...) {
	va_list values;
	int rc;

	va_start(values, kinds);
	rc = bind_all(statement, kinds, &values);
	va_end(values);
	return rc;
}

int db_query(sqlite3 *db, sqlite3_stmt **ret, struct status *status, const char *sql, const char *kinds,
             ...) {
	va_list values;
	int rc = db_prepare(db, sql, ret, status);

	va_start(values, kinds);
	if (rc == 0)
		rc = bind_all(*ret, kinds, &values);
	va_end(values);
	return rc;
}

int db_run(sqlite3_stmt *statement, struct status *status) {
	int result = sqlite3_step(statement);
	int rc = result == SQLITE_DONE || result == SQLITE_ROW
	                 ? 0
	                 : db_error(sqlite3_db_handle(statement), result, status);

	sqlite3_reset(statement);
	return rc;
}

int db_next(sqlite3_stmt *statement, struct status *status) {
	int result = sqlite3_step(statement);
	int rc;

	if (result == SQLITE_ROW)
		return 1;
	rc = result == SQLITE_DONE ? 0 : db_error(sqlite3_db_handle(statement), result, status);
	sqlite3_reset(statement);
	return rc;
}
