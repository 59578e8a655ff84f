// Labels of events, and the failure model, in state.db.
// SPDX-License-Identifier: MIT
#include "labels.h"

#include "state_private.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define SAME_OBJECT "host IS ?1 AND name IS ?2 AND link_id IS ?3"

static int64_t degraded_of(const struct event_label *label) {
	return HAS(label, event_label, degraded_from_ns) ? label->degraded_from_ns : -1;
}

// Returns 1 when the very same label is there, 0 when nothing is in the way, or -EEXIST.
static int look_for_overlap(struct state *state, struct event_label *label, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(state->db,
	                     "SELECT label_id, event, from_ns, to_ns, failure FROM label WHERE " SAME_OBJECT
	                     " AND from_ns < ?5 AND to_ns > ?4 LIMIT 1",
	                     &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "tttii", label->host, label->name, label->link_id, label->from_ns,
	             label->to_ns);
	if (rc == 0)
		rc = db_next(statement, status);
	if (rc > 0) {
		int64_t label_id = sqlite3_column_int64(statement, 0);
		const char *event = (const char *)sqlite3_column_text(statement, 1);

		if (strcmp(event, label->event) == 0 &&
		    sqlite3_column_int64(statement, 2) == label->from_ns &&
		    sqlite3_column_int64(statement, 3) == label->to_ns &&
		    (sqlite3_column_int(statement, 4) != 0) == label->failure)
			label->label_id = label_id;
		else
			rc = status_set(status, STATUS_ALREADY_EXISTS,
			                "from_ns: label %lld ('%s') is at the same time", (long long)label_id,
			                event);
	}
	sqlite3_finalize(statement);
	return rc;
}

static int insert(struct state *state, struct event_label *label, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(
	             state->db,
	             "INSERT INTO label (host, name, link_id, event, failure, from_ns, to_ns, degraded_ns,"
	             " note, made_by) VALUES (?, ?, ?, ?, ?, ?, ?, nullif(?, -1), ?, ?)",
	             &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "ttttiiiitt", label->host, label->name, label->link_id, label->event,
	             (int64_t)label->failure, label->from_ns, label->to_ns, degraded_of(label), label->note,
	             label->by);
	if (rc == 0)
		rc = db_run(statement, status);
	sqlite3_finalize(statement);
	if (rc == 0)
		label->label_id = sqlite3_last_insert_rowid(state->db);
	return rc;
}

int label_add(struct state *state, struct event_label *label, struct status *status) {
	bool is_new = false;
	int rc;

	if ((rc = state_begin(state, status)) < 0)
		return rc;
	rc = look_for_overlap(state, label, status);
	if (rc == 0) {
		rc = insert(state, label, status);
		is_new = true;
	}
	rc = state_end(state, rc < 0 ? rc : 0, status);
	return rc < 0 ? rc : is_new;
}

int label_drop(struct state *state, int64_t label_id, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(state->db, "DELETE FROM label WHERE label_id = ?", &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "i", label_id);
	if (rc == 0)
		rc = db_run(statement, status);
	sqlite3_finalize(statement);
	if (rc == 0 && sqlite3_changes(state->db) == 0)
		rc = status_set(status, STATUS_NOT_FOUND, "label_id: no label %lld", (long long)label_id);
	return rc;
}

static int read_label(sqlite3_stmt *statement, struct document *memory, struct event_label *ret) {
	int rc;

	event_label_init(ret);
	ret->label_id = sqlite3_column_int64(statement, 0);
	if ((rc = state_keep_text(memory, statement, 1, &ret->host)) < 0 ||
	    (rc = state_keep_text(memory, statement, 2, &ret->name)) < 0 ||
	    (rc = state_keep_text(memory, statement, 3, &ret->link_id)) < 0 ||
	    (rc = state_keep_text(memory, statement, 4, &ret->event)) < 0 ||
	    (rc = state_keep_text(memory, statement, 9, &ret->note)) < 0 ||
	    (rc = state_keep_text(memory, statement, 10, &ret->by)) < 0)
		return rc;
	ret->failure = sqlite3_column_int(statement, 5) != 0;
	ret->from_ns = sqlite3_column_int64(statement, 6);
	ret->to_ns = sqlite3_column_int64(statement, 7);
	if (sqlite3_column_type(statement, 8) != SQLITE_NULL)
		SET(ret, event_label, degraded_from_ns, sqlite3_column_int64(statement, 8));
	return 0;
}

int label_read(struct state *state, const struct labels_query *query, struct document *memory,
               struct label_list *ret, struct status *status) {
	sqlite3_stmt *statement = NULL;
	struct event_label *labels = document_alloc(memory, (size_t)query->limit * sizeof(*labels));
	size_t n = 0;
	int rc;

	if (labels == NULL)
		return -ENOMEM;
	if ((rc = db_prepare(
	             state->db,
	             "SELECT label_id, host, name, link_id, event, failure, from_ns, to_ns, degraded_ns, "
	             "note,"
	             " made_by FROM label WHERE (?1 IS NULL OR host = ?1) AND (?2 IS NULL OR name = ?2)"
	             " AND (?3 IS NULL OR link_id = ?3) ORDER BY from_ns DESC, label_id DESC LIMIT ?4 OFFSET "
	             "?5",
	             &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "tttii", query->host, query->name, query->link_id, query->limit + 1,
	             query->page);
	while (rc >= 0 && (rc = db_next(statement, status)) > 0) {
		if (n == (size_t)query->limit) {
			SET(ret, label_list, next_page, query->page + query->limit);
			rc = 0;
			break;
		}
		if ((rc = read_label(statement, memory, &labels[n++])) < 0)
			break;
	}
	sqlite3_finalize(statement);
	ret->labels = labels;
	ret->n_labels = n;
	return rc;
}

// ---- the failure model

int failure_model_save(struct state *state, int64_t now_ns, const struct bytes *model,
                       struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(state->db,
	                     "INSERT OR REPLACE INTO failure_model (only, made_ns, model) VALUES (0, ?, ?)",
	                     &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "i", now_ns);
	if (rc == 0) {
		sqlite3_bind_blob64(statement, 2, model->data, model->size, SQLITE_STATIC);
		rc = db_run(statement, status);
	}
	sqlite3_finalize(statement);
	return rc;
}

int failure_model_load(struct state *state, int64_t *ret_made_ns, struct bytes *ret, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(state->db, "SELECT made_ns, model FROM failure_model", &statement, status)) < 0)
		return rc;
	rc = db_next(statement, status);
	if (rc > 0) {
		size_t size = (size_t)sqlite3_column_bytes(statement, 1);

		ret->data = malloc(size + 1);
		ret->size = size;
		*ret_made_ns = sqlite3_column_int64(statement, 0);
		if (ret->data == NULL)
			rc = -ENOMEM;
		else if (size > 0)
			memcpy(ret->data, sqlite3_column_blob(statement, 1), size);
	}
	sqlite3_finalize(statement);
	return rc;
}
