// Loopless paths in order (Yen, Management Science 17, 1971), each set of paths searched once (Lawler,
// Management Science 18, 1972): a path that left its parent at one node is varied only from that node on.
// Spurs go straight by exact lengths to the target, which are measured once.
// SPDX-License-Identifier: MIT
#include "search.h"

#include <errno.h>
#include <string.h>

struct candidate {
	struct pathcomp_path path;
	span length;
	size_t deviation; // arcs that it shares with the path it was varied from
};

struct yen {
	struct pathcomp_search *search;
	struct query query;
	struct reach *reach; // under limits
	span *to_target;     // otherwise
	struct candidate *found, *waiting;
	size_t n_found, n_waiting, found_capacity, waiting_capacity;
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
	yen->query.to_target = yen->to_target;
	return search_measure(yen->search, &yen->query, false, yen->to_target);
}

int yen_new(struct pathcomp_search *search, const struct pathcomp_room *room,
            const struct pathcomp_request *request, struct yen **ret) {
	CLEANUP(yen_freep) struct yen *yen = calloc(1, sizeof(*yen));
	int rc;

	if (yen == NULL)
		return -ENOMEM;
	yen->search = search;
	search_ban_excluded(search, request);
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

// ---- one spur

static bool has_root(const struct candidate *found, const uint32_t *root, size_t n_root) {
	return found->path.n_arcs > n_root && memcmp(found->path.arcs, root, n_root * sizeof(*root)) == 0;
}

static void ban_known(struct yen *yen, const uint32_t *root, size_t n_root) {
	struct pathcomp_search *search = yen->search;

	for (size_t i = 0; i < yen->n_found; i++) {
		if (has_root(&yen->found[i], root, n_root))
			search_ban_link(search, pathcomp_arc_link(yen->found[i].path.arcs[n_root]), BAN_SPUR);
	}
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
	return search_run(yen->search, &query, ret);
}

// The root and the spur as one path. Takes the spur over.
static int join(struct yen *yen, const uint32_t *root, size_t n_root, struct pathcomp_path *spur) {
	const struct pathcomp_graph *graph = yen->search->graph;
	struct candidate candidate = {.path.bottleneck_bps = PATHCOMP_UNLIMITED, .deviation = n_root};

	candidate.path.arcs = malloc((n_root + spur->n_arcs + 1) * sizeof(*root));
	if (candidate.path.arcs == NULL) {
		pathcomp_path_fini(spur);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n_root; i++)
		path_append(&candidate.path, yen->query.room, root[i]);
	for (size_t i = 0; i < spur->n_arcs; i++)
		path_append(&candidate.path, yen->query.room, spur->arcs[i]);
	pathcomp_path_fini(spur);
	candidate.length = path_length(graph, candidate.path.arcs, candidate.path.n_arcs, yen->query.metric);
	return keep(&yen->waiting, &yen->n_waiting, &yen->waiting_capacity, candidate);
}

static int vary_at(struct yen *yen, const uint32_t *root, size_t n_root) {
	struct pathcomp_path spur = {0};
	int rc;

	ban_known(yen, root, n_root);
	rc = search_spur(yen, root, n_root, &spur);
	search_unban(yen->search, BAN_SPUR);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	return join(yen, root, n_root, &spur);
}

static int vary_last(struct yen *yen) {
	const struct candidate last = yen->found[yen->n_found - 1];
	int rc;

	for (size_t n_root = last.deviation; n_root < last.path.n_arcs; n_root++) {
		if ((rc = vary_at(yen, last.path.arcs, n_root)) < 0)
			return rc;
	}
	return 0;
}

static bool is_before(const struct yen *yen, const struct candidate *left, const struct candidate *right) {
	if (left->length != right->length)
		return left->length < right->length;
	return path_compare_ids(yen->search->graph, left->path.arcs, left->path.n_arcs, right->path.arcs,
	                        right->path.n_arcs) < 0;
}

int yen_next(struct yen *yen, const struct pathcomp_path **ret) {
	size_t best = 0;
	int rc;

	if (yen->ended)
		return 1;
	rc = yen->n_found == 0 ? vary_at(yen, NULL, 0) : vary_last(yen);
	if (rc < 0)
		return rc;
	if (yen->n_waiting == 0) {
		yen->ended = true;
		return 1;
	}
	for (size_t i = 1; i < yen->n_waiting; i++) {
		if (is_before(yen, &yen->waiting[i], &yen->waiting[best]))
			best = i;
	}
	rc = keep(&yen->found, &yen->n_found, &yen->found_capacity, yen->waiting[best]);
	yen->waiting[best] = yen->waiting[--yen->n_waiting];
	if (rc < 0)
		return rc;
	*ret = &yen->found[yen->n_found - 1].path;
	return 0;
}

int pathcomp_search_several(struct pathcomp_search *search, const struct pathcomp_room *room,
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
