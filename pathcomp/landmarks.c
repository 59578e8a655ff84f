// Bounds that make searches go straight: lower bounds of lengths, from the graph as if every link were up,
// empty and open in both directions. What is pruned later only makes paths longer, so the bounds stay valid.
// Small graphs get a table of all pairs; large ones the distances to a few landmarks far from each other
// (Goldberg and Harrelson, Computing the Shortest Path: A* Search Meets Graph Theory, 2005).
// SPDX-License-Identifier: MIT
#include "contraction.h"
#include "engine.h"

#include <errno.h>
#include <string.h>

#define TABLE_NODES   1024
#define DISTANCE_BITS 31

void landmarks_bounds(const struct pathcomp_graph *graph, enum path_metrics metric, uint32_t from,
                      uint32_t to, struct bounds *ret) {
	const struct metric_bounds *of;

	ret->to_target = ret->to_source = NULL;
	ret->distances = NULL;
	ret->shift = 0;
	ret->apart = false;
	if (graph->landmarks == NULL)
		return;
	of = &graph->landmarks->metrics[metric];
	if (of->table != NULL) {
		const span *table = of->table;

		ret->to_target = &table[(size_t)to * graph->n_nodes];
		ret->to_source = &table[(size_t)from * graph->n_nodes];
		ret->apart = ret->to_target[from] == LENGTH_INFINITE;
	} else if (of->distances != NULL) {
		ret->distances = of->distances;
		ret->shift = of->shift + graph->measures[metric].metric_shift;
		memcpy(ret->of_source, &of->distances[(size_t)from * LANDMARKS], sizeof(ret->of_source));
		memcpy(ret->of_target, &of->distances[(size_t)to * LANDMARKS], sizeof(ret->of_target));
		for (int i = 0; i < LANDMARKS; i++)
			ret->apart |= (ret->of_source[i] == UINT32_MAX) != (ret->of_target[i] == UINT32_MAX);
	}
}

// Lengths from one node to all, over all edges, without the lowest bits of the metric.
struct spread {
	const struct pathcomp_graph *graph;
	const struct measure *measure;
	unsigned shift; // 0: whole lengths; else only the metric counts
	bool metric_only;
	struct heap heap;
	span *lengths;
};

static span spread_weight(const struct spread *spread, const struct edge *edge) {
	span weight = edge_length(spread->graph, edge, spread->measure);

	return spread->metric_only ? (span)(length_metric(weight, spread->measure) >> spread->shift) : weight;
}

static int spread_from(struct spread *spread, uint32_t start) {
	const struct pathcomp_graph *graph = spread->graph;

	for (uint32_t node = 0; node < graph->n_nodes; node++)
		spread->lengths[node] = LENGTH_INFINITE;
	spread->lengths[start] = 0;
	spread->heap.n = 0;
	heap_put(&spread->heap, start, 0);
	while (spread->heap.n > 0 && !spread->heap.failed) {
		struct heap_entry entry = heap_take(&spread->heap);

		if (entry.key > spread->lengths[entry.item])
			continue;
		for (uint32_t i = graph->first[entry.item]; i < graph->first[entry.item + 1]; i++) {
			const struct edge *edge = &graph->edges[i];
			span next = entry.key + spread_weight(spread, edge);

			if (next >= spread->lengths[edge->other])
				continue;
			spread->lengths[edge->other] = next;
			heap_put(&spread->heap, edge->other, next);
		}
	}
	return spread->heap.failed ? -ENOMEM : 0;
}

static int make_table(const struct pathcomp_graph *graph, enum path_metrics metric,
                      struct metric_bounds *ret) {
	struct spread spread = {.graph = graph, .measure = &graph->measures[metric]};
	size_t n = graph->n_nodes;
	span *table = malloc(n * n * sizeof(*table));
	int rc = table == NULL ? -ENOMEM : 0;

	for (uint32_t node = 0; node < n && rc == 0; node++) {
		spread.lengths = &table[node * n];
		rc = spread_from(&spread, node);
	}
	heap_fini(&spread.heap);
	if (rc < 0)
		free(table);
	else
		ret->table = table;
	return rc;
}

static uint32_t busiest(const struct pathcomp_graph *graph) {
	uint32_t best = 0;

	for (uint32_t node = 1; node < graph->n_nodes; node++) {
		if (graph->first[node + 1] - graph->first[node] > graph->first[best + 1] - graph->first[best])
			best = node;
	}
	return best;
}

static uint32_t farthest(const struct pathcomp_graph *graph, const span *lengths) {
	uint32_t best = 0;
	span most = 0;

	for (uint32_t node = 0; node < graph->n_nodes; node++) {
		if (lengths[node] != LENGTH_INFINITE && lengths[node] >= most) {
			most = lengths[node];
			best = node;
		}
	}
	return best;
}

// No two nodes are farther apart than twice the farthest from one.
static unsigned shift_for(span most) {
	unsigned shift = 0;

	while (2 * most >> shift >> DISTANCE_BITS != 0)
		shift++;
	return shift;
}

static int place(struct spread *spread, uint32_t start, span *nearest, uint32_t *distances) {
	const struct pathcomp_graph *graph = spread->graph;
	uint32_t landmark = start;
	int rc;

	for (int i = 0; i < LANDMARKS; i++) {
		if ((rc = spread_from(spread, landmark)) < 0)
			return rc;
		for (uint32_t node = 0; node < graph->n_nodes; node++) {
			span at = spread->lengths[node];

			distances[(size_t)node * LANDMARKS + (size_t)i] =
			        at == LENGTH_INFINITE ? UINT32_MAX : (uint32_t)at;
			if (i == 0 || at < nearest[node])
				nearest[node] = at;
		}
		landmark = farthest(graph, nearest);
	}
	return 0;
}

static int make_landmarks(const struct pathcomp_graph *graph, enum path_metrics metric,
                          struct metric_bounds *ret) {
	struct spread spread = {.graph = graph, .measure = &graph->measures[metric], .metric_only = true};
	CLEANUP(freep) span *lengths = malloc(graph->n_nodes * sizeof(*lengths));
	CLEANUP(freep) span *nearest = malloc(graph->n_nodes * sizeof(*nearest));
	CLEANUP(freep) uint32_t *distances = malloc((size_t)graph->n_nodes * LANDMARKS * sizeof(*distances));
	uint32_t start;
	int rc;

	if (lengths == NULL || nearest == NULL || distances == NULL)
		return -ENOMEM;
	spread.lengths = lengths;
	rc = spread_from(&spread, busiest(graph));
	if (rc == 0) {
		start = farthest(graph, lengths);
		spread.shift = shift_for(lengths[start]);
		rc = place(&spread, start, nearest, distances);
	}
	heap_fini(&spread.heap);
	if (rc < 0)
		return rc;
	ret->shift = spread.shift;
	ret->distances = distances;
	distances = NULL;
	return 0;
}

int engine_prepare(struct pathcomp_graph *graph, enum path_metrics metric) {
	struct metric_bounds *of;

	if (graph->contraction == NULL && contraction_new(graph, &graph->contraction) < 0)
		return -ENOMEM;
	if (graph->landmarks == NULL)
		graph->landmarks = calloc(1, sizeof(*graph->landmarks));
	if (graph->landmarks == NULL)
		return -ENOMEM;
	of = &graph->landmarks->metrics[metric];
	if (of->table != NULL || of->distances != NULL)
		return 0;
	return graph->n_nodes <= TABLE_NODES ? make_table(graph, metric, of)
	                                     : make_landmarks(graph, metric, of);
}
