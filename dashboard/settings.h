// settings.h: what the gateway is told: options, then the environment, then defaults.
// SPDX-License-Identifier: MIT
#pragma once

#include "endpoint.h"
#include "gateway.h"
#include "log.h"

#include <limits.h>

#define SETTINGS_ADDRESS_SIZE 256
#define SETTINGS_TOKEN_SIZE   512

struct settings {
	char address[SETTINGS_ADDRESS_SIZE];
	uint16_t port;
	char api[ENDPOINT_SIZE], path[ENDPOINT_SIZE], events[ENDPOINT_SIZE];
	char page[PATH_MAX];
	char hosts[GUARD_HOSTS][SETTINGS_ADDRESS_SIZE];
	size_t n_hosts;
	char token_file[PATH_MAX], certificate_file[PATH_MAX], key_file[PATH_MAX];
	char token[SETTINGS_TOKEN_SIZE];
	char *certificate, *key; // what is in the files
	unsigned roles, connections;
	double rate;
	struct observer_options observer;
	enum log_level log;
};

struct setting {
	const char *name;     // --NAME, and $LINKCAST_DASHBOARD_NAME
	const char *argument; // for people
	const char *help;
	bool is_list; // may be given again; the first replaces what the environment says
	int (*set)(struct settings *, const char *value);
	void (*clear)(struct settings *); // of a list
};
extern const struct setting settings_table[]; // ends with a name of NULL

void settings_init(struct settings *);
void settings_fini(struct settings *);

// Returns 0, or -EINVAL with 'status'.
int settings_set(struct settings *, const struct setting *, const char *value, struct status *status);

// $LINKCAST_DASHBOARD_LISTEN and so on; lists are apart by commas. Returns 0, or -EINVAL with 'status'.
int settings_environment(struct settings *, struct status *status);

// Reads token, certificate and key, and refuses an address that other machines reach without both. Returns 0 or a
// negative errno with 'status'.
int settings_finish(struct settings *, struct status *status);

// The options point into the settings.
void settings_options(const struct settings *, struct gateway_options *ret);
