// Settings as a table: one line each serves the file and the options.
// SPDX-License-Identifier: MIT
#include "config.h"

#include "text.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DEFAULT_WORKERS 4
#define MAX_WORKERS     64

#define MAX_HISTORY_MEMORY 65536 // MiB
#define LEAST_KEPT_SECONDS 3600
#define MOST_KEPT_SECONDS  3e9

static int set_data(struct config *config, const char *value) {
	if (value[0] == '\0' || strlen(value) >= sizeof(config->data))
		return -EINVAL;
	strcpy(config->data, value);
	return 0;
}

// Several endpoints, apart by blanks; each bound, or connected to when '>' stands before it.
static int set_samples(struct config *config, const char *value) {
	char list[MAX_SAMPLE_SOURCES * (ENDPOINT_SIZE + 1)];
	char *rest = list, *word;

	if (strlen(value) >= sizeof(list))
		return -EINVAL;
	strcpy(list, value);
	while ((word = strsep(&rest, " \t,")) != NULL) {
		bool connects = word[0] == '>';

		if (word[0] == '\0')
			continue;
		if (config->n_samples == MAX_SAMPLE_SOURCES)
			return -EINVAL;
		if (endpoint_set(ENDPOINT_SAMPLES, word + connects,
		                 config->samples[config->n_samples] + connects, NULL) < 0)
			return -EINVAL;
		if (connects)
			config->samples[config->n_samples][0] = '>';
		config->n_samples++;
	}
	return 0;
}

static int set_api(struct config *config, const char *value) {
	return endpoint_set(ENDPOINT_API, value, config->api, NULL);
}

static int set_events(struct config *config, const char *value) {
	return endpoint_set(ENDPOINT_EVENTS, value, config->events, NULL);
}

static int set_accounting(struct config *config, const char *value) {
	if (strcmp(value, "l1") != 0 && strcmp(value, "l2") != 0)
		return -EINVAL;
	config->accounting = value[1] == '1' ? ACCOUNTING_L1 : ACCOUNTING_L2;
	return 0;
}

static int set_log(struct config *config, const char *value) {
	return log_level_parse(value, &config->log);
}

static int set_ratio(struct config *config, const char *value) {
	double ratio;

	if (text_to_real(value, &ratio) < 0 || ratio < 1 || ratio > 1000)
		return -EINVAL;
	config->history_ratio = ratio;
	return 0;
}

static int set_workers(struct config *config, const char *value) {
	uint64_t n;

	if (text_to_u64(value, &n) < 0 || n < 1 || n > MAX_WORKERS)
		return -EINVAL;
	config->workers = (int)n;
	return 0;
}

static int set_history_sync(struct config *config, const char *value) {
	if (strcasecmp(value, "normal") != 0 && strcasecmp(value, "full") != 0)
		return -EINVAL;
	config->history.full_sync = strcasecmp(value, "full") == 0;
	return 0;
}

static int set_history_memory(struct config *config, const char *value) {
	uint64_t mib;

	if (text_to_u64(value, &mib) < 0 || mib < 1 || mib > MAX_HISTORY_MEMORY)
		return -EINVAL;
	config->history.memory = (size_t)mib << 20;
	return 0;
}

static int set_keep(struct config *config, enum history_level level, const char *value) {
	double seconds;

	if (strcasecmp(value, "forever") == 0) {
		config->history.keep_ns[level] = HISTORY_FOREVER;
		return 0;
	}
	if (text_to_seconds(value, &seconds) < 0 || seconds < LEAST_KEPT_SECONDS ||
	    seconds > MOST_KEPT_SECONDS)
		return -EINVAL;
	config->history.keep_ns[level] = (int64_t)seconds * NS_PER_SECOND;
	return 0;
}

static int set_keep_raw(struct config *config, const char *value) {
	return set_keep(config, LEVEL_RAW, value);
}

static int set_keep_1s(struct config *config, const char *value) {
	return set_keep(config, LEVEL_SECOND, value);
}

static int set_keep_1min(struct config *config, const char *value) {
	return set_keep(config, LEVEL_MINUTE, value);
}

static int set_keep_1h(struct config *config, const char *value) {
	return set_keep(config, LEVEL_HOUR, value);
}

static int set_insecure(struct config *config, const char *value) {
	if (strcasecmp(value, "yes") != 0 && strcasecmp(value, "no") != 0)
		return -EINVAL;
	config->insecure = strcasecmp(value, "yes") == 0;
	return 0;
}

static int set_path(char path[static CONFIG_PATH_SIZE], const char *value) {
	if (value[0] == '\0' || strlen(value) >= CONFIG_PATH_SIZE)
		return -EINVAL;
	strcpy(path, value);
	return 0;
}

static int set_curve_key(struct config *config, const char *value) {
	return set_path(config->curve_key, value);
}

static int set_curve_clients(struct config *config, const char *value) {
	return set_path(config->curve_clients, value);
}

static int set_curve_publishers(struct config *config, const char *value) {
	return set_path(config->curve_publishers, value);
}

static int set_alerts(struct config *config, const char *value) {
	return set_path(config->alerts, value);
}

const struct config_setting config_settings[] = {
        {"data",
         "folder of history.db and state.db (default /var/lib/linkcast, else $HOME/.local/share/linkcast)",
         set_data},
        {"samples", "endpoints that take samples: bound, or connected to with '>' before (default ipc)",
         set_samples},
        {"api", "endpoint that answers requests (default ipc)", set_api},
        {"events", "endpoint that publishes (default ipc)", set_events},
        {"accounting",
         "l2 (default): bytes as counted; l1: and 24 bytes a frame for preamble, gap and checksum",
         set_accounting},
        {"log", "error, warning, info (default) or debug", set_log},
        {"history_ratio", "windows of history used for one of forecast, 1 to 1000 (default 10)", set_ratio},
        {"workers", "threads that answer requests, 1 to 64 (default 4)", set_workers},
        {"insecure", "yes: TCP addresses that are not loopback may be bound (default no)", set_insecure},
        {"curve_key", "this daemon's key file (analyticsctl keygen): tcp endpoints then take keys",
         set_curve_key},
        {"curve_clients",
         "allow-list of public keys: lines `KEY role[,role...] name` (publish read admit admin)",
         set_curve_clients},
        {"curve_publishers",
         "public key, or a file with it, of the publishers connected to with '>tcp://...'",
         set_curve_publishers},
        {"alerts", "file that says what is alerted on, and what is done about it (docs/alerts.md)",
         set_alerts},
        {"history_sync",
         "normal (default): a commit survives a crash; full: the loss of power, too, at the price of a sync "
         "each",
         set_history_sync},
        {"history_memory", "MiB of rows that wait to be sealed, in each thread that reads them (default 64)",
         set_history_memory},
        {"keep_raw", "how long rows are kept that are closer than a second, from 1h, or forever (default 2d)",
         set_keep_raw},
        {"keep_1s", "rows a second apart, and steps of 1 s (default 14d)", set_keep_1s},
        {"keep_1min", "steps of 1 min (default 365d)", set_keep_1min},
        {"keep_1h", "steps of 1 h (default forever)", set_keep_1h},
        {NULL, NULL, NULL},
};

void config_init(struct config *config) {
	memset(config, 0, sizeof(*config));
	config->log = LOG_LEVEL_INFO;
	config->workers = DEFAULT_WORKERS;
	config->history_ratio = 10;
}

int config_set(struct config *config, const char *name, const char *value, struct status *status) {
	for (const struct config_setting *setting = config_settings; setting->name != NULL; setting++) {
		if (strcmp(setting->name, name) != 0)
			continue;
		if (setting->set(config, value) == 0)
			return 0;
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s = %s: %s", name, value, setting->help);
	}
	status_set(status, STATUS_INVALID_ARGUMENT, "no setting '%s'", name);
	return -ENOENT;
}

struct reading {
	struct config *config;
	struct status *status;
	int rc;
};

static int take_line(void *context, const char *section, const char *name, const char *value) {
	struct reading *reading = context;

	if (section[0] != '\0')
		return 0;
	reading->rc = config_set(reading->config, name, value, reading->status);
	return reading->rc == 0;
}

int config_read(struct config *config, const char *path, struct status *status) {
	struct reading reading = {.config = config, .status = status};
	FILE *file = fopen(path, "re");
	int line;

	if (file == NULL)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: %s", path, strerror(errno));
	status_set(status, STATUS_INVALID_ARGUMENT, "not a `name = value` line");
	line = ini_parse_file(file, take_line, &reading);
	fclose(file);
	if (line == 0)
		return 0;
	status_prefix(status, "%s, line %d: ", path, line);
	return -EINVAL;
}

int config_environment(struct config *config, struct status *status) {
	static const struct {
		const char *variable, *name;
	} variables[] = {
	        {"LINKCAST_SAMPLES", "samples"},
	        {"LINKCAST_API", "api"},
	        {"LINKCAST_EVENTS", "events"},
	        {"FORECAST_TO_HISTORY_RATIO", "history_ratio"},
	};
	int rc;

	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		const char *value = getenv(variables[i].variable);

		if (value == NULL || value[0] == '\0')
			continue;
		if (strcmp(variables[i].name, "samples") == 0)
			config->n_samples = 0; // instead of the file's, not beside them
		if ((rc = config_set(config, variables[i].name, value, status)) < 0) {
			status_prefix(status, "%s: ", variables[i].variable);
			return rc;
		}
	}
	return 0;
}

static void choose_data(struct config *config) {
	const char *home = getenv("HOME");

	if (geteuid() == 0 || access("/var/lib/linkcast", W_OK) == 0 || home == NULL)
		snprintf(config->data, sizeof(config->data), "/var/lib/linkcast");
	else
		snprintf(config->data, sizeof(config->data), "%s/.local/share/linkcast", home);
}

int config_finish(struct config *config, struct status *status) {
	char fallback[ENDPOINT_SIZE];
	int rc;

	if ((config->curve_key[0] == '\0') != (config->curve_clients[0] == '\0'))
		return status_set(status, STATUS_INVALID_ARGUMENT, "curve_key and curve_clients go together");
	if (config->data[0] == '\0')
		choose_data(config);
	if (config->n_samples == 0 && set_samples(config, endpoint_default(ENDPOINT_SAMPLES, fallback)) < 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "LINKCAST_SAMPLES=%s: not an endpoint",
		                  fallback);
	if (config->api[0] == '\0' && (rc = endpoint_set(ENDPOINT_API, NULL, config->api, status)) < 0)
		return rc;
	if (config->events[0] == '\0' &&
	    (rc = endpoint_set(ENDPOINT_EVENTS, NULL, config->events, status)) < 0)
		return rc;
	return 0;
}

void config_print(FILE *file) {
	fputs("# Settings of analyticsd; options and the environment are stronger. `kill -HUP` takes a new "
	      "log level.\n",
	      file);
	for (const struct config_setting *setting = config_settings; setting->name != NULL; setting++)
		fprintf(file, "\n# %s\n#%s =\n", setting->help, setting->name);
}
