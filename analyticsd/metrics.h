// metrics.h: counters of the daemon itself. Any thread adds, any thread reads.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct metrics {
#define METRIC(NAME, UNIT, HELP) atomic_uint_fast64_t NAME;
#include "metrics.def"
#undef METRIC
};

#define METRIC_ADD(METRICS, NAME, N) atomic_fetch_add_explicit(&(METRICS)->NAME, (N), memory_order_relaxed)
