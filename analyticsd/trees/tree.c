// Walking trees.
// SPDX-License-Identifier: MIT
#include "tree.h"

#include <stdlib.h>

enum { ABREAST = 8 };

void tree_fini(struct tree *tree) {
	free(tree->nodes);
	*tree = (struct tree){0};
}

static const struct tree_node *step(const struct tree_node *nodes, const struct tree_node *node,
                                    const uint8_t *features) {
	return &nodes[node->left + (features[node->feature] > node->bin)];
}

double tree_predict(const struct tree *tree, const uint8_t *features) {
	const struct tree_node *node = tree->nodes;

	while ((node->left & TREE_LEAF) == 0)
		node = step(tree->nodes, node, features);
	return (double)node->value;
}

static double predict_abreast(const struct tree *trees, const uint8_t *features) {
	const struct tree_node *at[ABREAST];
	double sum = 0;
	int walking;

	for (int i = 0; i < ABREAST; i++)
		at[i] = trees[i].nodes;
	do {
		walking = 0;
		for (int i = 0; i < ABREAST; i++) {
			if ((at[i]->left & TREE_LEAF) == 0) {
				at[i] = step(trees[i].nodes, at[i], features);
				walking = 1;
			}
		}
	} while (walking);
	for (int i = 0; i < ABREAST; i++)
		sum += (double)at[i]->value;
	return sum;
}

double trees_predict(const struct tree *trees, size_t n, const uint8_t *features) {
	double sum = 0;
	size_t i = 0;

	for (; i + ABREAST <= n; i += ABREAST)
		sum += predict_abreast(trees + i, features);
	for (; i < n; i++)
		sum += tree_predict(&trees[i], features);
	return sum;
}

void tree_count_features(const struct tree *tree, size_t *ret) {
	for (size_t i = 0; i < tree->n_nodes; i++) {
		if ((tree->nodes[i].left & TREE_LEAF) == 0)
			ret[tree->nodes[i].feature]++;
	}
}
