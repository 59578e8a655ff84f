// faults.h: when a simulated port breaks, and how it shows. The fault's times and kinds come from a stream of
// their own, so choosing other kinds leaves the traffic as it was.
// SPDX-License-Identifier: MIT
#pragma once

#include "noise.h"
#include "simulate.h"

struct faults {
	struct noise plan, draw;
	unsigned kinds; // bit 1 << FAULT_*
	double every_seconds;
	enum fault kind;
	double onset, failure, end; // seconds since the start: first sign, failed, repaired
	double down_until;          // of the present flap
};

void faults_init(struct faults *, uint64_t seed, unsigned kinds, double every_seconds);

// What a second 'at' (since the start; not before the last one) does to what was 'offered'. Fills counters,
// latency, state and fault of 'row', whose latency is what it would be on a port that is well.
void faults_apply(struct faults *, double at, double step_seconds, struct sim_row *row);
