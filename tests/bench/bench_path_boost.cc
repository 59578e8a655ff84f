// Boost's Dijkstra on compressed rows, ended at the target.
// SPDX-License-Identifier: MIT
#include "bench_path_peers.h"

#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <boost/graph/dijkstra_shortest_paths.hpp>

#include <vector>

namespace {

struct Cost {
	int64_t cost;
};
using Graph = boost::compressed_sparse_row_graph<boost::directedS, boost::no_property, Cost>;

struct PeerGraph {
	Graph graph;
	std::vector<uint32_t> before;
	std::vector<int64_t> distances;
};

struct Found {};

struct Visitor : boost::dijkstra_visitor<> {
	explicit Visitor(uint32_t wanted) : target(wanted) {
	}
	void examine_vertex(uint32_t node, const Graph &) const {
		if (node == target)
			throw Found();
	}
	uint32_t target;
};

void *open_graph(const bench_arcs *arcs) {
	std::vector<std::pair<uint32_t, uint32_t>> list;
	std::vector<Cost> costs;

	for (size_t i = 0; i < arcs->n_arcs; i++) {
		list.emplace_back(arcs->tails[i], arcs->heads[i]);
		costs.push_back({arcs->costs[i]});
	}
	return new PeerGraph{Graph(boost::edges_are_unsorted_multi_pass, list.begin(), list.end(), costs.begin(), arcs->n_nodes),
	                     std::vector<uint32_t>(arcs->n_nodes), std::vector<int64_t>(arcs->n_nodes)};
}

void close_graph(void *graph) {
	delete static_cast<PeerGraph *>(graph);
}

int64_t query(void *graph, uint32_t from, uint32_t to, uint64_t *ret_sum) {
	auto *peer = static_cast<PeerGraph *>(graph);
	auto index = boost::get(boost::vertex_index, peer->graph);

	try {
		boost::dijkstra_shortest_paths(peer->graph, from,
		                               boost::weight_map(boost::get(&Cost::cost, peer->graph))
		                                       .predecessor_map(boost::make_iterator_property_map(peer->before.begin(), index))
		                                       .distance_map(boost::make_iterator_property_map(peer->distances.begin(), index))
		                                       .visitor(Visitor(to)));
		return -1;
	} catch (const Found &) {
	}
	for (uint32_t node = to; node != from; node = peer->before[node])
		*ret_sum += node;
	*ret_sum += from;
	return peer->distances[to];
}

} // namespace

const peer peer_boost = {"Boost", open_graph, close_graph, query, nullptr, nullptr};
