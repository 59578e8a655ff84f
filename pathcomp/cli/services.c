// Reserve, and the ways it can come out.
// SPDX-License-Identifier: MIT
#include "services.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define TRIES_MAX       4
#define REQUEST_ID_SIZE 40

// ---- services that are there

struct wanted {
	const char *service_id; // either of the two
	const char *request_id;
};

static bool is_wanted(const struct service_view *service, const struct wanted *wanted) {
	if (wanted->service_id != NULL)
		return strcmp(service->service_id, wanted->service_id) == 0;
	return strcmp(service->request_id, wanted->request_id) == 0 &&
	       (service->state == SERVICE_ACTIVE || service->state == SERVICE_SCHEDULED);
}

// Returns 0, 1 when there is none, or a negative errno with 'status'.
static int find_service(struct snapshots *snapshots, const struct wanted *wanted, struct documents *documents,
                        struct service_view *ret, struct status *status) {
	struct services_query query;
	struct service_list list;
	int rc;

	services_query_init(&query);
	query.service_id = wanted->service_id;
	do {
		if ((rc = origin_call(snapshots->origin, OP_LIST_SERVICES, &query, &list, documents,
		                      status)) < 0)
			return rc;
		for (size_t i = 0; i < list.n_services; i++) {
			if (!is_wanted(&list.services[i], wanted))
				continue;
			*ret = list.services[i];
			return 0;
		}
		query.page = list.next_page;
	} while (HAS(&list, service_list, next_page));
	return 1;
}

int services_complete(struct snapshots *snapshots, const char *service_id, struct path_query *query,
                      struct documents *documents, struct status *status) {
	struct service_view service;
	int rc = find_service(snapshots, &(struct wanted){.service_id = service_id}, documents, &service,
	                      status);

	if (rc < 0)
		return rc;
	if (rc > 0)
		return status_set(status, STATUS_NOT_FOUND, "service '%s' does not exist", service_id);
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
	if (!HAS(query, path_query, duration_seconds) && HAS(&service, service_view, end_ns)) {
		int64_t now_ns = snapshots->options->now_ns;
		int64_t start_ns = service.start_ns > now_ns ? service.start_ns : now_ns;

		if (service.end_ns > start_ns)
			SET(query, path_query, duration_seconds, (double)(service.end_ns - start_ns) / 1e9);
	}
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
static int retell(struct answer *answer, const struct service_view *service, struct status *status) {
	const struct pathcomp_graph *graph = answer->snapshot->graph;
	uint32_t *arcs = memory_take(&answer->memory, service->n_links, sizeof(*arcs));
	size_t begin = 0;
	int rc;

	pathcomp_paths_fini(&answer->paths);
	answer->paths.list = calloc(service->n_links + 1, sizeof(*answer->paths.list));
	if (arcs == NULL || answer->paths.list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < service->n_links; i++) {
		uint32_t link;

		if (pathcomp_graph_find_link(graph, service->links[i].link_id, &link) < 0)
			return status_set(status, STATUS_FAILED_PRECONDITION,
			                  "service '%s' is on link '%s', which is not there any more",
			                  service->service_id, service->links[i].link_id);
		arcs[i] = pathcomp_arc(link, (enum directions)service->links[i].direction);
		if (i > begin && pathcomp_arc_from(graph, arcs[i]) == answer->request.from) {
			if ((rc = add_path(answer, &arcs[begin], i - begin)) < 0)
				return rc;
			begin = i;
		}
	}
	if ((rc = add_path(answer, &arcs[begin], service->n_links - begin)) < 0)
		return rc;
	answer->message.offers = NULL;
	answer->message.n_cut = 0;
	answer->message.has &= ~(UINT64_C(1) << path_answer_has_reason);
	return answer_tell_paths(answer);
}

// A client that asks again: its service is there and holds what it was given.
static int recall(struct snapshots *snapshots, const char *request_id, struct answer *answer,
                  struct status *status) {
	CLEANUP(documents_fini) struct documents documents = {0};
	struct service_view service;
	char *service_id;
	int rc = find_service(snapshots, &(struct wanted){.request_id = request_id}, &documents, &service,
	                      status);

	if (rc != 0)
		return rc;
	if (service.from == NULL || strcmp(service.from, answer->query->from) != 0 || service.to == NULL ||
	    strcmp(service.to, answer->query->to) != 0 || service.gbps != answer->query->gbps)
		return status_set(status, STATUS_ALREADY_EXISTS,
		                  "request_id '%s' was admitted before, for something else", request_id);
	if ((rc = retell(answer, &service, status)) < 0)
		return rc;
	service_id = memory_take(&answer->memory, strlen(service.service_id) + 1, 1);
	if (service_id == NULL)
		return -ENOMEM;
	answer->message.service_id = strcpy(service_id, service.service_id);
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
                       const struct service_terms *terms, struct reserve_request *ret) {
	const struct path_query *query = answer->query;
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
	if (HAS(query, path_query, duration_seconds))
		SET(ret, reserve_request, duration_seconds, query->duration_seconds);
	if (HAS(query, path_query, max_utilization))
		SET(ret, reserve_request, max_utilization, query->max_utilization);
}

static int reserve(struct snapshots *snapshots, struct answer *answer, const struct service_terms *terms,
                   const char *request_id, struct status *status) {
	CLEANUP(documents_fini) struct documents documents = {0};
	CLEANUP(freep) char *evidence = NULL;
	struct reserve_request request;
	struct reserve_reply reply;
	char *service_id;
	int rc;

	reserve_request_init(&request);
	request.request_id = request_id;
	copy_terms(snapshots, answer, terms, &request);
	if ((rc = list_links(answer, &request)) < 0 ||
	    (rc = message_to_json(&path_answer_message, &answer->message, false, &evidence)) < 0)
		return rc;
	if (strlen(evidence) <= LIMIT_TEXT_SIZE)
		request.evidence = evidence;
	if ((rc = origin_call(snapshots->origin, OP_RESERVE, &request, &reply, &documents, status)) < 0)
		return rc;
	if (terms->dry_run)
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

static int compute(struct snapshots *snapshots, const struct path_query *query,
                   const struct service_terms *terms, struct answer *ret, struct status *status) {
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
static int attempt(struct snapshots *snapshots, const struct path_query *query,
                   const struct service_terms *terms, const char *request_id, struct answer *ret,
                   struct status *status) {
	int rc = compute(snapshots, query, terms, ret, status);

	if (rc < 0)
		return rc;
	if (ret->message.status == PATH_STATUS_BLOCKED) {
		rc = terms->request_id == NULL ? 1 : recall(snapshots, request_id, ret, status);
	} else {
		rc = reserve(snapshots, ret, terms, request_id, status);
		if (rc == -EEXIST)
			rc = recall(snapshots, request_id, ret, status) == 0 ? 0 : -EEXIST;
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

int services_request(struct snapshots *snapshots, const struct path_query *query,
                     const struct service_terms *terms, struct answer *ret, struct status *status) {
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
		rc = attempt(snapshots, query, terms,
		             terms->request_id != NULL ? terms->request_id : request_id, ret, status);
	}
	return rc;
}
