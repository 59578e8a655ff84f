// grow.h: grows one tree from histograms, depth first, the best split of each node over all features. The tree
// depends on the rows and their cells alone, not on threads or on the machine.
// SPDX-License-Identifier: MIT
#pragma once

#include "histogram.h"
#include "tree.h"

struct grow_options {
	size_t most_depth;    // splits above a leaf; 0: no limit
	size_t least_rows;    // by count, in a leaf; at least 1
	double rate, lambda;  // a leaf's value is rate * (sum of targets) / (rows + lambda)
	double offset, scale; // what a cell's integers mean: target = offset + scale * integer
	int n_threads;
};

// Memory that trees of one matrix are grown in, one after the other. One thread at a time.
struct grower;
int grower_new(const struct matrix *, size_t most_rows, struct grower **ret); // 0 or -ENOMEM
void grower_free(struct grower *);

// Room for the rows and cells of a tree, to be filled before grower_grow(), which shuffles them.
uint32_t *grower_rows(struct grower *);
uint64_t *grower_cells(struct grower *);

// From the first 'n' rows. Returns 0 or -ENOMEM; end with tree_fini().
int grower_grow(struct grower *, size_t n, const struct grow_options *, struct tree *ret);
