// Hysteresis, in value and in time.
// SPDX-License-Identifier: MIT
#include "alarm.h"

enum alarm_change alarm_advance(struct alarm *alarm, double score, int64_t now_ns, double raise_seconds,
                                double clear_seconds) {
	double wait_seconds = alarm->on ? clear_seconds : raise_seconds;
	bool is_over = alarm->on ? score < ALARM_CLEAR : score >= 1;

	if (is_over && !alarm->is_over)
		alarm->over_ns = now_ns;
	alarm->is_over = is_over;
	if (!is_over || (double)(now_ns - alarm->over_ns) < wait_seconds * 1e9)
		return ALARM_SAME;
	alarm->on = !alarm->on;
	alarm->is_over = false;
	return alarm->on ? ALARM_RAISED : ALARM_CLEARED;
}
