// What callers ask: ranges at the level that fits, by steps and pages, and the newest of each series.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include "bitpack.h"
#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define CURRENT_NS (60 * NS_PER_SECOND)
#define HUGE_PAGE  ((uintptr_t)2 << 20) // the smallest that there are

// ---- which level answers

// A piece of time, of one level.
struct segment {
	enum history_level level;
	int64_t from_ns, to_ns;
};

static enum history_level choose_level(enum history_level asked, int64_t step_ns) {
	if (asked != LEVEL_AUTO)
		return asked;
	for (enum history_level level = N_LEVELS - 1; level > LEVEL_RAW; level--) {
		if (step_ns > 0 && step_ns % history_levels[level].step_ns == 0)
			return level;
	}
	return LEVEL_RAW;
}

// The start of the first step that begins at or after 'ts_ns'.
static int64_t round_up(int64_t ts_ns, int64_t step_ns) {
	if (ts_ns > INT64_MAX - step_ns)
		return INT64_MAX;
	return step_start(ts_ns + step_ns - 1, step_ns);
}

// Where a level has dropped its rows the next one answers; and where rows are not sealed yet, so no level has them, raw
// ones do. 'ret' has place for 2 * N_LEVELS; ascending.
static int plan(struct history *history, int64_t series, enum history_level asked, int64_t from_ns,
                int64_t to_ns, struct segment *ret, size_t *ret_n, struct status *status) {
	int64_t end_ns = to_ns, expired_ns, raw_ns, open_ns = INT64_MAX;
	struct segment turned[2 * N_LEVELS];
	struct open_series *open;
	size_t n = 0;
	int rc;

	if ((rc = history_open_rows(history, series, &open, status)) < 0 ||
	    (rc = history_expired(history, series, LEVEL_RAW, &raw_ns, status)) < 0)
		return rc;
	for (size_t i = 0; open != NULL && i < (open->in_order ? 1 : open->rows.n); i++)
		open_ns = rows_ts(&open->rows, i) < open_ns ? rows_ts(&open->rows, i) : open_ns;
	for (enum history_level level = asked; level < N_LEVELS && end_ns > from_ns; level++) {
		enum history_level next = level + 1 < N_LEVELS ? level + 1 : level;
		int64_t begin_ns = from_ns, live_ns = end_ns;

		if ((rc = history_expired(history, series, level, &expired_ns, status)) < 0)
			return rc;
		if (next != level && expired_ns >= from_ns)
			begin_ns = round_up(expired_ns + 1, history_levels[next].step_ns);
		if (begin_ns >= end_ns)
			continue;
		if (level > LEVEL_RAW && open_ns < INT64_MAX) {
			live_ns = step_start(open_ns, history_levels[level].step_ns);
			if (raw_ns >= live_ns)
				live_ns = round_up(raw_ns + 1, history_levels[level].step_ns);
		}
		if (level > LEVEL_RAW && live_ns < end_ns)
			turned[n++] =
			        (struct segment){LEVEL_RAW, live_ns > begin_ns ? live_ns : begin_ns, end_ns};
		if (level == LEVEL_RAW || begin_ns < live_ns)
			turned[n++] = (struct segment){level, begin_ns, live_ns < end_ns ? live_ns : end_ns};
		end_ns = begin_ns;
	}
	for (size_t i = 0; i < n; i++)
		ret[i] = turned[n - 1 - i];
	*ret_n = n;
	return 0;
}

static int scan_segments(struct history *history, struct scan *scan, enum history_level level,
                         struct status *status) {
	struct segment segments[2 * N_LEVELS];
	size_t n;
	int rc;

	if ((rc = plan(history, scan->series, level, scan->from_ns, scan->to_ns, segments, &n, status)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		scan->level = segments[i].level;
		scan->from_ns = segments[i].from_ns;
		scan->to_ns = segments[i].to_ns;
		if ((rc = history_scan(history, scan, status)) != 0)
			return rc < 0 ? rc : 0;
	}
	return 0;
}

// ---- points of links

struct points {
	const struct kpi_range *range;
	int64_t step_ns;
	struct kpi_point *points;
	size_t n, capacity;
	// the step that is being made
	int64_t bin_ns, last_ns;
	double value;
	uint64_t n_in_bin;
	int64_t next_ns;
};

static int put_point(struct points *points) {
	double value = points->value;

	if (points->n == points->capacity) {
		size_t capacity = 2 * points->capacity + 256;
		void *moved = reallocarray(points->points, capacity, sizeof(*points->points));

		if (moved == NULL)
			return -ENOMEM;
		points->points = moved;
		points->capacity = capacity;
	}
	if (points->range->value == KPI_MEAN)
		value /= (double)points->n_in_bin;
	else if (points->range->value == KPI_COUNT)
		value = (double)points->n_in_bin;
	points->points[points->n++] =
	        (struct kpi_point){points->range->step_ns > 0 ? points->bin_ns : points->last_ns, value};
	points->n_in_bin = 0;
	return 0;
}

static int take_points(void *context, const struct batch *batch) {
	struct points *points = context;
	int rc;

	for (size_t i = 0; i < batch->n; i++) {
		int64_t ts_ns = (int64_t)batch->ts[i];
		int64_t bin_ns = points->step_ns > 0 ? step_start(ts_ns, points->step_ns) : ts_ns;
		double value = bitpack_to_real(batch->columns[0][i]);

		if (points->n_in_bin > 0 && bin_ns != points->bin_ns && (rc = put_point(points)) < 0)
			return rc;
		if (points->n_in_bin == 0 && points->n == points->range->limit) {
			points->next_ns = ts_ns;
			return 1;
		}
		if (points->n_in_bin > 0 && points->range->value == KPI_MEAN)
			points->value += value;
		else if (points->n_in_bin == 0 || points->range->value == KPI_LAST || value > points->value)
			points->value = value;
		points->bin_ns = bin_ns;
		points->last_ns = ts_ns;
		points->n_in_bin += batch->rows != NULL ? batch->rows[i] : 1;
	}
	return 0;
}

static int read_points(struct history *history, const struct kpi_range *range, struct points *points,
                       struct status *status) {
	static const enum scan_value values[] = {[KPI_MEAN] = SCAN_SUM,
	                                         [KPI_LAST] = SCAN_LAST,
	                                         [KPI_MAX] = SCAN_HIGHEST,
	                                         [KPI_COUNT] = SCAN_LAST};
	enum history_level level = choose_level(range->level, range->step_ns);
	struct scan scan = {
	        .from_ns = range->from_ns,
	        .to_ns = range->to_ns,
	        .value = values[range->value],
	        .each = take_points,
	        .context = points,
	};
	int64_t id;
	int rc;

	points->range = range;
	points->step_ns = range->step_ns > 0 ? range->step_ns : history_levels[level].step_ns;
	if ((rc = history_find_series(history, range->link_id, range->direction, range->kpi, &id, status)) <=
	    0)
		return rc;
	scan.series = series_number(SERIES_LINK, id);
	if ((rc = scan_segments(history, &scan, level, status)) < 0)
		return rc;
	return points->n_in_bin > 0 ? put_point(points) : 0;
}

int history_kpi(struct history *history, const struct kpi_range *range, struct kpi_point **ret, size_t *ret_n,
                int64_t *ret_next_ns, struct status *status) {
	struct points points = {0};
	int rc;

	if ((rc = history_enter(history, status)) < 0)
		return rc;
	rc = read_points(history, range, &points, status);
	history_leave(history);
	if (rc < 0) {
		free(points.points);
		return rc;
	}
	*ret = points.points;
	*ret_n = points.n;
	*ret_next_ns = points.next_ns;
	return 0;
}

static int newest_points(struct history *history, const char *link_id, enum directions direction, int64_t kpi,
                         int64_t at_ns, struct rows *ret, struct status *status) {
	int64_t id;
	int rc;

	if ((rc = history_find_series(history, link_id, direction, kpi, &id, status)) <= 0)
		return rc;
	return history_newest(history, series_number(SERIES_LINK, id), at_ns, 2, ret, status);
}

int history_kpi_newest(struct history *history, const char *link_id, enum directions direction, int64_t kpi,
                       int64_t at_ns, struct kpi_newest *ret, struct status *status) {
	CLEANUP(rows_fini) struct rows newest = {0};
	int rc;

	if ((rc = history_enter(history, status)) < 0)
		return rc;
	rc = newest_points(history, link_id, direction, kpi, at_ns, &newest, status);
	history_leave(history);
	if (rc < 0 || newest.n == 0)
		return rc;
	ret->point.ts_ns = rows_ts(&newest, 0);
	ret->point.gbps = bitpack_to_real(rows_at(&newest, 0)[POINT_VALUE]);
	ret->spacing_ns = newest.n > 1 ? ret->point.ts_ns - rows_ts(&newest, 1) : 0;
	return 1;
}

struct mean {
	double sum;
	uint64_t n;
};

static int take_mean(void *context, const struct batch *batch) {
	struct mean *mean = context;

	for (size_t i = 0; i < batch->n; i++)
		mean->sum += bitpack_to_real(batch->columns[0][i]);
	mean->n += batch->n;
	return 0;
}

static int read_current(struct history *history, const char *link_id, enum directions direction,
                        int64_t at_ns, double *ret, struct status *status) {
	CLEANUP(rows_fini) struct rows newest = {0};
	struct mean mean = {0};
	struct scan scan = {.level = LEVEL_RAW,
	                    .from_ns = at_ns - CURRENT_NS + 1,
	                    .to_ns = at_ns + 1,
	                    .each = take_mean,
	                    .context = &mean};
	int64_t id;
	int rc;

	if ((rc = history_find_series(history, link_id, direction, KPI_LINK_USED_CAPACITY, &id, status)) <= 0)
		return rc;
	scan.series = series_number(SERIES_LINK, id);
	if ((rc = history_scan(history, &scan, status)) < 0)
		return rc;
	if (mean.n > 0) {
		*ret = mean.sum / (double)mean.n;
		return 1;
	}
	if ((rc = history_newest(history, scan.series, at_ns, 1, &newest, status)) < 0 || newest.n == 0)
		return rc;
	*ret = bitpack_to_real(newest.values[POINT_VALUE]);
	return 1;
}

int history_kpi_current(struct history *history, const char *link_id, enum directions direction,
                        int64_t at_ns, double *ret, struct status *status) {
	int rc;

	if ((rc = history_enter(history, status)) < 0)
		return rc;
	rc = read_current(history, link_id, direction, at_ns, ret, status);
	history_leave(history);
	return rc;
}

// ---- rows of ports

// Most of what a long answer costs would be the page faults of its memory. Only advice: that it is refused is fine.
static void prefer_huge_pages(void *memory, size_t size) {
	uintptr_t begin = ((uintptr_t)memory + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	uintptr_t end = ((uintptr_t)memory + size) & ~(HUGE_PAGE - 1);

	if (begin < end)
		(void)madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

struct collected {
	const struct port_range *range;
	int64_t step_ns;
	size_t width;
	uint64_t *values;
	size_t n, capacity; // rows
	int64_t last_step;
	int64_t next_ns;
};

// Place for 'n' rows, of which as many as 'n_after' more are expected to follow.
static int make_place(struct collected *collected, size_t n, size_t n_after) {
	size_t left = collected->range->limit - collected->n, size = collected->width * sizeof(uint64_t);
	size_t capacity = 2 * collected->capacity;
	void *moved;

	if (collected->n + n <= collected->capacity)
		return 0;
	if (capacity < collected->n + n + n_after)
		capacity = collected->n + n + n_after;
	if (capacity > collected->n + (left > n ? left : n))
		capacity = collected->n + (left > n ? left : n);
	moved = reallocarray(collected->values, capacity, size);
	if (moved == NULL)
		return -ENOMEM;
	collected->values = moved;
	collected->capacity = capacity;
	prefer_huge_pages(moved, capacity * size);
	return 0;
}

// Every row as it is.
static int take_all(struct collected *collected, const struct batch *batch) {
	size_t left = collected->range->limit - collected->n, n = batch->n < left ? batch->n : left;
	size_t width = collected->width;
	uint64_t *out;

	if (make_place(collected, n, batch->n_after) < 0)
		return -ENOMEM;
	out = collected->values + collected->n * width;
	for (size_t i = 0; i < n; i++)
		out[i * width] = batch->ts[i];
	for (size_t k = 0; k + 1 < width; k++) {
		const uint64_t *column = batch->columns[k];

		for (size_t i = 0; i < n; i++)
			out[i * width + 1 + k] = column[i];
	}
	collected->n += n;
	if (n == batch->n)
		return 0;
	collected->next_ns = (int64_t)batch->ts[n];
	return 1;
}

// A later row of the same step takes the place of the one before, or adds to it.
static void take_one(struct collected *collected, const struct batch *batch, size_t i, bool again) {
	uint64_t *out = collected->values + (again ? collected->n - 1 : collected->n) * collected->width;
	uint64_t rows = batch->rows != NULL ? batch->rows[i] : 1;

	out[0] = batch->ts[i];
	for (size_t k = 0; k + 1 < collected->width; k++) {
		uint64_t value = collected->range->value == PORT_ROWS ? rows : batch->columns[k][i];

		if (again && collected->range->value == PORT_ROWS)
			out[1 + k] += value;
		else if (!again || collected->range->value == PORT_LAST || value > out[1 + k])
			out[1 + k] = value;
	}
	collected->n += !again;
}

static int take_rows(void *context, const struct batch *batch) {
	struct collected *collected = context;

	if (collected->step_ns == 0 && collected->range->value != PORT_ROWS)
		return take_all(collected, batch);
	if (make_place(collected, batch->n, 0) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < batch->n; i++) {
		int64_t ts_ns = (int64_t)batch->ts[i];
		int64_t step = collected->step_ns > 0 ? step_start(ts_ns, collected->step_ns) : ts_ns;
		bool again = collected->step_ns > 0 && collected->n > 0 && step == collected->last_step;

		if (!again && collected->n == collected->range->limit) {
			collected->next_ns = ts_ns;
			return 1;
		}
		take_one(collected, batch, i, again);
		collected->last_step = step;
	}
	return 0;
}

static int read_rows(struct history *history, const struct port_range *range, struct collected *collected,
                     struct status *status) {
	enum history_level level = choose_level(range->level, range->step_ns);
	struct scan scan = {
	        .from_ns = range->from_ns,
	        .to_ns = range->to_ns,
	        .value = range->value == PORT_MAX_RATE ? SCAN_HIGHEST : SCAN_LAST,
	        .counters = range->counters,
	        .n_counters = range->n_counters,
	        .each = take_rows,
	        .context = collected,
	};
	int64_t port_id;
	int rc;

	collected->range = range;
	collected->width = 1 + range->n_counters;
	collected->step_ns = range->step_ns > 0 ? range->step_ns : history_levels[level].step_ns;
	rc = history_find_port(history, range->host, range->name, &port_id, status);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return status_set(status, STATUS_NOT_FOUND, "port '%s' of host '%s' was never heard",
		                  range->name, range->host);
	scan.series = series_number(SERIES_PORT, port_id);
	return scan_segments(history, &scan, level, status);
}

int history_port(struct history *history, const struct port_range *range, uint64_t **ret, size_t *ret_n,
                 int64_t *ret_next_ns, struct status *status) {
	struct collected collected = {0};
	int rc;

	if ((rc = history_enter(history, status)) < 0)
		return rc;
	rc = read_rows(history, range, &collected, status);
	history_leave(history);
	if (rc < 0) {
		free(collected.values);
		return rc;
	}
	*ret = collected.values;
	*ret_n = collected.n;
	*ret_next_ns = collected.next_ns;
	return 0;
}
