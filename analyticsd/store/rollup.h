// rollup.h: rows to steps: the last of each, the highest rate or value, how many. Steps of a fine level go on to
// the next by the same rules, and two parts of one step come together by them. Pure.
//
// The rate of a counter is between two rows that follow each other in time and belong together: same instance and
// epoch, seq next to seq, later, and not less than before. It belongs to the step of the later one.
// SPDX-License-Identifier: MIT
#pragma once

#include "rows.h"

// Rates of one pair of rows, a second: NAN where there is none. 'ret' has 'n' places.
void rollup_rates(const uint64_t *before, const uint64_t *row, size_t n, double *ret);

// Are there rates between these rows?
bool rollup_belong(const uint64_t *before, const uint64_t *row);

// Columns of a step of rows with 'width' columns.
size_t rollup_width(enum series_kind, size_t width);

// Makes steps of 'n' sorted rows of 'width' columns, 'stride' values apart, and adds them to 'ret'. 'before' (NULL is
// fine) is the row in front of them. Returns 0 or -ENOMEM.
int rollup_rows(enum series_kind, int64_t step_ns, const uint64_t *before, const uint64_t *values, size_t n,
                size_t width, size_t stride, struct rows *ret);

// Joins rows of the same step; 'rows' are steps of this length or finer, sorted.
void rollup_join(enum series_kind, int64_t step_ns, struct rows *rows);

// Takes 'from', a later part of the same step, into 'into'.
void rollup_merge(enum series_kind, size_t width, uint64_t *into, const uint64_t *from);
