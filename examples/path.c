// The shortest path through a topology file that has room for a demand, by the file's own capacities.
//
//   cc path.c $(pkg-config --cflags --libs --static linkcast-pathcomp) -o path
//   ./path TOPOLOGY FROM TO GBPS
// SPDX-License-Identifier: MIT
#include <pathcomp.h>
#include <reader.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what) {
	fprintf(stderr, "path: %s\n", what);
	return EXIT_FAILURE;
}

// What is used of each direction of each link, as the file says; nothing where it says nothing.
static struct pathcomp_capacity *capacities_of(const struct topology *topology) {
	struct pathcomp_capacity *all = calloc(2 * topology->n_links + 1, sizeof(*all));

	for (size_t i = 0; all != NULL && i < topology->n_links; i++) {
		const struct link *link = &topology->links[i];
		double used[] = {link->used_capacity_gbps, link->used_capacity_reverse_gbps};

		for (int direction = 0; direction < 2; direction++)
			all[pathcomp_arc((uint32_t)i, (enum directions)direction)] =
			        (struct pathcomp_capacity){
			                .total_gbps = link->total_capacity_gbps,
			                .current_gbps = isnan(used[direction]) ? 0 : used[direction],
			                .forecast_gbps = NAN,
			                .state = STATE_UP};
	}
	return all;
}

int main(int argc, char **argv) {
	CLEANUP(pathcomp_graph_freep) struct pathcomp_graph *graph = NULL;
	CLEANUP(pathcomp_room_freep) struct pathcomp_room *room = NULL;
	CLEANUP(pathcomp_search_freep) struct pathcomp_search *search = NULL;
	CLEANUP(document_closep) struct document *memory = NULL;
	CLEANUP(freep) struct pathcomp_capacity *capacities = NULL;
	struct reader_options options = {.capacity_scale = 1};
	struct pathcomp_request request = {0};
	struct pathcomp_path path;
	struct topology topology;
	struct status status;
	int rc;

	if (argc != 5)
		return fail("usage: path TOPOLOGY FROM TO GBPS");
	if (reader_read(argv[1], &options, &topology, &memory, &status) < 0 ||
	    pathcomp_graph_new(&topology, &graph, &status) < 0)
		return fail(status.message);
	if (pathcomp_graph_find_node(graph, argv[2], &request.from) < 0 ||
	    pathcomp_graph_find_node(graph, argv[3], &request.to) < 0)
		return fail("no such node");
	request.gbps = atof(argv[4]);

	capacities = capacities_of(&topology);
	if (capacities == NULL ||
	    pathcomp_room_new(graph, capacities, (struct pathcomp_window){0, 1}, UNKNOWN_CURRENT, NULL,
	                      &room) < 0 ||
	    pathcomp_search_new(graph, &search) < 0)
		return fail("no memory");
	if ((rc = pathcomp_search_shortest(search, room, &request, &path)) < 0)
		return fail("no memory");
	if (rc == 1) {
		puts("blocked");
		return 3;
	}
	for (size_t i = 0; i < path.n_arcs; i++)
		puts(topology.links[pathcomp_arc_link(path.arcs[i])].id);
	pathcomp_path_fini(&path);
	return EXIT_SUCCESS;
}
