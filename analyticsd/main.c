// analyticsd: settings, start, wait for a signal, stop. What it does is in ingest.c, service/ and models/.
// SPDX-License-Identifier: MIT
#include "alerts.h"
#include "config.h"
#include "keys.h"
#include "lock.h"
#include "same_file.h"
#include "service.h"
#include "state.h"
#include "supervisor.h"
#include "zap.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>
#include <zmq.h>

// argp looks for it from its own library
__attribute__((visibility("default"))) const char *argp_program_version = "analyticsd " LINKCAST_VERSION;

enum {
	EXIT_WRONG_USAGE = 2,
	KEY_INSECURE = 0x100,
	KEY_ACCOUNTING,
	KEY_WORKERS,
	KEY_LOG,
	KEY_CURVE_KEY,
	KEY_CURVE_CLIENTS,
	KEY_ALERTS,
	KEY_PRINT_CONFIG
};

static const struct argp_option options[] = {
        {"config", 'c', "FILE", 0, "read settings from FILE", 0},
        {"data", 'd', "DIR", 0, "folder of history.db and state.db", 0},
        {"samples", 's', "ENDPOINT", 0, "bind ENDPOINT for samples; '>ENDPOINT' connects; may be given again",
         0},
        {"api", 'a', "ENDPOINT", 0, "answer requests at ENDPOINT", 0},
        {"events", 'e', "ENDPOINT", 0, "publish at ENDPOINT", 0},
        {"accounting", KEY_ACCOUNTING, "l1|l2", 0,
         "count bytes with (l1) or without (l2) the Ethernet overhead", 0},
        {"workers", KEY_WORKERS, "N", 0, "threads that answer requests", 0},
        {"log", KEY_LOG, "LEVEL", 0, "error, warning, info or debug", 0},
        {"curve-key", KEY_CURVE_KEY, "FILE", 0, "this daemon's key: tcp endpoints then take keys", 0},
        {"curve-clients", KEY_CURVE_CLIENTS, "FILE", 0, "public keys of clients, and what each may do", 0},
        {"alerts", KEY_ALERTS, "FILE", 0, "what is alerted on, and what is done about it", 0},
        {"print-config", KEY_PRINT_CONFIG, NULL, 0, "print a config file that tells every setting, and end",
         0},
        {"insecure", KEY_INSECURE, NULL, 0, "allow TCP addresses that are not loopback", 0},
        {0},
};

static const struct {
	int key;
	const char *name;
} option_settings[] = {
        {'d', "data"},
        {'s', "samples"},
        {'a', "api"},
        {'e', "events"},
        {KEY_ACCOUNTING, "accounting"},
        {KEY_WORKERS, "workers"},
        {KEY_LOG, "log"},
        {KEY_INSECURE, "insecure"},
        {KEY_CURVE_KEY, "curve_key"},
        {KEY_CURVE_CLIENTS, "curve_clients"},
        {KEY_ALERTS, "alerts"},
};

// Options are kept until the config file was read, since they come before it.
struct command_line {
	const char *config_path;
	struct {
		const char *name, *value;
	} settings[MAX_SAMPLE_SOURCES + 16];
	size_t n;
};

static error_t parse_option(int key, char *argument, struct argp_state *state) {
	struct command_line *line = state->input;

	if (key == 'c') {
		line->config_path = argument;
		return 0;
	}
	if (key == KEY_PRINT_CONFIG) {
		config_print(stdout);
		exit(EXIT_SUCCESS);
	}
	if (key == ARGP_KEY_ARG)
		argp_error(state, "unexpected '%s'", argument);
	for (size_t i = 0; i < sizeof(option_settings) / sizeof(option_settings[0]); i++) {
		if (option_settings[i].key != key)
			continue;
		if (line->n == sizeof(line->settings) / sizeof(line->settings[0]))
			argp_error(state, "too many options");
		line->settings[line->n].name = option_settings[i].name;
		line->settings[line->n++].value = argument != NULL ? argument : "yes";
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int read_settings(const struct command_line *line, struct config *config, struct status *status) {
	bool own_samples = false;
	int rc;

	config_init(config);
	if (line->config_path != NULL && (rc = config_read(config, line->config_path, status)) < 0)
		return rc;
	if ((rc = config_environment(config, status)) < 0)
		return rc;
	for (size_t i = 0; i < line->n; i++) {
		// the first --samples replaces the list of file and environment, the next ones add to it
		if (strcmp(line->settings[i].name, "samples") == 0 && !own_samples) {
			own_samples = true;
			config->n_samples = 0;
		}
		if (config_set(config, line->settings[i].name, line->settings[i].value, status) < 0)
			return -EINVAL;
	}
	return config_finish(config, status);
}

// ---- running

struct daemon {
	struct command_line command_line;
	struct config config;
	char history_path[CONFIG_PATH_SIZE + 16], state_path[CONFIG_PATH_SIZE + 16],
	        lock_path[CONFIG_PATH_SIZE + 16];
	struct metrics metrics;
	struct keypair keys;
	char publisher_key[KEY_TEXT_SIZE];
	struct ingest_options ingest_options;
	struct service_options service_options;
	struct alert_settings *alert_settings;
	struct stat alerts_file; // as it was when it was read; zero without one
	struct alerts *alerts;
	void *context;
};

static int make_data_folder(const char *path, struct status *status) {
	char parent[CONFIG_PATH_SIZE];

	snprintf(parent, sizeof(parent), "%s", path);
	for (char *slash = strchr(parent + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(parent, 0755);
		*slash = '/';
	}
	if (mkdir(path, 0750) < 0 && errno != EEXIST)
		return status_set(status, STATUS_UNAVAILABLE, "cannot make %s: %s", path, strerror(errno));
	return 0;
}

static int lock_data_folder(struct daemon *daemon, struct status *status) {
	int lock = lock_take(daemon->lock_path);

	if (lock == -EBUSY)
		return status_set(status, STATUS_FAILED_PRECONDITION, "%s is in use by another analyticsd",
		                  daemon->config.data);
	if (lock < 0)
		return status_set(status, STATUS_UNAVAILABLE, "%s: %s", daemon->lock_path, strerror(-lock));
	return lock;
}

// state.db exists before others open it to read.
static int prepare_state(const char *path, struct status *status) {
	struct state *state;
	int rc = state_open(path, true, &state, status);

	if (rc == 0)
		state_close(state);
	return rc;
}

static void set_options(struct daemon *daemon) {
	struct config *config = &daemon->config;

	daemon->ingest_options = (struct ingest_options){
	        .history_path = daemon->history_path,
	        .history = config->history,
	        .state_path = daemon->state_path,
	        .n_samples = config->n_samples,
	        .events = config->events,
	        .accounting = config->accounting,
	        .insecure = config->insecure,
	        .detects = !daemon->alert_settings->is_off,
	        .keys = config->curve_key[0] != '\0' ? &daemon->keys : NULL,
	        .publisher_key = config->curve_publishers[0] != '\0' ? daemon->publisher_key : NULL,
	};
	for (size_t i = 0; i < config->n_samples; i++)
		daemon->ingest_options.samples[i] = config->samples[i];
	daemon->service_options = (struct service_options){
	        .history_path = daemon->history_path,
	        .state_path = daemon->state_path,
	        .api = config->api,
	        .insecure = config->insecure,
	        .keys = config->curve_key[0] != '\0' ? &daemon->keys : NULL,
	        .n_workers = config->workers,
	        .history_ratio = config->history_ratio,
	        .accounting = config->accounting,
	};
}

static int read_alerts(struct daemon *daemon, struct status *status) {
	(void)stat(daemon->config.alerts, &daemon->alerts_file);
	return alert_settings_read(daemon->config.alerts, &daemon->alert_settings, status);
}

static int read_keys(struct daemon *daemon, struct status *status) {
	const struct config *config = &daemon->config;
	int rc;

	if (config->curve_publishers[0] != '\0' &&
	    (rc = key_read_public(config->curve_publishers, daemon->publisher_key, status)) < 0) {
		status_prefix(status, "curve_publishers: ");
		return rc;
	}
	return config->curve_key[0] != '\0' ? keypair_read(config->curve_key, &daemon->keys, status) : 0;
}

// ---- at SIGHUP: what can change while the daemon works

static int call_ingest(const struct daemon *daemon, struct ingest_call *call) {
	void *caller = ingest_caller(daemon->context);
	int rc;

	if (caller == NULL)
		return -ENOMEM;
	rc = ingest_call(caller, call);
	zmq_close(caller);
	return rc;
}

static int start_alerts(struct daemon *daemon, struct status *status) {
	struct alerts_options alerts = {daemon->history_path, daemon->state_path, daemon->alert_settings};

	return alerts_start(&alerts, daemon->context, &daemon->metrics, &daemon->alerts, status);
}

// Its threads begin anew, as after a restart, which interrupts the programs that they run: only for another file.
static int reload_alerts(struct daemon *daemon, const char *path, struct status *status) {
	struct ingest_call call = {.task = INGEST_DETECT};
	struct alert_settings *settings = NULL;
	struct stat now = {0};
	int rc;

	(void)stat(path, &now);
	if (daemon->alerts != NULL && strcmp(path, daemon->config.alerts) == 0 &&
	    same_file(&now, &daemon->alerts_file))
		return 0;
	if ((rc = alert_settings_read(path, &settings, status)) < 0)
		return rc;
	alerts_stop(daemon->alerts);
	daemon->alerts = NULL;
	alert_settings_free(daemon->alert_settings);
	daemon->alert_settings = settings;
	if ((rc = start_alerts(daemon, status)) < 0) {
		status_prefix(status, "alerts stand still until the next SIGHUP: ");
		return rc;
	}
	call.detects = !settings->is_off;
	if ((rc = call_ingest(daemon, &call)) < 0) {
		alerts_stop(daemon->alerts);
		daemon->alerts = NULL; // nothing comes to them: tried again at the next one
		return rc;
	}
	snprintf(daemon->config.alerts, sizeof(daemon->config.alerts), "%s", path);
	daemon->alerts_file = now;
	log_info("the alerts file was read again");
	return 0;
}

static int reload_keep(struct daemon *daemon, const struct config *config) {
	struct ingest_call call = {.task = INGEST_KEEP, .keep_ns = config->history.keep_ns};

	return call_ingest(daemon, &call);
}

static void reload(void *context) {
	struct daemon *daemon = context;
	struct config config;
	struct status status = {.code = STATUS_INTERNAL, .message = "out of memory"};

	if (read_settings(&daemon->command_line, &config, &status) < 0 ||
	    reload_alerts(daemon, config.alerts, &status) < 0 || reload_keep(daemon, &config) < 0) {
		log_error("settings stay as they are: %s", status.message);
		return;
	}
	log_set_level(config.log);
	log_info("settings read again: log level, alerts and how long history is kept; others change at the "
	         "next start");
}

static void say_where(const struct config *config) {
	log_info("data in %s", config->data);
	for (size_t i = 0; i < config->n_samples; i++)
		log_info("samples at %s", config->samples[i]);
	log_info("api at %s", config->api);
	log_info("events at %s", config->events);
	log_info("ready");
}

static int run(struct daemon *daemon, const sigset_t *signals, struct status *status) {
	struct ingest *ingest = NULL;
	struct service *service = NULL;
	struct zap *zap = NULL;
	int lock, rc, number;
	void *context;

	if ((rc = read_keys(daemon, status)) < 0 || (rc = make_data_folder(daemon->config.data, status)) < 0)
		return rc;
	lock = lock_data_folder(daemon, status);
	if (lock < 0)
		return lock;
	context = zmq_ctx_new();
	rc = context != NULL ? prepare_state(daemon->state_path, status) : -ENOMEM;
	if (rc < 0)
		goto out;
	if (daemon->config.curve_key[0] != '\0' &&
	    (rc = zap_start(daemon->config.curve_clients, context, &zap, status)) < 0)
		goto out;
	if ((rc = ingest_start(&daemon->ingest_options, context, &daemon->metrics, &ingest, status)) < 0)
		goto out;
	if ((rc = service_start(&daemon->service_options, context, &daemon->metrics, &service, status)) < 0)
		goto out;
	daemon->context = context;
	if ((rc = start_alerts(daemon, status)) < 0)
		goto out;
	keypair_wipe(&daemon->keys); // the sockets have it

	say_where(&daemon->config);
	number = supervise(context, signals, reload, daemon);
	log_info("stopping on %s", strsignal(number));
out:
	alerts_stop(daemon->alerts); // asks the service and calls ingest
	service_stop(service);       // its workers call ingest, so it ends first
	ingest_stop(ingest);
	zap_stop(zap);
	keypair_wipe(&daemon->keys);
	if (context != NULL)
		zmq_ctx_term(context);
	close(lock);
	return rc;
}

int main(int argc, char **argv) {
	static const struct argp argp = {
	        options,
	        parse_option,
	        NULL,
	        "Stores DPDK port counters, forecasts the capacity of links, and answers requests.\v"
	        "Settings come from options, then the environment (LINKCAST_SAMPLES, LINKCAST_API, "
	        "LINKCAST_EVENTS, "
	        "FORECAST_TO_HISTORY_RATIO), then the config file, then defaults.",
	        NULL,
	        NULL,
	        NULL};
	static struct daemon daemon;
	struct status status = {.code = STATUS_INTERNAL, .message = ""};
	sigset_t signals;
	int rc;

	log_init("analyticsd", LOG_LEVEL_INFO);
	argp_err_exit_status = EXIT_WRONG_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &daemon.command_line);
	if (read_settings(&daemon.command_line, &daemon.config, &status) < 0 ||
	    read_alerts(&daemon, &status) < 0) {
		log_error("%s", status.message);
		return EXIT_WRONG_USAGE;
	}
	log_init("analyticsd", daemon.config.log);
	snprintf(daemon.history_path, sizeof(daemon.history_path), "%s/history.db", daemon.config.data);
	snprintf(daemon.state_path, sizeof(daemon.state_path), "%s/state.db", daemon.config.data);
	snprintf(daemon.lock_path, sizeof(daemon.lock_path), "%s/lock", daemon.config.data);
	set_options(&daemon);

	// Every thread inherits the mask: signals are only taken here.
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);

	rc = run(&daemon, &signals, &status);
	alert_settings_free(daemon.alert_settings);
	if (rc < 0) {
		log_error("%s", status.message[0] != '\0' ? status.message : strerror(-rc));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
