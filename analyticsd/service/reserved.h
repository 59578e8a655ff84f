// reserved.h: what services hold of a link and direction, as a function of time: constant between the
// moments at which one begins or ends. Pure.
// SPDX-License-Identifier: MIT
#pragma once

#include "ledger.h"

#include <stdbool.h>

// From 'from_ns' on 'bps' is held, until the next step.
struct reserved_step {
	int64_t from_ns, bps;
};

// Zero it before; nothing is held before the first step.
struct reserved {
	struct reserved_step *steps;
	size_t n;
};

// Sums the holds for which 'wanted' (NULL: all) is true. Returns 0 or -ENOMEM.
int reserved_init(struct reserved *, const struct hold *holds, size_t n,
                  bool (*wanted)(const struct hold *, int64_t argument), int64_t argument);
void reserved_fini(struct reserved *);

// Most that is held at any moment of [from, to); 'ret_ns' (NULL is fine) is the first such moment.
int64_t reserved_most(const struct reserved *, int64_t from_ns, int64_t to_ns, int64_t *ret_ns);

// Mean over [from, to), in bit/s.
double reserved_mean(const struct reserved *, int64_t from_ns, int64_t to_ns);

// Seconds of [from, to) in which anything is held.
double reserved_seconds(const struct reserved *, int64_t from_ns, int64_t to_ns);

// As a series in which a point ends the interval that it speaks of: one for each step of [from, to), what was
// held before it, and one for now or the end of the range. With 'step_ns' the mean over each step of time, at its
// start. At most 'limit' points; '*ret_next_ns' is the 'from_ns' to go on with, or 0. The caller frees '*ret'.
// Returns 0 or -ENOMEM.
struct reserved_range {
	int64_t from_ns, to_ns, step_ns, now_ns;
	size_t limit;
};
int reserved_points(const struct reserved *, const struct reserved_range *, struct kpi_point **ret,
                    size_t *ret_n, int64_t *ret_next_ns);
