// past_rows.h: what passed a port, from the history: the same observations that the detector makes of rows as they come.
// SPDX-License-Identifier: MIT
#pragma once

#include "history.h"
#include "observe.h"

#include <stdatomic.h>

#define LATENCY_COUNTER                                                                                      \
	"avg_latency_ns" // of librte_latencystats, among the metrics that the plugin publishes

// Calls 'each' for the observations of [from, to), which goes on from 'observer'; rows are read in pieces of a day.
// Returns 0, -ECANCELED when '*stop' (NULL: never) was set, what 'each' returned, or another negative errno with 'status'.
int past_rows_each(struct history *, const char *host, const char *name, int64_t from_ns, int64_t to_ns,
                   const atomic_bool *stop, struct observer *observer,
                   int (*each)(void *context, const struct observation *), void *context,
                   struct status *status);
