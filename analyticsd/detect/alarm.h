// alarm.h: from a score that goes up and down to an alarm that is on or off: on when the score has been at 1 or above for
// a time, off when it has been below ALARM_CLEAR for a time. Pure.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ALARM_CLEAR 0.5

enum alarm_change { ALARM_SAME, ALARM_RAISED, ALARM_CLEARED };

// Zero it before the first score; set 'on' for one that was on before.
struct alarm {
	bool on;
	bool is_over;    // at 1 or above while off, below ALARM_CLEAR while on
	int64_t over_ns; // since when
};

enum alarm_change alarm_advance(struct alarm *, double score, int64_t now_ns, double raise_seconds,
                                double clear_seconds);
