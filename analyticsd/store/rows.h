// rows.h: rows of uint64 columns, one behind the other, that grow. What the columns of history's rows are. Pure.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum series_kind { SERIES_PORT, SERIES_LINK };

// A row of a port: these, then its counters. Times are int64.
enum port_column { ROW_TS, ROW_SEQ, ROW_INSTANCE, ROW_EPOCH, ROW_UP, ROW_COUNTERS };

// A point of a link's KPI: bitpack_from_real() of the value, and its enum kpi_source.
enum point_column { POINT_TS, POINT_VALUE, POINT_SOURCE, POINT_WIDTH };

// A step of a level above raw, at the time of its last row. Of a port: then the last value of each counter and
// its highest rate (a second, rounded down), in turns. Of a link: the last, the highest and the sum.
enum step_column { STEP_TS, STEP_ROWS, STEP_VALUES };
enum point_step_column { POINT_STEP_LAST = STEP_VALUES, POINT_STEP_MAX, POINT_STEP_SUM, POINT_STEP_WIDTH };

struct rows {
	uint64_t *values;
	size_t n, capacity; // rows
	size_t width;       // columns; set it before the first row
};

void rows_fini(struct rows *);

static inline uint64_t *rows_at(const struct rows *rows, size_t i) {
	return rows->values + i * rows->width;
}

static inline int64_t rows_ts(const struct rows *rows, size_t i) {
	return (int64_t)rows_at(rows, i)[ROW_TS];
}

// Makes place for 'n' more. Returns 0 or -ENOMEM.
int rows_reserve(struct rows *, size_t n);

// Adds rows of the same width. Returns 0 or -ENOMEM.
int rows_add(struct rows *, const uint64_t *values, size_t n);

// Takes the first 'n' away.
void rows_drop(struct rows *, size_t n);

// The order of stored rows: time, then (rows of ports) instance and seq.
int rows_compare(const uint64_t *a, const uint64_t *b, bool ports);
void rows_sort(struct rows *, bool ports);

// The first row with a time of at least 'ts_ns' among sorted rows; rows->n when there is none.
size_t rows_find(const struct rows *, int64_t ts_ns);

// Start of the step that a time is in.
static inline int64_t step_start(int64_t ts_ns, int64_t step_ns) {
	int64_t within = ts_ns % step_ns;

	return ts_ns - (within < 0 ? within + step_ns : within);
}
