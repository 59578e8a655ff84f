// Levels against the rows that they were made of. What a step should be is made anew here by the words of history.h, and not
// by the code that made it.
// SPDX-License-Identifier: MIT
#include "check_private.h"

#include "clock.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define WINDOW_NS      (600 * NS_PER_SECOND) // of rows at once, at first
#define WINDOW_MAX_NS  (86400 * NS_PER_SECOND)
#define FEW_ROWS       20000 // the next window is longer
#define MANY_ROWS      200000
#define POINTS_AT_ONCE 100000
#define NAME_SIZE      (2 * LIMIT_ID_SIZE + 32) // of a series

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
	char what[NAME_SIZE];    // "port h p0", as chunk_report calls it
	const char *host, *name; // of a port
	const char *link_id;     // or of a link
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

	check_find(of->check, "%s, level %s: the step at %s %s than its rows say", of->what,
	           history_levels[steps->level].name, text_from_time_ns(step->at_ns, at), what);
}

// ---- what a level holds

// Its rows in a range, each in as many arrays as there are values of it.
struct level_rows {
	uint64_t *ports[PORT_ROWS + 1];
	struct kpi_point *points[KPI_COUNT + 1];
	size_t n;
};

static void level_rows_fini(struct level_rows *rows) {
	for (int value = 0; value <= PORT_ROWS; value++)
		free(rows->ports[value]);
	for (int value = 0; value <= KPI_COUNT; value++)
		free(rows->points[value]);
}

#define WIDTH (1 + N_PORT_COUNTERS)

static const uint64_t *port_at(const struct level_rows *rows, enum port_value value, size_t i) {
	return rows->ports[value] + i * WIDTH;
}

static int64_t time_at(const struct level_rows *rows, size_t i) {
	return rows->ports[PORT_ROWS] != NULL ? (int64_t)port_at(rows, PORT_ROWS, i)[0]
	                                      : rows->points[KPI_COUNT][i].ts_ns;
}

static int read_port_level(const struct series_check *of, enum history_level level, int64_t from_ns,
                           int64_t to_ns, struct level_rows *ret) {
	struct port_range range = {.host = of->host,
	                           .name = of->name,
	                           .counters = history_basic_counters,
	                           .n_counters = N_PORT_COUNTERS,
	                           .from_ns = from_ns,
	                           .to_ns = to_ns,
	                           .limit = SIZE_MAX,
	                           .level = level};
	int64_t next_ns;
	size_t n;
	int rc;

	for (int value = 0; value <= PORT_ROWS; value++) {
		range.value = (enum port_value)value;
		if ((rc = history_port(of->history, &range, &ret->ports[value], &n, &next_ns,
		                       of->check->status)) < 0)
			return rc;
		ret->n = value == 0 || n < ret->n ? n : ret->n;
	}
	return 0;
}

static int read_link_level(const struct series_check *of, enum history_level level, int64_t from_ns,
                           int64_t to_ns, struct level_rows *ret) {
	struct kpi_range range = {.link_id = of->link_id,
	                          .direction = of->direction,
	                          .kpi = of->kpi,
	                          .from_ns = from_ns,
	                          .to_ns = to_ns,
	                          .limit = SIZE_MAX,
	                          .level = level};
	int64_t next_ns;
	size_t n;
	int rc;

	for (int value = 0; value <= KPI_COUNT; value++) {
		range.value = (enum kpi_value)value;
		if ((rc = history_kpi(of->history, &range, &ret->points[value], &n, &next_ns,
		                      of->check->status)) < 0)
			return rc;
		ret->n = value == 0 || n < ret->n ? n : ret->n;
	}
	return 0;
}

// ---- against what its rows say: what is wrong with it, or NULL

// Are these the same, but for the last digit of a quotient?
static bool is_near(uint64_t a, uint64_t b) {
	uint64_t apart = a > b ? a - b : b - a;

	return apart <= 1 + (a >> 50);
}

static const char *compare_port(const struct level_rows *rows, size_t at, const struct step *step) {
	if (port_at(rows, PORT_ROWS, at)[1] != step->n_rows)
		return "counts other rows";
	for (int i = 0; i < N_PORT_COUNTERS; i++) {
		if (port_at(rows, PORT_LAST, at)[1 + i] != step->port.last[i])
			return "ends with another row";
		if (!is_near(port_at(rows, PORT_MAX_RATE, at)[1 + i], step->port.rate[i]))
			return "has another highest rate";
	}
	return NULL;
}

static bool is_close(double a, double b) {
	return fabs(a - b) <= 1e-9 * fmax(fabs(a), fabs(b));
}

static const char *compare_link(const struct level_rows *rows, size_t at, const struct step *step) {
	if (rows->points[KPI_COUNT][at].gbps != (double)step->n_rows)
		return "counts other points";
	if (!is_close(rows->points[KPI_LAST][at].gbps, step->link.last) ||
	    !is_close(rows->points[KPI_MAX][at].gbps, step->link.max) ||
	    !is_close(rows->points[KPI_MEAN][at].gbps, step->link.sum / (double)step->n_rows))
		return "has other values";
	return NULL;
}

static int compare_steps(const struct series_check *of, const struct steps *steps, size_t n) {
	const int64_t step_ns = history_levels[steps->level].step_ns;
	const int64_t from_ns = steps->steps[0].at_ns, to_ns = steps->steps[n - 1].at_ns + step_ns;
	CLEANUP(level_rows_fini) struct level_rows rows = {0};
	size_t at = 0;
	int rc = of->link_id != NULL ? read_link_level(of, steps->level, from_ns, to_ns, &rows)
	                             : read_port_level(of, steps->level, from_ns, to_ns, &rows);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const struct step *step = &steps->steps[i];
		const char *what;

		while (at < rows.n && step_start(time_at(&rows, at), step_ns) < step->at_ns)
			at++;
		if (at >= rows.n || step_start(time_at(&rows, at), step_ns) != step->at_ns)
			what = "is missing, other";
		else if (of->link_id != NULL)
			what = compare_link(&rows, at, step);
		else
			what = compare_port(&rows, at, step);
		if (what != NULL)
			find_step(of, steps, step, what);
	}
	return 0;
}

// ---- what rows say

static void add_point(struct step *step, double value) {
	step->link.max = step->n_rows == 0 || value > step->link.max ? value : step->link.max;
	step->link.last = value;
	step->link.sum += value;
	step->n_rows++;
}

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

// ---- the walk over a series

// Compares what is complete of each level; at the end, everything.
static int compare(struct series_check *of, bool at_end) {
	int rc;

	for (enum history_level level = LEVEL_SECOND; level < N_LEVELS; level++) {
		struct steps *steps = &of->levels[level];
		size_t n = at_end || steps->n == 0 ? steps->n : steps->n - 1;

		if (n == 0)
			continue;
		if ((rc = compare_steps(of, steps, n)) < 0)
			return rc;
		steps->n -= n;
		memmove(steps->steps, steps->steps + n, steps->n * sizeof(*steps->steps));
	}
	return check_go_on(of->check);
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
	if (check_is_damaged(of.check, of.what) ||
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
	if (check_is_damaged(of.check, of.what) ||
	    (rc = history_find_series(of.history, link_id, direction, kpi, &series_id, of.check->status)) ==
	            0)
		return 0;
	if (rc < 0 || (rc = find_first(&of, series_number(SERIES_LINK, series_id))) < 0)
		return rc;
	return walk_link(&of);
}

int check_levels(struct check *check, struct history *history) {
	struct series_check of = {.check = check, .history = history};
	int rc = history_each_port(history, check_port, &of, check->status);

	return rc < 0 ? rc : history_each_series(history, check_link, &of, check->status);
}
