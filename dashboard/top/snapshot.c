// The requests behind the screen. Replies are kept whole: rows point into them.
// SPDX-License-Identifier: MIT
#include "snapshot.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void snapshot_free(struct snapshot *snapshot) {
	if (snapshot == NULL)
		return;
	for (size_t i = 0; i < snapshot->n_documents; i++)
		document_close(snapshot->documents[i]);
	free(snapshot->documents);
	free(snapshot->links);
	free(snapshot->ports);
	free(snapshot);
}

// Room for 'more' elements behind the 'n' of '*array'.
static int grow(void **array, size_t n, size_t more, size_t size) {
	void *moved = reallocarray(*array, n + more + 1, size);

	if (moved == NULL)
		return -ENOMEM;
	*array = moved;
	return 0;
}

// A call whose reply lives as long as the snapshot. 'reply' is the caller's.
static int ask(struct snapshot *snapshot, struct client *client, enum op op, const void *request,
               void *reply) {
	struct document *document;
	struct status status;
	int rc;

	if (grow((void **)&snapshot->documents, snapshot->n_documents, 1, sizeof(struct document *)) < 0)
		return -ENOMEM;
	if ((rc = client_call(client, op, request, reply, &document, &status)) < 0) {
		snprintf(snapshot->error, sizeof(snapshot->error), "%s", status.message);
		return rc;
	}
	snapshot->documents[snapshot->n_documents++] = document;
	return 0;
}

// When the upper band reaches the total.
static double full_after(const struct link_forecast *forecast, int64_t now_ns) {
	if (!HAS(forecast, link_forecast, total_capacity_gbps))
		return NAN;
	for (size_t i = 0; i < forecast->n_series; i++) {
		if (forecast->series[i].upper >= forecast->total_capacity_gbps)
			return fmax(0, (double)(forecast->series[i].ts_ns - now_ns) / 1e9);
	}
	return NAN;
}

static int take_topology(struct snapshot *snapshot, struct client *client, const char *topology_id) {
	struct topology_forecast_query query;
	struct topology_forecast reply;
	int rc;

	topology_forecast_query_init(&query);
	query.topology_id = topology_id;
	query.forecast_window_seconds = snapshot->wish.window_seconds;
	query.series = true;
	query.limit = LIMIT_PAGE;
	do {
		if ((rc = ask(snapshot, client, OP_FORECAST_TOPOLOGY, &query, &reply)) < 0)
			return rc;
		if (grow((void **)&snapshot->links, snapshot->n_links, reply.n_link_capacities,
		         sizeof(*snapshot->links)) < 0)
			return -ENOMEM;
		for (size_t i = 0; i < reply.n_link_capacities; i++) {
			const struct link_forecast *forecast = &reply.link_capacities[i];

			snapshot->links[snapshot->n_links++] =
			        (struct top_link){forecast, full_after(forecast, snapshot->at_ns)};
		}
		query.page = HAS(&reply, topology_forecast, next_page) ? reply.next_page : 0;
	} while (query.page != 0);
	return 0;
}

static int take_links(struct snapshot *snapshot, struct client *client) {
	struct empty nothing = {0};
	struct topology_list list;
	int rc;

	if ((rc = ask(snapshot, client, OP_LIST_TOPOLOGIES, &nothing, &list)) < 0)
		return rc;
	for (size_t i = 0; i < list.n_topologies; i++) {
		if ((rc = take_topology(snapshot, client, list.topologies[i].topology_id)) < 0)
			return rc;
	}
	return 0;
}

static int take_ports(struct snapshot *snapshot, struct client *client) {
	struct empty nothing = {0};
	struct source_list list;
	int rc;

	if ((rc = ask(snapshot, client, OP_LIST_SOURCES, &nothing, &list)) < 0)
		return rc;
	snapshot->n_sources = list.n_sources;
	for (size_t s = 0; s < list.n_sources; s++) {
		const struct source *source = &list.sources[s];

		snapshot->n_live += source->live;
		if (grow((void **)&snapshot->ports, snapshot->n_ports, source->n_ports,
		         sizeof(*snapshot->ports)) < 0)
			return -ENOMEM;
		for (size_t p = 0; p < source->n_ports; p++)
			snapshot->ports[snapshot->n_ports++] = (struct top_port){source, &source->ports[p]};
	}
	return 0;
}

static int take_alerts(struct snapshot *snapshot, struct client *client) {
	struct alerts_query query;
	struct alert_list list;
	int rc;

	alerts_query_init(&query);
	if ((rc = ask(snapshot, client, OP_LIST_ALERTS, &query, &list)) < 0)
		return rc;
	snapshot->alerts = list.alerts;
	snapshot->n_alerts = list.n_alerts;
	return 0;
}

static int take_detail(struct snapshot *snapshot, struct client *client) {
	const struct snapshot_wish *wish = &snapshot->wish;
	struct kpi_query query;
	struct kpi_series series;
	int rc;

	for (size_t i = 0; i < snapshot->n_links; i++) {
		const struct link_forecast *forecast = snapshot->links[i].forecast;

		if (strcmp(forecast->link_id, wish->link_id) == 0 &&
		    forecast->direction == (int)wish->direction)
			snapshot->detail.forecast = forecast;
	}
	kpi_query_init(&query);
	query.link_id = wish->link_id;
	query.direction = wish->direction;
	query.from_ns = snapshot->at_ns - (int64_t)(wish->past_seconds * 1e9);
	query.to_ns = snapshot->at_ns;
	SET(&query, kpi_query, step_seconds, wish->step_seconds);
	if ((rc = ask(snapshot, client, OP_QUERY_KPI, &query, &series)) < 0)
		return rc;
	snapshot->detail.past = series.samples;
	snapshot->detail.n_past = series.n_samples;
	return 0;
}

struct snapshot *snapshot_take(struct client *client, const struct snapshot_wish *wish, int64_t now_ns) {
	struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (snapshot == NULL)
		return NULL;
	snapshot->at_ns = now_ns;
	snapshot->wish = *wish;
	if (take_ports(snapshot, client) == 0 && take_alerts(snapshot, client) == 0 &&
	    take_links(snapshot, client) == 0 && wish->link_id[0] != '\0')
		(void)take_detail(snapshot, client);
	return snapshot;
}
