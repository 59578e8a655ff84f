// backend.h: the gateway's way to analyticsd and `pathcomp serve`: requests whose answers come when they come, and
// what is published. One thread, in the caller's loop, which polls the sockets.
// SPDX-License-Identifier: MIT
#pragma once

#include "codec.h"

#include <zmq.h>

#define BACKEND_ITEMS 6

enum backend_service { BACKEND_API, BACKEND_PATH, N_BACKEND_SERVICES };

struct backend;

struct backend_options {
	const char *api, *path, *events; // endpoints
	void (*on_event)(void *context, const char *topic, const void *map, size_t size);
	void *context;
};

// A call's end. 'reply' is the whole answer of a service (with ok false, too), the callee's to close; NULL: there
// was none, for the reason in 'status'.
typedef void (*backend_done)(void *context, struct document *reply, const struct status *status);

// Returns 0 or a negative errno with 'status'. Over tcp with the keys of the environment (keys.h).
int backend_open(const struct backend_options *, struct backend **ret, struct status *status);

// Ends every open call with UNAVAILABLE.
void backend_close(struct backend *);
DEFINE_CLEANUP(struct backend *, backend_close)

// Sends a request. 'done' is called once; at once when nobody is there.
void backend_call(struct backend *, enum backend_service, const struct bytes *request, int timeout_ms,
                  backend_done done, void *context);

// Is the service connected?
bool backend_is_there(const struct backend *, enum backend_service);
bool backend_hears_events(const struct backend *);

// For the caller's loop: fills BACKEND_ITEMS items to poll; backend_run() takes what has arrived and ends calls whose
// time is over; backend_due_ms() tells in how many milliseconds the next one's is (-1: none is open).
void backend_items(struct backend *, zmq_pollitem_t items[static BACKEND_ITEMS]);
void backend_run(struct backend *, int64_t now_ns);
int backend_due_ms(const struct backend *, int64_t now_ns);
