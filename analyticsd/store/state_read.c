// Reading state.db: topologies page by page, one link, the bindings.
// SPDX-License-Identifier: MIT
#include "state_private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int state_read_begin(struct state *state, struct status *status) {
	return db_execute(state->db, "BEGIN", status);
}

void state_read_end(struct state *state) {
	(void)db_execute(state->db, "COMMIT", NULL);
}

static const char *column_text(sqlite3_stmt *statement, int column) {
	return (const char *)sqlite3_column_text(statement, column);
}

int state_keep_text(struct document *memory, sqlite3_stmt *statement, int column, const char **ret) {
	size_t size = (size_t)sqlite3_column_bytes(statement, column);
	const unsigned char *text = sqlite3_column_text(statement, column);
	char *copy;

	*ret = NULL;
	if (text == NULL)
		return 0;
	copy = document_alloc(memory, size + 1);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, text, size);
	copy[size] = '\0';
	*ret = copy;
	return 0;
}

static double column_real(sqlite3_stmt *statement, int column) {
	return sqlite3_column_type(statement, column) == SQLITE_NULL
	               ? NAN
	               : sqlite3_column_double(statement, column);
}

int state_topology(struct state *state, const char *topology_id, struct topology_page *ret,
                   struct status *status) {
	sqlite3_stmt **statement = &state->read_topology;
	int rc;

	if ((rc = db_prepare(state->db,
	                     "SELECT version, n_nodes, n_links FROM topology WHERE topology_id = ? AND "
	                     "n_links IS NOT NULL",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "t", topology_id)) < 0 || (rc = db_next(*statement, status)) < 0)
		return rc;
	if (rc == 0)
		return status_set(status, STATUS_NOT_FOUND, "topology '%s' does not exist", topology_id);
	ret->version = sqlite3_column_int64(*statement, 0);
	ret->n_nodes = sqlite3_column_int64(*statement, 1);
	ret->n_links = sqlite3_column_int64(*statement, 2);
	sqlite3_reset(*statement);
	return 0;
}

int state_each_node(struct state *state, const char *topology_id, int64_t from, int64_t limit,
                    int (*each)(void *context, const struct node *), void *context, struct status *status) {
	sqlite3_stmt **statement = &state->each_node;
	int rc;

	if ((rc = db_prepare(state->db,
	                     "SELECT node_id, x, y FROM node WHERE topology_id = ? AND ordinal >= ? ORDER BY "
	                     "ordinal LIMIT ?",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "tii", topology_id, from, limit)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		struct node node = {.id = column_text(*statement, 0)};

		if (!isnan(column_real(*statement, 1)))
			SET(&node, node, x, column_real(*statement, 1));
		if (!isnan(column_real(*statement, 2)))
			SET(&node, node, y, column_real(*statement, 2));
		if ((rc = each(context, &node)) < 0)
			break;
	}
	sqlite3_reset(*statement);
	return rc;
}

#define LINK_COLUMNS                                                                                         \
	"l.link_id, l.a, l.z, l.bidirectional, l.admin_up, l.total_gbps, l.used_gbps, l.used_reverse_gbps,"  \
	" l.total_set_ns, l.cost, l.latency_ms, l.srlg"

static int read_ports(struct state *state, const char *link_id, struct port_binding *ports, size_t *ret_n,
                      struct status *status) {
	sqlite3_stmt **statement = &state->each_port;
	int rc;

	*ret_n = 0;
	if ((rc = db_prepare(
	             state->db,
	             "SELECT host, name, end FROM port WHERE link_id = ? ORDER BY end, host, name LIMIT ?",
	             statement, status)) < 0 ||
	    (rc = db_bind(*statement, "ti", link_id, (int64_t)LIMIT_LINK_PORTS)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		struct port_binding *port = &ports[*ret_n];

		port->host = strdup(column_text(*statement, 0));
		port->name = strdup(column_text(*statement, 1));
		port->end = sqlite3_column_int(*statement, 2);
		(*ret_n)++;
		if (port->host == NULL || port->name == NULL) {
			rc = -ENOMEM;
			break;
		}
	}
	sqlite3_reset(*statement);
	return rc;
}

static void free_ports(struct port_binding *ports, size_t n) {
	for (size_t i = 0; i < n; i++) {
		free((char *)ports[i].host);
		free((char *)ports[i].name);
	}
}

// Hands the link of the current row to 'each'.
static int give_link(struct state *state, sqlite3_stmt *statement,
                     int (*each)(void *context, const struct link_record *), void *context,
                     struct status *status) {
	struct port_binding ports[LIMIT_LINK_PORTS] = {0};
	struct link_record record = {
	        .id = column_text(statement, 0),
	        .a = column_text(statement, 1),
	        .z = column_text(statement, 2),
	        .bidirectional = sqlite3_column_int(statement, 3) != 0,
	        .admin_up = sqlite3_column_int(statement, 4) != 0,
	        .total_gbps = column_real(statement, 5),
	        .used_gbps = {column_real(statement, 6), column_real(statement, 7)},
	        .total_set_ns = sqlite3_column_int64(statement, 8),
	        .cost = sqlite3_column_double(statement, 9),
	        .latency_ms = column_real(statement, 10),
	        .srlg = column_text(statement, 11),
	        .ports = ports,
	};
	int rc = read_ports(state, record.id, ports, &record.n_ports, status);

	if (rc == 0)
		rc = each(context, &record);
	free_ports(ports, record.n_ports);
	return rc;
}

int state_each_link(struct state *state, const char *topology_id, int64_t from, int64_t limit,
                    int (*each)(void *context, const struct link_record *), void *context,
                    struct status *status) {
	static const char sql[] = "SELECT " LINK_COLUMNS " FROM member m JOIN link l USING (link_id)"
	                          " WHERE m.topology_id = ? AND m.ordinal >= ? ORDER BY m.ordinal LIMIT ?";
	int rc;

	if ((rc = db_prepare(state->db, sql, &state->each_link, status)) < 0 ||
	    (rc = db_bind(state->each_link, "tii", topology_id, from, limit)) < 0)
		return rc;
	while ((rc = db_next(state->each_link, status)) > 0) {
		if ((rc = give_link(state, state->each_link, each, context, status)) < 0)
			break;
	}
	sqlite3_reset(state->each_link);
	return rc;
}

int state_link(struct state *state, const char *link_id,
               int (*each)(void *context, const struct link_record *), void *context, struct status *status) {
	int rc;

	if ((rc = db_prepare(state->db, "SELECT " LINK_COLUMNS " FROM link l WHERE l.link_id = ?",
	                     &state->one_link, status)) < 0 ||
	    (rc = db_bind(state->one_link, "t", link_id)) < 0 || (rc = db_next(state->one_link, status)) < 0)
		return rc;
	if (rc == 0)
		return status_set(status, STATUS_NOT_FOUND, "link '%s' does not exist", link_id);
	rc = give_link(state, state->one_link, each, context, status);
	sqlite3_reset(state->one_link);
	return rc;
}

int state_each_topology(struct state *state, int (*each)(void *context, const struct topology_summary *),
                        void *context, struct status *status) {
	sqlite3_stmt **statement = &state->each_topology;
	int rc;

	if ((rc = db_prepare(
	             state->db,
	             "SELECT topology_id, version, n_nodes, n_links FROM topology WHERE n_links IS NOT NULL"
	             " ORDER BY topology_id",
	             statement, status)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		struct topology_summary summary = {
		        .topology_id = column_text(*statement, 0),
		        .version = sqlite3_column_int64(*statement, 1),
		        .nodes = sqlite3_column_int64(*statement, 2),
		        .links = sqlite3_column_int64(*statement, 3),
		};
		if ((rc = each(context, &summary)) < 0)
			break;
	}
	sqlite3_reset(*statement);
	return rc;
}

int state_each_binding(struct state *state,
                       int (*each)(void *context, const char *link_id, const struct port_binding *binding),
                       void *context, struct status *status) {
	sqlite3_stmt **statement = &state->each_binding;
	int rc;

	if ((rc = db_prepare(state->db,
	                     "SELECT link_id, host, name, end FROM port ORDER BY link_id, end, host, name",
	                     statement, status)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		struct port_binding binding = {
		        .host = column_text(*statement, 1),
		        .name = column_text(*statement, 2),
		        .end = sqlite3_column_int(*statement, 3),
		};
		if ((rc = each(context, column_text(*statement, 0), &binding)) < 0)
			break;
	}
	sqlite3_reset(*statement);
	return rc;
}

int state_binding(struct state *state, const char *host, const char *name,
                  char ret_link_id[static LIMIT_ID_SIZE + 1], enum ends *ret_end, struct status *status) {
	sqlite3_stmt **statement = &state->one_binding;
	int rc;

	if ((rc = db_prepare(state->db, "SELECT link_id, end FROM port WHERE host = ? AND name = ?",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "tt", host, name)) < 0 || (rc = db_next(*statement, status)) <= 0)
		return rc;
	snprintf(ret_link_id, LIMIT_ID_SIZE + 1, "%s", column_text(*statement, 0));
	*ret_end = (enum ends)sqlite3_column_int(*statement, 1);
	sqlite3_reset(*statement);
	return 1;
}
