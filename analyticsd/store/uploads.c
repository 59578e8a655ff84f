// Uploads in parts: what has come of one is kept in state.db until its last part, so that it is taken whole or not at
// all.
// SPDX-License-Identifier: MIT
#include "state_private.h"

#include "clock.h"

#define PAGES_AT_ONCE      2000
#define PAGES_AT_ONCE_TEXT "2000"
#define UPLOAD_KEPT_NS     (3600 * NS_PER_SECOND) // parts of an upload that was never finished

struct upload_size {
	int64_t part, parts, bytes; // of the newest part, and all before it
};

static int measure_upload(struct state *state, const char *upload_id, struct upload_size *ret,
                          struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(
	             state->db,
	             "SELECT part, parts, bytes FROM upload WHERE upload_id = ? ORDER BY part DESC LIMIT 1",
	             &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "t", upload_id);
	if (rc == 0 && (rc = db_next(statement, status)) > 0) {
		ret->part = sqlite3_column_int64(statement, 0);
		ret->parts = sqlite3_column_int64(statement, 1);
		ret->bytes = sqlite3_column_int64(statement, 2);
		rc = 0;
	}
	sqlite3_finalize(statement);
	return rc;
}

static int insert_part(struct state *state, const struct upload_part *part, int64_t bytes, int64_t now_ns,
                       struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(state->db,
	                     "INSERT INTO upload (upload_id, part, parts, kept_ns, bytes, frame) VALUES (?, "
	                     "?, ?, ?, ?, ?)",
	                     &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "tiiii", part->upload_id, part->part, part->parts, now_ns, bytes);
	if (rc == 0) {
		sqlite3_bind_blob(statement, 6, part->frame, (int)part->size, SQLITE_STATIC);
		rc = db_run(statement, status);
	}
	sqlite3_finalize(statement);
	return rc;
}

static int forget_old_uploads(struct state *state, int64_t now_ns, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(state->db, "DELETE FROM upload WHERE kept_ns < ?", &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "i", now_ns - UPLOAD_KEPT_NS);
	if (rc == 0)
		rc = db_run(statement, status);
	sqlite3_finalize(statement);
	return rc;
}

static int forget_upload(struct state *state, const char *upload_id, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(state->db, "DELETE FROM upload WHERE upload_id = ?", &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "t", upload_id);
	if (rc == 0)
		rc = db_run(statement, status);
	sqlite3_finalize(statement);
	return rc;
}

int state_keep_part(struct state *state, const struct upload_part *part, int64_t now_ns,
                    struct status *status) {
	struct upload_size upload = {0};
	int rc;

	if ((rc = state_begin(state, status)) < 0)
		return rc;
	rc = forget_old_uploads(state, now_ns, status);
	if (rc == 0 && part->part == 1)
		rc = forget_upload(state, part->upload_id, status); // a client that starts again
	if (rc == 0)
		rc = measure_upload(state, part->upload_id, &upload, status);
	if (rc == 0 && (part->part != upload.part + 1 || (upload.part > 0 && upload.parts != part->parts)))
		rc = status_set(status, STATUS_FAILED_PRECONDITION, "upload '%s': part %d of %d expected",
		                part->upload_id, (int)upload.part + 1,
		                (int)(upload.part > 0 ? upload.parts : part->parts));
	if (rc == 0 && upload.bytes + (int64_t)part->size > LIMIT_UPLOAD_SIZE)
		rc = status_set(status, STATUS_RESOURCE_EXHAUSTED, "upload '%s': over %d bytes",
		                part->upload_id, LIMIT_UPLOAD_SIZE);
	if (rc == 0)
		rc = insert_part(state, part, upload.bytes + (int64_t)part->size, now_ns, status);
	return state_end(state, rc, status);
}

int state_each_part(struct state *state, const char *upload_id,
                    int (*each)(void *context, const void *frame, size_t size), void *context,
                    struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(state->db, "SELECT frame FROM upload WHERE upload_id = ? ORDER BY part",
	                     &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "t", upload_id);
	while (rc >= 0 && (rc = db_next(statement, status)) > 0)
		rc = each(context, sqlite3_column_blob(statement, 0),
		          (size_t)sqlite3_column_bytes(statement, 0));
	sqlite3_finalize(statement);
	return rc;
}

// Pages in steps, each a transaction of its own, so that nobody waits long.
static int give_pages_back(struct state *state, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int64_t n_free = 0;
	int rc;

	if ((rc = db_prepare(state->db, "PRAGMA freelist_count", &statement, status)) < 0)
		return rc;
	if ((rc = db_next(statement, status)) > 0)
		n_free = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	for (; rc >= 0 && n_free > 0; n_free -= PAGES_AT_ONCE)
		rc = db_execute(state->db, "PRAGMA incremental_vacuum(" PAGES_AT_ONCE_TEXT ")", status);
	return rc < 0 ? rc : 0;
}

int state_forget_upload(struct state *state, const char *upload_id, struct status *status) {
	int rc = forget_upload(state, upload_id, status);

	return rc < 0 ? rc : give_pages_back(state, status);
}
