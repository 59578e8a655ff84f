// Alerts, maintenance times and actions in state.db. Alerts change seldom, so statements are not kept.
// SPDX-License-Identifier: MIT
#include "alert_log.h"

#include "state_private.h"

#include <errno.h>
#include <string.h>

static void finalizep(sqlite3_stmt **statement) {
	sqlite3_finalize(*statement);
}

// ---- alerts

#define COLUMNS                                                                                              \
	"alert_id, severity, active, raised_ns, changed_ns, cleared_ns, occurrences, silenced, acked_by, "   \
	"acked_ns, "                                                                                         \
	"note, content"

enum {
	ID,
	SEVERITY,
	ACTIVE,
	RAISED,
	CHANGED,
	CLEARED,
	OCCURRENCES,
	SILENCED,
	ACKED_BY,
	ACKED,
	NOTE,
	CONTENT
};

static int way_of(const struct alert *alert) {
	return HAS(alert, alert, direction) ? alert->direction : -1;
}

// What the columns hold wins over the content: the content is of when it was last raised or updated.
static int read_alert(sqlite3_stmt *row, struct document *memory, struct alert *ret, struct status *status) {
	struct document *content = NULL;
	int rc;

	if ((rc = document_from_msgpack(sqlite3_column_blob(row, CONTENT),
	                                (size_t)sqlite3_column_bytes(row, CONTENT), &content, status)) < 0 ||
	    (rc = document_adopt(memory, content)) < 0 ||
	    (rc = document_read(content, &alert_message, ret, status)) < 0 ||
	    (rc = state_keep_text(memory, row, ACKED_BY, &ret->acknowledged_by)) < 0 ||
	    (rc = state_keep_text(memory, row, NOTE, &ret->note)) < 0)
		return rc;
	ret->alert_id = sqlite3_column_int64(row, ID);
	ret->severity = sqlite3_column_int(row, SEVERITY);
	ret->state = sqlite3_column_int(row, ACTIVE) != 0 ? ALERT_STATE_ACTIVE : ALERT_STATE_CLEARED;
	ret->raised_ns = sqlite3_column_int64(row, RAISED);
	ret->changed_ns = sqlite3_column_int64(row, CHANGED);
	ret->occurrences = sqlite3_column_int64(row, OCCURRENCES);
	ret->silenced = sqlite3_column_int(row, SILENCED) != 0;
	ret->acknowledged = ret->acknowledged_by != NULL;
	if (sqlite3_column_type(row, CLEARED) != SQLITE_NULL)
		SET(ret, alert, cleared_ns, sqlite3_column_int64(row, CLEARED));
	if (sqlite3_column_type(row, ACKED) != SQLITE_NULL)
		SET(ret, alert, acknowledged_ns, sqlite3_column_int64(row, ACKED));
	return 0;
}

// The last alert about the same thing: 1 when there is one, 0, or a negative errno.
static int find_last(struct state *state, const struct alert *alert, int64_t reopen_ns, int64_t *ret_id,
                     bool *ret_active, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *row = NULL;
	int rc = db_query(
	        state->db, &row, status,
	        "SELECT alert_id, active FROM alert WHERE object = ? AND kind = ? AND way = ? AND rule = ?"
	        " AND (active OR cleared_ns >= ?) ORDER BY active DESC, alert_id DESC LIMIT 1",
	        "tiiti", alert->object, (int64_t)alert->kind, (int64_t)way_of(alert), alert->rule, reopen_ns);

	if (rc < 0 || (rc = db_next(row, status)) <= 0)
		return rc;
	*ret_id = sqlite3_column_int64(row, 0);
	*ret_active = sqlite3_column_int(row, 1) != 0;
	return 1;
}

// The content is bound behind the 'n' parameters before it. It is what was found; who acknowledged it and what was done
// are in columns and a table of their own.
static int run_with_content(sqlite3_stmt *statement, int n, const struct alert *alert,
                            struct status *status) {
	CLEANUP(bytes_fini) struct bytes content = {0};
	struct alert found = *alert;
	int rc;

	found.has &= ~(UINT64_C(1) << alert_has_acknowledged_ns | UINT64_C(1) << alert_has_cleared_ns);
	found.acknowledged_by = found.note = NULL;
	found.actions = NULL;
	found.n_actions = 0;
	if ((rc = message_encode(&alert_message, &found, &content)) < 0)
		return rc;
	sqlite3_bind_blob64(statement, n + 1, content.data, content.size, SQLITE_STATIC);
	return db_run(statement, status);
}

static int insert_alert(struct state *state, struct alert *alert, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *statement = NULL;
	int rc = db_query(state->db, &statement, status,
	                  "INSERT INTO alert (object, kind, way, rule, severity, active, raised_ns, "
	                  "changed_ns, occurrences,"
	                  " silenced, content) VALUES (?, ?, ?, ?, ?, 1, ?, ?, 1, ?, ?)",
	                  "tiitiiii", alert->object, (int64_t)alert->kind, (int64_t)way_of(alert),
	                  alert->rule, (int64_t)alert->severity, alert->raised_ns, alert->changed_ns,
	                  (int64_t)alert->silenced);

	if (rc < 0 || (rc = run_with_content(statement, 8, alert, status)) < 0)
		return rc;
	alert->alert_id = sqlite3_last_insert_rowid(state->db);
	return 0;
}

static int reopen_alert(struct state *state, struct alert *alert, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *statement = NULL;
	CLEANUP(finalizep) sqlite3_stmt *row = NULL;
	int rc = db_query(
	        state->db, &statement, status,
	        "UPDATE alert SET active = 1, cleared_ns = NULL, occurrences = occurrences + 1, severity = ?,"
	        " changed_ns = ?, silenced = ?, content = ?5 WHERE alert_id = ?4",
	        "iiii", (int64_t)alert->severity, alert->changed_ns, (int64_t)alert->silenced,
	        alert->alert_id);

	if (rc < 0 || (rc = run_with_content(statement, 4, alert, status)) < 0 ||
	    (rc = db_query(state->db, &row, status,
	                   "SELECT occurrences, raised_ns FROM alert WHERE alert_id = ?", "i",
	                   alert->alert_id)) < 0 ||
	    (rc = db_next(row, status)) <= 0)
		return rc;
	alert->occurrences = sqlite3_column_int64(row, 0);
	alert->raised_ns = sqlite3_column_int64(row, 1);
	return 0;
}

static int forget_old(struct state *state, int64_t now_ns, struct status *status) {
	static const char *const statements[] = {
	        "DELETE FROM alert_action WHERE alert_id IN (SELECT alert_id FROM alert WHERE NOT active AND "
	        "cleared_ns < ?)",
	        "DELETE FROM alert WHERE NOT active AND cleared_ns < ?",
	};

	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		CLEANUP(finalizep) sqlite3_stmt *statement = NULL;
		int rc = db_query(state->db, &statement, status, statements[i], "i", now_ns - ALERT_KEPT_NS);

		if (rc < 0 || (rc = db_run(statement, status)) < 0)
			return rc;
	}
	return 0;
}

int alert_log_raise(struct state *state, struct alert *alert, int64_t now_ns, int64_t reopen_ns,
                    struct status *status) {
	bool active = false;
	int rc, found;

	if ((rc = state_begin(state, status)) < 0)
		return rc;
	found = find_last(state, alert, reopen_ns, &alert->alert_id, &active, status);
	alert->state = ALERT_STATE_ACTIVE;
	alert->raised_ns = alert->changed_ns = now_ns;
	alert->occurrences = 1;
	if (found == 0) {
		rc = forget_old(state, now_ns, status);
		if (rc == 0)
			rc = insert_alert(state, alert, status);
	} else if (found > 0 && !active) {
		rc = reopen_alert(state, alert, status);
	}
	rc = state_end(state, found < 0 ? found : rc, status);
	if (rc < 0)
		return rc;
	return found == 0 ? 1 : active ? 0 : 2;
}

int alert_log_update(struct state *state, const struct alert *alert, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *statement = NULL;
	int rc = db_query(state->db, &statement, status,
	                  "UPDATE alert SET severity = ?, content = ?3 WHERE alert_id = ?2 AND active", "ii",
	                  (int64_t)alert->severity, alert->alert_id);

	return rc < 0 ? rc : run_with_content(statement, 2, alert, status);
}

int alert_log_clear(struct state *state, int64_t alert_id, int64_t now_ns, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *statement = NULL;
	int rc = db_query(state->db, &statement, status,
	                  "UPDATE alert SET active = 0, cleared_ns = ?1, changed_ns = ?1 WHERE alert_id = ?2 "
	                  "AND active",
	                  "ii", now_ns, alert_id);

	if (rc < 0 || (rc = db_run(statement, status)) < 0)
		return rc;
	return sqlite3_changes(state->db) > 0;
}

int alert_log_ack(struct state *state, const struct alert_ack *ack, const char *by, int64_t now_ns,
                  struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *statement = NULL;
	int rc = db_query(state->db, &statement, status,
	                  "UPDATE alert SET acked_by = ?1, acked_ns = CASE WHEN ?1 IS NULL THEN NULL ELSE ?2 "
	                  "END, note = ?3, "
	                  "changed_ns = ?2"
	                  " WHERE alert_id = ?4",
	                  "titi", ack->acknowledged ? by : NULL, now_ns, ack->acknowledged ? ack->note : NULL,
	                  ack->alert_id);

	if (rc < 0 || (rc = db_run(statement, status)) < 0)
		return rc;
	if (sqlite3_changes(state->db) == 0)
		return status_set(status, STATUS_NOT_FOUND, "alert_id: no alert %lld",
		                  (long long)ack->alert_id);
	return 0;
}

int alert_log_set_silenced(struct state *state, int64_t alert_id, bool silenced, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *statement = NULL;
	int rc = db_query(state->db, &statement, status, "UPDATE alert SET silenced = ? WHERE alert_id = ?",
	                  "ii", (int64_t)silenced, alert_id);

	return rc < 0 ? rc : db_run(statement, status);
}

// ---- reading

static int count_actions(struct state *state, int64_t alert_id, size_t *ret, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *row = NULL;
	int rc = db_query(state->db, &row, status, "SELECT count(*) FROM alert_action WHERE alert_id = ?",
	                  "i", alert_id);

	if (rc < 0 || (rc = db_next(row, status)) < 0)
		return rc;
	*ret = (size_t)sqlite3_column_int64(row, 0);
	return 0;
}

#define MOST_ACTIONS 1000 // of an alert that are told: the newest

static int read_actions(struct state *state, struct document *memory, struct alert *alert,
                        struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *row = NULL;
	size_t n = 0;
	int rc;

	if ((rc = count_actions(state, alert->alert_id, &n, status)) < 0 || n == 0)
		return rc;
	n = n < MOST_ACTIONS ? n : MOST_ACTIONS;
	alert->actions = document_alloc(memory, n * sizeof(*alert->actions));
	if (alert->actions == NULL)
		return -ENOMEM;
	rc = db_query(
	        state->db, &row, status,
	        "SELECT action, change, state, attempts, queued_ns, started_ns, finished_ns, result FROM"
	        " alert_action WHERE alert_id = ? ORDER BY number DESC",
	        "i", alert->alert_id);
	while (rc >= 0 && alert->n_actions < n && (rc = db_next(row, status)) > 0) {
		struct alert_action *action = &alert->actions[alert->n_actions++];

		alert_action_init(action);
		action->change = sqlite3_column_int(row, 1);
		action->state = sqlite3_column_int(row, 2);
		action->attempts = sqlite3_column_int64(row, 3);
		action->queued_ns = sqlite3_column_int64(row, 4);
		if (sqlite3_column_type(row, 5) != SQLITE_NULL)
			SET(action, alert_action, started_ns, sqlite3_column_int64(row, 5));
		if (sqlite3_column_type(row, 6) != SQLITE_NULL)
			SET(action, alert_action, finished_ns, sqlite3_column_int64(row, 6));
		if ((rc = state_keep_text(memory, row, 0, &action->action)) < 0 ||
		    (rc = state_keep_text(memory, row, 7, &action->result)) < 0)
			return rc;
	}
	return rc < 0 ? rc : 0;
}

int alert_log_get(struct state *state, int64_t alert_id, struct document *memory, struct alert *ret,
                  struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *row = NULL;
	int rc = db_query(state->db, &row, status, "SELECT " COLUMNS " FROM alert WHERE alert_id = ?", "i",
	                  alert_id);

	if (rc < 0 || (rc = db_next(row, status)) < 0)
		return rc;
	if (rc == 0)
		return status_set(status, STATUS_NOT_FOUND, "alert_id: no alert %lld", (long long)alert_id);
	if ((rc = read_alert(row, memory, ret, status)) < 0)
		return rc;
	return read_actions(state, memory, ret, status);
}

// A filter that isn't asked for is bound as NULL, or -1.
int alert_log_list(struct state *state, const struct alerts_query *query, struct document *memory,
                   struct alert_list *ret, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *row = NULL;
	struct alert *alerts = document_alloc(memory, (size_t)query->limit * sizeof(*alerts));
	size_t n = 0;
	int rc;

	if (alerts == NULL)
		return -ENOMEM;
	rc = db_query(state->db, &row, status,
	              "SELECT " COLUMNS
	              " FROM alert WHERE (?1 < 0 OR active = ?1) AND severity >= ?2 AND (?3 < 0 OR kind = ?3)"
	              " AND (?4 IS NULL OR object = ?4) AND (?5 IS NULL OR rule = ?5)"
	              " ORDER BY alert_id DESC LIMIT ?6 OFFSET ?7",
	              "iiittii",
	              HAS(query, alerts_query, state) ? (int64_t)(query->state == ALERT_STATE_ACTIVE)
	                                              : (int64_t)-1,
	              HAS(query, alerts_query, severity) ? (int64_t)query->severity : (int64_t)0,
	              HAS(query, alerts_query, kind) ? (int64_t)query->kind : (int64_t)-1, query->object,
	              query->rule, query->limit + 1, query->page);
	while (rc >= 0 && (rc = db_next(row, status)) > 0) {
		if (n == (size_t)query->limit) {
			SET(ret, alert_list, next_page, query->page + query->limit);
			break;
		}
		if ((rc = read_alert(row, memory, &alerts[n], status)) < 0 ||
		    (rc = read_actions(state, memory, &alerts[n], status)) < 0)
			return rc;
		n++;
	}
	ret->alerts = alerts;
	ret->n_alerts = n;
	return rc < 0 ? rc : 0;
}

int alert_log_each_active(struct state *state, int (*each)(void *context, const struct alert *),
                          void *context, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *row = NULL;
	int rc = db_query(state->db, &row, status, "SELECT " COLUMNS " FROM alert WHERE active", "");

	while (rc >= 0 && (rc = db_next(row, status)) > 0) {
		CLEANUP(document_closep) struct document *memory = NULL;
		struct alert alert;

		// an empty map: the memory of what is read
		if ((rc = document_from_msgpack("\x80", 1, &memory, status)) < 0 ||
		    (rc = read_alert(row, memory, &alert, status)) < 0)
			return rc;
		if ((rc = each(context, &alert)) < 0)
			return rc;
	}
	return rc < 0 ? rc : 0;
}

// ---- maintenance times

int silence_add(struct state *state, struct silence *silence, int64_t now_ns, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *forget = NULL;
	CLEANUP(finalizep) sqlite3_stmt *insert = NULL;
	int rc;

	if ((rc = db_query(state->db, &forget, status, "DELETE FROM silence WHERE until_ns < ?", "i",
	                   now_ns - ALERT_KEPT_NS)) < 0 ||
	    (rc = db_run(forget, status)) < 0 ||
	    (rc = db_query(
	             state->db, &insert, status,
	             "INSERT INTO silence (object, rule, from_ns, until_ns, reason, made_by) VALUES (?, "
	             "?, ?, ?, ?, ?)",
	             "ttiitt", silence->object, silence->rule, silence->from_ns, silence->until_ns,
	             silence->reason, silence->by)) < 0 ||
	    (rc = db_run(insert, status)) < 0)
		return rc;
	silence->silence_id = sqlite3_last_insert_rowid(state->db);
	return 0;
}

int silence_end(struct state *state, int64_t silence_id, int64_t now_ns, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *statement = NULL;
	int rc = db_query(
	        state->db, &statement, status,
	        "UPDATE silence SET until_ns = max(from_ns, ?1) WHERE silence_id = ?2 AND until_ns > ?1",
	        "ii", now_ns, silence_id);

	if (rc < 0 || (rc = db_run(statement, status)) < 0)
		return rc;
	if (sqlite3_changes(state->db) == 0)
		return status_set(status, STATUS_NOT_FOUND,
		                  "silence_id: no maintenance time %lld that is not over",
		                  (long long)silence_id);
	return 0;
}

int silence_list(struct state *state, int64_t now_ns, struct document *memory, struct silence **ret,
                 size_t *ret_n, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *row = NULL;
	struct silence *silences = document_alloc(memory, LIMIT_PAGE * sizeof(*silences));
	size_t n = 0;
	int rc;

	if (silences == NULL)
		return -ENOMEM;
	rc = db_query(state->db, &row, status,
	              "SELECT silence_id, object, rule, from_ns, until_ns, reason, made_by FROM silence"
	              " WHERE until_ns > ? AND until_ns > from_ns ORDER BY silence_id LIMIT ?",
	              "ii", now_ns, (int64_t)LIMIT_PAGE);
	while (rc >= 0 && (rc = db_next(row, status)) > 0) {
		struct silence *silence = &silences[n++];

		silence_init(silence);
		silence->silence_id = sqlite3_column_int64(row, 0);
		silence->from_ns = sqlite3_column_int64(row, 3);
		silence->until_ns = sqlite3_column_int64(row, 4);
		if ((rc = state_keep_text(memory, row, 1, &silence->object)) < 0 ||
		    (rc = state_keep_text(memory, row, 2, &silence->rule)) < 0 ||
		    (rc = state_keep_text(memory, row, 5, &silence->reason)) < 0 ||
		    (rc = state_keep_text(memory, row, 6, &silence->by)) < 0)
			return rc;
	}
	*ret = silences;
	*ret_n = n;
	return rc < 0 ? rc : 0;
}

// ---- actions

int action_log_add(struct state *state, struct action_record *record, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *statement = NULL;
	int rc = db_query(
	        state->db, &statement, status,
	        "INSERT INTO alert_action (alert_id, action, change, state, attempts, queued_ns, body)"
	        " VALUES (?, ?, ?, ?, 0, ?, ?)",
	        "itiiit", record->alert_id, record->action, (int64_t)record->change, (int64_t)record->state,
	        record->queued_ns, record->body);

	if (rc < 0 || (rc = db_run(statement, status)) < 0)
		return rc;
	record->number = sqlite3_last_insert_rowid(state->db);
	return 0;
}

int action_log_set(struct state *state, const struct action_record *record, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *statement = NULL;
	int rc = db_query(state->db, &statement, status,
	                  "UPDATE alert_action SET state = ?, attempts = ?, started_ns = nullif(?, 0),"
	                  " finished_ns = nullif(?, 0), result = ? WHERE number = ?",
	                  "iiiiti", (int64_t)record->state, record->attempts, record->started_ns,
	                  record->finished_ns, record->result, record->number);

	return rc < 0 ? rc : db_run(statement, status);
}

int action_log_each_open(struct state *state, int (*each)(void *context, const struct action_record *),
                         void *context, struct status *status) {
	CLEANUP(finalizep) sqlite3_stmt *row = NULL;
	int rc = db_query(
	        state->db, &row, status,
	        "SELECT number, alert_id, action, change, state, attempts, queued_ns, started_ns, body"
	        " FROM alert_action WHERE finished_ns IS NULL ORDER BY number",
	        "");

	while (rc >= 0 && (rc = db_next(row, status)) > 0) {
		struct action_record record = {
		        .number = sqlite3_column_int64(row, 0),
		        .alert_id = sqlite3_column_int64(row, 1),
		        .action = (const char *)sqlite3_column_text(row, 2),
		        .change = (enum alert_changes)sqlite3_column_int(row, 3),
		        .state = (enum action_states)sqlite3_column_int(row, 4),
		        .attempts = sqlite3_column_int64(row, 5),
		        .queued_ns = sqlite3_column_int64(row, 6),
		        .started_ns = sqlite3_column_int64(row, 7),
		        .body = (const char *)sqlite3_column_text(row, 8),
		};

		if ((rc = each(context, &record)) < 0)
			return rc;
	}
	return rc < 0 ? rc : 0;
}
