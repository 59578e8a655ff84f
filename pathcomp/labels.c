// Paths under limits of latency and hops, and through given nodes in order. Labels are partial paths, taken
// best first by what the whole path will at least be (exact bounds to each leg's end), then by link ids.
//
// Without via, a label that another one at the same node is nowhere worse than can't lead to a better path
// and is dropped, so the work is bounded by the different (metric, latency, hops) at a node. With via, a
// path must not come by a node twice and nothing can be dropped: simple paths through given nodes are a hard
// problem, mostly easy, and the work has a limit.
// SPDX-License-Identifier: MIT
#include "engine.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define LABELS_MAX 2000000
#define BOUNDS_MAX 100000000 // legs times nodes
#define NONE       UINT32_MAX

// Lower bounds, by leg and node: leg i ends at via i, the last one at the target.
struct reach {
	const struct pathcomp_graph *graph;
	const struct pathcomp_conditions *conditions;
	size_t n_legs;
	span *lengths;   // to the end of the leg
	span *latencies; // NULL: no limit
	span *hops;      // NULL: no limit
	span *rest[3];   // of the legs behind, for lengths, latencies, hops
};

struct label {
	span length;
	uint64_t latency_ns;
	uint32_t parent, arc; // NONE at the start
	uint32_t node;
	uint32_t hops;
	uint32_t next; // of the same node
	uint16_t leg;
	bool dead; // an equal one with lesser ids took its place
};

struct work {
	struct pathcomp_search *search;
	const struct query *query;
	const struct reach *reach;
	struct label *labels;
	size_t n, capacity;
	uint32_t *of_node; // last label of each node
	uint32_t *heap;
	size_t n_heap, heap_capacity;
	span *keys; // of the labels
};

void reach_free(struct reach *reach) {
	if (reach == NULL)
		return;
	free(reach->lengths);
	free(reach->latencies);
	free(reach->hops);
	for (int i = 0; i < 3; i++)
		free(reach->rest[i]);
	free(reach);
}

static uint32_t leg_end(const struct reach *reach, const struct query *query, size_t leg) {
	return leg + 1 == reach->n_legs ? query->to : reach->conditions->via[leg];
}

// Bounds of one metric for all legs, and what the legs behind add.
static int measure_legs(struct pathcomp_search *search, const struct query *query, struct reach *reach,
                        enum path_metrics metric, span **ret, span **ret_rest) {
	size_t n_nodes = reach->graph->n_nodes;
	span *rest = *ret_rest = calloc(reach->n_legs, sizeof(*rest));
	span *bounds = *ret = malloc(reach->n_legs * n_nodes * sizeof(*bounds));
	struct query leg_query = *query;
	int rc;

	if (rest == NULL || bounds == NULL)
		return -ENOMEM;
	leg_query.metric = metric;
	leg_query.measure = &search->graph->measures[metric];
	for (size_t leg = reach->n_legs; leg-- > 0;) {
		leg_query.to = leg_end(reach, query, leg);
		if ((rc = engine_measure(search, &leg_query, &bounds[leg * n_nodes])) < 0)
			return rc;
		if (leg > 0) {
			span over = bounds[leg * n_nodes + leg_end(reach, query, leg - 1)];

			rest[leg - 1] = over == LENGTH_INFINITE || rest[leg] == LENGTH_INFINITE
			                        ? LENGTH_INFINITE
			                        : rest[leg] + over;
		}
	}
	return 0;
}

int reach_new(struct pathcomp_search *search, const struct query *query,
              const struct pathcomp_conditions *conditions, struct reach **ret) {
	CLEANUP(reach_freep) struct reach *reach = NULL;
	int rc;

	if (conditions->n_via >= UINT16_MAX || (conditions->n_via + 1) * search->graph->n_nodes > BOUNDS_MAX)
		return -E2BIG;
	if ((reach = calloc(1, sizeof(*reach))) == NULL)
		return -ENOMEM;
	reach->graph = search->graph;
	reach->conditions = conditions;
	reach->n_legs = conditions->n_via + 1;
	rc = measure_legs(search, query, reach, query->metric, &reach->lengths, &reach->rest[0]);
	if (rc == 0 && conditions->max_latency_ns != UINT64_MAX)
		rc = measure_legs(search, query, reach, PATH_METRIC_LATENCY, &reach->latencies,
		                  &reach->rest[1]);
	if (rc == 0 && conditions->max_hops != UINT32_MAX)
		rc = measure_legs(search, query, reach, PATH_METRIC_HOPS, &reach->hops, &reach->rest[2]);
	if (rc < 0)
		return rc;
	*ret = reach;
	reach = NULL;
	return 0;
}

// ---- labels in order

// Which of two partial paths has the lesser list of ids? A path comes before those that go on from it.
static int compare_ids(const struct work *work, uint32_t left, uint32_t right) {
	const struct label *labels = work->labels;
	const struct pathcomp_graph *graph = work->search->graph;
	int longer = (labels[left].hops > labels[right].hops) - (labels[left].hops < labels[right].hops);

	while (labels[left].hops > labels[right].hops)
		left = labels[left].parent;
	while (labels[right].hops > labels[left].hops)
		right = labels[right].parent;
	if (left == right)
		return longer;
	while (labels[left].parent != labels[right].parent) {
		left = labels[left].parent;
		right = labels[right].parent;
	}
	return graph_arc_rank(graph, labels[left].arc) < graph_arc_rank(graph, labels[right].arc) ? -1 : 1;
}

static bool is_before(const struct work *work, uint32_t left, uint32_t right) {
	if (work->keys[left] != work->keys[right])
		return work->keys[left] < work->keys[right];
	return compare_ids(work, left, right) < 0;
}

static int push(struct work *work, uint32_t label) {
	size_t slot = work->n_heap;

	if (slot == work->heap_capacity) {
		size_t capacity = 2 * work->heap_capacity + 64;
		uint32_t *moved = realloc(work->heap, capacity * sizeof(*moved));

		if (moved == NULL)
			return -ENOMEM;
		work->heap = moved;
		work->heap_capacity = capacity;
	}
	work->n_heap++;
	for (; slot > 0 && is_before(work, label, work->heap[(slot - 1) / 2]); slot = (slot - 1) / 2)
		work->heap[slot] = work->heap[(slot - 1) / 2];
	work->heap[slot] = label;
	return 0;
}

static uint32_t pop(struct work *work) {
	uint32_t top = work->heap[0], last = work->heap[--work->n_heap];
	size_t slot = 0;

	while (2 * slot + 1 < work->n_heap) {
		size_t child = 2 * slot + 1;

		if (child + 1 < work->n_heap && is_before(work, work->heap[child + 1], work->heap[child]))
			child++;
		if (!is_before(work, work->heap[child], last))
			break;
		work->heap[slot] = work->heap[child];
		slot = child;
	}
	if (work->n_heap > 0)
		work->heap[slot] = last;
	return top;
}

static int make_room(struct work *work) {
	size_t capacity = 2 * work->capacity + 256;
	struct label *labels;
	span *keys;

	if (work->n == LABELS_MAX)
		return -E2BIG;
	if (work->n < work->capacity)
		return 0;
	labels = realloc(work->labels, capacity * sizeof(*labels));
	if (labels == NULL)
		return -ENOMEM;
	work->labels = labels;
	keys = realloc(work->keys, capacity * sizeof(*keys));
	if (keys == NULL)
		return -ENOMEM;
	work->keys = keys;
	work->capacity = capacity;
	return 0;
}

// ---- what a label may still become

static span bound_of(const struct reach *reach, const span *bounds, const span *rest,
                     const struct label *label) {
	span to_end = bounds[(size_t)label->leg * reach->graph->n_nodes + label->node];

	return to_end == LENGTH_INFINITE || rest[label->leg] == LENGTH_INFINITE ? LENGTH_INFINITE
	                                                                        : to_end + rest[label->leg];
}

static bool is_hopeless(const struct reach *reach, const struct label *label) {
	const struct pathcomp_conditions *conditions = reach->conditions;

	if (bound_of(reach, reach->lengths, reach->rest[0], label) == LENGTH_INFINITE)
		return true;
	if (reach->latencies != NULL) {
		span bound = bound_of(reach, reach->latencies, reach->rest[1], label);

		if (bound == LENGTH_INFINITE ||
		    label->latency_ns + length_metric(bound, &reach->graph->measures[PATH_METRIC_LATENCY]) *
		                                reach->graph->latency_unit >
		            conditions->max_latency_ns)
			return true;
	}
	if (reach->hops != NULL) {
		span bound = bound_of(reach, reach->hops, reach->rest[2], label);

		return bound == LENGTH_INFINITE ||
		       label->hops + length_metric(bound, &reach->graph->measures[PATH_METRIC_HOPS]) >
		               conditions->max_hops;
	}
	return false;
}

// Does the label pass its leg's end, or a node that is to be passed later?
static bool take_via(const struct work *work, struct label *label) {
	const struct pathcomp_conditions *conditions = work->reach->conditions;

	while (label->leg < conditions->n_via && label->node == conditions->via[label->leg])
		label->leg++;
	for (size_t i = label->leg; i < conditions->n_via; i++) {
		if (label->node == conditions->via[i])
			return false;
	}
	return label->node != work->query->to || label->leg == conditions->n_via;
}

static bool comes_by_twice(const struct work *work, uint32_t parent, uint32_t node) {
	for (uint32_t at = parent; at != NONE; at = work->labels[at].parent) {
		if (work->labels[at].node == node)
			return true;
	}
	return false;
}

// With via only what is the same path could be compared.
static bool is_dominated(struct work *work, uint32_t candidate) {
	const struct measure *measure = work->query->measure;
	struct label *labels = work->labels, *new = &labels[candidate];

	for (uint32_t at = work->of_node[new->node]; at != NONE; at = labels[at].next) {
		struct label *old = &labels[at];

		if (old->dead || length_metric(old->length, measure) > length_metric(new->length, measure) ||
		    old->latency_ns > new->latency_ns || old->hops > new->hops)
			continue;
		if (old->length != new->length || compare_ids(work, at, candidate) < 0)
			return true;
		old->dead = true;
		return false;
	}
	return false;
}

static int add_label(struct work *work, struct label label) {
	const struct reach *reach = work->reach;
	uint32_t at = (uint32_t)work->n;
	int rc;

	if (!take_via(work, &label) || is_hopeless(reach, &label))
		return 0;
	if ((rc = make_room(work)) < 0)
		return rc;
	label.next = work->of_node[label.node];
	work->labels[at] = label;
	work->keys[at] = label.length + bound_of(reach, reach->lengths, reach->rest[0], &label);
	if (reach->n_legs == 1) {
		if (is_dominated(work, at))
			return 0;
		work->of_node[label.node] = at;
	}
	work->n++;
	return push(work, at);
}

static int expand(struct work *work, uint32_t from) {
	const struct pathcomp_graph *graph = work->search->graph;
	uint32_t node = work->labels[from].node;
	int rc;

	for (uint32_t i = graph->first[node]; i < graph->first[node + 1]; i++) {
		const struct edge *edge = &graph->edges[i];
		struct label label = work->labels[from];

		if (!query_fits(work->search, work->query, i, false) ||
		    (work->reach->n_legs > 1 && comes_by_twice(work, from, edge->other)))
			continue;
		label.length += edge_length(graph, edge, work->query->measure);
		label.latency_ns += graph_latency_ns(graph, pathcomp_arc_link(edge->arc));
		label.hops++;
		label.parent = from;
		label.arc = edge->arc;
		label.node = edge->other;
		label.dead = false;
		if ((rc = add_label(work, label)) < 0)
			return rc;
	}
	return 0;
}

// ---- from a root to the target

static int begin(struct work *work, const uint32_t *root, size_t n_root) {
	const struct pathcomp_graph *graph = work->search->graph;
	struct label label = {.parent = NONE, .arc = NONE, .node = work->query->from};

	for (size_t i = 0; i < n_root; i++) {
		if (!take_via(work, &label))
			return 0;
		label.length += edge_length(graph, graph_edge(graph, root[i]), work->query->measure);
		label.latency_ns += graph_latency_ns(graph, pathcomp_arc_link(root[i]));
		label.hops++;
		label.node = pathcomp_arc_to(graph, root[i]);
	}
	return add_label(work, label);
}

static int tell(const struct work *work, uint32_t last, size_t n_root, struct pathcomp_path *ret) {
	struct pathcomp_path path = {.bottleneck_bps = PATHCOMP_UNLIMITED};
	size_t n = work->labels[last].hops - n_root;
	CLEANUP(freep) uint32_t *arcs = malloc((n + 1) * sizeof(*arcs));

	path.arcs = malloc((n + 1) * sizeof(*path.arcs));
	if (arcs == NULL || path.arcs == NULL) {
		free(path.arcs);
		return -ENOMEM;
	}
	for (size_t i = n; i-- > 0; last = work->labels[last].parent)
		arcs[i] = work->labels[last].arc;
	for (size_t i = 0; i < n; i++)
		path_append(&path, work->query->room, arcs[i]);
	*ret = path;
	return 0;
}

static int take_best(struct work *work, size_t n_root, struct pathcomp_path *ret) {
	int rc;

	while (work->n_heap > 0) {
		uint32_t at = pop(work);

		if (work->labels[at].dead)
			continue;
		if (work->labels[at].node == work->query->to)
			return tell(work, at, n_root, ret);
		if ((rc = expand(work, at)) < 0)
			return rc;
	}
	return 1;
}

static void work_fini(struct work *work) {
	free(work->labels);
	free(work->keys);
	free(work->heap);
	free(work->of_node);
}

int reach_run(struct pathcomp_search *search, const struct query *query, const struct reach *reach,
              const uint32_t *root, size_t n_root, struct pathcomp_path *ret) {
	CLEANUP(work_fini) struct work work = {.search = search, .query = query, .reach = reach};
	int rc;

	if (search->nodes.reasons[query->from] & BAN_REQUEST || search->nodes.reasons[query->to])
		return 1;
	work.of_node = malloc(search->graph->n_nodes * sizeof(*work.of_node));
	if (work.of_node == NULL)
		return -ENOMEM;
	memset(work.of_node, 0xff, search->graph->n_nodes * sizeof(*work.of_node));
	if ((rc = begin(&work, root, n_root)) < 0)
		return rc;
	return take_best(&work, n_root, ret);
}
