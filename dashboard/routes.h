// routes.h: the requests of wire.md as HTTP: /api/v1/NAME for each line of schema/requests.def and
// path_requests.def. The gateway and the OpenAPI file come from this one table.
// SPDX-License-Identifier: MIT
#pragma once

#include "backend.h"
#include "message.h"

#define API_PREFIX "/api/v1/"

struct route {
	const char *name;
	enum backend_service service;
	int op; // enum op, or enum path_op
	const struct message *request;
	const struct message *beside; // also in the request's map, or NULL
	const struct message *reply;
	int role; // enum roles, or ROLE_ANY
	const char *help;
};

extern const struct route routes[];
extern const size_t n_routes;

// In any case of letters. NULL when there is none.
const struct route *route_find(const char *name);

// May it be asked with GET, as it changes nothing?
bool route_only_reads(const struct route *);
