// igraph's Dijkstra and Yen.
// SPDX-License-Identifier: MIT
#include "bench_path_peers.h"

#include <igraph/igraph.h>
#include <stdlib.h>

struct peer_graph {
	igraph_t graph;
	igraph_vector_t weights;
};

static void *open_graph(const struct bench_arcs *arcs) {
	struct peer_graph *peer = malloc(sizeof(*peer));
	igraph_vector_int_t edges;

	igraph_vector_int_init(&edges, (igraph_integer_t)(2 * arcs->n_arcs));
	igraph_vector_init(&peer->weights, (igraph_integer_t)arcs->n_arcs);
	for (size_t i = 0; i < arcs->n_arcs; i++) {
		VECTOR(edges)[2 * i] = arcs->tails[i];
		VECTOR(edges)[2 * i + 1] = arcs->heads[i];
		VECTOR(peer->weights)[i] = (double)arcs->costs[i];
	}
	igraph_create(&peer->graph, &edges, arcs->n_nodes, IGRAPH_DIRECTED);
	igraph_vector_int_destroy(&edges);
	return peer;
}

static void close_graph(void *graph) {
	struct peer_graph *peer = graph;

	igraph_destroy(&peer->graph);
	igraph_vector_destroy(&peer->weights);
	free(peer);
}

static int64_t sum_of(const struct peer_graph *peer, const igraph_vector_int_t *edges) {
	double sum = 0;

	for (igraph_integer_t i = 0; i < igraph_vector_int_size(edges); i++)
		sum += VECTOR(peer->weights)[VECTOR(*edges)[i]];
	return (int64_t)sum;
}

static void be_quiet(const char *reason, const char *file, int line) {
	(void)reason, (void)file, (void)line;
}

static int64_t query(void *graph, uint32_t from, uint32_t to, uint64_t *ret_sum) {
	struct peer_graph *peer = graph;
	igraph_vector_int_t nodes, edges;
	int64_t cost = -1;

	igraph_set_warning_handler(be_quiet); // it warns when there is no path
	igraph_vector_int_init(&nodes, 0);
	igraph_vector_int_init(&edges, 0);
	igraph_get_shortest_path_dijkstra(&peer->graph, &nodes, &edges, from, to, &peer->weights, IGRAPH_OUT);
	if (igraph_vector_int_size(&edges) > 0)
		cost = sum_of(peer, &edges);
	for (igraph_integer_t i = 0; i < igraph_vector_int_size(&nodes); i++)
		*ret_sum += (uint64_t)VECTOR(nodes)[i];
	igraph_vector_int_destroy(&nodes);
	igraph_vector_int_destroy(&edges);
	return cost;
}

static int64_t several(void *graph, uint32_t from, uint32_t to, int k) {
	struct peer_graph *peer = graph;
	igraph_vector_int_list_t paths;
	int64_t sum = 0;

	igraph_vector_int_list_init(&paths, 0);
	igraph_get_k_shortest_paths(&peer->graph, &peer->weights, NULL, &paths, k, from, to, IGRAPH_OUT);
	for (igraph_integer_t i = 0; i < igraph_vector_int_list_size(&paths); i++)
		sum += sum_of(peer, igraph_vector_int_list_get_ptr(&paths, i));
	igraph_vector_int_list_destroy(&paths);
	return sum;
}

const struct peer peer_igraph = {"igraph", open_graph, close_graph, query, several, NULL};
