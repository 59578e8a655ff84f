// What growing a tree spends its time on.
// SPDX-License-Identifier: MIT
#include "histogram.h"

#include <pthread.h>
#include <string.h>

// Loops over eights, in the widest registers that the machine has. Not under sanitizers, which come too late for
// the choice at load time.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__) &&                                  \
        !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define WIDE __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define WIDE
#endif

enum { MOST_THREADS = 64, LEAST_ROWS_FOR_THREADS = 8192, ROWS_AT_A_TIME = 2048 };

// ---- layout

static size_t octets_of(const struct feature_group *group) {
	return (group->n_features + HISTOGRAM_OCTET - 1) / HISTOGRAM_OCTET;
}

static size_t width_of(const struct bin_range *range, size_t group) {
	return (size_t)(range->highest[group] - range->lowest[group]) + 1;
}

size_t histogram_cells(const struct matrix *matrix, const struct bin_range *range) {
	size_t n = 0;

	for (size_t g = 0; g < matrix->n_groups; g++)
		n += octets_of(&matrix->groups[g]) * width_of(range, g) * HISTOGRAM_OCTET;
	return n;
}

struct bin_range histogram_range(const struct matrix *matrix, const uint32_t *rows, size_t n) {
	struct bin_range range;

	for (size_t g = 0; g < matrix->n_groups; g++) {
		const struct feature_group *group = &matrix->groups[g];
		uint8_t lowest = 255, highest = 0;

		for (size_t i = 0; group->lowest != NULL && i < n; i++) {
			uint8_t low = group->lowest[rows[i]], high = group->highest[rows[i]];

			lowest = low < lowest ? low : lowest;
			highest = high > highest ? high : highest;
		}
		range.lowest[g] = group->lowest != NULL ? lowest : 0;
		range.highest[g] = group->lowest != NULL ? highest : 255;
	}
	return range;
}

// ---- building

// The bytes that belong to no feature, behind the last of a group, may lie outside the range: they are
// counted in the bin 0 of it, where nobody looks.
static void add_octet(const uint8_t *bytes, size_t stride, const struct node_rows *node, uint8_t lowest,
                      uint64_t lanes, uint64_t *cells) {
	uint64_t low = lowest * UINT64_C(0x0101010101010101) & lanes;

	for (size_t i = 0; i < node->n; i++) {
		uint64_t cell = node->cells[i], eight;

		memcpy(&eight, bytes + node->rows[i] * stride, sizeof(eight));
		eight = (eight & lanes) - low; // no byte is below 'lowest', so none borrows
		for (int k = 0; k < HISTOGRAM_OCTET; k++) {
			cells[(eight & 255) * HISTOGRAM_OCTET + (size_t)k] += cell;
			eight >>= 8;
		}
	}
}

// Bytes of an octet that are features.
static uint64_t lanes_of(const struct feature_group *group, size_t octet) {
	size_t rest = group->n_features - octet * HISTOGRAM_OCTET;

	return rest >= HISTOGRAM_OCTET ? ~UINT64_C(0) : (UINT64_C(1) << (8 * rest)) - 1;
}

struct building {
	const struct matrix *matrix;
	const struct node_rows *node;
	const struct bin_range *range;
	uint64_t *cells;
	size_t from, to; // octets, of all groups
};

// A few rows at a time, all octets of them: the rows stay near while their octets are added.
static void build(const struct building *building) {
	const struct node_rows *node = building->node;
	size_t octet = 0;
	uint64_t *cells = building->cells;

	for (size_t g = 0; g < building->matrix->n_groups; g++) {
		const struct feature_group *group = &building->matrix->groups[g];
		size_t size = width_of(building->range, g) * HISTOGRAM_OCTET;

		for (size_t k = 0; k < octets_of(group); k++, octet++, cells += size) {
			if (octet < building->from || octet >= building->to)
				continue;
			memset(cells, 0, size * sizeof(*cells));
			add_octet(group->bytes + k * HISTOGRAM_OCTET, group->stride, node,
			          building->range->lowest[g], lanes_of(group, k), cells);
		}
	}
}

static void *build_on_thread(void *context) {
	build(context);
	return NULL;
}

void histogram_build(const struct matrix *matrix, const struct node_rows *node, const struct bin_range *range,
                     int n_threads, uint64_t *ret) {
	struct building shares[MOST_THREADS];
	pthread_t threads[MOST_THREADS];
	bool started[MOST_THREADS] = {false};
	size_t n_octets = 0;

	for (size_t g = 0; g < matrix->n_groups; g++)
		n_octets += octets_of(&matrix->groups[g]);
	if (node->n < LEAST_ROWS_FOR_THREADS || n_threads < 1)
		n_threads = 1;
	if (n_threads > MOST_THREADS)
		n_threads = MOST_THREADS;
	for (int i = 0; i < n_threads; i++) {
		shares[i] = (struct building){matrix,
		                              node,
		                              range,
		                              ret,
		                              n_octets * (size_t)i / (size_t)n_threads,
		                              n_octets * (size_t)(i + 1) / (size_t)n_threads};
		if (i > 0)
			started[i] = pthread_create(&threads[i], NULL, build_on_thread, &shares[i]) == 0;
	}
	for (int i = 0; i < n_threads; i++) {
		if (started[i])
			pthread_join(threads[i], NULL);
		else
			build(&shares[i]);
	}
}

// ---- subtracting

WIDE static void subtract_octet(uint64_t *to, const uint64_t *from, size_t n, const uint64_t *other,
                                size_t other_first, size_t other_n) {
	memmove(to, from, n * sizeof(*to));
	for (size_t i = 0; i < other_n; i++)
		to[other_first + i] -= other[i];
}

void histogram_subtract(const struct matrix *matrix, uint64_t *cells, const struct bin_range *node,
                        const uint64_t *other_cells, const struct bin_range *other,
                        const struct bin_range *rest) {
	const uint64_t *from = cells;
	uint64_t *to = cells;

	for (size_t g = 0; g < matrix->n_groups; g++) {
		size_t size = width_of(node, g) * HISTOGRAM_OCTET;
		size_t other_size = width_of(other, g) * HISTOGRAM_OCTET;
		size_t rest_size = width_of(rest, g) * HISTOGRAM_OCTET;
		size_t skipped = (size_t)(rest->lowest[g] - node->lowest[g]) * HISTOGRAM_OCTET;
		int low = rest->lowest[g] > other->lowest[g] ? rest->lowest[g] : other->lowest[g];
		int high = rest->highest[g] < other->highest[g] ? rest->highest[g] : other->highest[g];
		size_t first = low > high ? 0 : (size_t)(low - other->lowest[g]) * HISTOGRAM_OCTET;
		size_t n = low > high ? 0 : (size_t)(high - low + 1) * HISTOGRAM_OCTET;
		size_t at = low > high ? 0 : (size_t)(low - rest->lowest[g]) * HISTOGRAM_OCTET;

		for (size_t k = 0; k < octets_of(&matrix->groups[g]); k++) {
			subtract_octet(to, from + skipped, rest_size, other_cells + first, at, n);
			to += rest_size;
			from += size;
			other_cells += other_size;
		}
	}
}

// ---- the best split

// Eight features side by side. Vector types of gcc and clang: any machine has them, in registers of its width.
typedef uint64_t wholes __attribute__((vector_size(64)));
typedef double reals __attribute__((vector_size(64)));

// A double that holds a whole number below 2^52 exactly, without a conversion that SSE2 lacks.
#define EXACT_BITS UINT64_C(0x4330000000000000)
#define EXACT_ZERO 0x1p52

struct best {
	double numerator[HISTOGRAM_OCTET], denominator[HISTOGRAM_OCTET];
	uint64_t left[HISTOGRAM_OCTET];
	uint64_t bin[HISTOGRAM_OCTET];
};

// For each of eight features. With n of N rows and their sum s on the left, the squared error falls by
// (s - n S/N)^2 N / (n (N - n)); gains are compared as fractions, since that takes no division.
WIDE static void scan_octet(const uint64_t *cells, size_t width, uint64_t total, uint64_t least,
                            struct best *ret) {
	double rows = (double)cell_count(total), mean = (double)cell_sum(total) / rows;
	double fewest = (double)least, most = rows - (double)least;
	wholes left = {0}, best_left = {0}, best_bin = {0}, cell;
	reals best_numerator = {0}, best_denominator = best_numerator + 1;

	for (size_t b = 0; b < width; b++, cells += HISTOGRAM_OCTET) {
		reals n, away, numerator, denominator;
		wholes better;

		memcpy(&cell, cells, sizeof(cell));
		left += cell;
		n = (reals)(left >> HISTOGRAM_SUM_BITS | EXACT_BITS) - EXACT_ZERO;
		away = (reals)((left & HISTOGRAM_SUM_MASK) | EXACT_BITS) - EXACT_ZERO - n * mean;
		numerator = away * away;
		denominator = n * (rows - n);
		better = (wholes)(n >= fewest) & (wholes)(n <= most) &
		         (wholes)(numerator * best_denominator > best_numerator * denominator);
		best_numerator = (reals)(((wholes)numerator & better) | ((wholes)best_numerator & ~better));
		best_denominator =
		        (reals)(((wholes)denominator & better) | ((wholes)best_denominator & ~better));
		best_left = (left & better) | (best_left & ~better);
		best_bin = (b & better) | (best_bin & ~better);
	}
	memcpy(ret->numerator, &best_numerator, sizeof(ret->numerator));
	memcpy(ret->denominator, &best_denominator, sizeof(ret->denominator));
	memcpy(ret->left, &best_left, sizeof(ret->left));
	memcpy(ret->bin, &best_bin, sizeof(ret->bin));
}

bool histogram_best_split(const struct matrix *matrix, const uint64_t *cells, const struct bin_range *range,
                          uint64_t total, uint64_t least, struct split *ret) {
	double numerator = 0, denominator = 1;
	size_t feature = 0;
	struct best best;

	for (size_t g = 0; g < matrix->n_groups; g++) {
		const struct feature_group *group = &matrix->groups[g];
		size_t width = width_of(range, g);

		for (size_t k = 0; k < group->n_features; k++) {
			size_t lane = k % HISTOGRAM_OCTET;

			if (lane == 0) {
				scan_octet(cells, width, total, least, &best);
				cells += width * HISTOGRAM_OCTET;
			}
			if (best.numerator[lane] * denominator <= numerator * best.denominator[lane])
				continue;
			numerator = best.numerator[lane];
			denominator = best.denominator[lane];
			*ret = (struct split){.feature = feature + k,
			                      .bin = (uint8_t)(best.bin[lane] + range->lowest[g]),
			                      .left = best.left[lane]};
		}
		feature += group->n_features;
	}
	ret->gain = numerator > 0 ? numerator / denominator * (double)cell_count(total) : 0;
	return numerator > 0;
}
