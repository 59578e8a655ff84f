// boost: a regression on recent means and the same time of days before, and boosted trees for what it leaves.
// SPDX-License-Identifier: MIT
#include "direct.h"

static const struct direct_kind kind = {.ensemble = {.boosted = true,
                                                     .n_trees = 60,
                                                     .most_depth = 4,
                                                     .least_rows = 20,
                                                     .rate = 0.1,
                                                     .lambda = 1,
                                                     .share = 0.5,
                                                     .patience = 8,
                                                     .seed = 1,
                                                     .n_threads = 1},
                                        .linear = true};

static int create(const struct model *model, const struct past *past, void **ret) {
	(void)model;
	return direct_create(&kind, past, ret);
}

const struct model model_boost = {
        .name = "boost",
        .help = "regression and boosted trees on the latest values and the same time of days before",
        .costly = true,
        .least = direct_least,
        .create = create,
        .destroy = direct_destroy,
        .update = direct_update,
        .predict = direct_predict,
};
