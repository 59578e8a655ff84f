// Trees read a row of features. Other models walk along the past, as in a backtest; the mixture of the best is
// asked as a client would ask for it.
// SPDX-License-Identifier: MIT
#include "predictor.h"

#include "clock.h"
#include "forecast.h"
#include "past.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_STEPS = 8, MOST_MOMENTS = 256, MOST_AUTO_MOMENTS = 24 };

struct predictor {
	const struct trained *trained;
	const struct lagged_series *series;
	struct lagged_bytes bytes; // of trees
	const struct model *model; // of the others; NULL for auto
	struct past past;
	void *fit;
	double *path;             // to the furthest horizon
	struct kpi_point *points; // of auto
};

static bool is_auto(const struct trained *trained) {
	return !trained->is_learner && model_find(trained->name) == NULL;
}

size_t predictor_least(const struct trained *trained) {
	return trained->is_learner ? trained->learner.shape.n_lags : LEAST_STEPS;
}

size_t predictor_reach(const struct trained *trained) {
	return trained->is_learner ? learner_reach(&trained->learner) : LEAST_STEPS;
}

size_t predictor_most_moments(const struct trained *trained) {
	return trained->is_learner ? SIZE_MAX : is_auto(trained) ? MOST_AUTO_MOMENTS : MOST_MOMENTS;
}

void predictor_free(struct predictor *predictor) {
	if (predictor == NULL)
		return;
	lagged_bytes_fini(&predictor->bytes);
	if (predictor->fit != NULL)
		predictor->model->destroy(predictor->fit);
	past_fini(&predictor->past);
	free(predictor->path);
	free(predictor->points);
	free(predictor);
}

// The past of the first 'n' steps.
static int past_of(const struct lagged_series *series, size_t n, struct past *ret) {
	struct series grid = {
	        .n = n, .end_ns = lagged_time_ns(series, n - 1), .step_seconds = series->step_seconds};
	int rc;

	grid.values = malloc(n * sizeof(double));
	if (grid.values == NULL)
		return -ENOMEM;
	for (size_t t = 0; t < n; t++)
		grid.values[t] = series->known[t] ? series->values[t] : NAN;
	rc = past_init(ret, &grid);
	series_fini(&grid);
	return rc;
}

static int grow(void **array, size_t size) {
	void *moved = realloc(*array, size);

	if (moved == NULL)
		return -ENOMEM;
	*array = moved;
	return 0;
}

// The steps after the known ones, in the units of those.
static int lengthen(struct past *past, const struct lagged_series *series) {
	size_t n = past->n;
	double calm = past->calm[0];

	if (grow((void **)&past->values, series->n * sizeof(double)) < 0 ||
	    grow((void **)&past->calm, series->n * sizeof(double)) < 0 ||
	    grow((void **)&past->known, series->n * sizeof(bool)) < 0)
		return -ENOMEM;
	for (size_t t = 0; t < n; t++)
		calm = fmax(calm, past->calm[t]);
	for (size_t t = n; t < series->n; t++) {
		past->values[t] = (series->values[t] - past->offset) / past->scale;
		past->calm[t] = fmin(past->values[t], calm);
		past->known[t] = series->known[t];
		past->n_known += series->known[t];
	}
	past->n = series->n;
	return 0;
}

static int start_model(struct predictor *predictor, size_t n_known) {
	const struct trained *trained = predictor->trained;
	int rc;

	if ((rc = past_of(predictor->series, n_known, &predictor->past)) < 0)
		return rc;
	if (predictor->model->least(predictor->model, &predictor->past) > n_known)
		return -ENODATA;
	if ((rc = lengthen(&predictor->past, predictor->series)) < 0)
		return rc;
	predictor->path = malloc(trained->horizons[trained->n_horizons - 1].steps * sizeof(double));
	if (predictor->path == NULL)
		return -ENOMEM;
	return predictor->model->create(predictor->model, &predictor->past, &predictor->fit);
}

static int start_auto(struct predictor *predictor) {
	const struct lagged_series *series = predictor->series;

	predictor->points = malloc(series->n * sizeof(*predictor->points));
	if (predictor->points == NULL)
		return -ENOMEM;
	for (size_t t = 0; t < series->n; t++)
		predictor->points[t] =
		        (struct kpi_point){lagged_time_ns(series, t), fmax(series->values[t], 0)};
	return 0;
}

int predictor_new(const struct trained *trained, const struct lagged_series *series, size_t n_known,
                  struct predictor **ret) {
	struct predictor *predictor = calloc(1, sizeof(*predictor));
	int rc;

	if (predictor == NULL)
		return -ENOMEM;
	predictor->trained = trained;
	predictor->series = series;
	if (n_known < predictor_least(trained))
		rc = -ENODATA;
	else if (trained->is_learner)
		rc = lagged_bytes_update(&predictor->bytes, &trained->learner.bins, series);
	else if ((predictor->model = model_find(trained->name)) != NULL)
		rc = start_model(predictor, n_known);
	else
		rc = start_auto(predictor);
	if (rc < 0) {
		predictor_free(predictor);
		return rc;
	}

	*ret = predictor;
	return 0;
}

static int say_by_model(struct predictor *predictor, size_t t, double *ret) {
	const struct trained *trained = predictor->trained;
	int rc = predictor->model->update(predictor->fit, &predictor->past, t);

	if (rc < 0)
		return rc;
	predictor->model->predict(predictor->fit, &predictor->past,
	                          trained->horizons[trained->n_horizons - 1].steps, predictor->path);
	for (size_t k = 0; k < trained->n_horizons; k++)
		ret[k] = past_gbps(&predictor->past, predictor->path[trained->horizons[k].steps - 1]);
	return 0;
}

// The median path at the end of a window of each horizon. Steps that were not measured hold the last value.
static int say_by_auto(struct predictor *predictor, size_t t, double *ret) {
	const struct trained *trained = predictor->trained;
	struct forecast_query query = {.now_ns = lagged_time_ns(predictor->series, t - 1),
	                               .statistic = STATISTIC_LAST,
	                               .quantile = 0.5,
	                               .model = trained->name,
	                               .peak_resolution_seconds = trained->step_seconds,
	                               .history_ratio = FORECAST_HISTORY_RATIO};

	query.start_ns = query.now_ns;
	for (size_t k = 0; k < trained->n_horizons; k++) {
		struct forecast forecast;
		int rc;

		query.window_seconds = (double)trained->horizons[k].steps * trained->step_seconds;
		if ((rc = forecast_compute(predictor->points, t, &query, &forecast)) < 0)
			return rc;
		ret[k] = forecast.value_gbps;
		forecast_fini(&forecast);
	}
	return 0;
}

int predictor_say(struct predictor *predictor, size_t t, double *ret) {
	const struct trained *trained = predictor->trained;

	if (predictor->model != NULL)
		return say_by_model(predictor, t, ret);
	if (is_auto(trained))
		return say_by_auto(predictor, t, ret);
	for (size_t k = 0; k < trained->n_horizons; k++)
		ret[k] = learner_predict(&trained->learner, predictor->series, &predictor->bytes, t, k);
	return 0;
}
