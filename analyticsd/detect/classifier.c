// A forest over rows of numbers.
// SPDX-License-Identifier: MIT
#include "classifier.h"

#include "binning.h"
#include "ensemble.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define MOST_FEATURES 1024
#define MOST_NODES    (UINT32_C(1) << 24) // of a tree that is loaded

struct classifier {
	size_t n_features;
	struct binning *binnings;
	struct ensemble ensemble;
};

void classifier_free(struct classifier *classifier) {
	if (classifier == NULL)
		return;
	free(classifier->binnings);
	ensemble_fini(&classifier->ensemble);
	free(classifier);
}

size_t classifier_n_features(const struct classifier *classifier) {
	return classifier->n_features;
}

static bool has_both(const struct classifier_rows *rows) {
	size_t n_yes = 0;

	for (size_t i = 0; i < rows->n; i++)
		n_yes += rows->targets[i] > 0;
	return n_yes > 0 && n_yes < rows->n;
}

// Each column is binned by its own values, into rows of bytes.
static int bin_rows(struct classifier *classifier, const struct classifier_rows *rows, uint8_t *bytes) {
	CLEANUP(freep) double *column = calloc(rows->n, sizeof(*column));
	int rc;

	if (column == NULL)
		return -ENOMEM;
	for (size_t f = 0; f < rows->n_features; f++) {
		for (size_t i = 0; i < rows->n; i++)
			column[i] = (double)rows->values[i * rows->n_features + f];
		if ((rc = binning_fit(column, rows->n, &classifier->binnings[f])) < 0)
			return rc;
		for (size_t i = 0; i < rows->n; i++)
			bytes[i * rows->n_features + f] = binning_of(&classifier->binnings[f], column[i]);
	}
	return 0;
}

int classifier_train(const struct classifier_rows *rows, const struct classifier_options *options,
                     const atomic_bool *stop, struct classifier **ret) {
	CLEANUP(classifier_freep) struct classifier *classifier = calloc(1, sizeof(*classifier));
	CLEANUP(freep) uint8_t *bytes = calloc(rows->n * rows->n_features + MATRIX_PADDING, 1);
	CLEANUP(freep) uint32_t *numbers = calloc(rows->n + 1, sizeof(*numbers));
	struct ensemble_options forest = forest_defaults;
	struct fit_watch watch = {.stop = stop};
	struct matrix matrix = {
	        .groups = {{.bytes = bytes, .stride = rows->n_features, .n_features = rows->n_features}},
	        .n_groups = 1,
	        .n_rows = rows->n,
	};
	int rc;

	if (rows->n_features == 0 || rows->n_features > MOST_FEATURES || rows->n > ENSEMBLE_MOST_ROWS ||
	    !has_both(rows))
		return -EINVAL;
	if (classifier == NULL || bytes == NULL || numbers == NULL)
		return -ENOMEM;
	classifier->n_features = rows->n_features;
	classifier->binnings = calloc(rows->n_features, sizeof(*classifier->binnings));
	if (classifier->binnings == NULL)
		return -ENOMEM;
	if ((rc = bin_rows(classifier, rows, bytes)) < 0)
		return rc;
	for (size_t i = 0; i < rows->n; i++)
		numbers[i] = (uint32_t)i;
	forest.n_trees = options->n_trees;
	forest.most_depth = options->depth;
	forest.least_rows = options->least_rows;
	forest.seed = options->seed;
	if ((rc = ensemble_fit(&matrix, numbers, rows->targets, rows->n, &forest, &watch,
	                       &classifier->ensemble)) < 0)
		return rc;
	*ret = classifier;
	classifier = NULL;
	return 0;
}

double classifier_ask(const struct classifier *classifier, const float *row) {
	uint8_t bytes[MOST_FEATURES + MATRIX_PADDING];

	for (size_t f = 0; f < classifier->n_features; f++)
		bytes[f] = binning_of(&classifier->binnings[f], (double)row[f]);
	memset(bytes + classifier->n_features, 0, MATRIX_PADDING);
	return fmin(fmax(ensemble_predict(&classifier->ensemble, bytes), 0), 1);
}

// ---- on disk: a head, the edges of the bins, each tree's number of nodes and nodes; as they are in memory

struct file_head {
	uint64_t n_features, n_trees;
	double base, scale;
};

int classifier_save(const struct classifier *classifier, struct bytes *ret) {
	const struct ensemble *ensemble = &classifier->ensemble;
	struct file_head head = {classifier->n_features, ensemble->n_trees, ensemble->base, ensemble->scale};
	int rc;

	if ((rc = bytes_append(ret, &head, sizeof(head))) < 0 ||
	    (rc = bytes_append(ret, classifier->binnings, head.n_features * sizeof(*classifier->binnings))) <
	            0)
		return rc;
	for (size_t i = 0; i < ensemble->n_trees; i++) {
		const struct tree *tree = &ensemble->trees[i];
		uint64_t n_nodes = tree->n_nodes;

		if ((rc = bytes_append(ret, &n_nodes, sizeof(n_nodes))) < 0 ||
		    (rc = bytes_append(ret, tree->nodes, tree->n_nodes * sizeof(*tree->nodes))) < 0)
			return rc;
	}
	return 0;
}

static int take(const struct bytes *bytes, size_t *at, void *ret, size_t size) {
	if (bytes->size - *at < size)
		return -EBADMSG;
	memcpy(ret, bytes->data + *at, size);
	*at += size;
	return 0;
}

// Children come behind their parent, so that each path ends in a leaf.
static bool is_sound(const struct tree *tree, size_t n_features) {
	for (size_t i = 0; i < tree->n_nodes; i++) {
		const struct tree_node *node = &tree->nodes[i];

		if (node->left & TREE_LEAF) {
			if (!isfinite(node->value))
				return false;
		} else if (node->left <= i || node->left + 1 >= tree->n_nodes ||
		           node->feature >= n_features) {
			return false;
		}
	}
	return true;
}

static int load_tree(const struct bytes *bytes, size_t *at, size_t n_features, struct tree *ret) {
	uint64_t n_nodes;
	int rc;

	if ((rc = take(bytes, at, &n_nodes, sizeof(n_nodes))) < 0)
		return rc;
	if (n_nodes == 0 || n_nodes > MOST_NODES || n_nodes > (bytes->size - *at) / sizeof(*ret->nodes))
		return -EBADMSG;
	ret->nodes = calloc(n_nodes, sizeof(*ret->nodes));
	if (ret->nodes == NULL)
		return -ENOMEM;
	ret->n_nodes = n_nodes;
	if ((rc = take(bytes, at, ret->nodes, n_nodes * sizeof(*ret->nodes))) < 0)
		return rc;
	return is_sound(ret, n_features) ? 0 : -EBADMSG;
}

static int load_binnings(const struct bytes *bytes, size_t *at, struct classifier *classifier) {
	int rc;

	classifier->binnings = calloc(classifier->n_features, sizeof(*classifier->binnings));
	if (classifier->binnings == NULL)
		return -ENOMEM;
	if ((rc = take(bytes, at, classifier->binnings,
	               classifier->n_features * sizeof(*classifier->binnings))) < 0)
		return rc;
	for (size_t f = 0; f < classifier->n_features; f++) {
		for (int i = 0; i < BINNING_EDGES; i++) {
			if (isnan(classifier->binnings[f].edges[i]))
				return -EBADMSG;
		}
	}
	return 0;
}

int classifier_load(const struct bytes *bytes, size_t *at, struct classifier **ret) {
	CLEANUP(classifier_freep) struct classifier *classifier = calloc(1, sizeof(*classifier));
	struct ensemble *ensemble;
	struct file_head head;
	int rc;

	if (classifier == NULL)
		return -ENOMEM;
	if ((rc = take(bytes, at, &head, sizeof(head))) < 0)
		return rc;
	if (head.n_features == 0 || head.n_features > MOST_FEATURES || head.n_trees == 0 ||
	    head.n_trees > ENSEMBLE_MOST_TREES || !isfinite(head.base) || !isfinite(head.scale))
		return -EBADMSG;
	classifier->n_features = head.n_features;
	if ((rc = load_binnings(bytes, at, classifier)) < 0)
		return rc;
	ensemble = &classifier->ensemble;
	ensemble->base = head.base;
	ensemble->scale = head.scale;
	ensemble->trees = calloc(head.n_trees, sizeof(*ensemble->trees));
	if (ensemble->trees == NULL)
		return -ENOMEM;
	while (ensemble->n_trees < head.n_trees) {
		if ((rc = load_tree(bytes, at, head.n_features, &ensemble->trees[ensemble->n_trees++])) < 0)
			return rc;
	}
	*ret = classifier;
	classifier = NULL;
	return 0;
}
