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

#define BATCH_MAX_NS     INT64_C(1000000000)
#define BATCH_DEFAULT_NS INT64_C(100000000)

#define REPLAY_MAX_SIZE     ((size_t)1 << 40)
#define REPLAY_DEFAULT_SIZE ((size_t)64 << 20)

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
	int64_t batch_ns;   // how long a row may wait for others of its port
	size_t replay_size; // memory for rows that somebody may ask for again
	bool xstats;        // the driver's own statistics and librte_metrics too
	size_t n_links;
	struct link_setting links[SETTINGS_MAX_LINKS];
};

// Defaults, then LINKCAST_API, LINKCAST_INTERVAL_MS, LINKCAST_BATCH_MS, LINKCAST_REPLAY_MIB and
// LINKCAST_XSTATS. A wrong variable is left out and the first of them described in 'status' (-EINVAL); the
// rest holds.
int settings_init(struct settings *, struct status *status);

// "ENDPOINT" to connect to, "@ENDPOINT" to bind; NULL or "" is the default. Return 0 or -EINVAL with
// 'status'; nothing changes then.
int settings_set_samples(struct settings *, const char *text, struct status *status);
int settings_set_server(struct settings *, const char *text, struct status *status);

// "100us" to "60s"; a plain number is milliseconds.
int settings_set_interval(struct settings *, const char *text, struct status *status);

// "0" (each row on its own) to "1s"; a plain number is milliseconds.
int settings_set_batch(struct settings *, const char *text, struct status *status);

// "on" or "off".
int settings_set_xstats(struct settings *, const char *text, struct status *status);

// "0" (hold nothing), "64MiB", "512KiB", "2GiB"; a plain number is MiB.
int settings_set_replay(struct settings *, const char *text, struct status *status);

// Also -ENOBUFS when there are SETTINGS_MAX_LINKS already. A link "-" unsets the port's.
int settings_set_link(struct settings *, const char *port_name, const char *link, struct status *status);

// The link of a port, or NULL.
const char *settings_link(const struct settings *, const char *port_name);

// "host" or "host/prefix", or $LINKCAST_HOST. 'file_prefix' is EAL's, NULL where not known.
int settings_host(const char *file_prefix, char text[static LIMIT_ID_SIZE + 1], struct status *status);
