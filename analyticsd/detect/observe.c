// From counters to what passed.
// SPDX-License-Identifier: MIT
#include "observe.h"

#include "clock.h"

#define LONGEST_SECONDS 3600.0              // what lies further apart says nothing about an interval
#define NO_SPEED_MBPS   INT64_C(4294967295) // RTE_ETH_SPEED_NUM_UNKNOWN

static bool fell(const uint64_t *from, const uint64_t *to) {
	for (int i = 0; i < N_PORT_COUNTERS; i++) {
		if (to[i] < from[i])
			return true;
	}
	return false;
}

static void begin(struct observer *observer, const struct port_row *row) {
	observer->first = *row;
	observer->n_down = 0;
}

int observer_advance(struct observer *observer, const struct port_row *row, struct observation *ret) {
	const struct port_row *first = &observer->first;
	double seconds = (double)(row->ts_ns - first->ts_ns) / (double)NS_PER_SECOND;

	if (observer->started && row->ts_ns <= first->ts_ns)
		return 0; // late, or a clock that stepped back a little
	if (observer->started && observer->was_up && !row->up)
		observer->n_down++;
	observer->was_up = row->up;
	if (!observer->started || row->instance != first->instance || row->epoch != first->epoch ||
	    seconds > LONGEST_SECONDS || fell(first->counters, row->counters)) {
		observer->started = true;
		begin(observer, row);
		return 0;
	}
	if (seconds < OBSERVE_INTERVAL_SECONDS * 0.95)
		return 0;
	*ret = (struct observation){
	        .ts_ns = row->ts_ns,
	        .seconds = seconds,
	        .up = row->up,
	        .n_down = observer->n_down,
	        .speed_bps = row->speed_mbps > 0 && row->speed_mbps != NO_SPEED_MBPS
	                             ? (double)row->speed_mbps * 1e6
	                             : NAN,
	        .latency_ms = row->latency_ms,
	};
	for (int i = 0; i < N_PORT_COUNTERS; i++)
		ret->counters[i] = (double)(row->counters[i] - first->counters[i]);
	begin(observer, row);
	return 1;
}
