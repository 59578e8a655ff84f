// The check of both files: first pages and indexes, as SQLite knows them, then what is in them, as history reads it.
// SPDX-License-Identifier: MIT
#include "check_private.h"

#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FAULTS_A_FILE  "1000"
#define STEPS_PER_LOOK 100000 // of SQLite's virtual machine
#define FINDING_SIZE   1024

static void check_fini(struct check *check) {
	for (size_t i = 0; i < check->n_damaged; i++)
		free(check->damaged[i]);
	free(check->damaged);
}

void check_find(struct check *check, const char *format, ...) {
	char text[FINDING_SIZE];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	if (check->watch->finding != NULL)
		check->watch->finding(check->watch->context, text);
}

int check_go_on(struct check *check) {
	if (check->watch->progress != NULL &&
	    !check->watch->progress(check->watch->context, check->done, check->total))
		check->gave_up = true;
	return check->gave_up ? -ECANCELED : 0;
}

// ---- pages and indexes

static int look(void *context) {
	return check_go_on(context) < 0; // ends the statement
}

// What SQLite can't even read is a finding too; that a file can't be opened is not.
static int check_pages(struct check *check, const char *path) {
	CLEANUP(db_closep) sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	struct status fault = {.message = ""};
	int result = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL), rc;

	if (result != SQLITE_OK) {
		rc = db_error(db, result, NULL);
		(void)status_set(check->status, STATUS_FAILED_PRECONDITION, "%s: %s", path,
		                 sqlite3_errstr(result));
		return rc;
	}
	sqlite3_progress_handler(db, STEPS_PER_LOOK, look, check);
	rc = db_prepare(db, "PRAGMA integrity_check(" FAULTS_A_FILE ")", &statement, &fault);
	while (rc >= 0 && (rc = db_next(statement, &fault)) > 0) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);

		if (strcmp(text, "ok") != 0)
			check_find(check, "%s: %s", path, text);
	}
	if (check->gave_up)
		return -ECANCELED;
	if (rc == -EBADMSG) {
		check_find(check, "%s", fault.message);
		return 0;
	}
	if (rc < 0)
		*check->status = fault;
	return rc;
}

// ---- chunks

static int note_damaged(struct check *check, const char *series) {
	char **moved = reallocarray(check->damaged, check->n_damaged + 1, sizeof(*moved));

	if (moved == NULL)
		return -ENOMEM;
	check->damaged = moved;
	moved[check->n_damaged] = strdup(series);
	return moved[check->n_damaged++] != NULL ? 0 : -ENOMEM;
}

bool check_is_damaged(const struct check *check, const char *series) {
	for (size_t i = 0; i < check->n_damaged; i++) {
		if (strcmp(check->damaged[i], series) == 0)
			return true;
	}
	return false;
}

static int check_chunk(void *context, const struct chunk_report *chunk) {
	struct check *check = context;
	char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
	int rc;

	check->done += (int64_t)chunk->size;
	if (chunk->rc < 0) {
		check_find(check, "chunk %" PRId64 " of %s, level %s, %s to %s: %s", chunk->chunk_id,
		           chunk->series, history_levels[chunk->level].name,
		           text_from_time_ns(chunk->from_ns, from), text_from_time_ns(chunk->to_ns, to),
		           chunk->what);
		if (!check_is_damaged(check, chunk->series) && (rc = note_damaged(check, chunk->series)) < 0)
			return rc;
	}
	return check_go_on(check);
}

// ---- history

// What history says of the tail; of a chunk check_chunk() has told.
static void tell(void *context, const char *text) {
	if (strncmp(text, "chunk ", 6) != 0)
		check_find(context, "%s", text);
}

static int check_history(struct check *check, const char *path) {
	const struct history_options options = {.report = tell, .report_context = check};
	CLEANUP(history_closep) struct history *history = NULL;
	int rc;

	if ((rc = history_open_with(path, &options, &history, check->status)) < 0)
		return rc;
	if ((rc = history_read_begin(history, check->status)) < 0)
		return rc;
	if ((rc = history_each_chunk(history, check_chunk, check, check->status)) == 0)
		rc = check_levels(check, history);
	history_read_end(history);
	return rc;
}

// ---- all of it

static int64_t size_of(const char *path) {
	struct stat file;

	return stat(path, &file) == 0 ? file.st_size : 0;
}

int upkeep_check(const struct upkeep_files *files, const struct upkeep_watch *watch, struct status *status) {
	CLEANUP(check_fini) struct check check = {.watch = watch, .status = status};
	const int64_t state_size = size_of(files->state_path), history_size = size_of(files->history_path);
	int rc;

	check.total = state_size + 2 * history_size; // history is read as pages, then as chunks
	if ((rc = check_pages(&check, files->state_path)) < 0)
		return rc;
	check.done = state_size;
	if ((rc = check_pages(&check, files->history_path)) < 0)
		return rc;
	check.done = state_size + history_size;
	rc = check_history(&check, files->history_path);
	if (rc != -EBADMSG)
		return rc;
	check_find(&check, "%s; what is behind it was not read", status->message);
	return 0;
}
