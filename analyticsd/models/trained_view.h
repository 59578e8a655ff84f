// trained_view.h: trained models and their scores as messages.
// SPDX-License-Identifier: MIT
#pragma once

#include "message.h"
#include "trained.h"

// Memory that the messages point into.
struct trained_view {
	struct horizon_scores horizons[LEARNER_HORIZONS];
	struct model_score scores[LEARNER_HORIZONS][N_CONTESTANTS];
};

// Fills 'ret', which then points into 'view' and 'trained'. 'size': of the model in bytes.
void trained_view_model(const struct trained *, size_t size, struct trained_view *view,
                        struct trained_model *ret);

// 'scores' as trained_evaluate() gives them, of the steps from_ns to to_ns.
void trained_view_evaluation(const struct trained *, struct score (*scores)[N_CONTESTANTS], int64_t from_ns,
                             int64_t to_ns, struct trained_view *view, struct evaluation *ret);

// 'points' of trained_predict() on 'series'; 'predictions' has room for LEARNER_HORIZONS.
void trained_view_predictions(const struct trained *, const struct lagged_series *, size_t filled,
                              const struct trained_point *points, struct prediction *predictions,
                              struct prediction_list *ret);
