// The table of routes, and finding one.
// SPDX-License-Identifier: MIT
#include "routes.h"

#include <strings.h>

// Both services have a Ping.
#define PATH_NAME_PING            "PathPing"
#define PATH_NAME_COMPUTE_PATH    "ComputePath"
#define PATH_NAME_REQUEST_SERVICE "RequestService"

const struct route routes[] = {
#define REQUEST(OP, NAME, REQUEST_MESSAGE, REPLY_MESSAGE, ROLE, HELP)                                        \
	{#NAME,       BACKEND_API, OP_##OP, &REQUEST_MESSAGE##_message, NULL, &REPLY_MESSAGE##_message,      \
	 ROLE_##ROLE, HELP},
#include "requests.def"
#undef REQUEST
#define PATH_REQUEST(OP, NAME, REQUEST_MESSAGE, REPLY_MESSAGE, ROLE, HELP)                                   \
	{PATH_NAME_##OP,                                                                                     \
	 BACKEND_PATH,                                                                                       \
	 PATH_OP_##OP,                                                                                       \
	 &REQUEST_MESSAGE##_message,                                                                         \
	 PATH_OP_##OP == PATH_OP_REQUEST_SERVICE ? &path_query_message : NULL,                               \
	 &REPLY_MESSAGE##_message,                                                                           \
	 ROLE_##ROLE,                                                                                        \
	 HELP},
#include "path_requests.def"
#undef PATH_REQUEST
};
const size_t n_routes = sizeof(routes) / sizeof(routes[0]);

const struct route *route_find(const char *name) {
	for (size_t i = 0; i < n_routes; i++) {
		if (strcasecmp(name, routes[i].name) == 0)
			return &routes[i];
	}
	return NULL;
}

bool route_only_reads(const struct route *route) {
	return route->role == ROLE_ANY || route->role == ROLE_READ;
}
