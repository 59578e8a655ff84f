// Two paths that share no link, or no node between the ends, of least total length: Suurballe's algorithm
// (Networks 4, 1974; with Tarjan, Networks 14, 1984). The second search runs on lengths reduced by those to
// the target, may take the first path's links backwards at a gain, and what is taken both ways drops out; so
// trap graphs are no trap.
//
// Pairs without a common risk group, and pairs under limits, are hard problems. They are found by taking first
// paths in order and the best partner of each, until no later pair can be better; the work has a limit.
// SPDX-License-Identifier: MIT
#include "search.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define PAIRS_MAX 2000
#define NONE      UINT32_MAX

// ---- Suurballe

// A node of the first path is two states when nodes must differ: who comes in from aside may only go back
// along the path; who came back may go anywhere.
enum { OUT, IN };

struct residual {
	struct pathcomp_search *search;
	const struct query *query;
	bool nodes_differ;
	span *to_target;  // of each node, at most that of the source
	uint32_t *next;   // arc of the first path that leaves a node, NONE elsewhere
	uint32_t *before; // arc of the first path that enters a node
	span *lengths;    // of each state: 2 * node + OUT or IN
	uint32_t *via;    // arc by which a state was reached; NONE: from the node's other state
	struct heap heap;
};

static void residual_fini(struct residual *residual) {
	free(residual->to_target);
	free(residual->next);
	free(residual->before);
	free(residual->lengths);
	free(residual->via);
	heap_fini(&residual->heap);
}

static int residual_init(struct residual *residual, const struct pathcomp_path *first) {
	const struct pathcomp_graph *graph = residual->search->graph;
	size_t n = graph->n_nodes;

	residual->to_target = malloc(n * sizeof(*residual->to_target));
	residual->next = malloc(n * sizeof(*residual->next));
	residual->before = malloc(n * sizeof(*residual->before));
	residual->lengths = malloc(2 * n * sizeof(*residual->lengths));
	residual->via = malloc(2 * n * sizeof(*residual->via));
	if (residual->to_target == NULL || residual->next == NULL || residual->before == NULL ||
	    residual->lengths == NULL || residual->via == NULL)
		return -ENOMEM;
	memset(residual->next, 0xff, n * sizeof(*residual->next));
	memset(residual->before, 0xff, n * sizeof(*residual->before));
	memset(residual->lengths, 0xff, 2 * n * sizeof(*residual->lengths));
	for (size_t i = 0; i < first->n_arcs; i++) {
		residual->next[pathcomp_arc_from(graph, first->arcs[i])] = first->arcs[i];
		residual->before[pathcomp_arc_to(graph, first->arcs[i])] = first->arcs[i];
	}
	return search_measure(residual->search, residual->query, true, residual->to_target);
}

static bool is_inner(const struct residual *residual, uint32_t node) {
	return residual->next[node] != NONE && residual->before[node] != NONE;
}

// The state that an arc from aside leads to.
static uint32_t state_at(const struct residual *residual, uint32_t node) {
	return 2 * node + (residual->nodes_differ && is_inner(residual, node) ? IN : OUT);
}

static void reach(struct residual *residual, uint32_t state, span at, uint32_t arc) {
	if (at >= residual->lengths[state])
		return;
	residual->lengths[state] = at;
	residual->via[state] = arc;
	heap_put(&residual->heap, state, at);
}

static void leave(struct residual *residual, uint32_t node, span at) {
	const struct pathcomp_graph *graph = residual->search->graph;
	const struct query *query = residual->query;

	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		const struct edge *edge = &graph->edges[i];
		uint32_t other = edge->other;

		if (residual->next[node] == edge->arc || residual->before[node] == (edge->arc ^ 1) ||
		    !query_fits(residual->search, query, i, false))
			continue;
		reach(residual, state_at(residual, other),
		      at + edge_length(graph, edge, query->metric) + residual->to_target[other] -
		              residual->to_target[node],
		      edge->arc);
	}
}

// Back along the first path: what it cost is won, so the reduced length is 0.
static void go_back(struct residual *residual, uint32_t node, span at) {
	uint32_t arc = residual->before[node], from;

	if (arc == NONE)
		return;
	from = pathcomp_arc_from(residual->search->graph, arc);
	if (from != residual->query->from)
		reach(residual, 2 * from + OUT, at, arc ^ 1);
}

static void settle(struct residual *residual, uint32_t state, span at) {
	uint32_t node = state / 2;

	if (state % 2 == IN) {
		go_back(residual, node, at);
		return;
	}
	leave(residual, node, at);
	if (!is_inner(residual, node))
		return;
	if (residual->nodes_differ)
		reach(residual, 2 * node + IN, at, NONE);
	else
		go_back(residual, node, at);
}

// Returns 0 when the target was reached, 1, or -ENOMEM.
static int flow(struct residual *residual) {
	uint32_t target = residual->query->to;

	reach(residual, 2 * residual->query->from + OUT, 0, NONE);
	while (residual->heap.n > 0 && !residual->heap.failed) {
		struct heap_entry entry = heap_take(&residual->heap);

		if (entry.key > residual->lengths[entry.item])
			continue;
		if (entry.item / 2 == target)
			return 0;
		settle(residual, entry.item, entry.key);
	}
	return residual->heap.failed ? -ENOMEM : 1;
}

// ---- two paths out of the first and the residual one

struct arcs {
	uint32_t *list;
	size_t n;
};

static void arcs_fini(struct arcs *arcs) {
	free(arcs->list);
}

static void drop(struct arcs *arcs, size_t i) {
	arcs->list[i] = arcs->list[--arcs->n];
}

// An arc cancels the first path's that it goes back on.
static void add_arc(struct arcs *arcs, uint32_t arc) {
	for (size_t i = 0; i < arcs->n; i++) {
		if (arcs->list[i] == (arc ^ 1)) {
			drop(arcs, i);
			return;
		}
	}
	arcs->list[arcs->n++] = arc;
}

static uint32_t tail_of(const struct residual *residual, uint32_t arc) {
	return pathcomp_arc_from(residual->search->graph, arc);
}

static void trace(const struct residual *residual, struct arcs *arcs) {
	uint32_t state = state_at(residual, residual->query->to), source = 2 * residual->query->from + OUT;

	while (state != source) {
		uint32_t arc = residual->via[state];

		if (arc == NONE) { // IN was reached from the node's OUT
			state = state / 2 * 2 + OUT;
			continue;
		}
		add_arc(arcs, arc);
		// an arc of the first path backwards was taken from where that arc enters: IN, if there is one
		if (residual->next[pathcomp_arc_to(residual->search->graph, arc)] == (arc ^ 1))
			state = state_at(residual, tail_of(residual, arc));
		else
			state = 2 * tail_of(residual, arc) + OUT;
	}
}

// Takes the least arc by id that leaves 'node' out of the set; there is one.
static uint32_t take_from(const struct residual *residual, struct arcs *arcs, uint32_t node) {
	const struct pathcomp_graph *graph = residual->search->graph;
	size_t best = SIZE_MAX;
	uint32_t arc;

	for (size_t i = 0; i < arcs->n; i++) {
		if (tail_of(residual, arcs->list[i]) == node &&
		    (best == SIZE_MAX ||
		     graph_arc_rank(graph, arcs->list[i]) < graph_arc_rank(graph, arcs->list[best])))
			best = i;
	}
	assert(best != SIZE_MAX);
	arc = arcs->list[best];
	drop(arcs, best);
	return arc;
}

static int walk(const struct residual *residual, struct arcs *arcs, struct pathcomp_path *ret) {
	uint32_t node = residual->query->from;

	*ret = (struct pathcomp_path){.bottleneck_bps = PATHCOMP_UNLIMITED};
	ret->arcs = malloc((arcs->n + 1) * sizeof(*ret->arcs));
	if (ret->arcs == NULL)
		return -ENOMEM;
	while (node != residual->query->to) {
		uint32_t arc = take_from(residual, arcs, node);

		path_append(ret, residual->query->room, arc);
		node = pathcomp_arc_to(residual->search->graph, arc);
	}
	return 0;
}

static void put_in_order(const struct pathcomp_graph *graph, enum path_metrics metric,
                         struct pathcomp_path pair[2]) {
	span left = path_length(graph, pair[0].arcs, pair[0].n_arcs, metric),
	     right = path_length(graph, pair[1].arcs, pair[1].n_arcs, metric);
	struct pathcomp_path first = pair[0];

	if (left < right || (left == right && path_compare_ids(graph, pair[0].arcs, pair[0].n_arcs,
	                                                       pair[1].arcs, pair[1].n_arcs) <= 0))
		return;
	pair[0] = pair[1];
	pair[1] = first;
}

static int tell(const struct residual *residual, const struct pathcomp_path *first,
                struct pathcomp_path pair[2]) {
	CLEANUP(arcs_fini) struct arcs arcs = {0};
	int rc;

	arcs.list = malloc((first->n_arcs + 2 * (size_t)residual->search->graph->n_nodes + 1) *
	                   sizeof(*arcs.list));
	if (arcs.list == NULL)
		return -ENOMEM;
	memcpy(arcs.list, first->arcs, first->n_arcs * sizeof(*arcs.list));
	arcs.n = first->n_arcs;
	trace(residual, &arcs);
	if ((rc = walk(residual, &arcs, &pair[0])) < 0 || (rc = walk(residual, &arcs, &pair[1])) < 0)
		return rc;
	assert(arcs.n == 0);
	put_in_order(residual->search->graph, residual->query->metric, pair);
	return 0;
}

// The pair under the bans, of links or nodes apart. Returns 0, 1, or -ENOMEM; 'pair' is empty before.
static int suurballe(struct pathcomp_search *search, const struct query *query, bool nodes_differ,
                     struct pathcomp_path pair[2]) {
	CLEANUP(residual_fini)
	struct residual residual = {search, query, nodes_differ, NULL, NULL, NULL, NULL, NULL, {0}};
	CLEANUP(pathcomp_path_fini) struct pathcomp_path first = {0};
	int rc;

	if ((rc = search_run(search, query, &first)) != 0 || (rc = residual_init(&residual, &first)) != 0 ||
	    (rc = flow(&residual)) != 0)
		return rc;
	return tell(&residual, &first, pair);
}

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
		rc = search_run(hunt->search, &query, ret);
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
	whole = first_length + path_length(graph, partner.arcs, partner.n_arcs, hunt->request->metric);
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
		at = path_length(hunt->search->graph, first->arcs, first->n_arcs, hunt->request->metric);
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
	hunt->floor = path_length(graph, pair[0].arcs, pair[0].n_arcs, query.metric) +
	              path_length(graph, pair[1].arcs, pair[1].n_arcs, query.metric);
	hunt->best = LENGTH_INFINITE;
	for (int i = 0; i < 2; i++)
		pathcomp_path_fini(&pair[i]);
	rc = run_hunt(hunt, ret_bounded);
	memcpy(pair, hunt->pair, sizeof(hunt->pair));
	if (rc < 0)
		return rc;
	if (hunt->best == LENGTH_INFINITE)
		return *ret_bounded ? -E2BIG : 1;
	put_in_order(graph, query.metric, pair);
	return 0;
}

int pathcomp_search_disjoint(struct pathcomp_search *search, const struct pathcomp_room *room,
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
	search_ban_excluded(search, request);
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
