// peer.h: who asks, and what that key may do. Any thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "message.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>

#define PEER_NAME_SIZE 128
#define PEER_TEXT_SIZE (PEER_NAME_SIZE + 64)

struct peer {
	char name[PEER_NAME_SIZE]; // of the allow-list; "local" without keys
	unsigned roles;            // bit r: role r
};

// "publish,read" to bits. Returns 0 or -EINVAL.
int roles_parse(const char *text, unsigned *ret);

// May the peer do what takes 'role' (or ROLE_ANY)?
bool peer_may(const struct peer *, int role);

// The same for the request named 'op', as its answer says it: 0, or a negative errno with 'status'.
int peer_check(const struct peer *, const char *op, int role, struct status *status);

// The user id that libzmq keeps with each message of a client; "" (there were no keys) may do everything. A text
// that isn't one gives a peer that may do nothing.
void peer_read(const char *user_id, size_t size, struct peer *ret);

// The text that peer_read() reads.
void peer_write(const struct peer *, char text[static PEER_TEXT_SIZE]);

// Writes down who asked for a change (roles admit and admin), of what, and what became of it: 'rc' is what the
// request ended with, 'status' tells it when it is negative. 'body' NULL: it was refused before it was read.
void peer_audit(const struct peer *, const struct request_info *request, const void *body, int rc,
                const struct status *status);
