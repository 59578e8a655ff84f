// matrix.h: rows of features that are bytes. Features come in groups; the bytes of one group and row lie side by
// side. Groups may overlap with themselves: with a stride of 1, the 300 values before each moment of a series
// are 300 features that take one byte a row together.
// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { MATRIX_GROUPS = 2, MATRIX_PADDING = 8 };

// Feature k of row r is bytes[r * stride + k]. MATRIX_PADDING bytes behind the last one must be readable.
struct feature_group {
	const uint8_t *bytes;
	size_t stride;
	size_t n_features;
	// For each row the least and greatest byte of the group, which lets nodes of few rows look at few bins;
	// NULL when not known.
	const uint8_t *lowest, *highest;
};

struct matrix {
	struct feature_group groups[MATRIX_GROUPS];
	size_t n_groups;
	size_t n_rows; // below 2^24
};

size_t matrix_features(const struct matrix *);

// Where the bytes of feature 'feature' begin (that of row 0), and the stride from row to row.
const uint8_t *matrix_column(const struct matrix *, size_t feature, size_t *ret_stride);

// The bytes of one row, in order of the features.
void matrix_row(const struct matrix *, size_t row, uint8_t *ret);
