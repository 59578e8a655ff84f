// session.h: what lives from `analytics start` to `analytics stop`: one instance, one thread that samples
// and publishes. Called by the host's threads; none of these waits for a driver, all waits are bounded.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "message.h"
#include "outbox.h"
#include "publisher.h"
#include "settings.h"

#include <stdint.h>

// How long starting and stopping may wait for the thread.
#define SESSION_PATIENCE_NS INT64_C(2000000000)

struct session;

struct session_port {
	uint16_t port;
	char name[PORT_NAME_SIZE];
	char link[LIMIT_ID_SIZE + 1]; // "" for none
	bool present;
	bool up;
	uint32_t speed_mbps;
	uint64_t epoch;
	uint64_t seq;
	int64_t ts_ns;
	int64_t previous_ts_ns; // 0 when there is no row before it in the epoch
	uint64_t counters[N_PORT_COUNTERS];
	uint64_t previous[N_PORT_COUNTERS];
	int64_t call_ns;
	bool slow;
	uint64_t failures;
	size_t n_values; // of a row
};

// The state as the thread last told it.
struct session_view {
	uint64_t instance;
	int64_t interval_ns;
	uint64_t ticks;
	uint64_t missed;    // ticks that passed unused, because the thread was late
	uint64_t late;      // ticks that were used, but later than a tenth of the interval
	int64_t latest_ns;  // the worst of them
	uint64_t effort_ns; // CPU time of reading and sending, without the kernel's part in waking the thread
	uint64_t busy;      // reads left out, because the host worked on ports
	int64_t age_ns;     // of this view
	int reading_port;   // the thread is in this port's driver, -1: in none
	int64_t reading_ns; // for how long
	struct publisher_state publisher;
	struct outbox_state outbox;
	size_t n_ports;
	struct session_port *ports;
};

// Starts publishing as 'host'. Returns 0, or a negative errno with 'status'.
int session_start(const struct settings *, const char *host, struct session **ret, struct status *status);

// Takes a last row of each port, sends what waits and a last hello, serves a server that still asks for rows a
// moment longer, ends the thread and frees the session.
// Returns 0, or -ETIMEDOUT when the thread hangs in a driver: the session is still there, ends as soon as the
// driver returns, and session_stop() may be called again.
int session_stop(struct session *);

// The host is about to take a port's counters away: takes a last row of it and sends what waits. Waits for that
// SESSION_LAST_ROW_NS at most, and not at all while the thread still owes an earlier one. Safe in a signal handler; one
// caller at a time.
#define SESSION_LAST_ROW_NS INT64_C(100000000)
void session_take_last_row(struct session *, uint16_t port);

// The settings from now on; only the endpoint of the samples stays.
void session_configure(struct session *, const struct settings *);

// Returns 0 or -ENOMEM; free the view with session_view_fini().
int session_look(struct session *, struct session_view *ret);
void session_view_fini(struct session_view *);
