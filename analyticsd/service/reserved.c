// Holds as steps over time.
// SPDX-License-Identifier: MIT
#include "reserved.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#define BPS_PER_GBPS 1e9

static int compare_steps(const void *a, const void *b) {
	const struct reserved_step *first = a, *second = b;

	return (first->from_ns > second->from_ns) - (first->from_ns < second->from_ns);
}

// Sums that would not fit in 64 bits stay at the largest.
static int64_t add(int64_t a, int64_t b) {
	int64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

// From differences at each moment to what is held from it on; several at one moment become one step.
static void sum_up(struct reserved *reserved) {
	size_t n = 0;
	int64_t held = 0;

	for (size_t i = 0; i < reserved->n; i++) {
		held = add(held, reserved->steps[i].bps);
		if (n > 0 && reserved->steps[n - 1].from_ns == reserved->steps[i].from_ns)
			n--;
		reserved->steps[n++] = (struct reserved_step){reserved->steps[i].from_ns, held};
	}
	reserved->n = n;
}

int reserved_init(struct reserved *reserved, const struct hold *holds, size_t n,
                  bool (*wanted)(const struct hold *, int64_t argument), int64_t argument) {
	struct reserved_step *steps = calloc(2 * n + 1, sizeof(*steps));
	size_t used = 0;

	if (steps == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if ((wanted != NULL && !wanted(&holds[i], argument)) || holds[i].to_ns <= holds[i].from_ns)
			continue;
		steps[used++] = (struct reserved_step){holds[i].from_ns, holds[i].bps};
		if (holds[i].to_ns != LEDGER_OPEN)
			steps[used++] = (struct reserved_step){holds[i].to_ns, -holds[i].bps};
	}
	qsort(steps, used, sizeof(*steps), compare_steps);
	*reserved = (struct reserved){steps, used};
	sum_up(reserved);
	return 0;
}

void reserved_fini(struct reserved *reserved) {
	free(reserved->steps);
	*reserved = (struct reserved){0};
}

// The first step after 'at_ns': the one before it, if any, is in force at that moment.
static size_t step_after(const struct reserved *reserved, int64_t at_ns) {
	size_t low = 0, high = reserved->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (reserved->steps[middle].from_ns <= at_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int64_t reserved_most(const struct reserved *reserved, int64_t from_ns, int64_t to_ns, int64_t *ret_ns) {
	size_t i = step_after(reserved, from_ns);
	int64_t most = i > 0 ? reserved->steps[i - 1].bps : 0, at_ns = from_ns;

	for (; i < reserved->n && reserved->steps[i].from_ns < to_ns; i++) {
		if (reserved->steps[i].bps > most) {
			most = reserved->steps[i].bps;
			at_ns = reserved->steps[i].from_ns;
		}
	}
	if (ret_ns != NULL)
		*ret_ns = at_ns;
	return most;
}

// Sums over the parts of [from, to) in which the same is held: bits, or seconds in which anything is.
static double integrate(const struct reserved *reserved, int64_t from_ns, int64_t to_ns, bool only_time) {
	size_t i = step_after(reserved, from_ns);
	int64_t held = i > 0 ? reserved->steps[i - 1].bps : 0, at_ns = from_ns;
	double sum = 0;

	for (; at_ns < to_ns; i++) {
		bool ends = i >= reserved->n || reserved->steps[i].from_ns >= to_ns;
		int64_t next_ns = ends ? to_ns : reserved->steps[i].from_ns;
		double seconds = (double)(next_ns - at_ns) / 1e9;

		sum += only_time ? (held > 0 ? seconds : 0) : (double)held * seconds;
		at_ns = next_ns;
		held = ends ? 0 : reserved->steps[i].bps;
	}
	return sum;
}

double reserved_mean(const struct reserved *reserved, int64_t from_ns, int64_t to_ns) {
	if (to_ns <= from_ns)
		return 0;
	return integrate(reserved, from_ns, to_ns, false) / ((double)(to_ns - from_ns) / 1e9);
}

double reserved_seconds(const struct reserved *reserved, int64_t from_ns, int64_t to_ns) {
	return integrate(reserved, from_ns, to_ns, true);
}

// ---- as a series

static double level_before(const struct reserved *reserved, size_t i) {
	return i > 0 ? ledger_gbps(reserved->steps[i - 1].bps) : 0;
}

// The last point: what is held goes on until now, or to the end of the range.
static int64_t last_moment(const struct reserved *reserved, const struct reserved_range *range) {
	int64_t last_ns = reserved->n > 0 ? reserved->steps[reserved->n - 1].from_ns : range->from_ns;

	if (last_ns < range->now_ns)
		last_ns = range->now_ns;
	return last_ns < range->to_ns ? last_ns : range->to_ns - 1;
}

static int points_of_steps(const struct reserved *reserved, const struct reserved_range *range,
                           struct kpi_point *points, size_t *ret_n, int64_t *ret_next_ns) {
	size_t i = step_after(reserved, range->from_ns > INT64_MIN ? range->from_ns - 1 : INT64_MIN), n = 0;
	int64_t last_ns = last_moment(reserved, range);

	for (; i < reserved->n && reserved->steps[i].from_ns < range->to_ns; i++) {
		if (n == range->limit) {
			*ret_next_ns = reserved->steps[i].from_ns;
			*ret_n = n;
			return 0;
		}
		points[n++] = (struct kpi_point){reserved->steps[i].from_ns, level_before(reserved, i)};
	}
	if (last_ns >= range->from_ns && (n == 0 || points[n - 1].ts_ns < last_ns) && reserved->n > 0) {
		if (n == range->limit)
			*ret_next_ns = last_ns;
		else
			points[n++] = (struct kpi_point){last_ns, level_before(reserved, i)};
	}
	*ret_n = n;
	return 0;
}

static int64_t step_start(int64_t ts_ns, int64_t step_ns) {
	int64_t within = ts_ns % step_ns;

	return ts_ns - (within < 0 ? within + step_ns : within);
}

static int points_of_means(const struct reserved *reserved, const struct reserved_range *range,
                           struct kpi_point *points, size_t *ret_n, int64_t *ret_next_ns) {
	int64_t begin_ns = reserved->n > 0 ? reserved->steps[0].from_ns : range->to_ns, at_ns;
	int64_t last_ns = last_moment(reserved, range);
	size_t n = 0;

	if (begin_ns < range->from_ns)
		begin_ns = range->from_ns;
	for (at_ns = step_start(begin_ns, range->step_ns); at_ns <= last_ns; at_ns += range->step_ns) {
		if (n == range->limit) {
			*ret_next_ns = at_ns;
			break;
		}
		points[n++] = (struct kpi_point){
		        at_ns, reserved_mean(reserved, at_ns, at_ns + range->step_ns) / BPS_PER_GBPS};
		if (last_ns - at_ns < range->step_ns)
			break;
	}
	*ret_n = n;
	return 0;
}

// How many points there can be, so that they are allocated once.
static size_t most_points(const struct reserved *reserved, const struct reserved_range *range) {
	double span, bins;

	if (range->step_ns == 0)
		return reserved->n + 1;
	span = reserved->n > 0 ? (double)last_moment(reserved, range) - (double)reserved->steps[0].from_ns
	                       : 0;
	bins = span / (double)range->step_ns + 2;
	return bins < (double)range->limit ? (size_t)fmax(bins, 1) : range->limit;
}

int reserved_points(const struct reserved *reserved, const struct reserved_range *range,
                    struct kpi_point **ret, size_t *ret_n, int64_t *ret_next_ns) {
	struct kpi_point *points = calloc(most_points(reserved, range) + 1, sizeof(*points));

	if (points == NULL)
		return -ENOMEM;
	*ret = points;
	*ret_next_ns = 0;
	if (range->step_ns > 0)
		return points_of_means(reserved, range, points, ret_n, ret_next_ns);
	return points_of_steps(reserved, range, points, ret_n, ret_next_ns);
}
