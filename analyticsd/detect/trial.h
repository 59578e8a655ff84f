// trial.h: how well failures are predicted, on data that was not learnt from. Events are counted, not points: an alarm
// is one from when its score goes over the threshold until it has been below half of that for five minutes; it is
// right when it begins in the warning window before an event (from the first sign, where that is known, else a fixed
// time before) or while the event lasts, else it is false. No score is adjusted by points (as S. Kim et al.: Towards a
// rigorous evaluation of time-series anomaly detection, AAAI 2022, warn of). Pure.
// SPDX-License-Identifier: MIT
#pragma once

#include "foresight.h"
#include "watch.h"

struct trial_options {
	double horizon_seconds, warning_seconds; // the window where no first sign is known
	double probability;                      // from which on a predicted failure is an alarm
	double false_alarms_per_week;            // that the tests of a port are set to
	uint64_t seed;
};

// One interval of a port and what was true in it.
struct trial_row {
	struct observation observation;
	bool failed, degrading;
	const char *kind; // of the fault, or NULL
	double value; // instead of counters, for a series that has nothing else: its tests are those of the rate
};

enum trial_method {
	METHOD_TOGETHER, // what analyticsd alerts on: the tests or the predictor
	METHOD_TESTS,
	METHOD_PREDICTOR,
	METHOD_THRESHOLD, // naive: the share of bad packets in the interval; of a value, its distance from the mean
	METHOD_LAST, // naive: it fails when it is failing now; of a value, its change
	N_METHODS
};

struct trial_result {
	const char *name;
	bool has_scores;
	double threshold;             // that the figures are at
	size_t events, warned, found; // warned of before they began; at all
	size_t alarms, right_alarms;
	double precision, recall; // of alarms; of warnings, or, of a series of values, of what was found
	double false_per_day, false_per_week;
	double lead_seconds,
	        lead_share; // medians, of those warned of; share of the time since the first sign
	double pr_auc;      // average precision over all thresholds
	// at the lowest threshold that makes no more than one false alarm a week and port
	double budget_threshold, budget_recall, budget_lead_share;
};

struct trial_kind {
	const char *name;
	size_t events, warned, found;
	double lead_share;
};

struct trial;

int trial_new(const struct trial_options *, struct trial **ret);
void trial_free(struct trial *);
DEFINE_CLEANUP(struct trial *, trial_free)

// Rows of the next port follow, to learn from or to be tested on.
int trial_next_port(struct trial *);

// 'skip' is a kind of fault that is not to be learnt, or NULL. Returns 0 or -ENOMEM.
int trial_learn(struct trial *, const struct trial_row *, const char *skip);

// When all was learnt. Returns 0, or -ENODATA when there were too few failures: the tests alone are then tried.
int trial_train(struct trial *);
const struct foresight *trial_foresight(const struct trial *); // or NULL

// 'learns' false: the row is only there for the tests to get to know the port; nothing of it counts.
int trial_test(struct trial *, const struct trial_row *, bool counts);

// Returns 0 or -ENOMEM; results are of the methods in order.
int trial_results(struct trial *, struct trial_result ret[static N_METHODS]);

// The result of all methods together by kind of fault. The caller frees 'ret'; names live as long as the trial.
int trial_kinds(struct trial *, struct trial_kind **ret, size_t *ret_n);

double trial_weeks(const struct trial *); // of ports that were well
