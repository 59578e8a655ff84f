// Two paths that have nothing in common, of least total length. Without limits, Suurballe's algorithm finds those
// that share no link or no node (suurballe.c).
//
// Pairs without a common risk group, and pairs under limits, are hard problems. They are found by taking first
// paths in order and the best partner of each, until no later pair can be better; the work has a limit.
// SPDX-License-Identifier: MIT
#include "engine.h"

#include <errno.h>
#include <string.h>

#define PAIRS_MAX 2000

// ---- pairs by enumeration

struct hunt {
	struct pathcomp_search *search;
	const struct pathcomp_room *room;
	const struct pathcomp_request *request;
	enum disjoint_kinds kind;
	span floor; // no pair is shorter
	span best;
	struct pathcomp_path pair[2];
};

static void ban_partners(const struct hunt *hunt, const struct pathcomp_path *first) {
	const struct pathcomp_graph *graph = hunt->search->graph;
	const struct srlgs *srlgs = graph->srlgs;

	for (size_t i = 0; i < first->n_arcs; i++) {
		uint32_t link = pathcomp_arc_link(first->arcs[i]);

		search_ban_link(hunt->search, link, BAN_PAIR);
		if (hunt->kind == DISJOINT_NODE && i + 1 < first->n_arcs)
			search_ban_node(hunt->search, pathcomp_arc_to(graph, first->arcs[i]), BAN_PAIR);
		if (hunt->kind != DISJOINT_SRLG || srlgs == NULL)
			continue;
		for (uint32_t at = srlgs->of_link[link]; at < srlgs->of_link[link + 1]; at++) {
			uint32_t group = srlgs->groups[at];

			for (uint32_t of = srlgs->of_group[group]; of < srlgs->of_group[group + 1]; of++)
				search_ban_link(hunt->search, srlgs->links[of], BAN_PAIR);
		}
	}
}

static int find_partner(struct hunt *hunt, const struct pathcomp_path *first, struct pathcomp_path *ret) {
	CLEANUP(reach_freep) struct reach *reach = NULL;
	struct query query;
	int rc;

	ban_partners(hunt, first);
	query_init(&query, hunt->search, hunt->room, hunt->request);
	query.filtered = true;
	if (!conditions_limit(hunt->request->conditions))
		rc = engine_run(hunt->search, &query, NULL, ret);
	else if ((rc = reach_new(hunt->search, &query, hunt->request->conditions, &reach)) == 0)
		rc = reach_run(hunt->search, &query, reach, NULL, 0, ret);
	search_unban(hunt->search, BAN_PAIR);
	return rc;
}

static int consider(struct hunt *hunt, const struct pathcomp_path *first, span first_length) {
	const struct pathcomp_graph *graph = hunt->search->graph;
	struct pathcomp_path partner = {0};
	span whole;
	int rc = find_partner(hunt, first, &partner);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	whole = first_length + path_length(graph, partner.arcs, partner.n_arcs,
	                                   &hunt->search->graph->measures[hunt->request->metric]);
	if (whole >= hunt->best) {
		pathcomp_path_fini(&partner);
		return 0;
	}
	pathcomp_path_fini(&hunt->pair[0]);
	pathcomp_path_fini(&hunt->pair[1]);
	hunt->best = whole;
	hunt->pair[1] = partner;
	return path_copy(first, &hunt->pair[0]);
}

// Returns 0 or -errno; 'ret_bounded' when the limit of work came first.
static int run_hunt(struct hunt *hunt, bool *ret_bounded) {
	CLEANUP(yen_freep) struct yen *yen = NULL;
	const struct pathcomp_path *first;
	int rc;

	if ((rc = yen_new(hunt->search, hunt->room, hunt->request, &yen)) < 0)
		return rc;
	for (int n = 0; n < PAIRS_MAX; n++) {
		span at;

		if ((rc = yen_next(yen, &first)) != 0)
			return rc < 0 ? rc : 0;
		at = path_length(hunt->search->graph, first->arcs, first->n_arcs,
		                 &hunt->search->graph->measures[hunt->request->metric]);
		// the shorter of two comes first, so a later pair is at least twice as long as this path
		if (2 * at >= hunt->best)
			return 0;
		if ((rc = consider(hunt, first, at)) < 0)
			return rc;
		if (hunt->best == hunt->floor)
			return 0;
	}
	*ret_bounded = true;
	return 0;
}

static int hunt_pair(struct hunt *hunt, struct pathcomp_path pair[2], bool *ret_bounded) {
	const struct pathcomp_graph *graph = hunt->search->graph;
	struct query query;
	int rc;

	query_init(&query, hunt->search, hunt->room, hunt->request);
	// what even without groups and limits has no pair, has none; and no pair is shorter than that one
	if ((rc = suurballe(hunt->search, &query, hunt->kind == DISJOINT_NODE, pair)) != 0)
		return rc;
	hunt->floor = path_length(graph, pair[0].arcs, pair[0].n_arcs, query.measure) +
	              path_length(graph, pair[1].arcs, pair[1].n_arcs, query.measure);
	hunt->best = LENGTH_INFINITE;
	for (int i = 0; i < 2; i++)
		pathcomp_path_fini(&pair[i]);
	rc = run_hunt(hunt, ret_bounded);
	memcpy(pair, hunt->pair, sizeof(hunt->pair));
	if (rc < 0)
		return rc;
	if (hunt->best == LENGTH_INFINITE)
		return *ret_bounded ? -E2BIG : 1;
	pair_put_in_order(graph, query.measure, pair);
	return 0;
}

int engine_disjoint(struct pathcomp_search *search, const struct pathcomp_room *room,
                    const struct pathcomp_request *request, enum disjoint_kinds kind,
                    struct pathcomp_paths *ret) {
	CLEANUP(pathcomp_paths_fini) struct pathcomp_paths paths = {.n = 2};
	struct hunt hunt = {.search = search, .room = room, .request = request, .kind = kind};
	struct query query;
	int rc;

	paths.list = calloc(2, sizeof(*paths.list));
	if (paths.list == NULL) {
		paths.n = 0;
		return -ENOMEM;
	}
	query_init(&query, search, room, request);
	if (conditions_limit(request->conditions) || (kind == DISJOINT_SRLG && search->graph->srlgs != NULL))
		rc = hunt_pair(&hunt, paths.list, &paths.bounded);
	else
		rc = suurballe(search, &query, kind == DISJOINT_NODE, paths.list);
	if (rc != 0)
		return rc;
	*ret = paths;
	paths.list = NULL;
	paths.n = 0;
	return 0;
}
