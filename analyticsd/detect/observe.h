// observe.h: from the counters of a port to what passed between two readings. Pure. One thread at a time.
//
// Counters are sums, so a row that is missing in between loses nothing; counters that began anew (another instance or
// epoch, or one that fell) give no observation, as rates.h does for links.
// SPDX-License-Identifier: MIT
#pragma once

#include "message.h"

#include <stdbool.h>
#include <stdint.h>

#define OBSERVE_INTERVAL_SECONDS 1.0 // readings nearer than this are put together

// One reading of a port.
struct port_row {
	uint64_t instance;
	int64_t epoch, ts_ns;
	bool up;
	int64_t speed_mbps; // 0 when not known
	uint64_t counters[N_PORT_COUNTERS];
	double latency_ms; // mean of packets, as librte_latencystats tells; NAN when not known
};

// What passed in an interval.
struct observation {
	int64_t ts_ns;   // its end
	double seconds;  // its length
	bool up;         // at its end
	unsigned n_down; // times that the port went down in it
	double counters[N_PORT_COUNTERS];
	double speed_bps;  // NAN when not known
	double latency_ms; // NAN when not known
};

// Zero it before the first row.
struct observer {
	bool started;
	struct port_row first; // of the interval being measured
	bool was_up;
	unsigned n_down;
};

// Takes the next row. Returns 1 with 'ret', or 0 when there is none yet.
int observer_advance(struct observer *, const struct port_row *, struct observation *ret);
