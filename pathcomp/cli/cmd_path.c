// pathcomp path: one request.
// SPDX-License-Identifier: MIT
#include "commands.h"

#include "answer.h"
#include "clock.h"
#include "log.h"
#include "print.h"

#include <errno.h>
#include <math.h>

struct path_options {
	struct options options; // first: the children's parsers see it
	struct path_query query;
};

enum { OPT_FROM = 0x200, OPT_TO, OPT_GBPS, OPT_DURATION, OPT_START };

static const struct argp_option path_options[] = {
        {"from", OPT_FROM, "NODE", 0, "Source", 0},
        {"to", OPT_TO, "NODE", 0, "Target", 0},
        {"gbps", OPT_GBPS, "G", 0, "Demand", 0},
        {"duration", OPT_DURATION, "TIME", 0,
         "How long (90s, 6h, 7d): the forecast for that time counts, not the current use", 0},
        {"start", OPT_START, "TIME", 0, "When it begins: RFC 3339 or +6h (default now)", 0},
        {0},
};

static const struct argp_child path_children[] = {
        {&options_source_argp, 0, "Where topology and forecasts come from:", 1},
        {&options_request_argp, 0, "What counts:", 2},
        {&options_json_argp, 0, "Output:", 3},
        {0},
};

static void check_required(struct argp_state *state, const struct path_query *query) {
	if (query->from == NULL)
		argp_error(state, "--from is missing");
	if (query->to == NULL)
		argp_error(state, "--to is missing");
	if (!HAS(query, path_query, gbps))
		argp_error(state, "--gbps is missing");
}

static error_t parse_path(int key, char *argument, struct argp_state *state) {
	struct path_query *query = &((struct path_options *)state->input)->query;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 3; i++)
			state->child_inputs[i] = state->input;
		return 0;
	case OPT_FROM:
		query->from = argument;
		return 0;
	case OPT_TO:
		query->to = argument;
		return 0;
	case OPT_GBPS:
		SET(query, path_query, gbps, option_real(state, "--gbps", argument, 0, INFINITY));
		return 0;
	case OPT_DURATION:
		SET(query, path_query, duration_seconds, option_seconds(state, "--duration", argument));
		return 0;
	case OPT_START:
		SET(query, path_query, start, argument);
		return 0;
	case ARGP_KEY_END:
		check_required(state, query);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp path_argp = {
        .options = path_options,
        .parser = parse_path,
        .doc = "The shortest path that has room for a demand."
               "\vExit status: 0 found, 1 error, 2 wrong usage, 3 blocked.",
        .children = path_children,
};

static int print(const struct answer *answer, bool json) {
	CLEANUP(freep) char *text = NULL;
	int rc;

	if (!json)
		return print_answer(answer, stdout);
	if ((rc = reply_to_json(&path_answer_message, NULL, &answer->message, true, &text)) < 0)
		return rc;
	return puts(text) < 0 ? -errno : 0;
}

int command_path(int argc, char **argv) {
	CLEANUP(snapshots_fini) struct snapshots snapshots = {0};
	CLEANUP(answer_fini) struct answer answer = {0};
	struct path_options given;
	struct path_query query;
	struct status status = {.message = "out of memory"};

	options_init(&given.options, clock_real_ns());
	path_query_init(&given.query);
	argp_parse(&path_argp, argc, argv, 0, NULL, &given);
	snapshots.options = &given.options.origin;
	query = answer_complete(&given.query, &given.options);
	if (origin_open(&given.options.origin, &snapshots.origin, &status) < 0 ||
	    answer_compute(&snapshots, &query, false, &answer, &status) < 0) {
		log_error("%s", status.message);
		return EXIT_ERROR;
	}
	if (print(&answer, given.options.json) < 0 || fflush(stdout) != 0) {
		log_error("printing failed");
		return EXIT_ERROR;
	}
	return answer.message.status == PATH_STATUS_BLOCKED ? EXIT_BLOCKED : EXIT_DONE;
}
