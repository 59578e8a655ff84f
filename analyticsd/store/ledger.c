// The ledger: changes of services and of what they hold, each inside a transaction of the caller. Reading is
// in ledger_read.c, the tables are state.c's.
// SPDX-License-Identifier: MIT
#include "ledger.h"

#include "clock.h"
#include "state_private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BPS_PER_GBPS  1e9
#define PRUNE_SECONDS INT64_C(3600)

int64_t ledger_bps(double gbps) {
	return llround(gbps * BPS_PER_GBPS);
}

double ledger_gbps(int64_t bps) {
	return (double)bps / BPS_PER_GBPS;
}

// ---- the transaction

int ledger_begin(struct state *state, bool write, struct status *status) {
	return db_execute(state->db, write ? "BEGIN IMMEDIATE" : "BEGIN", status);
}

int ledger_end(struct state *state, int rc, struct status *status) {
	if (rc == 0)
		rc = db_execute(state->db, "COMMIT", status);
	if (rc < 0)
		(void)db_execute(state->db, "ROLLBACK", NULL);
	return rc;
}

static int bump_version(struct state *state, int64_t *ret, struct status *status) {
	int rc;

	if ((rc = db_prepare(state->db, "UPDATE ledger SET version = version + 1", &state->bump_version,
	                     status)) < 0 ||
	    (rc = db_run(state->bump_version, status)) < 0)
		return rc;
	return ledger_version(state, ret, status);
}

// ---- admissions by request id

static int copy_blob(sqlite3_stmt *statement, int column, struct bytes *ret) {
	size_t size = (size_t)sqlite3_column_bytes(statement, column);

	ret->data = malloc(size + 1);
	if (ret->data == NULL)
		return -ENOMEM;
	if (size > 0)
		memcpy(ret->data, sqlite3_column_blob(statement, column), size);
	ret->size = size;
	return 0;
}

static int bind_blob(sqlite3_stmt *statement, int index, const struct bytes *bytes) {
	int result = sqlite3_bind_blob64(statement, index, bytes->data, bytes->size, SQLITE_STATIC);

	return result == SQLITE_OK ? 0 : db_error(sqlite3_db_handle(statement), result, NULL);
}

int ledger_find_admission(struct state *state, const char *request_id, struct bytes *ret_content,
                          struct bytes *ret_reply, struct status *status) {
	sqlite3_stmt **statement = &state->find_admission;
	struct bytes content = {0}, reply = {0};
	int rc;

	if ((rc = db_prepare(state->db, "SELECT content, reply FROM admission WHERE request_id = ?",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "t", request_id)) < 0 || (rc = db_next(*statement, status)) <= 0)
		return rc;
	if ((rc = copy_blob(*statement, 0, &content)) == 0)
		rc = copy_blob(*statement, 1, &reply);
	sqlite3_reset(*statement);
	if (rc < 0) {
		bytes_fini(&content);
		return rc;
	}
	*ret_content = content;
	*ret_reply = reply;
	return 1;
}

// Decisions go with the answers to their requests.
static int prune_decisions(struct state *state, int64_t since_ns, struct status *status) {
	static const char sql[] = "DELETE FROM decision WHERE decided_ns < ?1 AND (SELECT "
	                          "coalesce(released_ns, end_ns) FROM service"
	                          " WHERE service.number = decision.number) < ?1";
	int rc;

	if ((rc = db_prepare(state->db, sql, &state->prune_decisions, status)) < 0 ||
	    (rc = db_bind(state->prune_decisions, "i", since_ns)) < 0)
		return rc;
	return db_run(state->prune_decisions, status);
}

// Forgets answers that nobody will ask for again, now and then. Those of services that have not ended stay: asked
// again they would be admitted twice.
static int prune_admissions(struct state *state, int64_t now_ns, struct status *status) {
	static const char sql[] =
	        "DELETE FROM admission WHERE made_ns < ?1 AND NOT EXISTS (SELECT 1 FROM service WHERE"
	        " service.service_id = admission.service_id AND coalesce(released_ns, end_ns, ?1) >= ?1)";
	const int64_t since_ns = now_ns - LEDGER_ANSWERS_SECONDS * NS_PER_SECOND;
	int rc;

	if (now_ns - state->pruned_ns < PRUNE_SECONDS * NS_PER_SECOND)
		return 0;
	if ((rc = db_prepare(state->db, sql, &state->prune_admissions, status)) < 0 ||
	    (rc = db_bind(state->prune_admissions, "i", since_ns)) < 0 ||
	    (rc = db_run(state->prune_admissions, status)) < 0 ||
	    (rc = prune_decisions(state, since_ns, status)) < 0)
		return rc;
	state->pruned_ns = now_ns;
	return 0;
}

int ledger_keep_admission(struct state *state, const char *request_id, const char *service_id, int64_t now_ns,
                          const struct bytes *content, const struct bytes *reply, struct status *status) {
	sqlite3_stmt **statement = &state->keep_admission;
	int rc;

	if ((rc = prune_admissions(state, now_ns, status)) < 0)
		return rc;
	if ((rc = db_prepare(state->db,
	                     "INSERT INTO admission (request_id, service_id, made_ns, content, reply) VALUES "
	                     "(?, ?, ?, ?, ?)",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "tti", request_id, service_id, now_ns)) < 0 ||
	    (rc = bind_blob(*statement, 4, content)) < 0 || (rc = bind_blob(*statement, 5, reply)) < 0)
		return rc;
	return db_run(*statement, status);
}

// ---- services

// The same meter is one line, so that two services that name it do not take its traffic away twice. 0: none.
static int keep_meter(struct state *state, const struct meter *meter, int64_t *ret, struct status *status) {
	static const char find[] = "SELECT meter_id FROM meter WHERE host IS ?1 AND name IS ?2 AND way = ?3"
	                           " AND link_id IS ?4 AND direction = ?5";
	static const char insert[] =
	        "INSERT INTO meter (host, name, way, link_id, direction) VALUES (?, ?, ?, ?, ?)";
	sqlite3_stmt *found = NULL;
	int rc;

	*ret = 0;
	if (meter == NULL)
		return 0;
	if ((rc = db_prepare(state->db, find, &found, status)) < 0)
		return rc;
	rc = db_bind(found, "ttiti", meter->host, meter->name, (int64_t)meter->way, meter->link_id,
	             (int64_t)meter->direction);
	if (rc == 0 && (rc = db_next(found, status)) > 0)
		*ret = sqlite3_column_int64(found, 0);
	sqlite3_finalize(found);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if ((rc = db_prepare(state->db, insert, &state->insert_meter, status)) < 0 ||
	    (rc = db_bind(state->insert_meter, "ttiti", meter->host, meter->name, (int64_t)meter->way,
	                  meter->link_id, (int64_t)meter->direction)) < 0 ||
	    (rc = db_run(state->insert_meter, status)) < 0)
		return rc;
	*ret = sqlite3_last_insert_rowid(state->db);
	return 0;
}

struct change {
	struct state *state;
	const struct ledger_entry *entry;
	struct status *status;
	int64_t number, meter;
	struct ledger_admitted *admitted;
};

// Binds what a new service and a changed one have in common, columns 1 to 12.
static int bind_service(sqlite3_stmt *statement, const struct change *change) {
	const struct reserve_request *request = change->entry->request;

	return db_bind(statement, "ittttiiidiii", change->admitted->version, request->request_id,
	               request->topology_id, request->from, request->to, ledger_bps(request->gbps),
	               change->entry->start_ns, change->entry->end_ns, request->quantile,
	               (int64_t)request->traffic, change->meter, change->admitted->ledger_version);
}

static int bind_at(sqlite3_stmt *statement, int index, int64_t value) {
	int result = sqlite3_bind_int64(statement, index, value);

	return result == SQLITE_OK ? 0 : db_error(sqlite3_db_handle(statement), result, NULL);
}

static int insert_service(struct change *change) {
	static const char sql[] =
	        "INSERT INTO service (version, request_id, topology_id, from_node, to_node, bps, start_ns,"
	        " end_ns, quantile, traffic, meter_id, ledger_version, admitted_ns, expiry_noted)"
	        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)";
	struct state *state = change->state;
	char *service_id = change->admitted->service_id;
	int rc;

	change->admitted->version = 1;
	if ((rc = db_prepare(state->db, sql, &state->insert_service, change->status)) < 0 ||
	    (rc = bind_service(state->insert_service, change)) < 0 ||
	    (rc = bind_at(state->insert_service, 13, change->entry->now_ns)) < 0 ||
	    (rc = db_run(state->insert_service, change->status)) < 0)
		return rc;
	change->number = sqlite3_last_insert_rowid(state->db);
	snprintf(service_id, sizeof(change->admitted->service_id), "svc-%lld", (long long)change->number);
	if ((rc = db_prepare(state->db, "UPDATE service SET service_id = ? WHERE number = ?",
	                     &state->name_service, change->status)) < 0 ||
	    (rc = db_bind(state->name_service, "ti", service_id, change->number)) < 0)
		return rc;
	return db_run(state->name_service, change->status);
}

// The line of a service. Returns 0, -ENOENT, or another negative errno.
static int find_service(struct state *state, const char *service_id, int64_t *ret_number,
                        int64_t *ret_version, bool *ret_ended, int64_t now_ns, struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(state->db,
	                     "SELECT number, version, released_ns IS NOT NULL OR end_ns <= ?2"
	                     " FROM service WHERE service_id = ?1",
	                     &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "ti", service_id, now_ns);
	if (rc == 0 && (rc = db_next(statement, status)) > 0) {
		*ret_number = sqlite3_column_int64(statement, 0);
		*ret_version = sqlite3_column_int64(statement, 1);
		*ret_ended = sqlite3_column_int(statement, 2) != 0;
	}
	sqlite3_finalize(statement);
	if (rc == 0)
		return status_set(status, STATUS_NOT_FOUND, "service '%s' does not exist", service_id);
	return rc < 0 ? rc : 0;
}

// What is held from now on is free again; the past stays.
static int close_holds(struct state *state, int64_t number, int64_t now_ns, int64_t ledger_version,
                       struct status *status) {
	static const char sql[] =
	        "UPDATE hold SET end_ns = max(from_ns, min(end_ns, ?2)), closed_ns = ?2, closed_version = ?3"
	        " WHERE number = ?1 AND closed_ns IS NULL";
	int rc;

	if ((rc = db_prepare(state->db, sql, &state->close_holds, status)) < 0 ||
	    (rc = db_bind(state->close_holds, "iii", number, now_ns, ledger_version)) < 0)
		return rc;
	return db_run(state->close_holds, status);
}

static int change_service(struct change *change) {
	static const char sql[] =
	        "UPDATE service SET version = ?1, request_id = ?2, topology_id = ?3, from_node = ?4,"
	        " to_node = ?5, bps = ?6, start_ns = CASE WHEN start_ns < ?13 AND ?7 <= ?13 THEN start_ns "
	        "ELSE ?7 END, end_ns = ?8, quantile = ?9, traffic = ?10,"
	        " meter_id = ?11, ledger_version = ?12, changed_ns = ?13 WHERE number = ?14";
	const struct ledger_entry *entry = change->entry;
	struct state *state = change->state;
	bool ended = false;
	int rc;

	snprintf(change->admitted->service_id, sizeof(change->admitted->service_id), "%s",
	         entry->request->service_id);
	if ((rc = find_service(state, entry->request->service_id, &change->number, &change->admitted->version,
	                       &ended, entry->now_ns, change->status)) < 0)
		return rc;
	if (ended)
		return status_set(change->status, STATUS_FAILED_PRECONDITION, "service '%s' has ended",
		                  entry->request->service_id);
	change->admitted->version++;
	if ((rc = close_holds(state, change->number, entry->now_ns, change->admitted->ledger_version,
	                      change->status)) < 0 ||
	    (rc = db_prepare(state->db, sql, &state->change_service, change->status)) < 0 ||
	    (rc = bind_service(state->change_service, change)) < 0 ||
	    (rc = bind_at(state->change_service, 13, entry->now_ns)) < 0 ||
	    (rc = bind_at(state->change_service, 14, change->number)) < 0)
		return rc;
	return db_run(state->change_service, change->status);
}

static int insert_holds(const struct change *change) {
	static const char sql[] = "INSERT INTO hold (number, version, ordinal, link_id, direction, bps, "
	                          "from_ns, until_ns, end_ns,"
	                          " made_ns, made_version, traffic, meter_id) VALUES (?, ?, ?, ?, ?, ?, ?, "
	                          "?8, ?8, ?9, ?10, ?11, "
	                          "?12)";
	const struct ledger_entry *entry = change->entry;
	const struct reserve_request *request = entry->request;
	struct state *state = change->state;
	int rc;

	if ((rc = db_prepare(state->db, sql, &state->insert_hold, change->status)) < 0)
		return rc;
	for (size_t i = 0; i < request->n_links; i++) {
		if ((rc = db_bind(state->insert_hold, "iiitiiiiiiii", change->number,
		                  change->admitted->version, (int64_t)i, request->links[i].link_id,
		                  (int64_t)request->links[i].direction, ledger_bps(request->gbps),
		                  entry->start_ns, entry->end_ns, entry->now_ns,
		                  change->admitted->ledger_version, (int64_t)request->traffic,
		                  change->meter)) < 0 ||
		    (rc = db_run(state->insert_hold, change->status)) < 0)
			return rc;
	}
	return 0;
}

static int insert_decision(const struct change *change) {
	static const char sql[] =
	        "INSERT INTO decision (number, version, verdict, request_id, decided_ns, evidence)"
	        " VALUES (?, ?, ?, ?, ?, ?)";
	const struct ledger_entry *entry = change->entry;
	sqlite3_stmt **statement = &change->state->insert_decision;
	bool changes = entry->request->service_id != NULL;
	int rc;

	if ((rc = db_prepare(change->state->db, sql, statement, change->status)) < 0 ||
	    (rc = db_bind(*statement, "iiiti", change->number, change->admitted->version,
	                  (int64_t)(changes ? SERVICE_CHANGE_CHANGED : SERVICE_CHANGE_ADMITTED),
	                  entry->request->request_id, entry->now_ns)) < 0 ||
	    (rc = bind_blob(*statement, 6, entry->evidence)) < 0)
		return rc;
	return db_run(*statement, change->status);
}

int ledger_admit(struct state *state, const struct ledger_entry *entry, struct ledger_admitted *ret,
                 struct status *status) {
	struct ledger_admitted admitted = {.service_id = ""};
	struct change change = {.state = state, .entry = entry, .status = status, .admitted = &admitted};
	int rc;

	if ((rc = bump_version(state, &admitted.ledger_version, status)) < 0 ||
	    (rc = keep_meter(state, entry->request->meter, &change.meter, status)) < 0)
		return rc;
	rc = entry->request->service_id == NULL ? insert_service(&change) : change_service(&change);
	if (rc < 0 || (rc = insert_holds(&change)) < 0 || (rc = insert_decision(&change)) < 0)
		return rc;
	*ret = admitted;
	return 0;
}

static int note_release(struct state *state, int64_t number, int64_t now_ns, int64_t ledger_version,
                        struct status *status) {
	int rc;

	if ((rc = db_prepare(state->db,
	                     "UPDATE service SET released_ns = ?2, ledger_version = ?3 WHERE number = ?1",
	                     &state->release_service, status)) < 0 ||
	    (rc = db_bind(state->release_service, "iii", number, now_ns, ledger_version)) < 0)
		return rc;
	return db_run(state->release_service, status);
}

int ledger_release(struct state *state, const char *service_id, int64_t version, int64_t now_ns,
                   struct status *status) {
	int64_t number = 0, current = 0, ledger_version = 0;
	bool ended = false;
	int rc;

	if ((rc = find_service(state, service_id, &number, &current, &ended, now_ns, status)) < 0)
		return rc;
	if (version != 0 && version != current)
		return status_set(status, STATUS_ABORTED, "service '%s' is at version %lld, not %lld",
		                  service_id, (long long)current, (long long)version);
	if (ended)
		return 0;
	if ((rc = bump_version(state, &ledger_version, status)) < 0 ||
	    (rc = close_holds(state, number, now_ns, ledger_version, status)) < 0 ||
	    (rc = note_release(state, number, now_ns, ledger_version, status)) < 0)
		return rc;
	return 1;
}

// ---- checks of the topology's changes

// Runs a look-up whose first row, if any, is a link in the way.
static int refuse_held(sqlite3_stmt *statement, const char *what, struct status *status) {
	int rc = db_next(statement, status);

	if (rc > 0)
		rc = status_set(status, STATUS_FAILED_PRECONDITION, "services hold capacity of link '%s'%s",
		                (const char *)sqlite3_column_text(statement, 0), what);
	sqlite3_reset(statement);
	return rc;
}

int ledger_check_topology(struct state *state, const char *topology_id, int64_t now_ns,
                          struct status *status) {
	static const char sql[] = "SELECT h.link_id FROM hold h JOIN member m USING (link_id)"
	                          " WHERE h.end_ns > ? AND m.topology_id = ? ORDER BY m.ordinal LIMIT 1";
	int rc;

	if ((rc = db_prepare(state->db, sql, &state->held_topology, status)) < 0 ||
	    (rc = db_bind(state->held_topology, "it", now_ns, topology_id)) < 0)
		return rc;
	return refuse_held(state->held_topology, "", status);
}

int ledger_check_links(struct state *state, int64_t now_ns, struct status *status) {
	static const char sql[] =
	        "SELECT h.link_id FROM hold h LEFT JOIN link l USING (link_id) WHERE h.end_ns > ?"
	        " AND (l.link_id IS NULL OR (h.direction <> 0 AND NOT l.bidirectional)) LIMIT 1";
	int rc;

	if ((rc = db_prepare(state->db, sql, &state->held_orphan, status)) < 0 ||
	    (rc = db_bind(state->held_orphan, "i", now_ns)) < 0)
		return rc;
	return refuse_held(state->held_orphan, ", which would go", status);
}
