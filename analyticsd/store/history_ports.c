// Rows of ports on their way in: whose they are, whether they are new, and what of the port changed.
// SPDX-License-Identifier: MIT
#include "port_state.h"

#include "clock.h"

#include <errno.h>
#include <string.h>

#define HEARD_EVERY_NS NS_PER_SECOND // of writing when a publisher was last heard

int history_find_port(struct history *history, const char *host, const char *name, int64_t *ret,
                      struct status *status) {
	sqlite3_stmt **statement = &history->find_port;
	int rc;

	if ((rc = db_prepare(history->db, "SELECT port_id FROM port WHERE host = ? AND name = ?", statement,
	                     status)) < 0 ||
	    (rc = db_bind(*statement, "tt", host, name)) < 0 || (rc = db_next(*statement, status)) <= 0)
		return rc;
	*ret = sqlite3_column_int64(*statement, 0);
	sqlite3_reset(*statement);
	return 1;
}

// ---- a sample as it is offered

static bool has_basic_names(const struct sample *sample) {
	if (sample->n_names < N_PORT_COUNTERS)
		return false;
	for (size_t i = 0; i < N_PORT_COUNTERS; i++) {
		if (strcmp(sample->names[i], port_counters[i].name) != 0)
			return false;
	}
	return true;
}

static bool has_names(const struct sample *sample, const struct name_set *set) {
	if (sample->n_names != N_PORT_COUNTERS + set->n)
		return false;
	for (size_t i = 0; i < set->n; i++) {
		if (strcmp(sample->names[N_PORT_COUNTERS + i], set->names[i]) != 0)
			return false;
	}
	return true;
}

int history_check_sample(const struct sample *sample, struct status *status) {
	if (!has_basic_names(sample))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "names: must begin with the %d basic counters", N_PORT_COUNTERS);
	return 0;
}

// ---- what is known of a port

static int read_instances(struct history *history, struct port_state *state, struct status *status) {
	sqlite3_stmt **statement = &history->read_instances;
	int rc;

	if ((rc = db_prepare(history->db, "SELECT instance, stored_seq FROM port_instance WHERE port_id = ?",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "i", state->port_id)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		if ((rc = port_state_note(state, (uint64_t)sqlite3_column_int64(*statement, 0),
		                          (uint64_t)sqlite3_column_int64(*statement, 1))) < 0)
			break;
	}
	sqlite3_reset(*statement);
	for (size_t i = 0; rc >= 0 && i < state->open->rows.n; i++) {
		const uint64_t *row = rows_at(&state->open->rows, i);

		rc = port_state_note(state, row[ROW_INSTANCE], row[ROW_SEQ]);
	}
	return rc < 0 ? rc : 0;
}

// Returns 1, 0 when the port is new, or a negative errno.
static int read_port(struct history *history, const char *host, const char *name, struct port_state *state,
                     struct status *status) {
	sqlite3_stmt **statement = &history->read_port;
	const char *link;
	int rc;

	if ((rc = db_prepare(history->db,
	                     "SELECT port_id, port, speed_mbps, instance, last_seq, link FROM port"
	                     " WHERE host = ? AND name = ?",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "tt", host, name)) < 0 || (rc = db_next(*statement, status)) <= 0)
		return rc;
	state->port_id = sqlite3_column_int64(*statement, 0);
	state->port = sqlite3_column_int64(*statement, 1);
	state->speed_mbps = sqlite3_column_int64(*statement, 2);
	state->instance = (uint64_t)sqlite3_column_int64(*statement, 3);
	state->last_seq = (uint64_t)sqlite3_column_int64(*statement, 4);
	link = (const char *)sqlite3_column_text(*statement, 5);
	if (link != NULL && (state->link = strdup(link)) == NULL)
		rc = -ENOMEM;
	sqlite3_reset(*statement);
	return rc;
}

static int write_port(struct history *history, const struct sample *sample, const struct port_state *state,
                      struct status *status) {
	int rc;

	if ((rc = db_prepare(history->db,
	                     "UPDATE port SET port = ?, link = ?, instance = ?, last_seq = ?, last_ts_ns = ?,"
	                     " speed_mbps = ?, up = ? WHERE port_id = ?",
	                     &history->change_port, status)) < 0 ||
	    (rc = db_bind(history->change_port, "itiiiiii", state->port, state->link,
	                  (int64_t)state->instance, (int64_t)state->last_seq,
	                  (int64_t)sample->rows[(sample->n_rows - 1) * (2 + sample->n_names) + 1],
	                  state->speed_mbps, (int64_t)sample->up, state->port_id)) < 0)
		return rc;
	return db_run(history->change_port, status);
}

static int insert_port(struct history *history, const struct sample *sample, struct port_state *state,
                       struct status *status) {
	int rc;

	if ((rc = db_prepare(
	             history->db,
	             "INSERT INTO port (host, name, port, instance, last_seq, last_ts_ns, speed_mbps, up)"
	             " VALUES (?, ?, 0, 0, 0, 0, 0, 0)",
	             &history->insert_port, status)) < 0 ||
	    (rc = db_bind(history->insert_port, "tt", sample->host, sample->name)) < 0 ||
	    (rc = db_run(history->insert_port, status)) < 0)
		return rc;
	state->port_id = sqlite3_last_insert_rowid(history->db);
	return 0;
}

static bool same_link(const char *a, const char *b) {
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static int get_port(struct history *history, const struct sample *sample, struct port_state **ret,
                    struct status *status) {
	struct port_state *state = port_state_find(history->ports, sample->host, sample->name);
	int rc;

	if (state == NULL) {
		state = port_state_new(sample->host, sample->name);
		if (state == NULL)
			return -ENOMEM;
		rc = read_port(history, sample->host, sample->name, state, status);
		if (rc == 0)
			rc = insert_port(history, sample, state, status);
		if (rc >= 0) {
			state->open = tail_get(&history->tail, series_number(SERIES_PORT, state->port_id));
			rc = state->open == NULL ? -ENOMEM : read_instances(history, state, status);
		}
		if (rc < 0) {
			port_state_free(state);
			return rc;
		}
		port_state_add(&history->ports, state);
	}
	*ret = state;
	return 0;
}

// Rows that come late do not change the port: an instance that was heard before another one does not come back, and
// a clock that steps back holds nothing up.
static int note_port(struct history *history, const struct sample *sample, struct port_state *state,
                     bool is_known, struct status *status) {
	uint64_t last_seq = sample->rows[(sample->n_rows - 1) * (2 + sample->n_names)];
	char *link = NULL;
	bool same = state->instance == sample->instance;

	if (same ? last_seq < state->last_seq : is_known)
		return 0;
	state->last_seq = last_seq;
	if (same && state->port == sample->port && state->speed_mbps == sample->speed_mbps &&
	    same_link(state->link, sample->link))
		return 0;
	if (sample->link != NULL && (link = strdup(sample->link)) == NULL)
		return -ENOMEM;
	state->instance = sample->instance;
	state->port = sample->port;
	state->speed_mbps = sample->speed_mbps;
	free(state->link);
	state->link = link;
	return write_port(history, sample, state, status);
}

// ---- rows

// Is a row that does not follow there already? Returns 1, 0, or a negative errno.
static int is_stored(struct history *history, struct open_series *open, const uint64_t *row,
                     struct status *status) {
	for (size_t i = open->rows.n; i-- > 0;) {
		const uint64_t *other = rows_at(&open->rows, i);

		if (other[ROW_SEQ] == row[ROW_SEQ] && other[ROW_INSTANCE] == row[ROW_INSTANCE])
			return 1;
	}
	return history_find_sealed(history, open, row, NULL, status);
}

static int add_row(struct history *history, const struct sample *sample, struct port_state *state,
                   int instance, const uint64_t *values, struct sample_stored *ret, struct status *status) {
	size_t width = ROW_COUNTERS + sample->n_names;
	uint64_t row[width];
	int rc = 0;

	row[ROW_TS] = values[1];
	row[ROW_SEQ] = values[0];
	row[ROW_INSTANCE] = sample->instance;
	row[ROW_EPOCH] = (uint64_t)sample->epoch;
	row[ROW_UP] = sample->up;
	memcpy(row + ROW_COUNTERS, values + 2, sample->n_names * sizeof(*row));
	if (values[0] <= state->instances[instance].newest_seq)
		rc = is_stored(history, state->open, row, status);
	else
		state->instances[instance].newest_seq = values[0];
	if (rc < 0)
		return rc;
	ret->rows += rc == 0;
	ret->duplicates += rc > 0;
	return rc > 0 ? 0 : tail_add(&history->tail, state->open, width, row);
}

// Rows with other names than those that wait: these are sealed first.
static int take_names(struct history *history, const struct sample *sample, struct port_state *state,
                      struct status *status) {
	struct open_series *open = state->open;
	int rc;

	if (state->names == NULL || !has_names(sample, state->names)) {
		if ((rc = history_check_sample(sample, status)) < 0 ||
		    (rc = history_find_names(history, sample, &state->names, status)) < 0)
			return rc;
	}
	if (open->rows.n > 0 &&
	    (open->names_id != state->names->names_id ||
	     open_width(open) != ROW_COUNTERS + sample->n_names) &&
	    (rc = history_seal_series(history, open, status)) < 0)
		return rc;
	open->names_id = state->names->names_id;
	return 0;
}

static int add_sample(struct history *history, const struct sample *sample, bool live,
                      struct sample_stored *ret, struct status *status) {
	size_t width = 2 + sample->n_names;
	struct port_state *state;
	size_t n_known;
	int rc, instance;

	*ret = (struct sample_stored){0};
	if (sample->n_rows == 0 || sample->n_names < N_PORT_COUNTERS)
		return history_check_sample(sample, status);
	if ((rc = get_port(history, sample, &state, status)) < 0 ||
	    (rc = take_names(history, sample, state, status)) < 0)
		return rc;
	n_known = state->n_instances;
	if ((instance = port_state_note(state, sample->instance, 0)) < 0)
		return instance;
	if ((live || state->instance == sample->instance) &&
	    (rc = note_port(history, sample, state,
	                    (size_t)instance < n_known && state->instances[instance].newest_seq > 0,
	                    status)) < 0)
		return rc;
	for (size_t i = 0; i < sample->n_rows; i++) {
		if ((rc = add_row(history, sample, state, instance, sample->rows + i * width, ret, status)) <
		    0)
			return rc;
	}
	return history_seal_excess(history, status);
}

int history_add_sample(struct history *history, const struct sample *sample, struct sample_stored *ret,
                       struct status *status) {
	return add_sample(history, sample, true, ret, status);
}

int history_add_recorded(struct history *history, const struct sample *sample, struct sample_stored *ret,
                         struct status *status) {
	return add_sample(history, sample, false, ret, status);
}

// ---- publishers

// A publisher tells its last row of each port: rows that never came show as lost by it.
static int note_hello_port(struct history *history, const struct hello *hello, const struct hello_port *port,
                           struct status *status) {
	sqlite3_stmt **statement = &history->note_hello_port;
	int64_t port_id;
	int rc;

	if ((rc = history_find_port(history, hello->host, port->name, &port_id, status)) <= 0)
		return rc;
	if ((rc = db_prepare(
	             history->db,
	             "INSERT INTO port_instance (port_id, instance, n_rows, last_seq) VALUES (?, ?, 0, ?)"
	             " ON CONFLICT (port_id, instance) DO UPDATE SET last_seq = max(last_seq,"
	             " excluded.last_seq)",
	             statement, status)) < 0 ||
	    (rc = db_bind(*statement, "iii", port_id, (int64_t)hello->instance, (int64_t)port->last_seq)) < 0)
		return rc;
	return db_run(*statement, status);
}

static int note_source(struct history *history, const char *host, uint64_t instance, int64_t now_ns,
                       const struct hello *hello, struct status *status) {
	static const char sql[] =
	        "INSERT INTO source (host, instance, interval_ns, dropped, last_ns) VALUES (?, ?, ?, ?, ?)"
	        " ON CONFLICT (host, instance) DO UPDATE SET last_ns = max(last_ns, excluded.last_ns),"
	        " interval_ns = CASE WHEN excluded.interval_ns > 0 THEN excluded.interval_ns ELSE "
	        "interval_ns END,"
	        " dropped = max(dropped, excluded.dropped)";
	int rc;

	if ((rc = db_prepare(history->db, sql, &history->note_source, status)) < 0 ||
	    (rc = db_bind(history->note_source, "tiiii", host, (int64_t)instance,
	                  hello != NULL ? (int64_t)hello->interval_ns : 0,
	                  hello != NULL ? (int64_t)hello->dropped : 0, now_ns)) < 0)
		return rc;
	return db_run(history->note_source, status);
}

int history_add_hello(struct history *history, const char *host, uint64_t instance, int64_t now_ns,
                      const struct hello *hello, struct status *status) {
	struct port_state *heard = port_state_find(history->ports, host, ""); // stands for the publisher
	int rc;

	if (heard == NULL) {
		heard = port_state_new(host, "");
		if (heard == NULL)
			return -ENOMEM;
		port_state_add(&history->ports, heard);
	}
	if (hello == NULL && heard->heard_instance == instance && now_ns - heard->heard_ns < HEARD_EVERY_NS &&
	    now_ns >= heard->heard_ns)
		return 0;
	if ((rc = note_source(history, host, instance, now_ns, hello, status)) < 0)
		return rc;
	heard->heard_instance = instance;
	heard->heard_ns = now_ns;
	for (size_t i = 0; hello != NULL && i < hello->n_ports; i++) {
		if ((rc = note_hello_port(history, hello, &hello->ports[i], status)) < 0)
			return rc;
	}
	return 0;
}
