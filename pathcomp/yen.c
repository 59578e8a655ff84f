// Loopless paths in order (Yen, Management Science 17, 1971), each set of paths searched once (Lawler,
// Management Science 18, 1972): a path that left its parent at one node is varied only from that node on.
// Spurs go straight by exact lengths to the target, which are measured once; by them it is also known what a
// spur is at least, so that only those are searched whose turn comes (as in Al Zoobi, Coudert and Nisse, Space
// and Time Trade-Off for the k Shortest Simple Paths Problem, SEA 2020).
// SPDX-License-Identifier: MIT
#include "engine.h"

#include <errno.h>
#include <string.h>

struct candidate {
	struct pathcomp_path path; // no arcs: not searched yet
	span length;               // at least, as long as it is not
	uint32_t parent;           // the found path that it is varied from
	uint32_t deviation;        // arcs that it shares with that
};

struct yen {
	struct pathcomp_search *search;
	struct query query;
	struct reach *reach; // under limits
	span *to_target;     // otherwise
	struct candidate *found, *waiting;
	size_t n_found, n_waiting, found_capacity, waiting_capacity;
	struct numbers taken; // links that found paths take from the node at hand
	bool ended;
};

static void candidates_free(struct candidate *list, size_t n) {
	for (size_t i = 0; i < n; i++)
		pathcomp_path_fini(&list[i].path);
	free(list);
}

void yen_free(struct yen *yen) {
	if (yen == NULL)
		return;
	candidates_free(yen->found, yen->n_found);
	candidates_free(yen->waiting, yen->n_waiting);
	reach_free(yen->reach);
	free(yen->to_target);
	numbers_fini(&yen->taken);
	free(yen);
}

// Takes the path over, also on failure.
static int keep(struct candidate **list, size_t *n, size_t *capacity, struct candidate candidate) {
	if (*n == *capacity) {
		size_t larger = 2 * *capacity + 16;
		struct candidate *moved = realloc(*list, larger * sizeof(*moved));

		if (moved == NULL) {
			pathcomp_path_fini(&candidate.path);
			return -ENOMEM;
		}
		*list = moved;
		*capacity = larger;
	}
	(*list)[(*n)++] = candidate;
	return 0;
}

static int measure(struct yen *yen) {
	yen->to_target = malloc(yen->search->graph->n_nodes * sizeof(*yen->to_target));
	if (yen->to_target == NULL)
		return -ENOMEM;
	return engine_measure(yen->search, &yen->query, yen->to_target);
}

int yen_new(struct pathcomp_search *search, const struct pathcomp_room *room,
            const struct pathcomp_request *request, struct yen **ret) {
	CLEANUP(yen_freep) struct yen *yen = calloc(1, sizeof(*yen));
	int rc;

	if (yen == NULL)
		return -ENOMEM;
	yen->search = search;
	query_init(&yen->query, search, room, request);
	rc = conditions_limit(request->conditions)
	             ? reach_new(search, &yen->query, request->conditions, &yen->reach)
	             : measure(yen);
	if (rc < 0)
		return rc;
	*ret = yen;
	yen = NULL;
	return 0;
}

// ---- what a spur is at least

static bool has_root(const struct candidate *found, const uint32_t *root, size_t n_root) {
	return found->path.n_arcs > n_root &&
	       (n_root == 0 || memcmp(found->path.arcs, root, n_root * sizeof(*root)) == 0);
}

// The links by which found paths go on from a root.
static int find_taken(struct yen *yen, const uint32_t *root, size_t n_root) {
	int rc = 0;

	yen->taken.n = 0;
	for (size_t i = 0; i < yen->n_found && rc == 0; i++) {
		if (has_root(&yen->found[i], root, n_root))
			rc = numbers_add(&yen->taken, pathcomp_arc_link(yen->found[i].path.arcs[n_root]));
	}
	return rc;
}

static bool is_taken(const struct yen *yen, uint32_t link) {
	for (size_t i = 0; i < yen->taken.n; i++) {
		if (yen->taken.list[i] == link)
			return true;
	}
	return false;
}

// LENGTH_INFINITE: there is none. The nodes of the root are banned.
static span least_spur(const struct yen *yen, uint32_t node) {
	const struct pathcomp_graph *graph = yen->search->graph;
	struct query query = yen->query;
	span least = LENGTH_INFINITE;

	query.filtered = true;
	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		const struct edge *edge = &graph->edges[i];
		span length;

		if (yen->to_target[edge->other] == LENGTH_INFINITE)
			continue;
		length = edge_length(graph, edge, query.measure) + yen->to_target[edge->other];
		if (length < least && query_fits(yen->search, &query, i, false) &&
		    !is_taken(yen, pathcomp_arc_link(edge->arc)))
			least = length;
	}
	return least;
}

// ---- one spur

static void ban_known(struct yen *yen, const uint32_t *root, size_t n_root) {
	struct pathcomp_search *search = yen->search;

	for (size_t i = 0; i < yen->taken.n; i++)
		search_ban_link(search, yen->taken.list[i], BAN_SPUR);
	for (size_t i = 0; i < n_root; i++)
		search_ban_node(search, pathcomp_arc_from(search->graph, root[i]), BAN_SPUR);
}

static int search_spur(struct yen *yen, const uint32_t *root, size_t n_root, struct pathcomp_path *ret) {
	struct query query = yen->query;

	query.filtered = true;
	if (yen->reach != NULL)
		return reach_run(yen->search, &query, yen->reach, root, n_root, ret);
	if (n_root > 0)
		query.from = pathcomp_arc_to(yen->search->graph, root[n_root - 1]);
	return engine_run(yen->search, &query, yen->to_target, ret);
}

// The root and the spur as one path.
static int join(struct yen *yen, const uint32_t *root, size_t n_root, const struct pathcomp_path *spur,
                struct candidate *candidate) {
	struct pathcomp_path path = {.bottleneck_bps = spur->bottleneck_bps,
	                             .cost_micro = spur->cost_micro,
	                             .latency_ns = spur->latency_ns};

	path.arcs = malloc((n_root + spur->n_arcs + 1) * sizeof(*root));
	if (path.arcs == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n_root; i++)
		path_append(&path, yen->query.room, root[i]);
	memcpy(&path.arcs[n_root], spur->arcs, spur->n_arcs * sizeof(*path.arcs));
	path.n_arcs += spur->n_arcs;
	candidate->path = path;
	candidate->length = path_length(yen->search->graph, path.arcs, path.n_arcs, yen->query.measure);
	return 0;
}

// Searches a candidate. Returns 0, 1 when there is no such path, or -errno.
static int search_candidate(struct yen *yen, struct candidate *candidate) {
	CLEANUP(pathcomp_path_fini) struct pathcomp_path spur = {0};
	size_t n_root = candidate->deviation;
	const uint32_t *root = n_root == 0 ? NULL : yen->found[candidate->parent].path.arcs;
	int rc;

	if ((rc = find_taken(yen, root, n_root)) < 0)
		return rc;
	ban_known(yen, root, n_root);
	rc = search_spur(yen, root, n_root, &spur);
	search_unban(yen->search, BAN_SPUR);
	return rc == 0 ? join(yen, root, n_root, &spur, candidate) : rc;
}

// Varies the latest path at each node from where it left its parent.
static int vary_latest(struct yen *yen) {
	const struct pathcomp_graph *graph = yen->search->graph;
	const uint32_t parent = (uint32_t)yen->n_found - 1;
	const struct pathcomp_path *path = &yen->found[parent].path;
	span root = 0;
	int rc = 0;

	for (uint32_t n = 0; n < path->n_arcs && rc == 0; n++) {
		struct candidate candidate = {.parent = parent, .deviation = n};
		uint32_t node = pathcomp_arc_from(graph, path->arcs[n]);

		if (n >= yen->found[parent].deviation) {
			rc = find_taken(yen, path->arcs, n);
			if (yen->to_target != NULL)
				candidate.length = least_spur(yen, node);
			if (candidate.length != LENGTH_INFINITE)
				candidate.length += root;
			if (rc == 0 && candidate.length != LENGTH_INFINITE)
				rc = keep(&yen->waiting, &yen->n_waiting, &yen->waiting_capacity, candidate);
		}
		root += edge_length(graph, graph_edge(graph, path->arcs[n]), yen->query.measure);
		search_ban_node(yen->search, node, BAN_SPUR);
	}
	search_unban(yen->search, BAN_SPUR);
	return rc;
}

// What is not searched yet comes before what is as long: it may have the lesser ids.
static bool is_before(const struct yen *yen, const struct candidate *left, const struct candidate *right) {
	if (left->length != right->length)
		return left->length < right->length;
	if (left->path.arcs == NULL || right->path.arcs == NULL)
		return left->path.arcs == NULL && right->path.arcs != NULL;
	return path_compare_ids(yen->search->graph, left->path.arcs, left->path.n_arcs, right->path.arcs,
	                        right->path.n_arcs) < 0;
}

static size_t first_waiting(const struct yen *yen) {
	size_t first = 0;

	for (size_t i = 1; i < yen->n_waiting; i++) {
		if (is_before(yen, &yen->waiting[i], &yen->waiting[first]))
			first = i;
	}
	return first;
}

int yen_next(struct yen *yen, const struct pathcomp_path **ret) {
	int rc;

	if (yen->ended)
		return 1;
	rc = yen->n_found == 0
	             ? keep(&yen->waiting, &yen->n_waiting, &yen->waiting_capacity, (struct candidate){0})
	             : vary_latest(yen);
	if (rc < 0)
		return rc;
	while (yen->n_waiting > 0) {
		struct candidate *first = &yen->waiting[first_waiting(yen)];

		if (first->path.arcs != NULL) {
			struct candidate next = *first;

			*first = yen->waiting[--yen->n_waiting];
			if ((rc = keep(&yen->found, &yen->n_found, &yen->found_capacity, next)) < 0)
				return rc;
			*ret = &yen->found[yen->n_found - 1].path;
			return 0;
		}
		if ((rc = search_candidate(yen, first)) < 0)
			return rc;
		if (rc == 1)
			*first = yen->waiting[--yen->n_waiting];
	}
	yen->ended = true;
	return 1;
}

int engine_several(struct pathcomp_search *search, const struct pathcomp_room *room,
                   const struct pathcomp_request *request, size_t k, struct pathcomp_paths *ret) {
	CLEANUP(yen_freep) struct yen *yen = NULL;
	CLEANUP(pathcomp_paths_fini) struct pathcomp_paths paths = {0};
	const struct pathcomp_path *path;
	int rc;

	if ((rc = yen_new(search, room, request, &yen)) < 0)
		return rc;
	paths.list = calloc(k, sizeof(*paths.list));
	if (paths.list == NULL)
		return -ENOMEM;
	while (paths.n < k && (rc = yen_next(yen, &path)) == 0) {
		if ((rc = path_copy(path, &paths.list[paths.n])) < 0)
			return rc;
		paths.n++;
	}
	if (rc < 0)
		return rc;
	if (paths.n == 0)
		return 1;
	*ret = paths;
	paths.list = NULL;
	paths.n = 0;
	return 0;
}
