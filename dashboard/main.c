// linkcast-dashboard: settings, start, turn until a signal, stop. What it does is in gateway.c.
// SPDX-License-Identifier: MIT
#include "settings.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

// argp looks for it from its own library
__attribute__((visibility("default"))) const char *argp_program_version =
        "linkcast-dashboard " LINKCAST_VERSION;

enum { EXIT_WRONG_USAGE = 2, KEY_FIRST = 0x100, MOST_SETTINGS = 64 };

// Options are kept until the environment was read, since they are stronger.
struct command_line {
	struct {
		const struct setting *setting;
		const char *value;
	} given[MOST_SETTINGS];
	size_t n;
};

static error_t parse_option(int key, char *argument, struct argp_state *state) {
	struct command_line *line = state->input;

	if (key == ARGP_KEY_ARG)
		argp_error(state, "unexpected '%s'", argument);
	if (key < KEY_FIRST || key >= KEY_FIRST + MOST_SETTINGS)
		return ARGP_ERR_UNKNOWN;
	if (line->n == MOST_SETTINGS)
		argp_error(state, "too many options");
	line->given[line->n].setting = &settings_table[key - KEY_FIRST];
	line->given[line->n++].value = argument;
	return 0;
}

static int read_settings(const struct command_line *line, struct settings *settings, struct status *status) {
	bool cleared[MOST_SETTINGS] = {false};
	int rc;

	settings_init(settings);
	if ((rc = settings_environment(settings, status)) < 0)
		return rc;
	for (size_t i = 0; i < line->n; i++) {
		const struct setting *setting = line->given[i].setting;
		size_t number = (size_t)(setting - settings_table);

		if (setting->is_list && !cleared[number]) {
			setting->clear(settings);
			cleared[number] = true;
		}
		if ((rc = settings_set(settings, setting, line->given[i].value, status)) < 0)
			return rc;
	}
	return settings_finish(settings, status);
}

static void say_where(const struct settings *settings, uint16_t port) {
	bool bracket = strchr(settings->address, ':') != NULL;

	log_info("%s://%s%s%s:%u/", settings->certificate != NULL ? "https" : "http", bracket ? "[" : "",
	         settings->address, bracket ? "]" : "", port);
	log_info("ready");
}

static int run(const struct settings *settings, int signal_fd, struct status *status) {
	CLEANUP(gateway_closep) struct gateway *gateway = NULL;
	struct gateway_options options;
	struct signalfd_siginfo info;
	int rc;

	settings_options(settings, &options);
	if ((rc = gateway_open(&options, &gateway, status)) < 0)
		return rc;
	say_where(settings, gateway_port(gateway));
	while (!gateway_turn(gateway, signal_fd, -1))
		continue;
	if (read(signal_fd, &info, sizeof(info)) == sizeof(info))
		log_info("stopping on %s", strsignal((int)info.ssi_signo));
	return 0;
}

// Before any thread is made, so that all of them leave the signals to the loop.
static int block_signals(void) {
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); // there is nothing to read again
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

static void parse(int argc, char **argv, struct command_line *line) {
	struct argp_option options[MOST_SETTINGS + 1] = {{0}};
	const struct argp argp = {
	        .options = options,
	        .parser = parse_option,
	        .doc = "The dashboard of Linkcast: a page, an HTTP interface, events and metrics, for "
	               "browsers and "
	               "Prometheus."
	               "\vEach option can be given by the environment, too: $LINKCAST_DASHBOARD_LISTEN and "
	               "so on.\n"
	               "Exit status: 0 stopped, 1 error, 2 wrong usage.",
	};

	for (int i = 0; i < MOST_SETTINGS && settings_table[i].name != NULL; i++)
		options[i] = (struct argp_option){.name = settings_table[i].name,
		                                  .key = KEY_FIRST + i,
		                                  .arg = settings_table[i].argument,
		                                  .doc = settings_table[i].help};
	argp_err_exit_status = EXIT_WRONG_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, line);
}

int main(int argc, char **argv) {
	static struct settings settings;
	struct command_line line = {.n = 0};
	struct status status = {.message = "out of memory"};
	int signal_fd, rc;

	parse(argc, argv, &line);
	log_init("linkcast-dashboard", LOG_LEVEL_INFO);
	rc = read_settings(&line, &settings, &status);
	if (rc < 0) {
		log_error("%s", status.message);
		settings_fini(&settings);
		return rc == -EINVAL ? EXIT_WRONG_USAGE : EXIT_FAILURE;
	}
	log_init("linkcast-dashboard", settings.log);
	signal_fd = block_signals();
	rc = run(&settings, signal_fd, &status);
	if (rc < 0)
		log_error("%s", status.message);
	close(signal_fd);
	settings_fini(&settings);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
