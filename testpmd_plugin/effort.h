// effort.h: what the rounds of a thread cost between its waking and its next sleep, in CPU time, without what the kernel
// does to put it to sleep and wake it. One round in EFFORT_ONE_IN is measured, so that measuring costs nothing; a prime
// number, so that rounds that come at a period of their own have their share. One thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "clock.h"

#define EFFORT_ONE_IN 17

// Starts as zeroes.
struct effort {
	uint64_t n;        // rounds so far
	int64_t begun_ns;  // of the one that is measured; 0 in the others
	uint64_t total_ns; // of all rounds, by those that were measured
};

static inline void effort_wake(struct effort *effort) {
	effort->begun_ns = effort->n++ % EFFORT_ONE_IN == 0 ? clock_read_ns(CLOCK_THREAD_CPUTIME_ID) : 0;
}

static inline void effort_sleep(struct effort *effort) {
	if (effort->begun_ns != 0)
		effort->total_ns +=
		        EFFORT_ONE_IN * (uint64_t)(clock_read_ns(CLOCK_THREAD_CPUTIME_ID) - effort->begun_ns);
}
