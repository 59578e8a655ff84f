// metrics.h: what the application keeps in librte_metrics: bit rates, latency. The library guards its memory with
// a lock that forwarding cores take too, so it is asked seldom, and rows in between repeat its answer.
// SPDX-License-Identifier: MIT
#pragma once

#include "columns.h"

#include <stdbool.h>
#include <stdint.h>

#define METRICS_INTERVAL_NS INT64_C(100000000)

// The metrics in the rows of one port. Starts as zeroes.
struct metrics {
	uint16_t *keys; // of what is told
	uint64_t *values;
	size_t n;
	int n_known; // to the library, when the keys were read
	int64_t read_ns;
};

// Adds the names that are not among the columns yet. Returns 0, -ENOTSUP when there are none, -ENOSPC, or -ENOMEM.
int metrics_load(struct metrics *, struct columns *columns);
void metrics_fini(struct metrics *);

// Has the application registered others since metrics_load()?
bool metrics_have_changed(const struct metrics *);

// Gives 'n' values, read at most METRICS_INTERVAL_NS ago. A metric is kept for a port or for the whole application;
// the application's stands in for a port's that is 0.
void metrics_read(struct metrics *, uint16_t port, int64_t now_ns, uint64_t *ret);
