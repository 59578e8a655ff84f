// Reading history.db: ranges of rows and points, whole or by steps, and the newest of each.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include "clock.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

#define CURRENT_NS (60 * NS_PER_SECOND)

// An array that grows by doubling.
static int reserve(void **array, size_t n, size_t *capacity, size_t element_size) {
	size_t larger = *capacity > 0 ? 2 * *capacity : 256;
	void *moved;

	if (n < *capacity)
		return 0;
	moved = realloc(*array, larger * element_size);
	if (moved == NULL)
		return -ENOMEM;
	*array = moved;
	*capacity = larger;
	return 0;
}

static int64_t step_start(int64_t ts_ns, int64_t step_ns) {
	int64_t within = ts_ns % step_ns;

	return ts_ns - (within < 0 ? within + step_ns : within);
}

// ---- KPI

struct points {
	struct kpi_point *points;
	size_t n, capacity;
};

static void points_fini(struct points *points) {
	free(points->points);
}

static int add_point(struct points *points, int64_t ts_ns, double gbps) {
	int rc = reserve((void **)&points->points, points->n, &points->capacity, sizeof(*points->points));

	if (rc < 0)
		return rc;
	points->points[points->n++] = (struct kpi_point){ts_ns, gbps};
	return 0;
}

// Takes rows one by one: whole, or the mean over each step.
static int collect_points(sqlite3_stmt *statement, const struct kpi_range *range, struct points *points,
                          int64_t *ret_next_ns, struct status *status) {
	int64_t bin_ns = 0;
	double sum = 0;
	size_t in_bin = 0;
	int rc;

	while ((rc = db_next(statement, status)) > 0) {
		int64_t ts_ns = sqlite3_column_int64(statement, 0);
		int64_t at_ns = range->step_ns > 0 ? step_start(ts_ns, range->step_ns) : ts_ns;

		if (in_bin > 0 && at_ns != bin_ns) {
			if ((rc = add_point(points, bin_ns, sum / (double)in_bin)) < 0)
				break;
			sum = 0;
			in_bin = 0;
			if (points->n == range->limit) {
				*ret_next_ns = ts_ns;
				sqlite3_reset(statement);
				return 0;
			}
		}
		bin_ns = at_ns;
		sum += sqlite3_column_double(statement, 1);
		in_bin++;
	}
	sqlite3_reset(statement);
	if (rc == 0 && in_bin > 0)
		rc = add_point(points, bin_ns, sum / (double)in_bin);
	return rc;
}

int history_kpi(struct history *history, const struct kpi_range *range, struct kpi_point **ret, size_t *ret_n,
                int64_t *ret_next_ns, struct status *status) {
	CLEANUP(points_fini) struct points points = {0};
	int64_t series_id, next_ns = 0;
	int rc;

	rc = history_find_series(history, range->link_id, range->direction, range->kpi, &series_id, status);
	if (rc < 0)
		return rc;
	if (rc > 0) {
		if ((rc = db_prepare(history->db,
		                     "SELECT ts_ns, gbps FROM kpi_sample WHERE series_id = ? AND ts_ns >= ? "
		                     "AND ts_ns < ?"
		                     " ORDER BY ts_ns",
		                     &history->read_kpi, status)) < 0 ||
		    (rc = db_bind(history->read_kpi, "iii", series_id, range->from_ns, range->to_ns)) < 0 ||
		    (rc = collect_points(history->read_kpi, range, &points, &next_ns, status)) < 0)
			return rc;
	}
	*ret = points.points;
	*ret_n = points.n;
	*ret_next_ns = next_ns;
	points.points = NULL;
	return 0;
}

int history_kpi_newest(struct history *history, const char *link_id, enum directions direction, int64_t kpi,
                       int64_t at_ns, struct kpi_newest *ret, struct status *status) {
	sqlite3_stmt **statement = &history->newest_kpi;
	int64_t series_id;
	int rc;

	if ((rc = history_find_series(history, link_id, direction, kpi, &series_id, status)) <= 0)
		return rc;
	if ((rc = db_prepare(history->db,
	                     "SELECT ts_ns, gbps FROM kpi_sample WHERE series_id = ? AND ts_ns <= ?"
	                     " ORDER BY ts_ns DESC LIMIT 2",
	                     statement, status)) < 0 ||
	    (rc = db_bind(*statement, "ii", series_id, at_ns)) < 0 || (rc = db_next(*statement, status)) <= 0)
		return rc;
	ret->point.ts_ns = sqlite3_column_int64(*statement, 0);
	ret->point.gbps = sqlite3_column_double(*statement, 1);
	ret->spacing_ns = 0;
	rc = db_next(*statement, status);
	if (rc > 0)
		ret->spacing_ns = ret->point.ts_ns - sqlite3_column_int64(*statement, 0);
	sqlite3_reset(*statement);
	return rc < 0 ? rc : 1;
}

int history_kpi_current(struct history *history, const char *link_id, enum directions direction,
                        int64_t at_ns, double *ret, struct status *status) {
	sqlite3_stmt **statement = &history->mean_kpi;
	struct kpi_newest newest;
	int64_t series_id;
	int rc;

	if ((rc = history_find_series(history, link_id, direction, KPI_LINK_USED_CAPACITY, &series_id,
	                              status)) <= 0)
		return rc;
	if ((rc = db_prepare(
	             history->db,
	             "SELECT avg(gbps) FROM kpi_sample WHERE series_id = ? AND ts_ns > ? AND ts_ns <= ?",
	             statement, status)) < 0 ||
	    (rc = db_bind(*statement, "iii", series_id, at_ns - CURRENT_NS, at_ns)) < 0 ||
	    (rc = db_next(*statement, status)) < 0)
		return rc;
	if (rc > 0 && sqlite3_column_type(*statement, 0) != SQLITE_NULL) {
		*ret = sqlite3_column_double(*statement, 0);
		sqlite3_reset(*statement);
		return 1;
	}
	sqlite3_reset(*statement);
	rc = history_kpi_newest(history, link_id, direction, KPI_LINK_USED_CAPACITY, at_ns, &newest, status);
	if (rc > 0)
		*ret = newest.point.gbps;
	return rc;
}

// ---- ports

struct rows {
	uint64_t *values;
	size_t n, capacity; // in values
};

static void rows_fini(struct rows *rows) {
	free(rows->values);
}

#define COUNTER(NAME, UNIT, HELP) ", s." #NAME
static const char read_port_sql[] =
        "SELECT s.ts_ns"
#include "port_sample.def"
        ", n.names, s.extra FROM port_sample s LEFT JOIN name_set n USING (names_id)"
        " WHERE s.port_id = ? AND s.ts_ns >= ? AND s.ts_ns < ? ORDER BY s.ts_ns, s.instance, s.seq";
#undef COUNTER

#define NAMES_COLUMN (1 + N_PORT_COUNTERS)
#define EXTRA_COLUMN (2 + N_PORT_COUNTERS)

// Position of a name among lines of text, or -1.
static int find_line(const char *lines, const char *name) {
	size_t size = strlen(name);

	for (int i = 0; lines != NULL && *lines != '\0'; i++) {
		size_t length = strcspn(lines, "\n");

		if (length == size && memcmp(lines, name, size) == 0)
			return i;
		lines += length + (lines[length] == '\n');
	}
	return -1;
}

// Returns false when the row has not this counter.
static bool read_counter(sqlite3_stmt *statement, const char *name, uint64_t *ret) {
	const char *blob;
	int position;

	for (int i = 0; i < N_PORT_COUNTERS; i++) {
		if (strcmp(name, port_counters[i].name) == 0) {
			*ret = (uint64_t)sqlite3_column_int64(statement, 1 + i);
			return true;
		}
	}
	position = find_line((const char *)sqlite3_column_text(statement, NAMES_COLUMN), name);
	blob = sqlite3_column_blob(statement, EXTRA_COLUMN);
	if (position < 0 || blob == NULL ||
	    sqlite3_column_bytes(statement, EXTRA_COLUMN) < (position + 1) * (int)sizeof(*ret))
		return false;
	memcpy(ret, blob + (size_t)position * sizeof(*ret), sizeof(*ret));
	return true;
}

static bool read_row(sqlite3_stmt *statement, const struct port_range *range, uint64_t *row) {
	row[0] = (uint64_t)sqlite3_column_int64(statement, 0);
	for (size_t i = 0; i < range->n_counters; i++) {
		if (!read_counter(statement, range->counters[i], &row[1 + i]))
			return false;
	}
	return true;
}

// Takes each row, or the last row of each step.
static int collect_rows(sqlite3_stmt *statement, const struct port_range *range, struct rows *rows,
                        int64_t *ret_next_ns, struct status *status) {
	size_t width = 1 + range->n_counters, n = 0;
	int64_t last_step = INT64_MIN;
	int rc;

	while ((rc = db_next(statement, status)) > 0) {
		int64_t ts_ns = sqlite3_column_int64(statement, 0);
		int64_t step = range->step_ns > 0 ? step_start(ts_ns, range->step_ns) : 0;
		bool replaces = range->step_ns > 0 && n > 0 && step == last_step;

		if (!replaces && n == range->limit) {
			*ret_next_ns = ts_ns;
			break;
		}
		if ((n + 1) * width > rows->capacity) {
			rows->capacity = rows->capacity > 0 ? 2 * rows->capacity : 256 * width;
			uint64_t *moved = realloc(rows->values, rows->capacity * sizeof(*rows->values));

			if (moved == NULL) {
				sqlite3_reset(statement);
				return -ENOMEM;
			}
			rows->values = moved;
		}
		assert(rows->values != NULL);
		if (!read_row(statement, range, rows->values + (replaces ? n - 1 : n) * width))
			continue;
		n += !replaces;
		last_step = step;
	}
	sqlite3_reset(statement);
	rows->n = n;
	return rc < 0 ? rc : 0;
}

int history_port(struct history *history, const struct port_range *range, uint64_t **ret, size_t *ret_n,
                 int64_t *ret_next_ns, struct status *status) {
	CLEANUP(rows_fini) struct rows rows = {0};
	int64_t port_id, next_ns = 0;
	int rc;

	rc = history_find_port(history, range->host, range->name, &port_id, status);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return status_set(status, STATUS_NOT_FOUND, "port '%s' of host '%s' was never heard",
		                  range->name, range->host);
	if ((rc = db_prepare(history->db, read_port_sql, &history->read_port, status)) < 0 ||
	    (rc = db_bind(history->read_port, "iii", port_id, range->from_ns, range->to_ns)) < 0 ||
	    (rc = collect_rows(history->read_port, range, &rows, &next_ns, status)) < 0)
		return rc;
	*ret = rows.values;
	*ret_n = rows.n;
	*ret_next_ns = next_ns;
	rows.values = NULL;
	return 0;
}

int history_port_newest(struct history *history, const char *host, const char *name, int64_t at_ns,
                        struct port_newest *ret, struct status *status) {
	static const char sql[] = "SELECT s.ts_ns, s.up, p.speed_mbps,"
	                          " (SELECT interval_ns FROM source WHERE source.host = p.host AND "
	                          "source.instance = s.instance)"
	                          " FROM port p JOIN port_sample s USING (port_id) WHERE p.host = ? AND "
	                          "p.name = ? AND s.ts_ns <= ?"
	                          " ORDER BY s.ts_ns DESC LIMIT 1";
	sqlite3_stmt **statement = &history->newest_row;
	int rc;

	if ((rc = db_prepare(history->db, sql, statement, status)) < 0 ||
	    (rc = db_bind(*statement, "tti", host, name, at_ns)) < 0 ||
	    (rc = db_next(*statement, status)) <= 0)
		return rc;
	ret->ts_ns = sqlite3_column_int64(*statement, 0);
	ret->up = sqlite3_column_int(*statement, 1) != 0;
	ret->speed_mbps = sqlite3_column_int64(*statement, 2);
	ret->interval_ns = sqlite3_column_int64(*statement, 3);
	sqlite3_reset(*statement);
	return 1;
}

// ---- lists

// The last row of each port, and the one a second or more before it, for rates.
static const char each_port_sql[] =
        "SELECT p.host, p.name, p.link, p.instance, i.last_seq, i.n_rows, p.port, p.speed_mbps, "
        "p.last_ts_ns, p.up,"
        " b.rx_missed + b.rx_errors + b.tx_errors + b.rx_nombuf, b.ts_ns, b.rx_bytes, b.tx_bytes,"
        " a.ts_ns, a.rx_bytes, a.tx_bytes,"
        " (SELECT CAST(min(total(to_seq - from_seq + 1), 9e18) AS INTEGER) FROM port_gap g"
        "  WHERE g.port_id = p.port_id AND g.instance = p.instance AND g.gone)"
        " FROM port p JOIN port_instance i ON i.port_id = p.port_id AND i.instance = p.instance"
        " LEFT JOIN port_sample b ON (b.port_id, b.ts_ns, b.instance, b.seq) ="
        " (SELECT port_id, ts_ns, instance, seq FROM port_sample WHERE port_id = p.port_id"
        "  ORDER BY ts_ns DESC, instance DESC, seq DESC LIMIT 1)"
        " LEFT JOIN port_sample a ON (a.port_id, a.ts_ns, a.instance, a.seq) ="
        " (SELECT port_id, ts_ns, instance, seq FROM port_sample WHERE port_id = p.port_id"
        "  AND ts_ns <= b.ts_ns - 950000000 ORDER BY ts_ns DESC, instance DESC, seq DESC LIMIT 1)"
        "  AND a.instance = b.instance AND a.epoch = b.epoch"
        " ORDER BY p.host, p.name";

static double column_gbps(sqlite3_stmt *statement, int newer, int older, double seconds) {
	uint64_t before = (uint64_t)sqlite3_column_int64(statement, older);
	uint64_t after = (uint64_t)sqlite3_column_int64(statement, newer);

	if (sqlite3_column_type(statement, older) == SQLITE_NULL || seconds <= 0 || after < before)
		return NAN;
	return (double)(after - before) * 8 / seconds / 1e9;
}

static void read_port_record(sqlite3_stmt *statement, struct port_record *ret) {
	double seconds =
	        (double)(sqlite3_column_int64(statement, 11) - sqlite3_column_int64(statement, 14)) / 1e9;

	*ret = (struct port_record){
	        .host = (const char *)sqlite3_column_text(statement, 0),
	        .name = (const char *)sqlite3_column_text(statement, 1),
	        .link = (const char *)sqlite3_column_text(statement, 2),
	        .instance = (uint64_t)sqlite3_column_int64(statement, 3),
	        .last_seq = (uint64_t)sqlite3_column_int64(statement, 4),
	        .rows = (uint64_t)sqlite3_column_int64(statement, 5),
	        .gone = (uint64_t)sqlite3_column_int64(statement, 17),
	        .port = sqlite3_column_int64(statement, 6),
	        .speed_mbps = sqlite3_column_int64(statement, 7),
	        .last_ts_ns = sqlite3_column_int64(statement, 8),
	        .up = sqlite3_column_int(statement, 9) != 0,
	        .errors = (uint64_t)sqlite3_column_int64(statement, 10),
	        .rx_gbps = column_gbps(statement, 12, 15, seconds),
	        .tx_gbps = column_gbps(statement, 13, 16, seconds),
	};
}

int history_each_port(struct history *history, int (*each)(void *context, const struct port_record *),
                      void *context, struct status *status) {
	struct port_record record;
	int rc;

	if ((rc = db_prepare(history->db, each_port_sql, &history->each_port, status)) < 0)
		return rc;
	while ((rc = db_next(history->each_port, status)) > 0) {
		read_port_record(history->each_port, &record);
		if ((rc = each(context, &record)) < 0)
			break;
	}
	sqlite3_reset(history->each_port);
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
