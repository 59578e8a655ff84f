// pathcomp service: admit, change, release and show what holds capacity.
// SPDX-License-Identifier: MIT
#include "commands.h"

#include "ask.h"
#include "clock.h"
#include "log.h"
#include "print.h"
#include "print_services.h"
#include "services.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct service_options;

struct action {
	const char *name;
	int (*run)(const struct service_options *, struct snapshots *, struct status *);
	bool takes_path, must_ask, takes_service;
	const char *help;
	struct argp argp;
};

struct service_options {
	struct ask ask; // first: the children's parsers see it
	const struct action *action;
	const char *service_id;
	struct service_terms terms;
	struct meter meter;
	struct services_query list;
};

// ---- what each action does. Returns an exit status, or a negative errno with 'status'.

static int print_reply(const struct service_options *given, const struct answer *answer) {
	const struct path_answer *message = &answer->message;

	if (given->ask.options.json)
		return print_json(message, stdout);
	if (message->service_id != NULL)
		printf("service %s%s\n", message->service_id, message->dry_run ? " (dry run)" : "");
	else if (message->dry_run)
		printf("dry run: it would be admitted\n");
	return print_answer(answer, stdout);
}

static int admit(const struct service_options *given, struct snapshots *snapshots,
                 const struct path_query *query, bool keeps_end, struct status *status) {
	CLEANUP(answer_fini) struct answer answer = {0};
	struct path_query complete = answer_complete(query, &given->ask.options);
	int rc = services_request(snapshots, &(struct service_wish){&complete, &given->terms, keeps_end},
	                          &answer, status);

	if (rc < 0)
		return rc;
	if (print_reply(given, &answer) < 0)
		return status_set(status, STATUS_INTERNAL, "printing failed");
	return answer.message.status == PATH_STATUS_BLOCKED ? EXIT_BLOCKED : EXIT_DONE;
}

static int request(const struct service_options *given, struct snapshots *snapshots, struct status *status) {
	return admit(given, snapshots, &given->ask.query, false, status);
}

static int change(const struct service_options *given, struct snapshots *snapshots, struct status *status) {
	CLEANUP(documents_fini) struct documents documents = {0};
	struct path_query query = given->ask.query;
	bool keeps_end = false;
	int rc = services_complete(snapshots, given->service_id, &query, &documents, &keeps_end, status);

	return rc < 0 ? rc : admit(given, snapshots, &query, keeps_end, status);
}

static int release(const struct service_options *given, struct snapshots *snapshots, struct status *status) {
	CLEANUP(documents_fini) struct documents documents = {0};
	struct release_request query;
	struct service_view view;
	int rc;

	release_request_init(&query);
	query.service_id = given->service_id;
	if ((rc = origin_call(snapshots->origin, OP_RELEASE, &query, &view, &documents, status)) < 0)
		return rc;
	if (given->ask.options.json)
		return print_service(&view, true, stdout) < 0 ? EXIT_ERROR : EXIT_DONE;
	printf("service %s: %s\n", view.service_id, choice_word(&service_states_choices, view.state));
	return EXIT_DONE;
}

static int show(const struct service_options *given, struct snapshots *snapshots, struct status *status) {
	CLEANUP(documents_fini) struct documents documents = {0};
	struct service_view view;
	int rc;

	if ((rc = services_find(snapshots, given->service_id, true, &documents, &view, status)) < 0)
		return rc;
	return print_service(&view, given->ask.options.json, stdout) < 0 ? EXIT_ERROR : EXIT_DONE;
}

static int list(const struct service_options *given, struct snapshots *snapshots, struct status *status) {
	CLEANUP(documents_fini) struct documents documents = {0};
	struct services_query query = given->list;
	struct service_list list;
	int rc;

	if ((rc = services_list(snapshots, &query, &documents, &list, status)) < 0)
		return rc;
	return print_services(&list, given->ask.options.json, stdout) < 0 ? EXIT_ERROR : EXIT_DONE;
}

// ---- options

enum {
	OPT_REQUEST_ID = 0x500,
	OPT_DRY_RUN,
	OPT_TRAFFIC,
	OPT_METER_PORT,
	OPT_METER_LINK,
	OPT_LINK,
	OPT_STATE,
	OPT_TOPOLOGY
};

static const struct argp_option terms_options[] = {
        {NULL, 0, NULL, 0, "How it is admitted:", 4},
        {"request-id", OPT_REQUEST_ID, "ID", 0, "Asked again with the same id, the answer is the same", 4},
        {"dry-run", OPT_DRY_RUN, NULL, 0, "Only tell what would be admitted; change nothing", 4},
        {"traffic", OPT_TRAFFIC, "KIND", 0,
         "How its traffic is told from the rest of what is measured: assumed (default: it sends what it "
         "holds), "
         "metered (see --meter-port, --meter-link), conservative (not at all)",
         4},
        {"meter-port", OPT_METER_PORT, "HOST/NAME", 0, "The port whose tx measures it", 4},
        {"meter-link", OPT_METER_LINK, "LINK", 0, "The link whose series measures it", 4},
        {0},
};

static const struct argp_option list_options[] = {
        {"topology", OPT_TOPOLOGY, "ID", 0, "Only services of this topology", 0},
        {"link", OPT_LINK, "LINK", 0, "Only services on this link", 0},
        {"state", OPT_STATE, "STATE", 0, "Only those that are scheduled, active, expired or released", 0},
        {0},
};

static const struct argp_child path_children[] = {
        {&ask_argp, 0, "What is asked:", 1},
        {&options_source_argp, 0, "Where topology and forecasts come from:", 2},
        {&options_request_argp, 0, "What counts:", 3},
        {&options_json_argp, 0, "Output:", 6},
        {0},
};

static const struct argp_child plain_children[] = {
        {&options_api_argp, 0, NULL, 2},
        {&options_json_argp, 0, NULL, 6},
        {0},
};

// "host/name"; a host may hold a '/', an ethdev name doesn't.
static void take_meter_port(struct argp_state *state, struct service_options *given, char *text) {
	char *slash = strrchr(text, '/');

	if (slash == NULL || slash == text || slash[1] == '\0') {
		argp_error(state, "--meter-port '%s': must be HOST/NAME", text);
		return;
	}
	*slash = '\0';
	given->meter.host = text;
	given->meter.name = slash + 1;
	given->terms.meter = &given->meter;
}

static void check_arguments(struct argp_state *state, struct service_options *given) {
	if (given->action->takes_service && given->service_id == NULL)
		argp_error(state, "SERVICE is missing");
	if (given->action->must_ask)
		ask_check(state, &given->ask.query);
	if (given->action->takes_path && given->action->takes_service)
		given->terms.service_id = given->service_id;
}

static error_t parse_service(int key, char *argument, struct argp_state *state) {
	struct service_options *given = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		for (size_t i = 0; given->action->argp.children[i].argp != NULL; i++)
			state->child_inputs[i] = state->input;
		return 0;
	case OPT_REQUEST_ID:
		given->terms.request_id = argument;
		return 0;
	case OPT_DRY_RUN:
		given->terms.dry_run = true;
		return 0;
	case OPT_TRAFFIC:
		given->terms.traffic = option_choice(state, "--traffic", &traffic_modes_choices, argument);
		return 0;
	case OPT_METER_PORT:
		take_meter_port(state, given, argument);
		return 0;
	case OPT_METER_LINK:
		given->meter.link_id = argument;
		given->terms.meter = &given->meter;
		return 0;
	case OPT_TOPOLOGY:
		given->list.topology_id = argument;
		return 0;
	case OPT_LINK:
		given->list.link_id = argument;
		return 0;
	case OPT_STATE:
		SET(&given->list, services_query, state,
		    option_choice(state, "--state", &service_states_choices, argument));
		return 0;
	case ARGP_KEY_ARG:
		if (!given->action->takes_service || given->service_id != NULL)
			argp_error(state, "'%s': one too many", argument);
		given->service_id = argument;
		return 0;
	case ARGP_KEY_END:
		check_arguments(state, given);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct action actions[] = {
        {"request",
         request,
         true,
         true,
         false,
         "reserve a path, or a pair, that has room",
         {.options = terms_options,
          .parser = parse_service,
          .children = path_children,
          .doc = "Finds a path that has room for the whole time of a service, and reserves it: nobody else "
                 "is "
                 "promised that room."
                 "\vExit status: 0 admitted, 1 error, 2 wrong usage, 3 blocked."}},
        {"change",
         change,
         true,
         false,
         true,
         "change what a service holds in place; its own room counts as free",
         {.options = terms_options,
          .parser = parse_service,
          .children = path_children,
          .args_doc = "SERVICE",
          .doc = "Searches again for a service, whose own room counts as free, and puts what is found in the "
                 "place of what it held. What isn't given stays as it was."
                 "\vExit status: 0 changed, 1 error, 2 wrong usage, 3 blocked: it stays as it was."}},
        {"release",
         release,
         false,
         false,
         true,
         "end a service: what it held is free again",
         {.parser = parse_service,
          .children = plain_children,
          .args_doc = "SERVICE",
          .doc = "Ends a service now; one that has ended stays so."
                 "\vExit status: 0 done, 1 error, 2 wrong usage."}},
        {"list",
         list,
         false,
         false,
         false,
         "the services, in the order of admission",
         {.options = list_options,
          .parser = parse_service,
          .children = plain_children,
          .doc = "Lists services; ~ marks a link that is taken from z to a."
                 "\vExit status: 0 done, 1 error, 2 wrong usage."}},
        {"show",
         show,
         false,
         false,
         true,
         "one service, and what each decision about it was made from",
         {.parser = parse_service,
          .children = plain_children,
          .args_doc = "SERVICE",
          .doc = "Shows a service and each decision about it with what it was made from, which is kept until "
                 "30 "
                 "days after the service ended."
                 "\vExit status: 0 done, 1 error, 2 wrong usage."}},
};

#define N_ACTIONS (sizeof(actions) / sizeof(actions[0]))

static void print_usage(FILE *file) {
	fprintf(file,
	        "Usage: pathcomp service ACTION [OPTION...]\n"
	        "Services hold capacity on the links of a path: admit, change, end and look at them.\n\n");
	for (size_t i = 0; i < N_ACTIONS; i++)
		fprintf(file, "  pathcomp service %-9s %s\n", actions[i].name, actions[i].help);
	fprintf(file, "\n  --help; `pathcomp service ACTION --help` tells an action's options\n");
}

static int run(const struct action *action, int argc, char **argv) {
	struct status status = {.message = "out of memory"};
	struct snapshots snapshots = {0};
	struct service_options given = {.action = action};
	int rc;

	ask_init(&given.ask, clock_real_ns());
	service_terms_init(&given.terms);
	services_query_init(&given.list);
	meter_init(&given.meter);
	argp_parse(&action->argp, argc, argv, 0, NULL, &given);
	snapshots.options = &given.ask.options.origin;
	rc = origin_open(&given.ask.options.origin, &snapshots.origin, &status);
	if (rc == 0)
		rc = action->run(&given, &snapshots, &status);
	snapshots_fini(&snapshots);
	memory_fini(&given.ask.memory);
	if (rc < 0)
		log_error("%s", status.message);
	return rc < 0 ? EXIT_ERROR : rc;
}

int command_service(int argc, char **argv) {
	static char name[48];
	bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0);

	for (size_t i = 0; argc > 1 && i < N_ACTIONS; i++) {
		if (strcmp(argv[1], actions[i].name) != 0)
			continue;
		snprintf(name, sizeof(name), "pathcomp service %s", actions[i].name);
		argv[1] = name;
		return run(&actions[i], argc - 1, argv + 1);
	}
	if (argc > 1 && !help)
		fprintf(stderr, "pathcomp service: no action '%s'; see pathcomp service --help\n", argv[1]);
	else
		print_usage(help ? stdout : stderr);
	return help ? EXIT_DONE : EXIT_USAGE;
}
