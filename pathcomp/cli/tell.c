// Answers in words: ids for numbers, Gbps for bit/s.
// SPDX-License-Identifier: MIT
#include "answer.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define MICRO        1e6
#define BPS_PER_GBPS 1e9

static const char *link_id(const struct answer *answer, uint32_t arc) {
	return answer->snapshot->topology.topology.links[pathcomp_arc_link(arc)].id;
}

static void tell_capacity(const struct answer *answer, uint32_t arc, struct path_link *ret) {
	const struct pathcomp_capacity *capacity = &answer->outlook->capacities[arc];
	struct pathcomp_view view = pathcomp_room_view(answer->room, arc);
	bool has_use = view.forecast || !isnan(capacity->current_gbps);

	path_link_init(ret);
	ret->link = link_id(answer, arc);
	ret->direction = (int)pathcomp_arc_direction(arc);
	ret->state = (int)capacity->state;
	ret->held_gbps = capacity->reserved_gbps + (double)view.held_bps / BPS_PER_GBPS;
	ret->source = (int)(view.forecast ? LINK_SOURCE_FORECAST
	                    : has_use     ? LINK_SOURCE_CURRENT
	                                  : LINK_SOURCE_NONE);
	if (!isnan(capacity->total_gbps))
		SET(ret, path_link, total_capacity_gbps, capacity->total_gbps);
	if (has_use)
		SET(ret, path_link, used_capacity_gbps, (double)view.used_bps / BPS_PER_GBPS);
	if (view.available_bps != PATHCOMP_UNLIMITED)
		SET(ret, path_link, available_gbps, (double)view.available_bps / BPS_PER_GBPS);
}

static int tell_path(struct answer *answer, const struct pathcomp_path *found, struct path *path) {
	size_t n = found->n_arcs;
	const char **links = memory_take(&answer->memory, n, sizeof(*links));
	const char **nodes = memory_take(&answer->memory, n + 1, sizeof(*nodes));
	bool *reversed = memory_take(&answer->memory, n, sizeof(*reversed));
	struct path_link *capacities = memory_take(&answer->memory, n, sizeof(*capacities));

	if (links == NULL || nodes == NULL || reversed == NULL || capacities == NULL)
		return -ENOMEM;
	nodes[0] = answer->query->from;
	for (size_t i = 0; i < n; i++) {
		links[i] = link_id(answer, found->arcs[i]);
		nodes[i + 1] = answer_arc_to(answer, found->arcs[i]);
		reversed[i] = pathcomp_arc_direction(found->arcs[i]) == DIRECTION_REVERSE;
		tell_capacity(answer, found->arcs[i], &capacities[i]);
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
	        .capacities = capacities,
	        .n_capacities = n,
	};
	if (found->bottleneck_bps != PATHCOMP_UNLIMITED)
		SET(path, path, bottleneck_gbps, (double)found->bottleneck_bps / BPS_PER_GBPS);
	return 0;
}

int answer_tell_paths(struct answer *answer) {
	struct path *list = memory_take(&answer->memory, answer->paths.n, sizeof(*list));
	int rc;

	if (list == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < answer->paths.n; i++) {
		if ((rc = tell_path(answer, &answer->paths.list[i], &list[i])) < 0)
			return rc;
	}
	answer->message.status = PATH_STATUS_PATH;
	answer->message.paths = list;
	answer->message.n_paths = answer->paths.n;
	if (answer->paths.bounded)
		SET(&answer->message, path_answer, bounded, true);
	return 0;
}

// ---- the cut

static bool is_in(uint32_t wanted, const uint32_t *list, size_t n) {
	for (size_t i = 0; i < n; i++) {
		if (list[i] == wanted)
			return true;
	}
	return false;
}

static bool has_srlg(const struct answer *answer, const struct link *link) {
	for (size_t i = 0; i < link->n_srlg; i++) {
		for (size_t j = 0; j < answer->query->n_exclude_srlgs; j++) {
			if (strcmp(link->srlg[i], answer->query->exclude_srlgs[j]) == 0)
				return true;
		}
	}
	return false;
}

bool answer_excludes(const struct answer *answer, uint32_t arc) {
	const struct pathcomp_conditions *c = &answer->conditions;
	const struct pathcomp_graph *graph = answer->snapshot->graph;

	return is_in(pathcomp_arc_link(arc), c->links, c->n_links) ||
	       is_in(pathcomp_arc_from(graph, arc), c->nodes, c->n_nodes) ||
	       is_in(pathcomp_arc_to(graph, arc), c->nodes, c->n_nodes) ||
	       has_srlg(answer, &answer->snapshot->topology.topology.links[pathcomp_arc_link(arc)]);
}

static enum link_refusals refusal_of(const struct answer *answer, uint32_t arc,
                                     const struct pathcomp_view *view) {
	if (view->refusal == PATHCOMP_DOWN)
		return LINK_REFUSAL_DOWN;
	if (answer_excludes(answer, arc))
		return LINK_REFUSAL_EXCLUDED;
	if (view->refusal == PATHCOMP_UNKNOWN)
		return LINK_REFUSAL_UNKNOWN;
	return view->available_bps < pathcomp_bps(answer->query->gbps) ? LINK_REFUSAL_CAPACITY
	                                                               : LINK_REFUSAL_UTILIZATION;
}

int64_t answer_usable_bps(const struct answer *answer, uint32_t arc) {
	struct pathcomp_view view = pathcomp_room_view(answer->room, arc);
	double spare = 1 - answer->conditions.max_utilization;
	double total_gbps = answer->outlook->capacities[arc].total_gbps;

	if (spare <= 0 || isnan(total_gbps) || view.refusal != PATHCOMP_USABLE)
		return view.available_bps;
	return view.available_bps - pathcomp_bps(total_gbps * spare);
}

static void tell_cut_link(const struct answer *answer, uint32_t arc, struct cut_link *ret) {
	struct pathcomp_view view = pathcomp_room_view(answer->room, arc);
	int64_t shortfall_bps = pathcomp_bps(answer->query->gbps) - answer_usable_bps(answer, arc);

	cut_link_init(ret);
	ret->link = link_id(answer, arc);
	ret->direction = (int)pathcomp_arc_direction(arc);
	ret->reason = (int)refusal_of(answer, arc, &view);
	if (view.refusal == PATHCOMP_UNKNOWN || view.available_bps == PATHCOMP_UNLIMITED)
		return;
	SET(ret, cut_link, available_gbps, (double)view.available_bps / BPS_PER_GBPS);
	SET(ret, cut_link, shortfall_gbps, shortfall_bps > 0 ? (double)shortfall_bps / BPS_PER_GBPS : 0);
	if (view.worst_ns != 0 && view.refusal == PATHCOMP_USABLE)
		SET(ret, cut_link, worst_ns, view.worst_ns);
}

int answer_tell_block(struct answer *answer) {
	struct cut_link *cut = memory_take(&answer->memory, answer->block.n_cut, sizeof(*cut));

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
