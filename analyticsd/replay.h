// replay.h: what each publisher's ports have given, what is missing of it, and when to ask for what. No socket and
// no clock of its own: the ingest thread asks replay_next() and sends; one thread.
//
// What is missing is kept in history.db (port_gap), in the transaction of the rows themselves: after a rollback
// replay_forget() makes the file speak again, so a row counts as received only when it is committed.
//
// One question at a time goes to a publisher, MAX_QUESTIONS in all; one that isn't answered is asked again after a
// pause that doubles up to PATIENCE_MAX_NS. A publisher that never said Hello over its DEALER isn't asked.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "clock.h"
#include "gaps.h"
#include "history.h"
#include "message.h"
#include "metrics.h"

#define ROUTE_SIZE      256                 // of a routing id, at most 255 bytes
#define MAX_QUESTIONS   16                  // that wait for an answer, in all
#define MAX_PUBLISHERS  4096                // remembered; the one that was silent longest makes room
#define ASK_DELAY_NS    (200 * NS_PER_MS)   // rows that are on their way come by themselves
#define PATIENCE_NS     (2 * NS_PER_SECOND) // for the first answer
#define PATIENCE_MAX_NS (60 * NS_PER_SECOND)
#define INTERVAL_MAX_NS (60 * NS_PER_SECOND)
#define REPLAY_NEVER_NS INT64_MAX

struct replay;
struct replay_port;

int replay_new(struct history *, struct metrics *, struct replay **ret);
void replay_free(struct replay *);
DEFINE_CLEANUP(struct replay *, replay_free)

// The port of an instance, as history knows it when it is new here. Returns 0 or a negative errno with 'status'.
// It lives until the next call that may forget.
int replay_port(struct replay *, const char *host, uint64_t instance, const char *name, int64_t now_ns,
                struct replay_port **ret, struct status *status);

// A row arrived: 1 when it was missing, 0 when it is there already, or -ENOMEM.
int replay_fill(struct replay *, struct replay_port *, uint64_t seq, int64_t now_ns);

// Writes what is missing of the port to history, when that changed. Returns 0 or a negative errno with 'status'.
int replay_save(struct replay *, struct replay_port *, struct status *status);

// The time between the port's rows as its publisher said; INTERVAL_MAX_NS when it did not.
int64_t replay_interval_ns(const struct replay_port *);

// A publisher's ports are what 'hello' says. 'route' is the routing id of its DEALER, NULL when the hello came
// otherwise. Returns 0 or a negative errno with 'status'.
int replay_hello(struct replay *, const struct hello *, const void *route, size_t route_size, int64_t now_ns,
                 struct status *status);

struct replay_question {
	const void *route;
	size_t route_size;
	struct replay_request request; // lives until the next call
};

// The next question that is due: 1, 0 when there is none now, or a negative errno. It then counts as asked.
int replay_next(struct replay *, int64_t now_ns, struct replay_question *ret, struct status *status);

// When replay_next() should be called again; REPLAY_NEVER_NS while nothing is missing.
int64_t replay_due_ns(const struct replay *);

// Is this an answer to a question that was put to this peer, and does it hold what was asked for, in order? Returns
// 0 with the port, or -EINVAL with 'status'.
int replay_check(struct replay *, const void *route, size_t route_size, const struct replay_rows *,
                 struct replay_port **ret, struct status *status);

// The rows of a checked answer were taken, 'n_new' of them missing before: notes what is gone, and when to go on.
// Returns 0 or a negative errno with 'status'.
int replay_settle(struct replay *, struct replay_port *, const struct replay_rows *, uint64_t n_new,
                  int64_t now_ns, struct status *status);

// Forgets all that was said of ports since the last commit: history speaks again.
void replay_forget(struct replay *);
