// ports.h: the newest row of each port, exact, from the samples that analyticsd publishes again.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "message.h"

#define PORTS_MOST    65536
#define PORTS_KEPT_NS INT64_C(180000000000) // three of the longest intervals: what is older is no news

struct port_state {
	char *host, *name, *link; // link may be NULL
	bool up;
	int64_t speed_mbps;
	char **names;
	uint64_t *values;
	size_t n_names;
	int64_t heard_ns; // monotonic
};

struct ports;

int ports_new(struct ports **ret);
void ports_free(struct ports *);
DEFINE_CLEANUP(struct ports *, ports_free)

// Returns 0 or -ENOMEM; -EMFILE: there are PORTS_MOST already.
int ports_take(struct ports *, const struct sample *, int64_t now_ns);

// Forgets the ports not heard since PORTS_KEPT_NS, then gives the rest in order of host and name. The array is the
// caller's to free, its elements stay in place until the next call. Returns 0 or -ENOMEM.
int ports_list(struct ports *, int64_t now_ns, const struct port_state ***ret, size_t *ret_n);
