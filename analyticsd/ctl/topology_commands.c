// topology load | show | delete.
// SPDX-License-Identifier: MIT
#include "cells.h"
#include "commands.h"
#include "options.h"
#include "topology.h"
#include "upload.h"
#include "view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The file, or the id.
struct topology_argument {
	const char *value;
};

#define REQUIRED_FILE                                                                                        \
	{ "FILE.json", 0, NULL, "of a topology", VALUE_TEXT, TO(topology_argument, value), .required = true }
#define REQUIRED_ID                                                                                          \
	{ "ID", 0, NULL, "of the topology", VALUE_ID, TO(topology_argument, value), .required = true }
#define OPTIONAL_ID                                                                                          \
	{ "ID", 0, NULL, "of the topology", VALUE_ID, TO(topology_argument, value) }

static const struct command_form load_form = {
        .arguments = (const struct command_option[]){REQUIRED_FILE, {0}},
        .doc = "Replaces the topology that the file names (default: admin).",
};
static const struct command_form show_form = {
        .arguments = (const struct command_option[]){OPTIONAL_ID, {0}},
        .doc = "Shows a topology (default: admin). With --json: a file that `topology load` takes.",
};
static const struct command_form delete_form = {
        .arguments = (const struct command_option[]){REQUIRED_ID, {0}},
        .doc = "Forgets a topology.",
};

// ---- load

static int read_all(FILE *file, char **ret, size_t *ret_size) {
	CLEANUP(freep) char *text = NULL;
	size_t size = 0, capacity = 0, got;

	do {
		if (size == capacity) {
			char *moved = realloc(text, capacity = capacity > 0 ? 2 * capacity : 65536);

			if (moved == NULL)
				return -ENOMEM;
			text = moved;
		}
		got = fread(text + size, 1, capacity - size, file);
		size += got;
	} while (got > 0);
	if (ferror(file))
		return errno > 0 ? -errno : -EIO;
	*ret = text;
	*ret_size = size;
	text = NULL;
	return 0;
}

static int read_topology(const char *path, struct document **ret, struct topology *ret_topology,
                         struct status *status) {
	CLEANUP(freep) char *text = NULL;
	CLEANUP(document_closep) struct document *document = NULL;
	FILE *file = fopen(path, "re");
	size_t size = 0, none;
	int rc;

	if (file == NULL)
		return status_set(status, STATUS_NOT_FOUND, "%s", strerror(errno));
	rc = read_all(file, &text, &size);
	fclose(file);
	if (rc < 0)
		return status_set(status, STATUS_INTERNAL, "%s", strerror(-rc));
	if ((rc = document_read_json(text, size, &topology_message, ret_topology, NULL, NULL, &none,
	                             &document, status)) < 0 ||
	    (rc = topology_check(ret_topology, status)) < 0)
		return rc;
	*ret = document;
	document = NULL;
	return 0;
}

static int topology_load(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct topology_argument file = {NULL};
	struct topology_counts counts;
	struct topology topology = {0};
	int rc;

	options_parse(ctl, &load_form, argc, argv, &file);
	if ((rc = read_topology(file.value, &document, &topology, status)) < 0) {
		if (status->message[0] != '\0')
			status_prefix(status, "%s: ", file.value);
		return rc;
	}
	if ((rc = upload_topology(ctl, &topology, &counts, status)) < 0)
		return rc;
	if (ctl->json)
		return ctl_print_json(&topology_counts_message, &counts);
	printf("topology '%s': %" PRId64 " nodes, %" PRId64 " links\n", topology.topology_id, counts.nodes,
	       counts.links);
	return 0;
}

// ---- show

static int add_link(struct table *table, const struct link_view *link) {
	char total[CELL_SIZE], used[CELL_SIZE], reverse[CELL_SIZE], cost[CELL_SIZE], latency[CELL_SIZE];
	const char *cells[] = {
	        link->id,
	        link->a,
	        link->z,
	        link->bidirectional ? "both" : "a to z",
	        cell_gbps(HAS(link, link_view, total_capacity_gbps), link->total_capacity_gbps, total),
	        cell_gbps(HAS(link, link_view, used_capacity_gbps), link->used_capacity_gbps, used),
	        cell_gbps(HAS(link, link_view, used_capacity_reverse_gbps), link->used_capacity_reverse_gbps,
	                  reverse),
	        cell_real(true, link->cost, cost),
	        cell_real(HAS(link, link_view, latency_ms), link->latency_ms, latency),
	        choice_word(&states_choices, link->state),
	};

	return table_add(table, cells);
}

static int print_view(const struct topology_view *view) {
	static const struct table_column columns[] = {
	        {"LINK", false}, {"A", false},      {"Z", false},   {"WAYS", false},   {"TOTAL", true},
	        {"USED", true},  {"REVERSE", true}, {"COST", true}, {"LATENCY", true}, {"STATE", false},
	};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t i = 0; i < view->n_links; i++) {
		if ((rc = add_link(table, &view->links[i])) < 0)
			return rc;
	}
	printf("topology '%s', version %" PRId64 ": %zu nodes, %zu links\n\n", view->topology_id,
	       view->version, view->n_nodes, view->n_links);
	return cells_print(table, "links", view->n_links);
}

static int topology_show(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(view_fini) struct view view = {0};
	struct topology_argument id = {"admin"};
	int rc;

	options_parse(ctl, &show_form, argc, argv, &id);
	if ((rc = view_fetch(ctl, id.value, &view, status)) < 0)
		return rc;
	return ctl->json ? ctl_print_json(&topology_view_message, &view.body) : print_view(&view.body);
}

// ---- delete

static int topology_delete(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct topology_argument id = {NULL};
	struct topology_query query;
	struct empty reply;
	int rc;

	options_parse(ctl, &delete_form, argc, argv, &id);
	topology_query_init(&query);
	query.topology_id = id.value;
	if ((rc = ctl_call(ctl, OP_DELETE_TOPOLOGY, &query, &reply, &document, status)) < 0)
		return rc;
	return ctl->json ? ctl_print_json(&empty_message, &reply) : 0;
}

const struct command topology_commands[] = {
        {"load", topology_load, "FILE.json", "replace a topology by the one in a file", &load_form, NULL},
        {"show", topology_show, "[ID]", "its links with current capacities and states", &show_form, NULL},
        {"delete", topology_delete, "ID", "forget it", &delete_form, NULL},
        {0},
};

int command_topology(struct ctl *ctl, int argc, char **argv, struct status *status) {
	return commands_run(topology_commands, argv[0], "The topologies that analyticsd knows.", ctl, argc,
	                    argv, status);
}
