// A topology as compressed sparse rows. Each link is an edge at both of its ends, also when it is
// unidirectional, so that the same rows serve searches in both senses; whether an arc may be taken is asked
// of the room. Nodes are renumbered breadth first, so that what a search touches lies together. Ids are
// looked up by bisection.
// SPDX-License-Identifier: MIT
#include "graph.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MICRO 1e6

// Searches from both ends compare four times the length of a path.
#define METRIC_BITS 60

static const char *node_id(const struct topology *topology, uint32_t i) {
	return topology->nodes[i].id;
}

static const char *link_id(const struct topology *topology, uint32_t i) {
	return topology->links[i].id;
}

static int compare_nodes(const void *left, const void *right, void *topology) {
	return strcmp(node_id(topology, *(const uint32_t *)left),
	              node_id(topology, *(const uint32_t *)right));
}

static int compare_links(const void *left, const void *right, void *topology) {
	return strcmp(link_id(topology, *(const uint32_t *)left),
	              link_id(topology, *(const uint32_t *)right));
}

static uint32_t *sorted(const struct topology *topology, uint32_t n,
                        int (*compare)(const void *, const void *, void *)) {
	uint32_t *order = malloc((n + (size_t)1) * sizeof(*order));

	if (order == NULL)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), compare, (void *)topology);
	return order;
}

static int bisect(const struct topology *topology, const uint32_t *order, uint32_t n,
                  const char *(*id_of)(const struct topology *, uint32_t), const char *id, uint32_t *ret) {
	uint32_t low = 0, high = n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int difference = strcmp(id_of(topology, order[middle]), id);

		if (difference == 0) {
			*ret = order[middle];
			return 0;
		}
		if (difference < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -ENOENT;
}

static int find_index(const struct pathcomp_graph *graph, const char *id, uint32_t *ret) {
	return bisect(graph->topology, graph->node_order, graph->n_nodes, node_id, id, ret);
}

int pathcomp_graph_find_node(const struct pathcomp_graph *graph, const char *id, uint32_t *ret) {
	uint32_t index;

	if (find_index(graph, id, &index) < 0)
		return -ENOENT;
	*ret = graph->number_of[index];
	return 0;
}

int pathcomp_graph_find_link(const struct pathcomp_graph *graph, const char *id, uint32_t *ret) {
	return bisect(graph->topology, graph->link_order, graph->n_links, link_id, id, ret);
}

int pathcomp_graph_find_srlg(const struct pathcomp_graph *graph, const char *id, uint32_t *ret) {
	uint32_t low = 0, high = graph->srlgs == NULL ? 0 : graph->srlgs->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int difference = strcmp(graph->srlgs->names[middle], id);

		if (difference == 0) {
			*ret = middle;
			return 0;
		}
		if (difference < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -ENOENT;
}

// ---- weights

uint64_t graph_cost_micro(const struct pathcomp_graph *graph, uint32_t link) {
	return (uint64_t)llround(graph->topology->links[link].cost * MICRO);
}

uint64_t graph_latency_ns(const struct pathcomp_graph *graph, uint32_t link) {
	const struct link *of = &graph->topology->links[link];

	return HAS(of, link, latency_ms) ? (uint64_t)llround(of->latency_ms * MICRO) : 0;
}

static uint64_t common_divisor(uint64_t left, uint64_t right) {
	while (right != 0) {
		uint64_t rest = left % right;

		left = right;
		right = rest;
	}
	return left;
}

struct extent {
	double sum, most;
	uint64_t unit;
};

static void extend(struct extent *extent, uint64_t value) {
	extent->sum += (double)value;
	extent->most = fmax(extent->most, (double)value);
	extent->unit = common_divisor(extent->unit, value);
}

// No path takes a link or a node twice: the most that a path can add up to, in units.
static bool fits_in(const struct pathcomp_graph *graph, struct extent *extent, unsigned bits) {
	if (extent->unit == 0)
		extent->unit = 1;
	return fmin(extent->sum, extent->most * graph->n_nodes) / (double)extent->unit < ldexp(1, (int)bits);
}

static int weigh_links(struct pathcomp_graph *graph, struct status *status) {
	struct extent cost = {0}, latency = {0};

	while (graph->n_nodes >> graph->hop_bits != 0)
		graph->hop_bits++;
	for (uint32_t i = 0; i < graph->n_links; i++) {
		extend(&cost, graph_cost_micro(graph, i));
		extend(&latency, graph_latency_ns(graph, i));
	}
	if (!fits_in(graph, &cost, METRIC_BITS) || !fits_in(graph, &latency, METRIC_BITS - graph->hop_bits))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "links: the %s of a path may add up to more than an exact sum can hold",
		                  fits_in(graph, &cost, METRIC_BITS) ? "latencies" : "costs");
	graph->cost_unit = cost.unit;
	graph->latency_unit = latency.unit;
	for (uint32_t i = 0; i < graph->n_links; i++) {
		graph->ranks[graph->link_order[i]] = i;
		graph->one_way[i] = !graph->topology->links[i].bidirectional;
	}
	return 0;
}

// ---- rows

// Which node an end of a link names, for both ends of all links: the graph's only look-ups of nodes.
static int find_ends(const struct pathcomp_graph *graph, uint32_t *ends) {
	int rc;

	for (uint32_t i = 0; i < graph->n_links; i++) {
		const struct link *link = &graph->topology->links[i];

		if ((rc = find_index(graph, link->a, &ends[2 * i])) < 0 ||
		    (rc = find_index(graph, link->z, &ends[2 * i + 1])) < 0)
			return rc;
	}
	return 0;
}

static uint32_t small(uint64_t weight) {
	return weight < WEIGHT_LARGE ? (uint32_t)weight : WEIGHT_LARGE;
}

static void fill_rows(struct pathcomp_graph *graph, const uint32_t *ends, uint32_t *next) {
	memset(graph->first, 0, (graph->n_nodes + (size_t)1) * sizeof(*graph->first));
	for (uint32_t arc = 0; arc < 2 * graph->n_links; arc++)
		graph->first[ends[arc] + 1]++;
	for (uint32_t node = 0; node < graph->n_nodes; node++)
		graph->first[node + 1] += graph->first[node];
	memcpy(next, graph->first, graph->n_nodes * sizeof(*next));
	for (uint32_t arc = 0; arc < 2 * graph->n_links; arc++) {
		uint32_t at = next[ends[arc]]++, link = pathcomp_arc_link(arc);

		graph->edge_of[arc] = at;
		graph->edges[at] = (struct edge){
		        .other = ends[arc ^ 1],
		        .arc = arc,
		        .cost = small(graph_cost_micro(graph, link) / graph->cost_unit),
		        .latency = small(graph_latency_ns(graph, link) / graph->latency_unit),
		};
	}
}

// Breadth first over all components. 'queue' has room for all nodes and becomes index_of.
static void renumber(struct pathcomp_graph *graph, uint32_t *queue) {
	uint32_t head = 0, tail = 0;

	memset(graph->number_of, 0xff, graph->n_nodes * sizeof(*graph->number_of));
	for (uint32_t start = 0; start < graph->n_nodes; start++) {
		if (graph->number_of[start] != UINT32_MAX)
			continue;
		graph->number_of[start] = tail;
		queue[tail++] = start;
		while (head < tail) {
			uint32_t node = queue[head++];

			for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
				uint32_t other = graph->edges[i].other;

				if (graph->number_of[other] != UINT32_MAX)
					continue;
				graph->number_of[other] = tail;
				queue[tail++] = other;
			}
		}
	}
}

static int build_rows(struct pathcomp_graph *graph) {
	CLEANUP(freep) uint32_t *ends = calloc(2 * (size_t)graph->n_links + 1, sizeof(*ends));
	CLEANUP(freep) uint32_t *next = malloc((graph->n_nodes + (size_t)1) * sizeof(*next));
	int rc;

	if (ends == NULL || next == NULL)
		return -ENOMEM;
	if ((rc = find_ends(graph, ends)) < 0)
		return rc;
	fill_rows(graph, ends, next);
	renumber(graph, graph->index_of);
	for (uint32_t arc = 0; arc < 2 * graph->n_links; arc++)
		ends[arc] = graph->number_of[ends[arc]];
	fill_rows(graph, ends, next);
	return 0;
}

static int take_memory(struct pathcomp_graph *graph) {
	size_t n_nodes = graph->n_nodes + (size_t)1, n_links = graph->n_links + (size_t)1;

	graph->first = calloc(n_nodes + 1, sizeof(*graph->first));
	graph->edges = malloc(2 * n_links * sizeof(*graph->edges));
	graph->edge_of = malloc(2 * n_links * sizeof(*graph->edge_of));
	graph->ranks = malloc(n_links * sizeof(*graph->ranks));
	graph->one_way = malloc(n_links);
	graph->number_of = malloc(n_nodes * sizeof(*graph->number_of));
	graph->index_of = malloc(n_nodes * sizeof(*graph->index_of));
	graph->node_order = sorted(graph->topology, graph->n_nodes, compare_nodes);
	graph->link_order = sorted(graph->topology, graph->n_links, compare_links);
	return graph->first == NULL || graph->edges == NULL || graph->edge_of == NULL ||
	                       graph->ranks == NULL || graph->one_way == NULL || graph->number_of == NULL ||
	                       graph->index_of == NULL || graph->node_order == NULL ||
	                       graph->link_order == NULL
	               ? -ENOMEM
	               : 0;
}

int pathcomp_graph_new(const struct topology *topology, struct pathcomp_graph **ret, struct status *status) {
	CLEANUP(pathcomp_graph_freep) struct pathcomp_graph *graph = calloc(1, sizeof(*graph));
	int rc;

	if (graph == NULL)
		return -ENOMEM;
	graph->topology = topology;
	graph->n_nodes = (uint32_t)topology->n_nodes;
	graph->n_links = (uint32_t)topology->n_links;
	if ((rc = take_memory(graph)) < 0 || (rc = weigh_links(graph, status)) < 0 ||
	    (rc = build_rows(graph)) < 0 || (rc = srlgs_new(topology, &graph->srlgs)) < 0)
		return rc;

	*ret = graph;
	graph = NULL;
	return 0;
}

void pathcomp_graph_free(struct pathcomp_graph *graph) {
	if (graph == NULL)
		return;
	free(graph->first);
	free(graph->edges);
	free(graph->edge_of);
	free(graph->ranks);
	free(graph->one_way);
	free(graph->number_of);
	free(graph->index_of);
	free(graph->node_order);
	free(graph->link_order);
	srlgs_free(graph->srlgs);
	landmarks_free(graph->landmarks);
	free(graph);
}

const struct topology *pathcomp_graph_topology(const struct pathcomp_graph *graph) {
	return graph->topology;
}

uint32_t pathcomp_graph_node_index(const struct pathcomp_graph *graph, uint32_t node) {
	return graph->index_of[node];
}

uint32_t pathcomp_arc_from(const struct pathcomp_graph *graph, uint32_t arc) {
	return graph_edge(graph, arc ^ 1)->other;
}

uint32_t pathcomp_arc_to(const struct pathcomp_graph *graph, uint32_t arc) {
	return graph_edge(graph, arc)->other;
}

static uint32_t root_of(uint32_t *parent, uint32_t node) {
	while (parent[node] != node)
		node = parent[node] = parent[parent[node]];
	return node;
}

uint32_t pathcomp_graph_components(const struct pathcomp_graph *graph) {
	uint32_t *parent = malloc((graph->n_nodes + (size_t)1) * sizeof(*parent));
	uint32_t n = graph->n_nodes;

	if (parent == NULL)
		return 0;
	for (uint32_t node = 0; node < graph->n_nodes; node++)
		parent[node] = node;
	for (uint32_t node = 0; node < graph->n_nodes; node++) {
		for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
			uint32_t left = root_of(parent, node), right = root_of(parent, graph->edges[i].other);

			if (left != right) {
				parent[left] = right;
				n--;
			}
		}
	}
	free(parent);
	return n;
}
