// Reserve, and the ways it can come out.
// SPDX-License-Identifier: MIT
#include "services.h"

#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define TRIES_MAX       4
#define REQUEST_ID_SIZE 40

// ---- services that are there

int services_list(struct snapshots *snapshots, const struct services_query *wanted,
                  struct documents *documents, struct service_list *ret, struct status *status) {
	CLEANUP(freep) struct service_view *all = NULL;
	struct services_query query = *wanted;
	struct service_list page;
	size_t n = 0;
	int rc;

	do {
		struct service_view *moved;

		if ((rc = origin_call(snapshots->origin, OP_LIST_SERVICES, &query, &page, documents,
		                      status)) < 0)
			return rc;
		if ((moved = reallocarray(all, n + page.n_services + 1, sizeof(*all))) == NULL)
			return -ENOMEM;
		all = moved;
		if (page.n_services > 0)
			memcpy(all + n, page.services, page.n_services * sizeof(*all));
		n += page.n_services;
		if (HAS(&page, service_list, next_page) && page.next_page <= query.page)
			return status_set(status, STATUS_INTERNAL, "services: pages without an end");
		query.page = page.next_page;
	} while (HAS(&page, service_list, next_page));
	*ret = page;
	ret->services = document_alloc(documents->list[documents->n - 1], n * sizeof(*all));
	if (ret->services == NULL)
		return -ENOMEM;
	if (n > 0)
		memcpy(ret->services, all, n * sizeof(*all));
	ret->n_services = n;
	return 0;
}

int services_find(struct snapshots *snapshots, const char *service_id, bool decisions,
                  struct documents *documents, struct service_view *ret, struct status *status) {
	struct services_query query;
	struct service_list list;
	size_t n = 0;
	int rc;

	services_query_init(&query);
	query.service_id = service_id;
	query.decisions = decisions;
	if ((rc = services_list(snapshots, &query, documents, &list, status)) < 0)
		return rc;
	if (list.n_services == 0)
		return status_set(status, STATUS_INTERNAL, "service '%s': no answer", service_id);
	*ret = list.services[0];
	// each page of decisions came with the service
	for (size_t i = 0; i < list.n_services; i++)
		n += list.services[i].n_decisions;
	ret->decisions = document_alloc(documents->list[documents->n - 1], n * sizeof(*ret->decisions));
	if (ret->decisions == NULL)
		return -ENOMEM;
	ret->n_decisions = 0;
	for (size_t i = 0; i < list.n_services; i++) {
		for (size_t j = 0; j < list.services[i].n_decisions; j++)
			ret->decisions[ret->n_decisions++] = list.services[i].decisions[j];
	}
	return 0;
}

int services_complete(struct snapshots *snapshots, const char *service_id, struct path_query *query,
                      struct documents *documents, bool *ret_keeps_end, struct status *status) {
	struct service_view service = {0};
	int64_t start_ns = snapshots->options->now_ns;
	int rc = services_find(snapshots, service_id, false, documents, &service, status);

	if (rc < 0)
		return rc;
	if (query->from == NULL)
		query->from = service.from;
	if (query->to == NULL)
		query->to = service.to;
	if (query->from == NULL || query->to == NULL)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "service '%s' does not know its ends: give from and to", service_id);
	if (!HAS(query, path_query, gbps))
		SET(query, path_query, gbps, service.gbps);
	if (!HAS(query, path_query, quantile))
		SET(query, path_query, quantile, service.quantile);
	if (query->start != NULL) {
		if (text_to_time_ns(query->start, start_ns, &start_ns) < 0)
			return status_set(status, STATUS_INVALID_ARGUMENT,
			                  "start: '%.100s' is no time (RFC 3339, +6h, or ns)", query->start);
	} else if (service.start_ns > start_ns) {
		char *start = document_alloc(documents->list[documents->n - 1], TIME_TEXT_SIZE);

		if (start == NULL)
			return -ENOMEM;
		text_from_time_ns(service.start_ns, start);
		query->start = start;
		start_ns = service.start_ns;
	}
	*ret_keeps_end = !HAS(query, path_query, duration_seconds) && HAS(&service, service_view, end_ns);
	if (*ret_keeps_end && service.end_ns > start_ns)
		SET(query, path_query, duration_seconds, (double)(service.end_ns - start_ns) / 1e9);
	query->topology_id = service.topology_id;
	return 0;
}

// ---- the answer that a service got

static int add_path(struct answer *answer, const uint32_t *arcs, size_t n_arcs) {
	struct pathcomp_path path = {0};
	int rc = pathcomp_room_path(answer->room, arcs, n_arcs, &path);

	if (rc < 0)
		return rc;
	answer->paths.list[answer->paths.n++] = path;
	return 0;
}

// A pair's links are in a row: the second path begins where the source is left again.
static int retell(struct answer *answer, const struct admission_evidence *evidence, struct status *status) {
	const struct pathcomp_graph *graph = answer->snapshot->graph;
	uint32_t *arcs = memory_take(&answer->memory, evidence->n_links, sizeof(*arcs));
	size_t begin = 0;
	int rc;

	pathcomp_paths_fini(&answer->paths);
	answer->paths.list = calloc(evidence->n_links + 1, sizeof(*answer->paths.list));
	if (arcs == NULL || answer->paths.list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < evidence->n_links; i++) {
		const struct link_evidence *seen = &evidence->links[i];
		uint32_t link;

		if (pathcomp_graph_find_link(graph, seen->link_id, &link) < 0)
			return status_set(status, STATUS_FAILED_PRECONDITION,
			                  "it was admitted on link '%s', which is not there any more",
			                  seen->link_id);
		arcs[i] = pathcomp_arc(link, (enum directions)seen->direction);
		if (i > begin && pathcomp_arc_from(graph, arcs[i]) == answer->request.from) {
			if ((rc = add_path(answer, &arcs[begin], i - begin)) < 0)
				return rc;
			begin = i;
		}
	}
	if ((rc = add_path(answer, &arcs[begin], evidence->n_links - begin)) < 0)
		return rc;
	answer->message.offers = NULL;
	answer->message.n_cut = 0;
	answer->message.has &= ~(UINT64_C(1) << path_answer_has_reason);
	return answer_tell_paths(answer);
}

// Did this decision answer this request?
static bool is_answer_to(const struct service_view *service, const struct service_decision *decision,
                         const struct answer *answer, const struct service_terms *terms) {
	const struct path_query *query = answer->query;
	bool ends = HAS(decision, service_decision, end_ns);
	bool changes = decision->verdict == SERVICE_CHANGE_CHANGED;

	if (llround(decision->gbps * 1e9) != llround(query->gbps * 1e9) ||
	    changes != (terms->service_id != NULL) ||
	    (changes && strcmp(service->service_id, terms->service_id) != 0))
		return false;
	if (!changes &&
	    (ends != HAS(query, path_query, duration_seconds) ||
	     (ends && decision->end_ns - decision->start_ns != llround(query->duration_seconds * 1e9))))
		return false;
	return decision->version != service->version ||
	       (service->from != NULL && strcmp(service->from, query->from) == 0 && service->to != NULL &&
	        strcmp(service->to, query->to) == 0);
}

// A client that asks again gets the answer of then, whatever became of the service. Returns 0, 1 when the request is
// new, or a negative errno with 'status'.
static int recall(struct snapshots *snapshots, const struct service_terms *terms, const char *request_id,
                  struct answer *answer, struct status *status) {
	CLEANUP(documents_fini) struct documents documents = {0};
	struct services_query query;
	struct service_list list;
	char *service_id;
	int rc;

	services_query_init(&query);
	query.request_id = request_id;
	query.decisions = true;
	if ((rc = origin_call(snapshots->origin, OP_LIST_SERVICES, &query, &list, &documents, status)) < 0)
		return rc;
	if (list.n_services == 0 || list.services[0].n_decisions == 0)
		return 1;
	if (!is_answer_to(&list.services[0], &list.services[0].decisions[0], answer, terms))
		return status_set(status, STATUS_ALREADY_EXISTS,
		                  "request_id '%s' was admitted before, for something else", request_id);
	if ((rc = retell(answer, list.services[0].decisions[0].evidence, status)) < 0)
		return rc;
	service_id = memory_take(&answer->memory, strlen(list.services[0].service_id) + 1, 1);
	if (service_id == NULL)
		return -ENOMEM;
	answer->message.service_id = strcpy(service_id, list.services[0].service_id);
	return 0;
}

// ---- a new one

static int list_links(struct answer *answer, struct reserve_request *ret) {
	size_t n = 0;

	for (size_t i = 0; i < answer->paths.n; i++)
		n += answer->paths.list[i].n_arcs;
	ret->links = memory_take(&answer->memory, n, sizeof(*ret->links));
	if (ret->links == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < answer->paths.n; i++) {
		const struct path *path = &answer->message.paths[i];

		for (size_t j = 0; j < path->n_links; j++)
			ret->links[ret->n_links++] = (struct link_direction){
			        .link_id = path->links[j],
			        .direction = path->reversed[j] ? DIRECTION_REVERSE : DIRECTION_FORWARD,
			};
	}
	return 0;
}

static void copy_terms(const struct snapshots *snapshots, const struct answer *answer,
                       const struct service_wish *wish, struct reserve_request *ret) {
	const struct path_query *query = wish->query;
	const struct service_terms *terms = wish->terms;
	int mode = HAS(query, path_query, forecaster)       ? query->forecaster
	           : snapshots->options->forecaster_enabled ? FORECASTER_AUTO
	                                                    : FORECASTER_OFF;

	ret->topology_id = answer->snapshot->topology.topology.topology_id;
	ret->gbps = query->gbps;
	ret->from = query->from;
	ret->to = query->to;
	ret->quantile = query->quantile;
	ret->traffic = terms->traffic;
	ret->meter = terms->meter;
	ret->service_id = terms->service_id;
	ret->dry_run = terms->dry_run;
	SET(ret, reserve_request, version, answer->snapshot->topology.version);
	SET(ret, reserve_request, forecaster, mode);
	SET(ret, reserve_request, unknown, query->unknown);
	if (query->start != NULL)
		SET(ret, reserve_request, start_ns, answer->outlook->window.from_ns);
	if (HAS(query, path_query, duration_seconds) && !wish->keeps_end)
		SET(ret, reserve_request, duration_seconds, query->duration_seconds);
	if (HAS(query, path_query, max_utilization))
		SET(ret, reserve_request, max_utilization, query->max_utilization);
}

static int reserve(struct snapshots *snapshots, struct answer *answer, const struct service_wish *wish,
                   const char *request_id, struct status *status) {
	CLEANUP(documents_fini) struct documents documents = {0};
	CLEANUP(freep) char *evidence = NULL;
	struct reserve_request request;
	struct reserve_reply reply;
	char *service_id;
	int rc;

	reserve_request_init(&request);
	request.request_id = request_id;
	copy_terms(snapshots, answer, wish, &request);
	if ((rc = list_links(answer, &request)) < 0 ||
	    (rc = message_to_json(&path_answer_message, &answer->message, false, &evidence)) < 0)
		return rc;
	if (strlen(evidence) <= LIMIT_TEXT_SIZE)
		request.evidence = evidence;
	if ((rc = origin_call(snapshots->origin, OP_RESERVE, &request, &reply, &documents, status)) < 0)
		return rc;
	if (wish->terms->dry_run)
		SET(&answer->message, path_answer, dry_run, true);
	if (reply.service_id == NULL)
		return 0;
	service_id = memory_take(&answer->memory, strlen(reply.service_id) + 1, 1);
	if (service_id == NULL)
		return -ENOMEM;
	answer->message.service_id = strcpy(service_id, reply.service_id);
	return 0;
}

// What was admitted is held here, too, until everything is read anew.
static int hold(struct answer *answer, const struct service_terms *terms) {
	int rc = 0;

	if (terms->dry_run)
		return 0;
	if (terms->service_id != NULL)
		rc = snapshot_lend(answer->snapshot, terms->service_id, -1);
	for (size_t i = 0; i < answer->paths.n && rc == 0; i++)
		rc = snapshot_take(answer->snapshot, answer->outlook, &answer->paths.list[i],
		                   answer->query->gbps);
	return rc;
}

static int compute(struct snapshots *snapshots, const struct service_wish *wish, struct answer *ret,
                   struct status *status) {
	const struct path_query *query = wish->query;
	const struct service_terms *terms = wish->terms;
	struct snapshot *snapshot;
	int rc, back;

	if (terms->service_id == NULL)
		return answer_compute(snapshots, query, false, ret, status);
	if ((rc = snapshots_get(snapshots, query->topology_id, &snapshot, status)) < 0 ||
	    (rc = snapshot_lend(snapshot, terms->service_id, -1)) < 0)
		return rc;
	rc = answer_compute(snapshots, query, false, ret, status);
	back = snapshot_lend(snapshot, terms->service_id, 1);
	if (rc == 0 && back < 0)
		answer_fini(ret);
	return rc < 0 ? rc : back;
}

// One search and one Reserve. Returns 0, -EAGAIN when it is worth another try, or another negative errno.
static int attempt(struct snapshots *snapshots, const struct service_wish *wish, const char *request_id,
                   struct answer *ret, struct status *status) {
	const struct service_terms *terms = wish->terms;
	int rc = compute(snapshots, wish, ret, status);

	if (rc < 0)
		return rc;
	if (ret->message.status == PATH_STATUS_BLOCKED) {
		rc = terms->request_id == NULL || terms->dry_run
		             ? 1
		             : recall(snapshots, terms, request_id, ret, status);
	} else {
		rc = reserve(snapshots, ret, wish, request_id, status);
		if (rc == -EEXIST)
			rc = recall(snapshots, terms, request_id, ret, status) == 0 ? 0 : -EEXIST;
		else if (rc == 0)
			rc = hold(ret, terms);
	}
	if (rc < 0) {
		answer_fini(ret);
		*ret = (struct answer){0};
	}
	return rc < 0 ? rc : 0;
}

static int make_request_id(char text[static REQUEST_ID_SIZE], struct status *status) {
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return status_set(status, STATUS_INTERNAL, "no random numbers");
	snprintf(text, REQUEST_ID_SIZE, "%016llx%016llx", (unsigned long long)random[0],
	         (unsigned long long)random[1]);
	return 0;
}

int services_request(struct snapshots *snapshots, const struct service_wish *wish, struct answer *ret,
                     struct status *status) {
	const struct path_query *query = wish->query;
	const struct service_terms *terms = wish->terms;
	char request_id[REQUEST_ID_SIZE];
	int rc = -EAGAIN;

	if (snapshots->options->file != NULL)
		return status_set(status, STATUS_FAILED_PRECONDITION,
		                  "a topology file alone admits nothing: analyticsd does");
	if (HAS(query, path_query, k) && query->k > 1)
		return status_set(status, STATUS_INVALID_ARGUMENT, "k: a service takes one path, or a pair");
	if (query->as_of != NULL)
		return status_set(status, STATUS_INVALID_ARGUMENT, "as_of: a service is admitted now");
	if (terms->request_id == NULL && (rc = make_request_id(request_id, status)) < 0)
		return rc;
	rc = -EAGAIN;
	for (int i = 0; i < TRIES_MAX && rc == -EAGAIN; i++) {
		if (i > 0)
			snapshots_refresh(snapshots);
		rc = attempt(snapshots, wish, terms->request_id != NULL ? terms->request_id : request_id, ret,
		             status);
	}
	return rc;
}
