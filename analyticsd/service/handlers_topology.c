// SetTopology, GetTopology, DeleteTopology, ListTopologies, SetLink.
// SPDX-License-Identifier: MIT
#include "ingest.h"
#include "ledger.h"
#include "links.h"
#include "topology.h"
#include "uploads.h"
#include "worker.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// Capacities, or which port measures what, may be others now.
static int changed(struct call *call) {
	struct ingest_call ingest = {.task = INGEST_BIND};
	int rc;

	cache_invalidate(call->worker->cache);
	rc = ingest_call(call->worker->ingest, &ingest);
	if (rc < 0)
		*call->status = ingest.status;
	return rc;
}

static int store_topology(struct call *call, const struct topology *topology,
                          struct topology_counts *counts) {
	int rc;

	if ((rc = topology_check(topology, call->status)) < 0 ||
	    (rc = state_set_topology(call->worker->state, topology, call->now_ns, call->status)) < 0)
		return rc;
	counts->nodes = (int64_t)topology->n_nodes;
	counts->links = (int64_t)topology->n_links;
	return changed(call);
}

// ---- a topology in parts: each is kept as it came, the last one puts them together

struct assembly {
	struct call *call;
	struct topology whole;
	struct document **documents; // that the whole points into
	size_t n_documents;
};

static void assembly_fini(struct assembly *assembly) {
	for (size_t i = 0; i < assembly->n_documents; i++)
		document_close(assembly->documents[i]);
	free(assembly->documents);
	free(assembly->whole.nodes);
	free(assembly->whole.links);
}

static int append(void **array, size_t *n, const void *more, size_t n_more, size_t size) {
	void *moved = realloc(*array, (*n + n_more) * size + 1);

	if (moved == NULL)
		return -ENOMEM;
	if (n_more > 0)
		memcpy((char *)moved + *n * size, more, n_more * size);
	*array = moved;
	*n += n_more;
	return 0;
}

static int add_part(void *context, const void *frame, size_t size) {
	struct assembly *assembly = context;
	struct status *status = assembly->call->status;
	struct topology part;
	void *moved;
	int rc;

	moved = realloc(assembly->documents, (assembly->n_documents + 1) * sizeof(*assembly->documents));
	if (moved == NULL)
		return -ENOMEM;
	assembly->documents = moved;
	if ((rc = document_from_msgpack(frame, size, &assembly->documents[assembly->n_documents], status)) <
	    0)
		return rc;
	if ((rc = document_read(assembly->documents[assembly->n_documents++], &topology_message, &part,
	                        status)) < 0)
		return rc;
	if (assembly->whole.topology_id != NULL && strcmp(assembly->whole.topology_id, part.topology_id) != 0)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "topology_id: '%s' in one part, '%s' in another",
		                  assembly->whole.topology_id, part.topology_id);
	assembly->whole.topology_id = part.topology_id;
	if ((rc = append((void **)&assembly->whole.nodes, &assembly->whole.n_nodes, part.nodes, part.n_nodes,
	                 sizeof(*part.nodes))) < 0 ||
	    (rc = append((void **)&assembly->whole.links, &assembly->whole.n_links, part.links, part.n_links,
	                 sizeof(*part.links))) < 0)
		return rc;
	if (assembly->whole.n_nodes > LIMIT_NODES || assembly->whole.n_links > LIMIT_LINKS)
		return status_set(status, STATUS_INVALID_ARGUMENT, "more than %d nodes or %d links",
		                  LIMIT_NODES, LIMIT_LINKS);
	return 0;
}

static int store_parts(struct call *call, const char *upload_id, struct topology_counts *counts) {
	CLEANUP(assembly_fini) struct assembly assembly = {.call = call};
	int rc = state_each_part(call->worker->state, upload_id, add_part, &assembly, call->status);

	return rc < 0 ? rc : store_topology(call, &assembly.whole, counts);
}

int handle_set_topology(struct call *call, const void *request, void *reply) {
	const struct topology *topology = request;
	const struct part_of_upload part = PART_OF_UPLOAD(topology, topology);
	struct topology_counts *counts = reply;
	int rc = upload_keep(call, &part);

	switch (rc) {
	case UPLOAD_NONE:
		return store_topology(call, topology, counts);
	case UPLOAD_WAITS:
		counts->nodes = (int64_t)topology->n_nodes;
		counts->links = (int64_t)topology->n_links;
		return 0;
	case UPLOAD_COMPLETE:
		return upload_end(call, part.upload_id, store_parts(call, part.upload_id, counts));
	default:
		return rc;
	}
}

// ---- views

static int copy_srlgs(struct call *call, const char *lines, struct link_view *view) {
	size_t n = 0;
	char *copy;

	if (lines == NULL)
		return 0;
	for (const char *at = lines; *at != '\0'; at++)
		n += *at == '\n';
	copy = document_alloc(call->document, strlen(lines) + 1);
	view->srlg = document_alloc(call->document, n * sizeof(*view->srlg));
	if (copy == NULL || view->srlg == NULL)
		return -ENOMEM;
	strcpy(copy, lines);
	for (char *line = copy, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		view->srlg[view->n_srlg++] = line;
	}
	return 0;
}

static int copy_ports(struct call *call, const struct link_record *record, struct link_view *view) {
	view->ports = document_alloc(call->document, record->n_ports * sizeof(*view->ports));
	if (view->ports == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < record->n_ports; i++) {
		struct port_binding *port = &view->ports[view->n_ports++];

		port->host = call_text(call, record->ports[i].host);
		port->name = call_text(call, record->ports[i].name);
		port->end = record->ports[i].end;
		if (port->host == NULL || port->name == NULL)
			return -ENOMEM;
	}
	return 0;
}

// In the context, use is what services hold beside what is there without them: admission changes it at once.
static void set_use(const struct link_record *record, const struct link_now *now, struct link_view *ret) {
	double used[N_directions];

	for (int direction = 0; direction < N_directions; direction++)
		used[direction] = isnan(now->background_gbps[direction]) && now->reserved_gbps[direction] > 0
		                          ? now->reserved_gbps[direction]
		                          : now->background_gbps[direction] + now->reserved_gbps[direction];
	if (!isnan(used[DIRECTION_FORWARD]))
		SET(ret, link_view, used_capacity_gbps, used[DIRECTION_FORWARD]);
	if (now->was_held[DIRECTION_FORWARD])
		SET(ret, link_view, reserved_gbps, now->reserved_gbps[DIRECTION_FORWARD]);
	if (!record->bidirectional)
		return;
	if (!isnan(used[DIRECTION_REVERSE]))
		SET(ret, link_view, used_capacity_reverse_gbps, used[DIRECTION_REVERSE]);
	if (now->was_held[DIRECTION_REVERSE])
		SET(ret, link_view, reserved_reverse_gbps, now->reserved_gbps[DIRECTION_REVERSE]);
}

static int view_link(struct call *call, const struct link_record *record, struct link_view *ret) {
	struct link_now now;
	int rc;

	if ((rc = link_look(call->worker, record, call->now_ns, &now, call->status)) < 0)
		return rc;
	*ret = (struct link_view){
	        .id = call_text(call, record->id),
	        .a = call_text(call, record->a),
	        .z = call_text(call, record->z),
	        .bidirectional = record->bidirectional,
	        .cost = record->cost,
	        .admin_up = record->admin_up,
	        .state = now.state,
	};
	if (ret->id == NULL || ret->a == NULL || ret->z == NULL)
		return -ENOMEM;
	if (!isnan(now.total_gbps[DIRECTION_FORWARD]))
		SET(ret, link_view, total_capacity_gbps, now.total_gbps[DIRECTION_FORWARD]);
	set_use(record, &now, ret);
	if (!isnan(record->latency_ms))
		SET(ret, link_view, latency_ms, record->latency_ms);
	if ((rc = copy_srlgs(call, record->srlg, ret)) < 0)
		return rc;
	return copy_ports(call, record, ret);
}

struct page {
	struct call *call;
	struct topology_view *view;
};

static int add_node(void *context, const struct node *node) {
	struct page *page = context;
	struct node *copy = &page->view->nodes[page->view->n_nodes++];

	*copy = *node;
	copy->id = call_text(page->call, node->id);
	return copy->id != NULL ? 0 : -ENOMEM;
}

static int add_link(void *context, const struct link_record *record) {
	struct page *page = context;

	return view_link(page->call, record, &page->view->links[page->view->n_links++]);
}

static int64_t at_most(int64_t a, int64_t b) {
	return a < b ? a : b;
}

static int add_reservations(struct page *page, const struct topology_query *query) {
	struct call *call = page->call;
	struct topology_view *view = page->view;
	struct reservations_query wanted = {
	        .topology_id = query->topology_id,
	        .first = query->page,
	        .limit = query->limit,
	        .from_ns = call->now_ns,
	        .to_ns = LEDGER_OPEN,
	        .known_ns = INT64_MAX,
	};
	int64_t ledger;
	int rc;

	if ((rc = ledger_version(call->worker->state, &ledger, call->status)) < 0)
		return rc;
	SET(view, topology_view, ledger_version, ledger);
	return ledger_reservations(call->worker->state, &wanted, call->document, &view->reservations,
	                           &view->n_reservations, call->status);
}

// A page holds `limit` nodes and `limit` links from the same place on; the longer of both lists sets the
// number of pages.
static int read_page(struct page *page, const struct topology_query *query) {
	struct call *call = page->call;
	struct state *state = call->worker->state;
	struct topology_view *view = page->view;
	struct topology_page whole;
	int rc;

	if ((rc = state_topology(state, query->topology_id, &whole, call->status)) < 0)
		return rc;
	view->topology_id = query->topology_id;
	view->version = whole.version;
	view->nodes = document_alloc(call->document,
	                             (size_t)at_most(query->limit, whole.n_nodes) * sizeof(*view->nodes));
	view->links = document_alloc(call->document,
	                             (size_t)at_most(query->limit, whole.n_links) * sizeof(*view->links));
	if (view->nodes == NULL || view->links == NULL)
		return -ENOMEM;
	if (query->page <= INT64_MAX - query->limit &&
	    (query->page + query->limit < whole.n_nodes || query->page + query->limit < whole.n_links))
		SET(view, topology_view, next_page, query->page + query->limit);
	if ((rc = state_each_node(state, query->topology_id, query->page, query->limit, add_node, page,
	                          call->status)) < 0 ||
	    (rc = add_reservations(page, query)) < 0)
		return rc;
	return state_each_link(state, query->topology_id, query->page, query->limit, add_link, page,
	                       call->status);
}

int handle_get_topology(struct call *call, const void *request, void *reply) {
	struct page page = {call, reply};
	int rc;

	if ((rc = state_read_begin(call->worker->state, call->status)) < 0)
		return rc;
	rc = read_page(&page, request);
	state_read_end(call->worker->state);
	return rc;
}

int handle_delete_topology(struct call *call, const void *request, void *reply) {
	const struct topology_query *query = request;
	int rc;

	(void)reply;
	if ((rc = state_delete_topology(call->worker->state, query->topology_id, call->now_ns,
	                                call->status)) < 0)
		return rc;
	return changed(call);
}

struct summaries {
	struct call *call;
	struct topology_list *list;
	size_t capacity;
};

static int add_summary(void *context, const struct topology_summary *summary) {
	struct summaries *summaries = context;
	struct topology_list *list = summaries->list;
	struct topology_summary *copy;

	if (list->n_topologies == summaries->capacity) {
		size_t larger = summaries->capacity > 0 ? 2 * summaries->capacity : 16;
		struct topology_summary *moved =
		        document_alloc(summaries->call->document, larger * sizeof(*moved));

		if (moved == NULL)
			return -ENOMEM;
		if (list->n_topologies > 0)
			memcpy(moved, list->topologies, list->n_topologies * sizeof(*moved));
		list->topologies = moved;
		summaries->capacity = larger;
	}
	copy = &list->topologies[list->n_topologies++];
	*copy = *summary;
	copy->topology_id = call_text(summaries->call, summary->topology_id);
	return copy->topology_id != NULL ? 0 : -ENOMEM;
}

int handle_list_topologies(struct call *call, const void *request, void *reply) {
	struct summaries summaries = {call, reply, 0};

	(void)request;
	return state_each_topology(call->worker->state, add_summary, &summaries, call->status);
}

// ---- links

struct viewing {
	struct call *call;
	struct link_view *view;
};

static int view_one(void *context, const struct link_record *record) {
	struct viewing *viewing = context;

	return view_link(viewing->call, record, viewing->view);
}

int handle_set_link(struct call *call, const void *request, void *reply) {
	const struct link_change *change = request;
	struct viewing viewing = {call, reply};
	int rc;

	if ((rc = state_set_link(call->worker->state, change, call->now_ns, call->status)) < 0 ||
	    (rc = changed(call)) < 0)
		return rc;
	return state_link(call->worker->state, change->link_id, view_one, &viewing, call->status);
}
