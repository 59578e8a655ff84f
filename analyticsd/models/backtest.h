// backtest.h: what models would have said at moments of the past, held against what came, and what they say
// now. Also picks: the best one or a mixture of the best.
// SPDX-License-Identifier: MIT
#pragma once

#include "model.h"
#include "windows.h"

#define BACKTEST_LEAST_STEPS 8 // of history; with less there is nothing to hold out

struct backtest_plan {
	size_t lead;                        // steps that are passed over before the window
	size_t horizon;                     // steps of the window
	size_t tested_lead, tested_horizon; // the same in the past: less where the history is short
	size_t n_origins;
	double first, stride; // origins in steps: n of which were seen
};

// For a model that needs 'least' steps. 'n_origins' is 0 when the history is too short.
void backtest_plan(const struct past *, size_t lead, size_t horizon, size_t least, struct backtest_plan *ret);
size_t backtest_origin(const struct backtest_plan *, size_t i);

struct backtest {
	struct backtest_plan plan;
	double *paths;  // one row of tested_horizon for each origin
	double *future; // horizon
	double error;   // mean absolute, of the paths; NAN without origins
	double *shares; // of each model of the table; they add up to one
};

// One model. Returns 0 or -ENOMEM; end with backtest_fini().
int backtest_init(struct backtest *ret, const struct model *, const struct past *,
                  const struct backtest_plan *);
void backtest_fini(struct backtest *);

// Every model of the table that can be tested at each origin; 'ret' is the best, or the mixture of the best
// where that was better still. 'ret_name' is static. Returns 0, -ENOENT when there is none, or -ENOMEM.
int backtest_choose(struct backtest *ret, const struct past *, const struct backtest_plan *,
                    const char **ret_name);

// What the models of 'shares' say now, without a test of any: each is fitted once. 'ret' gets 'horizon' steps that
// follow 'lead' steps. Returns 0 or -ENOMEM.
int backtest_continue(const double *shares, const struct past *, size_t lead, size_t horizon, double *ret);

// The windows of a test in Gbps, the first step of time 'end' less the past's length. Returns 0 or -ENOMEM.
int backtest_evidence(const struct backtest *, const struct past *, double end, struct windows *ret);

// Mean absolute change over a day, or from step to step where the history shows no day: the unit of MASE.
double backtest_unit(const struct past *);
