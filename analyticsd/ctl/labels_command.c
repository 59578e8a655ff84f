// label, labels: telling what happened to ports and links, and seeing what was told.
// SPDX-License-Identifier: MIT
#include "cells.h"
#include "commands.h"
#include "options.h"
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct label_arguments {
	struct label_event event;
	struct port_name port;
	bool is_none;
	int64_t drop;
};

static const struct command_option label_options[] = {
        {"port", 'p', "HOST/NAME", "of a port", VALUE_PORT, TO(label_arguments, port)},
        {"link", 'l', "ID", "of a link, instead", VALUE_ID, TO(label_arguments, event.link_id)},
        {"event", 'e', "WORD", "what it was", VALUE_ID, TO(label_arguments, event.event)},
        {"from", 0, "TIME", "when it failed", VALUE_TIME,
         TO_FIELD(label_arguments, event, label_event, from_ns)},
        {"to", 0, "TIME", "when it was over (default: now)", VALUE_TIME,
         TO_FIELD(label_arguments, event, label_event, to_ns)},
        {"degraded-from", 0, "TIME", "when its first signs showed", VALUE_TIME,
         TO_FIELD(label_arguments, event, label_event, degraded_from_ns)},
        {"no-failure", 0, NULL, "it was none: not to be learnt as one", VALUE_FLAG,
         TO(label_arguments, is_none)},
        {"note", 0, "TEXT", "for others to read", VALUE_TEXT, TO(label_arguments, event.note)},
        {"drop", 0, "LABEL", "forget the label of this number, instead", VALUE_NUMBER,
         TO(label_arguments, drop), 1, 9e18},
        {0},
};

static void check(const void *values, struct argp_state *state) {
	const struct label_arguments *arguments = values;
	const struct label_event *event = &arguments->event;

	if (arguments->drop != 0)
		return;
	if ((arguments->port.name == NULL) == (event->link_id == NULL))
		argp_error(state, "one of --port and --link");
	if (event->event == NULL || !HAS(event, label_event, from_ns))
		argp_error(state, "--event and --from are required");
}

const struct command_form label_form = {
        .options = label_options,
        .doc = "Tells what happened to a port or a link: failure prediction learns from it.",
        .check = check,
};

static int drop(struct ctl *ctl, int64_t label_id, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct label_drop request = {.label_id = label_id};
	struct empty reply;
	int rc = ctl_call(ctl, OP_DROP_LABEL, &request, &reply, &document, status);

	if (rc < 0)
		return rc;
	return ctl->json ? ctl_print_json(&empty_message, &reply) : 0;
}

int command_label(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct label_arguments arguments = {0};
	struct label_event *event = &arguments.event;
	struct event_label label;
	int rc;

	label_event_init(event);
	options_parse(ctl, &label_form, argc, argv, &arguments);
	if (arguments.drop != 0)
		return drop(ctl, arguments.drop, status);
	if (arguments.port.name != NULL) {
		event->host = arguments.port.host;
		event->name = arguments.port.name;
	}
	if (!HAS(event, label_event, to_ns))
		SET(event, label_event, to_ns, ctl->now_ns);
	event->failure = !arguments.is_none;
	if ((rc = ctl_call(ctl, OP_LABEL_EVENT, event, &label, &document, status)) < 0)
		return rc;
	if (ctl->json)
		return ctl_print_json(&event_label_message, &label);
	printf("label %lld\n", (long long)label.label_id);
	return 0;
}

// ---- what was told

struct labels_pages {
	struct label_list list;
	struct replies replies;
};

static void labels_pages_fini(struct labels_pages *pages) {
	free(pages->list.labels);
	replies_fini(&pages->replies);
}

static int fetch(struct ctl *ctl, struct labels_pages *pages, struct status *status) {
	struct label_list *all = &pages->list;
	struct labels_query query;
	int rc;

	labels_query_init(&query);
	for (;;) {
		struct document *document = NULL;
		struct label_list page;

		if ((rc = ctl_call(ctl, OP_LIST_LABELS, &query, &page, &document, status)) < 0 ||
		    (rc = replies_keep(&pages->replies, document)) < 0 ||
		    (rc = array_grow((void **)&all->labels, all->n_labels, page.n_labels,
		                     sizeof(*page.labels))) < 0)
			return rc;
		if (page.n_labels > 0)
			memcpy(all->labels + all->n_labels, page.labels,
			       page.n_labels * sizeof(*page.labels));
		all->n_labels += page.n_labels;
		if (!HAS(&page, label_list, next_page))
			return 0;
		if ((rc = page_after(query.page, page.next_page, &query.page, status)) < 0)
			return rc;
	}
}

static int add_label(struct table *table, const struct event_label *label) {
	char number[CELL_SIZE], from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE], object[2 * LIMIT_ID_SIZE + 2];
	const char *cells[] = {
	        cell_number(label->label_id, number),
	        object,
	        label->event,
	        label->failure ? "yes" : "no",
	        text_from_time_ns(label->from_ns - label->from_ns % 1000000000, from),
	        text_from_time_ns(label->to_ns - label->to_ns % 1000000000, to),
	        label->by,
	        label->note,
	};

	if (label->link_id != NULL)
		snprintf(object, sizeof(object), "%s", label->link_id);
	else
		snprintf(object, sizeof(object), "%s/%s", label->host, label->name);
	return table_add(table, cells);
}

int command_labels(struct ctl *ctl, int argc, char **argv, struct status *status) {
	static const struct table_column columns[] = {
	        {"LABEL", true}, {"OBJECT", false}, {"EVENT", false}, {"FAILURE", false},
	        {"FROM", false}, {"TO", false},     {"BY", false},    {"NOTE", false},
	};
	CLEANUP(labels_pages_fini) struct labels_pages pages = {0};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	arguments_none(ctl, argc, argv, "Lists what happened to ports and links, as it was told.");
	if ((rc = fetch(ctl, &pages, status)) < 0)
		return rc;
	if (ctl->json)
		return ctl_print_json(&label_list_message, &pages.list);
	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t i = 0; i < pages.list.n_labels; i++) {
		if ((rc = add_label(table, &pages.list.labels[i])) < 0)
			return rc;
	}
	return cells_print(table, "labels", pages.list.n_labels);
}
