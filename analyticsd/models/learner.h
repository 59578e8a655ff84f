// learner.h: trees on the past of a series, one ensemble for each horizon that is asked for (direct, not
// recursive). Boosting starts from a linear regression on a few exact means, which trees can't extend beyond
// what they saw. Any thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "lagged.h"

enum { LEARNER_HORIZONS = 16 };

struct learner_options {
	struct lagged_shape shape; // 'weeks' is found from the history's length
	struct ensemble_options ensemble;
	bool linear;                       // start from a regression
	size_t horizons[LEARNER_HORIZONS]; // steps ahead, from 1; ascending
	size_t n_horizons;
};

struct learner_horizon {
	size_t steps;
	bool has_day;                 // it learnt from the day before, and is itself only where that is known
	double linear[LAGGED_LINEAR]; // all zero without a regression
	struct ensemble ensemble;     // of what the regression leaves
};

struct learner {
	struct lagged_shape shape;
	struct lagged_bins bins;
	bool linear;
	double lowest, highest; // that were seen: no answer is further out than their distance
	size_t n_horizons;
	struct learner_horizon horizons[LEARNER_HORIZONS];
};

// Steps of history below which there is nothing to learn at the longest of these horizons.
size_t learner_least(const struct learner_options *);

// From the steps before 'n', those that were measured as targets. Returns 0, -ENODATA when there are fewer than
// learner_least(), -ECANCELED when stopped, or -ENOMEM; end with learner_fini().
int learner_fit(const struct lagged_series *, size_t n, const struct learner_options *,
                const struct fit_watch *, struct learner *ret);
void learner_fini(struct learner *);

// The first step before which all that the learner looks back at can be known.
size_t learner_reach(const struct learner *);

// Of step t + horizons[k].steps - 1, from the values before 't'; 'bytes' are up to date.
double learner_predict(const struct learner *, const struct lagged_series *, const struct lagged_bytes *,
                       size_t t, size_t k);
