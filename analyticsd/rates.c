// The rate of one port from two of its readings.
// SPDX-License-Identifier: MIT
#include "rates.h"

// A 32-bit counter that wraps falls from the upper half of its range into the lower one.
static bool wrapped32(uint64_t before, uint64_t after) {
	return after < before && before <= UINT32_MAX && before > UINT32_MAX / 2 && after < UINT32_MAX / 2;
}

static enum rate_event compare(const struct port_reading *before, const struct port_reading *after) {
	const uint64_t counters[][2] = {{before->rx_packets, after->rx_packets},
	                                {before->tx_packets, after->tx_packets},
	                                {before->rx_bytes, after->rx_bytes},
	                                {before->tx_bytes, after->tx_bytes}};
	bool fell = false, wrapped = false, fell_otherwise = false;

	if (after->instance == before->instance && after->seq <= before->seq)
		return RATE_STALE;
	if (after->instance != before->instance || after->epoch != before->epoch)
		return RATE_RESET;
	if (after->seq != before->seq + 1)
		return RATE_GAP;
	if (after->ts_ns <= before->ts_ns)
		return RATE_CLOCK_STEP;
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		bool falls = counters[i][1] < counters[i][0];
		bool wraps = wrapped32(counters[i][0], counters[i][1]);

		fell |= falls;
		wrapped |= wraps;
		fell_otherwise |= falls && !wraps;
	}
	if (fell)
		return wrapped && !fell_otherwise ? RATE_WRAP : RATE_RESET;
	if (!after->up || !before->up)
		return RATE_DOWN;
	return RATE_READY;
}

double rate_gbps(uint64_t bytes, uint64_t packets, enum accounting accounting, int64_t ns) {
	double all = (double)bytes;

	if (accounting == ACCOUNTING_L1)
		all += (double)packets * ETHERNET_OVERHEAD;
	return all * 8 / (double)ns; // bits a nanosecond are Gbit a second
}

uint64_t rate_missing(const struct rate_state *state, const struct port_reading *reading) {
	const struct port_reading *last = &state->last;

	if (!state->started || reading->instance != last->instance || reading->seq <= last->seq)
		return 0;
	return reading->seq - last->seq - 1;
}

enum rate_event rate_advance(struct rate_state *state, const struct port_reading *reading,
                             enum accounting accounting, struct port_rate *ret) {
	const struct port_reading *first = &state->first;
	enum rate_event event = state->started ? compare(&state->last, reading) : RATE_WAITING;
	int64_t ns = reading->ts_ns - first->ts_ns;

	if (event == RATE_STALE)
		return event;
	state->last = *reading;
	if (event != RATE_READY) {
		state->first = *reading;
		state->started = true;
		return event;
	}
	// A twentieth of slack, so that a sampler of 1 Hz with jitter gives each second its rate.
	if (ns < RATE_INTERVAL_NS - RATE_INTERVAL_NS / 20)
		return RATE_WAITING;
	*ret = (struct port_rate){
	        .from_ns = first->ts_ns,
	        .to_ns = reading->ts_ns,
	        .rx_gbps = rate_gbps(reading->rx_bytes - first->rx_bytes,
	                             reading->rx_packets - first->rx_packets, accounting, ns),
	        .tx_gbps = rate_gbps(reading->tx_bytes - first->tx_bytes,
	                             reading->tx_packets - first->tx_packets, accounting, ns),
	};
	state->first = *reading;
	return RATE_READY;
}
