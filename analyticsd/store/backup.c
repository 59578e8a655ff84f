// SQLite's online backup. The reading transaction that is open meanwhile keeps the source as it is: without it each
// commit of the writer would begin the copy anew.
// SPDX-License-Identifier: MIT
#include "backup.h"

#include "db.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PAGES_A_STEP    256
#define BUSY_TIMEOUT_MS 5000
#define FILE_MODE       0640

struct backup {
	char to[PATH_MAX], partial[PATH_MAX];
	bool made; // the partial file is ours
	sqlite3 *source, *target;
	sqlite3_backup *copy;
	int64_t page_size;
};

static int path_error(const char *path, int error, struct status *status) {
	(void)status_set(status, error == EEXIST ? STATUS_ALREADY_EXISTS : STATUS_FAILED_PRECONDITION,
	                 "%s: %s", path, strerror(error));
	return -error;
}

static int open_source(const char *from, sqlite3 **ret, struct status *status) {
	int result = sqlite3_open_v2(from, ret, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL);

	if (result != SQLITE_OK) {
		int rc = db_error(*ret, result, NULL);

		(void)status_set(status, STATUS_FAILED_PRECONDITION, "%s: %s", from, sqlite3_errstr(result));
		return rc;
	}
	sqlite3_busy_timeout(*ret, BUSY_TIMEOUT_MS);
	return db_execute(*ret, "BEGIN; SELECT count(*) FROM sqlite_schema", status);
}

static int open_target(struct backup *backup, struct status *status) {
	int fd, result;

	if (access(backup->to, F_OK) == 0)
		return path_error(backup->to, EEXIST, status);
	fd = open(backup->partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return path_error(backup->partial, errno, status);
	close(fd);
	backup->made = true;
	result = sqlite3_open_v2(backup->partial, &backup->target,
	                         SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (result != SQLITE_OK)
		return db_error(backup->target, result, status);
	// It has no name yet: there is nothing to take back, and one sync at the end is enough.
	return db_execute(backup->target, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", status);
}

static int read_page_size(struct backup *backup, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(backup->source, "PRAGMA page_size", &statement, status)) < 0)
		return rc;
	if ((rc = db_next(statement, status)) > 0)
		backup->page_size = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return rc < 0 ? rc : 0;
}

int backup_open(const char *from, const char *to, struct backup **ret, struct status *status) {
	CLEANUP(backup_closep) struct backup *backup = calloc(1, sizeof(*backup));
	int rc;

	if (backup == NULL)
		return -ENOMEM;
	if ((size_t)snprintf(backup->to, sizeof(backup->to), "%s", to) >= sizeof(backup->to) ||
	    (size_t)snprintf(backup->partial, sizeof(backup->partial), "%s.partial", to) >=
	            sizeof(backup->partial))
		return path_error(to, ENAMETOOLONG, status);
	if ((rc = open_source(from, &backup->source, status)) < 0 ||
	    (rc = read_page_size(backup, status)) < 0 || (rc = open_target(backup, status)) < 0)
		return rc;
	backup->copy = sqlite3_backup_init(backup->target, "main", backup->source, "main");
	if (backup->copy == NULL)
		return db_error(backup->target, sqlite3_errcode(backup->target), status);
	*ret = backup;
	backup = NULL;
	return 0;
}

// Ends the copying.
static void close_databases(struct backup *backup) {
	(void)sqlite3_backup_finish(backup->copy);
	db_close(backup->target);
	db_close(backup->source);
	backup->copy = NULL;
	backup->target = backup->source = NULL;
}

void backup_close(struct backup *backup) {
	if (backup == NULL)
		return;
	close_databases(backup);
	if (backup->made)
		unlink(backup->partial);
	free(backup);
}

int backup_step(struct backup *backup, struct status *status) {
	int result = sqlite3_backup_step(backup->copy, PAGES_A_STEP);

	if (result == SQLITE_DONE)
		return 0;
	if (result == SQLITE_OK || result == SQLITE_BUSY || result == SQLITE_LOCKED)
		return 1;
	return db_error(backup->target, result, status);
}

int64_t backup_done(const struct backup *backup) {
	return backup_size(backup) - sqlite3_backup_remaining(backup->copy) * backup->page_size;
}

int64_t backup_size(const struct backup *backup) {
	return sqlite3_backup_pagecount(backup->copy) * backup->page_size;
}

static int sync_path(const char *path, int flags, struct status *status) {
	int fd = open(path, flags | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return path_error(path, errno, status);
	if (fsync(fd) < 0)
		rc = path_error(path, errno, status);
	close(fd);
	return rc;
}

int backup_finish(struct backup *backup, struct status *status) {
	char folder[PATH_MAX];
	int rc;

	(void)sqlite3_backup_finish(backup->copy); // its steps told what went wrong
	backup->copy = NULL;
	// Out of the write-ahead mode that the source is in: what only reads the copy then leaves no files beside it. The
	// daemon goes back to it.
	if ((rc = db_execute(backup->target, "PRAGMA journal_mode = DELETE", status)) < 0)
		return rc;
	close_databases(backup);
	if ((rc = sync_path(backup->partial, O_RDONLY, status)) < 0)
		return rc;
	if (renameat2(AT_FDCWD, backup->partial, AT_FDCWD, backup->to, RENAME_NOREPLACE) < 0)
		return path_error(backup->to, errno, status);
	backup->made = false;
	strcpy(folder, backup->to);
	return sync_path(dirname(folder), O_RDONLY | O_DIRECTORY, status);
}
