// Topologies and forecasts from a file or, in pages, from analyticsd.
// SPDX-License-Identifier: MIT
#include "origin.h"

#include "client.h"
#include "clock.h"
#include "endpoint.h"
#include "log.h"
#include "reader.h"
#include "topology.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

// "Does not answer" is to be said within CLIENT_TIMEOUT_MS from the start of the program. Whoever answered
// may take long over a forecast of many links.
#define PING_TIMEOUT_MS (CLIENT_TIMEOUT_MS * 3 / 4)

#define VERSION_TRIES 3 // a topology that changes while its pages are read is read again

// A page of forecasts with their series must fit in a frame: count on a point for each minute.
#define POINT_SECONDS 60
#define POINT_SIZE    40
#define ENTRY_SIZE    1024

struct origin {
	const struct origin_options *options;
	char endpoint[ENDPOINT_SIZE];
	struct client *client; // NULL until somebody answered
	struct status silence; // why nobody is asked any more; STATUS_OK: ask
};

void documents_fini(struct documents *documents) {
	for (size_t i = 0; i < documents->n; i++)
		document_close(documents->list[i]);
	free(documents->list);
	*documents = (struct documents){0};
}

// Takes the document over, also on failure.
static int documents_add(struct documents *documents, struct document *document) {
	struct document **moved = reallocarray(documents->list, documents->n + 1, sizeof(*documents->list));

	if (moved == NULL) {
		document_close(document);
		return -ENOMEM;
	}
	documents->list = moved;
	documents->list[documents->n++] = document;
	return 0;
}

void origin_topology_fini(struct origin_topology *topology) {
	documents_fini(&topology->documents);
	documents_fini(&topology->fresh);
	free(topology->capacities);
	free(topology->lists);
	free(topology->reservations);
	*topology = (struct origin_topology){0};
}

int origin_open(const struct origin_options *options, struct origin **ret, struct status *status) {
	CLEANUP(origin_closep) struct origin *origin = calloc(1, sizeof(*origin));
	int rc;

	if (origin == NULL)
		return -ENOMEM;
	origin->options = options;
	if (origin_has_forecasts(origin) &&
	    (rc = endpoint_set(ENDPOINT_API, options->api, origin->endpoint, status)) < 0)
		return rc;
	*ret = origin;
	origin = NULL;
	return 0;
}

void origin_close(struct origin *origin) {
	if (origin == NULL)
		return;
	client_close(origin->client);
	free(origin);
}

void origin_retry(struct origin *origin) {
	origin->silence = (struct status){0};
}

bool origin_has_forecasts(const struct origin *origin) {
	return origin->options->file == NULL || origin->options->api != NULL;
}

// ---- from a file

struct warnings {
	char first[STATUS_MESSAGE_SIZE];
	size_t n;
};

static void warn(void *context, const char *text) {
	struct warnings *warnings = context;

	if (warnings->n++ == 0)
		snprintf(warnings->first, sizeof(warnings->first), "%s", text);
}

// One line, however many there are: who asks for a path isn't mending the file.
static void log_warnings(const struct warnings *warnings) {
	if (warnings->n == 1)
		log_warning("%s", warnings->first);
	else if (warnings->n > 1)
		log_warning("%s (%zu more: see pathcomp topology check)", warnings->first, warnings->n - 1);
}

static struct pathcomp_capacity no_data(void) {
	return (struct pathcomp_capacity){.total_gbps = NAN, .current_gbps = NAN, .forecast_gbps = NAN};
}

static void take_link(const struct link *link, struct pathcomp_capacity arcs[2]) {
	arcs[0] = no_data();
	arcs[0].state = link->admin_up ? STATE_UP : STATE_ADMIN_DOWN;
	if (HAS(link, link, total_capacity_gbps))
		arcs[0].total_gbps = link->total_capacity_gbps;
	if (HAS(link, link, used_capacity_gbps))
		arcs[0].current_gbps = link->used_capacity_gbps;
	arcs[1] = arcs[0];
	if (HAS(link, link, used_capacity_reverse_gbps))
		arcs[1].current_gbps = link->used_capacity_reverse_gbps;
}

static int read_file(struct origin *origin, const char *topology_id, struct origin_topology *ret,
                     struct status *status) {
	struct warnings warnings = {0};
	const struct reader_options options = {
	        .capacity_scale = origin->options->capacity_scale, .warn = warn, .context = &warnings};
	struct document *document;
	int rc;

	rc = reader_read(origin->options->file, &options, &ret->topology, &document, status);
	log_warnings(&warnings);
	if (rc < 0 || (rc = documents_add(&ret->documents, document)) < 0)
		return rc;
	if (topology_id != NULL && strcmp(topology_id, ret->topology.topology_id) != 0)
		return status_set(status, STATUS_NOT_FOUND, "%s: holds topology '%s', not '%s'",
		                  origin->options->file, ret->topology.topology_id, topology_id);
	ret->capacities = calloc(2 * ret->topology.n_links + 1, sizeof(*ret->capacities));
	if (ret->capacities == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < ret->topology.n_links; i++)
		take_link(&ret->topology.links[i], &ret->capacities[2 * i]);
	return 0;
}

// ---- from analyticsd

static int connect_api(struct origin *origin, struct status *status) {
	CLEANUP(client_closep) struct client *probe = NULL;
	CLEANUP(document_closep) struct document *document = NULL;
	struct ping_reply reply;
	int rc;

	if (origin->client != NULL)
		return 0;
	if ((rc = client_open(origin->endpoint, PING_TIMEOUT_MS, &probe, status)) < 0 ||
	    (rc = client_call(probe, OP_PING, &(struct empty){0}, &reply, &document, status)) < 0)
		return rc;
	return client_open(origin->endpoint, (int)fmax(origin->options->timeout_seconds * 1000, 1),
	                   &origin->client, status);
}

int origin_call(struct origin *origin, enum op op, const void *request, void *reply,
                struct documents *documents, struct status *status) {
	struct document *document = NULL;
	struct status own = {0};
	int rc;

	if (origin->silence.code != STATUS_OK)
		return status_set(status, origin->silence.code, "%s", origin->silence.message);
	if ((rc = connect_api(origin, &own)) == 0)
		rc = client_call(origin->client, op, request, reply, &document, &own);
	if (rc == -EHOSTUNREACH || rc == -ETIMEDOUT)
		origin->silence = own;
	if (rc == -ENOMEM)
		return rc;
	if (rc < 0)
		return status_set(status, own.code, "%s", own.message);
	return documents_add(documents, document);
}

static struct link link_of_view(const struct link_view *view) {
	struct link link;

	link_init(&link);
	link.id = view->id;
	link.a = view->a;
	link.z = view->z;
	link.bidirectional = view->bidirectional;
	link.cost = view->cost;
	link.admin_up = view->admin_up;
	link.srlg = view->srlg;
	link.n_srlg = view->n_srlg;
	link.ports = view->ports;
	link.n_ports = view->n_ports;
	if (HAS(view, link_view, latency_ms))
		SET(&link, link, latency_ms, view->latency_ms);
	if (HAS(view, link_view, total_capacity_gbps))
		SET(&link, link, total_capacity_gbps, view->total_capacity_gbps);
	if (HAS(view, link_view, used_capacity_gbps))
		SET(&link, link, used_capacity_gbps, view->used_capacity_gbps);
	if (HAS(view, link_view, used_capacity_reverse_gbps))
		SET(&link, link, used_capacity_reverse_gbps, view->used_capacity_reverse_gbps);
	return link;
}

static void take_view(const struct link_view *view, struct link *link, struct pathcomp_capacity arcs[2]) {
	*link = link_of_view(view);
	take_link(link, arcs);
	// Each direction is measured on its own: one that isn't is not known, even if the other is.
	if (!HAS(view, link_view, used_capacity_reverse_gbps))
		arcs[1].current_gbps = NAN;
	if (view->admin_up)
		arcs[0].state = arcs[1].state = (enum states)view->state;
	// what services hold is told apart, with its times
	if (HAS(view, link_view, reserved_gbps))
		arcs[0].current_gbps = fmax(arcs[0].current_gbps - view->reserved_gbps, 0);
	if (HAS(view, link_view, reserved_reverse_gbps))
		arcs[1].current_gbps = fmax(arcs[1].current_gbps - view->reserved_reverse_gbps, 0);
}

struct pages {
	struct topology_view *list;
	size_t n;
	size_t n_nodes, n_links, n_reservations;
};

static int pages_add(struct pages *pages, const struct topology_view *page) {
	struct topology_view *moved = reallocarray(pages->list, pages->n + 1, sizeof(*pages->list));

	if (moved == NULL)
		return -ENOMEM;
	pages->list = moved;
	pages->list[pages->n++] = *page;
	pages->n_nodes += page->n_nodes;
	pages->n_links += page->n_links;
	pages->n_reservations += page->n_reservations;
	return 0;
}

static void pages_fini(struct pages *pages) {
	free(pages->list);
}

static int check_page(const struct origin *origin, const struct pages *pages,
                      const struct topology_view *page, int64_t asked, struct status *status) {
	if (pages->n > 0 && page->version != pages->list[0].version)
		return status_set(status, STATUS_ABORTED, "topology '%s' changes while it is read",
		                  page->topology_id);
	if (pages->n_nodes + page->n_nodes > LIMIT_NODES || pages->n_links + page->n_links > LIMIT_LINKS ||
	    (HAS(page, topology_view, next_page) && page->next_page <= asked))
		return status_set(status, STATUS_INTERNAL, "%s: pages of topology '%s' without an end",
		                  origin->endpoint, page->topology_id);
	return 0;
}

static int get_pages(struct origin *origin, const char *topology_id, struct pages *pages,
                     struct documents *documents, struct status *status) {
	struct topology_query query;
	struct topology_view page = {0};
	int rc;

	topology_query_init(&query);
	if (topology_id != NULL)
		query.topology_id = topology_id;
	do {
		if ((rc = origin_call(origin, OP_GET_TOPOLOGY, &query, &page, documents, status)) < 0 ||
		    (rc = check_page(origin, pages, &page, query.page, status)) < 0 ||
		    (rc = pages_add(pages, &page)) < 0)
			return rc;
		query.page = page.next_page;
	} while (HAS(&page, topology_view, next_page));
	return 0;
}

static int join_pages(const struct pages *pages, struct origin_topology *ret) {
	struct topology *topology = &ret->topology;
	char *lists = malloc(pages->n_nodes * sizeof(struct node) + pages->n_links * sizeof(struct link) + 1);

	ret->lists = lists;
	ret->capacities = calloc(2 * pages->n_links + 1, sizeof(*ret->capacities));
	ret->reservations = calloc(pages->n_reservations + 1, sizeof(*ret->reservations));
	if (lists == NULL || ret->capacities == NULL || ret->reservations == NULL)
		return -ENOMEM;
	topology_init(topology);
	topology->topology_id = pages->list[0].topology_id;
	topology->links = (struct link *)(void *)lists;
	topology->nodes = (struct node *)(void *)(lists + pages->n_links * sizeof(struct link));
	ret->version = pages->list[0].version;
	ret->has_ledger = HAS(&pages->list[0], topology_view, ledger_version);
	for (size_t p = 0; p < pages->n; p++) {
		const struct topology_view *page = &pages->list[p];

		for (size_t i = 0; i < page->n_nodes; i++)
			topology->nodes[topology->n_nodes++] = page->nodes[i];
		for (size_t i = 0; i < page->n_reservations; i++)
			ret->reservations[ret->n_reservations++] = page->reservations[i];
		for (size_t i = 0; i < page->n_links; i++, topology->n_links++)
			take_view(&page->links[i], &topology->links[topology->n_links],
			          &ret->capacities[2 * topology->n_links]);
	}
	return 0;
}

static int ask_topology(struct origin *origin, const char *topology_id, struct origin_topology *ret,
                        struct status *status) {
	CLEANUP(pages_fini) struct pages pages = {0};
	int rc;

	if ((rc = get_pages(origin, topology_id, &pages, &ret->documents, status)) < 0 ||
	    (rc = join_pages(&pages, ret)) < 0)
		return rc;
	// What was stored has passed this; it keeps a faulty peer from harming us.
	return topology_check(&ret->topology, status);
}

static int read_topology(struct origin *origin, const char *topology_id, struct origin_topology *ret,
                         struct status *status) {
	int rc = origin->options->file != NULL ? read_file(origin, topology_id, ret, status)
	                                       : ask_topology(origin, topology_id, ret, status);

	if (rc < 0)
		origin_topology_fini(ret);
	return rc;
}

int origin_get_topology(struct origin *origin, const char *topology_id, struct origin_topology *ret,
                        struct status *status) {
	int rc = -EAGAIN;

	for (int i = 0; i < VERSION_TRIES && rc == -EAGAIN; i++)
		rc = read_topology(origin, topology_id, ret, status);
	return rc;
}

// ---- forecasts

static void take_forecast(const struct link_forecast *forecast, bool has_ledger,
                          struct pathcomp_capacity *capacity) {
	bool down = capacity->state == STATE_DOWN || capacity->state == STATE_ADMIN_DOWN;

	if (!down)
		capacity->state = (enum states)forecast->state;
	if (HAS(forecast, link_forecast, total_capacity_gbps))
		capacity->total_gbps = forecast->total_capacity_gbps;
	capacity->reserved_gbps = has_ledger ? 0 : forecast->reserved_gbps;
	if (HAS(forecast, link_forecast, background_gbps))
		capacity->current_gbps = forecast->background_gbps;
	if (forecast->samples == 0)
		return; // its answer is then the current use, which is known
	capacity->forecast_gbps = forecast->forecast_used_capacity_gbps;
	capacity->series = forecast->series;
	capacity->n_series = forecast->n_series;
}

// The arc that a forecast speaks of; forecasts come in the order of the topology, so it mostly is at or just
// behind 'expected'.
static int find_arc(const struct pathcomp_graph *graph, const struct link_forecast *forecast,
                    uint32_t expected, uint32_t *ret) {
	const struct topology *topology = pathcomp_graph_topology(graph);
	uint32_t link;

	for (link = expected / 2; link < topology->n_links && link <= expected / 2 + 1; link++) {
		if (strcmp(topology->links[link].id, forecast->link_id) == 0) {
			*ret = pathcomp_arc(link, (enum directions)forecast->direction);
			return 0;
		}
	}
	if (pathcomp_graph_find_link(graph, forecast->link_id, &link) < 0)
		return -ENOENT;
	*ret = pathcomp_arc(link, (enum directions)forecast->direction);
	return 0;
}

static void init_query(const struct origin_forecast_query *query, struct topology_forecast_query *ret) {
	double points = query->duration_seconds / POINT_SECONDS + 1;
	double limit =
	        LIMIT_FRAME_SIZE / 2.0 / (2 * (ENTRY_SIZE + POINT_SIZE * fmin(points, LIMIT_KPI_SAMPLES)));

	topology_forecast_query_init(ret);
	ret->topology_id = query->topology_id;
	ret->forecast_window_seconds = query->duration_seconds;
	ret->quantile = query->quantile;
	ret->series = true;
	ret->limit = (int64_t)fmin(fmax(limit, 1), LIMIT_PAGE);
	if (query->as_of_ns != 0)
		SET(ret, topology_forecast_query, as_of_ns, query->as_of_ns);
	if (query->start_ns != 0)
		SET(ret, topology_forecast_query, start_ns, query->start_ns);
}

// Makes a request whose reply was over the size of a frame smaller. Returns false when it is the least
// already.
static bool ask_for_less(struct topology_forecast_query *request) {
	if (request->limit > 1)
		request->limit = request->limit > 4 ? request->limit / 4 : 1;
	else if (request->series)
		request->series = false;
	else
		return false;
	return true;
}

static int get_forecast_page(struct origin *origin, struct topology_forecast_query *request,
                             struct topology_forecast *ret, struct documents *documents,
                             struct status *status) {
	int rc;

	do
		rc = origin_call(origin, OP_FORECAST_TOPOLOGY, request, ret, documents, status);
	while (rc == -ENOBUFS && ask_for_less(request));
	if (rc == 0 && HAS(ret, topology_forecast, next_page) && ret->next_page <= request->page)
		return status_set(status, STATUS_INTERNAL, "%s: pages of forecasts without an end",
		                  origin->endpoint);
	return rc;
}

static void take_page(const struct topology_forecast *page, const struct origin_forecast_query *query,
                      const struct pathcomp_graph *graph, struct pathcomp_capacity *capacities,
                      uint32_t *arc) {
	for (size_t i = 0; i < page->n_link_capacities; i++) {
		if (find_arc(graph, &page->link_capacities[i], *arc, arc) == 0)
			take_forecast(&page->link_capacities[i], query->has_ledger, &capacities[*arc]);
	}
}

int origin_get_forecast(struct origin *origin, const struct origin_forecast_query *query,
                        const struct pathcomp_graph *graph, struct pathcomp_capacity *capacities,
                        struct documents *documents, struct status *status) {
	struct topology_forecast_query request;
	struct topology_forecast page = {0};
	uint32_t arc = 0;
	int rc;

	init_query(query, &request);
	do {
		if ((rc = get_forecast_page(origin, &request, &page, documents, status)) < 0)
			return rc;
		if (query->version != 0 && page.version != query->version)
			return status_set(status, STATUS_ABORTED,
			                  "topology '%s' changed while its forecasts were read",
			                  query->topology_id);
		take_page(&page, query, graph, capacities, &arc);
		request.page = page.next_page;
	} while (HAS(&page, topology_forecast, next_page));
	return 0;
}
