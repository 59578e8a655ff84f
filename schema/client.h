// client.h: one caller of a REQ/REP service (analyticsd's API, pathcomp serve). One thread at a time.
// SPDX-License-Identifier: MIT
#pragma once

#include "codec.h"

#define CLIENT_TIMEOUT_MS 2000 // to say "does not answer"; a service that works on something is given longer

struct client;

// Prepares a connection, over tcp with the keys of the environment (keys.h); whether somebody is there shows at
// the first call. Returns 0, -ENOMEM, or another negative errno with 'status'.
int client_open(const char *endpoint, int timeout_ms, struct client **ret, struct status *status);
void client_close(struct client *);
DEFINE_CLEANUP(struct client *, client_close)

// Sends a request and reads its reply into 'reply', a structure of the operation's reply message, whose
// memory is 'ret_document' (the caller closes it). Returns 0, or a negative errno with 'status': the
// service's own error, or -EHOSTUNREACH (UNAVAILABLE) when nothing answered in time, when nobody was there for
// CLIENT_TIMEOUT_MS, or as soon as the connection ends under the request; the client can be used again after
// either.
int client_call(struct client *, enum op op, const void *request, void *reply, struct document **ret_document,
                struct status *status);
