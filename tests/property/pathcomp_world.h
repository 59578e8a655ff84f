// pathcomp_world.h: random small topologies whose answers can be enumerated.
// SPDX-License-Identifier: MIT
#pragma once

#include "pathcomp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define MAX_NODES 9
#define MAX_LINKS 18

static uint64_t state;

static inline uint64_t draw_below(uint64_t n) {
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * UINT64_C(0x2545F4914F6CDD1D)) % n;
}

// ---- a topology of small whole numbers, so that ties are many and the oracle needs no fixed point

struct world {
	struct node nodes[MAX_NODES];
	struct link links[MAX_LINKS + 1];
	struct pathcomp_capacity capacities[2 * MAX_LINKS + 2];
	char node_ids[MAX_NODES][8];
	char link_ids[MAX_LINKS + 1][8];
	const char *groups[MAX_LINKS + 1][2]; // of the links
	struct topology topology;
	struct pathcomp_graph *graph;
	struct pathcomp_search *search;
	struct pathcomp_room *room;
	struct pathcomp_request request;
};

#define N_GROUPS 12
static const char *const group_names[N_GROUPS] = {"g1", "g2", "g3", "g4",  "g5",  "g6",
                                                  "g7", "g8", "g9", "g10", "g11", "g12"};

// Ids whose order as bytes isn't that of their numbers.
static inline void draw_id(char id[static 8], char letter, size_t i) {
	snprintf(id, 8, "%c%zu", (int)(i % 3 == 0 ? letter : letter - 'a' + 'A'), (i * 7 + 5) % 29);
}

static inline void draw_link(struct world *w, size_t i, size_t n_nodes) {
	struct link *link = &w->links[i];
	size_t a = draw_below(n_nodes), z = (a + 1 + draw_below(n_nodes - 1)) % n_nodes;

	draw_id(w->link_ids[i], 'l', i);
	*link = (struct link){.id = w->link_ids[i], .a = w->node_ids[a], .z = w->node_ids[z]};
	link->bidirectional = draw_below(3) > 0;
	link->cost = (double)draw_below(4);
	if (draw_below(4) > 0)
		SET(link, link, latency_ms, (double)draw_below(3));
	link->srlg = w->groups[i];
	link->n_srlg = draw_below(3);
	for (size_t j = 0; j < link->n_srlg; j++)
		w->groups[i][j] = group_names[draw_below(N_GROUPS)];
	for (int d = 0; d < 2; d++) {
		w->capacities[2 * i + (size_t)d] = (struct pathcomp_capacity){
		        .total_gbps = draw_below(12) == 0 ? NAN : (double)(2 + draw_below(4)),
		        .current_gbps = (double)draw_below(3),
		        .forecast_gbps = NAN,
		        .state = draw_below(12) == 0 ? STATE_DOWN : STATE_UP,
		};
	}
}

// From the target back to the source, so that no path takes it; and so long that lengths don't fit in 64 bits.
static inline void draw_long_link(struct world *w) {
	struct link *link = &w->links[w->topology.n_links];

	draw_link(w, w->topology.n_links++, 2);
	link->a = w->node_ids[1];
	link->z = w->node_ids[0];
	link->bidirectional = false;
	link->cost = 1e9 + 1e-6;
	SET(link, link, latency_ms, 1e9 + 1e-6);
}

static inline void world_build(struct world *w) {
	struct status status = {0};

	cr_assert_eq(pathcomp_graph_new(&w->topology, &w->graph, &status), 0, "%s", status.message);
	cr_assert_eq(pathcomp_search_new(w->graph, &w->search), 0);
	cr_assert_eq(pathcomp_room_new(w->graph, w->capacities, (struct pathcomp_window){0, 100},
	                               UNKNOWN_CURRENT, NULL, &w->room),
	             0);
}

static inline void world_init(struct world *w) {
	size_t n_nodes = 2 + draw_below(MAX_NODES - 1), n_links = draw_below(MAX_LINKS + 1);

	memset(w, 0, sizeof(*w));
	for (size_t i = 0; i < n_nodes; i++) {
		draw_id(w->node_ids[i], 'n', i);
		w->nodes[i].id = w->node_ids[i];
	}
	for (size_t i = 0; i < n_links; i++)
		draw_link(w, i, n_nodes);
	w->topology = (struct topology){.topology_id = "admin",
	                                .nodes = w->nodes,
	                                .n_nodes = n_nodes,
	                                .links = w->links,
	                                .n_links = n_links};
	if (draw_below(3) == 0)
		draw_long_link(w);
	w->request = (struct pathcomp_request){.gbps = (double)draw_below(5),
	                                       .metric = (enum path_metrics)draw_below(N_path_metrics)};
	world_build(w);
	cr_assert_eq(pathcomp_graph_find_node(w->graph, w->node_ids[0], &w->request.from), 0);
	cr_assert_eq(pathcomp_graph_find_node(w->graph, w->node_ids[1], &w->request.to), 0);
}

static inline void world_fini(struct world *w) {
	pathcomp_room_free(w->room);
	pathcomp_search_free(w->search);
	pathcomp_graph_free(w->graph);
}
