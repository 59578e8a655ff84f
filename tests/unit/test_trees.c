// Trees: exact histograms, splits worked out by hand, and the same forest from any number of threads.
// SPDX-License-Identifier: MIT
#include "binning.h"
#include "ensemble.h"
#include "grow.h"
#include "histogram.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t draw(uint64_t *state) {
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

// A matrix of lags over a random series and of columns beside it, as the learners make it.
struct world {
	uint8_t *bytes, *columns, *lowest, *highest;
	struct matrix matrix;
};

static void world_init(struct world *world, size_t n_rows, size_t n_lags, size_t n_columns, uint64_t seed) {
	world->bytes = calloc(n_rows + n_lags + MATRIX_PADDING, 1);
	world->columns = calloc(n_rows * n_columns + MATRIX_PADDING, 1);
	world->lowest = malloc(n_rows);
	world->highest = malloc(n_rows);
	for (size_t i = 0; i < n_rows + n_lags; i++)
		world->bytes[i] = (uint8_t)(100 + 40 * sin((double)i / 50) + (double)(draw(&seed) % 30));
	for (size_t i = 0; i < n_rows * n_columns; i++)
		world->columns[i] = (uint8_t)draw(&seed);
	for (size_t r = 0; r < n_rows; r++) {
		world->lowest[r] = 255;
		world->highest[r] = 0;
		for (size_t k = 0; k < n_lags; k++) {
			uint8_t byte = world->bytes[r + k];

			world->lowest[r] = byte < world->lowest[r] ? byte : world->lowest[r];
			world->highest[r] = byte > world->highest[r] ? byte : world->highest[r];
		}
	}
	world->matrix = (struct matrix){
	        .groups = {{world->bytes, 1, n_lags, world->lowest, world->highest},
	                   {world->columns, n_columns, n_columns, NULL, NULL}},
	        .n_groups = 2,
	        .n_rows = n_rows,
	};
}

static void world_fini(struct world *world) {
	free(world->bytes);
	free(world->columns);
	free(world->lowest);
	free(world->highest);
}

// ---- histograms

// What a histogram holds of a feature and bin, added up the plain way.
static uint64_t plain_cell(const struct matrix *matrix, const struct node_rows *node, size_t feature,
                           int bin) {
	size_t stride;
	const uint8_t *column = matrix_column(matrix, feature, &stride);
	uint64_t cell = 0;

	for (size_t i = 0; i < node->n; i++)
		cell += column[node->rows[i] * stride] == bin ? node->cells[i] : 0;
	return cell;
}

static void check_histogram(const struct matrix *matrix, const struct node_rows *node,
                            const struct bin_range *range, const uint64_t *cells) {
	size_t feature = 0;

	for (size_t g = 0; g < matrix->n_groups; g++) {
		size_t width = (size_t)(range->highest[g] - range->lowest[g]) + 1;

		for (size_t k = 0; k < matrix->groups[g].n_features; k++, feature++) {
			const uint64_t *octet = cells + k / 8 * width * 8 + k % 8;

			for (size_t b = 0; b < width; b++)
				cr_assert_eq(octet[b * 8],
				             plain_cell(matrix, node, feature, (int)b + range->lowest[g]),
				             "feature %zu, bin %zu", feature, b);
		}
		cells += (matrix->groups[g].n_features + 7) / 8 * width * 8;
	}
}

Test(trees, histograms_are_exact_and_what_is_left_is_the_other_child) {
	enum { ROWS = 9000, LEFT = 2500 };
	static uint32_t rows[ROWS];
	static uint64_t cells[ROWS];
	struct node_rows node = {rows, cells, ROWS}, left = {rows, cells, LEFT};
	struct node_rows right = {rows + LEFT, cells + LEFT, ROWS - LEFT};
	struct bin_range all, of_left, of_right;
	uint64_t *one, *many, *small, seed = 5;
	struct world world;

	world_init(&world, ROWS, 21, 3, 7);
	for (uint32_t i = 0; i < ROWS; i++) {
		rows[i] = i;
		cells[i] = (1 + draw(&seed) % 3) << HISTOGRAM_SUM_BITS | draw(&seed) % 100000000;
	}
	all = histogram_range(&world.matrix, rows, ROWS);
	of_left = histogram_range(&world.matrix, left.rows, left.n);
	of_right = histogram_range(&world.matrix, right.rows, right.n);
	one = malloc(histogram_cells(&world.matrix, &all) * sizeof(*one));
	many = malloc(histogram_cells(&world.matrix, &all) * sizeof(*many));
	small = malloc(histogram_cells(&world.matrix, &all) * sizeof(*small));
	histogram_build(&world.matrix, &node, &all, 1, one);
	histogram_build(&world.matrix, &node, &all, 5, many);
	check_histogram(&world.matrix, &node, &all, one);
	cr_assert_eq(memcmp(one, many, histogram_cells(&world.matrix, &all) * sizeof(*one)), 0);
	histogram_build(&world.matrix, &left, &of_left, 1, small);
	histogram_subtract(&world.matrix, one, &all, small, &of_left, &of_right);
	check_histogram(&world.matrix, &right, &of_right, one);
	free(one);
	free(many);
	free(small);
	world_fini(&world);
}

// The same fraction as a plain search over all features and bins finds.
Test(trees, the_best_split_is_that_of_a_plain_search) {
	for (uint64_t seed = 1; seed < 40; seed++) {
		enum { ROWS = 60 };
		uint32_t rows[ROWS];
		uint64_t cells[ROWS], total = 0, random = seed, *histogram;
		struct node_rows node = {rows, cells, ROWS};
		struct bin_range range;
		struct world world;
		struct split split;
		double best = 0;
		bool found;

		world_init(&world, ROWS, 5, 2, seed);
		for (uint32_t i = 0; i < ROWS; i++) {
			rows[i] = i;
			cells[i] = UINT64_C(1) << HISTOGRAM_SUM_BITS | draw(&random) % 1000;
			total += cells[i];
		}
		range = histogram_range(&world.matrix, rows, ROWS);
		histogram = malloc(histogram_cells(&world.matrix, &range) * sizeof(*histogram));
		histogram_build(&world.matrix, &node, &range, 1, histogram);
		found = histogram_best_split(&world.matrix, histogram, &range, total, 7, &split);
		for (size_t f = 0; f < 7; f++) {
			uint64_t left = 0;

			for (int bin = 0; bin < 256; bin++) {
				double n, s, N = ROWS, S = (double)cell_sum(total);

				left += plain_cell(&world.matrix, &node, f, bin);
				n = (double)cell_count(left);
				s = (double)cell_sum(left);
				if (n >= 7 && N - n >= 7)
					best = fmax(best,
					            s * s / n + (S - s) * (S - s) / (N - n) - S * S / N);
			}
		}
		cr_assert(found);
		cr_assert(fabs(split.gain - best) <= 1e-9 * best, "%.17g, not %.17g", split.gain, best);
		free(histogram);
		world_fini(&world);
	}
}

// ---- trees by hand

static struct ensemble_options one_tree(void) {
	return (struct ensemble_options){
	        .boosted = true, .n_trees = 1, .least_rows = 1, .rate = 1, .share = 1, .n_threads = 1};
}

// x: 1 1 2 2 3 3, y: 1 3 10 12 20 22. The mean is 34/3. The best first split is x <= 1 (2 | 16) or x <= 2
// (6.5 | 21): gains 2*4/6*(14)^2 = 261.3 and 4*2/6*(14.5)^2 = 280.3. Then x <= 1 on the left: 2 | 11.
Test(trees, a_small_tree_is_the_one_found_by_hand) {
	uint8_t x[6 + MATRIX_PADDING] = {1, 1, 2, 2, 3, 3};
	const double y[6] = {1, 3, 10, 12, 20, 22};
	const uint32_t rows[6] = {0, 1, 2, 3, 4, 5};
	struct matrix matrix = {.groups = {{x, 1, 1, NULL, NULL}}, .n_groups = 1, .n_rows = 6};
	struct ensemble_options options = one_tree();
	struct ensemble ensemble;
	const struct tree *tree;

	options.least_rows = 2;
	cr_assert_eq(ensemble_fit(&matrix, rows, y, 6, &options, NULL, &ensemble), 0);
	tree = &ensemble.trees[0];
	cr_assert_eq(tree->n_nodes, 5);
	cr_assert_eq(tree->nodes[0].bin, 2);
	cr_assert(fabs(ensemble.base - 34.0 / 3) < 1e-12);
	cr_assert(fabs(ensemble_predict(&ensemble, &x[0]) - 2) < 1e-5);
	cr_assert(fabs(ensemble_predict(&ensemble, &x[2]) - 11) < 1e-5);
	cr_assert(fabs(ensemble_predict(&ensemble, &x[4]) - 21) < 1e-5);
	ensemble_fini(&ensemble);
}

// Boosting at rate 1/2 and lambda 2 on one leaf: residuals shrink by n / (n + 2) / 2 each time. With least_rows
// above half of the rows no tree can split: all of it is the mean of what is left, which is 0.
Test(trees, without_a_split_boosting_stays_at_the_mean) {
	uint8_t x[4 + MATRIX_PADDING] = {1, 2, 3, 4};
	const double y[4] = {1, 2, 3, 6};
	const uint32_t rows[4] = {0, 1, 2, 3};
	struct matrix matrix = {.groups = {{x, 1, 1, NULL, NULL}}, .n_groups = 1, .n_rows = 4};
	struct ensemble_options options = one_tree();
	struct ensemble ensemble;

	options.least_rows = 3;
	options.n_trees = 5;
	options.rate = 0.5;
	options.lambda = 2;
	cr_assert_eq(ensemble_fit(&matrix, rows, y, 4, &options, NULL, &ensemble), 0);
	for (int i = 0; i < 4; i++)
		cr_assert(fabs(ensemble_predict(&ensemble, &x[i]) - 3) < 1e-6);
	ensemble_fini(&ensemble);
}

Test(trees, equal_targets_make_one_leaf) {
	uint8_t x[8 + MATRIX_PADDING] = {1, 2, 3, 4, 5, 6, 7, 8};
	const double y[8] = {-5, -5, -5, -5, -5, -5, -5, -5};
	const uint32_t rows[8] = {0, 1, 2, 3, 4, 5, 6, 7};
	struct matrix matrix = {.groups = {{x, 1, 1, NULL, NULL}}, .n_groups = 1, .n_rows = 8};
	struct ensemble_options options = forest_defaults;
	struct ensemble ensemble;

	options.n_trees = 9;
	options.least_rows = 1;
	cr_assert_eq(ensemble_fit(&matrix, rows, y, 8, &options, NULL, &ensemble), 0);
	for (size_t i = 0; i < 9; i++)
		cr_assert_eq(ensemble.trees[i].n_nodes, 1);
	cr_assert(fabs(ensemble_predict(&ensemble, x) + 5) < 1e-6);
	ensemble_fini(&ensemble);
}

// ---- determinism

struct drawn {
	uint32_t rows[4000];
	double targets[4000];
};

static struct drawn *drawn_targets(const struct matrix *matrix) {
	struct drawn *drawn = malloc(sizeof(*drawn));
	uint64_t seed = 3;

	for (uint32_t i = 0; i < 4000; i++) {
		uint8_t features[64];

		matrix_row(matrix, i, features);
		drawn->rows[i] = i;
		drawn->targets[i] =
		        features[3] * 2.0 + (features[22] > 99 ? 50 : 0) + (double)(draw(&seed) % 1000) / 50;
	}
	return drawn;
}

static bool are_equal(const struct ensemble *a, const struct ensemble *b) {
	for (size_t i = 0; i < a->n_trees; i++) {
		if (a->trees[i].n_nodes != b->trees[i].n_nodes ||
		    memcmp(a->trees[i].nodes, b->trees[i].nodes,
		           a->trees[i].n_nodes * sizeof(struct tree_node)) != 0)
			return false;
	}
	return a->n_trees == b->n_trees && a->base == b->base && a->scale == b->scale;
}

ParameterizedTestParameters(trees, the_same_model_from_any_number_of_threads) {
	static bool kinds[] = {false, true};

	return cr_make_param_array(bool, kinds, 2);
}

ParameterizedTest(bool *boosted, trees, the_same_model_from_any_number_of_threads) {
	struct ensemble_options options = *boosted ? boost_defaults : forest_defaults;
	struct ensemble one, again, many, other;
	struct world world;
	struct drawn *drawn;
	double error = 0, spread = 0;

	world_init(&world, 4000, 20, 5, 1);
	drawn = drawn_targets(&world.matrix);
	options.n_trees = 12;
	options.rate = 0.3;
	cr_assert_eq(ensemble_fit(&world.matrix, drawn->rows, drawn->targets, 4000, &options, NULL, &one), 0);
	cr_assert_eq(ensemble_fit(&world.matrix, drawn->rows, drawn->targets, 4000, &options, NULL, &again),
	             0);
	options.n_threads = 7;
	cr_assert_eq(ensemble_fit(&world.matrix, drawn->rows, drawn->targets, 4000, &options, NULL, &many),
	             0);
	options.seed = 2;
	cr_assert_eq(ensemble_fit(&world.matrix, drawn->rows, drawn->targets, 4000, &options, NULL, &other),
	             0);
	cr_assert(are_equal(&one, &again));
	cr_assert(are_equal(&one, &many));
	cr_assert_not(are_equal(&one, &other));
	for (uint32_t i = 0; i < 4000; i++) {
		uint8_t features[64];

		matrix_row(&world.matrix, i, features);
		error += fabs(drawn->targets[i] - ensemble_predict(&one, features));
		spread += fabs(drawn->targets[i] - drawn->targets[0]);
	}
	cr_assert_lt(error, spread / 4);
	ensemble_fini(&one);
	ensemble_fini(&again);
	ensemble_fini(&many);
	ensemble_fini(&other);
	free(drawn);
	world_fini(&world);
}

static void stop_soon(void *context, size_t done, size_t total) {
	cr_assert_leq(done, total);
	if (done == 2)
		atomic_store((atomic_bool *)context, true);
}

ParameterizedTestParameters(trees, a_fit_ends_when_it_is_stopped) {
	static bool kinds[] = {false, true};

	return cr_make_param_array(bool, kinds, 2);
}

ParameterizedTest(bool *boosted, trees, a_fit_ends_when_it_is_stopped) {
	struct ensemble_options options = *boosted ? boost_defaults : forest_defaults;
	atomic_bool stop = false;
	struct fit_watch watch = {stop_soon, &stop, &stop};
	struct ensemble ensemble;
	struct world world;
	struct drawn *drawn;

	world_init(&world, 4000, 20, 5, 1);
	drawn = drawn_targets(&world.matrix);
	cr_assert_eq(
	        ensemble_fit(&world.matrix, drawn->rows, drawn->targets, 4000, &options, &watch, &ensemble),
	        -ECANCELED);
	free(drawn);
	world_fini(&world);
}

// ---- bins

Test(trees, a_bin_holds_what_is_between_its_edges) {
	double values[5000];
	size_t counts[256] = {0}, most = 0;
	struct binning binning;
	uint64_t seed = 9;

	for (int i = 0; i < 5000; i++)
		values[i] = pow((double)(draw(&seed) % 1000000) / 1e6, 3) * 1e6 - 1000;
	cr_assert_eq(binning_fit(values, 5000, &binning), 0);
	for (int i = 0; i < 5000; i++) {
		int bin = 0;

		while (bin < BINNING_EDGES && values[i] > binning.edges[bin])
			bin++;
		cr_assert_eq(binning_of(&binning, values[i]), bin);
		most = ++counts[bin] > most ? counts[bin] : most;
	}
	cr_assert_lt(most, 3 * 5000 / 256);
	cr_assert_eq(binning_of(&binning, -1e300), 0);
	cr_assert_eq(binning_of(&binning, 1e300), 255);
}

Test(trees, few_values_get_a_bin_each) {
	const double values[] = {0, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, -2, 7, 0, 0};
	struct binning binning;

	cr_assert_eq(binning_fit(values, 16, &binning), 0);
	cr_assert_eq(binning_of(&binning, -2), 0);
	cr_assert_eq(binning_of(&binning, 0), 1);
	cr_assert_eq(binning_of(&binning, 7), 2);
	cr_assert_eq(binning_fit(values, 1, &binning), 0);
	cr_assert_eq(binning_of(&binning, 0), binning_of(&binning, 1e9));
}
