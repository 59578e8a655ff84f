// bench_path_peers.h: the same question to other libraries. Each gets the graph without the links that lack
// capacity, so that pruning costs it nothing.
// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_arcs {
	uint32_t n_nodes;
	size_t n_arcs;
	const uint32_t *tails, *heads;
	const int64_t *costs;
};

struct peer {
	const char *name;
	void *(*open)(const struct bench_arcs *);
	void (*close)(void *);
	// The cost of the shortest path, -1 when there is none; the path is built, its nodes are added up into
	// 'ret_sum' so that nothing is left out.
	int64_t (*query)(void *, uint32_t from, uint32_t to, uint64_t *ret_sum);
	// NULL: it can't. k shortest paths: the sum of their costs.
	int64_t (*several)(void *, uint32_t from, uint32_t to, int k);
	// NULL: it can't. Two paths without a common arc: the sum of their costs, -1 when there are none.
	int64_t (*pair)(void *, uint32_t from, uint32_t to);
};

extern const struct peer peer_igraph, peer_lemon, peer_boost;

#ifdef __cplusplus
}
#endif
