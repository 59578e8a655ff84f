// The most that a path can carry, and the least that must be added for one to carry a demand.
// SPDX-License-Identifier: MIT
#define LENGTH_BITS 128 // bit/s to add and hops, whatever the lengths of paths
#include "heap.h"
#include "search.h"

#include <errno.h>
#include <math.h>
#include <string.h>

// ---- the widest path: the shortest, where a path is as long as its narrowest arc is narrow

static int widest_free(struct pathcomp_search *search, const struct query *query, int64_t *ret) {
	const struct pathcomp_graph *graph = search->graph;
	CLEANUP(freep) int64_t *widths = malloc(graph->n_nodes * sizeof(*widths));
	CLEANUP(heap_fini) struct heap heap = {0};

	if (widths == NULL)
		return -ENOMEM;
	for (uint32_t node = 0; node < graph->n_nodes; node++)
		widths[node] = INT64_MIN;
	widths[query->from] = PATHCOMP_UNLIMITED;
	heap_put(&heap, query->from, 0);
	while (heap.n > 0 && !heap.failed) {
		struct heap_entry entry = heap_take(&heap);
		int64_t width = PATHCOMP_UNLIMITED - (int64_t)(uint64_t)entry.key;

		if (entry.item == query->to) {
			*ret = width;
			return 0;
		}
		if (width < widths[entry.item])
			continue;
		for (uint32_t i = graph->first[entry.item]; i < graph->first[entry.item + 1]; i++) {
			int64_t next = query_available(search, query, graph->edges[i].arc);

			next = next < width ? next : width;
			if (next < query->demand_bps || next <= widths[graph->edges[i].other])
				continue;
			widths[graph->edges[i].other] = next;
			heap_put(&heap, graph->edges[i].other,
			         (span)((uint64_t)PATHCOMP_UNLIMITED - (uint64_t)next));
		}
	}
	return heap.failed ? -ENOMEM : 1;
}

static int compare_bps(const void *left, const void *right) {
	int64_t l = *(const int64_t *)left, r = *(const int64_t *)right;

	return (l > r) - (l < r);
}

// The widths that a path could have, each once, from the least that is asked for.
static size_t collect_widths(struct pathcomp_search *search, const struct query *query, int64_t *ret) {
	size_t n = 0, n_unique = 0;

	for (uint32_t arc = 0; arc < 2 * search->graph->n_links; arc++) {
		ret[n] = query_available(search, query, arc);
		n += ret[n] >= query->demand_bps;
	}
	qsort(ret, n, sizeof(*ret), compare_bps);
	for (size_t i = 0; i < n; i++) {
		if (n_unique == 0 || ret[n_unique - 1] != ret[i])
			ret[n_unique++] = ret[i];
	}
	return n_unique;
}

// Under limits: by halves, each width by a search of its own.
static int widest_limited(struct pathcomp_search *search, struct query *query,
                          const struct pathcomp_request *request, int64_t *ret) {
	CLEANUP(freep) int64_t *widths = malloc((2 * (size_t)search->graph->n_links + 1) * sizeof(*widths));
	size_t low = 0, high;

	if (widths == NULL)
		return -ENOMEM;
	high = collect_widths(search, query, widths);
	while (low < high) { // all below `low` are carried, none from `high` on
		CLEANUP(pathcomp_path_fini) struct pathcomp_path path = {0};
		size_t middle = low + (high - low) / 2;
		int rc;

		query_set_demand(query, widths[middle]);
		if ((rc = search_query(search, query, request, &path)) < 0)
			return rc;
		if (rc == 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0)
		return 1;
	*ret = widths[low - 1];
	return 0;
}

int pathcomp_search_width(struct pathcomp_search *search, const struct pathcomp_room *room,
                          const struct pathcomp_request *request, int64_t *ret_bps) {
	struct query query;

	search_ban_excluded(search, request);
	query_init(&query, search, room, request);
	return conditions_limit(request->conditions) ? widest_limited(search, &query, request, ret_bps)
	                                             : widest_free(search, &query, ret_bps);
}

int pathcomp_search_widest(struct pathcomp_search *search, const struct pathcomp_room *room,
                           const struct pathcomp_request *request, struct pathcomp_path *ret) {
	struct pathcomp_request widest = *request;
	int64_t bps;
	int rc = pathcomp_search_width(search, room, request, &bps);

	if (rc != 0)
		return rc;
	widest.gbps = (double)bps / 1e9;
	if (bps == PATHCOMP_UNLIMITED)
		widest.gbps = (double)PATHCOMP_BPS_MAX / 1e9;
	return pathcomp_search_shortest(search, room, &widest, ret);
}

// ---- the smallest upgrade

// What must be added to an arc; INT64_MAX when adding capacity would not help. Of what is added, a share must
// stay free, too.
static int64_t shortfall_of(struct pathcomp_search *search, const struct query *query, uint32_t arc) {
	int64_t available_bps = query_available(search, query, arc);
	double lacks;

	if (room_is_refused(available_bps))
		return INT64_MAX;
	if (available_bps >= query->demand_bps)
		return 0;
	if (query->spare <= 0)
		return query->demand_bps - available_bps;
	lacks = ceil((double)(query->demand_bps - available_bps) / (1 - query->spare));
	return lacks < PATHCOMP_BPS_MAX ? (int64_t)lacks : INT64_MAX; // a share of next to nothing
}

struct ascent {
	span *lengths;  // added bit/s, then hops
	uint32_t *arcs; // that a node was reached by
	struct heap heap;
};

static void ascent_fini(struct ascent *ascent) {
	free(ascent->lengths);
	free(ascent->arcs);
	heap_fini(&ascent->heap);
}

static void climb(struct pathcomp_search *search, const struct query *query, struct ascent *ascent,
                  uint32_t node, span at) {
	const struct pathcomp_graph *graph = search->graph;

	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		const struct edge *edge = &graph->edges[i];
		int64_t added = shortfall_of(search, query, edge->arc);
		span next = at + ((span)(uint64_t)added << 20) + 1;

		if (added == INT64_MAX)
			continue;
		// ties by the lesser id, so that the order of the input doesn't matter
		if (next > ascent->lengths[edge->other] ||
		    (next == ascent->lengths[edge->other] &&
		     graph_arc_rank(graph, edge->arc) >= graph_arc_rank(graph, ascent->arcs[edge->other])))
			continue;
		ascent->arcs[edge->other] = edge->arc;
		if (next < ascent->lengths[edge->other])
			heap_put(&ascent->heap, edge->other, next);
		ascent->lengths[edge->other] = next;
	}
}

static int tell_upgrade(struct pathcomp_search *search, const struct query *query,
                        const struct ascent *ascent, struct pathcomp_upgrade *ret) {
	const struct pathcomp_graph *graph = search->graph;
	struct pathcomp_upgrade upgrade = {0};
	size_t n = (size_t)(ascent->lengths[query->to] & ((1U << 20) - 1));

	upgrade.list = calloc(n + 1, sizeof(*upgrade.list));
	if (upgrade.list == NULL)
		return -ENOMEM;
	for (uint32_t node = query->to; node != query->from;) {
		uint32_t arc = ascent->arcs[node];
		int64_t added = shortfall_of(search, query, arc);

		if (added > 0)
			upgrade.list[upgrade.n++] = (struct pathcomp_addition){arc, added};
		node = pathcomp_arc_from(graph, arc);
	}
	for (size_t i = 0; i < upgrade.n / 2; i++) {
		struct pathcomp_addition first = upgrade.list[i];

		upgrade.list[i] = upgrade.list[upgrade.n - 1 - i];
		upgrade.list[upgrade.n - 1 - i] = first;
	}
	*ret = upgrade;
	return 0;
}

int pathcomp_search_upgrade(struct pathcomp_search *search, const struct pathcomp_room *room,
                            const struct pathcomp_request *request, struct pathcomp_upgrade *ret) {
	const struct pathcomp_graph *graph = search->graph;
	CLEANUP(ascent_fini) struct ascent ascent = {0};
	struct query query;

	search_ban_excluded(search, request);
	query_init(&query, search, room, request);
	ascent.lengths = malloc(graph->n_nodes * sizeof(*ascent.lengths));
	ascent.arcs = calloc(graph->n_nodes, sizeof(*ascent.arcs));
	if (ascent.lengths == NULL || ascent.arcs == NULL)
		return -ENOMEM;
	memset(ascent.lengths, 0xff, graph->n_nodes * sizeof(*ascent.lengths));
	ascent.lengths[request->from] = 0;
	heap_put(&ascent.heap, request->from, 0);
	while (ascent.heap.n > 0 && !ascent.heap.failed) {
		struct heap_entry entry = heap_take(&ascent.heap);

		if (entry.item == request->to)
			return tell_upgrade(search, &query, &ascent, ret);
		if (entry.key == ascent.lengths[entry.item])
			climb(search, &query, &ascent, entry.item, entry.key);
	}
	return ascent.heap.failed ? -ENOMEM : 1;
}

void pathcomp_upgrade_fini(struct pathcomp_upgrade *upgrade) {
	free(upgrade->list);
	*upgrade = (struct pathcomp_upgrade){0};
}

int pathcomp_room_upgraded(const struct pathcomp_room *room, const struct pathcomp_upgrade *upgrade,
                           struct pathcomp_room **ret) {
	struct pathcomp_room *copy;
	int rc;

	if ((rc = room_copy(room, &copy)) < 0)
		return rc;
	for (size_t i = 0; i < upgrade->n; i++)
		room_set_available(copy, upgrade->list[i].arc,
		                   room_available(copy, upgrade->list[i].arc) + upgrade->list[i].bps);
	*ret = copy;
	return 0;
}
