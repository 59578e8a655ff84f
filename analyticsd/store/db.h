// db.h: what history.c and state.c share of SQLite: opening with a schema version, statements, errors.
// Nothing outside store/ knows that this is SQLite. A handle and its statements belong to one thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "status.h"

#ifdef LINKCAST_SQLITE_EXTENSION
// In an extension (analyticsd/sql): by the functions of the program that loaded it, whichever copy of SQLite that is.
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT3
#else
#include <sqlite3.h>
#endif
#include <stdint.h>

enum db_mode { DB_READ, DB_WRITE };

struct db_schema {
	const char *name;              // of the file, for messages
	const char *const *migrations; // [i] brings version i to i + 1; each runs in one transaction
	int n_migrations;
	const char *synchronous; // "NORMAL" or "FULL"
	// what SQL alone can't bring from 'version' on, after its SQL and in its transaction; NULL: nothing
	int (*convert)(sqlite3 *db, int version, struct status *status);
};

// Opens (a writer also creates) the database at 'path' in WAL mode and, as writer, brings it to the newest
// version. Returns 0, -ENOTSUP when a newer release wrote it, or another negative errno, all with 'status'.
int db_open(const char *path, enum db_mode mode, const struct db_schema *schema, sqlite3 **ret,
            struct status *status);
void db_close(sqlite3 *);
DEFINE_CLEANUP(sqlite3 *, db_close)

// The negative errno of an SQLite result, with what SQLite says of it in 'status' (NULL is fine).
int db_error(sqlite3 *db, int result, struct status *status);

// Prepares, once: '*statement' keeps it for the next time. Finalized by db_close(). Returns 0 or as
// db_error().
int db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement, struct status *status);

// Binds values in order: 'i' int64_t, 'd' double (NaN is NULL), 't' const char * (NULL is NULL). The text
// must live until the statement was run. Returns 0 or as db_error().
int db_bind(sqlite3_stmt *statement, const char *kinds, ...);

// Both for a statement that is not kept: the caller finalizes '*ret', also after an error. Returns 0 or as db_error().
int db_query(sqlite3 *db, sqlite3_stmt **ret, struct status *status, const char *sql, const char *kinds, ...);

// Runs a statement that returns no row, and resets it.
int db_run(sqlite3_stmt *statement, struct status *status);

// Steps to the next row: 1 a row, 0 the end (the statement is reset), or as db_error().
int db_next(sqlite3_stmt *statement, struct status *status);

int db_execute(sqlite3 *db, const char *sql, struct status *status);
