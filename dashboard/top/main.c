// linkcast-top: the links and ports of a network in a terminal, by how full they are and will be.
// SPDX-License-Identifier: MIT
#include "fetcher.h"
#include "screen.h"

#include "clock.h"
#include "endpoint.h"
#include "log.h"
#include "text.h"

#include <argp.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

// argp looks for it from its own library
__attribute__((visibility("default"))) const char *argp_program_version = "linkcast-top " LINKCAST_VERSION;

enum { EXIT_WRONG_USAGE = 2, KEY_ASCII = 0x100, KEY_ONCE, KEY_FILTER, ANSWER_MS = 30000 };

static const struct argp_option options[] = {
        {"api", 'A', "ENDPOINT", 0, "where analyticsd answers (default: $LINKCAST_API)", 0},
        {"ascii", KEY_ASCII, NULL, 0, "draw with ASCII alone", 0},
        {"filter", KEY_FILTER, "TEXT", 0, "only rows that have TEXT in them", 0},
        {"interval", 'i', "TIME", 0, "ask so often (default 2s)", 0},
        {"once", KEY_ONCE, NULL, 0, "print everything once as text, and end", 0},
        {"window", 'w', "TIME", 0, "time of the forecast peak (default 6h)", 0},
        {0},
};

struct settings {
	const char *api, *filter;
	double interval_seconds;
	bool once, ascii;
	struct snapshot_wish wish;
};

static error_t parse_option(int key, char *argument, struct argp_state *state) {
	struct settings *settings = state->input;

	switch (key) {
	case 'A':
		settings->api = argument;
		return 0;
	case KEY_ASCII:
		settings->ascii = true;
		return 0;
	case KEY_FILTER:
		settings->filter = argument;
		return 0;
	case KEY_ONCE:
		settings->once = true;
		return 0;
	case 'i':
		if (text_to_seconds(argument, &settings->interval_seconds) < 0 ||
		    settings->interval_seconds < 0.1 || settings->interval_seconds > 86400)
			argp_error(state, "--interval %s: a time from 0.1s to 1d", argument);
		return 0;
	case 'w':
		if (text_to_seconds(argument, &settings->wish.window_seconds) < 0 ||
		    settings->wish.window_seconds <= 0)
			argp_error(state, "--window %s: a time such as 6h", argument);
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected '%s'", argument);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int print_once(const struct settings *settings, const char *api, struct status *status) {
	CLEANUP(client_closep) struct client *client = NULL;
	CLEANUP(snapshot_freep) struct snapshot *snapshot = NULL;
	struct view_order order = {.column = 7, .filter = settings->filter};
	int rc;

	if ((rc = client_open(api, ANSWER_MS, &client, status)) < 0)
		return rc;
	snapshot = snapshot_take(client, &settings->wish, clock_real_ns());
	if (snapshot == NULL)
		return -ENOMEM;
	if (snapshot->error[0] != '\0')
		return status_set(status, STATUS_UNAVAILABLE, "%s", snapshot->error);
	return view_print(snapshot, &order, stdout);
}

static int watch(struct settings *settings, const char *api, bool ascii, struct status *status) {
	CLEANUP(fetcher_stopp) struct fetcher *fetcher = NULL;
	CLEANUP(snapshot_freep) struct snapshot *snapshot = NULL;
	CLEANUP(screen_closep) struct screen *screen = NULL;
	const char *no_colour = getenv("NO_COLOR");
	struct pollfd items[3] = {{STDIN_FILENO, POLLIN, 0}, {-1, POLLIN, 0}, {-1, POLLIN, 0}};
	sigset_t signals;
	int rc;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	items[2].fd = signalfd(-1, &signals, SFD_CLOEXEC);
	if (items[2].fd < 0)
		return -errno;
	if ((rc = fetcher_start(api, (int)(settings->interval_seconds * 1000), &settings->wish, &fetcher,
	                        status)) < 0 ||
	    (rc = screen_open(no_colour == NULL || no_colour[0] == '\0', ascii, settings->filter, &screen)) <
	            0)
		return rc;
	items[1].fd = fetcher_fd(fetcher);
	for (;;) {
		enum screen_answer answer = screen_keys(screen, snapshot, &settings->wish);

		if (answer == SCREEN_QUIT)
			return 0;
		if (answer == SCREEN_WISH)
			fetcher_wish(fetcher, &settings->wish);
		screen_draw(screen, snapshot);
		if (poll(items, 3, -1) < 0 && errno != EINTR) // a resize interrupts
			return -errno;
		if (items[2].revents != 0 || (items[0].revents & (POLLHUP | POLLERR)) != 0)
			return 0;
		if ((items[1].revents & POLLIN) != 0) {
			struct snapshot *newest = fetcher_take(fetcher);

			if (newest != NULL) {
				snapshot_free(snapshot);
				snapshot = newest;
			}
		}
	}
}

int main(int argc, char **argv) {
	static const struct argp argp = {
	        options,
	        parse_option,
	        NULL,
	        "Shows the links and ports of a network by how full they are and will be.\v"
	        "Keys: Tab or 1 to 3 view, arrows, Enter a link's detail, s column to sort by, r the other "
	        "way round, "
	        "/ filter, w window, q quit. $NO_COLOR: no colours.",
	        NULL,
	        NULL,
	        NULL};
	struct settings settings = {
	        .filter = "",
	        .interval_seconds = 2,
	        .wish = {.window_seconds = 6 * 3600, .past_seconds = 86400, .step_seconds = 600},
	};
	struct status status = {.code = STATUS_INTERNAL, .message = ""};
	char api[ENDPOINT_SIZE];
	bool utf8;
	int rc;

	log_init("linkcast-top", LOG_LEVEL_INFO);
	utf8 = setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	argp_err_exit_status = EXIT_WRONG_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &settings);
	rc = endpoint_set(ENDPOINT_API, settings.api, api, &status);
	if (rc == 0 && settings.once)
		rc = print_once(&settings, api, &status);
	else if (rc == 0 && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		rc = status_set(&status, STATUS_FAILED_PRECONDITION, "this is no terminal: use --once");
	else if (rc == 0)
		rc = watch(&settings, api, settings.ascii || !utf8, &status);
	if (rc < 0) {
		log_error("%s", status.message[0] != '\0' ? status.message : strerror(-rc));
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
