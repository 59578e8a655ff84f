// Forest: each tree has draws and a seed of its own, so threads take whole trees. Boosting: each tree corrects
// those before, so threads share its histograms.
// SPDX-License-Identifier: MIT
#include "ensemble.h"

#include "grow.h"

#include <errno.h>
#include <gsl/gsl_rng.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 64, MOST_TARGET_BITS = 30 };

const struct ensemble_options forest_defaults = {
        .n_trees = 100, .least_rows = 16, .rate = 1, .share = 1, .seed = 1, .n_threads = 1};
const struct ensemble_options boost_defaults = {.boosted = true,
                                                .n_trees = 100,
                                                .most_depth = 6,
                                                .least_rows = 20,
                                                .rate = 0.1,
                                                .lambda = 1,
                                                .share = 0.25,
                                                .patience = 8,
                                                .seed = 1,
                                                .n_threads = 1};

void ensemble_fini(struct ensemble *ensemble) {
	for (size_t i = 0; i < ensemble->n_trees; i++)
		tree_fini(&ensemble->trees[i]);
	free(ensemble->trees);
	*ensemble = (struct ensemble){0};
}

double ensemble_predict(const struct ensemble *ensemble, const uint8_t *features) {
	return ensemble->base + ensemble->scale * trees_predict(ensemble->trees, ensemble->n_trees, features);
}

// ---- targets as integers

// Doubles in a range to integers whose sum over all rows stays within a cell.
struct quantiser {
	double offset, scale;
	double steps; // in a unit of the target; 0 where all are equal
};

static struct quantiser make_quantiser(double least, double greatest, size_t n) {
	struct quantiser quantiser = {.offset = least, .scale = 0};
	double most;
	int bits = HISTOGRAM_SUM_BITS;

	for (; n > 0; n /= 2)
		bits--;
	most = (double)((UINT64_C(1) << (bits < MOST_TARGET_BITS ? bits : MOST_TARGET_BITS)) - 1);
	if (greatest > least) {
		quantiser.steps = most / (greatest - least);
		quantiser.scale = (greatest - least) / most;
	}
	return quantiser;
}

static uint64_t quantise(const struct quantiser *quantiser, double target) {
	return (uint64_t)((target - quantiser->offset) * quantiser->steps + 0.5);
}

static struct quantiser quantiser_of(const double *targets, size_t n, size_t weight) {
	double least = INFINITY, greatest = -INFINITY;

	for (size_t i = 0; i < n; i++) {
		least = targets[i] < least ? targets[i] : least;
		greatest = targets[i] > greatest ? targets[i] : greatest;
	}
	return make_quantiser(least, greatest, weight);
}

static gsl_rng *random_of(uint64_t seed, uint64_t tree) {
	gsl_rng *random = gsl_rng_alloc(gsl_rng_taus2);
	uint64_t mixed = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + tree * UINT64_C(0xbf58476d1ce4e5b9);

	mixed ^= mixed >> 29;
	if (random != NULL)
		gsl_rng_set(random, (unsigned long)((mixed ^ mixed >> 32) & UINT32_MAX));
	return random;
}

static struct grow_options growing(const struct ensemble_options *options,
                                   const struct quantiser *quantiser) {
	return (struct grow_options){.most_depth = options->most_depth,
	                             .least_rows = options->least_rows > 0 ? options->least_rows : 1,
	                             .rate = options->rate,
	                             .lambda = options->lambda,
	                             .offset = quantiser->offset,
	                             .scale = quantiser->scale,
	                             .n_threads = options->n_threads};
}

static bool is_stopped(const struct fit_watch *watch) {
	return watch != NULL && watch->stop != NULL && atomic_load(watch->stop);
}

static void tell_progress(const struct fit_watch *watch, size_t done, size_t total) {
	if (watch != NULL && watch->progress != NULL)
		watch->progress(watch->context, done, total);
}

// ---- forest

struct planting {
	const struct matrix *matrix;
	const uint32_t *rows;
	const double *targets;
	size_t n_rows, n_draws;
	const struct ensemble_options *options;
	const struct fit_watch *watch;
	struct quantiser quantiser;
	struct ensemble *ensemble;
	pthread_mutex_t lock; // of what follows
	size_t next, done;
	int rc;
};

// The rows that were drawn, each with the number of times. Returns how many differ.
static size_t draw_rows(const struct planting *planting, gsl_rng *random, uint8_t *times,
                        struct grower *grower) {
	uint32_t *rows = grower_rows(grower);
	uint64_t *cells = grower_cells(grower);
	size_t n = 0;

	memset(times, 0, planting->n_rows);
	for (size_t i = 0; i < planting->n_draws; i++) {
		size_t row = gsl_rng_uniform_int(random, planting->n_rows);

		times[row] += times[row] < UINT8_MAX;
	}
	for (size_t i = 0; i < planting->n_rows; i++) {
		uint64_t target = quantise(&planting->quantiser, planting->targets[i]);

		rows[n] = planting->rows[i];
		cells[n] = ((uint64_t)times[i] << HISTOGRAM_SUM_BITS) + times[i] * target;
		n += times[i] > 0;
	}
	return n;
}

static int plant(struct planting *planting, struct grower *grower, uint8_t *times, size_t tree) {
	struct grow_options options = growing(planting->options, &planting->quantiser);
	gsl_rng *random = random_of(planting->options->seed, tree);
	size_t n;

	if (random == NULL)
		return -ENOMEM;
	n = draw_rows(planting, random, times, grower);
	gsl_rng_free(random);
	options.lambda = 0;
	options.rate = 1;
	options.n_threads = 1;
	return grower_grow(grower, n, &options, &planting->ensemble->trees[tree]);
}

// The next tree to grow, or false when there is none.
static bool take_tree(struct planting *planting, size_t *ret) {
	bool taken = false;

	pthread_mutex_lock(&planting->lock);
	if (planting->rc == 0 && is_stopped(planting->watch))
		planting->rc = -ECANCELED;
	if (planting->rc == 0 && planting->next < planting->ensemble->n_trees) {
		*ret = planting->next++;
		taken = true;
	}
	pthread_mutex_unlock(&planting->lock);
	return taken;
}

static void finish_tree(struct planting *planting, int rc) {
	pthread_mutex_lock(&planting->lock);
	planting->rc = planting->rc < 0 ? planting->rc : rc;
	if (planting->rc == 0)
		tell_progress(planting->watch, ++planting->done, planting->ensemble->n_trees);
	pthread_mutex_unlock(&planting->lock);
}

static void *plant_trees(void *context) {
	struct planting *planting = context;
	CLEANUP(freep) uint8_t *times = malloc(planting->n_rows);
	struct grower *grower = NULL;
	size_t tree;

	if (times == NULL || grower_new(planting->matrix, planting->n_rows, &grower) < 0)
		finish_tree(planting, -ENOMEM);
	while (grower != NULL && take_tree(planting, &tree))
		finish_tree(planting, plant(planting, grower, times, tree));
	grower_free(grower);
	return NULL;
}

static int fit_forest(struct planting *planting) {
	size_t n_threads = planting->options->n_threads > 1 ? (size_t)planting->options->n_threads : 1;
	pthread_t threads[MOST_THREADS];
	size_t n_started = 0;

	planting->ensemble->scale = 1 / (double)planting->ensemble->n_trees;
	pthread_mutex_init(&planting->lock, NULL);
	while (n_started + 1 < n_threads && n_started < MOST_THREADS &&
	       pthread_create(&threads[n_started], NULL, plant_trees, planting) == 0)
		n_started++;
	plant_trees(planting);
	while (n_started > 0)
		pthread_join(threads[--n_started], NULL);
	pthread_mutex_destroy(&planting->lock);
	return planting->rc;
}

// ---- boosting

struct boosting {
	struct planting *planting;
	struct grower *grower;
	double *residuals;
	bool *drawn;   // by the present tree
	double *gains; // of each tree: by how much the squared error of the rows that it didn't draw fell
};

static void boosting_fini(struct boosting *boosting) {
	grower_free(boosting->grower);
	free(boosting->residuals);
	free(boosting->drawn);
	free(boosting->gains);
}

// Each row with the probability 'share'. At least one.
static size_t choose_rows(const struct boosting *boosting, gsl_rng *random,
                          const struct quantiser *quantiser) {
	const struct planting *planting = boosting->planting;
	unsigned long limit = (unsigned long)(planting->options->share * 4294967296.0);
	uint32_t *rows = grower_rows(boosting->grower);
	uint64_t *cells = grower_cells(boosting->grower);
	size_t n = 0;

	for (size_t i = 0; i < planting->n_rows; i++) {
		boosting->drawn[i] = gsl_rng_get(random) < limit || (n == 0 && i + 1 == planting->n_rows);
		if (!boosting->drawn[i])
			continue;
		rows[n] = planting->rows[i];
		cells[n++] =
		        (UINT64_C(1) << HISTOGRAM_SUM_BITS) + quantise(quantiser, boosting->residuals[i]);
	}
	return n;
}

// Walks the matrix itself: a row's bytes needn't be copied together for the few that a tree asks for.
static double predict_row(const struct tree *tree, const uint8_t *const *columns, const size_t *strides,
                          size_t row) {
	const struct tree_node *node = tree->nodes;

	while ((node->left & TREE_LEAF) == 0)
		node = &tree->nodes[node->left +
		                    (columns[node->feature][row * strides[node->feature]] > node->bin)];
	return (double)node->value;
}

// Takes away what the tree explains. What it does for the rows that it did not draw is an honest measure of it
// (G. Ridgeway, Generalized boosted models, 2007).
static int correct(const struct boosting *boosting, size_t index) {
	const struct planting *planting = boosting->planting;
	const struct tree *tree = &planting->ensemble->trees[index];
	size_t n_features = matrix_features(planting->matrix);
	CLEANUP(freep) const uint8_t **columns = malloc((n_features + 1) * sizeof(*columns));
	CLEANUP(freep) size_t *strides = malloc((n_features + 1) * sizeof(*strides));

	if (columns == NULL || strides == NULL)
		return -ENOMEM;
	for (size_t f = 0; f < n_features; f++)
		columns[f] = matrix_column(planting->matrix, f, &strides[f]);
	for (size_t i = 0; i < planting->n_rows; i++) {
		double before = boosting->residuals[i];
		double after = before - predict_row(tree, columns, strides, planting->rows[i]);

		boosting->residuals[i] = after;
		boosting->gains[index] += boosting->drawn[i] ? 0 : before * before - after * after;
	}
	return 0;
}

static int boost_once(const struct boosting *boosting, size_t tree) {
	const struct planting *planting = boosting->planting;
	struct quantiser quantiser = quantiser_of(boosting->residuals, planting->n_rows, planting->n_rows);
	struct grow_options options = growing(planting->options, &quantiser);
	gsl_rng *random = random_of(planting->options->seed, tree);
	size_t n;
	int rc;

	if (random == NULL)
		return -ENOMEM;
	n = choose_rows(boosting, random, &quantiser);
	gsl_rng_free(random);
	if ((rc = grower_grow(boosting->grower, n, &options, &planting->ensemble->trees[tree])) < 0)
		return rc;
	return correct(boosting, tree);
}

// Did the last trees help none of the rows that they did not draw? Those that would be left out are cut off, but
// one tree is always left.
static bool is_done(const struct boosting *boosting, size_t n_trees) {
	struct ensemble *ensemble = boosting->planting->ensemble;
	size_t patience = boosting->planting->options->patience;
	double gain = 0;

	if (patience == 0 || n_trees <= patience)
		return false;
	for (size_t i = n_trees - patience; i < n_trees; i++)
		gain += boosting->gains[i];
	if (gain > 0)
		return false;
	for (size_t i = n_trees - patience; i < n_trees; i++)
		tree_fini(&ensemble->trees[i]);
	ensemble->n_trees = n_trees - patience;
	return true;
}

static int fit_boosting(struct planting *planting) {
	CLEANUP(boosting_fini) struct boosting boosting = {.planting = planting};
	struct ensemble *ensemble = planting->ensemble;
	int rc;

	boosting.residuals = malloc(planting->n_rows * sizeof(double));
	boosting.drawn = malloc(planting->n_rows * sizeof(bool));
	boosting.gains = calloc(planting->options->n_trees, sizeof(double));
	if (boosting.residuals == NULL || boosting.drawn == NULL || boosting.gains == NULL ||
	    grower_new(planting->matrix, planting->n_rows, &boosting.grower) < 0)
		return -ENOMEM;
	ensemble->scale = 1;
	for (size_t i = 0; i < planting->n_rows; i++)
		ensemble->base += planting->targets[i] / (double)planting->n_rows;
	for (size_t i = 0; i < planting->n_rows; i++)
		boosting.residuals[i] = planting->targets[i] - ensemble->base;
	for (size_t tree = 0; tree < ensemble->n_trees && !is_done(&boosting, tree); tree++) {
		if (is_stopped(planting->watch))
			return -ECANCELED;
		if ((rc = boost_once(&boosting, tree)) < 0)
			return rc;
		tell_progress(planting->watch, tree + 1, ensemble->n_trees);
	}
	return 0;
}

int ensemble_fit(const struct matrix *matrix, const uint32_t *rows, const double *targets, size_t n_rows,
                 const struct ensemble_options *options, const struct fit_watch *watch,
                 struct ensemble *ret) {
	struct ensemble ensemble = {.n_trees = options->n_trees};
	struct planting planting = {.matrix = matrix,
	                            .rows = rows,
	                            .targets = targets,
	                            .n_rows = n_rows,
	                            .n_draws = (size_t)fmax(round(options->share * (double)n_rows), 1),
	                            .options = options,
	                            .watch = watch,
	                            .ensemble = &ensemble};
	int rc;

	ensemble.trees = calloc(options->n_trees, sizeof(*ensemble.trees));
	if (ensemble.trees == NULL)
		return -ENOMEM;
	planting.quantiser = quantiser_of(targets, n_rows, planting.n_draws);
	rc = options->boosted ? fit_boosting(&planting) : fit_forest(&planting);
	if (rc < 0) {
		ensemble_fini(&ensemble);
		return rc;
	}

	*ret = ensemble;
	return 0;
}
