// graph.h: the layout of a graph, for the searches inside this library.
// SPDX-License-Identifier: MIT
#pragma once

#include "pathcomp.h"

// A link as seen from one of its ends.
struct edge {
	uint32_t other;   // the node at the other end
	uint32_t arc;     // that leaves towards it; arc ^ 1 comes back
	uint32_t cost;    // in units of the graph; WEIGHT_LARGE: see the topology
	uint32_t latency; // likewise
};

#define WEIGHT_LARGE UINT32_MAX

// How the length of a path by one metric is a number: metric, latency and hops, the most significant first. The
// fields of a sum stay apart (weigh_links() sees to it), so that one addition adds all and one comparison decides.
struct measure {
	uint64_t of_cost, of_latency, of_hop; // what a unit of each adds; 0: the cost doesn't count
	uint8_t metric_shift;                 // where the metric itself begins
	uint8_t step_shift;                   // a small part of what an edge is on average, as a power of two
};

// Nodes have numbers of the graph's own, those of neighbours close to each other. Numbers and rows follow from ids
// alone, so that whoever goes by them goes the same way whatever the order of the input.
struct pathcomp_graph {
	const struct topology *topology;
	uint32_t n_nodes, n_links;
	uint32_t *first;       // of a node's edges, which are in the order of link ids; one more than nodes
	struct edge *edges;    // two for each link
	uint32_t *edge_of;     // where an arc is among the edges
	uint32_t *ranks;       // of a link's id among all ids, byte by byte
	uint8_t *one_way;      // is the link unidirectional? a bit each
	uint32_t *node_order;  // nodes by id
	uint32_t *link_order;  // links by id
	uint32_t *index_of;    // in the topology, of a node
	uint64_t cost_unit;    // micro-units that all costs are multiples of
	uint64_t latency_unit; // ns that all latencies are multiples of
	struct measure measures[N_path_metrics];
	bool narrow;                     // do all lengths fit in 64 bits?
	struct srlgs *srlgs;             // NULL: no link has any
	struct landmarks *landmarks;     // of the metrics that were prepared
	struct contraction *contraction; // when prepared, of a sparse graph
};

static inline bool graph_has_arc(const struct pathcomp_graph *graph, uint32_t arc) {
	return pathcomp_arc_direction(arc) == DIRECTION_FORWARD ||
	       (graph->one_way[arc / 16] >> arc / 2 % 8 & 1) == 0;
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

static inline uint64_t graph_edge_cost_micro(const struct pathcomp_graph *graph, const struct edge *edge) {
	return edge->cost == WEIGHT_LARGE ? graph_cost_micro(graph, pathcomp_arc_link(edge->arc))
	                                  : edge->cost * graph->cost_unit;
}

static inline uint64_t graph_edge_latency_ns(const struct pathcomp_graph *graph, const struct edge *edge) {
	return edge->latency == WEIGHT_LARGE ? graph_latency_ns(graph, pathcomp_arc_link(edge->arc))
	                                     : edge->latency * graph->latency_unit;
}

// Zeroed memory for what searches read here and there: in whole cache lines, and in large pages where there are
// any. NULL: there is none.
void *lines_new(size_t n, size_t size);

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

// Bounds of lengths by one metric, see landmarks.c.
struct metric_bounds {
	void *table;         // of all pairs, lengths of the graph's size
	uint16_t *distances; // to landmarks
	uint64_t unit;       // of the metric, that they are in
};

struct landmarks {
	struct metric_bounds metrics[N_path_metrics];
};

void landmarks_free(struct landmarks *);
