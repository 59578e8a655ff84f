// A request is looked up, searched for, explained when blocked, and put into words.
// SPDX-License-Identifier: MIT
#include "answer.h"

#include <errno.h>
#include <string.h>

#define MICRO        1e6
#define BPS_PER_GBPS 1e9

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
#undef FILL
	return complete;
}

// A condition that isn't kept must not be passed over in silence.
static int check_supported(const struct path_query *query, struct status *status) {
	for (int i = path_query_has_k; i <= path_query_has_as_of; i++) {
		if (((query->has >> i) & 1) == 0 || (i == path_query_has_k && query->k == 1))
			continue;
		return status_set(status, STATUS_UNIMPLEMENTED, "%s: this version can't do that",
		                  path_query_message.fields[i].name);
	}
	return 0;
}

static int find_node(const struct snapshot *snapshot, const char *field, const char *id, uint32_t *ret,
                     struct status *status) {
	if (pathcomp_graph_find_node(snapshot->graph, id, ret) == 0)
		return 0;
	return status_set(status, STATUS_NOT_FOUND, "%s: no node '%s' in topology '%s'", field, id,
	                  snapshot->topology.topology.topology_id);
}

static int find_request(const struct snapshot *snapshot, const struct path_query *query,
                        struct pathcomp_request *ret, struct status *status) {
	int rc;

	if ((rc = find_node(snapshot, "from", query->from, &ret->from, status)) < 0 ||
	    (rc = find_node(snapshot, "to", query->to, &ret->to, status)) < 0)
		return rc;
	if (ret->from == ret->to)
		return status_set(status, STATUS_INVALID_ARGUMENT, "to: the same node as from, '%s'",
		                  query->to);
	ret->gbps = query->gbps;
	ret->metric = (enum path_metrics)query->metric;
	return 0;
}

const char *answer_arc_from(const struct answer *answer, uint32_t arc) {
	const struct link *link = &answer->snapshot->topology.topology.links[pathcomp_arc_link(arc)];

	return pathcomp_arc_direction(arc) == DIRECTION_FORWARD ? link->a : link->z;
}

const char *answer_arc_to(const struct answer *answer, uint32_t arc) {
	return answer_arc_from(answer, arc ^ 1);
}

static const char *link_id(const struct answer *answer, uint32_t arc) {
	return answer->snapshot->topology.topology.links[pathcomp_arc_link(arc)].id;
}

// ---- into words

static int tell_path(struct answer *answer) {
	const struct pathcomp_path *found = &answer->path;
	size_t n = found->n_arcs;
	struct path *path = answer->lists[0] = calloc(1, sizeof(*path));
	const char **links = answer->lists[1] = calloc(n + 1, sizeof(*links));
	const char **nodes = answer->lists[2] = calloc(n + 1, sizeof(*nodes));
	bool *reversed = answer->lists[3] = calloc(n + 1, sizeof(*reversed));

	if (path == NULL || links == NULL || nodes == NULL || reversed == NULL)
		return -ENOMEM;
	nodes[0] = answer->query->from;
	for (size_t i = 0; i < n; i++) {
		links[i] = link_id(answer, found->arcs[i]);
		nodes[i + 1] = answer_arc_to(answer, found->arcs[i]);
		reversed[i] = pathcomp_arc_direction(found->arcs[i]) == DIRECTION_REVERSE;
	}
	*path = (struct path){
	        .links = links,
	        .n_links = n,
	        .nodes = nodes,
	        .n_nodes = n + 1,
	        .reversed = reversed,
	        .n_reversed = n,
	        .cost = (double)found->cost_micro / MICRO,
	        .latency_ms = (double)found->latency_ns / MICRO,
	        .hops = (int64_t)n,
	};
	if (found->bottleneck_bps != PATHCOMP_UNLIMITED)
		SET(path, path, bottleneck_gbps, (double)found->bottleneck_bps / BPS_PER_GBPS);
	answer->message.status = PATH_STATUS_PATH;
	answer->message.paths = path;
	answer->message.n_paths = 1;
	return 0;
}

static void tell_cut_link(const struct answer *answer, uint32_t arc, struct cut_link *ret) {
	static const enum link_refusals refusals[] = {
	        [PATHCOMP_USABLE] = LINK_REFUSAL_CAPACITY,
	        [PATHCOMP_DOWN] = LINK_REFUSAL_DOWN,
	        [PATHCOMP_UNKNOWN] = LINK_REFUSAL_UNKNOWN,
	};
	struct pathcomp_view view = pathcomp_room_view(answer->room, arc);
	int64_t shortfall_bps = pathcomp_bps(answer->query->gbps) - view.available_bps;

	cut_link_init(ret);
	ret->link = link_id(answer, arc);
	ret->direction = (int)pathcomp_arc_direction(arc);
	ret->reason = (int)refusals[view.refusal];
	if (view.refusal == PATHCOMP_UNKNOWN)
		return;
	SET(ret, cut_link, available_gbps, (double)view.available_bps / BPS_PER_GBPS);
	SET(ret, cut_link, shortfall_gbps, (double)shortfall_bps / BPS_PER_GBPS);
	if (view.worst_ns != 0 && view.refusal == PATHCOMP_USABLE)
		SET(ret, cut_link, worst_ns, view.worst_ns);
}

static int tell_block(struct answer *answer) {
	struct cut_link *cut = calloc(answer->block.n_cut + 1, sizeof(*cut));

	answer->lists[0] = cut;
	if (cut == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < answer->block.n_cut; i++)
		tell_cut_link(answer, answer->block.cut[i], &cut[i]);
	answer->message.status = PATH_STATUS_BLOCKED;
	SET(&answer->message, path_answer, reason, (int)answer->block.reason);
	answer->message.cut = cut;
	answer->message.n_cut = answer->block.n_cut;
	return 0;
}

static int search(struct snapshot *snapshot, const struct pathcomp_request *request, bool take,
                  struct answer *answer) {
	int rc = pathcomp_search_shortest(snapshot->search, answer->room, request, &answer->path);

	if (rc < 0)
		return rc;
	if (rc > 0) {
		rc = pathcomp_explain(answer->room, request, &answer->block);
		return rc < 0 ? rc : tell_block(answer);
	}
	if ((rc = tell_path(answer)) < 0)
		return rc;
	return take ? snapshot_take(snapshot, answer->outlook, &answer->path, request->gbps) : 0;
}

static int compute(struct snapshots *snapshots, bool take, struct answer *answer, struct status *status) {
	const struct path_query *query = answer->query;
	int mode = HAS(query, path_query, forecaster) ? query->forecaster : -1;
	struct pathcomp_request request;
	struct pathcomp_room *room;
	struct snapshot *snapshot;
	struct outlook *outlook;
	int rc;

	if ((rc = check_supported(query, status)) < 0 ||
	    (rc = snapshots_get(snapshots, query->topology_id, &snapshot, status)) < 0 ||
	    (rc = find_request(snapshot, query, &request, status)) < 0 ||
	    (rc = snapshot_outlook(snapshots, snapshot, query, mode, &outlook, status)) < 0 ||
	    // the outlook may have read the topology anew
	    (rc = find_request(snapshot, query, &request, status)) < 0 ||
	    (rc = outlook_room(outlook, snapshot, (enum unknown_policies)query->unknown, &room)) < 0)
		return rc;
	answer->snapshot = snapshot;
	answer->outlook = outlook;
	answer->room = room;
	answer->message.capacity_source = (int)outlook->source;
	if (outlook->reason[0] != '\0')
		answer->message.capacity_source_reason = outlook->reason;
	return search(snapshot, &request, take, answer);
}

int answer_compute(struct snapshots *snapshots, const struct path_query *query, bool take, struct answer *ret,
                   struct status *status) {
	struct answer answer = {.query = query};
	int rc;

	path_answer_init(&answer.message);
	rc = compute(snapshots, take, &answer, status);
	if (rc < 0) {
		answer_fini(&answer);
		return rc == -ENOMEM ? status_set(status, STATUS_RESOURCE_EXHAUSTED, "out of memory") : rc;
	}
	*ret = answer;
	return 0;
}

void answer_fini(struct answer *answer) {
	for (size_t i = 0; i < sizeof(answer->lists) / sizeof(answer->lists[0]); i++)
		free(answer->lists[i]);
	pathcomp_path_fini(&answer->path);
	pathcomp_block_fini(&answer->block);
}
