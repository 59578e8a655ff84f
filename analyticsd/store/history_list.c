// What is known of ports, publishers and chunks.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include "clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define RATE_SPAN_NS (950 * NS_PER_MS) // rates are over a second, with some slack

static double gbps(const uint64_t *before, const uint64_t *row, int counter) {
	uint64_t older = before[ROW_COUNTERS + counter], newer = row[ROW_COUNTERS + counter];
	double seconds = (double)(int64_t)(row[ROW_TS] - before[ROW_TS]) / 1e9;

	return seconds > 0 && newer >= older ? (double)(newer - older) * 8 / seconds / 1e9 : NAN;
}

static uint64_t errors_of(const uint64_t *row) {
	const uint64_t *counters = row + ROW_COUNTERS;

	return counters[COUNTER_rx_missed] + counters[COUNTER_rx_errors] + counters[COUNTER_tx_errors] +
	       counters[COUNTER_rx_nombuf];
}

// The row that came last of the port's instance, of those that are not sealed: a clock that steps back holds nothing
// up. NULL without any. What they add to the port's line is added.
static const uint64_t *look_at_open(const struct open_series *open, struct port_record *ret) {
	const uint64_t *last = NULL;

	for (size_t i = 0; open != NULL && i < open->rows.n; i++) {
		const uint64_t *row = rows_at(&open->rows, i);

		if (row[ROW_INSTANCE] != ret->instance)
			continue;
		ret->rows++;
		if (last == NULL || row[ROW_SEQ] > last[ROW_SEQ])
			last = row;
	}
	if (last != NULL && last[ROW_SEQ] > ret->last_seq)
		ret->last_seq = last[ROW_SEQ];
	return last;
}

// What rows say of the port: the newest one, and the one a second before it.
static int look_at_rows(struct history *history, int64_t series, struct port_record *ret,
                        struct status *status) {
	CLEANUP(rows_fini) struct rows newest = {0}, before = {0};
	const uint64_t *row, *older;
	struct open_series *open;
	int rc;

	if ((rc = history_open_rows(history, series, &open, status)) < 0)
		return rc;
	row = look_at_open(open, ret);
	if (row == NULL) {
		if ((rc = history_newest(history, series, INT64_MAX, 1, &newest, status)) < 0 ||
		    newest.n == 0)
			return rc;
		row = newest.values;
	}
	ret->last_ts_ns = (int64_t)row[ROW_TS];
	ret->up = row[ROW_UP] != 0;
	ret->errors = errors_of(row);
	if ((rc = history_newest(history, series, ret->last_ts_ns - RATE_SPAN_NS, 1, &before, status)) < 0 ||
	    before.n == 0)
		return rc;
	older = before.values;
	if (older[ROW_INSTANCE] == row[ROW_INSTANCE] && older[ROW_EPOCH] == row[ROW_EPOCH]) {
		ret->rx_gbps = gbps(older, row, COUNTER_rx_bytes);
		ret->tx_gbps = gbps(older, row, COUNTER_tx_bytes);
	}
	return 0;
}

static const char each_port_sql[] =
        "SELECT p.port_id, p.host, p.name, p.link, p.instance, coalesce(i.last_seq, 0), coalesce(i.n_rows, "
        "0),"
        " p.port, p.speed_mbps, p.last_ts_ns, p.up,"
        " (SELECT CAST(min(total(to_seq - from_seq + 1), 9e18) AS INTEGER) FROM port_gap g"
        "  WHERE g.port_id = p.port_id AND g.instance = p.instance AND g.gone)"
        " FROM port p LEFT JOIN port_instance i ON i.port_id = p.port_id AND i.instance = p.instance"
        " ORDER BY p.host, p.name";

static int read_record(struct history *history, sqlite3_stmt *statement, struct port_record *ret,
                       struct status *status) {
	*ret = (struct port_record){
	        .host = (const char *)sqlite3_column_text(statement, 1),
	        .name = (const char *)sqlite3_column_text(statement, 2),
	        .link = (const char *)sqlite3_column_text(statement, 3),
	        .instance = (uint64_t)sqlite3_column_int64(statement, 4),
	        .last_seq = (uint64_t)sqlite3_column_int64(statement, 5),
	        .rows = (uint64_t)sqlite3_column_int64(statement, 6),
	        .port = sqlite3_column_int64(statement, 7),
	        .speed_mbps = sqlite3_column_int64(statement, 8),
	        .last_ts_ns = sqlite3_column_int64(statement, 9),
	        .up = sqlite3_column_int(statement, 10) != 0,
	        .gone = (uint64_t)sqlite3_column_int64(statement, 11),
	        .rx_gbps = NAN,
	        .tx_gbps = NAN,
	};
	return look_at_rows(history, series_number(SERIES_PORT, sqlite3_column_int64(statement, 0)), ret,
	                    status);
}

int history_each_port(struct history *history, int (*each)(void *context, const struct port_record *),
                      void *context, struct status *status) {
	struct port_record record;
	int rc;

	if ((rc = history_enter(history, status)) < 0)
		return rc;
	if ((rc = db_prepare(history->db, each_port_sql, &history->each_port, status)) == 0) {
		while ((rc = db_next(history->each_port, status)) > 0) {
			if ((rc = read_record(history, history->each_port, &record, status)) < 0 ||
			    (rc = each(context, &record)) < 0)
				break;
		}
		sqlite3_reset(history->each_port);
	}
	history_leave(history);
	return rc;
}

int history_each_port_of(struct history *history, const char *link_id,
                         int (*each)(void *context, const char *host, const char *name), void *context,
                         struct status *status) {
	sqlite3_stmt **statement = &history->each_port_of;
	int rc;

	if ((rc = db_prepare(history->db, "SELECT host, name FROM port WHERE link = ? ORDER BY host, name",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "t", link_id)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		rc = each(context, (const char *)sqlite3_column_text(*statement, 0),
		          (const char *)sqlite3_column_text(*statement, 1));
		if (rc < 0)
			break;
	}
	sqlite3_reset(*statement);
	return rc;
}

int history_each_source(struct history *history, int (*each)(void *context, const struct source_record *),
                        void *context, struct status *status) {
	static const char sql[] = "SELECT host, instance, interval_ns, dropped, max(last_ns) FROM source "
	                          "GROUP BY host ORDER BY host";
	sqlite3_stmt **statement = &history->each_source;
	int rc;

	if ((rc = db_prepare(history->db, sql, statement, status)) < 0)
		return rc;
	while ((rc = db_next(*statement, status)) > 0) {
		struct source_record record = {
		        .host = (const char *)sqlite3_column_text(*statement, 0),
		        .instance = (uint64_t)sqlite3_column_int64(*statement, 1),
		        .interval_ns = (uint64_t)sqlite3_column_int64(*statement, 2),
		        .dropped = (uint64_t)sqlite3_column_int64(*statement, 3),
		        .last_ns = sqlite3_column_int64(*statement, 4),
		};
		if ((rc = each(context, &record)) < 0)
			break;
	}
	sqlite3_reset(*statement);
	return rc;
}

// ---- one port

static int64_t interval_of(struct history *history, const char *host, uint64_t instance) {
	sqlite3_stmt **statement = &history->interval;
	int64_t interval_ns = 0;

	if (db_prepare(history->db, "SELECT interval_ns FROM source WHERE host = ? AND instance = ?",
	               statement, NULL) < 0 ||
	    db_bind(*statement, "ti", host, (int64_t)instance) < 0 || db_next(*statement, NULL) <= 0)
		return 0;
	interval_ns = sqlite3_column_int64(*statement, 0);
	sqlite3_reset(*statement);
	return interval_ns;
}

// Returns 1 with the port's id and speed, 0, or a negative errno.
static int find_line(struct history *history, const char *host, const char *name, int64_t *ret_id,
                     int64_t *ret_speed_mbps, struct status *status) {
	sqlite3_stmt **statement = &history->port_line;
	int rc;

	if ((rc = db_prepare(history->db, "SELECT port_id, speed_mbps FROM port WHERE host = ? AND name = ?",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "tt", host, name)) < 0 || (rc = db_next(*statement, status)) <= 0)
		return rc;
	*ret_id = sqlite3_column_int64(*statement, 0);
	*ret_speed_mbps = sqlite3_column_int64(*statement, 1);
	sqlite3_reset(*statement);
	return 1;
}

int history_port_newest(struct history *history, const char *host, const char *name, int64_t at_ns,
                        struct port_newest *ret, struct status *status) {
	CLEANUP(rows_fini) struct rows newest = {0};
	int64_t id, speed_mbps = 0;
	int rc;

	if ((rc = history_enter(history, status)) < 0)
		return rc;
	rc = find_line(history, host, name, &id, &speed_mbps, status);
	if (rc > 0)
		rc = history_newest(history, series_number(SERIES_PORT, id), at_ns, 1, &newest, status);
	if (rc >= 0 && newest.n > 0) {
		ret->ts_ns = rows_ts(&newest, 0);
		ret->up = newest.values[ROW_UP] != 0;
		ret->speed_mbps = speed_mbps;
		ret->interval_ns = interval_of(history, host, newest.values[ROW_INSTANCE]);
		rc = 1;
	}
	history_leave(history);
	return rc;
}

// Adds the names of a set to '*text' that are not there yet.
static int add_names(char **text, const char *const *names, size_t n) {
	for (size_t i = 0; i < n; i++) {
		size_t size = strlen(*text), length = strlen(names[i]);
		bool there = false;
		char *moved;

		for (const char *line = *text; *line != '\0' && !there; line += strcspn(line, "\n") + 1)
			there = strcspn(line, "\n") == length && memcmp(line, names[i], length) == 0;
		if (there)
			continue;
		moved = realloc(*text, size + length + 2);
		if (moved == NULL)
			return -ENOMEM;
		*text = moved;
		sprintf(moved + size, "%s\n", names[i]);
	}
	return 0;
}

struct naming {
	struct history *history;
	int64_t series, last_id;
	char *text;
	struct status *status;
};

static int add_set(struct naming *naming, int64_t names_id) {
	const struct name_set *set;
	int rc;

	if (names_id == naming->last_id)
		return 0;
	naming->last_id = names_id;
	if ((rc = history_names(naming->history, names_id, &set, naming->status)) < 0)
		return rc;
	return add_names(&naming->text, set->names, set->n);
}

// Steps of hours name the same counters as what they are of, and are few.
static int add_names_of(struct naming *naming, enum history_level level) {
	CLEANUP(chunk_list_fini) struct chunk_list list = {0};
	CLEANUP(chunk_bytes_fini) struct chunk_bytes bytes = {0};
	struct chunk_head head;
	int rc;

	if ((rc = naming->history->archive->ops->find(naming->history->archive, naming->series, level,
	                                              INT64_MIN, INT64_MAX, SIZE_MAX, &list,
	                                              naming->status)) < 0)
		return rc;
	for (size_t i = 0; i < list.n; i++) {
		rc = history_read_head(naming->history, naming->series, &list.refs[i], &bytes, &head,
		                       naming->status);
		if (rc == 0)
			rc = add_set(naming, head.kind.names_id);
		if (rc < 0 && rc != -EBADMSG)
			return rc;
	}
	return 0;
}

static int collect_names(struct naming *naming, const char *host, const char *name) {
	struct open_series *open;
	int64_t id;
	int rc;

	rc = history_find_port(naming->history, host, name, &id, naming->status);
	if (rc == 0)
		return status_set(naming->status, STATUS_NOT_FOUND, "port '%s' of host '%s' was never heard",
		                  name, host);
	if (rc < 0)
		return rc;
	naming->series = series_number(SERIES_PORT, id);
	naming->last_id = 0;
	naming->text = strdup("");
	if (naming->text == NULL)
		return -ENOMEM;
	for (int i = 0; i < N_PORT_COUNTERS; i++) {
		if ((rc = add_names(&naming->text, (const char *const[]){port_counters[i].name}, 1)) < 0)
			return rc;
	}
	if ((rc = add_names_of(naming, LEVEL_HOUR)) < 0 ||
	    (rc = history_open_rows(naming->history, naming->series, &open, naming->status)) < 0)
		return rc;
	return open != NULL ? add_set(naming, open->names_id) : 0;
}

int history_port_names(struct history *history, const char *host, const char *name, char **ret,
                       struct status *status) {
	struct naming naming = {.history = history, .status = status};
	int rc;

	if ((rc = history_enter(history, status)) < 0)
		return rc;
	rc = collect_names(&naming, host, name);
	history_leave(history);
	if (rc < 0) {
		free(naming.text);
		return rc;
	}
	*ret = naming.text;
	return 0;
}

static int find_span(struct history *history, int64_t series, int64_t *ret_from_ns, int64_t *ret_to_ns,
                     struct status *status) {
	struct archive *archive = history->archive;
	int64_t from_ns = INT64_MAX, to_ns = INT64_MIN;
	struct open_series *open;
	int rc;

	if ((rc = history_open_rows(history, series, &open, status)) < 0)
		return rc;
	for (size_t i = 0; open != NULL && i < open->rows.n; i++) {
		int64_t ts_ns = rows_ts(&open->rows, i);

		from_ns = ts_ns < from_ns ? ts_ns : from_ns;
		to_ns = ts_ns > to_ns ? ts_ns : to_ns;
	}
	for (enum history_level level = LEVEL_RAW; level < N_LEVELS; level++) {
		CLEANUP(chunk_list_fini) struct chunk_list list = {0};

		if ((rc = archive->ops->find(archive, series, level, INT64_MIN, INT64_MAX, 1, &list,
		                             status)) < 0 ||
		    (rc = archive->ops->before(archive, series, level, INT64_MAX, 1, &list, status)) < 0)
			return rc;
		for (size_t i = 0; i < list.n; i++) {
			from_ns = list.refs[i].from_ns < from_ns ? list.refs[i].from_ns : from_ns;
			to_ns = list.refs[i].to_ns > to_ns ? list.refs[i].to_ns : to_ns;
		}
	}
	if (from_ns > to_ns)
		return 0;
	*ret_from_ns = from_ns;
	*ret_to_ns = to_ns;
	return 1;
}

int history_port_span(struct history *history, const char *host, const char *name, int64_t *ret_from_ns,
                      int64_t *ret_to_ns, struct status *status) {
	int64_t id;
	int rc;

	if ((rc = history_enter(history, status)) < 0)
		return rc;
	rc = history_find_port(history, host, name, &id, status);
	if (rc > 0)
		rc = find_span(history, series_number(SERIES_PORT, id), ret_from_ns, ret_to_ns, status);
	history_leave(history);
	return rc;
}
