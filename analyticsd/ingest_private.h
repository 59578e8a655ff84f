// ingest_private.h: what the files of the ingest thread share.
//
//     ingest.c        the thread: samples in, transactions, events
//     ingest_derive.c what follows from them
//     ingest_calls.c  what other threads ask of it
//     ingest_upload.c files and series that come in parts
// SPDX-License-Identifier: MIT
#pragma once

#include "bindings.h"
#include "history.h"
#include "ingest.h"
#include "ingest_sockets.h"
#include "rates.h"
#include "replay.h"
#include "state.h"

#include <pthread.h>
#include <stdbool.h>

// What the open transaction will have stored.
struct tally {
	uint64_t rows, usage_points;
};

struct ingest {
	struct ingest_sockets sockets;
	struct history *history;
	struct state *state;
	struct usage *usage;
	enum accounting accounting;
	struct replay *replay;
	struct announcements *announcements;
	struct metrics *metrics;
	int stop_fd;
	bool writing; // a transaction is open
	struct tally tally;
	int64_t begun_mono_ns;
	int64_t maintain_mono_ns;   // next step of maintenance
	int64_t complained_mono_ns; // errors of the store are said once a minute
	pthread_t thread;
};

// ---- the transaction: all return 0 or a negative errno with 'status'

int ingest_begin(struct ingest *, struct status *status); // nothing when one is open
int ingest_commit(struct ingest *, struct status *status);

// Something could not be written: nothing since the last commit counts, and what was in it is asked for again.
void ingest_abandon(struct ingest *);

// Counts an error of the store, and says it once a minute.
void ingest_complain(struct ingest *, const struct status *status);

// ---- what came

enum origin { PUBLISHED, REPLAYED };

// A sample that was checked. 'ret_new' is how many of its rows were missing.
int ingest_take_sample(struct ingest *, const struct sample *, enum origin, uint64_t *ret_new,
                       struct status *status);
int ingest_take_hello(struct ingest *, const struct hello *, const void *route, size_t route_size,
                      struct status *status);
int ingest_rebind(struct ingest *, struct status *status);

// Sends never wait: a subscriber that is too slow loses messages, as PUB does.
void ingest_publish(struct ingest *, const char *topic, const void *frame, size_t size);

// ---- ingest_derive.c

// Rows that came in order go on where their port is; around the others it is derived anew, in order. 'interval_ns' is
// that of the port, 0 when not known. Returns 0 or a negative errno.
int ingest_derive(struct ingest *, const struct sample *, enum origin, int64_t interval_ns,
                  struct status *status);

// ---- ingest_calls.c

void ingest_take_calls(struct ingest *);
