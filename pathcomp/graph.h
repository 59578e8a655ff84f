// graph.h: the layout of a graph, for the searches inside this library.
// SPDX-License-Identifier: MIT
#pragma once

#include "pathcomp.h"

// What a path is compared by before the link ids, as one number: the metric in the upper 64 bits; below it
// the latency, then, in the lowest `hop_bits`, the hops. Sums of lengths keep their fields apart
// (graph_weigh() sees to it), so that one addition adds all three and one comparison decides.
__extension__ typedef unsigned __int128 span;

#define LENGTH_INFINITE ((span)-1)

// A link as seen from one of its ends.
struct edge {
	uint32_t other;   // the node at the other end
	uint32_t arc;     // that leaves towards it; arc ^ 1 comes back
	uint32_t cost;    // in units of the graph; WEIGHT_LARGE: see the topology
	uint32_t latency; // likewise
};

#define WEIGHT_LARGE UINT32_MAX

// Nodes have numbers of the graph's own, those of neighbours close to each other.
struct pathcomp_graph {
	const struct topology *topology;
	uint32_t n_nodes, n_links;
	uint32_t *first;       // of a node's edges; one more than nodes
	struct edge *edges;    // two for each link
	uint32_t *edge_of;     // where an arc is among the edges
	uint32_t *ranks;       // of a link's id among all ids, byte by byte
	uint8_t *one_way;      // is the link unidirectional?
	uint32_t *node_order;  // nodes by id, as indexes of the topology
	uint32_t *link_order;  // links by id
	uint32_t *number_of;   // of a node of the topology
	uint32_t *index_of;    // in the topology, of a node
	uint64_t cost_unit;    // micro-units that all costs are multiples of
	uint64_t latency_unit; // ns that all latencies are multiples of
	unsigned hop_bits;
	struct srlgs *srlgs;         // NULL: no link has any
	struct landmarks *landmarks; // of the metrics that were prepared
};

static inline bool graph_has_arc(const struct pathcomp_graph *graph, uint32_t arc) {
	return pathcomp_arc_direction(arc) == DIRECTION_FORWARD || !graph->one_way[pathcomp_arc_link(arc)];
}

static inline const struct edge *graph_edge(const struct pathcomp_graph *graph, uint32_t arc) {
	return &graph->edges[graph->edge_of[arc]];
}

static inline uint32_t graph_arc_rank(const struct pathcomp_graph *graph, uint32_t arc) {
	return graph->ranks[pathcomp_arc_link(arc)];
}

// Exact, in micro-units and ns.
uint64_t graph_cost_micro(const struct pathcomp_graph *, uint32_t link);
uint64_t graph_latency_ns(const struct pathcomp_graph *, uint32_t link);

static inline span length_of(const struct pathcomp_graph *graph, uint64_t cost, uint64_t latency,
                             enum path_metrics metric) {
	uint64_t high = metric == PATH_METRIC_COST ? cost : metric == PATH_METRIC_LATENCY ? latency : 1;

	return (span)high << 64 | ((latency << graph->hop_bits) + 1);
}

static inline span edge_length(const struct pathcomp_graph *graph, const struct edge *edge,
                               enum path_metrics metric) {
	if (__builtin_expect(edge->cost == WEIGHT_LARGE || edge->latency == WEIGHT_LARGE, 0)) {
		uint32_t link = pathcomp_arc_link(edge->arc);

		return length_of(graph, graph_cost_micro(graph, link) / graph->cost_unit,
		                 graph_latency_ns(graph, link) / graph->latency_unit, metric);
	}
	return length_of(graph, edge->cost, edge->latency, metric);
}

static inline uint64_t length_metric(span length) {
	return (uint64_t)(length >> 64);
}

static inline uint64_t length_latency(const struct pathcomp_graph *graph, span length) {
	return (uint64_t)length >> graph->hop_bits;
}

static inline uint32_t length_hops(const struct pathcomp_graph *graph, span length) {
	return (uint32_t)((uint64_t)length & ((UINT64_C(1) << graph->hop_bits) - 1));
}

// Shared-risk groups by number, in the order of their names.
struct srlgs {
	uint32_t n;
	const char **names;
	uint32_t *of_link;  // where a link's groups begin; one more than links
	uint32_t *groups;   // of all links
	uint32_t *of_group; // where a group's links begin; one more than groups
	uint32_t *links;    // of all groups
};

int srlgs_new(const struct topology *, struct srlgs **ret);
void srlgs_free(struct srlgs *);

void landmarks_free(struct landmarks *);
