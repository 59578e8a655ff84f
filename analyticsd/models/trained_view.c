// Copies, field by field.
// SPDX-License-Identifier: MIT
#include "trained_view.h"

#include <string.h>

static struct model_score *view_score(const struct score *score, bool has_bands, struct model_score *ret) {
	if (score->n == 0)
		return NULL;
	model_score_init(ret);
	ret->n = (int64_t)score->n;
	ret->mae = score->mae;
	ret->rmse = score->rmse;
	ret->mase = score->mase;
	ret->smape = score->smape;
	if (has_bands) {
		SET(ret, model_score, pinball, score->pinball);
		SET(ret, model_score, coverage, score->coverage);
	}
	return ret;
}

static void view_horizon(const struct trained *trained, size_t k, const struct score *scores, bool has_bands,
                         struct trained_view *view) {
	struct horizon_scores *horizon = &view->horizons[k];
	struct model_score *memory = view->scores[k];

	horizon_scores_init(horizon);
	horizon->steps = (int64_t)trained->horizons[k].steps;
	horizon->seconds = (double)trained->horizons[k].steps * trained->step_seconds;
	horizon->model = view_score(&scores[CONTESTANT_MODEL], has_bands, &memory[CONTESTANT_MODEL]);
	horizon->last = view_score(&scores[CONTESTANT_LAST], has_bands, &memory[CONTESTANT_LAST]);
	horizon->seasonal = view_score(&scores[CONTESTANT_SEASONAL], has_bands, &memory[CONTESTANT_SEASONAL]);
}

void trained_view_model(const struct trained *trained, size_t size, struct trained_view *view,
                        struct trained_model *ret) {
	size_t trees = 0;

	trained_model_init(ret);
	ret->model = trained->name;
	ret->target = trained->target[0] != '\0' ? trained->target : "value";
	ret->from_ns = trained->from_ns;
	ret->to_ns = trained->to_ns;
	ret->samples = (int64_t)trained->n_steps;
	ret->step_seconds = trained->step_seconds;
	ret->seed = trained->seed;
	ret->bytes = size;
	for (size_t k = 0; k < trained->n_horizons; k++)
		view_horizon(trained, k, trained->horizons[k].scores, false, view);
	ret->horizons = view->horizons;
	ret->n_horizons = trained->n_horizons;
	if (!trained->is_learner)
		return;
	for (size_t k = 0; k < trained->n_horizons; k++)
		trees += trained->learner.horizons[k].ensemble.n_trees;
	SET(ret, trained_model, lags, trained->learner.shape.n_lags);
	SET(ret, trained_model, window, trained->learner.shape.window);
	SET(ret, trained_model, trees, (int64_t)trees);
}

void trained_view_evaluation(const struct trained *trained, struct score (*scores)[N_CONTESTANTS],
                             int64_t from_ns, int64_t to_ns, struct trained_view *view,
                             struct evaluation *ret) {
	evaluation_init(ret);
	ret->model = trained->name;
	ret->target = trained->target[0] != '\0' ? trained->target : "value";
	ret->from_ns = from_ns;
	ret->to_ns = to_ns;
	ret->step_seconds = trained->step_seconds;
	for (size_t k = 0; k < trained->n_horizons; k++)
		view_horizon(trained, k, scores[k], true, view);
	ret->horizons = view->horizons;
	ret->n_horizons = trained->n_horizons;
}

void trained_view_predictions(const struct trained *trained, const struct lagged_series *series,
                              size_t filled, const struct trained_point *points,
                              struct prediction *predictions, struct prediction_list *ret) {
	prediction_list_init(ret);
	ret->model = trained->name;
	ret->target = trained->target[0] != '\0' ? trained->target : "value";
	ret->newest_ns = lagged_time_ns(series, series->n - 1);
	ret->filled = (int64_t)filled;
	for (size_t k = 0; k < trained->n_horizons; k++) {
		prediction_init(&predictions[k]);
		predictions[k].ts_ns = lagged_time_ns(series, points[k].step);
		predictions[k].seconds = (double)trained->horizons[k].steps * trained->step_seconds;
		predictions[k].value = points[k].predicted;
		predictions[k].lower = points[k].lower;
		predictions[k].upper = points[k].upper;
	}
	ret->predictions = predictions;
	ret->n_predictions = trained->n_horizons;
}
