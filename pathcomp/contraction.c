// Which nodes are joined. The next to be taken out is the one with the fewest neighbours and the fewest nodes
// taken out below it, so that chains become trees of little depth.
// SPDX-License-Identifier: MIT
#include "contraction.h"

#include "search.h"

#include <errno.h>
#include <string.h>

// No more than this is sparse: links for each node; then arcs for each link, neighbours of one node.
#define LINKS_PER_NODE 2
#define ARCS_PER_LINK  8
#define NEIGHBOURS_MAX 256

// Lengths of more would be too much memory for each room.
#define LINKS_MAX 200000

struct entry {
	uint64_t weight;
	uint32_t node;
};

struct elimination {
	const struct pathcomp_graph *graph;
	struct numbers *neighbours; // of each node, ascending; of those taken out, at that time
	uint32_t *levels;
	uint32_t *ranks; // UINT32_MAX: not taken out yet
	struct entry *heap;
	size_t n_heap, heap_capacity, n_arcs;
	struct numbers scratch;
};

static void elimination_fini(struct elimination *of) {
	for (uint32_t node = 0; of->neighbours != NULL && node < of->graph->n_nodes; node++)
		numbers_fini(&of->neighbours[node]);
	free(of->neighbours);
	free(of->levels);
	free(of->ranks);
	free(of->heap);
	numbers_fini(&of->scratch);
}

static uint64_t weight_of(const struct elimination *of, uint32_t node) {
	return 2 * of->neighbours[node].n + of->levels[node];
}

static bool is_before(struct entry left, struct entry right) {
	return left.weight != right.weight ? left.weight < right.weight : left.node < right.node;
}

static int put(struct elimination *of, uint32_t node) {
	struct entry entry = {weight_of(of, node), node};
	size_t slot = of->n_heap;

	if (slot == of->heap_capacity) {
		size_t capacity = 2 * of->heap_capacity + 256;
		struct entry *moved = realloc(of->heap, capacity * sizeof(*moved));

		if (moved == NULL)
			return -ENOMEM;
		of->heap = moved;
		of->heap_capacity = capacity;
	}
	of->n_heap++;
	for (; slot > 0 && is_before(entry, of->heap[(slot - 1) / 2]); slot = (slot - 1) / 2)
		of->heap[slot] = of->heap[(slot - 1) / 2];
	of->heap[slot] = entry;
	return 0;
}

static struct entry take(struct elimination *of) {
	struct entry top = of->heap[0], last = of->heap[--of->n_heap];
	size_t slot = 0;

	while (2 * slot + 1 < of->n_heap) {
		size_t child = 2 * slot + 1;

		if (child + 1 < of->n_heap && is_before(of->heap[child + 1], of->heap[child]))
			child++;
		if (!is_before(of->heap[child], last))
			break;
		of->heap[slot] = of->heap[child];
		slot = child;
	}
	if (of->n_heap > 0)
		of->heap[slot] = last;
	return top;
}

static int compare_numbers(const void *left, const void *right) {
	uint32_t l = *(const uint32_t *)left, r = *(const uint32_t *)right;

	return (l > r) - (l < r);
}

static int begin(struct elimination *of) {
	const struct pathcomp_graph *graph = of->graph;
	int rc;

	for (uint32_t node = 0; node < graph->n_nodes; node++) {
		struct numbers *list = &of->neighbours[node];
		size_t n = 0;

		of->ranks[node] = UINT32_MAX;
		for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
			if ((rc = numbers_add(list, graph->edges[i].other)) < 0)
				return rc;
		}
		if (list->n > 0)
			qsort(list->list, list->n, sizeof(*list->list), compare_numbers);
		for (size_t i = 0; i < list->n; i++) {
			if (list->list[i] != node && (n == 0 || list->list[n - 1] != list->list[i]))
				list->list[n++] = list->list[i];
		}
		list->n = n;
		if ((rc = put(of, node)) < 0)
			return rc;
	}
	return 0;
}

// 'to' gets the neighbours of 'out', but not the two themselves.
static int join(struct elimination *of, uint32_t to, uint32_t out) {
	const struct numbers *left = &of->neighbours[to], *right = &of->neighbours[out];
	struct numbers merged = of->scratch;
	size_t l = 0, r = 0;
	int rc;

	merged.n = 0;
	while (l < left->n || r < right->n) {
		uint32_t next;

		if (r == right->n || (l < left->n && left->list[l] < right->list[r]))
			next = left->list[l++];
		else
			next = right->list[r++];
		if (next == to || next == out || (merged.n > 0 && merged.list[merged.n - 1] == next))
			continue;
		rc = numbers_add(&merged, next);
		of->scratch = merged;
		if (rc < 0)
			return rc;
	}
	of->scratch = of->neighbours[to];
	of->neighbours[to] = merged;
	return 0;
}

// Returns 0, 1 when it is too much, or -ENOMEM.
static int eliminate(struct elimination *of) {
	const uint64_t most = ARCS_PER_LINK * (uint64_t)of->graph->n_links + NEIGHBOURS_MAX;
	int rc;

	for (uint32_t rank = 0; rank < of->graph->n_nodes;) {
		struct entry entry = take(of);
		const struct numbers *list = &of->neighbours[entry.node];

		if (of->ranks[entry.node] != UINT32_MAX || entry.weight != weight_of(of, entry.node))
			continue; // out of date
		of->ranks[entry.node] = rank++;
		of->n_arcs += list->n;
		if (list->n > NEIGHBOURS_MAX || of->n_arcs > most)
			return 1;
		for (size_t i = 0; i < list->n; i++) {
			uint32_t other = list->list[i];

			if (of->levels[other] <= of->levels[entry.node])
				of->levels[other] = of->levels[entry.node] + 1;
			if ((rc = join(of, other, entry.node)) < 0 || (rc = put(of, other)) < 0)
				return rc;
		}
	}
	return 0;
}

static int tell(const struct elimination *of, struct contraction **ret) {
	CLEANUP(contraction_freep) struct contraction *contraction = calloc(1, sizeof(*contraction));
	uint32_t n_nodes = of->graph->n_nodes;

	if (contraction == NULL)
		return -ENOMEM;
	contraction->rank_of = malloc((n_nodes + (size_t)1) * sizeof(uint32_t));
	contraction->first = calloc(n_nodes + (size_t)2, sizeof(uint32_t));
	contraction->heads = malloc((of->n_arcs + 1) * sizeof(uint32_t));
	if (contraction->rank_of == NULL || contraction->first == NULL || contraction->heads == NULL)
		return -ENOMEM;
	memcpy(contraction->rank_of, of->ranks, n_nodes * sizeof(uint32_t));
	for (uint32_t node = 0; node < n_nodes; node++)
		contraction->first[of->ranks[node] + 1] = (uint32_t)of->neighbours[node].n;
	for (uint32_t rank = 0; rank < n_nodes; rank++)
		contraction->first[rank + 1] += contraction->first[rank];
	for (uint32_t node = 0; node < n_nodes; node++) {
		const struct numbers *list = &of->neighbours[node];
		uint32_t *heads = &contraction->heads[contraction->first[of->ranks[node]]];

		for (size_t i = 0; i < list->n; i++)
			heads[i] = of->ranks[list->list[i]];
		qsort(heads, list->n, sizeof(*heads), compare_numbers);
		contraction->work += 1 + list->n + list->n * list->n / 2;
	}
	*ret = contraction;
	contraction = NULL;
	return 0;
}

int contraction_new(const struct pathcomp_graph *graph, struct contraction **ret) {
	CLEANUP(elimination_fini) struct elimination of = {.graph = graph};
	int rc;

	if (graph->n_links > LINKS_PER_NODE * (size_t)graph->n_nodes || graph->n_links > LINKS_MAX)
		return 1;
	of.neighbours = calloc(graph->n_nodes + (size_t)1, sizeof(*of.neighbours));
	of.levels = calloc(graph->n_nodes + (size_t)1, sizeof(*of.levels));
	of.ranks = malloc((graph->n_nodes + (size_t)1) * sizeof(*of.ranks));
	if (of.neighbours == NULL || of.levels == NULL || of.ranks == NULL)
		return -ENOMEM;
	if ((rc = begin(&of)) < 0 || (rc = eliminate(&of)) != 0)
		return rc;
	return tell(&of, ret);
}

void contraction_free(struct contraction *contraction) {
	if (contraction == NULL)
		return;
	free(contraction->rank_of);
	free(contraction->first);
	free(contraction->heads);
	free(contraction);
}

uint32_t contraction_arc(const struct contraction *contraction, uint32_t low, uint32_t high) {
	uint32_t from = contraction->first[low], to = contraction->first[low + 1];

	while (to - from > 1) {
		uint32_t middle = from + (to - from) / 2;

		if (contraction->heads[middle] <= high)
			from = middle;
		else
			to = middle;
	}
	return from;
}
