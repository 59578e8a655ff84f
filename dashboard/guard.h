// guard.h: who may ask. Pure: texts in, verdict out.
//
// A page of another site can make a browser send requests to addresses that only the browser reaches. Host tells
// such a page that bound its own name to our address (DNS rebinding), Origin and Sec-Fetch-Site tell its scripts and
// forms (Fetch Standard and Fetch Metadata, https://www.w3.org/TR/fetch-metadata/).
// SPDX-License-Identifier: MIT
#pragma once

#include "status.h"

#include <stdbool.h>
#include <stddef.h>

#define GUARD_HOSTS 16

struct guard {
	bool tls;
	const char *token;              // NULL: none is asked for
	const char *hosts[GUARD_HOSTS]; // names under which the gateway is reached, beside those of loopback
	size_t n_hosts;
};

struct guard_request {
	const char *host;          // header; NULL when absent, as the following
	const char *origin;        // header
	const char *fetch_site;    // Sec-Fetch-Site
	const char *authorization; // header
	bool is_public;            // no token needed: the page itself, and whether the gateway lives
};

// Returns 0, or the HTTP status of the refusal (400, 401 or 403) with 'status'.
int guard_check(const struct guard *, const struct guard_request *, struct status *status);

// Is this address (as in --listen, without the port) one that only this machine reaches?
bool guard_is_loopback(const char *address);
