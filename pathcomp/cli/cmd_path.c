// pathcomp path: one request.
// SPDX-License-Identifier: MIT
#include "commands.h"

#include "answer.h"
#include "ask.h"
#include "clock.h"
#include "draw.h"
#include "log.h"
#include "print.h"

#include <errno.h>
#include <string.h>

struct path_options {
	struct ask ask; // first: the children's parsers see it
	enum { AS_TEXT, AS_DOT, AS_SVG } form;
};

enum { OPT_DOT = 0x400, OPT_SVG };

static const struct argp_option path_options[] = {
        {NULL, 0, NULL, 0, "Pictures, in place of the table:", 4},
        {"dot", OPT_DOT, NULL, 0, "Print the map and the path for Graphviz", 4},
        {"svg", OPT_SVG, NULL, 0, "Print the map and the path as a picture; nodes need x and y", 4},
        {0},
};

static const struct argp_child path_children[] = {
        {&ask_argp, 0, NULL, 0},
        {&options_source_argp, 0, "Where topology and forecasts come from:", 1},
        {&options_request_argp, 0, "What counts:", 2},
        {&options_json_argp, 0, "Output:", 3},
        {0},
};

static error_t parse_path(int key, char *argument, struct argp_state *state) {
	struct path_options *given = state->input;

	(void)argument;
	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 4; i++)
			state->child_inputs[i] = state->input;
		return 0;
	case OPT_DOT:
		given->form = AS_DOT;
		return 0;
	case OPT_SVG:
		given->form = AS_SVG;
		return 0;
	case ARGP_KEY_END:
		ask_check(state, &given->ask.query);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp path_argp = {
        .options = path_options,
        .parser = parse_path,
        .doc = "The shortest path that has room for a demand, or the links that block it and what would fit."
               "\vExit status: 0 found, 1 error, 2 wrong usage, 3 blocked.",
        .children = path_children,
};

static int print(const struct answer *answer, const struct path_options *given, struct status *status) {
	if (given->form == AS_DOT)
		return draw_dot(answer, stdout);
	if (given->form == AS_SVG)
		return draw_svg(answer, stdout, status);
	return given->ask.options.json ? print_json(&answer->message, stdout) : print_answer(answer, stdout);
}

static int run(const struct path_options *given, struct status *status) {
	CLEANUP(snapshots_fini) struct snapshots snapshots = {.options = &given->ask.options.origin};
	CLEANUP(answer_fini) struct answer answer = {0};
	struct path_query query = answer_complete(&given->ask.query, &given->ask.options);
	int rc;

	if ((rc = origin_open(&given->ask.options.origin, &snapshots.origin, status)) < 0 ||
	    (rc = answer_compute(&snapshots, &query, false, &answer, status)) < 0)
		return rc;
	status_set(status, STATUS_INTERNAL, "printing failed");
	if ((rc = print(&answer, given, status)) < 0 || fflush(stdout) != 0)
		return rc < 0 ? rc : -EIO;
	return answer.message.status == PATH_STATUS_BLOCKED ? EXIT_BLOCKED : EXIT_DONE;
}

int command_path(int argc, char **argv) {
	struct status status = {.message = "out of memory"};
	struct path_options given = {.form = AS_TEXT};
	int rc;

	ask_init(&given.ask, clock_real_ns());
	argp_parse(&path_argp, argc, argv, 0, NULL, &given);
	rc = run(&given, &status);
	memory_fini(&given.ask.memory);
	if (rc < 0)
		log_error("%s", status.message);
	return rc < 0 ? EXIT_ERROR : rc;
}
