// Steps of ports and of links.
// SPDX-License-Identifier: MIT
#include "rollup.h"

#include "cleanup.h"
#include "bitpack.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool rollup_belong(const uint64_t *before, const uint64_t *row) {
	return before[ROW_INSTANCE] == row[ROW_INSTANCE] && before[ROW_EPOCH] == row[ROW_EPOCH] &&
	       before[ROW_SEQ] + 1 == row[ROW_SEQ] && (int64_t)before[ROW_TS] < (int64_t)row[ROW_TS];
}

static double per_second(const uint64_t *before, const uint64_t *row) {
	return 1e9 / (double)(row[ROW_TS] - before[ROW_TS]);
}

void rollup_rates(const uint64_t *before, const uint64_t *row, size_t n, double *ret) {
	double factor = per_second(before, row);

	for (size_t i = 0; i < n; i++) {
		uint64_t older = before[ROW_COUNTERS + i], newer = row[ROW_COUNTERS + i];

		ret[i] = newer >= older ? (double)(newer - older) * factor : NAN;
	}
}

size_t rollup_width(enum series_kind kind, size_t width) {
	return kind == SERIES_LINK ? POINT_STEP_WIDTH : STEP_VALUES + 2 * (width - ROW_COUNTERS);
}

// The highest rates so far, before they become whole numbers.
static void raise_rates(const uint64_t *before, const uint64_t *row, size_t n, double *highest) {
	double factor = per_second(before, row);

	for (size_t i = 0; i < n; i++) {
		uint64_t older = before[ROW_COUNTERS + i], newer = row[ROW_COUNTERS + i];
		double rate = (double)(int64_t)(newer - older) * factor;

		if (newer - older > INT64_MAX) // fell, or a difference that no interval has
			rate = newer >= older ? (double)(newer - older) * factor : 0;
		highest[i] = rate > highest[i] ? rate : highest[i];
	}
}

static void put_step(const uint64_t *row, uint64_t n_rows, const double *highest, size_t n, uint64_t *ret) {
	ret[STEP_TS] = row[ROW_TS];
	ret[STEP_ROWS] = n_rows;
	for (size_t i = 0; i < n; i++) {
		ret[STEP_VALUES + 2 * i] = row[ROW_COUNTERS + i];
		ret[STEP_VALUES + 2 * i + 1] = highest[i] < 0x1p64 ? (uint64_t)highest[i] : UINT64_MAX;
	}
}

static int roll_ports(int64_t step_ns, const uint64_t *before, const uint64_t *values, size_t n, size_t width,
                      size_t stride, struct rows *ret) {
	size_t n_counters = width - ROW_COUNTERS;
	CLEANUP(freep) double *highest = calloc(n_counters + 1, sizeof(*highest));
	int64_t end_ns = 0;
	uint64_t n_rows = 0;

	if (highest == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const uint64_t *row = values + i * stride;
		int64_t ts_ns = (int64_t)row[ROW_TS];

		if (n_rows > 0 && ts_ns >= end_ns) {
			put_step(before, n_rows, highest, n_counters, rows_at(ret, ret->n++));
			memset(highest, 0, n_counters * sizeof(*highest));
			n_rows = 0;
		}
		if (n_rows++ == 0) {
			end_ns = step_start(ts_ns, step_ns) + step_ns;
			if (rows_reserve(ret, 1) < 0)
				return -ENOMEM;
		}
		if (before != NULL && rollup_belong(before, row))
			raise_rates(before, row, n_counters, highest);
		before = row;
	}
	if (n_rows > 0)
		put_step(before, n_rows, highest, n_counters, rows_at(ret, ret->n++));
	return 0;
}

static int roll_points(int64_t step_ns, const uint64_t *values, size_t n, size_t stride, struct rows *ret) {
	size_t first = ret->n;

	for (size_t i = 0; i < n; i++) {
		const uint64_t *point = values + i * stride;
		const uint64_t step[POINT_STEP_WIDTH] = {
		        [STEP_TS] = point[POINT_TS],
		        [STEP_ROWS] = 1,
		        [POINT_STEP_LAST] = point[POINT_VALUE],
		        [POINT_STEP_MAX] = point[POINT_VALUE],
		        [POINT_STEP_SUM] = point[POINT_VALUE],
		};
		uint64_t *last = ret->n > first ? rows_at(ret, ret->n - 1) : NULL;

		if (last != NULL && step_start((int64_t)last[STEP_TS], step_ns) ==
		                            step_start((int64_t)step[STEP_TS], step_ns))
			rollup_merge(SERIES_LINK, POINT_STEP_WIDTH, last, step);
		else if (rows_add(ret, step, 1) < 0)
			return -ENOMEM;
	}
	return 0;
}

int rollup_rows(enum series_kind kind, int64_t step_ns, const uint64_t *before, const uint64_t *values,
                size_t n, size_t width, size_t stride, struct rows *ret) {
	if (kind == SERIES_LINK)
		return roll_points(step_ns, values, n, stride, ret);
	return roll_ports(step_ns, before, values, n, width, stride, ret);
}

void rollup_merge(enum series_kind kind, size_t width, uint64_t *into, const uint64_t *from) {
	into[STEP_TS] = from[STEP_TS];
	into[STEP_ROWS] += from[STEP_ROWS];
	if (kind == SERIES_LINK) {
		into[POINT_STEP_LAST] = from[POINT_STEP_LAST];
		if (from[POINT_STEP_MAX] > into[POINT_STEP_MAX])
			into[POINT_STEP_MAX] = from[POINT_STEP_MAX];
		into[POINT_STEP_SUM] = bitpack_from_real(bitpack_to_real(into[POINT_STEP_SUM]) +
		                                         bitpack_to_real(from[POINT_STEP_SUM]));
		return;
	}
	for (size_t i = STEP_VALUES; i < width; i += 2) {
		into[i] = from[i];
		if (from[i + 1] > into[i + 1])
			into[i + 1] = from[i + 1];
	}
}

void rollup_join(enum series_kind kind, int64_t step_ns, struct rows *rows) {
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++) {
		if (n > 0 &&
		    step_start(rows_ts(rows, n - 1), step_ns) == step_start(rows_ts(rows, i), step_ns)) {
			rollup_merge(kind, rows->width, rows_at(rows, n - 1), rows_at(rows, i));
			continue;
		}
		if (n != i)
			memcpy(rows_at(rows, n), rows_at(rows, i), rows->width * sizeof(uint64_t));
		n++;
	}
	rows->n = n;
}
