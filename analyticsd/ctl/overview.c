// status, sources, ports, metrics: what the service is and hears.
// SPDX-License-Identifier: MIT
#include "arguments.h"
#include "cells.h"
#include "commands.h"

#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

#define ARRAY_SIZE(ARRAY) (sizeof(ARRAY) / sizeof((ARRAY)[0]))

static int ask(struct ctl *ctl, enum op op, void *reply, struct document **ret, struct status *status) {
	struct empty nothing = {0};

	return ctl_call(ctl, op, &nothing, reply, ret, status);
}

// ---- tables

static uint64_t lost_of(const struct source *source) {
	uint64_t lost = 0;

	for (size_t i = 0; i < source->n_ports; i++)
		lost += source->ports[i].lost;
	return lost;
}

static int print_sources(const struct ctl *ctl, const struct source *sources, size_t n) {
	static const struct table_column columns[] = {
	        {"SOURCE", false},  {"LIVE", false}, {"PORTS", true},
	        {"INTERVAL", true}, {"HEARD", true}, {"LOST", true},
	};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if ((rc = table_new(columns, ARRAY_SIZE(columns), &table)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const struct source *source = &sources[i];
		char ports[CELL_SIZE], interval[DURATION_TEXT_SIZE], heard[CELL_SIZE], lost[CELL_SIZE];
		const char *cells[] = {
		        source->host,
		        source->live ? "yes" : "no",
		        cell_count(source->n_ports, ports),
		        source->interval_ns == 0
		                ? NULL
		                : text_from_seconds((double)source->interval_ns / 1e9, interval),
		        cell_age(ctl, source->last_ts_ns, heard),
		        cell_count(lost_of(source) + source->dropped, lost),
		};

		if ((rc = table_add(table, cells)) < 0)
			return rc;
	}
	return cells_print(table, "sources", n);
}

static int print_topologies(const struct topology_summary *topologies, size_t n) {
	static const struct table_column columns[] = {
	        {"TOPOLOGY", false}, {"VERSION", true}, {"NODES", true}, {"LINKS", true}};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if ((rc = table_new(columns, ARRAY_SIZE(columns), &table)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		char version[CELL_SIZE], nodes[CELL_SIZE], links[CELL_SIZE];
		const char *cells[] = {topologies[i].topology_id, cell_number(topologies[i].version, version),
		                       cell_number(topologies[i].nodes, nodes),
		                       cell_number(topologies[i].links, links)};

		if ((rc = table_add(table, cells)) < 0)
			return rc;
	}
	return cells_print(table, "topologies", n);
}

static int add_port(const struct ctl *ctl, struct table *table, const struct source *source,
                    const struct source_port *port) {
	char speed[CELL_SIZE], rx[CELL_SIZE], tx[CELL_SIZE], sampled[CELL_SIZE], rows[CELL_SIZE],
	        lost[CELL_SIZE], errors[CELL_SIZE];
	const char *cells[] = {
	        source->host,
	        port->name,
	        port->link,
	        HAS(port, source_port, end) ? choice_word(&ends_choices, port->end) : NULL,
	        port->up ? "up" : "down",
	        cell_gbps(port->speed_mbps != 0 && port->speed_mbps != UINT32_MAX,
	                  (double)port->speed_mbps / 1000, speed),
	        cell_gbps(HAS(port, source_port, rx_gbps), port->rx_gbps, rx),
	        cell_gbps(HAS(port, source_port, tx_gbps), port->tx_gbps, tx),
	        cell_age(ctl, port->last_ts_ns, sampled),
	        cell_count(port->rows, rows),
	        cell_count(port->lost, lost),
	        cell_count(port->errors, errors),
	};

	return table_add(table, cells);
}

static int print_ports(const struct ctl *ctl, const struct source_list *list) {
	static const struct table_column columns[] = {
	        {"SOURCE", false}, {"PORT", false}, {"LINK", false}, {"END", false},
	        {"STATE", false},  {"GBPS", true},  {"RX", true},    {"TX", true},
	        {"SAMPLED", true}, {"ROWS", true},  {"LOST", true},  {"ERRORS", true},
	};
	CLEANUP(table_freep) struct table *table = NULL;
	size_t n = 0;
	int rc;

	if ((rc = table_new(columns, ARRAY_SIZE(columns), &table)) < 0)
		return rc;
	for (size_t s = 0; s < list->n_sources; s++) {
		for (size_t p = 0; p < list->sources[s].n_ports; p++, n++) {
			if ((rc = add_port(ctl, table, &list->sources[s], &list->sources[s].ports[p])) < 0)
				return rc;
		}
	}
	return cells_print(table, "ports", n);
}

// ---- commands

int command_status(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(document_closep) struct document *ping_document = NULL;
	CLEANUP(document_closep) struct document *source_document = NULL;
	CLEANUP(document_closep) struct document *topology_document = NULL;
	struct ping_reply ping;
	struct source_list sources;
	struct topology_list topologies;
	struct service_status all;
	char uptime[DURATION_TEXT_SIZE];
	int rc;

	arguments_none(ctl, argc, argv,
	               "Tells whether analyticsd is there, what it hears and what it knows.");
	if ((rc = ask(ctl, OP_PING, &ping, &ping_document, status)) < 0 ||
	    (rc = ask(ctl, OP_LIST_SOURCES, &sources, &source_document, status)) < 0 ||
	    (rc = ask(ctl, OP_LIST_TOPOLOGIES, &topologies, &topology_document, status)) < 0)
		return rc;
	if (ctl->json) {
		all = (struct service_status){.version = ping.version,
		                              .uptime_seconds = ping.uptime_seconds,
		                              .sources = sources.sources,
		                              .n_sources = sources.n_sources,
		                              .topologies = topologies.topologies,
		                              .n_topologies = topologies.n_topologies};
		return ctl_print_json(&service_status_message, &all);
	}
	printf("analyticsd %s at %s, up for %s\n\n", ping.version, ctl->api,
	       text_from_seconds(ping.uptime_seconds < 1 ? ping.uptime_seconds : floor(ping.uptime_seconds),
	                         uptime));
	if ((rc = print_sources(ctl, sources.sources, sources.n_sources)) < 0)
		return rc;
	putchar('\n');
	return print_topologies(topologies.topologies, topologies.n_topologies);
}

int command_sources(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct source_list list;
	int rc;

	arguments_none(ctl, argc, argv, "Lists the publishers that analyticsd heard.");
	if ((rc = ask(ctl, OP_LIST_SOURCES, &list, &document, status)) < 0)
		return rc;
	if (ctl->json)
		return ctl_print_json(&source_list_message, &list);
	return print_sources(ctl, list.sources, list.n_sources);
}

int command_ports(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct source_list list;
	int rc;

	arguments_none(ctl, argc, argv,
	               "Lists the ports of the publishers. Rates are Gbps over the last two samples.");
	if ((rc = ask(ctl, OP_LIST_SOURCES, &list, &document, status)) < 0)
		return rc;
	if (ctl->json)
		return ctl_print_json(&source_list_message, &list);
	return print_ports(ctl, &list);
}

int command_metrics(struct ctl *ctl, int argc, char **argv, struct status *status) {
	static const struct table_column columns[] = {
	        {"METRIC", false}, {"VALUE", true}, {"UNIT", false}, {"MEANING", false}};
	CLEANUP(document_closep) struct document *document = NULL;
	CLEANUP(table_freep) struct table *table = NULL;
	struct metric_list list;
	int rc;

	arguments_none(ctl, argc, argv, "Shows analyticsd's own metrics.");
	if ((rc = ask(ctl, OP_METRICS, &list, &document, status)) < 0)
		return rc;
	if (ctl->json)
		return ctl_print_json(&metric_list_message, &list);
	if ((rc = table_new(columns, ARRAY_SIZE(columns), &table)) < 0)
		return rc;
	for (size_t i = 0; i < list.n_metrics; i++) {
		char value[CELL_SIZE];
		const char *cells[] = {list.metrics[i].name, cell_real(true, list.metrics[i].value, value),
		                       list.metrics[i].unit, list.metrics[i].help};

		if ((rc = table_add(table, cells)) < 0)
			return rc;
	}
	return cells_print(table, "metrics", list.n_metrics);
}
