// sampler.h: from ethdev counters to rows. Only sampler.c knows rte_ethdev.h. One thread at a time, except
// where noted.
// SPDX-License-Identifier: MIT
#pragma once

#include "batch.h"
#include "cleanup.h"
#include "message.h"
#include "metrics.h"
#include "settings.h"
#include "xstats.h"

// A port as it was last read. Ports that are gone stay, so that their last_seq can still be told.
struct sampler_port {
	char name[PORT_NAME_SIZE];
	uint16_t port;
	bool present;  // exists and is started
	uint64_t seq;  // of the last row; 0 before the first
	int64_t ts_ns; // CLOCK_REALTIME of the last row
	struct batch_head head;
	uint64_t counters[N_PORT_COUNTERS];
	uint64_t *extras; // behind the basic counters, as head.columns names them
	size_t n_extras;

	int64_t previous_ts_ns; // of the row before; 0 when there is none in this epoch
	uint64_t previous[N_PORT_COUNTERS];

	int64_t call_ns;   // how long the last call into the driver took
	bool slow;         // so long that the port is read less often
	uint64_t failures; // calls that the driver refused

	struct batch batch; // rows on their way; of the publishing side

	uint32_t resets; // of the gate, when last read
	bool stale;      // the columns have to be read anew
	struct xstats xstats;
	struct metrics metrics;
	int64_t link_read_ns;
	int64_t not_before_ns;
	unsigned int n_slow;
};

struct sampler;

// Called for each new row, which is the state of 'port'.
typedef void (*sampler_row_fn)(void *context, struct sampler_port *port);

// Returns 0, -ENOMEM, or -ENOTSUP when this process has no ethdev library.
int sampler_new(struct sampler **ret);
void sampler_free(struct sampler *);
DEFINE_CLEANUP(struct sampler *, sampler_free)

// Are rows to hold the drivers' own statistics and librte_metrics, from the next reading on? How often the driver
// is asked for the link is up to 'link_interval_ns'.
void sampler_configure(struct sampler *, bool xstats, int64_t link_interval_ns);

// Reads each started port once, at the monotonic time 'now_ns'. Waits for the host's calls a part of the
// interval; returns the number of ports that were left out because the host was busy with ports.
size_t sampler_read(struct sampler *, int64_t now_ns, int64_t interval_ns, sampler_row_fn row, void *context);

// Reads one port once more, when it is started and not slow: the host is about to take its counters away. Returns whether
// there is a row.
bool sampler_read_last(struct sampler *, uint16_t port, int64_t now_ns, int64_t interval_ns,
                       sampler_row_fn row, void *context);

// Every port that was ever read. The pointers are valid until the next sampler_read().
struct sampler_port *const *sampler_ports(const struct sampler *, size_t *ret_n);

// Any thread: is a call into a driver going on? Returns the port, and since when (monotonic), or -ENOENT.
int sampler_reading(const struct sampler *, int64_t *ret_since_ns);

// For the host's own threads: the name of a port that exists. Returns 0 or -ENODEV.
int sampler_port_name(uint16_t port, char name[static PORT_NAME_SIZE]);
