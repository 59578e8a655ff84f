// settings.h: what a person can set, at the prompt or by environment.
// SPDX-License-Identifier: MIT
#pragma once

#include "endpoint.h"
#include "message.h"

#include <stddef.h>
#include <stdint.h>

#define INTERVAL_MIN_NS     INT64_C(100000)
#define INTERVAL_MAX_NS     INT64_C(60000000000)
#define INTERVAL_DEFAULT_NS INT64_C(1000000000)

#define PORT_NAME_SIZE     64
#define SETTINGS_MAX_LINKS 256

struct link_setting {
	char port_name[PORT_NAME_SIZE];
	char link[LIMIT_ID_SIZE + 1];
};

// A plain value: sessions keep a copy.
struct settings {
	char samples[ENDPOINT_SIZE]; // where samples go
	bool bind;                   // the plugin binds it, subscribers come
	char server[ENDPOINT_SIZE];  // where analyticsd answers
	int64_t interval_ns;
	size_t n_links;
	struct link_setting links[SETTINGS_MAX_LINKS];
};

// Defaults, then LINKCAST_API and LINKCAST_INTERVAL_MS. A wrong variable is left out and described in
// 'status'
// (-EINVAL); the rest holds.
int settings_init(struct settings *, struct status *status);

// "ENDPOINT" to connect to, "@ENDPOINT" to bind; NULL or "" is the default. Return 0 or -EINVAL with
// 'status'; nothing changes then.
int settings_set_samples(struct settings *, const char *text, struct status *status);
int settings_set_server(struct settings *, const char *text, struct status *status);

// "100us" to "60s"; a plain number is milliseconds.
int settings_set_interval(struct settings *, const char *text, struct status *status);

// Also -ENOBUFS when there are SETTINGS_MAX_LINKS already.
int settings_set_link(struct settings *, const char *port_name, const char *link, struct status *status);

// The link of a port, or NULL.
const char *settings_link(const struct settings *, const char *port_name);

// "host" or "host/prefix", or $LINKCAST_HOST. 'file_prefix' is EAL's, NULL where not known.
int settings_host(const char *file_prefix, char text[static LIMIT_ID_SIZE + 1], struct status *status);
