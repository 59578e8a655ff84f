// endpoint.h: where the parts of Linkcast meet, and how one of them takes an address without stealing it.
// SPDX-License-Identifier: MIT
#pragma once

#include "status.h"

#include <stdbool.h>
#include <stddef.h>

#define ENDPOINT_SIZE 256
#define TOPIC_SIZE    640 // sample/<host>/<port name>/

enum endpoint {
	ENDPOINT_SAMPLES, // analyticsd: takes samples (SUB)
	ENDPOINT_API,     // analyticsd: answers requests (ROUTER)
	ENDPOINT_EVENTS,  // analyticsd: publishes (XPUB)
	ENDPOINT_PATH,    // pathcomp serve
	N_ENDPOINTS
};

// The default of an endpoint: $LINKCAST_SAMPLES, _API, _EVENTS or _PATH when set, else ipc in /run/linkcast,
// or in $XDG_RUNTIME_DIR/linkcast where /run/linkcast can't be written. Returns 'text'.
const char *endpoint_default(enum endpoint, char text[static ENDPOINT_SIZE]);

// Takes a value given by a person (NULL or "": the default). Returns 0 or -EINVAL when it is too long or is
// neither ipc://PATH nor tcp://HOST:PORT.
int endpoint_set(enum endpoint, const char *given, char text[static ENDPOINT_SIZE], struct status *status);

// Binds a ZeroMQ socket. An ipc endpoint gets its folder (02770) and socket (0660) made, and is locked, since
// binding an ipc path that another process holds succeeds and steals it; 'ret_lock' is then a descriptor to
// close after the socket, otherwise -1. A TCP address that isn't loopback is refused unless 'insecure'.
// Returns 0, or a negative errno with 'status': -EBUSY when another live process holds the endpoint.
int endpoint_bind(void *socket, const char *endpoint, bool insecure, int *ret_lock, struct status *status);

// Is this tcp endpoint on the loopback interface, or ipc?
bool endpoint_is_local(const char *endpoint);
