// config.h: the daemon's settings. Precedence: option, environment, config file, default.
// SPDX-License-Identifier: MIT
#pragma once

#include "endpoint.h"
#include "history.h"
#include "ingest.h"
#include "log.h"

#include <stdbool.h>
#include <stdio.h>

#define CONFIG_PATH_SIZE 4096

struct config {
	char data[CONFIG_PATH_SIZE]; // folder of history.db and state.db
	char samples[MAX_SAMPLE_SOURCES][ENDPOINT_SIZE + 1];
	size_t n_samples;
	char api[ENDPOINT_SIZE], events[ENDPOINT_SIZE];
	enum accounting accounting;
	enum log_level log;
	double history_ratio;
	struct history_options history; // what is 0 has its default
	int workers;
	bool insecure;
	char curve_key[CONFIG_PATH_SIZE], curve_clients[CONFIG_PATH_SIZE]; // "": no keys
	char curve_publishers[CONFIG_PATH_SIZE];
	char alerts[CONFIG_PATH_SIZE]; // "": defaults
};

// Defaults.
void config_init(struct config *);

// Sets one setting by its name in the config file. Returns 0, -ENOENT for an unknown name, or -EINVAL with
// 'status'.
int config_set(struct config *, const char *name, const char *value, struct status *status);

// Reads an INI file of `name = value` lines. Returns 0 or a negative errno with 'status', which names the line.
int config_read(struct config *, const char *path, struct status *status);

// Takes LINKCAST_SAMPLES, LINKCAST_API, LINKCAST_EVENTS and FORECAST_TO_HISTORY_RATIO, over what the file said. Returns
// 0 or -EINVAL with 'status', which names the variable.
int config_environment(struct config *, struct status *status);

// Fills what was left open: the default endpoints, the data folder. 0 or -EINVAL with
// 'status'.
int config_finish(struct config *, struct status *status);

// Writes a config file in which each setting is a comment, with what it means.
void config_print(FILE *);

// Name, default and meaning of each setting, for --help and the documentation; ends with a NULL name.
struct config_setting {
	const char *name;
	const char *help;
	int (*set)(struct config *, const char *value);
};
extern const struct config_setting config_settings[];
