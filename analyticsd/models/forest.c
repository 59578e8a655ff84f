// forest: a random forest on the latest values, their mean and deviation, and the same time of days before.
// SPDX-License-Identifier: MIT
#include "direct.h"

static const struct direct_kind kind = {
        .ensemble = {.n_trees = 40, .least_rows = 10, .rate = 1, .share = 1, .seed = 1, .n_threads = 1}};

static int create(const struct model *model, const struct past *past, void **ret) {
	(void)model;
	return direct_create(&kind, past, ret);
}

const struct model model_forest = {
        .name = "forest",
        .help = "random forest on the latest values and the same time of days before",
        .costly = true,
        .least = direct_least,
        .create = create,
        .destroy = direct_destroy,
        .update = direct_update,
        .predict = direct_predict,
};
