// simulate.h: traffic of a port that was never there, for trying models and detectors on: row by row, any
// length, in constant memory. The same options give the same rows, whatever the machine. One thread.
//
// The sinusoidal profile is the formula of the NFV demo (github.com/aharivel/nfv-ml-demo,
// testpmd_metrics/generate_metrics_sin.py) in UTC: no forecast of it can have a root mean squared error below
// that of its noise, 10,000 / sqrt(12) = 2886.8.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum profile {
#define PROFILE(NAME, HELP) PROFILE_##NAME,
#include "profiles.def"
#undef PROFILE
	N_PROFILES
};

enum fault {
	FAULT_NONE,
#define FAULT(NAME, LEAST, MOST, HELP) FAULT_##NAME,
#include "faults.def"
#undef FAULT
	N_FAULTS
};

struct named {
	const char *name;
	const char *help;
};

extern const struct named profile_names[N_PROFILES];
extern const struct named fault_names[N_FAULTS]; // [FAULT_NONE] is ""

#define SIMULATE_NOMINAL  300000.0 // packets/s that a schedule calls 1
#define SIMULATE_CAPACITY 400000.0 // packets/s above which the port of the failure profile misses packets
#define SIMULATE_START_NS INT64_C(1704067200000000000) // 2024-01-01T00:00:00Z, a Monday

struct simulate_options {
	enum profile profile;
	uint64_t seed;
	int64_t start_ns;           // of the first row
	double step_seconds;        // between rows
	unsigned faults;            // of the failure profile, bit 1 << FAULT_*; 0: all of them
	double fault_every_seconds; // mean time from a repair to the next first sign; 0: 8 h
};

enum sim_state { SIM_NORMAL, SIM_DEGRADING, SIM_FAILED };

// What passed in one second at ts_ns (not since the row before).
struct sim_row {
	int64_t ts_ns;
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
	uint64_t rx_missed, rx_errors, tx_errors, rx_nombuf;
	uint64_t packet_drops; // that a counter shows
	double latency;        // milliseconds
	bool up;
	double offered;       // packets/s that were sent to the port
	enum sim_state state; // of the fault
	enum fault fault;     // that is under way
	bool day;             // 7 to 22 hours
};

struct simulator;

// Returns 0 or -ENOMEM.
int simulator_new(const struct simulate_options *, struct simulator **ret);
void simulator_free(struct simulator *);
DEFINE_CLEANUP(struct simulator *, simulator_free)

void simulator_next(struct simulator *, struct sim_row *ret);

// The demo's labels normal_day and normal_night; for the failure profile normal, degrading and failed.
const char *simulator_label(const struct simulator *, const struct sim_row *row);
