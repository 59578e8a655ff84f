// predictor.h: what a trained model says at one moment after the other of a series.
// SPDX-License-Identifier: MIT
#pragma once

#include "trained.h"

struct predictor;

// 'n_known': steps that the scale and season of a model that isn't trees are taken from, so that nothing of
// what is to be predicted shows in them. Both must outlive the predictor. Returns 0, -ENODATA when 'n_known' is
// too few, or -ENOMEM.
int predictor_new(const struct trained *, const struct lagged_series *, size_t n_known,
                  struct predictor **ret);
void predictor_free(struct predictor *);
DEFINE_CLEANUP(struct predictor *, predictor_free)

// The first moment it can speak at, and the first at which it knows all that it wants to look back at.
size_t predictor_least(const struct trained *);
size_t predictor_reach(const struct trained *);

// How many moments of an evaluation deserve it: a row of trees costs microseconds, a fit of the others more.
size_t predictor_most_moments(const struct trained *);

// At step 't' (from the steps before it; not before an earlier call's), for each horizon. Returns 0 or -ENOMEM.
int predictor_say(struct predictor *, size_t t, double *ret);
