// A request is looked up, searched for, and explained when blocked.
// SPDX-License-Identifier: MIT
#include "answer.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define MICRO 1e6

struct path_query answer_complete(const struct path_query *query, const struct options *options) {
	const struct path_query *defaults = &options->defaults;
	struct path_query complete = *query;

#define FILL(FIELD)                                                                                          \
	if (!HAS(query, path_query, FIELD) && HAS(defaults, path_query, FIELD))                              \
	SET(&complete, path_query, FIELD, defaults->FIELD)
	FILL(topology_id);
	FILL(duration_seconds);
	FILL(start);
	FILL(metric);
	FILL(quantile);
	FILL(forecaster);
	FILL(unknown);
	FILL(max_utilization);
	FILL(offers);
#undef FILL
	return complete;
}

// ---- names

static int find_node(const struct snapshot *snapshot, const char *field, const char *id, uint32_t *ret,
                     struct status *status) {
	if (pathcomp_graph_find_node(snapshot->graph, id, ret) == 0)
		return 0;
	return status_set(status, STATUS_NOT_FOUND, "%s: no node '%s' in topology '%s'", field, id,
	                  snapshot->topology.topology.topology_id);
}

static int find_link(const struct snapshot *snapshot, const char *field, const char *id, uint32_t *ret,
                     struct status *status) {
	if (pathcomp_graph_find_link(snapshot->graph, id, ret) == 0)
		return 0;
	return status_set(status, STATUS_NOT_FOUND, "%s: no link '%s' in topology '%s'", field, id,
	                  snapshot->topology.topology.topology_id);
}

static int find_srlg(const struct snapshot *snapshot, const char *field, const char *id, uint32_t *ret,
                     struct status *status) {
	if (pathcomp_graph_find_srlg(snapshot->graph, id, ret) == 0)
		return 0;
	return status_set(status, STATUS_NOT_FOUND, "%s: no shared-risk group '%s' in topology '%s'", field,
	                  id, snapshot->topology.topology.topology_id);
}

typedef int (*find_fn)(const struct snapshot *, const char *field, const char *id, uint32_t *ret,
                       struct status *);

static int find_all(struct answer *answer, const struct snapshot *snapshot, find_fn find, const char *field,
                    const char **ids, size_t n_ids, const uint32_t **ret, size_t *ret_n,
                    struct status *status) {
	uint32_t *list = memory_take(&answer->memory, n_ids, sizeof(*list));
	int rc;

	if (list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n_ids; i++) {
		if ((rc = find(snapshot, field, ids[i], &list[i], status)) < 0)
			return rc;
	}
	*ret = list;
	*ret_n = n_ids;
	return 0;
}

static int find_conditions(struct answer *answer, const struct snapshot *snapshot, struct status *status) {
	const struct path_query *query = answer->query;
	struct pathcomp_conditions *c = &answer->conditions;
	int rc;

	*c = PATHCOMP_NO_CONDITIONS;
	if (HAS(query, path_query, max_latency_ms) && query->max_latency_ms * MICRO < 0x1p63)
		c->max_latency_ns = (uint64_t)llround(query->max_latency_ms * MICRO);
	if (HAS(query, path_query, max_hops))
		c->max_hops = (uint32_t)query->max_hops;
	if (HAS(query, path_query, max_utilization))
		c->max_utilization = query->max_utilization;
	if ((rc = find_all(answer, snapshot, find_link, "exclude_links", query->exclude_links,
	                   query->n_exclude_links, &c->links, &c->n_links, status)) < 0 ||
	    (rc = find_all(answer, snapshot, find_node, "exclude_nodes", query->exclude_nodes,
	                   query->n_exclude_nodes, &c->nodes, &c->n_nodes, status)) < 0 ||
	    (rc = find_all(answer, snapshot, find_srlg, "exclude_srlgs", query->exclude_srlgs,
	                   query->n_exclude_srlgs, &c->srlgs, &c->n_srlgs, status)) < 0)
		return rc;
	return find_all(answer, snapshot, find_node, "via", query->via, query->n_via, &c->via, &c->n_via,
	                status);
}

static int check_together(const struct path_query *query, struct status *status) {
	bool several = HAS(query, path_query, k) && query->k > 1;
	bool pair = HAS(query, path_query, disjoint);

	if ((several && pair) || (query->widest && (several || pair)))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "k, disjoint, widest: only one of them at a time");
	return 0;
}

int answer_find(struct answer *answer, const struct snapshot *snapshot, struct status *status) {
	const struct path_query *query = answer->query;
	struct pathcomp_request *request = &answer->request;
	int rc;

	if ((rc = check_together(query, status)) < 0 ||
	    (rc = find_node(snapshot, "from", query->from, &request->from, status)) < 0 ||
	    (rc = find_node(snapshot, "to", query->to, &request->to, status)) < 0 ||
	    (rc = find_conditions(answer, snapshot, status)) < 0)
		return rc;
	if (request->from == request->to)
		return status_set(status, STATUS_INVALID_ARGUMENT, "to: the same node as from, '%s'",
		                  query->to);
	request->gbps = query->gbps;
	request->metric = (enum path_metrics)query->metric;
	request->conditions = &answer->conditions;
	return 0;
}

const char *answer_arc_from(const struct answer *answer, uint32_t arc) {
	const struct link *link = &answer->snapshot->topology.topology.links[pathcomp_arc_link(arc)];

	return pathcomp_arc_direction(arc) == DIRECTION_FORWARD ? link->a : link->z;
}

const char *answer_arc_to(const struct answer *answer, uint32_t arc) {
	return answer_arc_from(answer, arc ^ 1);
}

// ---- searches

static int search_one(const struct answer *answer, const struct pathcomp_room *room,
                      const struct pathcomp_request *request, struct pathcomp_paths *ret) {
	CLEANUP(pathcomp_paths_fini) struct pathcomp_paths paths = {.n = 1};
	struct pathcomp_search *search = answer->snapshot->search;
	int rc;

	paths.list = calloc(1, sizeof(*paths.list));
	if (paths.list == NULL) {
		paths.n = 0;
		return -ENOMEM;
	}
	rc = answer->query->widest ? pathcomp_search_widest(search, room, request, paths.list)
	                           : pathcomp_search_shortest(search, room, request, paths.list);
	if (rc != 0)
		return rc;
	*ret = paths;
	paths.list = NULL;
	paths.n = 0;
	return 0;
}

int answer_search(const struct answer *answer, const struct pathcomp_room *room,
                  const struct pathcomp_request *request, struct pathcomp_paths *ret, struct status *status) {
	const struct path_query *query = answer->query;
	struct pathcomp_search *search = answer->snapshot->search;
	int rc;

	if (HAS(query, path_query, disjoint))
		rc = pathcomp_search_disjoint(search, room, request, (enum disjoint_kinds)query->disjoint,
		                              ret);
	else if (HAS(query, path_query, k) && query->k > 1)
		rc = pathcomp_search_several(search, room, request, (size_t)query->k, ret);
	else
		rc = search_one(answer, room, request, ret);
	if (rc == -E2BIG)
		return status_set(status, STATUS_RESOURCE_EXHAUSTED,
		                  "%s: the limit of work was hit before there was an answer",
		                  HAS(query, path_query, disjoint) ? "disjoint" : "via");
	return rc;
}

static int take_paths(struct answer *answer) {
	size_t n = HAS(answer->query, path_query, disjoint) ? answer->paths.n : 1;
	int rc;

	for (size_t i = 0; i < n; i++) {
		rc = snapshot_take(answer->snapshot, answer->outlook, &answer->paths.list[i],
		                   answer->query->gbps);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int explain(struct snapshots *snapshots, struct answer *answer) {
	int disjoint = HAS(answer->query, path_query, disjoint) ? answer->query->disjoint : -1;
	int rc = pathcomp_explain(answer->snapshot->search, answer->room, &answer->request, disjoint,
	                          &answer->block);

	if (rc < 0 || (rc = answer_tell_block(answer)) < 0 || !answer->query->offers)
		return rc;
	return answer_offer(snapshots, answer);
}

static int compute(struct snapshots *snapshots, bool take, struct answer *answer, struct status *status) {
	const struct path_query *query = answer->query;
	int mode = HAS(query, path_query, forecaster) ? query->forecaster : -1;
	int rc;

	if ((rc = snapshots_get(snapshots, query->topology_id, &answer->snapshot, status)) < 0 ||
	    (rc = answer_find(answer, answer->snapshot, status)) < 0 ||
	    (rc = snapshot_outlook(snapshots, answer->snapshot, query, mode, &answer->outlook, status)) < 0 ||
	    // the outlook may have read the topology anew
	    (rc = answer_find(answer, answer->snapshot, status)) < 0 ||
	    (rc = outlook_room(answer->outlook, answer->snapshot, (enum unknown_policies)query->unknown,
	                       &answer->room)) < 0 ||
	    (rc = snapshot_prepare(answer->snapshot, answer->request.metric)) < 0)
		return rc;
	answer->message.capacity_source = (int)answer->outlook->source;
	if (answer->outlook->reason[0] != '\0')
		answer->message.capacity_source_reason = answer->outlook->reason;
	if (answer->snapshot->topology.version > 0)
		SET(&answer->message, path_answer, version, answer->snapshot->topology.version);
	rc = answer_search(answer, answer->room, &answer->request, &answer->paths, status);
	if (rc > 0)
		return explain(snapshots, answer);
	if (rc < 0 || (rc = answer_tell_paths(answer)) < 0)
		return rc;
	return take ? take_paths(answer) : 0;
}

int answer_compute(struct snapshots *snapshots, const struct path_query *query, bool take, struct answer *ret,
                   struct status *status) {
	int rc;

	// the request points at the answer's own conditions, so it is built in its place
	*ret = (struct answer){.query = query};
	path_answer_init(&ret->message);
	rc = compute(snapshots, take, ret, status);
	if (rc < 0) {
		answer_fini(ret);
		*ret = (struct answer){0};
		return rc == -ENOMEM ? status_set(status, STATUS_RESOURCE_EXHAUSTED, "out of memory") : rc;
	}
	return 0;
}

void answer_fini(struct answer *answer) {
	memory_fini(&answer->memory);
	pathcomp_paths_fini(&answer->paths);
	pathcomp_block_fini(&answer->block);
}
