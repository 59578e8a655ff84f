// graph.h: the layout of a graph, for the searches inside this library.
// SPDX-License-Identifier: MIT
#pragma once

#include "pathcomp.h"

// A link as seen from one of its ends.
struct edge {
	uint32_t other; // the node at the other end
	uint32_t arc;   // that leaves towards it; arc ^ 1 comes back
};

struct weight {
	uint64_t cost_micro;
	uint64_t latency_ns;
	uint32_t rank; // of the link's id among all ids, byte by byte
	bool bidirectional;
};

struct pathcomp_graph {
	const struct topology *topology;
	uint32_t n_nodes, n_links;
	uint32_t *first;    // of a node's edges; one more than nodes
	struct edge *edges; // two for each link
	struct weight *weights;
	uint32_t *node_order; // nodes by id
	uint32_t *link_order; // links by id
};

static inline bool graph_has_arc(const struct pathcomp_graph *graph, uint32_t arc) {
	return pathcomp_arc_direction(arc) == DIRECTION_FORWARD ||
	       graph->weights[pathcomp_arc_link(arc)].bidirectional;
}
