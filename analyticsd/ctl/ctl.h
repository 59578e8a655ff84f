// ctl.h: what every command of analyticsctl has: where the service is, how to ask it, how to answer.
// SPDX-License-Identifier: MIT
#pragma once

#include "client.h"
#include "endpoint.h"

struct ctl {
	char api[ENDPOINT_SIZE];
	char events[ENDPOINT_SIZE];
	bool json;
	int64_t now_ns;        // what "now" and "+6h" mean, for the whole run
	struct client *client; // NULL before the first request
};

void ctl_fini(struct ctl *);

// As client_call(). The first request is preceded by a Ping, so that a service which isn't there is told
// within CLIENT_TIMEOUT_MS, while one that works on a long forecast is given CTL_TIMEOUT_MS.
#define CTL_TIMEOUT_MS 120000
int ctl_call(struct ctl *, enum op op, const void *request, void *reply, struct document **ret_document,
             struct status *status);

// Prints one body as JSON on stdout. Returns 0 or -ENOMEM.
int ctl_print_json(const struct message *, const void *body);

// Replies that lists point into: they live as long as the lists.
struct replies {
	struct document **documents;
	size_t n;
};

// Takes over 'document', also when it fails. Returns 0 or -ENOMEM.
int replies_keep(struct replies *, struct document *document);
void replies_fini(struct replies *);

// Makes room for 'n_more' elements behind the 'n' of '*array'. Returns 0 or -ENOMEM.
int array_grow(void **array, size_t n, size_t n_more, size_t element_size);

// The page to ask for after a reply: 'next' when it goes forward, else -EBADMSG, since it would never end.
int page_after(int64_t page, int64_t next, int64_t *ret, struct status *status);
