// trained.h: a model that was fitted to one series once and kept: trees, or any other model of the table with
// the history that it needs. Kept with it: what it learnt from, and how good it was on the youngest fifth of it,
// which it did not learn from. Any thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "learner.h"
#include "model.h"
#include "scoring.h"

#include <stdint.h>

enum { TRAINED_NAME = 32, TRAINED_TARGET = 256, TRAINED_MOST_TAIL = 1 << 18 };

// Who is scored beside each other at each horizon.
enum contestant { CONTESTANT_MODEL, CONTESTANT_LAST, CONTESTANT_SEASONAL, N_CONTESTANTS };
extern const char *const contestant_names[N_CONTESTANTS]; // the first is "model"

struct trained_horizon {
	size_t steps;
	double residuals[N_CONTESTANTS][SCORING_QUANTILES]; // of what was held out
	struct score scores[N_CONTESTANTS];                 // the same; .n is 0 where there is none
};

struct trained {
	char name[TRAINED_NAME];     // of the model
	char target[TRAINED_TARGET]; // column or link that it speaks of
	int64_t from_ns, to_ns;      // first and last step that it was given
	size_t n_steps;
	double step_seconds;
	double unit; // of mase
	uint64_t seed;
	size_t n_horizons;
	struct trained_horizon horizons[LEARNER_HORIZONS];
	bool is_learner;
	struct learner learner;    // forest and boost
	struct lagged_series tail; // the last steps, from which the next can be predicted
};

struct trained_options {
	const char *name;   // of a model of the table, "forest" or "boost"
	const char *target; // at most TRAINED_TARGET - 1 bytes; cut
	uint32_t n_lags, window;
	size_t horizons[LEARNER_HORIZONS]; // steps, ascending
	size_t n_horizons;
	size_t n_trees; // 0: the model's own
	uint64_t seed;
	int n_threads;
};

// The options with the demo's defaults: 5 lags, a window of 10, one step ahead.
struct trained_options trained_defaults(const char *name);

bool trained_name_is_known(const char *name);
bool trained_name_is_learner(const char *name); // forest or boost

// Fits to the older 80 % of 'series' and scores on the rest. Returns 0, -EINVAL for an unknown name, -ENODATA
// when the series is too short for lags and horizons, -ECANCELED, or -ENOMEM; end with trained_fini().
int trained_fit(const struct lagged_series *, const struct trained_options *, const struct fit_watch *,
                struct trained *ret);
void trained_fini(struct trained *);

// The older four fifths of a series, as a series of its own, for a model that shall be judged on the rest. Returns 0
// or -ENOMEM.
int trained_older(const struct lagged_series *, struct lagged_series *ret);

// Scores on the steps of 'series' from 'first' on, at each horizon; steps before 'first' are only looked back
// at. 'each' (NULL: nobody) is told of every prediction in time order, horizon by horizon of an origin: the
// target's step, what came (NAN: not measured), and what was said with its band. Returns 0, -ENODATA when no
// step can be predicted, -ECANCELED, or -ENOMEM.
struct trained_point {
	size_t horizon; // index
	size_t step;
	double truth, predicted, lower, upper;
};
typedef void (*trained_each_fn)(void *context, const struct trained_point *point);
int trained_evaluate(const struct trained *, const struct lagged_series *, size_t first,
                     const struct fit_watch *, trained_each_fn each, void *context,
                     struct score ret[static LEARNER_HORIZONS][N_CONTESTANTS]);

// What follows the last step of 'series': one point for each horizon. Returns 0, -ENODATA when the series is too
// short, or -ENOMEM.
int trained_predict(const struct trained *, const struct lagged_series *,
                    struct trained_point ret[static LEARNER_HORIZONS]);
