// Paths against igraph, LEMON and Boost in one run: the same pairs, in turns, the path built by all, answers
// compared; setup apart. Medians over rounds, with the spread from the first to the third quartile.
//
//   bench_path [--large | --files] [FILE...]     FILE: any topology that pathcomp reads
//
// --large adds the generated ones of 100,000 nodes and more, --files leaves out all that are generated.
//
// SPDX-License-Identifier: MIT
#include "bench_path_peers.h"
#include "clock.h"
#include "pathcomp.h"
#include "reader.h"

#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS    9
#define MAX_PAIRS 2000
#define DEMAND    5.0
#define K         10

static const struct peer *const peers[] = {
#ifdef HAVE_IGRAPH
        &peer_igraph,
#endif
#ifdef HAVE_LEMON
        &peer_lemon,
#endif
#ifdef HAVE_BOOST
        &peer_boost,
#endif
        NULL,
};
#define N_PEERS (sizeof(peers) / sizeof(peers[0]) - 1)

static uint64_t state;

static uint64_t draw(void) {
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(0x2545F4914F6CDD1D);
}

static double draw_real(void) {
	return (double)(draw() >> 11) * 0x1p-53;
}

static uint32_t draw_below(uint32_t n) {
	return (uint32_t)(draw() % n);
}

// ---- topologies

struct world {
	char name[64];
	struct topology topology;
	struct document *document; // of a file
	char (*ids)[12];           // of what was generated
	struct pathcomp_capacity *capacities;
	struct pathcomp_graph *graph;
	struct pathcomp_search *search;
	struct pathcomp_room *room;
	void *opened[N_PEERS + 1];
	double setup_ms[N_PEERS + 1], prepare_ms, room_ms, load_ms;
};

static void *take(size_t n, size_t size) {
	void *memory = calloc(n, size);

	if (memory == NULL) {
		fprintf(stderr, "bench_path: out of memory\n");
		exit(1);
	}
	return memory;
}

static void allocate(struct world *w, const char *kind, uint32_t n_nodes, uint32_t n_links) {
	snprintf(w->name, sizeof(w->name), "%s %u/%u", kind, n_nodes, n_links);
	w->topology = (struct topology){.topology_id = "bench", .n_nodes = n_nodes, .n_links = n_links};
	w->topology.nodes = take(n_nodes, sizeof(struct node));
	w->topology.links = take(n_links, sizeof(struct link));
	w->ids = take(n_nodes + (size_t)n_links, sizeof(*w->ids));
	for (uint32_t i = 0; i < n_nodes; i++) {
		snprintf(w->ids[i], sizeof(*w->ids), "n%u", i);
		w->topology.nodes[i].id = w->ids[i];
		w->topology.nodes[i].x = draw_real();
		w->topology.nodes[i].y = draw_real();
	}
	for (uint32_t i = 0; i < n_links; i++)
		snprintf(w->ids[n_nodes + i], sizeof(*w->ids), "l%u", i);
}

static void put_link(struct world *w, uint32_t i, uint32_t a, uint32_t z, double cost) {
	struct link *link = &w->topology.links[i];

	link_init(link);
	link->id = w->ids[w->topology.n_nodes + i];
	link->a = w->topology.nodes[a].id;
	link->z = w->topology.nodes[z].id;
	link->cost = cost;
}

static double distance(const struct world *w, uint32_t a, uint32_t z) {
	const struct node *l = &w->topology.nodes[a], *r = &w->topology.nodes[z];

	return hypot(l->x - r->x, l->y - r->y);
}

// Nodes in a square, links to near ones: each node draws from the cells around its own.
static void make_geometric(struct world *w, uint32_t n_nodes, uint32_t n_links) {
	uint32_t side = (uint32_t)fmax(1, sqrt(n_nodes / 3.0)), i = 0;
	uint32_t *first, *members, *next;

	allocate(w, "geometric", n_nodes, n_links);
	first = take((size_t)side * side + 1, sizeof(*first));
	next = take((size_t)side * side, sizeof(*next));
	members = take(n_nodes, sizeof(*members));
#define CELL(NODE)                                                                                           \
	((uint32_t)(w->topology.nodes[NODE].y * side) * side + (uint32_t)(w->topology.nodes[NODE].x * side))
	for (uint32_t node = 0; node < n_nodes; node++)
		first[CELL(node) + 1]++;
	for (uint32_t cell = 0; cell < side * side; cell++)
		first[cell + 1] += first[cell];
	memcpy(next, first, (size_t)side * side * sizeof(*next));
	for (uint32_t node = 0; node < n_nodes; node++)
		members[next[CELL(node)]++] = node;
	while (i < n_links) {
		uint32_t a = i < n_nodes ? i : draw_below(n_nodes), cell = CELL(a), z;
		int64_t x = (int64_t)(cell % side) + draw_below(3) - 1,
		        y = (int64_t)(cell / side) + draw_below(3) - 1;

		if (x < 0 || y < 0 || x >= side || y >= side)
			continue;
		cell = (uint32_t)(y * side + x);
		if (first[cell + 1] == first[cell])
			continue;
		z = members[first[cell] + draw_below(first[cell + 1] - first[cell])];
		if (z != a)
			put_link(w, i, a, z, 1 + floor(distance(w, a, z) * 1e6) / 1e3), i++;
	}
#undef CELL
	free(first);
	free(next);
	free(members);
}

// Barabási and Albert: whoever has links gets more.
static void make_scale_free(struct world *w, uint32_t n_nodes, uint32_t n_links) {
	uint32_t *ends = take(2 * (size_t)n_links, sizeof(*ends)), per_node = n_links / n_nodes;

	allocate(w, "scale-free", n_nodes, n_links);
	for (uint32_t i = 0; i < n_links; i++) {
		uint32_t a = i / per_node < n_nodes ? i / per_node : draw_below(n_nodes), z;

		do
			z = a == 0 || i == 0 ? draw_below(n_nodes) : ends[draw_below(2 * i)];
		while (z == a);
		ends[2 * i] = a;
		ends[2 * i + 1] = z;
		put_link(w, i, a, z, 1 + floor(draw_real() * 1e5) / 1e3);
	}
	free(ends);
}

static bool read_world(struct world *w, const char *path) {
	const struct reader_options options = {.capacity_scale = 1};
	struct status status = {0};
	const char *slash = strrchr(path, '/');

	if (reader_read(path, &options, &w->topology, &w->document, &status) < 0) {
		fprintf(stderr, "bench_path: %s\n", status.message);
		return false;
	}
	snprintf(w->name, sizeof(w->name), "%.30s %zu/%zu", slash == NULL ? path : slash + 1,
	         w->topology.n_nodes, w->topology.n_links);
	for (size_t i = 0; i < w->topology.n_links;
	     i++) // so that there are no ties, which peers break otherwise
		w->topology.links[i].cost = 1 + floor(draw_real() * 1e5) / 1e3;
	return true;
}

// ---- setup

static double ms_since(int64_t start_ns) {
	return (double)(clock_mono_ns() - start_ns) / 1e6;
}

// One in six links has not enough room.
static void open_ours(struct world *w) {
	int64_t start_ns = clock_mono_ns();
	size_t n_arcs = 2 * w->topology.n_links;

	if (pathcomp_graph_new(&w->topology, &w->graph, NULL) < 0 ||
	    pathcomp_search_new(w->graph, &w->search) < 0)
		exit(1);
	w->setup_ms[0] = ms_since(start_ns);
	w->capacities = take(n_arcs, sizeof(*w->capacities));
	for (size_t i = 0; i < n_arcs; i++)
		w->capacities[i] = (struct pathcomp_capacity){.total_gbps = 10,
		                                              .current_gbps = draw_below(6) == 0 ? 8 : 2,
		                                              .forecast_gbps = NAN,
		                                              .state = STATE_UP};
	start_ns = clock_mono_ns();
	if (pathcomp_room_new(w->graph, w->capacities, (struct pathcomp_window){0, 1}, UNKNOWN_CURRENT, NULL,
	                      &w->room) < 0)
		exit(1);
	w->room_ms = ms_since(start_ns);
	start_ns = clock_mono_ns();
	pathcomp_room_load(w->room, w->capacities, (struct pathcomp_window){0, 1}, NULL);
	w->load_ms = ms_since(start_ns);
	start_ns = clock_mono_ns();
	if (pathcomp_graph_prepare(w->graph, PATH_METRIC_COST) < 0)
		exit(1);
	w->prepare_ms = ms_since(start_ns);
}

// Peers see the graph's own numbers of nodes, which lie together in memory: the same order for all.
static void open_peers(struct world *w) {
	size_t n_arcs = 2 * w->topology.n_links;
	uint32_t *tails = take(n_arcs, sizeof(*tails)), *heads = take(n_arcs, sizeof(*heads));
	int64_t *costs = take(n_arcs, sizeof(*costs));
	struct bench_arcs arcs = {(uint32_t)w->topology.n_nodes, 0, tails, heads, costs};

	for (uint32_t arc = 0; arc < n_arcs; arc++) {
		const struct link *link = &w->topology.links[arc / 2];

		if ((arc % 2 == 1 && !link->bidirectional) || w->capacities[arc].current_gbps > DEMAND)
			continue;
		tails[arcs.n_arcs] = pathcomp_arc_from(w->graph, arc);
		heads[arcs.n_arcs] = pathcomp_arc_to(w->graph, arc);
		costs[arcs.n_arcs++] = llround(link->cost * 1e6);
	}
	for (size_t i = 0; i < N_PEERS; i++) {
		int64_t start_ns = clock_mono_ns();

		w->opened[i] = peers[i]->open(&arcs);
		w->setup_ms[i + 1] = ms_since(start_ns);
	}
	free(tails);
	free(heads);
	free(costs);
}

static void close_world(struct world *w) {
	for (size_t i = 0; i < N_PEERS; i++)
		peers[i]->close(w->opened[i]);
	pathcomp_room_free(w->room);
	pathcomp_search_free(w->search);
	pathcomp_graph_free(w->graph);
	free(w->capacities);
	if (w->document == NULL) {
		free(w->topology.nodes);
		free(w->topology.links);
	}
	document_close(w->document);
	free(w->ids);
}

// ---- questions

// CHANGING: the shortest path when the room is another one each time, so that a search learns nothing of it.
enum question { SHORTEST, CHANGING, SEVERAL, PAIR };

static int64_t ask_us(struct world *w, enum question question, uint32_t from, uint32_t to) {
	const struct pathcomp_request request = {from, to, DEMAND, PATH_METRIC_COST, NULL};
	CLEANUP(pathcomp_paths_fini) struct pathcomp_paths paths = {0};
	CLEANUP(pathcomp_path_fini) struct pathcomp_path path = {0};
	int64_t sum = 0;
	int rc;

	if (question == CHANGING)
		pathcomp_room_refresh(w->room, 0);
	if (question <= CHANGING)
		rc = pathcomp_search_shortest(w->search, w->room, &request, &path);
	else if (question == SEVERAL)
		rc = pathcomp_search_several(w->search, w->room, &request, K, &paths);
	else
		rc = pathcomp_search_disjoint(w->search, w->room, &request, DISJOINT_LINK, &paths);
	if (rc != 0)
		return question == SEVERAL ? 0 : -1;
	if (question <= CHANGING)
		return (int64_t)path.cost_micro;
	for (size_t i = 0; i < paths.n; i++)
		sum += (int64_t)paths.list[i].cost_micro;
	return sum;
}

static int64_t ask_peer(struct world *w, size_t i, enum question question, uint32_t from, uint32_t to) {
	uint64_t sum = 0;

	if (question <= CHANGING)
		return peers[i]->query(w->opened[i], from, to, &sum);
	return question == SEVERAL ? peers[i]->several(w->opened[i], from, to, K)
	                           : peers[i]->pair(w->opened[i], from, to);
}

static bool can(size_t i, enum question question) {
	return question <= CHANGING ||
	       (question == SEVERAL ? peers[i]->several != NULL : peers[i]->pair != NULL);
}

struct figures {
	double rounds[N_PEERS + 1][ROUNDS]; // us of one question
	size_t n_different, n_found, n_asked;
};

static int compare_reals(const void *left, const void *right) {
	double l = *(const double *)left, r = *(const double *)right;

	return (l > r) - (l < r);
}

static double quartile(double *rounds, int which) {
	qsort(rounds, ROUNDS, sizeof(*rounds), compare_reals);
	return rounds[(ROUNDS - 1) * which / 4];
}

// Two-way links differ by direction in what fits, so a pair of arcs of one link is two arcs to a peer: pairs
// are compared where both have one, not by cost.
static void ask_all(struct world *w, enum question question, uint32_t n_pairs, struct figures *ret) {
	static uint32_t pairs[MAX_PAIRS][2];
	static int64_t ours[MAX_PAIRS];

	for (uint32_t i = 0; i < n_pairs; i++) {
		pairs[i][0] = draw_below((uint32_t)w->topology.n_nodes);
		do
			pairs[i][1] = draw_below((uint32_t)w->topology.n_nodes);
		while (pairs[i][0] == pairs[i][1]);
	}
	memset(ret, 0, sizeof(*ret));
	for (int round = 0; round < ROUNDS; round++) {
		int64_t start_ns = clock_mono_ns();

		for (uint32_t i = 0; i < n_pairs; i++)
			ours[i] = ask_us(w, question, pairs[i][0], pairs[i][1]);
		ret->rounds[0][round] = ms_since(start_ns) * 1e3 / n_pairs;
		for (uint32_t i = 0; i < n_pairs; i++)
			ret->n_found += ours[i] >= 0;
		ret->n_asked += n_pairs;
		for (size_t p = 0; p < N_PEERS; p++) {
			if (!can(p, question))
				continue;
			start_ns = clock_mono_ns();
			for (uint32_t i = 0; i < n_pairs; i++) {
				int64_t theirs = ask_peer(w, p, question, pairs[i][0], pairs[i][1]);

				ret->n_different += question == PAIR ? theirs > ours[i] && ours[i] >= 0
				                                     : theirs != ours[i];
			}
			ret->rounds[p + 1][round] = ms_since(start_ns) * 1e3 / n_pairs;
		}
	}
}

static void print_figures(const struct world *w, enum question question, struct figures *figures) {
	static const char *const names[] = {"shortest", "changing", "k=10", "pair"};
	double ours = quartile(figures->rounds[0], 2);

	printf("%-28s %-9s pathcomp %10.2f us (%.2f to %.2f)", w->name, names[question], ours,
	       quartile(figures->rounds[0], 1), quartile(figures->rounds[0], 3));
	for (size_t p = 0; p < N_PEERS; p++) {
		double theirs = quartile(figures->rounds[p + 1], 2);

		if (can(p, question))
			printf("   %s %.2f us = %.1f x", peers[p]->name, theirs, theirs / ours);
	}
	if (figures->n_different > 0)
		printf("   %zu ANSWERS DIFFER", figures->n_different);
	printf("   found %.0f %%", 100.0 * (double)figures->n_found / (double)figures->n_asked);
	printf("\n");
	fflush(stdout);
}

static int measure(struct world *w) {
	uint32_t n_nodes = (uint32_t)w->topology.n_nodes;
	uint32_t n_pairs = n_nodes <= 100 ? MAX_PAIRS : n_nodes <= 5000 ? 300 : n_nodes <= 20000 ? 60 : 12;
	struct mallinfo2 before = mallinfo2(), after;
	struct figures figures;
	size_t n_different = 0;

	open_ours(w);
	after = mallinfo2();
	open_peers(w);
	printf("%-28s setup     pathcomp %.1f ms, prepare %.1f ms, capacities %.2f ms, new ones %.2f ms, "
	       "%.1f MB",
	       w->name, w->setup_ms[0], w->prepare_ms, w->room_ms, w->load_ms,
	       ((double)(after.uordblks + after.hblkhd) - (double)(before.uordblks + before.hblkhd) -
	        (double)(2 * w->topology.n_links * sizeof(*w->capacities))) /
	               1e6);
	for (size_t p = 0; p < N_PEERS; p++)
		printf(", %s %.1f ms", peers[p]->name, w->setup_ms[p + 1]);
	printf("\n");
	ask_all(w, SHORTEST, n_pairs, &figures);
	print_figures(w, SHORTEST, &figures);
	n_different += figures.n_different;
	ask_all(w, CHANGING, n_pairs, &figures);
	print_figures(w, CHANGING, &figures);
	n_different += figures.n_different;
	if (n_nodes <= 5000) {
		ask_all(w, SEVERAL, n_nodes <= 100 ? 100 : 5, &figures);
		print_figures(w, SEVERAL, &figures);
		n_different += figures.n_different;
	}
	ask_all(w, PAIR, n_pairs, &figures);
	print_figures(w, PAIR, &figures);
	close_world(w);
	return n_different + figures.n_different > 0;
}

static const struct {
	void (*make)(struct world *, uint32_t n_nodes, uint32_t n_links);
	uint32_t n_nodes, n_links;
	bool large;
} generated[] = {
        {make_geometric, 300, 1200, false},      {make_scale_free, 1000, 4000, false},
        {make_geometric, 4000, 16000, false},    {make_geometric, 10000, 40000, false},
        {make_scale_free, 10000, 40000, false},  {make_geometric, 100000, 400000, true},
        {make_scale_free, 100000, 400000, true}, {make_geometric, 500000, 1000000, true},
};

int main(int argc, char **argv) {
	bool large = argc > 1 && strcmp(argv[1], "--large") == 0,
	     files = argc > 1 && strcmp(argv[1], "--files") == 0;
	int failed = 0;

	if (N_PEERS < 3)
		printf("some of igraph, LEMON and Boost are not installed (libigraph-dev liblemon-dev "
		       "libboost-graph-dev): "
		       "left out\n");
	for (int i = large || files ? 2 : 1; i < argc; i++) {
		struct world w = {0};

		state = 1;
		if (!read_world(&w, argv[i]))
			return 1;
		failed |= measure(&w);
	}
	for (size_t i = 0; i < sizeof(generated) / sizeof(generated[0]) && !files; i++) {
		struct world w = {0};

		if (generated[i].large && !large)
			continue;
		state = 1 + i;
		generated[i].make(&w, generated[i].n_nodes, generated[i].n_links);
		failed |= measure(&w);
	}
	return failed;
}
