// gateway.h: everything together, on one thread: HTTP on one side, analyticsd and `pathcomp serve` on the other.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "guard.h"
#include "observer.h"

#include <stdint.h>

struct gateway;

struct gateway_options {
	const char *address;             // to listen at
	uint16_t port;                   // 0: any free one
	const char *api, *path, *events; // endpoints; NULL: the defaults
	const char *page;                // folder of the page
	const char *certificate, *key;   // PEM text, or NULL
	struct guard guard;
	unsigned roles; // bits of enum roles
	unsigned connections;
	double rate;
	struct observer_options observer;
};

// The options' texts must stay. Returns 0 or a negative errno with 'status'.
int gateway_open(const struct gateway_options *, struct gateway **ret, struct status *status);
void gateway_close(struct gateway *);
DEFINE_CLEANUP(struct gateway *, gateway_close)

uint16_t gateway_port(const struct gateway *);

// As http_add_connection().
int gateway_add_connection(struct gateway *, int socket);

// Waits for something to do, at most 'timeout_ms' (-1: as long as it takes), and does it. 'stop_fd' (-1: none) ends the
// waiting: returns whether it is readable.
bool gateway_turn(struct gateway *, int stop_fd, int timeout_ms);
