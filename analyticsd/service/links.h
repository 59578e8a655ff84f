// links.h: a link as it is at a moment: capacity, use and state, from what was set and what was measured.
// SPDX-License-Identifier: MIT
#pragma once

#include "worker.h"

struct link_now {
	double total_gbps[N_directions];      // NAN when not known
	double current_gbps[N_directions];    // mean of the last 60 s; NAN when never known
	double background_gbps[N_directions]; // the same without the traffic of admitted services
	double reserved_gbps[N_directions];   // that services hold at this moment
	bool was_held[N_directions];          // by any service at any time
	enum states state;
};

// 'at_ns' is now, or the moment that a request asks about. Returns 0 or a negative errno.
int link_look(struct worker *, const struct link_record *, int64_t at_ns, struct link_now *ret,
              struct status *status);

// Calls 'each' with the link, from a topology or known only by the ports that announced it. Returns 0,
// -ENOENT, or what 'each' returned.
int link_find(struct worker *, const char *link_id, int (*each)(void *context, const struct link_record *),
              void *context, struct status *status);
