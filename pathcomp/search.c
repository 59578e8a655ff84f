// Searches: their memory, what they may take, and which of the engines answers.
// SPDX-License-Identifier: MIT
#include "search.h"

#include <errno.h>
#include <string.h>

void numbers_fini(struct numbers *numbers) {
	free(numbers->list);
	*numbers = (struct numbers){0};
}

int numbers_grow(struct numbers *numbers) {
	size_t capacity = 2 * numbers->capacity + 64;
	uint32_t *moved = realloc(numbers->list, capacity * sizeof(*moved));

	if (moved == NULL)
		return -ENOMEM;
	numbers->list = moved;
	numbers->capacity = capacity;
	return 0;
}

int pathcomp_search_new(const struct pathcomp_graph *graph, struct pathcomp_search **ret) {
	CLEANUP(pathcomp_search_freep) struct pathcomp_search *search = calloc(1, sizeof(*search));

	if (search == NULL)
		return -ENOMEM;
	search->graph = graph;
	search->calls = engine_calls_of(graph);
	search->links.reasons = calloc(graph->n_links + (size_t)1, 1);
	search->nodes.reasons = calloc(graph->n_nodes + (size_t)1, 1);
	if (search->links.reasons == NULL || search->nodes.reasons == NULL ||
	    search->calls->new (graph, &search->engine) < 0)
		return -ENOMEM;
	*ret = search;
	search = NULL;
	return 0;
}

void pathcomp_search_free(struct pathcomp_search *search) {
	if (search == NULL)
		return;
	search->calls->free(search->engine);
	free(search->links.reasons);
	free(search->nodes.reasons);
	numbers_fini(&search->links.list);
	numbers_fini(&search->nodes.list);
	free(search);
}

// ---- what may be taken

static void ban(struct pathcomp_search *search, struct banned *banned, uint32_t i, enum ban reason) {
	if (banned->reasons[i] == 0 && numbers_add(&banned->list, i) < 0)
		search->failed = true;
	else
		banned->reasons[i] |= (uint8_t)reason;
}

static void unban(struct banned *banned, enum ban reason) {
	size_t n = 0;

	for (size_t i = 0; i < banned->list.n; i++) {
		uint32_t at = banned->list.list[i];

		banned->reasons[at] &= (uint8_t)~reason;
		if (banned->reasons[at] != 0)
			banned->list.list[n++] = at;
	}
	banned->list.n = n;
}

void search_ban_link(struct pathcomp_search *search, uint32_t link, enum ban reason) {
	ban(search, &search->links, link, reason);
}

void search_ban_node(struct pathcomp_search *search, uint32_t node, enum ban reason) {
	ban(search, &search->nodes, node, reason);
}

void search_unban(struct pathcomp_search *search, enum ban reason) {
	unban(&search->links, reason);
	unban(&search->nodes, reason);
}

void search_ban_excluded(struct pathcomp_search *search, const struct pathcomp_request *request) {
	const struct pathcomp_conditions *conditions = request->conditions;
	const struct srlgs *srlgs = search->graph->srlgs;

	search_unban(search, BAN_REQUEST);
	search->failed = false;
	if (conditions == NULL)
		return;
	for (size_t i = 0; i < conditions->n_links; i++)
		search_ban_link(search, conditions->links[i], BAN_REQUEST);
	for (size_t i = 0; i < conditions->n_nodes; i++)
		search_ban_node(search, conditions->nodes[i], BAN_REQUEST);
	for (size_t i = 0; i < conditions->n_srlgs; i++) {
		uint32_t group = conditions->srlgs[i];

		for (uint32_t at = srlgs->of_group[group]; at < srlgs->of_group[group + 1]; at++)
			search_ban_link(search, srlgs->links[at], BAN_REQUEST);
	}
}

void query_init(struct query *query, const struct pathcomp_search *search, const struct pathcomp_room *room,
                const struct pathcomp_request *request) {
	*query = (struct query){.room = room,
	                        .from = request->from,
	                        .to = request->to,
	                        .metric = request->metric,
	                        .measure = &search->graph->measures[request->metric]};
	query_set_demand(query, pathcomp_bps(request->gbps));
	if (request->conditions != NULL)
		query->spare = 1 - request->conditions->max_utilization;
	query->filtered = search->links.list.n > 0 || search->nodes.list.n > 0 || query->spare > 0;
}

static int64_t less_spare(const struct query *query, uint32_t arc, int64_t available_bps) {
	if (query->spare <= 0 || room_is_refused(available_bps) || available_bps == PATHCOMP_UNLIMITED)
		return available_bps;
	return available_bps - pathcomp_bps(query->room->capacities[arc].total_gbps * query->spare);
}

int64_t query_available(const struct pathcomp_search *search, const struct query *query, uint32_t arc) {
	if (search->links.reasons[pathcomp_arc_link(arc)] != 0 ||
	    search->nodes.reasons[pathcomp_arc_to(search->graph, arc)] != 0 ||
	    search->nodes.reasons[pathcomp_arc_from(search->graph, arc)] != 0)
		return INT64_MIN;
	return less_spare(query, arc, room_available(query->room, arc));
}

bool query_spares(const struct query *query, uint32_t arc) {
	return less_spare(query, arc, room_available(query->room, arc)) >= query->demand_bps;
}

// ---- which engine

int pathcomp_graph_prepare(struct pathcomp_graph *graph, enum path_metrics metric) {
	return engine_calls_of(graph)->prepare(graph, metric);
}

int search_query(struct pathcomp_search *search, const struct query *query,
                 const struct pathcomp_request *request, struct pathcomp_path *ret) {
	return search->calls->shortest(search, query, request, ret);
}

int pathcomp_search_shortest(struct pathcomp_search *search, const struct pathcomp_room *room,
                             const struct pathcomp_request *request, struct pathcomp_path *ret) {
	struct query query;

	search_ban_excluded(search, request);
	query_init(&query, search, room, request);
	return search_query(search, &query, request, ret);
}

int pathcomp_search_several(struct pathcomp_search *search, const struct pathcomp_room *room,
                            const struct pathcomp_request *request, size_t k, struct pathcomp_paths *ret) {
	search_ban_excluded(search, request);
	return search->calls->several(search, room, request, k, ret);
}

int pathcomp_search_disjoint(struct pathcomp_search *search, const struct pathcomp_room *room,
                             const struct pathcomp_request *request, enum disjoint_kinds kind,
                             struct pathcomp_paths *ret) {
	search_ban_excluded(search, request);
	return search->calls->disjoint(search, room, request, kind, ret);
}
