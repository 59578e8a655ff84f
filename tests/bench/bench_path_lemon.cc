// LEMON's Dijkstra and Suurballe.
// SPDX-License-Identifier: MIT
#include "bench_path_peers.h"

#include <lemon/dijkstra.h>
#include <lemon/static_graph.h>
#include <lemon/suurballe.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace {

using Graph = lemon::StaticDigraph;

struct PeerGraph {
	Graph graph;
	Graph::ArcMap<int64_t> costs{graph};
	lemon::Dijkstra<Graph, Graph::ArcMap<int64_t>> dijkstra{graph, costs};
};

void *open_graph(const bench_arcs *arcs) {
	auto *peer = new PeerGraph;
	std::vector<size_t> order(arcs->n_arcs);
	std::vector<std::pair<int, int>> list;

	std::iota(order.begin(), order.end(), 0);
	std::stable_sort(order.begin(), order.end(), [&](size_t l, size_t r) { return arcs->tails[l] < arcs->tails[r]; });
	for (size_t i : order)
		list.emplace_back(arcs->tails[i], arcs->heads[i]);
	peer->graph.build(static_cast<int>(arcs->n_nodes), list.begin(), list.end());
	for (size_t i = 0; i < order.size(); i++)
		peer->costs[peer->graph.arc(static_cast<int>(i))] = arcs->costs[order[i]];
	return peer;
}

void close_graph(void *graph) {
	delete static_cast<PeerGraph *>(graph);
}

int64_t query(void *graph, uint32_t from, uint32_t to, uint64_t *ret_sum) {
	auto *peer = static_cast<PeerGraph *>(graph);
	auto target = peer->graph.node(static_cast<int>(to));

	if (!peer->dijkstra.run(peer->graph.node(static_cast<int>(from)), target))
		return -1;
	for (auto node = target; node != lemon::INVALID; node = peer->dijkstra.predNode(node))
		*ret_sum += static_cast<uint64_t>(Graph::id(node));
	return peer->dijkstra.dist(target);
}

int64_t pair(void *graph, uint32_t from, uint32_t to) {
	auto *peer = static_cast<PeerGraph *>(graph);
	lemon::Suurballe<Graph, Graph::ArcMap<int64_t>> suurballe(peer->graph, peer->costs);

	if (suurballe.run(peer->graph.node(static_cast<int>(from)), peer->graph.node(static_cast<int>(to)), 2) < 2)
		return -1;
	return suurballe.totalLength();
}

} // namespace

const peer peer_lemon = {"LEMON", open_graph, close_graph, query, nullptr, pair};
