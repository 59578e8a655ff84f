// rates.h: from the counters of one port to its rates, and from the rates of ports to the used capacity of
// links. Pure: no clock, no files. One thread at a time.
//
// Only an interval whose two ends belong together gives a rate. A counter reset (another instance or epoch,
// or a counter that fell), a 32-bit wrap, missing rows, a clock that stepped back and a link that was down
// are recognised, left out, and counted by kind; they never show as a negative or giant rate.
// SPDX-License-Identifier: MIT
#pragma once

#include "clock.h"
#include "cleanup.h"
#include "message.h"

#include <stdbool.h>
#include <stdint.h>

#define RATE_INTERVAL_NS  NS_PER_SECOND // a rate is a mean over at least this long
#define ETHERNET_OVERHEAD 24 // bytes of preamble (8), gap (12) and checksum (4) around each frame, for l1

enum accounting { ACCOUNTING_L2, ACCOUNTING_L1 };

enum rate_event {
	RATE_READY,      // an interval is complete
	RATE_WAITING,    // the first reading, or the interval is still shorter than RATE_INTERVAL_NS
	RATE_RESET,      // counters began anew
	RATE_WRAP,       // a 32-bit counter wrapped
	RATE_GAP,        // rows are missing between this one and the one before
	RATE_DOWN,       // the link was down at one of the ends
	RATE_CLOCK_STEP, // time did not advance
	RATE_STALE,      // this row is older than, or the same as, one already seen
	N_RATE_EVENTS
};

// One row of a port.
struct port_reading {
	uint64_t instance, seq;
	int64_t epoch, ts_ns;
	bool up;
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
};

struct port_rate {
	int64_t from_ns, to_ns;
	double rx_gbps, tx_gbps;
};

// Zero it before the first reading.
struct rate_state {
	bool started;
	struct port_reading first, last; // of the interval being measured
};

// Takes the next reading; 'ret' is set when the result is RATE_READY.
enum rate_event rate_advance(struct rate_state *, const struct port_reading *, enum accounting,
                             struct port_rate *ret);

// The mean rate of what was counted in 'ns'.
double rate_gbps(uint64_t bytes, uint64_t packets, enum accounting, int64_t ns);

// How many rows are missing before this reading; 0 when it follows the last one or begins another instance.
uint64_t rate_missing(const struct rate_state *, const struct port_reading *);

// ---- links

struct usage; // the bindings of ports to links, and what each port last showed

struct usage_binding {
	const char *link_id, *host, *name;
	enum ends end;
};

// What a port's rate completed: used capacity of a link and direction.
struct usage_point {
	const char *link_id; // lives until the next usage_bind()
	enum directions direction;
	struct kpi_point point;
};

int usage_new(enum accounting, struct usage **ret);
void usage_free(struct usage *);
DEFINE_CLEANUP(struct usage *, usage_free)

// Replaces all bindings; what is known of ports that stay bound to the same end is kept. Returns 0 or
// -ENOMEM.
int usage_bind(struct usage *, const struct usage_binding *, size_t n);

// Takes one row of a port. 'ret' gets the used capacities that it completed, 'ret_n' how many. Forward is
// what end a sends, or, when no port of end a is bound or heard, what end z receives; a LAG is the sum of its
// ports that are up. 'ret_missing' is how many rows of the port are missing before this one.
enum rate_event usage_advance(struct usage *, const char *host, const char *name, const struct port_reading *,
                              uint64_t *ret_missing, struct usage_point ret[static N_directions],
                              size_t *ret_n);

// The newest row of a port that was taken. Returns false when none was.
bool usage_last(const struct usage *, const char *host, const char *name, uint64_t *ret_instance,
                uint64_t *ret_seq);

// The link that a port is bound to, or NULL; lives until the next usage_bind().
const char *usage_link(const struct usage *, const char *host, const char *name);

// The bindings of one link; 'each' may end the walk with a negative errno, which is returned.
int usage_each_binding(const struct usage *, const char *link_id,
                       int (*each)(void *context, const struct usage_binding *), void *context);
