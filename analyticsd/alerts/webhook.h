// webhook.h: the request of a webhook: a POST of JSON that the receiver can check. Only webhook.c and actions.c know
// libcurl.
//
// X-Linkcast-Signature is "sha256=" and the hex HMAC-SHA256 (RFC 2104), under the action's secret, of the value of
// X-Linkcast-Timestamp (Unix seconds), a dot, and the body. X-Linkcast-Delivery is the same each time that one event is
// tried again, so that the receiver may take it once.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "settings.h"

#include <stdint.h>

#define SIGNATURE_SIZE 72 // "sha256=", 64 digits, NUL

// Returns 0 or -EIO.
int webhook_sign(const char *secret, int64_t now_s, const char *body, char ret[static SIGNATURE_SIZE]);

struct webhook;

// A prepared request; 'body' must outlive it. Its CURL handle goes into a multi handle. Returns 0, -ENOMEM or -EIO.
int webhook_new(const struct action *, const char *delivery, const char *body, int64_t now_s,
                struct webhook **ret);
void webhook_free(struct webhook *); // must be out of the multi handle
DEFINE_CLEANUP(struct webhook *, webhook_free)
void *webhook_handle(const struct webhook *); // CURL *

// After it ended with 'result' (a CURLcode): was it taken (a status of 2xx)? 'text' gets what happened.
bool webhook_ended(const struct webhook *, int result, char *text, size_t size);
