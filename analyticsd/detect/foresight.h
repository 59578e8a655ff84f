// foresight.h: the probability that a port fails within a horizon, learnt from what happened before the failures of the
// past. Features are watch.h's. A share of the days is kept from learning: on it the probabilities are calibrated, by
// isotonic regression (B. Zadrozny, C. Elkan: Transforming classifier scores into accurate multiclass probability
// estimates, KDD 2002), and scored. Pure; the same input gives the same model.
// SPDX-License-Identifier: MIT
#pragma once

#include "bytes.h"
#include "cleanup.h"
#include "watch.h"

#include <stdatomic.h>

#define FORESIGHT_HORIZON_SECONDS 900.0
#define FORESIGHT_LEAST_FAILURES  8 // below so many there is nothing to learn

// ---- learning

struct trainer;

int trainer_new(double horizon_seconds, struct trainer **ret);
void trainer_free(struct trainer *);
DEFINE_CLEANUP(struct trainer *, trainer_free)

// The rows that follow are of another port.
void trainer_next_port(struct trainer *);

enum truth { TRUTH_WELL, TRUTH_FAILED, TRUTH_UNKNOWN }; // unknown: not to be learnt from

// The features ('values') of a port at a moment, in the order of time, and what was true then. Returns 0 or -ENOMEM.
int trainer_add(struct trainer *, int64_t ts_ns, const float values[static N_FEATURES], enum truth);

size_t trainer_failures(const struct trainer *);

// ---- the model

struct foresight;

struct foresight_report {
	double horizon_seconds;
	uint64_t failures, rows; // learnt from, those kept from learning too
	int64_t from_ns, to_ns;  // of the rows
	double brier,
	        brier_climate; // mean squared error on the days kept from learning, of the model and of always
	                       // telling the share of all rows; NAN when no failure was in them
};

// Returns 0, -ENODATA when there were too few failures, -ECANCELED when '*stop' (NULL: never) was set, or -ENOMEM.
int foresight_train(const struct trainer *, uint64_t seed, const atomic_bool *stop, struct foresight **ret);
void foresight_free(struct foresight *);
DEFINE_CLEANUP(struct foresight *, foresight_free)

const struct foresight_report *foresight_report(const struct foresight *);

struct foresight_factor {
	enum feature feature;
	double value, weight; // what it would add to the probability if all other features were as usual
};

// The probability of a failure within the horizon. 'factors' (NULL is fine) gets the 'n_factors' features that
// weighed most.
double foresight_ask(const struct foresight *, const float values[static N_FEATURES],
                     struct foresight_factor *factors, size_t n_factors);

// The caller frees 'ret'. Returns 0 or -ENOMEM.
int foresight_save(const struct foresight *, struct bytes *ret);

// Returns 0, -EBADMSG for what is no model or is damaged, -ENOTSUP for a model of another release (other features),
// or -ENOMEM.
int foresight_load(const struct bytes *, struct foresight **ret);
