// histogram.h: for each feature and bin, how many rows are there and the sum of their targets, as integers, so
// that no order of adding changes them. A cell is one uint64: the count above HISTOGRAM_SUM_BITS, the sum below.
// Features are kept in eights ("octets"): a row's eight bytes come from one load, and a scan looks at eight
// features at a time. The layout is that of G. Ke et al., LightGBM (NIPS 2017), with exact integers.
// SPDX-License-Identifier: MIT
#pragma once

#include "matrix.h"

#include <stdbool.h>

#define HISTOGRAM_SUM_BITS 40
#define HISTOGRAM_SUM_MASK ((UINT64_C(1) << HISTOGRAM_SUM_BITS) - 1)
enum { HISTOGRAM_OCTET = 8, HISTOGRAM_BINS = 256 };

static inline uint64_t cell_count(uint64_t cell) {
	return cell >> HISTOGRAM_SUM_BITS;
}

static inline uint64_t cell_sum(uint64_t cell) {
	return cell & HISTOGRAM_SUM_MASK;
}

// Rows of a node: which, and the cell of each (its weight and target).
struct node_rows {
	const uint32_t *rows;
	const uint64_t *cells;
	size_t n;
};

// The bins that the rows of a node can be in, for each group.
struct bin_range {
	uint8_t lowest[MATRIX_GROUPS], highest[MATRIX_GROUPS];
};

struct bin_range histogram_range(const struct matrix *, const uint32_t *rows, size_t n);

// Cells that a histogram over 'range' takes: of each octet, bin by bin, eight features beside each other.
size_t histogram_cells(const struct matrix *, const struct bin_range *range);

// Builds it on as many threads as it deserves, at most 'n_threads'.
void histogram_build(const struct matrix *, const struct node_rows *, const struct bin_range *range,
                     int n_threads, uint64_t *ret);

// Turns the histogram of a node into that of one child, by taking away the other child's. The ranges of the
// children lie within the node's. In place: the result begins where the node's did.
void histogram_subtract(const struct matrix *, uint64_t *cells, const struct bin_range *node,
                        const uint64_t *other_cells, const struct bin_range *other,
                        const struct bin_range *rest);

struct split {
	size_t feature;
	uint8_t bin;   // rows up to it go left
	uint64_t left; // cell of those
	double gain;   // by how much the squared error falls, in targets squared; above 0
};

// The split that lowers the squared error of a node of 'total' most, with at least 'least' rows (by count) on
// each side; the first feature, then the lowest bin, among equals. False when there is none.
bool histogram_best_split(const struct matrix *, const uint64_t *cells, const struct bin_range *range,
                          uint64_t total, uint64_t least, struct split *ret);
