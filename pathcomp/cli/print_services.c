// Tables of services, and of what each decision about one was made from.
// SPDX-License-Identifier: MIT
#include "print_services.h"

#include "codec.h"
#include "route.h"
#include "table.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CELL_SIZE 40

static int print_message(const struct message *message, const void *body, FILE *file) {
	CLEANUP(freep) char *text = NULL;
	int rc;

	if ((rc = reply_to_json(message, NULL, body, true, &text)) < 0)
		return rc;
	return fprintf(file, "%s\n", text) < 0 ? -EIO : 0;
}

static const char *put_gbps(bool known, double gbps, char text[static CELL_SIZE]) {
	snprintf(text, CELL_SIZE, known ? "%.6g" : "?", gbps);
	return text;
}

static const char *put_time(bool known, int64_t time_ns, char text[static TIME_TEXT_SIZE]) {
	return known ? text_from_time_ns(time_ns, text) : NULL;
}

// ---- all of them

static int add_service(struct table *table, const struct service_view *service) {
	CLEANUP(freep) char *route = route_text(service->links, service->n_links);
	char gbps[CELL_SIZE], start[TIME_TEXT_SIZE], end[TIME_TEXT_SIZE];
	const char *cells[] = {
	        service->service_id,
	        choice_word(&service_states_choices, service->state),
	        service->from,
	        service->to,
	        put_gbps(true, service->gbps, gbps),
	        text_from_time_ns(service->start_ns, start),
	        put_time(HAS(service, service_view, end_ns), service->end_ns, end),
	        route,
	};

	return route == NULL ? -ENOMEM : table_add(table, cells);
}

int print_services(const struct service_list *list, bool json, FILE *file) {
	static const struct table_column columns[] = {
	        {"SERVICE", false}, {"STATE", false}, {"FROM", false}, {"TO", false},
	        {"GBPS", true},     {"START", false}, {"END", false},  {"LINKS", false},
	};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if (json)
		return print_message(&service_list_message, list, file);
	if (list->n_services == 0)
		return fprintf(file, "no services\n") < 0 ? -EIO : 0;
	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t i = 0; i < list->n_services; i++) {
		if ((rc = add_service(table, &list->services[i])) < 0)
			return rc;
	}
	return table_print(table, file);
}

// ---- one

static int add_link(struct table *table, const struct link_evidence *seen) {
	bool total = HAS(seen, link_evidence, total_capacity_gbps);
	char gbps[4][CELL_SIZE], worst[TIME_TEXT_SIZE];
	const char *cells[] = {
	        seen->link_id,
	        choice_word(&directions_choices, seen->direction),
	        choice_word(&states_choices, seen->state),
	        put_gbps(total, seen->total_capacity_gbps, gbps[0]),
	        put_gbps(true, seen->forecast_used_capacity_gbps, gbps[1]),
	        seen->model != NULL ? seen->model : seen->capacity_source_reason,
	        put_gbps(true, seen->reserved_gbps, gbps[2]),
	        put_gbps(HAS(seen, link_evidence, available_gbps), seen->available_gbps, gbps[3]),
	        text_from_time_ns(seen->worst_ns, worst),
	};

	return table_add(table, cells);
}

static int print_evidence(const struct admission_evidence *evidence, FILE *file) {
	static const struct table_column columns[] = {
	        {"LINK", false}, {"DIRECTION", false}, {"STATE", false}, {"CAPACITY", true},  {"USED", true},
	        {"BY", false},   {"HELD", true},       {"FREE", true},   {"LEAST AT", false},
	};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t i = 0; i < evidence->n_links; i++) {
		if ((rc = add_link(table, &evidence->links[i])) < 0)
			return rc;
	}
	return table_print(table, file);
}

static int print_decision(const struct service_decision *decision, FILE *file) {
	char decided[TIME_TEXT_SIZE], start[TIME_TEXT_SIZE], end[TIME_TEXT_SIZE];
	bool ends = HAS(decision, service_decision, end_ns);

	fprintf(file, "\nversion %lld, %s %s by request %s: %.6g Gbps from %s to %s\n",
	        (long long)decision->version, choice_word(&service_changes_choices, decision->verdict),
	        text_from_time_ns(decision->decided_ns, decided), decision->request_id, decision->gbps,
	        text_from_time_ns(decision->start_ns, start),
	        ends ? text_from_time_ns(decision->end_ns, end) : "its release");
	return print_evidence(decision->evidence, file);
}

int print_service(const struct service_view *service, bool json, FILE *file) {
	CLEANUP(freep) char *route = route_text(service->links, service->n_links);
	char start[TIME_TEXT_SIZE], end[TIME_TEXT_SIZE];
	int rc;

	if (json)
		return print_message(&service_view_message, service, file);
	if (route == NULL)
		return -ENOMEM;
	fprintf(file, "service %s: %s, %.6g Gbps", service->service_id,
	        choice_word(&service_states_choices, service->state), service->gbps);
	if (service->from != NULL && service->to != NULL)
		fprintf(file, " from %s to %s", service->from, service->to);
	fprintf(file, " on %s\n%s to %s, traffic %s, topology %s, version %lld\n", route,
	        text_from_time_ns(service->start_ns, start),
	        HAS(service, service_view, end_ns) ? text_from_time_ns(service->end_ns, end) : "its release",
	        choice_word(&traffic_modes_choices, service->traffic), service->topology_id,
	        (long long)service->version);
	for (size_t i = 0; i < service->n_decisions; i++) {
		if ((rc = print_decision(&service->decisions[i], file)) < 0)
			return rc;
	}
	return fprintf(file, "\nrates in Gbps; what was free when it was least, before this service\n") < 0
	               ? -EIO
	               : 0;
}
