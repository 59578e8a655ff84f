// Rows that are missing, and rows as they were stored: what history does for replay.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include <errno.h>
#include <string.h>

// ---- gaps

static int insert_gap(struct history *history, int64_t port_id, uint64_t instance, const struct seq_gap *gap,
                      struct status *status) {
	int rc;

	if ((rc = db_bind(history->insert_gap, "iiiii", port_id, (int64_t)instance, (int64_t)gap->from_seq,
	                  (int64_t)gap->to_seq, (int64_t)gap->gone)) < 0)
		return rc;
	return db_run(history->insert_gap, status);
}

static int note_last_seq(struct history *history, int64_t port_id, uint64_t instance, uint64_t last_seq,
                         struct status *status) {
	static const char sql[] =
	        "INSERT INTO port_instance (port_id, instance, n_rows, last_seq) VALUES (?, ?, 0, ?)"
	        " ON CONFLICT (port_id, instance) DO UPDATE SET last_seq = max(last_seq, excluded.last_seq)";
	sqlite3_stmt **statement = &history->note_last_seq;
	int rc;

	if ((rc = db_prepare(history->db, sql, statement, status)) < 0 ||
	    (rc = db_bind(*statement, "iii", port_id, (int64_t)instance, (int64_t)last_seq)) < 0)
		return rc;
	return db_run(*statement, status);
}

int history_set_gaps(struct history *history, const char *host, const char *name, uint64_t instance,
                     uint64_t last_seq, const struct seq_gap *gaps, size_t n_gaps, struct status *status) {
	int64_t port_id;
	int rc;

	if ((rc = history_find_port(history, host, name, &port_id, status)) <= 0)
		return rc;
	if ((rc = note_last_seq(history, port_id, instance, last_seq, status)) < 0 ||
	    (rc = db_prepare(history->db, "DELETE FROM port_gap WHERE port_id = ? AND instance = ?",
	                     &history->drop_gaps, status)) < 0 ||
	    (rc = db_bind(history->drop_gaps, "ii", port_id, (int64_t)instance)) < 0 ||
	    (rc = db_run(history->drop_gaps, status)) < 0 ||
	    (rc = db_prepare(history->db,
	                     "INSERT INTO port_gap (port_id, instance, from_seq, to_seq, gone)"
	                     " VALUES (?, ?, ?, ?, ?)",
	                     &history->insert_gap, status)) < 0)
		return rc;
	for (size_t i = 0; i < n_gaps; i++) {
		if ((rc = insert_gap(history, port_id, instance, &gaps[i], status)) < 0)
			return rc;
	}
	return 1;
}

// The newest row that is known of: as it was noted, or stored and not sealed yet. Returns 1, 0, or a negative errno.
static int read_last_seq(struct history *history, int64_t port_id, uint64_t instance, uint64_t *ret,
                         struct status *status) {
	sqlite3_stmt **statement = &history->read_instance;
	struct open_series *open;
	int rc, found;

	if ((rc = history_open_rows(history, series_number(SERIES_PORT, port_id), &open, status)) < 0 ||
	    (rc = db_prepare(history->db,
	                     "SELECT last_seq FROM port_instance WHERE port_id = ? AND instance = ?",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "ii", port_id, (int64_t)instance)) < 0 ||
	    (found = db_next(*statement, status)) < 0)
		return rc < 0 ? rc : found;
	*ret = found > 0 ? (uint64_t)sqlite3_column_int64(*statement, 0) : 0;
	sqlite3_reset(*statement);
	for (size_t i = 0; open != NULL && i < open->rows.n; i++) {
		const uint64_t *row = rows_at(&open->rows, i);

		if (row[ROW_INSTANCE] != instance)
			continue;
		found = 1;
		if (row[ROW_SEQ] > *ret)
			*ret = row[ROW_SEQ];
	}
	return found;
}

int history_gaps(struct history *history, const char *host, const char *name, uint64_t instance,
                 int (*each)(void *context, const struct seq_gap *), void *context, uint64_t *ret_last_seq,
                 struct status *status) {
	sqlite3_stmt **statement = &history->read_gaps;
	int64_t port_id;
	int rc;

	if ((rc = history_find_port(history, host, name, &port_id, status)) <= 0 ||
	    (rc = read_last_seq(history, port_id, instance, ret_last_seq, status)) <= 0)
		return rc;
	if ((rc = db_prepare(history->db,
	                     "SELECT from_seq, to_seq, gone FROM port_gap WHERE port_id = ? AND instance = ?"
	                     " ORDER BY from_seq",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "ii", port_id, (int64_t)instance)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		struct seq_gap gap = {
		        .from_seq = (uint64_t)sqlite3_column_int64(*statement, 0),
		        .to_seq = (uint64_t)sqlite3_column_int64(*statement, 1),
		        .gone = sqlite3_column_int(*statement, 2) != 0,
		};

		if ((rc = each(context, &gap)) < 0)
			break;
	}
	sqlite3_reset(*statement);
	return rc < 0 ? rc : 1;
}

// ---- rows

static void take_row(const uint64_t *row, struct stored_row *ret) {
	*ret = (struct stored_row){
	        .instance = row[ROW_INSTANCE],
	        .seq = row[ROW_SEQ],
	        .epoch = (int64_t)row[ROW_EPOCH],
	        .ts_ns = (int64_t)row[ROW_TS],
	        .up = row[ROW_UP] != 0,
	};
	memcpy(ret->counters, row + ROW_COUNTERS, sizeof(ret->counters));
}

struct collected {
	struct stored_row *rows;
	size_t n, capacity;
};

static int collect(void *context, const struct batch *batch) {
	struct collected *collected = context;

	if (collected->n + batch->n > collected->capacity) {
		size_t capacity = 2 * collected->capacity + batch->n;
		void *moved = reallocarray(collected->rows, capacity, sizeof(*collected->rows));

		if (moved == NULL)
			return -ENOMEM;
		collected->rows = moved;
		collected->capacity = capacity;
	}
	for (size_t i = 0; i < batch->n; i++) {
		uint64_t row[ROW_COUNTERS + N_PORT_COUNTERS] = {batch->ts[i]};

		for (size_t k = 1; k < sizeof(row) / sizeof(row[0]); k++)
			row[k] = batch->columns[k - 1][i];
		take_row(row, &collected->rows[collected->n++]);
	}
	return 0;
}

int history_rows(struct history *history, const char *host, const char *name, int64_t from_ns, int64_t to_ns,
                 struct stored_row **ret, size_t *ret_n, struct status *status) {
	size_t places[ROW_COUNTERS + N_PORT_COUNTERS - 1];
	struct collected collected = {0};
	struct scan scan = {
	        .level = LEVEL_RAW,
	        .from_ns = from_ns,
	        .to_ns = to_ns,
	        .places = places,
	        .n_places = sizeof(places) / sizeof(places[0]),
	        .each = collect,
	        .context = &collected,
	};
	int64_t port_id;
	int rc;

	for (size_t i = 0; i < scan.n_places; i++)
		places[i] = i + 1;
	if ((rc = history_enter(history, status)) < 0)
		return rc;
	rc = history_find_port(history, host, name, &port_id, status);
	if (rc > 0) {
		scan.series = series_number(SERIES_PORT, port_id);
		rc = history_scan(history, &scan, status);
	}
	history_leave(history);
	if (rc < 0) {
		free(collected.rows);
		return rc;
	}
	*ret = collected.rows;
	*ret_n = collected.n;
	return 0;
}

int history_each_last_row(struct history *history,
                          int (*each)(void *context, const char *host, const char *name,
                                      const struct stored_row *),
                          void *context, struct status *status) {
	sqlite3_stmt **statement = &history->each_last_row;
	int rc;

	if ((rc = history_enter(history, status)) < 0)
		return rc;
	if ((rc = db_prepare(history->db, "SELECT port_id, host, name FROM port ORDER BY port_id", statement,
	                     status)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		CLEANUP(rows_fini) struct rows newest = {0};
		struct stored_row row;

		if ((rc = history_newest(history,
		                         series_number(SERIES_PORT, sqlite3_column_int64(*statement, 0)),
		                         INT64_MAX, 1, &newest, status)) < 0)
			break;
		if (newest.n == 0)
			continue;
		take_row(newest.values, &row);
		if ((rc = each(context, (const char *)sqlite3_column_text(*statement, 1),
		               (const char *)sqlite3_column_text(*statement, 2), &row)) < 0)
			break;
	}
	sqlite3_reset(*statement);
	history_leave(history);
	return rc;
}
