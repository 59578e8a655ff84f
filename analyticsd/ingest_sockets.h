// ingest_sockets.h: the sockets of the ingest thread, each bound or connected with the keys that it takes.
// SPDX-License-Identifier: MIT
#pragma once

#include "ingest.h"

#define INGEST_QUEUE "inproc://ingest"
#define RECEIVE_HIGH_WATER                                                                                   \
	4096 // messages of a publisher: what is more waits on its side, and is asked for when it drops

// Zero it before it is opened.
struct ingest_sockets {
	void *samples;   // SUB
	void *events;    // XPUB
	void *calls;     // ROUTER, of other threads
	void *questions; // PUSH, to the router thread
	void *detect;    // PUSH, to the detector, or NULL
	void *context;   // of all of them
	int locks[MAX_SAMPLE_SOURCES + 1];
	size_t n_locks;
};

// Returns 0 or a negative errno with 'status'; what was opened until then is closed by ingest_sockets_close().
int ingest_sockets_open(const struct ingest_options *, void *context, struct ingest_sockets *,
                        struct status *status);

// Connects to the queue of a detector that began anew, or only leaves the last one's. Returns 0 or -ENOMEM.
int ingest_sockets_detect(struct ingest_sockets *, bool detects);

void ingest_sockets_close(struct ingest_sockets *);
