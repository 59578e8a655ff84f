// pathcomp_fixture.h: a topology written as JSON in a test, ready to be searched, and answers as text that a
// test can compare: "ab bc'" is a path over link ab forward and link bc in reverse. A test's process ends
// with the test, so failures may leave memory behind; passing tests don't.
// SPDX-License-Identifier: MIT
#pragma once

#include "pathcomp.h"
#include "reader.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_SIZE 1024

struct fixture {
	struct document *document;
	struct topology topology;
	struct pathcomp_graph *graph;
	struct pathcomp_search *search;
	struct pathcomp_capacity *capacities;
	struct pathcomp_window window;
	enum unknown_policies policy;
	char answer[ANSWER_SIZE];
};

static inline struct pathcomp_capacity fixture_capacity(const struct link *link, enum directions direction) {
	struct pathcomp_capacity capacity = {.total_gbps = NAN, .current_gbps = NAN, .forecast_gbps = NAN};

	capacity.state = link->admin_up ? STATE_UP : STATE_ADMIN_DOWN;
	if (HAS(link, link, total_capacity_gbps))
		capacity.total_gbps = link->total_capacity_gbps;
	if (HAS(link, link, used_capacity_gbps))
		capacity.current_gbps = link->used_capacity_gbps;
	if (direction == DIRECTION_REVERSE && HAS(link, link, used_capacity_reverse_gbps))
		capacity.current_gbps = link->used_capacity_reverse_gbps;
	return capacity;
}

static inline void fixture_open(struct fixture *fixture, const char *json) {
	const struct reader_options options = {.capacity_scale = 1};
	struct status status = {0};

	*fixture = (struct fixture){.window = {1000, 2000}};
	cr_assert_eq(reader_parse_json("test", json, strlen(json), &options, &fixture->topology,
	                               &fixture->document, &status),
	             0, "%s", status.message);
	cr_assert_eq(pathcomp_graph_new(&fixture->topology, &fixture->graph, &status), 0, "%s",
	             status.message);
	cr_assert_eq(pathcomp_search_new(fixture->graph, &fixture->search), 0);
	fixture->capacities = calloc(2 * fixture->topology.n_links + 1, sizeof(*fixture->capacities));
	cr_assert_not_null(fixture->capacities);
	for (uint32_t arc = 0; arc < 2 * fixture->topology.n_links; arc++)
		fixture->capacities[arc] = fixture_capacity(&fixture->topology.links[pathcomp_arc_link(arc)],
		                                            pathcomp_arc_direction(arc));
}

static inline void fixture_close(struct fixture *fixture) {
	free(fixture->capacities);
	pathcomp_search_free(fixture->search);
	pathcomp_graph_free(fixture->graph);
	document_close(fixture->document);
}

static inline uint32_t fixture_node(const struct fixture *fixture, const char *id) {
	uint32_t node = 0;

	cr_assert_eq(pathcomp_graph_find_node(fixture->graph, id, &node), 0, "no node %s", id);
	return node;
}

static inline uint32_t fixture_arc(const struct fixture *fixture, const char *id, enum directions direction) {
	uint32_t link = 0;

	cr_assert_eq(pathcomp_graph_find_link(fixture->graph, id, &link), 0, "no link %s", id);
	return pathcomp_arc(link, direction);
}

static inline void fixture_tell(struct fixture *fixture, const uint32_t *arcs, size_t n_arcs) {
	for (size_t i = 0; i < n_arcs; i++) {
		size_t used = strlen(fixture->answer);

		snprintf(fixture->answer + used, ANSWER_SIZE - used, "%s%s%s", used > 0 ? " " : "",
		         fixture->topology.links[pathcomp_arc_link(arcs[i])].id,
		         pathcomp_arc_direction(arcs[i]) == DIRECTION_REVERSE ? "'" : "");
	}
}

// "ab bc'", or "capacity: cd ed'" with the cut when blocked.
static inline const char *fixture_ask(struct fixture *fixture, const struct pathcomp_ledger *ledger,
                                      const char *from, const char *to, double gbps,
                                      enum path_metrics metric) {
	const struct pathcomp_request request = {fixture_node(fixture, from), fixture_node(fixture, to), gbps,
	                                         metric, NULL};
	CLEANUP(pathcomp_room_freep) struct pathcomp_room *room = NULL;
	CLEANUP(pathcomp_path_fini) struct pathcomp_path path = {0};
	CLEANUP(pathcomp_block_fini) struct pathcomp_block block = {0};
	int rc;

	fixture->answer[0] = '\0';
	cr_assert_eq(pathcomp_room_new(fixture->graph, fixture->capacities, fixture->window, fixture->policy,
	                               ledger, &room),
	             0);
	rc = pathcomp_search_shortest(fixture->search, room, &request, &path);
	if (rc == 0) {
		fixture_tell(fixture, path.arcs, path.n_arcs);
		return fixture->answer;
	}
	cr_assert_eq(rc, 1);
	cr_assert_eq(pathcomp_explain(fixture->search, room, &request, -1, &block), 0);
	snprintf(fixture->answer, ANSWER_SIZE, "%s:", choice_word(&block_reasons_choices, (int)block.reason));
	fixture_tell(fixture, block.cut, block.n_cut);
	return fixture->answer;
}
