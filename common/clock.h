// clock.h: the two clocks, in integer nanoseconds. Code that decides by time takes it as an argument; only
// main functions and event loops read these.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdint.h>
#include <time.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS     INT64_C(1000000)

static inline int64_t clock_read_ns(clockid_t id) {
	struct timespec now;

	clock_gettime(id, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

// Nanoseconds since the Unix epoch; may step.
static inline int64_t clock_real_ns(void) {
	return clock_read_ns(CLOCK_REALTIME);
}

// Nanoseconds since boot; never steps back.
static inline int64_t clock_mono_ns(void) {
	return clock_read_ns(CLOCK_MONOTONIC);
}
