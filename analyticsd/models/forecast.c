// One question, one answer, from what was learnt of a link: which quantile of its errors, and of whose where it has too
// few of its own.
// SPDX-License-Identifier: MIT
#include "forecast_state.h"

#include "band.h"
#include "clock.h"
#include "model.h"

#include <errno.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

double forecast_max_age_seconds(const struct forecast *forecast) {
	return fmax(forecast->step_seconds / 10, 1);
}

double forecast_state_max_age_seconds(const struct forecast_state *state) {
	return forecast_max_age_seconds(&state->answer);
}

static int new_series(struct forecast *forecast, const struct forecast_query *query, size_t n) {
	int64_t end_ns = query->start_ns + (int64_t)(query->window_seconds * (double)NS_PER_SECOND);

	forecast->series = calloc(n, sizeof(*forecast->series));
	if (forecast->series == NULL)
		return -ENOMEM;
	forecast->n_series = n;
	for (size_t i = 0; i < n; i++) {
		double after = (double)(i + 1) * forecast->step_seconds * (double)NS_PER_SECOND;

		forecast->series[i].ts_ns = query->start_ns + (int64_t)after;
	}
	forecast->series[n - 1].ts_ns = end_ns;
	return 0;
}

// ---- the errors of others

struct forecast_pool {
	size_t horizon;
	double step_seconds;
	enum statistics statistic;
	struct conformal_pool aspects[N_ASPECTS];
};

int forecast_pool_new(struct forecast_pool **ret) {
	struct forecast_pool *pool = calloc(1, sizeof(*pool));

	if (pool == NULL)
		return -ENOMEM;
	*ret = pool;
	return 0;
}

void forecast_pool_free(struct forecast_pool *pool) {
	for (int aspect = 0; pool != NULL && aspect < N_ASPECTS; aspect++)
		conformal_pool_fini(&pool->aspects[aspect]);
	free(pool);
}

static bool fits(const struct forecast_pool *pool, size_t horizon, double step_seconds,
                 enum statistics statistic) {
	return pool->horizon == horizon && pool->step_seconds == step_seconds && pool->statistic == statistic;
}

// The first to come settles what the pool is of. False for those of another kind.
static bool joins(struct forecast_pool *pool, size_t horizon, double step_seconds,
                  enum statistics statistic) {
	if (pool->horizon == 0) {
		pool->horizon = horizon;
		pool->step_seconds = step_seconds;
		pool->statistic = statistic;
	}
	return fits(pool, horizon, step_seconds, statistic);
}

int forecast_pool_add(struct forecast_pool *pool, const struct forecast_state *state) {
	if (!state->whole || !joins(pool, state->horizon, state->answer.step_seconds, state->statistic))
		return 0;
	for (int aspect = 0; aspect < N_ASPECTS; aspect++) {
		struct conformal_errors errors;
		int rc;

		if ((rc = windows_errors(&state->windows, (enum aspect)aspect, state->statistic, &errors)) <
		    0)
			return rc;
		rc = conformal_pool_add(&pool->aspects[aspect], &errors);
		free(errors.values);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int forecast_pool_merge(struct forecast_pool *pool, const struct forecast_pool *other) {
	int rc = 0;

	if (other->horizon == 0 || !joins(pool, other->horizon, other->step_seconds, other->statistic))
		return 0;
	for (int aspect = 0; aspect < N_ASPECTS && rc == 0; aspect++)
		rc = conformal_pool_merge(&pool->aspects[aspect], &other->aspects[aspect]);
	return rc;
}

void forecast_pool_sort(struct forecast_pool *pool) {
	for (int aspect = 0; aspect < N_ASPECTS; aspect++)
		conformal_pool_sort(&pool->aspects[aspect]);
}

bool forecast_needs_pool(const struct forecast_state *state, double quantile) {
	struct conformal_errors errors = {.independent = windows_independent(&state->windows)};

	return state->whole && conformal_needs_pool(&errors, quantile);
}

// ---- quantiles

struct asking {
	const struct forecast_state *state;
	const struct forecast_query *query;
	const struct forecast_pool *pool; // NULL: none that fits
};

// Without a backtest: the spread of what there is, taken as normal and independent.
static double plain_margin(const struct forecast_state *state, double quantile, size_t steps) {
	double n = (double)state->n_known;

	if (state->n_known < 2)
		return 0;
	return state->deviation * sqrt(1 + 1 / n) * gsl_cdf_ugaussian_Qinv((1 - quantile) / (double)steps);
}

// How far above what is said an aspect may be (of the lowest: how far below), in Gbps; of a step: in its widths.
static int find_margin(const struct asking *asking, enum aspect aspect, double *ret) {
	const struct forecast_state *state = asking->state;
	const struct conformal_pool *pool = asking->pool != NULL ? &asking->pool->aspects[aspect] : NULL;
	double quantile = asking->query->quantile;
	bool of_extreme = aspect == ASPECT_HIGHEST || aspect == ASPECT_LOWEST ||
	                  (aspect == ASPECT_STATISTIC && state->statistic == STATISTIC_PEAK);
	struct conformal_errors errors;
	int rc;

	if ((rc = windows_errors(&state->windows, aspect, state->statistic, &errors)) < 0)
		return rc;
	if (errors.n == 0)
		*ret = plain_margin(state, quantile, of_extreme ? state->horizon : 1);
	else if ((rc = conformal_quantile(&errors, pool, quantile, ret)) == 0)
		*ret *= state->growth;
	free(errors.values);
	return rc;
}

// The upper quantile of an aspect, of the lowest the lower one.
static int find_quantile(const struct asking *asking, enum aspect aspect, double *ret) {
	const struct forecast_state *state = asking->state;
	double said = windows_summary(state->path, state->horizon, aspect, state->statistic), margin;
	int rc;

	if ((rc = find_margin(asking, aspect, &margin)) < 0)
		return rc;
	*ret = fmax(said + (aspect == ASPECT_LOWEST ? -margin : margin), 0);
	return 0;
}

// ---- bands

static int make_band(const struct asking *asking, struct band *ret) {
	const struct forecast_state *state = asking->state;
	double highest, lowest;
	int rc;

	if ((rc = find_quantile(asking, ASPECT_HIGHEST, &highest)) < 0 ||
	    (rc = find_quantile(asking, ASPECT_LOWEST, &lowest)) < 0)
		return rc;
	return band_init(ret, &state->windows, state->path, state->horizon, highest, lowest);
}

static int make_step_band(const struct asking *asking, struct band *ret) {
	const struct forecast_state *state = asking->state;
	double above, below;
	int rc;

	if ((rc = find_margin(asking, ASPECT_STEP, &above)) < 0 ||
	    (rc = find_margin(asking, ASPECT_STEP_BELOW, &below)) < 0)
		return rc;
	return band_init_steps(ret, &state->windows, state->path, state->horizon, above, below);
}

static int fill_series(struct forecast *forecast, const struct asking *asking) {
	CLEANUP(band_fini) struct band band = {0};
	int rc;

	rc = asking->query->each_step ? make_step_band(asking, &band) : make_band(asking, &band);
	if (rc < 0 || (rc = new_series(forecast, asking->query, band.n)) < 0)
		return rc;
	for (size_t i = 0; i < band.n; i++) {
		forecast->series[i].median = band.median[i];
		forecast->series[i].lower = band.lower[i];
		forecast->series[i].upper = band.upper[i];
	}
	return 0;
}

// ---- the answer

static int fill_answer(struct forecast *forecast, const struct asking *asking) {
	const struct forecast_state *state = asking->state;
	struct asking of_peak = *asking;
	struct conformal_errors errors;
	int rc;

	if ((rc = find_quantile(asking, ASPECT_STATISTIC, &forecast->value_gbps)) < 0)
		return rc;
	if (state->whole) {
		if ((rc = windows_errors(&state->windows, ASPECT_STATISTIC, state->statistic, &errors)) < 0)
			return rc;
		rc = conformal_coverage(&errors, asking->query->quantile, &forecast->coverage);
		free(errors.values);
	}
	if (rc < 0 || !asking->query->series)
		return rc;
	if (state->peak != NULL) {
		of_peak.state = state->peak;
		of_peak.pool = NULL;
	}
	return fill_series(forecast, &of_peak);
}

static int answer_without_history(struct forecast *forecast, const struct forecast_query *query, size_t n) {
	int rc;

	forecast->current_gbps = forecast->value_gbps = query->fallback_gbps;
	if (!query->series)
		return 0;
	if ((rc = new_series(forecast, query, n)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		struct band_point *point = &forecast->series[i];

		point->median = point->lower = point->upper = query->fallback_gbps;
	}
	return 0;
}

int forecast_answer(const struct forecast_state *state, const struct forecast_query *query,
                    const struct forecast_pool *pool, struct forecast *ret) {
	bool lends = pool != NULL && fits(pool, state->horizon, state->answer.step_seconds, state->statistic);
	struct asking asking = {state, query, lends ? pool : NULL};
	struct forecast forecast = state->answer;
	int rc;

	if (forecast.samples == 0) {
		rc = answer_without_history(&forecast, query, state->horizon);
	} else {
		forecast.staleness_seconds = grid_seconds(forecast.history_to_ns, query->now_ns);
		rc = fill_answer(&forecast, &asking);
	}
	if (rc < 0) {
		forecast_fini(&forecast);
		return rc;
	}

	*ret = forecast;
	return 0;
}

int forecast_compute(const struct kpi_point *points, size_t n_points, const struct forecast_query *query,
                     struct forecast *ret) {
	CLEANUP(forecast_state_freep) struct forecast_state *state = NULL;
	int rc;

	if ((rc = forecast_learn(&state, points, n_points, query)) < 0)
		return rc;
	return forecast_answer(state, query, NULL, ret);
}

void forecast_fini(struct forecast *forecast) {
	free(forecast->series);
	forecast->series = NULL;
	forecast->n_series = 0;
}
