// A topology as compressed sparse rows. Each link is an edge at both of its ends, also when it is
// unidirectional, so that the same rows serve searches in both senses; whether an arc may be taken is asked
// of the room. Nodes are renumbered breadth first from the least id, so that what a search touches lies
// together. Ids are looked up by bisection.
// SPDX-License-Identifier: MIT
#include "graph.h"

#include "contraction.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MICRO 1e6

// Searches from both ends compare up to six times the length of a path.
#define METRIC_BITS 60
#define NARROW_BITS 61

// Steps of queues, of keys that count lengths twice: 1/16 to 1/32 of an edge.
#define STEP_BITS 4

#define LINE_BYTES  64
#define LARGE_BYTES (4 << 20)

void *lines_new(size_t n, size_t size) {
	size_t bytes = n * size, page = (size_t)sysconf(_SC_PAGESIZE);
	bool large = bytes >= LARGE_BYTES;
	void *lines;

	if (posix_memalign(&lines, large ? page : LINE_BYTES, bytes) != 0)
		return NULL;
	if (large)
		(void)madvise(lines, bytes, MADV_HUGEPAGE);
	return memset(lines, 0, bytes);
}

static const char *node_id(const struct topology *topology, uint32_t i) {
	return topology->nodes[i].id;
}

static const char *link_id(const struct topology *topology, uint32_t i) {
	return topology->links[i].id;
}

static int compare_nodes(const void *left, const void *right, void *topology) {
	return strcmp(node_id(topology, *(const uint32_t *)left),
	              node_id(topology, *(const uint32_t *)right));
}

static int compare_links(const void *left, const void *right, void *topology) {
	return strcmp(link_id(topology, *(const uint32_t *)left),
	              link_id(topology, *(const uint32_t *)right));
}

static uint32_t *sorted(const struct topology *topology, uint32_t n,
                        int (*compare)(const void *, const void *, void *)) {
	uint32_t *order = malloc((n + (size_t)1) * sizeof(*order));

	if (order == NULL)
		return NULL;
	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	qsort_r(order, n, sizeof(*order), compare, (void *)topology);
	return order;
}

static const char *number_id(const struct pathcomp_graph *graph, uint32_t node) {
	return node_id(graph->topology, graph->index_of[node]);
}

static const char *index_id(const struct pathcomp_graph *graph, uint32_t link) {
	return link_id(graph->topology, link);
}

static int bisect(const struct pathcomp_graph *graph, const uint32_t *order, uint32_t n,
                  const char *(*id_of)(const struct pathcomp_graph *, uint32_t), const char *id,
                  uint32_t *ret) {
	uint32_t low = 0, high = n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int difference = strcmp(id_of(graph, order[middle]), id);

		if (difference == 0) {
			*ret = order[middle];
			return 0;
		}
		if (difference < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -ENOENT;
}

int pathcomp_graph_find_node(const struct pathcomp_graph *graph, const char *id, uint32_t *ret) {
	return bisect(graph, graph->node_order, graph->n_nodes, number_id, id, ret);
}

int pathcomp_graph_find_link(const struct pathcomp_graph *graph, const char *id, uint32_t *ret) {
	return bisect(graph, graph->link_order, graph->n_links, index_id, id, ret);
}

int pathcomp_graph_find_srlg(const struct pathcomp_graph *graph, const char *id, uint32_t *ret) {
	uint32_t low = 0, high = graph->srlgs == NULL ? 0 : graph->srlgs->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int difference = strcmp(graph->srlgs->names[middle], id);

		if (difference == 0) {
			*ret = middle;
			return 0;
		}
		if (difference < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return -ENOENT;
}

// ---- weights

uint64_t graph_cost_micro(const struct pathcomp_graph *graph, uint32_t link) {
	return (uint64_t)llround(graph->topology->links[link].cost * MICRO);
}

uint64_t graph_latency_ns(const struct pathcomp_graph *graph, uint32_t link) {
	const struct link *of = &graph->topology->links[link];

	return HAS(of, link, latency_ms) ? (uint64_t)llround(of->latency_ms * MICRO) : 0;
}

static uint64_t common_divisor(uint64_t left, uint64_t right) {
	while (right != 0) {
		uint64_t rest = left % right;

		left = right;
		right = rest;
	}
	return left;
}

struct extent {
	double sum, most;
	uint64_t unit;
};

static void extend(struct extent *extent, uint64_t value) {
	extent->sum += (double)value;
	extent->most = fmax(extent->most, (double)value);
	extent->unit = common_divisor(extent->unit, value);
}

// No path takes a link or a node twice: the bits of the most that a path can add up to, in units.
static unsigned bits_of(const struct pathcomp_graph *graph, struct extent *extent) {
	double most = fmin(extent->sum, extent->most * graph->n_nodes) * (1 + 1e-9);

	if (extent->unit == 0)
		extent->unit = 1;
	return most < 1 ? 0 : (unsigned)ilogb(most / (double)extent->unit + 1) + 1;
}

static void lay_out(struct pathcomp_graph *graph, unsigned hop_bits, unsigned latency_bits) {
	const uint64_t one = 1;

	graph->measures[PATH_METRIC_COST] =
	        (struct measure){.of_cost = one << (hop_bits + latency_bits),
	                         .of_latency = one << hop_bits,
	                         .of_hop = one,
	                         .metric_shift = (uint8_t)(hop_bits + latency_bits)};
	graph->measures[PATH_METRIC_LATENCY] = (struct measure){
	        .of_latency = one << hop_bits, .of_hop = one, .metric_shift = (uint8_t)hop_bits};
	graph->measures[PATH_METRIC_HOPS] = (struct measure){
	        .of_latency = one, .of_hop = one << latency_bits, .metric_shift = (uint8_t)latency_bits};
}

// 'sum': of the metric over all links.
static void set_step(struct pathcomp_graph *graph, enum path_metrics metric, double sum) {
	struct measure *measure = &graph->measures[metric];
	double mean = graph->n_links == 0 ? 0 : sum / graph->n_links;
	int bits = measure->metric_shift + (mean < 1 ? 0 : ilogb(mean)) - STEP_BITS;

	measure->step_shift = bits < 0 ? 0 : (uint8_t)bits;
}

static int weigh_links(struct pathcomp_graph *graph, struct status *status) {
	struct extent cost = {0}, latency = {0};
	unsigned hop_bits = 0, cost_bits, latency_bits;

	while (graph->n_nodes >> hop_bits != 0)
		hop_bits++;
	for (uint32_t i = 0; i < graph->n_links; i++) {
		extend(&cost, graph_cost_micro(graph, i));
		extend(&latency, graph_latency_ns(graph, i));
	}
	cost_bits = bits_of(graph, &cost);
	latency_bits = bits_of(graph, &latency);
	if (cost_bits > METRIC_BITS || latency_bits + hop_bits > METRIC_BITS)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "links: the %s of a path may add up to more than an exact sum can hold",
		                  cost_bits > METRIC_BITS ? "costs" : "latencies");
	lay_out(graph, hop_bits, latency_bits);
	graph->narrow = cost_bits + latency_bits + hop_bits <= NARROW_BITS &&
	                cost.most / (double)cost.unit < WEIGHT_LARGE &&
	                latency.most / (double)latency.unit < WEIGHT_LARGE;
	graph->cost_unit = cost.unit;
	graph->latency_unit = latency.unit;
	set_step(graph, PATH_METRIC_COST, cost.sum / (double)cost.unit);
	set_step(graph, PATH_METRIC_LATENCY, latency.sum / (double)latency.unit);
	set_step(graph, PATH_METRIC_HOPS, graph->n_links);
	for (uint32_t i = 0; i < graph->n_links; i++) {
		graph->ranks[graph->link_order[i]] = i;
		graph->one_way[i / 8] |= (uint8_t)(!graph->topology->links[i].bidirectional << i % 8);
	}
	return 0;
}

// ---- rows

// Which node an end of a link names, for both ends of all links: the graph's only look-ups of nodes.
static int find_ends(const struct pathcomp_graph *graph, uint32_t *ends) {
	int rc;

	for (uint32_t i = 0; i < graph->n_links; i++) {
		const struct link *link = &graph->topology->links[i];

		if ((rc = pathcomp_graph_find_node(graph, link->a, &ends[2 * i])) < 0 ||
		    (rc = pathcomp_graph_find_node(graph, link->z, &ends[2 * i + 1])) < 0)
			return rc;
	}
	return 0;
}

static uint32_t small(uint64_t weight) {
	return weight < WEIGHT_LARGE ? (uint32_t)weight : WEIGHT_LARGE;
}

static void fill_rows(struct pathcomp_graph *graph, const uint32_t *ends, uint32_t *next) {
	memset(graph->first, 0, (graph->n_nodes + (size_t)1) * sizeof(*graph->first));
	for (uint32_t arc = 0; arc < 2 * graph->n_links; arc++)
		graph->first[ends[arc] + 1]++;
	for (uint32_t node = 0; node < graph->n_nodes; node++)
		graph->first[node + 1] += graph->first[node];
	memcpy(next, graph->first, graph->n_nodes * sizeof(*next));
	for (uint32_t i = 0; i < 2 * graph->n_links; i++) {
		uint32_t link = graph->link_order[i / 2], arc = 2 * link + i % 2, at = next[ends[arc]]++;

		graph->edge_of[arc] = at;
		graph->edges[at] = (struct edge){
		        .other = ends[arc ^ 1],
		        .arc = arc,
		        .cost = small(graph_cost_micro(graph, link) / graph->cost_unit),
		        .latency = small(graph_latency_ns(graph, link) / graph->latency_unit),
		};
	}
}

// Breadth first over all components, each from its least id. Fills index_of.
static void renumber(struct pathcomp_graph *graph, uint32_t *number_of) {
	uint32_t head = 0, tail = 0, *queue = graph->index_of;

	memset(number_of, 0xff, graph->n_nodes * sizeof(*number_of));
	for (uint32_t i = 0; i < graph->n_nodes; i++) {
		uint32_t start = graph->node_order[i];

		if (number_of[start] != UINT32_MAX)
			continue;
		number_of[start] = tail;
		queue[tail++] = start;
		while (head < tail) {
			uint32_t node = queue[head++];

			for (uint32_t at = graph->first[node]; at < graph->first[node + 1]; at++) {
				uint32_t other = graph->edges[at].other;

				if (number_of[other] != UINT32_MAX)
					continue;
				number_of[other] = tail;
				queue[tail++] = other;
			}
		}
	}
}

static int build_rows(struct pathcomp_graph *graph) {
	CLEANUP(freep) uint32_t *ends = calloc(2 * (size_t)graph->n_links + 1, sizeof(*ends));
	CLEANUP(freep) uint32_t *next = malloc((graph->n_nodes + (size_t)1) * sizeof(*next));
	int rc;

	if (ends == NULL || next == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < graph->n_nodes; i++) // until they have numbers of their own
		graph->index_of[i] = i;
	if ((rc = find_ends(graph, ends)) < 0)
		return rc;
	fill_rows(graph, ends, next);
	renumber(graph, next);
	for (uint32_t arc = 0; arc < 2 * graph->n_links; arc++)
		ends[arc] = next[ends[arc]];
	for (uint32_t i = 0; i < graph->n_nodes; i++)
		graph->node_order[i] = next[graph->node_order[i]];
	fill_rows(graph, ends, next);
	return 0;
}

static int take_memory(struct pathcomp_graph *graph) {
	size_t n_nodes = graph->n_nodes + (size_t)1, n_links = graph->n_links + (size_t)1;

	graph->first = calloc(n_nodes + 1, sizeof(*graph->first));
	graph->edges = lines_new(2 * n_links, sizeof(*graph->edges));
	graph->edge_of = malloc(2 * n_links * sizeof(*graph->edge_of));
	graph->ranks = malloc(n_links * sizeof(*graph->ranks));
	graph->one_way = calloc(n_links / 8 + 1, 1);
	graph->index_of = malloc(n_nodes * sizeof(*graph->index_of));
	graph->node_order = sorted(graph->topology, graph->n_nodes, compare_nodes);
	graph->link_order = sorted(graph->topology, graph->n_links, compare_links);
	return graph->first == NULL || graph->edges == NULL || graph->edge_of == NULL ||
	                       graph->ranks == NULL || graph->one_way == NULL || graph->index_of == NULL ||
	                       graph->node_order == NULL || graph->link_order == NULL
	               ? -ENOMEM
	               : 0;
}

int pathcomp_graph_new(const struct topology *topology, struct pathcomp_graph **ret, struct status *status) {
	CLEANUP(pathcomp_graph_freep) struct pathcomp_graph *graph = calloc(1, sizeof(*graph));
	int rc;

	if (graph == NULL)
		return -ENOMEM;
	graph->topology = topology;
	graph->n_nodes = (uint32_t)topology->n_nodes;
	graph->n_links = (uint32_t)topology->n_links;
	if ((rc = take_memory(graph)) < 0 || (rc = weigh_links(graph, status)) < 0 ||
	    (rc = build_rows(graph)) < 0 || (rc = srlgs_new(topology, &graph->srlgs)) < 0)
		return rc;

	*ret = graph;
	graph = NULL;
	return 0;
}

void pathcomp_graph_free(struct pathcomp_graph *graph) {
	if (graph == NULL)
		return;
	free(graph->first);
	free(graph->edges);
	free(graph->edge_of);
	free(graph->ranks);
	free(graph->one_way);
	free(graph->index_of);
	free(graph->node_order);
	free(graph->link_order);
	srlgs_free(graph->srlgs);
	landmarks_free(graph->landmarks);
	contraction_free(graph->contraction);
	free(graph);
}

void landmarks_free(struct landmarks *landmarks) {
	if (landmarks == NULL)
		return;
	for (int metric = 0; metric < N_path_metrics; metric++) {
		free(landmarks->metrics[metric].table);
		free(landmarks->metrics[metric].distances);
	}
	free(landmarks);
}

const struct topology *pathcomp_graph_topology(const struct pathcomp_graph *graph) {
	return graph->topology;
}

uint32_t pathcomp_graph_node_index(const struct pathcomp_graph *graph, uint32_t node) {
	return graph->index_of[node];
}

uint32_t pathcomp_arc_from(const struct pathcomp_graph *graph, uint32_t arc) {
	return graph_edge(graph, arc ^ 1)->other;
}

uint32_t pathcomp_arc_to(const struct pathcomp_graph *graph, uint32_t arc) {
	return graph_edge(graph, arc)->other;
}

static uint32_t root_of(uint32_t *parent, uint32_t node) {
	while (parent[node] != node)
		node = parent[node] = parent[parent[node]];
	return node;
}

uint32_t pathcomp_graph_components(const struct pathcomp_graph *graph) {
	uint32_t *parent = malloc((graph->n_nodes + (size_t)1) * sizeof(*parent));
	uint32_t n = graph->n_nodes;

	if (parent == NULL)
		return 0;
	for (uint32_t node = 0; node < graph->n_nodes; node++)
		parent[node] = node;
	for (uint32_t node = 0; node < graph->n_nodes; node++) {
		for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
			uint32_t left = root_of(parent, node), right = root_of(parent, graph->edges[i].other);

			if (left != right) {
				parent[left] = right;
				n--;
			}
		}
	}
	free(parent);
	return n;
}
