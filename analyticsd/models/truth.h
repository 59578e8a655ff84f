// truth.h: what was said of windows that are not over, held against what comes: the evidence of the next forecast, and
// whether the link has changed its ways.
// SPDX-License-Identifier: MIT
#pragma once

#include "forecast_state.h"

// Remembers what is said now of a window, when the one before it began long enough ago for this to be news. Returns 0 or
// -ENOMEM.
int truth_await(struct forecast_state *);

// Windows that have come to their end become evidence. Returns 0 or -ENOMEM.
int truth_score(struct forecast_state *, struct points);
void truth_forget(struct forecast_state *);

// A moment in steps since 1970.
double truth_steps(int64_t ts_ns, double step_seconds);
