// season.h: which periods a history shows.
// SPDX-License-Identifier: MIT
#pragma once

#include "past.h"

// Day and week where the history holds more than one of them, and the strongest other period of its
// autocorrelation. Models take them as proposals; the backtest decides. Returns 0 or -ENOMEM.
int season_find(const struct past *, double step_seconds, struct season *ret);
