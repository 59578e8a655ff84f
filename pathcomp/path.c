// Paths as lists of arcs: their sums, copies and order.
// SPDX-License-Identifier: MIT
#include "search.h"

#include <errno.h>
#include <string.h>

void path_append(struct pathcomp_path *path, const struct pathcomp_room *room, uint32_t arc) {
	const struct pathcomp_graph *graph = room->graph;
	const struct edge *edge = graph_edge(graph, arc);
	int64_t available_bps = room_available(room, arc);

	path->arcs[path->n_arcs++] = arc;
	path->cost_micro += graph_edge_cost_micro(graph, edge);
	path->latency_ns += graph_edge_latency_ns(graph, edge);
	if (available_bps < path->bottleneck_bps)
		path->bottleneck_bps = available_bps;
}

int pathcomp_room_path(const struct pathcomp_room *room, const uint32_t *arcs, size_t n_arcs,
                       struct pathcomp_path *ret) {
	struct pathcomp_path path = {.bottleneck_bps = PATHCOMP_UNLIMITED};

	path.arcs = malloc((n_arcs + 1) * sizeof(*path.arcs));
	if (path.arcs == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n_arcs; i++)
		path_append(&path, room, arcs[i]);
	*ret = path;
	return 0;
}

int path_copy(const struct pathcomp_path *path, struct pathcomp_path *ret) {
	uint32_t *arcs = malloc((path->n_arcs + 1) * sizeof(*arcs));

	if (arcs == NULL)
		return -ENOMEM;
	memcpy(arcs, path->arcs, path->n_arcs * sizeof(*arcs));
	*ret = *path;
	ret->arcs = arcs;
	return 0;
}

int path_compare_ids(const struct pathcomp_graph *graph, const uint32_t *left, size_t n_left,
                     const uint32_t *right, size_t n_right) {
	for (size_t i = 0; i < n_left && i < n_right; i++) {
		uint32_t left_rank = graph_arc_rank(graph, left[i]),
		         right_rank = graph_arc_rank(graph, right[i]);

		if (left_rank != right_rank)
			return left_rank < right_rank ? -1 : 1;
	}
	return (n_left > n_right) - (n_left < n_right);
}

void pathcomp_path_fini(struct pathcomp_path *path) {
	free(path->arcs);
	*path = (struct pathcomp_path){0};
}

void pathcomp_paths_fini(struct pathcomp_paths *paths) {
	for (size_t i = 0; i < paths->n; i++)
		pathcomp_path_fini(&paths->list[i]);
	free(paths->list);
	*paths = (struct pathcomp_paths){0};
}
