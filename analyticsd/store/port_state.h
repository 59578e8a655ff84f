// port_state.h: what a writer of history remembers of each port, so that a row that follows costs no statement; with an empty
// name, of a publisher.
// SPDX-License-Identifier: MIT
#pragma once

#include "history_private.h"

#include <uthash.h>

struct instance_state {
	uint64_t instance, newest_seq; // that is stored; 0: none
};

// Small, as a look at each is made with each row.
struct port_state {
	int64_t port_id;
	// what the table says
	int64_t port, speed_mbps;
	uint64_t instance, last_seq;
	char *link; // or NULL
	struct instance_state *instances;
	size_t n_instances;
	const struct name_set *names; // of the sample before
	struct open_series *open;
	uint64_t heard_instance; // of a publisher
	int64_t heard_ns;        // as it was written
	UT_hash_handle hh;
	char key[]; // host, newline, name
};

// Those of a handle; a table without any is NULL.
struct port_state *port_state_find(struct port_state *table, const char *host, const char *name);
struct port_state *port_state_new(const char *host, const char *name); // NULL without memory
void port_state_add(struct port_state **table, struct port_state *);   // one that is not there yet
void port_state_free(struct port_state *);                             // one that was never added

// Notes a seq of an instance that is stored; 0: none. Returns the instance's place, or -ENOMEM.
int port_state_note(struct port_state *, uint64_t instance, uint64_t seq);
