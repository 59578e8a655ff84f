// ridge: the steps ahead directly from what is known now: one regression for each block of the horizon, on
// the latest values, their recent means and what was seen a season before the step in question.
// SPDX-License-Identifier: MIT
#include "model.h"

#include "normal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { N_FEATURES = 11, MOST_BLOCKS = 14, DAYS = 5 };
#define RIDGE 3e-3

struct block {
	size_t from, to; // steps ahead, from 1; 'to' not included
	struct normal normal;
	double coefficients[N_FEATURES];
};

struct ridge {
	size_t n;
	double day, week; // periods; 0: none
	double *sums;     // sums[t]: of the values before t
	int n_blocks;     // as far ahead as will be asked
	struct block blocks[MOST_BLOCKS];
};

static size_t least(const struct model *model, const struct past *past) {
	double day = past->season.day > 0 ? past->season.day : past->season.found;

	(void)model;
	return (size_t)ceil(day) + 4 * (size_t)N_FEATURES;
}

static void destroy(void *fit) {
	struct ridge *ridge = fit;

	for (int b = 0; b < MOST_BLOCKS; b++)
		normal_fini(&ridge->blocks[b].normal);
	free(ridge->sums);
	free(ridge);
}

static int create(const struct model *model, const struct past *past, void **ret) {
	struct ridge *ridge = calloc(1, sizeof(*ridge));
	bool failed = false;

	(void)model;
	if (ridge == NULL)
		return -ENOMEM;
	ridge->day = past->season.day > 0 ? past->season.day : past->season.found;
	ridge->week = past->season.week;
	ridge->sums = calloc(past->n + 1, sizeof(double));
	for (size_t t = 0; ridge->sums != NULL && t < past->n; t++)
		ridge->sums[t + 1] = ridge->sums[t] + past->calm[t];
	while (ridge->n_blocks < MOST_BLOCKS &&
	       (past->reach == 0 || (size_t)1 << ridge->n_blocks <= past->reach))
		ridge->n_blocks++;
	for (int b = 0; b < ridge->n_blocks; b++) {
		ridge->blocks[b].from = (size_t)1 << b;
		ridge->blocks[b].to = (size_t)2 << b;
		failed |= normal_init(&ridge->blocks[b].normal, N_FEATURES) < 0;
	}
	if (ridge->sums == NULL || failed) {
		destroy(ridge);
		return -ENOMEM;
	}
	*ret = ridge;
	return 0;
}

// Mean of the 'width' values before step 'n', or of what there is.
static double mean_before(const struct ridge *ridge, size_t n, size_t width) {
	size_t from = n > width ? n - width : 0;

	return (ridge->sums[n] - ridge->sums[from]) / (double)(n - from);
}

// Mean of three values around what was 'period' before step t, none of them at or after n.
static double around_season(const struct ridge *ridge, size_t n, size_t t, double period) {
	double seasons = (double)t < (double)n + period ? 1 : floor((double)(t - n) / period) + 1;
	size_t back = (size_t)(seasons * period + 0.5);
	size_t at, from, to;

	if (t < back)
		return mean_before(ridge, n, n);
	at = t - back < n ? t - back : n - 1;
	from = at > 0 ? at - 1 : 0;
	to = at + 2 < n ? at + 2 : n;
	return (ridge->sums[to] - ridge->sums[from]) / (double)(to - from);
}

static double mean_of_days(const struct ridge *ridge, size_t n, size_t t) {
	double sum = 0;
	int seen = 0;

	for (int day = 0; day < DAYS; day++) {
		size_t back = (size_t)(day * ridge->day + 0.5);

		if (t < back + (size_t)ceil(ridge->day) || n <= back)
			break;
		sum += around_season(ridge, n - back, t - back, ridge->day);
		seen++;
	}
	return seen > 0 ? sum / seen : mean_before(ridge, n, n);
}

// What is known before step n about step t.
static void features(const struct ridge *ridge, const struct past *past, size_t n, size_t t,
                     double x[static N_FEATURES]) {
	double now = mean_before(ridge, n, 3);

	x[0] = 1;
	x[1] = past->calm[n - 1];
	x[2] = now;
	x[3] = mean_before(ridge, n, 12);
	x[4] = mean_before(ridge, n, 48);
	x[5] = mean_before(ridge, n, n);
	for (int i = 6; i < N_FEATURES; i++)
		x[i] = 0;
	if (ridge->day <= 0)
		return;
	x[6] = around_season(ridge, n, t, ridge->day);
	x[7] = mean_of_days(ridge, n, t);
	x[8] = around_season(ridge, n, n - 1, ridge->day);
	x[9] = mean_of_days(ridge, n - 1, n - 1);
	x[10] = ridge->week > 0 && (double)t >= ridge->week ? around_season(ridge, n, t, ridge->week) : x[7];
}

// A step is learnt once in each block, from a different distance each time.
static void learn(struct ridge *ridge, const struct past *past, size_t t) {
	size_t first = (size_t)ceil(ridge->day) + 2;
	double x[N_FEATURES];

	for (int b = 0; b < ridge->n_blocks; b++) {
		struct block *block = &ridge->blocks[b];
		size_t ahead = block->from + t * 7919 % (block->to - block->from);

		if (t < first + ahead)
			return;
		features(ridge, past, t + 1 - ahead, t, x);
		normal_add(&block->normal, x, past->calm[t]);
	}
}

static int update(void *fit, const struct past *past, size_t n) {
	struct ridge *ridge = fit;

	for (; ridge->n < n; ridge->n++) {
		if (past->known[ridge->n] && ridge->n % past->thin == 0)
			learn(ridge, past, ridge->n);
	}
	for (int b = 0; b < ridge->n_blocks; b++) {
		struct block *block = &ridge->blocks[b];

		normal_solve(&block->normal, N_FEATURES, RIDGE, block->coefficients);
	}
	return 0;
}

// The regression for a distance; a further one than was learnt is answered by the furthest that was.
static const struct block *block_of(const struct ridge *ridge, size_t ahead) {
	int b = 0;

	while (b + 1 < ridge->n_blocks && ridge->blocks[b].to <= ahead)
		b++;
	while (b > 0 && ridge->blocks[b].normal.rows < 4 * N_FEATURES)
		b--;
	return &ridge->blocks[b];
}

static void predict(const void *fit, const struct past *past, size_t ahead, double *ret) {
	const struct ridge *ridge = fit;
	double x[N_FEATURES];

	for (size_t i = 0; i < ahead; i++) {
		const struct block *block = block_of(ridge, i + 1);

		features(ridge, past, ridge->n, ridge->n + i, x);
		ret[i] = 0;
		for (int k = 0; k < N_FEATURES; k++)
			ret[i] += block->coefficients[k] * x[k];
	}
}

const struct model model_ridge = {
        .name = "ridge",
        .help = "direct regression on recent values and the same time of the days and week before",
        .least = least,
        .create = create,
        .destroy = destroy,
        .update = update,
        .predict = predict,
};
