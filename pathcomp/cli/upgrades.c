// The least upgrade for requests that are bound by more than capacity: a pair, nodes to pass, limits. It is a search
// like any other, on a graph of the same nodes in which each direction of a link is a link that costs what it lacks.
// SPDX-License-Identifier: MIT
#include "answer.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define BPS_PER_GBPS 1e9
#define LINKS_MAX    20000 // building the graph and searching for pairs takes time
#define EXCLUDED_MAX 1000  // each is looked for at each link

struct lacking {
	const struct answer *answer;
	struct memory memory;
	struct topology topology;
	uint32_t *arcs; // of the answer's graph, by link of ours
	int64_t *bps;   // that must be added there
	struct pathcomp_capacity *capacities;
	struct snapshot snapshot;
	struct pathcomp_conditions conditions;
};

static void lacking_fini(struct lacking *lacking) {
	pathcomp_search_free(lacking->snapshot.search);
	pathcomp_graph_free(lacking->snapshot.graph);
	memory_fini(&lacking->memory);
}

static const char *join(struct lacking *lacking, const char *first, const char *second) {
	size_t size = strlen(first) + strlen(second) + 1;
	char *text = memory_take(&lacking->memory, size, 1);

	if (text != NULL)
		snprintf(text, size, "%s%s", first, second);
	return text;
}

// A link shares a risk with its other direction, as no two paths may both take it. Ids have no control characters, so
// the name is nobody else's.
static int add_risks(struct lacking *lacking, const struct link *from, struct link *link) {
	const char **groups = memory_take(&lacking->memory, from->n_srlg + 1, sizeof(*groups));

	if (groups == NULL)
		return -ENOMEM;
	if (from->n_srlg > 0)
		memcpy(groups, from->srlg, from->n_srlg * sizeof(*groups));
	groups[from->n_srlg] = join(lacking, "\n", from->id);
	link->srlg = groups;
	link->n_srlg = from->n_srlg + 1;
	return groups[from->n_srlg] == NULL ? -ENOMEM : 0;
}

// In bit/s; -1 when no upgrade helps, as where next to nothing of a link may be in use.
static int64_t lack_of(const struct answer *answer, uint32_t arc) {
	int64_t lacks = pathcomp_bps(answer->query->gbps) - answer_usable_bps(answer, arc);
	double added = ceil((double)lacks / answer->conditions.max_utilization);

	return lacks <= 0 ? 0 : added < PATHCOMP_BPS_MAX ? (int64_t)added : -1;
}

static int add_arc(struct lacking *lacking, uint32_t arc) {
	const struct answer *answer = lacking->answer;
	const struct link *from = &answer->snapshot->topology.topology.links[pathcomp_arc_link(arc)];
	bool reverse = pathcomp_arc_direction(arc) == DIRECTION_REVERSE;
	size_t at = lacking->topology.n_links;
	struct link *link = &lacking->topology.links[at];

	lacking->bps[at] = lack_of(answer, arc);
	if (lacking->bps[at] < 0 || pathcomp_room_view(answer->room, arc).refusal != PATHCOMP_USABLE ||
	    (reverse && !from->bidirectional) || answer_excludes(answer, arc))
		return 0;
	link_init(link);
	link->id = join(lacking, from->id, reverse ? "<" : ">");
	link->a = reverse ? from->z : from->a;
	link->z = reverse ? from->a : from->z;
	link->bidirectional = false;
	lacking->arcs[at] = arc;
	link->cost = (double)lacking->bps[at] / BPS_PER_GBPS;
	if (HAS(from, link, latency_ms))
		SET(link, link, latency_ms, from->latency_ms);
	lacking->capacities[2 * at] =
	        (struct pathcomp_capacity){.total_gbps = 1, .forecast_gbps = NAN, .state = STATE_UP};
	lacking->capacities[2 * at + 1] = lacking->capacities[2 * at];
	lacking->topology.n_links++;
	return link->id == NULL ? -ENOMEM : add_risks(lacking, from, link);
}

static int build(struct lacking *lacking) {
	const struct topology *from = &lacking->answer->snapshot->topology.topology;
	size_t n_arcs = 2 * from->n_links;
	struct topology *topology = &lacking->topology;
	int rc;

	topology_init(topology);
	topology->nodes = from->nodes;
	topology->n_nodes = from->n_nodes;
	topology->links = memory_take(&lacking->memory, n_arcs, sizeof(*topology->links));
	lacking->arcs = memory_take(&lacking->memory, n_arcs, sizeof(*lacking->arcs));
	lacking->bps = memory_take(&lacking->memory, n_arcs, sizeof(*lacking->bps));
	lacking->capacities = memory_take(&lacking->memory, 2 * n_arcs, sizeof(*lacking->capacities));
	if (topology->links == NULL || lacking->arcs == NULL || lacking->bps == NULL ||
	    lacking->capacities == NULL)
		return -ENOMEM;
	for (uint32_t arc = 0; arc < n_arcs; arc++) {
		if ((rc = add_arc(lacking, arc)) < 0)
			return rc;
	}
	if ((rc = pathcomp_graph_new(topology, &lacking->snapshot.graph, NULL)) < 0)
		return rc;
	return pathcomp_search_new(lacking->snapshot.graph, &lacking->snapshot.search);
}

// The request in terms of our graph: what was excluded is not in it, and everything fits.
static int translate(struct lacking *lacking, struct pathcomp_request *ret) {
	const struct path_query *query = lacking->answer->query;
	const struct pathcomp_graph *graph = lacking->snapshot.graph;
	uint32_t *via = memory_take(&lacking->memory, query->n_via, sizeof(*via));

	if (via == NULL)
		return -ENOMEM;
	lacking->conditions = PATHCOMP_NO_CONDITIONS;
	lacking->conditions.max_latency_ns = lacking->answer->conditions.max_latency_ns;
	lacking->conditions.max_hops = lacking->answer->conditions.max_hops;
	lacking->conditions.via = via;
	lacking->conditions.n_via = query->n_via;
	*ret = (struct pathcomp_request){.metric = PATH_METRIC_COST, .conditions = &lacking->conditions};
	for (size_t i = 0; i < query->n_via; i++) {
		if (pathcomp_graph_find_node(graph, query->via[i], &via[i]) < 0)
			return -EINVAL;
	}
	if (pathcomp_graph_find_node(graph, query->from, &ret->from) < 0 ||
	    pathcomp_graph_find_node(graph, query->to, &ret->to) < 0)
		return -EINVAL;
	return 0;
}

static int collect(const struct lacking *lacking, const struct pathcomp_path *path,
                   struct pathcomp_upgrade *ret) {
	struct pathcomp_addition *moved = reallocarray(ret->list, ret->n + path->n_arcs + 1, sizeof(*moved));

	if (moved == NULL)
		return -ENOMEM;
	ret->list = moved;
	for (size_t i = 0; i < path->n_arcs; i++) {
		uint32_t link = pathcomp_arc_link(path->arcs[i]);

		if (lacking->bps[link] > 0)
			ret->list[ret->n++] =
			        (struct pathcomp_addition){lacking->arcs[link], lacking->bps[link]};
	}
	return 0;
}

static int search(struct lacking *lacking, struct pathcomp_upgrade *ret) {
	CLEANUP(pathcomp_room_freep) struct pathcomp_room *room = NULL;
	CLEANUP(pathcomp_paths_fini) struct pathcomp_paths paths = {0};
	CLEANUP(pathcomp_upgrade_fini) struct pathcomp_upgrade upgrade = {0};
	const struct pathcomp_window window = {0, 1};
	struct answer ours = {.query = lacking->answer->query, .snapshot = &lacking->snapshot};
	struct pathcomp_request request;
	int rc;

	if ((rc = translate(lacking, &request)) < 0 ||
	    (rc = pathcomp_room_new(lacking->snapshot.graph, lacking->capacities, window, UNKNOWN_CURRENT,
	                            NULL, &room)) < 0 ||
	    (rc = answer_search(&ours, room, &request, &paths, NULL)) != 0)
		return rc;
	if (paths.bounded) // it may not be the least
		return 1;
	for (size_t i = 0; i < (HAS(ours.query, path_query, disjoint) ? paths.n : 1); i++) {
		if ((rc = collect(lacking, &paths.list[i], &upgrade)) < 0)
			return rc;
	}
	*ret = upgrade;
	upgrade = (struct pathcomp_upgrade){0};
	return 0;
}

int answer_least_upgrade(const struct answer *answer, struct pathcomp_upgrade *ret) {
	CLEANUP(lacking_fini) struct lacking lacking = {.answer = answer};
	const struct pathcomp_conditions *c = &answer->conditions;
	int rc;

	if (answer->query->widest || answer->snapshot->topology.topology.n_links > LINKS_MAX ||
	    c->n_links + c->n_nodes + c->n_srlgs > EXCLUDED_MAX || c->max_utilization <= 0)
		return 1;
	rc = build(&lacking);
	if (rc == 0)
		rc = search(&lacking, ret);
	return rc < 0 && rc != -ENOMEM ? 1 : rc;
}
