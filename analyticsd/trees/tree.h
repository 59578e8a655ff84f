// tree.h: one regression tree over features that are bytes, and what it says of a row.
// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { TREE_MOST_FEATURES = 32767, TREE_MOST_NODES = 1 << 30 };
#define TREE_LEAF (UINT32_C(1) << 31)

// The children stand beside each other: 'left' and, for rows whose feature is above 'bin', left + 1. A leaf has
// TREE_LEAF in 'left' and a value.
struct tree_node {
	uint32_t left;
	union {
		struct {
			uint16_t feature;
			uint8_t bin;
			uint8_t zero; // so that equal nodes are equal bytes
		};
		float value;
	};
};

// Node 0 is the root; children come after their parents.
struct tree {
	struct tree_node *nodes;
	size_t n_nodes;
};

void tree_fini(struct tree *);

double tree_predict(const struct tree *, const uint8_t *features);

// The sum over 'n' trees. Several are walked side by side, so that they don't wait for each other's memory.
double trees_predict(const struct tree *trees, size_t n, const uint8_t *features);

// How much each feature lowered the squared error is not stored; how often it decides is counted here:
// adds to ret[feature] for each node that asks for it.
void tree_count_features(const struct tree *, size_t *ret);
