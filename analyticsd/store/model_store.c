// The table trained_model.
// SPDX-License-Identifier: MIT
#include "model_store.h"

#include "state_private.h"

#include <errno.h>

static void bind_bytes(sqlite3_stmt *statement, int index, const struct bytes *bytes) {
	sqlite3_bind_blob64(statement, index, bytes->data, bytes->size, SQLITE_STATIC);
}

// Counted in the statement, so that two handles can't both take the last place.
int model_store_put(struct state *state, const struct stored_model *model, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(
	             state->db,
	             "INSERT OR REPLACE INTO trained_model (model_id, link_id, direction, trained_ns, refits,"
	             " request, summary, model) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8"
	             " WHERE (SELECT count(*) FROM trained_model WHERE model_id <> ?1) < ?9",
	             &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "ttiii", model->model_id, model->link_id, (int64_t)model->direction,
	             model->trained_ns, model->refits);
	if (rc == 0) {
		bind_bytes(statement, 6, &model->request);
		bind_bytes(statement, 7, &model->summary);
		bind_bytes(statement, 8, &model->model);
		sqlite3_bind_int64(statement, 9, LIMIT_MODELS);
		rc = db_run(statement, status);
	}
	sqlite3_finalize(statement);
	if (rc == 0 && sqlite3_changes(state->db) == 0)
		return status_set(status, STATUS_RESOURCE_EXHAUSTED, "there are %d models", LIMIT_MODELS);
	return rc;
}

static struct bytes column_bytes(sqlite3_stmt *statement, int column) {
	// SQLite lends its memory; it is only read here.
	return (struct bytes){(uint8_t *)(uintptr_t)sqlite3_column_blob(statement, column),
	                      (size_t)sqlite3_column_bytes(statement, column)};
}

static int tell(sqlite3_stmt *statement, stored_model_fn each, void *context) {
	struct stored_model model = {.model_id = (const char *)sqlite3_column_text(statement, 0),
	                             .link_id = (const char *)sqlite3_column_text(statement, 1),
	                             .direction = (enum directions)sqlite3_column_int(statement, 2),
	                             .trained_ns = sqlite3_column_int64(statement, 3),
	                             .refits = sqlite3_column_int64(statement, 4),
	                             .request = column_bytes(statement, 5),
	                             .summary = column_bytes(statement, 6),
	                             .model = column_bytes(statement, 7)};

	return each(context, &model);
}

// Calls 'each' for every row of a statement with one text. Returns how many there were.
static int64_t walk(struct state *state, const char *sql, const char *text, stored_model_fn each,
                    void *context, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int64_t n = 0;
	int rc;

	if ((rc = db_prepare(state->db, sql, &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "t", text);
	while (rc >= 0 && (rc = db_next(statement, status)) > 0) {
		n++;
		rc = tell(statement, each, context);
	}
	sqlite3_finalize(statement);
	return rc < 0 ? rc : n;
}

static int no_model(const char *model_id, struct status *status) {
	return status_set(status, STATUS_NOT_FOUND, "model_id: no model '%s'", model_id);
}

int model_store_get(struct state *state, const char *model_id, stored_model_fn each, void *context,
                    struct status *status) {
	int64_t n = walk(state,
	                 "SELECT model_id, link_id, direction, trained_ns, refits, request, summary, model"
	                 " FROM trained_model WHERE model_id = ?1",
	                 model_id, each, context, status);

	return n == 0 ? no_model(model_id, status) : n < 0 ? (int)n : 0;
}

int model_store_each(struct state *state, const char *link_id, stored_model_fn each, void *context,
                     struct status *status) {
	int64_t n = walk(state,
	                 "SELECT model_id, link_id, direction, trained_ns, refits, request, summary, NULL"
	                 " FROM trained_model WHERE ?1 IS NULL OR link_id = ?1 ORDER BY model_id",
	                 link_id, each, context, status);

	return n < 0 ? (int)n : 0;
}

int model_store_drop(struct state *state, const char *model_id, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(state->db, "DELETE FROM trained_model WHERE model_id = ?", &statement, status)) <
	    0)
		return rc;
	rc = db_bind(statement, "t", model_id);
	if (rc == 0)
		rc = db_run(statement, status);
	sqlite3_finalize(statement);
	if (rc == 0 && sqlite3_changes(state->db) == 0)
		return no_model(model_id, status);
	return rc;
}
