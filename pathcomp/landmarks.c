// Bounds that make searches go straight: lower bounds of lengths, from the graph as if every link were up,
// empty and open in both directions. What is pruned later only makes paths longer, so the bounds stay valid.
// Small graphs get a table of all pairs; large ones the distances to a few landmarks
// (Goldberg and Harrelson, Computing the Shortest Path: A* Search Meets Graph Theory, 2005).
// SPDX-License-Identifier: MIT
#include "contraction.h"
#include "engine.h"

#include <errno.h>
#include <string.h>

#define TABLE_NODES 1024

#define DISTANCE_APART UINT16_MAX
#define DISTANCE_MOST  (UINT16_MAX - 1)

void landmarks_bounds(const struct pathcomp_graph *graph, enum path_metrics metric, uint32_t from,
                      uint32_t to, struct bounds *ret) {
	const struct metric_bounds *of;

	ret->to_target = ret->to_source = NULL;
	ret->distances = NULL;
	ret->unit = 0;
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
		ret->unit = (span)of->unit << graph->measures[metric].metric_shift;
		memcpy(ret->of_source, &of->distances[(size_t)from * LANDMARKS], sizeof(ret->of_source));
		memcpy(ret->of_target, &of->distances[(size_t)to * LANDMARKS], sizeof(ret->of_target));
		for (int i = 0; i < LANDMARKS; i++)
			ret->apart |= (ret->of_source[i] == DISTANCE_APART) !=
			              (ret->of_target[i] == DISTANCE_APART);
	}
}

// Lengths from one node to all, over all edges.
struct spread {
	const struct pathcomp_graph *graph;
	const struct measure *measure;
	uint64_t unit; // 0: whole lengths; else only the metric counts, each edge's in units rounded down
	struct heap heap;
	span *lengths;
	uint32_t *
	        parents; // of the tree of shortest paths, and its nodes as they were settled; NULL: not wanted
	uint32_t *order;
	uint32_t n_order;
};

static span spread_weight(const struct spread *spread, const struct edge *edge) {
	span weight = edge_length(spread->graph, edge, spread->measure);

	return spread->unit == 0 ? weight : (span)(length_metric(weight, spread->measure) / spread->unit);
}

static int spread_from(struct spread *spread, uint32_t start) {
	const struct pathcomp_graph *graph = spread->graph;

	for (uint32_t node = 0; node < graph->n_nodes; node++)
		spread->lengths[node] = LENGTH_INFINITE;
	spread->lengths[start] = 0;
	spread->n_order = 0;
	spread->heap.n = 0;
	if (spread->parents != NULL)
		spread->parents[start] = start;
	heap_put(&spread->heap, start, 0);
	while (spread->heap.n > 0 && !spread->heap.failed) {
		struct heap_entry entry = heap_take(&spread->heap);

		if (entry.key > spread->lengths[entry.item])
			continue;
		if (spread->order != NULL)
			spread->order[spread->n_order++] = entry.item;
		for (uint32_t i = graph->first[entry.item]; i < graph->first[entry.item + 1]; i++) {
			const struct edge *edge = &graph->edges[i];
			span next = entry.key + spread_weight(spread, edge);

			if (next >= spread->lengths[edge->other])
				continue;
			spread->lengths[edge->other] = next;
			if (spread->parents != NULL)
				spread->parents[edge->other] = entry.item;
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

// Landmarks are chosen one after the other where the bounds of those before are worst: of a tree of shortest paths
// from any node, the part without a landmark whose lengths exceed their bounds most in all; there, the leaf at the
// end of the heaviest branch ("avoid", Goldberg and Werneck, Computing Point-to-Point Shortest Paths from External
// Memory, 2005).
struct choice {
	struct spread spread;
	uint16_t *distances;
	int n_landmarks;
	uint32_t landmarks[LANDMARKS];
	uint64_t *excess; // of the subtree below a node; NO_EXCESS where it has a landmark
};

#define NO_EXCESS UINT64_MAX

static int add_landmark(struct choice *choice, uint32_t landmark) {
	const struct pathcomp_graph *graph = choice->spread.graph;
	int i = choice->n_landmarks++, rc;

	choice->landmarks[i] = landmark;
	if ((rc = spread_from(&choice->spread, landmark)) < 0)
		return rc;
	for (uint32_t node = 0; node < graph->n_nodes; node++) {
		span at = choice->spread.lengths[node];

		// to cut off what is too far keeps bounds consistent
		choice->distances[(size_t)node * LANDMARKS + (size_t)i] =
		        at == LENGTH_INFINITE ? DISTANCE_APART
		        : at < DISTANCE_MOST  ? (uint16_t)at
		                              : DISTANCE_MOST;
	}
	return 0;
}

static void weigh_tree(const struct choice *choice, uint32_t root) {
	const struct spread *spread = &choice->spread;
	const uint16_t *of_root = &choice->distances[(size_t)root * LANDMARKS];
	uint64_t *excess = choice->excess;

	for (uint32_t i = 0; i < spread->n_order; i++) {
		uint32_t node = spread->order[i];
		const uint16_t *distances = &choice->distances[(size_t)node * LANDMARKS];

		excess[node] = (uint64_t)spread->lengths[node] - bounds_differ(distances, of_root);
	}
	for (int i = 0; i < choice->n_landmarks; i++)
		excess[choice->landmarks[i]] = NO_EXCESS;
	for (uint32_t i = spread->n_order; i-- > 1;) {
		uint32_t node = spread->order[i], parent = spread->parents[node];

		if (excess[node] == NO_EXCESS || excess[parent] == NO_EXCESS)
			excess[parent] = NO_EXCESS;
		else
			excess[parent] += excess[node];
	}
}

static bool is_heavier(const struct choice *choice, uint32_t node, uint32_t than) {
	return choice->excess[node] != NO_EXCESS &&
	       (than == UINT32_MAX || choice->excess[node] > choice->excess[than]);
}

// The leaf at the end of the heaviest branch.
static uint32_t leaf_below(const struct choice *choice, uint32_t node) {
	const struct pathcomp_graph *graph = choice->spread.graph;

	for (;;) {
		uint32_t child = UINT32_MAX;

		for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
			uint32_t other = graph->edges[i].other;

			if (choice->spread.parents[other] == node && other != node &&
			    is_heavier(choice, other, child))
				child = other;
		}
		if (child == UINT32_MAX)
			return node;
		node = child;
	}
}

static int choose_landmark(struct choice *choice, uint32_t root, uint32_t *ret) {
	const struct spread *spread = &choice->spread;
	uint32_t heaviest = UINT32_MAX;
	int rc;

	if ((rc = spread_from(&choice->spread, root)) < 0)
		return rc;
	weigh_tree(choice, root);
	for (uint32_t i = 0; i < spread->n_order; i++) {
		if (is_heavier(choice, spread->order[i], heaviest))
			heaviest = spread->order[i];
	}
	*ret = heaviest == UINT32_MAX ? root : leaf_below(choice, heaviest);
	return 0;
}

// All in the largest part, as a rule: where the busiest node is.
static int choose_landmarks(struct choice *choice) {
	struct spread *spread = &choice->spread;
	uint64_t drawn = 1;
	uint32_t next;
	span most;
	int rc;

	spread->unit = 1;
	if ((rc = spread_from(spread, busiest(spread->graph))) < 0)
		return rc;
	next = spread->order[spread->n_order - 1]; // the farthest
	if ((rc = spread_from(spread, next)) < 0)
		return rc;
	most = spread->lengths[spread->order[spread->n_order - 1]];
	spread->unit = (uint64_t)(most / DISTANCE_MOST) + 1;
	rc = add_landmark(choice, next);
	while (rc == 0 && choice->n_landmarks < LANDMARKS) {
		drawn = drawn * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		rc = choose_landmark(choice, spread->order[(drawn >> 32) % spread->n_order], &next);
		if (rc == 0)
			rc = add_landmark(choice, next);
	}
	return rc;
}

static int make_landmarks(const struct pathcomp_graph *graph, enum path_metrics metric,
                          struct metric_bounds *ret) {
	CLEANUP(freep) span *lengths = malloc(graph->n_nodes * sizeof(*lengths));
	CLEANUP(freep) uint32_t *parents = calloc(graph->n_nodes, sizeof(*parents));
	CLEANUP(freep) uint32_t *order = malloc(graph->n_nodes * sizeof(*order));
	CLEANUP(freep) uint64_t *excess = malloc(graph->n_nodes * sizeof(*excess));
	CLEANUP(freep) uint16_t *distances = lines_new(graph->n_nodes, LANDMARKS * sizeof(*distances));
	struct choice choice = {.spread = {.graph = graph,
	                                   .measure = &graph->measures[metric],
	                                   .lengths = lengths,
	                                   .parents = parents,
	                                   .order = order},
	                        .distances = distances,
	                        .excess = excess};
	int rc;

	if (lengths == NULL || parents == NULL || order == NULL || excess == NULL || distances == NULL)
		return -ENOMEM;
	rc = choose_landmarks(&choice);
	heap_fini(&choice.spread.heap);
	if (rc < 0)
		return rc;
	ret->unit = choice.spread.unit;
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
