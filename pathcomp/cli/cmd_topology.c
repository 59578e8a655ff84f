// pathcomp topology: check a file, or convert it to the JSON that everything reads.
// SPDX-License-Identifier: MIT
#include "commands.h"

#include "log.h"
#include "options.h"
#include "reader.h"

#include <errno.h>
#include <string.h>

struct action;

struct topology_options {
	struct options options; // first: the children's parsers see it
	const struct action *action;
	const char *path;
};

static void warn(void *context, const char *text) {
	(void)context;
	log_warning("%s", text);
}

static void tell_defect(void *context, const char *text) {
	size_t *n_told = context;

	(*n_told)++;
	log_error("%s", text);
}

static int print_json(const struct message *message, const void *body) {
	CLEANUP(freep) char *text = NULL;
	int rc;

	if ((rc = message_to_json(message, body, true, &text)) < 0)
		return rc;
	return puts(text) < 0 ? -EIO : 0;
}

static size_t count_unknown(const struct topology *topology) {
	size_t n = 0;

	for (size_t i = 0; i < topology->n_links; i++)
		n += !HAS(&topology->links[i], link, total_capacity_gbps);
	return n;
}

static int check(const struct topology_options *given, const struct topology *topology,
                 struct status *status) {
	CLEANUP(pathcomp_graph_freep) struct pathcomp_graph *graph = NULL;
	const struct topology_counts counts = {.nodes = (int64_t)topology->n_nodes,
	                                       .links = (int64_t)topology->n_links};
	int rc;

	if ((rc = pathcomp_graph_new(topology, &graph, status)) < 0) {
		if (rc == -EINVAL)
			status_prefix(status, "%s: ", given->path);
		return rc;
	}
	if (given->options.json)
		return print_json(&topology_counts_message, &counts);
	printf("%s: topology '%s', nodes: %zu, links: %zu, of unknown capacity: %zu, components: %u\n",
	       given->path, topology->topology_id, topology->n_nodes, topology->n_links,
	       count_unknown(topology), pathcomp_graph_components(graph));
	return 0;
}

static int convert(const struct topology_options *given, const struct topology *topology,
                   struct status *status) {
	(void)given;
	(void)status;
	return print_json(&topology_message, topology);
}

static const struct action {
	const char *name;
	int (*run)(const struct topology_options *, const struct topology *, struct status *);
} actions[] = {
        {"check", check},
        {"convert", convert},
};

static const struct action *find_action(const char *name) {
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strcmp(name, actions[i].name) == 0)
			return &actions[i];
	}
	return NULL;
}

enum { OPT_CAPACITY_UNIT = 0x300, OPT_TOPOLOGY_ID };

static const struct argp_option topology_options[] = {
        {"capacity-unit", OPT_CAPACITY_UNIT, "UNIT", 0,
         "Unit of the capacities in CSV: bps, kbps, Mbps, Gbps (default) or Tbps", 0},
        {"topology", OPT_TOPOLOGY_ID, "ID", 0, "Id of the topology, instead of the file's", 0},
        {0},
};

static const struct argp_child topology_children[] = {{&options_json_argp, 0, NULL, 1}, {0}};

static void take_argument(struct argp_state *state, struct topology_options *given, char *argument) {
	if (given->action == NULL) {
		given->action = find_action(argument);
		if (given->action == NULL)
			argp_error(state, "'%s': must be check or convert", argument);
	} else if (given->path == NULL) {
		given->path = argument;
	} else {
		argp_error(state, "one FILE, not '%s', too", argument);
	}
}

static error_t parse_topology(int key, char *argument, struct argp_state *state) {
	struct topology_options *given = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = state->input;
		return 0;
	case OPT_CAPACITY_UNIT:
		if (reader_unit_scale(argument, &given->options.origin.capacity_scale) < 0)
			argp_error(state, "--capacity-unit '%s': must be bps, kbps, Mbps, Gbps or Tbps",
			           argument);
		return 0;
	case OPT_TOPOLOGY_ID:
		if (!id_is_valid(argument))
			argp_error(state, "--topology '%s': not an id", argument);
		SET(&given->options.defaults, path_query, topology_id, argument);
		return 0;
	case ARGP_KEY_ARG:
		take_argument(state, given, argument);
		return 0;
	case ARGP_KEY_END:
		if (given->path == NULL)
			argp_error(state, given->action == NULL ? "check or convert?" : "FILE is missing");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp topology_argp = {
        .options = topology_options,
        .parser = parse_topology,
        .args_doc = "check FILE\nconvert FILE",
        .doc = "Checks a topology file and lists every defect, or prints it as JSON. Read are JSON, Topology "
               "Zoo's "
               "GraphML (.graphml), SNDlib's native format (.txt) and CSV (x.links.csv beside x.nodes.csv)."
               "\vExit status: 0 done, 1 error or defects, 2 wrong usage.",
        .children = topology_children,
};

int command_topology(int argc, char **argv) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct topology_options given = {0};
	struct reader_options reading = {.warn = warn};
	struct status status = {.message = "out of memory"};
	struct topology topology;
	size_t n_told = 0;

	options_init(&given.options, 0);
	argp_parse(&topology_argp, argc, argv, 0, NULL, &given);
	if (given.action == NULL)
		return EXIT_USAGE;
	reading.capacity_scale = given.options.origin.capacity_scale;
	if (given.action->run == check)
		reading.defect = tell_defect;
	reading.context = &n_told; // warnings do without
	if (reader_read(given.path, &reading, &topology, &document, &status) < 0) {
		if (n_told != 1) // one that was told says it all
			log_error("%s", status.message);
		return EXIT_ERROR;
	}
	if (given.options.defaults.topology_id != NULL)
		topology.topology_id = given.options.defaults.topology_id;
	if (given.action->run(&given, &topology, &status) < 0 || fflush(stdout) != 0) {
		log_error("%s", status.message);
		return EXIT_ERROR;
	}
	return EXIT_DONE;
}
