// api.h: /api/v1/NAME: JSON in, a request to analyticsd or pathcomp, its answer as JSON. All of what a request means
// is in schema/ and behind the sockets; nothing is decided here but who may ask.
// SPDX-License-Identifier: MIT
#pragma once

#include "backend.h"
#include "http.h"
#include "routes.h"

struct api {
	struct backend *backend;
	unsigned roles; // bits 1 << ROLE_...: which requests are passed on
};

// Answers an exchange whose path begins with API_PREFIX, at once or later.
void api_handle(struct api *, struct exchange *);

// The frame of a request from the JSON of a client. *ret_id, which the caller frees, is the id that the client gave it,
// or NULL: it stays here. Returns 0, -EINVAL with 'status', or -ENOMEM.
int api_encode(const struct route *, const char *json, size_t size, struct bytes *ret, char **ret_id,
               struct status *status);

// The answer of a service as JSON, which the caller frees. Returns 0, -EINVAL with 'status' when it is none, or
// -ENOMEM. *ret_status is STATUS_OK, or the code of the service's own refusal.
int api_decode(const struct route *, struct document *reply, const char *id, char **ret,
               enum status_code *ret_status, struct status *status);
