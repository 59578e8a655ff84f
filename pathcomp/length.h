// length.h: lengths of paths as numbers, of one of two sizes. Files that compute with lengths are built twice,
// with LENGTH_BITS 64 for graphs whose lengths fit in 64 bits and with 128 for the rest; SIZED() keeps the names
// of the two apart.
// SPDX-License-Identifier: MIT
#pragma once

#include "graph.h"

#if LENGTH_BITS == 64
typedef uint64_t span;
#define SIZED(NAME) NAME##_64
#else
__extension__ typedef unsigned __int128 span;
#define SIZED(NAME) NAME##_128
#endif

#define LENGTH_INFINITE ((span)-1)

static inline span length_of(uint64_t cost, uint64_t latency, const struct measure *measure) {
	return (span)cost * measure->of_cost + (span)latency * measure->of_latency + measure->of_hop;
}

static inline span edge_length(const struct pathcomp_graph *graph, const struct edge *edge,
                               const struct measure *measure) {
	if (LENGTH_BITS > 64 && (edge->cost == WEIGHT_LARGE || edge->latency == WEIGHT_LARGE)) {
		uint32_t link = pathcomp_arc_link(edge->arc);

		return length_of(graph_cost_micro(graph, link) / graph->cost_unit,
		                 graph_latency_ns(graph, link) / graph->latency_unit, measure);
	}
	return length_of(edge->cost, edge->latency, measure);
}

// The metric alone, in units.
static inline uint64_t length_metric(span length, const struct measure *measure) {
	return (uint64_t)(length >> measure->metric_shift);
}
