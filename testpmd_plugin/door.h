// door.h: who may subscribe to a samples socket that the plugin binds under CURVE: the one key that it is told. All
// calls on the thread that owns the sockets.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "keys.h"
#include "status.h"

#include <stdint.h>

#define DOOR_DOMAIN "samples" // ZAP domain of the socket

struct door;

// Answers libzmq's questions about who comes to 'guarded' (ZeroMQ RFC 27), a socket of the context that is not bound
// yet. Returns 0 or a negative errno with 'status'.
int door_open(void *context, void *guarded, const char key[static KEY_TEXT_SIZE], struct door **ret,
              struct status *status);

// After zmq_close() of the guarded socket, which goes on behind the call: answers those who were still about to come in
// until it is gone, for 'patience_ns' at most. While it is there the door must stay: without one libzmq lets everybody
// in, or aborts the process when the door goes during a question. Returns 0 or -ETIMEDOUT. NULL is fine.
int door_see_out(struct door *, int64_t patience_ns);

// Never before door_see_out() was 0.
void door_close(struct door *);
DEFINE_CLEANUP(struct door *, door_close)

// To poll for input before door_answer(); -1 where there is no door.
int door_fd(const struct door *);

// Answers who has come. NULL is fine.
void door_answer(struct door *);
