// A topology as compressed sparse rows. Each link is an edge at both of its ends, also when it is
// unidirectional, so that the same rows serve searches in both senses; whether an arc may be taken is asked
// of the room. Ids are looked up by bisection.
// SPDX-License-Identifier: MIT
#include "graph.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MICRO 1e6

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
	uint32_t *order = malloc((n + 1) * sizeof(*order));

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

int pathcomp_graph_find_node(const struct pathcomp_graph *graph, const char *id, uint32_t *ret) {
	return bisect(graph->topology, graph->node_order, graph->n_nodes, node_id, id, ret);
}

int pathcomp_graph_find_link(const struct pathcomp_graph *graph, const char *id, uint32_t *ret) {
	return bisect(graph->topology, graph->link_order, graph->n_links, link_id, id, ret);
}

// No path takes a link twice, so a sum over all links that fits bounds every sum over a path.
static int weigh_links(struct pathcomp_graph *graph, struct status *status) {
	double cost = 0, latency = 0;

	for (uint32_t i = 0; i < graph->n_links; i++) {
		const struct link *link = &graph->topology->links[i];
		struct weight *weight = &graph->weights[i];
		double latency_ms = HAS(link, link, latency_ms) ? link->latency_ms : 0;

		weight->cost_micro = (uint64_t)llround(link->cost * MICRO);
		weight->latency_ns = (uint64_t)llround(latency_ms * MICRO);
		weight->bidirectional = link->bidirectional;
		cost += link->cost;
		latency += latency_ms;
	}
	for (uint32_t i = 0; i < graph->n_links; i++)
		graph->weights[graph->link_order[i]].rank = i;
	if (cost * MICRO > (double)INT64_MAX || latency * MICRO > (double)INT64_MAX)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "links: the %s of all links add up to more than 9.2e12",
		                  cost > latency ? "costs" : "latencies");
	return 0;
}

// Which node an end of a link names, for both ends of all links: the graph's only look-ups of nodes.
static int find_ends(const struct pathcomp_graph *graph, uint32_t *ends) {
	int rc;

	for (uint32_t i = 0; i < graph->n_links; i++) {
		const struct link *link = &graph->topology->links[i];

		if ((rc = pathcomp_graph_find_node(graph, link->a, &ends[2 * i])) < 0 ||
		    (rc = pathcomp_graph_find_node(graph, link->z, &ends[2 * i + 1])) < 0)
			return rc;
	}
	return 0;
}

static int fill_rows(struct pathcomp_graph *graph) {
	CLEANUP(freep) uint32_t *ends = calloc(2 * (size_t)graph->n_links + 1, sizeof(*ends));
	CLEANUP(freep) uint32_t *next = NULL;
	int rc;

	next = malloc((graph->n_nodes + (size_t)1) * sizeof(*next));
	if (ends == NULL || next == NULL)
		return -ENOMEM;
	if ((rc = find_ends(graph, ends)) < 0)
		return rc;
	for (uint32_t arc = 0; arc < 2 * graph->n_links; arc++)
		graph->first[ends[arc] + 1]++;
	for (uint32_t node = 0; node < graph->n_nodes; node++)
		graph->first[node + 1] += graph->first[node];
	memcpy(next, graph->first, graph->n_nodes * sizeof(*next));
	for (uint32_t arc = 0; arc < 2 * graph->n_links; arc++)
		graph->edges[next[ends[arc]]++] = (struct edge){.other = ends[arc ^ 1], .arc = arc};
	return 0;
}

int pathcomp_graph_new(const struct topology *topology, struct pathcomp_graph **ret, struct status *status) {
	CLEANUP(pathcomp_graph_freep) struct pathcomp_graph *graph = calloc(1, sizeof(*graph));
	int rc;

	if (graph == NULL)
		return -ENOMEM;
	graph->topology = topology;
	graph->n_nodes = (uint32_t)topology->n_nodes;
	graph->n_links = (uint32_t)topology->n_links;
	graph->first = calloc(topology->n_nodes + 1, sizeof(*graph->first));
	graph->edges = calloc(2 * topology->n_links + 1, sizeof(*graph->edges));
	graph->weights = calloc(topology->n_links + 1, sizeof(*graph->weights));
	graph->node_order = sorted(topology, graph->n_nodes, compare_nodes);
	graph->link_order = sorted(topology, graph->n_links, compare_links);
	if (graph->first == NULL || graph->edges == NULL || graph->weights == NULL ||
	    graph->node_order == NULL || graph->link_order == NULL)
		return -ENOMEM;
	if ((rc = weigh_links(graph, status)) < 0 || (rc = fill_rows(graph)) < 0)
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
	free(graph->weights);
	free(graph->node_order);
	free(graph->link_order);
	free(graph);
}

const struct topology *pathcomp_graph_topology(const struct pathcomp_graph *graph) {
	return graph->topology;
}

static uint32_t node_of(const struct pathcomp_graph *graph, const char *id) {
	uint32_t node = 0;

	(void)pathcomp_graph_find_node(graph, id, &node);
	return node;
}

uint32_t pathcomp_arc_from(const struct pathcomp_graph *graph, uint32_t arc) {
	const struct link *link = &graph->topology->links[pathcomp_arc_link(arc)];

	return node_of(graph, pathcomp_arc_direction(arc) == DIRECTION_FORWARD ? link->a : link->z);
}

uint32_t pathcomp_arc_to(const struct pathcomp_graph *graph, uint32_t arc) {
	return pathcomp_arc_from(graph, arc ^ 1);
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
