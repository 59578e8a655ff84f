// The check of both files: first pages and indexes, as SQLite knows them, then what is in them, as history reads it.
// Levels are compared with what their rows say, made anew here by the words of history.h and not by the code that
// made them.
// SPDX-License-Identifier: MIT
#include "upkeep.h"

#include "clock.h"
#include "history_private.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FAULTS_A_FILE  "1000"
#define STEPS_PER_LOOK 100000                // of SQLite's virtual machine
#define WINDOW_NS      (600 * NS_PER_SECOND) // of rows at once, at first
#define WINDOW_MAX_NS  (86400 * NS_PER_SECOND)
#define FEW_ROWS       20000 // the next window is longer
#define MANY_ROWS      200000
#define POINTS_AT_ONCE 100000
#define FINDING_SIZE   1024

struct check {
	const struct upkeep_watch *watch;
	int64_t done, total; // bytes
	bool gave_up;
	char **damaged; // series with damaged chunks, whose levels can't be compared
	size_t n_damaged;
	struct status *status;
};

static void check_fini(struct check *check) {
	for (size_t i = 0; i < check->n_damaged; i++)
		free(check->damaged[i]);
	free(check->damaged);
}

static void find_fault(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void find_fault(struct check *check, const char *format, ...) {
	char text[FINDING_SIZE];
	va_list values;

	va_start(values, format);
	vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	if (check->watch->finding != NULL)
		check->watch->finding(check->watch->context, text);
}

static int go_on(struct check *check) {
	if (check->watch->progress != NULL &&
	    !check->watch->progress(check->watch->context, check->done, check->total))
		check->gave_up = true;
	return check->gave_up ? -ECANCELED : 0;
}

// ---- pages and indexes

static int look(void *context) {
	return go_on(context) < 0; // ends the statement
}

// What SQLite can't even read is a finding too; that a file can't be opened is not.
static int check_pages(struct check *check, const char *path) {
	CLEANUP(db_closep) sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	struct status fault = {.message = ""};
	int result = sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, NULL), rc;

	if (result != SQLITE_OK) {
		rc = db_error(db, result, NULL);
		(void)status_set(check->status, STATUS_FAILED_PRECONDITION, "%s: %s", path,
		                 sqlite3_errstr(result));
		return rc;
	}
	sqlite3_progress_handler(db, STEPS_PER_LOOK, look, check);
	rc = db_prepare(db, "PRAGMA integrity_check(" FAULTS_A_FILE ")", &statement, &fault);
	while (rc >= 0 && (rc = db_next(statement, &fault)) > 0) {
		const char *text = (const char *)sqlite3_column_text(statement, 0);

		if (strcmp(text, "ok") != 0)
			find_fault(check, "%s: %s", path, text);
	}
	if (check->gave_up)
		return -ECANCELED;
	if (rc == -EBADMSG) {
		find_fault(check, "%s", fault.message);
		return 0;
	}
	if (rc < 0)
		*check->status = fault;
	return rc;
}

// ---- chunks

static int note_damaged(struct check *check, const char *series) {
	char **moved = reallocarray(check->damaged, check->n_damaged + 1, sizeof(*moved));

	if (moved == NULL)
		return -ENOMEM;
	check->damaged = moved;
	moved[check->n_damaged] = strdup(series);
	return moved[check->n_damaged++] != NULL ? 0 : -ENOMEM;
}

static bool is_damaged(const struct check *check, const char *series) {
	for (size_t i = 0; i < check->n_damaged; i++) {
		if (strcmp(check->damaged[i], series) == 0)
			return true;
	}
	return false;
}

static int check_chunk(void *context, const struct chunk_report *chunk) {
	struct check *check = context;
	char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
	int rc;

	check->done += (int64_t)chunk->size;
	if (chunk->rc < 0) {
		find_fault(check, "chunk %" PRId64 " of %s, level %s, %s to %s: %s", chunk->chunk_id,
		           chunk->series, history_levels[chunk->level].name,
		           text_from_time_ns(chunk->from_ns, from), text_from_time_ns(chunk->to_ns, to),
		           chunk->what);
		if (!is_damaged(check, chunk->series) && (rc = note_damaged(check, chunk->series)) < 0)
			return rc;
	}
	return go_on(check);
}

// ---- levels

// A step of a series as its rows say it is: counters of a port, or one value of a link.
struct step {
	int64_t at_ns;
	uint64_t n_rows;
	union {
		struct {
			uint64_t last[N_PORT_COUNTERS], rate[N_PORT_COUNTERS];
		} port;
		struct {
			double last, max, sum;
		} link;
	};
};

// Steps of one level; the last one may go on.
struct steps {
	enum history_level level;
	struct step *steps;
	size_t n, capacity;
};

struct series_check {
	struct check *check;
	struct history *history;
	char what[FINDING_SIZE / 2]; // "port h p0", as chunk_report calls it
	const char *host, *name;     // of a port
	const char *link_id;         // or of a link
	enum directions direction;
	int64_t kpi;
	int64_t from_ns; // of the first rows that are kept
	struct steps levels[N_LEVELS];
};

static void series_check_fini(struct series_check *of) {
	for (int level = 0; level < N_LEVELS; level++)
		free(of->levels[level].steps);
}

// The step that begins at this time, the last one or a new one; NULL without memory.
static struct step *step_at(struct steps *steps, int64_t at_ns) {
	if (steps->n > 0 && steps->steps[steps->n - 1].at_ns == at_ns)
		return &steps->steps[steps->n - 1];
	if (steps->n == steps->capacity) {
		size_t larger = steps->capacity > 0 ? 2 * steps->capacity : 64;
		void *moved = reallocarray(steps->steps, larger, sizeof(*steps->steps));

		if (moved == NULL)
			return NULL;
		steps->steps = moved;
		steps->capacity = larger;
	}
	steps->steps[steps->n] = (struct step){.at_ns = at_ns};
	return &steps->steps[steps->n++];
}

static void find_step(const struct series_check *of, const struct steps *steps, const struct step *step,
                      const char *what) {
	char at[TIME_TEXT_SIZE];

	find_fault(of->check, "%s, level %s: the step at %s %s than its rows say", of->what,
	           history_levels[steps->level].name, text_from_time_ns(step->at_ns, at), what);
}

// ---- levels of a port

static void add_row(struct step *step, const struct stored_row *before, const struct stored_row *row) {
	bool belong = before != NULL && before->instance == row->instance && before->epoch == row->epoch &&
	              row->seq == before->seq + 1 && row->ts_ns > before->ts_ns;

	for (int i = 0; i < N_PORT_COUNTERS; i++) {
		if (belong && row->counters[i] >= before->counters[i]) {
			uint64_t rate = (uint64_t)((double)(row->counters[i] - before->counters[i]) * 1e9 /
			                           (double)(row->ts_ns - before->ts_ns));

			step->port.rate[i] = rate > step->port.rate[i] ? rate : step->port.rate[i];
		}
		step->port.last[i] = row->counters[i];
	}
	step->n_rows++;
}

#define WIDTH (1 + N_PORT_COUNTERS)

// Are these the same, but for the last digit of a quotient?
static bool is_near(uint64_t a, uint64_t b) {
	uint64_t apart = a > b ? a - b : b - a;

	return apart <= 1 + (a >> 50);
}

static void compare_port(const struct series_check *of, const struct steps *steps, const struct step *step,
                         const uint64_t *last, const uint64_t *rates, const uint64_t *rows) {
	const char *what = NULL;

	if (rows[1] != step->n_rows)
		what = "counts other rows";
	for (int i = 0; i < N_PORT_COUNTERS && what == NULL; i++) {
		if (last[1 + i] != step->port.last[i])
			what = "ends with another row";
		else if (!is_near(rates[1 + i], step->port.rate[i]))
			what = "has another highest rate";
	}
	if (what != NULL)
		find_step(of, steps, step, what);
}

struct port_rows {
	uint64_t *values[PORT_ROWS + 1];
	size_t n[PORT_ROWS + 1];
};

static void port_rows_fini(struct port_rows *rows) {
	for (int value = 0; value <= PORT_ROWS; value++)
		free(rows->values[value]);
}

static int compare_port_steps(struct series_check *of, const struct steps *steps, size_t n) {
	const int64_t step_ns = history_levels[steps->level].step_ns;
	CLEANUP(port_rows_fini) struct port_rows stored = {0};
	struct port_range range = {.host = of->host,
	                           .name = of->name,
	                           .counters = history_basic_counters,
	                           .n_counters = N_PORT_COUNTERS,
	                           .from_ns = steps->steps[0].at_ns,
	                           .to_ns = steps->steps[n - 1].at_ns + step_ns,
	                           .limit = SIZE_MAX,
	                           .level = steps->level};
	int64_t next_ns;
	size_t at = 0;
	int rc;

	for (int value = 0; value <= PORT_ROWS; value++) {
		range.value = (enum port_value)value;
		if ((rc = history_port(of->history, &range, &stored.values[value], &stored.n[value], &next_ns,
		                       of->check->status)) < 0)
			return rc;
	}
	for (size_t i = 0; i < n; i++) {
		const struct step *step = &steps->steps[i];

		while (at < stored.n[PORT_ROWS] &&
		       step_start((int64_t)stored.values[PORT_ROWS][at * WIDTH], step_ns) < step->at_ns)
			at++;
		if (at >= stored.n[PORT_LAST] || at >= stored.n[PORT_MAX_RATE] || at >= stored.n[PORT_ROWS] ||
		    step_start((int64_t)stored.values[PORT_ROWS][at * WIDTH], step_ns) != step->at_ns)
			find_step(of, steps, step, "is missing, other");
		else
			compare_port(of, steps, step, stored.values[PORT_LAST] + at * WIDTH,
			             stored.values[PORT_MAX_RATE] + at * WIDTH,
			             stored.values[PORT_ROWS] + at * WIDTH);
	}
	return 0;
}

// ---- levels of a link

static void add_point(struct step *step, double value) {
	step->link.max = step->n_rows == 0 || value > step->link.max ? value : step->link.max;
	step->link.last = value;
	step->link.sum += value;
	step->n_rows++;
}

static bool is_close(double a, double b) {
	return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

struct link_points {
	struct kpi_point *points[KPI_COUNT + 1];
	size_t n[KPI_COUNT + 1];
};

static void link_points_fini(struct link_points *points) {
	for (int value = 0; value <= KPI_COUNT; value++)
		free(points->points[value]);
}

static int compare_link_steps(struct series_check *of, const struct steps *steps, size_t n) {
	const int64_t step_ns = history_levels[steps->level].step_ns;
	CLEANUP(link_points_fini) struct link_points stored = {0};
	struct kpi_range range = {.link_id = of->link_id,
	                          .direction = of->direction,
	                          .kpi = of->kpi,
	                          .from_ns = steps->steps[0].at_ns,
	                          .to_ns = steps->steps[n - 1].at_ns + step_ns,
	                          .limit = SIZE_MAX,
	                          .level = steps->level};
	int64_t next_ns;
	size_t at = 0;
	int rc;

	for (int value = 0; value <= KPI_COUNT; value++) {
		range.value = (enum kpi_value)value;
		if ((rc = history_kpi(of->history, &range, &stored.points[value], &stored.n[value], &next_ns,
		                      of->check->status)) < 0)
			return rc;
	}
	for (size_t i = 0; i < n; i++) {
		const struct step *step = &steps->steps[i];

		while (at < stored.n[KPI_COUNT] &&
		       step_start(stored.points[KPI_COUNT][at].ts_ns, step_ns) < step->at_ns)
			at++;
		if (at >= stored.n[KPI_COUNT] ||
		    step_start(stored.points[KPI_COUNT][at].ts_ns, step_ns) != step->at_ns)
			find_step(of, steps, step, "is missing, other");
		else if (stored.points[KPI_COUNT][at].gbps != (double)step->n_rows)
			find_step(of, steps, step, "counts other points");
		else if (!is_close(stored.points[KPI_LAST][at].gbps, step->link.last) ||
		         !is_close(stored.points[KPI_MAX][at].gbps, step->link.max) ||
		         !is_close(stored.points[KPI_MEAN][at].gbps, step->link.sum / (double)step->n_rows))
			find_step(of, steps, step, "has other values");
	}
	return 0;
}

// ---- the walk over a series

// Compares what is complete of each level; at the end, everything.
static int compare(struct series_check *of, bool at_end) {
	int rc;

	for (enum history_level level = LEVEL_SECOND; level < N_LEVELS; level++) {
		struct steps *steps = &of->levels[level];
		size_t n = at_end || steps->n == 0 ? steps->n : steps->n - 1;

		if (n == 0)
			continue;
		rc = of->link_id != NULL ? compare_link_steps(of, steps, n)
		                         : compare_port_steps(of, steps, n);
		if (rc < 0)
			return rc;
		steps->n -= n;
		memmove(steps->steps, steps->steps + n, steps->n * sizeof(*steps->steps));
	}
	return go_on(of->check);
}

// The step to add a row to. Returns 1, 0 for a step of which some rows are not kept any more, or -ENOMEM.
static int step_to_check(struct series_check *of, enum history_level level, int64_t ts_ns,
                         struct step **ret) {
	int64_t at_ns = step_start(ts_ns, history_levels[level].step_ns);

	if (of->from_ns > INT64_MIN && at_ns < of->from_ns)
		return 0;
	of->levels[level].level = level;
	*ret = step_at(&of->levels[level], at_ns);
	return *ret != NULL ? 1 : -ENOMEM;
}

static int walk_port(struct series_check *of, int64_t from_ns, int64_t to_ns) {
	int64_t window_ns = WINDOW_NS;
	struct stored_row newest;
	bool has_newest = false;
	int rc;

	for (int64_t at_ns = from_ns; at_ns <= to_ns;) {
		CLEANUP(freep) struct stored_row *rows = NULL;
		size_t n = 0;

		if ((rc = history_rows(of->history, of->host, of->name, at_ns, at_ns + window_ns, &rows, &n,
		                       of->check->status)) < 0)
			return rc;
		for (size_t i = 0; i < n; i++) {
			const struct stored_row *before = i > 0 ? &rows[i - 1] : has_newest ? &newest : NULL;

			for (enum history_level level = LEVEL_SECOND; level < N_LEVELS; level++) {
				struct step *step;

				if ((rc = step_to_check(of, level, rows[i].ts_ns, &step)) < 0)
					return rc;
				if (rc > 0)
					add_row(step, before, &rows[i]);
			}
		}
		if (n > 0) {
			newest = rows[n - 1];
			has_newest = true;
		}
		if ((rc = compare(of, false)) < 0)
			return rc;
		at_ns += window_ns;
		if (n < FEW_ROWS && window_ns < WINDOW_MAX_NS)
			window_ns *= 2;
		else if (n > MANY_ROWS && window_ns > 1)
			window_ns /= 2;
	}
	return compare(of, true);
}

static int walk_link(struct series_check *of) {
	struct kpi_range range = {.link_id = of->link_id,
	                          .direction = of->direction,
	                          .kpi = of->kpi,
	                          .from_ns = of->from_ns,
	                          .to_ns = INT64_MAX,
	                          .limit = POINTS_AT_ONCE,
	                          .level = LEVEL_RAW};
	int rc;

	do {
		CLEANUP(freep) struct kpi_point *points = NULL;
		size_t n;

		if ((rc = history_kpi(of->history, &range, &points, &n, &range.from_ns, of->check->status)) <
		    0)
			return rc;
		for (size_t i = 0; i < n; i++) {
			for (enum history_level level = LEVEL_SECOND; level < N_LEVELS; level++) {
				struct step *step;

				if ((rc = step_to_check(of, level, points[i].ts_ns, &step)) < 0)
					return rc;
				if (rc > 0)
					add_point(step, points[i].gbps);
			}
		}
		if ((rc = compare(of, range.from_ns == 0)) < 0)
			return rc;
	} while (range.from_ns != 0);
	return 0;
}

// Rows that retention took are not looked for: 'from_ns' is behind them.
static int find_first(struct series_check *of, int64_t series) {
	int64_t expired_ns;
	int rc = history_expired(of->history, series, LEVEL_RAW, &expired_ns, of->check->status);

	of->from_ns = rc == 0 && expired_ns > INT64_MIN ? expired_ns + 1 : INT64_MIN;
	return rc;
}

static int check_port(void *context, const struct port_record *record) {
	CLEANUP(series_check_fini) struct series_check of = *(const struct series_check *)context;
	int64_t port_id, from_ns, to_ns;
	int rc;

	of.host = record->host;
	of.name = record->name;
	snprintf(of.what, sizeof(of.what), "port %s %s", record->host, record->name);
	if (is_damaged(of.check, of.what) ||
	    (rc = history_find_port(of.history, of.host, of.name, &port_id, of.check->status)) == 0)
		return 0;
	if (rc < 0 || (rc = find_first(&of, series_number(SERIES_PORT, port_id))) < 0)
		return rc;
	rc = history_port_span(of.history, of.host, of.name, &from_ns, &to_ns, of.check->status);
	if (rc <= 0)
		return rc;
	return walk_port(&of, of.from_ns > from_ns ? of.from_ns : from_ns, to_ns);
}

static int check_link(void *context, const char *link_id, enum directions direction, int64_t kpi) {
	CLEANUP(series_check_fini) struct series_check of = *(const struct series_check *)context;
	int64_t series_id;
	int rc;

	of.link_id = link_id;
	of.direction = direction;
	of.kpi = kpi;
	snprintf(of.what, sizeof(of.what), "link %s %s %" PRId64, link_id,
	         choice_word(&directions_choices, (int)direction), kpi);
	if (is_damaged(of.check, of.what) || (rc = history_find_series(of.history, link_id, direction, kpi,
	                                                               &series_id, of.check->status)) == 0)
		return 0;
	if (rc < 0 || (rc = find_first(&of, series_number(SERIES_LINK, series_id))) < 0)
		return rc;
	return walk_link(&of);
}

// What history says of the tail; of a chunk check_chunk() has told.
static void tell(void *context, const char *text) {
	if (strncmp(text, "chunk ", 6) != 0)
		find_fault(context, "%s", text);
}

static int check_history(struct check *check, const char *path) {
	const struct history_options options = {.report = tell, .report_context = check};
	CLEANUP(history_closep) struct history *history = NULL;
	struct series_check of = {.check = check};
	int rc;

	if ((rc = history_open_with(path, &options, &history, check->status)) < 0)
		return rc;
	of.history = history;
	if ((rc = history_read_begin(history, check->status)) < 0)
		return rc;
	if ((rc = history_each_chunk(history, check_chunk, check, check->status)) == 0 &&
	    (rc = history_each_port(history, check_port, &of, check->status)) == 0)
		rc = history_each_series(history, check_link, &of, check->status);
	history_read_end(history);
	return rc;
}

// ---- all of it

static int64_t size_of(const char *path) {
	struct stat file;

	return stat(path, &file) == 0 ? file.st_size : 0;
}

int upkeep_check(const struct upkeep_files *files, const struct upkeep_watch *watch, struct status *status) {
	CLEANUP(check_fini) struct check check = {.watch = watch, .status = status};
	const int64_t state_size = size_of(files->state_path), history_size = size_of(files->history_path);
	int rc;

	check.total = state_size + 2 * history_size; // history is read as pages, then as chunks
	if ((rc = check_pages(&check, files->state_path)) < 0)
		return rc;
	check.done = state_size;
	if ((rc = check_pages(&check, files->history_path)) < 0)
		return rc;
	check.done = state_size + history_size;
	rc = check_history(&check, files->history_path);
	if (rc != -EBADMSG)
		return rc;
	find_fault(&check, "%s; what is behind it was not read", status->message);
	return 0;
}
