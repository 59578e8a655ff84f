// door.h: who may subscribe to a samples socket that the plugin binds under CURVE: the one key that it is told. All
// calls on the thread that owns the sockets.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "keys.h"
#include "status.h"

#define DOOR_DOMAIN "samples" // ZAP domain of the socket

struct door;

// Answers libzmq's questions in this context (ZeroMQ RFC 27), before a socket of it is bound. Returns 0 or a negative
// errno with 'status'.
int door_open(void *context, const char key[static KEY_TEXT_SIZE], struct door **ret, struct status *status);
void door_close(struct door *);
DEFINE_CLEANUP(struct door *, door_close)

// To poll for input before door_answer(); -1 where there is no door.
int door_fd(const struct door *);

// Answers who has come. NULL is fine.
void door_answer(struct door *);
