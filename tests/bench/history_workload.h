// history_workload.h: counters as 200 ports of a site would show them, the same for the same seed: idle, steady and
// bursty ports of 1 to 100 Gbit/s, a day's curve, noise that remembers, rare losses, read once a second with a
// little jitter. Sixteen counters: the basic eight, and eight as drivers have beside them.
// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WORKLOAD_PORTS    200
#define WORKLOAD_COUNTERS 16
#define WORKLOAD_WIDTH    (2 + WORKLOAD_COUNTERS) // seq, ts_ns, counters
#define WORKLOAD_START_NS INT64_C(1792540800000000000)

extern const char *const workload_names[WORKLOAD_COUNTERS];

struct workload_port {
	double packets;  // a second, when the day is at its height
	double size;     // bytes of a packet
	double noise;    // of the level, relative
	double phase;    // of the day
	double level[2]; // what noise remembers, of rx and tx
	uint64_t row[WORKLOAD_WIDTH];
};

struct workload {
	uint64_t state; // of the generator
	struct workload_port ports[WORKLOAD_PORTS];
};

void workload_init(struct workload *, uint64_t seed);

// Take one port or every port to its next second; rows are in ports[i].row.
void workload_step_port(struct workload *, struct workload_port *);
void workload_step(struct workload *);
