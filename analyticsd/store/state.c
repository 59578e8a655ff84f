// state.db: its tables, and changes to topologies and links, each one transaction.
// SPDX-License-Identifier: MIT
#include "state_private.h"

#include "clock.h"
#include "ledger.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

// A deleted topology keeps its line (n_links NULL), so that its versions never repeat.
static const char *const migrations[] = {
        "CREATE TABLE topology (topology_id TEXT PRIMARY KEY, version INTEGER NOT NULL, n_nodes INTEGER,"
        " n_links INTEGER) WITHOUT ROWID;"
        "CREATE TABLE node (topology_id TEXT NOT NULL, ordinal INTEGER NOT NULL, node_id TEXT NOT NULL, x "
        "REAL, y REAL,"
        " PRIMARY KEY (topology_id, ordinal)) WITHOUT ROWID;"
        "CREATE TABLE link (link_id TEXT PRIMARY KEY, a TEXT NOT NULL, z TEXT NOT NULL, bidirectional "
        "INTEGER NOT NULL,"
        " total_gbps REAL, total_set_ns INTEGER NOT NULL, used_gbps REAL, used_reverse_gbps REAL, cost REAL "
        "NOT NULL,"
        " latency_ms REAL, srlg TEXT, admin_up INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE member (topology_id TEXT NOT NULL, ordinal INTEGER NOT NULL, link_id TEXT NOT NULL,"
        " PRIMARY KEY (topology_id, ordinal)) WITHOUT ROWID;"
        "CREATE INDEX member_link ON member (link_id);"
        "CREATE TABLE port (host TEXT NOT NULL, name TEXT NOT NULL, link_id TEXT NOT NULL, end INTEGER NOT "
        "NULL,"
        " PRIMARY KEY (host, name)) WITHOUT ROWID;"
        "CREATE INDEX port_link ON port (link_id);"
        "CREATE TABLE upload (upload_id TEXT NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL,"
        " kept_ns INTEGER NOT NULL, frame BLOB NOT NULL, PRIMARY KEY (upload_id, part));",

        // What a service holds is never rewritten: a change or a release closes the holds and makes others,
        // so that any past moment can be looked at as it was. 'end_ns' is when a hold ends as far as is
        // known.
        "CREATE TABLE ledger (version INTEGER NOT NULL);"
        "INSERT INTO ledger (version) VALUES (0);"
        "CREATE TABLE service ("
        " number INTEGER PRIMARY KEY AUTOINCREMENT, service_id TEXT UNIQUE, version INTEGER NOT NULL,"
        " request_id TEXT NOT NULL, topology_id TEXT NOT NULL, from_node TEXT, to_node TEXT, bps INTEGER NOT "
        "NULL,"
        " start_ns INTEGER NOT NULL, end_ns INTEGER, quantile REAL NOT NULL, traffic INTEGER NOT NULL,"
        " meter_id INTEGER, admitted_ns INTEGER NOT NULL, changed_ns INTEGER, released_ns INTEGER,"
        " expiry_noted INTEGER NOT NULL, ledger_version INTEGER NOT NULL, evidence BLOB NOT NULL);"
        "CREATE INDEX service_end ON service (end_ns) WHERE released_ns IS NULL AND expiry_noted = 0;"
        "CREATE TABLE hold ("
        " number INTEGER NOT NULL, version INTEGER NOT NULL, ordinal INTEGER NOT NULL, link_id TEXT NOT NULL,"
        " direction INTEGER NOT NULL, bps INTEGER NOT NULL, from_ns INTEGER NOT NULL, until_ns INTEGER NOT "
        "NULL,"
        " end_ns INTEGER NOT NULL, made_ns INTEGER NOT NULL, made_version INTEGER NOT NULL, closed_ns "
        "INTEGER,"
        " closed_version INTEGER, traffic INTEGER NOT NULL, meter_id INTEGER,"
        " PRIMARY KEY (number, version, ordinal)) WITHOUT ROWID;"
        "CREATE INDEX hold_link ON hold (link_id, direction, end_ns);"
        "CREATE INDEX hold_end ON hold (end_ns);"
        "CREATE TABLE meter (meter_id INTEGER PRIMARY KEY, host TEXT, name TEXT, way INTEGER NOT NULL,"
        " link_id TEXT, direction INTEGER NOT NULL);"
        "CREATE TABLE admission (request_id TEXT PRIMARY KEY, made_ns INTEGER NOT NULL, content BLOB NOT "
        "NULL,"
        " reply BLOB NOT NULL) WITHOUT ROWID;",

        // The index on active alerts is what makes a second one for the same thing impossible. 'way' is the
        // direction of a link, -1 where none is meant; 'content' is an alert message.
        "CREATE TABLE alert (alert_id INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, object TEXT "
        "NOT NULL,"
        " way INTEGER NOT NULL, rule TEXT NOT NULL, severity INTEGER NOT NULL, active INTEGER NOT NULL,"
        " raised_ns INTEGER NOT NULL, changed_ns INTEGER NOT NULL, cleared_ns INTEGER, occurrences INTEGER "
        "NOT NULL,"
        " silenced INTEGER NOT NULL, acked_by TEXT, acked_ns INTEGER, note TEXT, content BLOB NOT NULL);"
        "CREATE UNIQUE INDEX alert_active ON alert (object, kind, way, rule) WHERE active;"
        "CREATE INDEX alert_object ON alert (object, kind, way, rule, cleared_ns);"
        "CREATE TABLE alert_action (number INTEGER PRIMARY KEY AUTOINCREMENT, alert_id INTEGER NOT NULL,"
        " action TEXT NOT NULL, change INTEGER NOT NULL, state INTEGER NOT NULL, attempts INTEGER NOT NULL,"
        " queued_ns INTEGER NOT NULL, started_ns INTEGER, finished_ns INTEGER, result TEXT, body TEXT NOT "
        "NULL);"
        "CREATE INDEX alert_action_alert ON alert_action (alert_id);"
        "CREATE INDEX alert_action_open ON alert_action (state) WHERE finished_ns IS NULL;"
        "CREATE TABLE silence (silence_id INTEGER PRIMARY KEY AUTOINCREMENT, object TEXT, rule TEXT,"
        " from_ns INTEGER NOT NULL, until_ns INTEGER NOT NULL, reason TEXT, made_by TEXT NOT NULL);"
        "CREATE TABLE label (label_id INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT, name TEXT, link_id TEXT,"
        " event TEXT NOT NULL, failure INTEGER NOT NULL, from_ns INTEGER NOT NULL, to_ns INTEGER NOT NULL,"
        " degraded_ns INTEGER, note TEXT, made_by TEXT NOT NULL);"
        "CREATE INDEX label_time ON label (from_ns);"
        "CREATE TABLE failure_model (only INTEGER PRIMARY KEY CHECK (only = 0), made_ns INTEGER NOT NULL,"
        " model BLOB NOT NULL);",

        // Of this part and all before it, so that an upload of many parts need not be added up at each.
        "ALTER TABLE upload ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;",

        // Of 'request' a model is trained anew; 'summary' is what ListModels tells.
        "CREATE TABLE trained_model (model_id TEXT PRIMARY KEY, link_id TEXT NOT NULL, direction INTEGER NOT "
        "NULL,"
        " trained_ns INTEGER NOT NULL, refits INTEGER NOT NULL, request BLOB NOT NULL, summary BLOB NOT NULL,"
        " model BLOB NOT NULL);",

        // The answers to all requests that made or changed a service stay as long as it.
        "ALTER TABLE admission ADD COLUMN service_id TEXT;"
        "UPDATE admission SET service_id ="
        " (SELECT service_id FROM service WHERE service.request_id = admission.request_id);",

        // What each version of a service was decided from, not the last one's alone. 'verdict' is a word of
        // service_changes.
        "CREATE TABLE decision (number INTEGER NOT NULL, version INTEGER NOT NULL, verdict INTEGER NOT NULL,"
        " request_id TEXT NOT NULL, decided_ns INTEGER NOT NULL, evidence BLOB NOT NULL, UNIQUE (number, "
        "version));"
        "CREATE INDEX decision_request ON decision (request_id);"
        "INSERT INTO decision (number, version, verdict, request_id, decided_ns, evidence) SELECT number, "
        "version,"
        " version > 1, request_id, coalesce(changed_ns, admitted_ns), evidence FROM service;"
        "ALTER TABLE service DROP COLUMN evidence;",
};

static const struct db_schema schema = {
        .name = "state.db",
        .migrations = migrations,
        .n_migrations = sizeof(migrations) / sizeof(migrations[0]),
        .synchronous = "FULL",
};

int state_open(const char *path, bool write, struct state **ret, struct status *status) {
	CLEANUP(state_closep) struct state *state = calloc(1, sizeof(*state));
	int rc;

	if (state == NULL)
		return -ENOMEM;
	if ((rc = db_open(path, write ? DB_WRITE : DB_READ, &schema, &state->db, status)) < 0)
		return rc;
	*ret = state;
	state = NULL;
	return 0;
}

void state_close(struct state *state) {
	if (state == NULL)
		return;
	db_close(state->db);
	free(state);
}

int state_begin(struct state *state, struct status *status) {
	return db_execute(state->db, "BEGIN IMMEDIATE", status);
}

int state_end(struct state *state, int rc, struct status *status) {
	if (rc == 0)
		rc = db_execute(state->db, "COMMIT", status);
	if (rc < 0)
		(void)db_execute(state->db, "ROLLBACK", NULL);
	return rc;
}

// ---- topologies

// What belongs to one topology only goes with it.
static int clear_topology(struct state *state, const char *topology_id, struct status *status) {
	static const char *const statements[] = {
	        "DELETE FROM port WHERE link_id IN (SELECT link_id FROM member WHERE topology_id = ?1)"
	        " AND link_id NOT IN (SELECT link_id FROM member WHERE topology_id <> ?1)",
	        "DELETE FROM node WHERE topology_id = ?1",
	        "DELETE FROM member WHERE topology_id = ?1",
	};
	int rc;

	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
		sqlite3_stmt *statement = NULL;

		if ((rc = db_prepare(state->db, statements[i], &statement, status)) < 0)
			return rc;
		rc = db_bind(statement, "t", topology_id);
		if (rc == 0)
			rc = db_run(statement, status);
		sqlite3_finalize(statement);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int drop_orphans(struct state *state, struct status *status) {
	return db_execute(state->db, "DELETE FROM link WHERE link_id NOT IN (SELECT link_id FROM member)",
	                  status);
}

static int insert_nodes(struct state *state, const struct topology *topology, struct status *status) {
	int rc;

	if ((rc = db_prepare(state->db,
	                     "INSERT INTO node (topology_id, ordinal, node_id, x, y) VALUES (?, ?, ?, ?, ?)",
	                     &state->insert_node, status)) < 0)
		return rc;
	for (size_t i = 0; i < topology->n_nodes; i++) {
		const struct node *node = &topology->nodes[i];

		if ((rc = db_bind(state->insert_node, "titdd", topology->topology_id, (int64_t)i, node->id,
		                  HAS(node, node, x) ? node->x : NAN, HAS(node, node, y) ? node->y : NAN)) <
		            0 ||
		    (rc = db_run(state->insert_node, status)) < 0)
			return rc;
	}
	return 0;
}

// A link is one thing in all topologies that name it: its ends must agree with those of the others.
static int check_other_topologies(struct state *state, const struct link *link, struct status *status) {
	static const char sql[] =
	        "SELECT l.a, l.z, l.bidirectional, m.topology_id FROM link l JOIN member m USING (link_id)"
	        " WHERE l.link_id = ? LIMIT 1";
	const char *a, *z;
	int rc;

	if ((rc = db_prepare(state->db, sql, &state->find_link, status)) < 0 ||
	    (rc = db_bind(state->find_link, "t", link->id)) < 0 ||
	    (rc = db_next(state->find_link, status)) <= 0)
		return rc;
	a = (const char *)sqlite3_column_text(state->find_link, 0);
	z = (const char *)sqlite3_column_text(state->find_link, 1);
	if (strcmp(a, link->a) != 0 || strcmp(z, link->z) != 0 ||
	    (sqlite3_column_int(state->find_link, 2) != 0) != link->bidirectional)
		rc = status_set(status, STATUS_ALREADY_EXISTS,
		                "link '%s' joins '%s' and '%s' in topology '%s'", link->id, a, z,
		                (const char *)sqlite3_column_text(state->find_link, 3));
	else
		rc = 0;
	sqlite3_reset(state->find_link);
	return rc;
}

static int join_srlgs(const struct link *link, char **ret) {
	size_t size = 1;
	char *at;

	*ret = NULL;
	if (link->n_srlg == 0)
		return 0;
	for (size_t i = 0; i < link->n_srlg; i++)
		size += strlen(link->srlg[i]) + 1;
	at = *ret = malloc(size);
	if (at == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < link->n_srlg; i++)
		at += sprintf(at, "%s\n", link->srlg[i]);
	return 0;
}

// What the topology doesn't say of a link's capacities stays as it was known.
static int set_link(struct state *state, const struct link *link, int64_t now_ns, struct status *status) {
	static const char sql[] =
	        "INSERT INTO link (link_id, a, z, bidirectional, total_gbps, total_set_ns, used_gbps, "
	        "used_reverse_gbps, cost,"
	        " latency_ms, srlg, admin_up) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
	        " ON CONFLICT (link_id) DO UPDATE SET a = excluded.a, z = excluded.z, bidirectional = "
	        "excluded.bidirectional,"
	        " total_set_ns = CASE WHEN excluded.total_gbps IS NULL THEN total_set_ns ELSE "
	        "excluded.total_set_ns END,"
	        " total_gbps = coalesce(excluded.total_gbps, total_gbps), used_gbps = "
	        "coalesce(excluded.used_gbps, used_gbps),"
	        " used_reverse_gbps = coalesce(excluded.used_reverse_gbps, used_reverse_gbps), cost = "
	        "excluded.cost,"
	        " latency_ms = excluded.latency_ms, srlg = excluded.srlg, admin_up = excluded.admin_up";
	double total = HAS(link, link, total_capacity_gbps) ? link->total_capacity_gbps : NAN;
	double used = HAS(link, link, used_capacity_gbps) ? link->used_capacity_gbps : NAN;
	double reverse =
	        HAS(link, link, used_capacity_reverse_gbps) ? link->used_capacity_reverse_gbps : used;
	CLEANUP(freep) char *srlg = NULL;
	int rc;

	if ((rc = join_srlgs(link, &srlg)) < 0 ||
	    (rc = db_prepare(state->db, sql, &state->set_link, status)) < 0 ||
	    (rc = db_bind(state->set_link, "tttididdddti", link->id, link->a, link->z,
	                  (int64_t)link->bidirectional, total, now_ns, used, reverse, link->cost,
	                  HAS(link, link, latency_ms) ? link->latency_ms : NAN, srlg,
	                  (int64_t)link->admin_up)) < 0)
		return rc;
	return db_run(state->set_link, status);
}

// A topology that names no ports for a link leaves those that another one named.
static int bind_ports(struct state *state, const struct link *link, struct status *status) {
	int rc;

	if (link->n_ports == 0)
		return 0;
	if ((rc = db_prepare(state->db, "DELETE FROM port WHERE link_id = ?", &state->unbind_ports, status)) <
	            0 ||
	    (rc = db_prepare(state->db, "INSERT INTO port (host, name, link_id, end) VALUES (?, ?, ?, ?)",
	                     &state->insert_port, status)) < 0 ||
	    (rc = db_bind(state->unbind_ports, "t", link->id)) < 0 ||
	    (rc = db_run(state->unbind_ports, status)) < 0)
		return rc;
	for (size_t i = 0; i < link->n_ports; i++) {
		const struct port_binding *port = &link->ports[i];

		if ((rc = db_bind(state->insert_port, "ttti", port->host, port->name, link->id,
		                  (int64_t)port->end)) < 0)
			return rc;
		rc = db_run(state->insert_port, status);
		if (rc == -EEXIST)
			return status_set(status, STATUS_ALREADY_EXISTS,
			                  "link '%s': port %s %s is bound to another link", link->id,
			                  port->host, port->name);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int insert_links(struct state *state, const struct topology *topology, int64_t now_ns,
                        struct status *status) {
	int rc;

	if ((rc = db_prepare(state->db, "INSERT INTO member (topology_id, ordinal, link_id) VALUES (?, ?, ?)",
	                     &state->insert_member, status)) < 0)
		return rc;
	for (size_t i = 0; i < topology->n_links; i++) {
		const struct link *link = &topology->links[i];

		if ((rc = check_other_topologies(state, link, status)) < 0 ||
		    (rc = set_link(state, link, now_ns, status)) < 0 ||
		    (rc = bind_ports(state, link, status)) < 0 ||
		    (rc = db_bind(state->insert_member, "tit", topology->topology_id, (int64_t)i, link->id)) <
		            0 ||
		    (rc = db_run(state->insert_member, status)) < 0)
			return rc;
	}
	return 0;
}

// Others that share a link changed too.
static int bump_versions(struct state *state, const char *topology_id, struct status *status) {
	static const char sql[] = "UPDATE topology SET version = version + 1 WHERE topology_id <> ?1 AND "
	                          "topology_id IN (SELECT o.topology_id"
	                          " FROM member m JOIN member o USING (link_id) WHERE m.topology_id = ?1)";
	int rc;

	if ((rc = db_prepare(state->db, sql, &state->bump_topology, status)) < 0 ||
	    (rc = db_bind(state->bump_topology, "t", topology_id)) < 0)
		return rc;
	return db_run(state->bump_topology, status);
}

static int note_topology(struct state *state, const struct topology *topology, struct status *status) {
	static const char sql[] =
	        "INSERT INTO topology (topology_id, version, n_nodes, n_links) VALUES (?, 1, ?, ?)"
	        " ON CONFLICT (topology_id) DO UPDATE SET version = version + 1,"
	        " n_nodes = excluded.n_nodes, n_links = excluded.n_links";
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = db_prepare(state->db, sql, &statement, status)) < 0)
		return rc;
	rc = db_bind(statement, "tii", topology->topology_id, (int64_t)topology->n_nodes,
	             (int64_t)topology->n_links);
	if (rc == 0)
		rc = db_run(statement, status);
	sqlite3_finalize(statement);
	return rc;
}

int state_set_topology(struct state *state, const struct topology *topology, int64_t now_ns,
                       struct status *status) {
	int rc;

	if ((rc = state_begin(state, status)) < 0)
		return rc;
	if ((rc = clear_topology(state, topology->topology_id, status)) == 0 &&
	    (rc = note_topology(state, topology, status)) == 0 &&
	    (rc = insert_nodes(state, topology, status)) == 0 &&
	    (rc = insert_links(state, topology, now_ns, status)) == 0 &&
	    (rc = drop_orphans(state, status)) == 0 && (rc = ledger_check_links(state, now_ns, status)) == 0)
		rc = bump_versions(state, topology->topology_id, status);
	return state_end(state, rc, status);
}

int state_delete_topology(struct state *state, const char *topology_id, int64_t now_ns,
                          struct status *status) {
	sqlite3_stmt *statement = NULL;
	int rc;

	if ((rc = state_begin(state, status)) < 0)
		return rc;
	if ((rc = ledger_check_topology(state, topology_id, now_ns, status)) == 0 &&
	    (rc = db_prepare(state->db,
	                     "UPDATE topology SET version = version + 1, n_nodes = NULL, n_links = NULL"
	                     " WHERE topology_id = ? AND n_links IS NOT NULL",
	                     &statement, status)) == 0 &&
	    (rc = db_bind(statement, "t", topology_id)) == 0 && (rc = db_run(statement, status)) == 0 &&
	    sqlite3_changes(state->db) == 0)
		rc = status_set(status, STATUS_NOT_FOUND, "topology '%s' does not exist", topology_id);
	sqlite3_finalize(statement);
	if (rc == 0 && (rc = bump_versions(state, topology_id, status)) == 0 &&
	    (rc = clear_topology(state, topology_id, status)) == 0)
		rc = drop_orphans(state, status);
	return state_end(state, rc, status);
}

int state_set_link(struct state *state, const struct link_change *change, int64_t now_ns,
                   struct status *status) {
	static const char sql[] =
	        "UPDATE link SET total_set_ns = CASE WHEN ?2 IS NULL THEN total_set_ns ELSE ?3 END,"
	        " total_gbps = coalesce(?2, total_gbps), used_gbps = coalesce(?4, used_gbps),"
	        " used_reverse_gbps = coalesce(?5, used_reverse_gbps), admin_up = CASE WHEN ?6 < 0 THEN "
	        "admin_up ELSE ?6 END"
	        " WHERE link_id = ?1";
	double used[N_directions] = {NAN, NAN};
	sqlite3_stmt *bump = NULL;
	int rc;

	if (HAS(change, link_change, used_capacity_gbps))
		used[change->direction] = change->used_capacity_gbps;
	if ((rc = state_begin(state, status)) < 0)
		return rc;
	if ((rc = db_prepare(state->db, sql, &state->change_link, status)) == 0 &&
	    (rc = db_bind(state->change_link, "tdiddi", change->link_id,
	                  HAS(change, link_change, total_capacity_gbps) ? change->total_capacity_gbps : NAN,
	                  now_ns, used[DIRECTION_FORWARD], used[DIRECTION_REVERSE],
	                  HAS(change, link_change, admin_up) ? (int64_t)change->admin_up : (int64_t)-1)) ==
	            0 &&
	    (rc = db_run(state->change_link, status)) == 0 && sqlite3_changes(state->db) == 0)
		rc = status_set(status, STATUS_NOT_FOUND, "link '%s' does not exist", change->link_id);
	if (rc == 0 &&
	    (rc = db_prepare(state->db,
	                     "UPDATE topology SET version = version + 1 WHERE topology_id IN"
	                     " (SELECT topology_id FROM member WHERE link_id = ?)",
	                     &bump, status)) == 0 &&
	    (rc = db_bind(bump, "t", change->link_id)) == 0)
		rc = db_run(bump, status);
	sqlite3_finalize(bump);
	return state_end(state, rc, status);
}
