// failures.h: failures in the history of a port: times at which it was down, or at which a large share of packets was
// bad, that lasted. Pure.
// SPDX-License-Identifier: MIT
#pragma once

#include "observe.h"

#include <stddef.h>

#define FAILURE_SHARE         0.05 // of packets bad
#define FAILURE_LEAST_SECONDS 10.0
#define FAILURE_GAP_SECONDS   60.0 // failures nearer than this are one

struct failure_span {
	int64_t from_ns, to_ns; // to: the last moment of it
};

// Zero it before the first observation, then failures_fini().
struct failures {
	struct failure_span *found;
	size_t n, capacity;
	struct failure_span open; // from_ns 0: none
};

// Is this what a failure looks like?
bool failure_is(const struct observation *);

// Takes the next observation. Returns 0 or -ENOMEM.
int failures_add(struct failures *, const struct observation *);

// No more come. Returns 0 or -ENOMEM.
int failures_end(struct failures *);
void failures_fini(struct failures *);

// Is the moment in one of them? '*at' is where the search goes on, for moments in ascending order; begin with 0.
bool failures_cover(const struct failures *, int64_t ts_ns, size_t *at);
