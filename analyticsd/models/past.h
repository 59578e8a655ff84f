// past.h: one link's past as the models see it: steps without holes, in units of the link's own spread, so
// that no model needs to know about Gbps, outages or faulty samples.
// SPDX-License-Identifier: MIT
#pragma once

#include "series.h"

#include <stdbool.h>

// Periods in steps; 0 where there is none or where the history is too short to show it. Not always whole.
struct season {
	double day;
	double week;
	double found; // another, seen in the data
};

struct past {
	double *values; // (Gbps - offset) / scale
	double *calm;   // the same, with bursts cut to what a regression can stand
	bool *known; // false: was not measured, 'values' holds a filler. Nothing is scored against a filler
	size_t n;
	size_t n_known;
	double offset, scale;   // Gbps
	double floor;           // what no use at all is in these units
	double lowest, highest; // of the known values
	struct season season;
	size_t thin;  // regressions take every thin-th step, so that their cost has a bound
	size_t reach; // the furthest step ahead that will be asked for; 0: not known
};

// At least one value of 'series' must be known. Returns 0 or -ENOMEM; end with past_fini().
int past_init(struct past *ret, const struct series *series);

// The same with the seasons that an earlier look found, of a past that this one goes on with.
int past_init_after(struct past *ret, const struct series *series, const struct season *season);
void past_fini(struct past *);

double past_gbps(const struct past *, double value);

// Of 'values' or 'calm': the value one or more whole periods before step 't' that lies before step 'n'; 't'
// may be after the past. 'period' must be at least 1 and at most n.
double past_season_before(const double *values, size_t n, size_t t, double period);
