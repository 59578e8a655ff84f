// services: what was admitted, and on which links.
// SPDX-License-Identifier: MIT
#include "cells.h"
#include "commands.h"
#include "options.h"
#include "route.h"

#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct services_arguments {
	struct services_query query;
};

static const struct command_option options[] = {
        {"state", 0, "STATE", "only those that are scheduled, active, expired or released", VALUE_CHOICE,
         TO_FIELD(services_arguments, query, services_query, state), .choices = &service_states_choices},
        {"topology", 0, "ID", "only those of this topology", VALUE_ID,
         TO(services_arguments, query.topology_id)},
        {"link", 0, "ID", "only those on this link", VALUE_ID, TO(services_arguments, query.link_id)},
        {"evidence", 0, NULL, "with --json: also what they were admitted from", VALUE_FLAG,
         TO_FIELD(services_arguments, query, services_query, evidence)},
        {0},
};

static const struct command_option arguments_of[] = {
        {"SERVICE", 0, NULL, "only this one", VALUE_ID, TO(services_arguments, query.service_id)},
        {0},
};

const struct command_form services_form = {
        .options = options,
        .arguments = arguments_of,
        .doc = "Lists the services that were admitted, or one of them. A service without an end holds its "
               "capacity until it is released; ~ marks a link that is taken from z to a.",
};

// ---- the list, from as many pages as it takes

struct services {
	struct service_list list;
	struct replies replies;
};

static void services_fini(struct services *services) {
	free(services->list.services);
	replies_fini(&services->replies);
}

static int append_page(struct service_list *all, const struct service_list *page) {
	int rc = array_grow((void **)&all->services, all->n_services, page->n_services,
	                    sizeof(*page->services));

	if (rc < 0)
		return rc;
	if (page->n_services > 0)
		memcpy(all->services + all->n_services, page->services,
		       page->n_services * sizeof(*page->services));
	all->n_services += page->n_services;
	all->ledger_version = page->ledger_version;
	return 0;
}

static int fetch(struct ctl *ctl, struct services_query *query, struct services *services,
                 struct status *status) {
	int rc;

	for (;;) {
		struct document *document = NULL;
		struct service_list page;

		if ((rc = ctl_call(ctl, OP_LIST_SERVICES, query, &page, &document, status)) < 0 ||
		    (rc = replies_keep(&services->replies, document)) < 0 ||
		    (rc = append_page(&services->list, &page)) < 0)
			return rc;
		if (!HAS(&page, service_list, next_page))
			return 0;
		if ((rc = page_after(query->page, page.next_page, &query->page, status)) < 0)
			return rc;
	}
}

// ---- the table

static int add_service(struct table *table, const struct service_view *service) {
	CLEANUP(freep) char *route = route_text(service->links, service->n_links);
	char gbps[CELL_SIZE], start[TIME_TEXT_SIZE], end[TIME_TEXT_SIZE];
	const char *cells[] = {
	        service->service_id,
	        choice_word(&service_states_choices, service->state),
	        cell_gbps(true, service->gbps, gbps),
	        service->from,
	        service->to,
	        text_from_time_ns(service->start_ns - service->start_ns % 1000000000, start),
	        NULL,
	        choice_word(&traffic_modes_choices, service->traffic),
	        route,
	};

	if (route == NULL)
		return -ENOMEM;
	if (HAS(service, service_view, end_ns))
		cells[6] = text_from_time_ns(service->end_ns - service->end_ns % 1000000000, end);
	return table_add(table, cells);
}

static int print_services(const struct service_list *list) {
	static const struct table_column columns[] = {
	        {"SERVICE", false}, {"STATE", false}, {"GBPS", true},     {"FROM", false},  {"TO", false},
	        {"START", false},   {"END", false},   {"TRAFFIC", false}, {"LINKS", false},
	};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t i = 0; i < list->n_services; i++) {
		if ((rc = add_service(table, &list->services[i])) < 0)
			return rc;
	}
	return cells_print(table, "services", list->n_services);
}

int command_services(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(services_fini) struct services services = {0};
	struct services_arguments arguments;
	int rc;

	services_query_init(&arguments.query);
	options_parse(ctl, &services_form, argc, argv, &arguments);
	if ((rc = fetch(ctl, &arguments.query, &services, status)) < 0)
		return rc;
	return ctl->json ? ctl_print_json(&service_list_message, &services.list)
	                 : print_services(&services.list);
}
