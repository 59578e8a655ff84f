// contraction.h: a sparse graph as a chordal one, for exact lengths in a few steps: customizable contraction
// hierarchies (Dibbelt, Strasser and Wagner, Journal of Experimental Algorithmics 21, 2016). Nodes are taken out
// one by one, the neighbours of each are joined; what is joined depends on the graph alone, how long the arcs are
// (exact.c) on what is free.
// SPDX-License-Identifier: MIT
#pragma once

#include "graph.h"

// Nodes by rank, the order in which they were taken out.
struct contraction {
	uint32_t *rank_of; // of a node
	uint32_t *first;   // of the arcs of each rank; one more than nodes
	uint32_t *heads;   // ranks of the later nodes that it is joined with, ascending
	uint64_t work;     // steps that new lengths take
};

// Returns 0, 1 when the graph isn't sparse enough for it, or -ENOMEM.
int contraction_new(const struct pathcomp_graph *, struct contraction **ret);
void contraction_free(struct contraction *);
DEFINE_CLEANUP(struct contraction *, contraction_free)

// Where the arc between two ranks is, the lesser first; there must be one.
uint32_t contraction_arc(const struct contraction *, uint32_t low, uint32_t high);
