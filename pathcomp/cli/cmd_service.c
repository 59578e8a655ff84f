// pathcomp service: admit, change, release and list what holds capacity.
// SPDX-License-Identifier: MIT
#include "commands.h"

#include "ask.h"
#include "clock.h"
#include "log.h"
#include "print.h"
#include "services.h"
#include "table.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct action;

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

static int admit(const struct service_options *given, struct snapshots *snapshots, struct path_query *query,
                 struct status *status) {
	CLEANUP(answer_fini) struct answer answer = {0};
	struct path_query complete = answer_complete(query, &given->ask.options);
	int rc = services_request(snapshots, &complete, &given->terms, &answer, status);

	if (rc < 0)
		return rc;
	if (print_reply(given, &answer) < 0)
		return status_set(status, STATUS_INTERNAL, "printing failed");
	return answer.message.status == PATH_STATUS_BLOCKED ? EXIT_BLOCKED : EXIT_DONE;
}

static int request(const struct service_options *given, struct snapshots *snapshots, struct status *status) {
	struct path_query query = given->ask.query;

	return admit(given, snapshots, &query, status);
}

static int change(const struct service_options *given, struct snapshots *snapshots, struct status *status) {
	CLEANUP(documents_fini) struct documents documents = {0};
	struct path_query query = given->ask.query;
	int rc = services_complete(snapshots, given->service_id, &query, &documents, status);

	return rc < 0 ? rc : admit(given, snapshots, &query, status);
}

static int print_message(const struct message *message, const void *body) {
	CLEANUP(freep) char *text = NULL;
	int rc;

	if ((rc = reply_to_json(message, NULL, body, true, &text)) < 0)
		return rc;
	return puts(text) < 0 ? -EIO : 0;
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
		return print_message(&service_view_message, &view) < 0 ? EXIT_ERROR : EXIT_DONE;
	printf("service %s: %s\n", view.service_id, choice_word(&service_states_choices, view.state));
	return EXIT_DONE;
}

static const struct table_column columns[] = {
        {"SERVICE", false}, {"STATE", false}, {"FROM", false}, {"TO", false},
        {"GBPS", true},     {"START", false}, {"END", false},  {"LINKS", false},
};

enum { SERVICE_CELL, STATE_CELL, FROM_CELL, TO_CELL, GBPS_CELL, START_CELL, END_CELL, LINKS_CELL, N_CELLS };

static int add_row(struct table *table, const struct service_view *service) {
	char gbps[32], start[TIME_TEXT_SIZE], end[TIME_TEXT_SIZE] = "", links[256] = "";
	const char *cells[N_CELLS] = {
	        [SERVICE_CELL] = service->service_id,
	        [STATE_CELL] = choice_word(&service_states_choices, service->state),
	        [FROM_CELL] = service->from,
	        [TO_CELL] = service->to,
	        [GBPS_CELL] = gbps,
	        [START_CELL] = text_from_time_ns(service->start_ns, start),
	        [END_CELL] = end,
	        [LINKS_CELL] = links,
	};

	snprintf(gbps, sizeof(gbps), "%.6g", service->gbps);
	if (HAS(service, service_view, end_ns))
		text_from_time_ns(service->end_ns, end);
	for (size_t i = 0; i < service->n_links; i++) {
		size_t used = strlen(links);

		snprintf(links + used, sizeof(links) - used, "%s%s%s", i > 0 ? " " : "",
		         service->links[i].link_id,
		         service->links[i].direction == DIRECTION_REVERSE ? "'" : "");
	}
	return table_add(table, cells);
}

static int print_list(const struct service_options *given, const struct service_list *list,
                      struct table *table) {
	int rc = 0;

	if (given->ask.options.json)
		return print_message(&service_list_message, list);
	for (size_t i = 0; i < list->n_services && rc == 0; i++)
		rc = add_row(table, &list->services[i]);
	return rc;
}

static int list(const struct service_options *given, struct snapshots *snapshots, struct status *status) {
	CLEANUP(table_freep) struct table *table = NULL;
	struct services_query query = given->list;
	struct service_list reply;
	int rc;

	query.topology_id = given->ask.options.defaults.topology_id;
	if ((rc = table_new(columns, N_CELLS, &table)) < 0)
		return rc;
	do {
		CLEANUP(documents_fini) struct documents documents = {0};

		if ((rc = origin_call(snapshots->origin, OP_LIST_SERVICES, &query, &reply, &documents,
		                      status)) < 0 ||
		    (rc = print_list(given, &reply, table)) < 0)
			return rc;
		query.page = reply.next_page;
	} while (HAS(&reply, service_list, next_page));
	return given->ask.options.json || table_print(table, stdout) == 0 ? EXIT_DONE : EXIT_ERROR;
}

static const struct action {
	const char *name;
	int (*run)(const struct service_options *, struct snapshots *, struct status *);
	bool takes_path, takes_service;
} actions[] = {
        {"request", request, true, false},
        {"change", change, false, true},
        {"release", release, false, true},
        {"list", list, false, false},
};

// ---- options

enum {
	OPT_REQUEST_ID = 0x500,
	OPT_DRY_RUN,
	OPT_TRAFFIC,
	OPT_METER_PORT,
	OPT_METER_LINK,
	OPT_LINK,
	OPT_STATE
};

static const struct argp_option service_options[] = {
        {"request-id", OPT_REQUEST_ID, "ID", 0, "Asked again with the same id, the answer is the same", 4},
        {"dry-run", OPT_DRY_RUN, NULL, 0, "Change nothing", 4},
        {"traffic", OPT_TRAFFIC, "KIND", 0,
         "How its traffic is told from the rest of what is measured: assumed (default), metered, "
         "conservative",
         4},
        {"meter-port", OPT_METER_PORT, "HOST/NAME", 0, "The port whose tx measures it", 4},
        {"meter-link", OPT_METER_LINK, "LINK", 0, "The link whose series measures it", 4},
        {"link", OPT_LINK, "LINK", 0, "list: only services on this link", 5},
        {"state", OPT_STATE, "STATE", 0, "list: scheduled, active, expired or released", 5},
        {0},
};

static const struct argp_child service_children[] = {
        {&ask_argp, 0, "What is asked:", 1},
        {&options_source_argp, 0, "Where topology and forecasts come from:", 2},
        {&options_request_argp, 0, "What counts:", 3},
        {&options_json_argp, 0, "Output:", 6},
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

static void take_argument(struct argp_state *state, struct service_options *given, char *argument) {
	for (size_t i = 0; given->action == NULL && i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(argument, actions[i].name) != 0)
			continue;
		given->action = &actions[i];
		return;
	}
	if (given->action == NULL)
		argp_error(state, "'%s': must be request, change, release or list", argument);
	else if (!given->action->takes_service || given->service_id != NULL)
		argp_error(state, "'%s': one too many", argument);
	else
		given->service_id = argument;
}

static void check_arguments(struct argp_state *state, struct service_options *given) {
	if (given->action == NULL)
		argp_error(state, "request, change, release or list?");
	else if (given->action->takes_service && given->service_id == NULL)
		argp_error(state, "SERVICE is missing");
	else if (given->action->takes_path)
		ask_check(state, &given->ask.query);
	if (given->action != NULL && given->action->run == change)
		given->terms.service_id = given->service_id;
}

static error_t parse_service(int key, char *argument, struct argp_state *state) {
	struct service_options *given = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 4; i++)
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
	case OPT_LINK:
		given->list.link_id = argument;
		return 0;
	case OPT_STATE:
		SET(&given->list, services_query, state,
		    option_choice(state, "--state", &service_states_choices, argument));
		return 0;
	case ARGP_KEY_ARG:
		take_argument(state, given, argument);
		return 0;
	case ARGP_KEY_END:
		check_arguments(state, given);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp service_argp = {
        .options = service_options,
        .parser = parse_service,
        .args_doc = "request\nchange SERVICE\nrelease SERVICE\nlist",
        .doc = "Reserves a path that has room, changes what a service holds in place, ends it, or lists "
               "services."
               "\vExit status: 0 done, 1 error, 2 wrong usage, 3 blocked.",
        .children = service_children,
};

int command_service(int argc, char **argv) {
	struct status status = {.message = "out of memory"};
	struct snapshots snapshots = {0};
	struct service_options given = {0};
	int rc;

	ask_init(&given.ask, clock_real_ns());
	service_terms_init(&given.terms);
	services_query_init(&given.list);
	meter_init(&given.meter);
	argp_parse(&service_argp, argc, argv, 0, NULL, &given);
	snapshots.options = &given.ask.options.origin;
	rc = origin_open(&given.ask.options.origin, &snapshots.origin, &status);
	if (rc == 0)
		rc = given.action->run(&given, &snapshots, &status);
	snapshots_fini(&snapshots);
	memory_fini(&given.ask.memory);
	if (rc < 0)
		log_error("%s", status.message);
	return rc < 0 ? EXIT_ERROR : rc;
}
