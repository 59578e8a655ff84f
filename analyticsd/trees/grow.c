// The smaller child's histogram is built, the larger one's is what is left of the parent's. The smaller child is
// grown first, while the larger one waits in its parent's place: since the smaller has at most half of the rows,
// no more histograms wait than the rows can be halved.
// SPDX-License-Identifier: MIT
#include "grow.h"

#include "cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// What an addition to a histogram costs, in units of taking one cell away from another.
#define COST_OF_ADDING 4

struct grower {
	const struct matrix *matrix;
	const struct grow_options *options;
	uint32_t *rows, *spare_rows;
	uint64_t *cells, *spare_cells;
	uint64_t *arena; // of histograms
	struct tree tree;
	size_t capacity; // of its nodes
	int rc;
};

struct grown_node {
	uint32_t index;
	size_t from, to, depth; // rows
	uint64_t total;
	struct bin_range range;
};

static size_t halvings(size_t n) {
	size_t times = 0;

	for (; n > 0; n /= 2)
		times++;
	return times;
}

static size_t full_cells(const struct matrix *matrix) {
	struct bin_range all;

	memset(all.lowest, 0, sizeof(all.lowest));
	memset(all.highest, 255, sizeof(all.highest));
	return histogram_cells(matrix, &all);
}

int grower_new(const struct matrix *matrix, size_t most_rows, struct grower **ret) {
	struct grower *grower = calloc(1, sizeof(*grower));

	if (grower == NULL)
		return -ENOMEM;
	grower->matrix = matrix;
	grower->rows = malloc(most_rows * sizeof(uint32_t) + 1);
	grower->spare_rows = malloc(most_rows * sizeof(uint32_t) + 1);
	grower->cells = malloc(most_rows * sizeof(uint64_t) + 1);
	grower->spare_cells = malloc(most_rows * sizeof(uint64_t) + 1);
	grower->arena = malloc(full_cells(matrix) * (halvings(most_rows) + 2) * sizeof(uint64_t));
	if (grower->rows == NULL || grower->spare_rows == NULL || grower->cells == NULL ||
	    grower->spare_cells == NULL || grower->arena == NULL) {
		grower_free(grower);
		return -ENOMEM;
	}

	*ret = grower;
	return 0;
}

void grower_free(struct grower *grower) {
	if (grower == NULL)
		return;
	free(grower->rows);
	free(grower->spare_rows);
	free(grower->cells);
	free(grower->spare_cells);
	free(grower->arena);
	tree_fini(&grower->tree);
	free(grower);
}

uint32_t *grower_rows(struct grower *grower) {
	return grower->rows;
}

uint64_t *grower_cells(struct grower *grower) {
	return grower->cells;
}

// Two nodes beside each other. Returns the first, or 0 (which is the root's) without memory.
static uint32_t add_pair(struct grower *grower) {
	struct tree *tree = &grower->tree;
	size_t wanted = grower->capacity > 0 ? 2 * grower->capacity : 64;
	struct tree_node *moved;

	if (tree->n_nodes + 2 > grower->capacity) {
		moved = wanted > TREE_MOST_NODES ? NULL : realloc(tree->nodes, wanted * sizeof(*moved));
		if (moved == NULL) {
			grower->rc = -ENOMEM;
			return 0;
		}
		tree->nodes = moved;
		grower->capacity = wanted;
	}
	tree->n_nodes += 2;
	return (uint32_t)(tree->n_nodes - 2);
}

static void make_leaf(struct grower *grower, const struct grown_node *node) {
	const struct grow_options *options = grower->options;
	double n = (double)cell_count(node->total), sum = (double)cell_sum(node->total);
	double value = options->rate * (options->offset * n + options->scale * sum) / (n + options->lambda);

	grower->tree.nodes[node->index] = (struct tree_node){.left = TREE_LEAF, .value = (float)value};
}

static bool can_split(const struct grower *grower, const struct grown_node *node) {
	const struct grow_options *options = grower->options;

	return cell_count(node->total) >= 2 * options->least_rows &&
	       (options->most_depth == 0 || node->depth < options->most_depth);
}

// Keeps the order on both sides, so that rows stay ascending and memory is walked forward. Returns where the
// right side begins.
static size_t partition(struct grower *grower, const struct grown_node *node, const struct split *split) {
	size_t stride, left = node->from, right = 0;
	const uint8_t *column = matrix_column(grower->matrix, split->feature, &stride);

	for (size_t i = node->from; i < node->to; i++) {
		uint32_t row = grower->rows[i];
		uint64_t cell = grower->cells[i];
		bool goes_right = column[row * stride] > split->bin;

		grower->rows[left] = row;
		grower->cells[left] = cell;
		grower->spare_rows[right] = row;
		grower->spare_cells[right] = cell;
		left += !goes_right;
		right += goes_right;
	}
	memcpy(grower->rows + left, grower->spare_rows, right * sizeof(uint32_t));
	memcpy(grower->cells + left, grower->spare_cells, right * sizeof(uint64_t));
	return left;
}

static void build(struct grower *grower, const struct grown_node *node, uint64_t *histogram) {
	struct node_rows rows = {grower->rows + node->from, grower->cells + node->from,
	                         node->to - node->from};

	histogram_build(grower->matrix, &rows, &node->range, grower->options->n_threads, histogram);
}

static void find_range(const struct grower *grower, struct grown_node *node) {
	node->range = histogram_range(grower->matrix, grower->rows + node->from, node->to - node->from);
}

static bool is_subtracting_cheaper(const struct grower *grower, const struct grown_node *large,
                                   const struct grown_node *small, bool small_is_built) {
	size_t features = matrix_features(grower->matrix);
	size_t adding = COST_OF_ADDING * features * (large->to - large->from);
	size_t instead = small_is_built ? 0 : COST_OF_ADDING * features * (small->to - small->from);

	return histogram_cells(grower->matrix, &large->range) + instead < adding;
}

// Gives both children what they need to be split: the smaller one behind the node's histogram, the larger one
// in its place.
static void share_histogram(struct grower *grower, const struct grown_node *node, struct grown_node *small,
                            struct grown_node *large, uint64_t *histogram, uint64_t *behind) {
	bool split_small = can_split(grower, small), split_large = can_split(grower, large), subtract;

	find_range(grower, small);
	find_range(grower, large);
	subtract = split_large && is_subtracting_cheaper(grower, large, small, split_small);
	if (split_small || subtract)
		build(grower, small, behind);
	if (subtract)
		histogram_subtract(grower->matrix, histogram, &node->range, behind, &small->range,
		                   &large->range);
	else if (split_large)
		build(grower, large, histogram);
}

static void grow(struct grower *grower, struct grown_node node, uint64_t *histogram) {
	for (;;) {
		struct grown_node left = {.from = node.from, .depth = node.depth + 1}, right;
		struct split split;
		uint64_t *behind;

		if (!can_split(grower, &node) ||
		    !histogram_best_split(grower->matrix, histogram, &node.range, node.total,
		                          grower->options->least_rows, &split)) {
			make_leaf(grower, &node);
			return;
		}
		if ((left.index = add_pair(grower)) == 0)
			return;
		grower->tree.nodes[node.index] = (struct tree_node){
		        .left = left.index, .feature = (uint16_t)split.feature, .bin = split.bin};
		left.to = partition(grower, &node, &split);
		left.total = split.left;
		right = (struct grown_node){.index = left.index + 1,
		                            .from = left.to,
		                            .to = node.to,
		                            .depth = left.depth,
		                            .total = node.total - split.left};
		behind = histogram + histogram_cells(grower->matrix, &node.range);
		if (left.to - left.from <= right.to - right.from) {
			share_histogram(grower, &node, &left, &right, histogram, behind);
			grow(grower, left, behind);
			node = right;
		} else {
			share_histogram(grower, &node, &right, &left, histogram, behind);
			grow(grower, right, behind);
			node = left;
		}
		if (grower->rc < 0)
			return;
	}
}

int grower_grow(struct grower *grower, size_t n, const struct grow_options *options, struct tree *ret) {
	struct grown_node root = {.to = n};
	struct tree_node *fitted;

	grower->options = options;
	grower->rc = 0;
	grower->tree = (struct tree){0};
	grower->capacity = 0;
	if (add_pair(grower) != 0 || grower->rc < 0)
		return -ENOMEM;
	grower->tree.n_nodes = 1;
	for (size_t i = 0; i < n; i++)
		root.total += grower->cells[i];
	find_range(grower, &root);
	if (can_split(grower, &root))
		build(grower, &root, grower->arena);
	grow(grower, root, grower->arena);
	if (grower->rc < 0) {
		tree_fini(&grower->tree);
		return grower->rc;
	}
	fitted = realloc(grower->tree.nodes, grower->tree.n_nodes * sizeof(*fitted));
	*ret = grower->tree;
	if (fitted != NULL)
		ret->nodes = fitted;
	grower->tree = (struct tree){0};
	return 0;
}
