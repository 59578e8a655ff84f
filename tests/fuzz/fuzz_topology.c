// Any file as a topology: refused with a reason, or a graph that can be searched, whose answers hold. Input
// that starts with '{' is JSON, with '<' GraphML, with '?' SNDlib's native format, all else the two CSV files,
// the links after a line "--".
// SPDX-License-Identifier: MIT
#include "pathcomp.h"
#include "reader.h"

#include "fuzz.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int memory_file(const void *data, size_t size, char path[static 32]) {
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static int read_csv(const char *text, size_t size, const struct reader_options *options,
                    struct topology *topology, struct document **document, struct status *status) {
	static const char line[] = "\n--\n";
	const char *border = memmem(text, size, line, strlen(line));
	size_t head = border == NULL ? size : (size_t)(border - text) + 1;
	size_t skip = border == NULL ? size : head + strlen(line) - 1;
	char nodes[32], links[32];
	int nodes_fd = memory_file(text, head, nodes),
	    links_fd = memory_file(text + skip, size - skip, links);
	int rc = reader_read_csv(nodes, links, options, topology, document, status);

	close(nodes_fd);
	close(links_fd);
	return rc;
}

static void check_answer(struct pathcomp_search *search, const struct pathcomp_room *room,
                         const struct pathcomp_request *request) {
	CLEANUP(pathcomp_path_fini) struct pathcomp_path path = {0};
	CLEANUP(pathcomp_block_fini) struct pathcomp_block block = {0};

	if (pathcomp_search_shortest(search, room, request, &path) == 0) {
		FUZZ_CHECK(path.bottleneck_bps >= pathcomp_bps(request->gbps));
		return;
	}
	FUZZ_CHECK(pathcomp_explain(search, room, request, -1, &block) == 0);
	FUZZ_CHECK((block.reason == BLOCK_REASON_NO_ROUTE) == (block.n_cut == 0));
}

static void check_graph(const struct topology *topology) {
	CLEANUP(pathcomp_graph_freep) struct pathcomp_graph *graph = NULL;
	CLEANUP(pathcomp_search_freep) struct pathcomp_search *search = NULL;
	CLEANUP(pathcomp_room_freep) struct pathcomp_room *room = NULL;
	CLEANUP(freep) struct pathcomp_capacity *capacities = NULL;
	struct pathcomp_request request = {.to = (uint32_t)topology->n_nodes - 1, .gbps = 1};
	struct status status = {0};

	if (pathcomp_graph_new(topology, &graph, &status) < 0) {
		FUZZ_CHECK(status.message[0] != '\0');
		return;
	}
	capacities = calloc(2 * topology->n_links + 1, sizeof(*capacities));
	FUZZ_CHECK(capacities != NULL && pathcomp_search_new(graph, &search) == 0);
	for (size_t i = 0; i < 2 * topology->n_links; i++) {
		const struct link *link = &topology->links[i / 2];

		capacities[i].total_gbps =
		        HAS(link, link, total_capacity_gbps) ? link->total_capacity_gbps : NAN;
		capacities[i].forecast_gbps = NAN;
		capacities[i].current_gbps = link->used_capacity_gbps;
		capacities[i].state = link->admin_up ? STATE_UP : STATE_ADMIN_DOWN;
	}
	FUZZ_CHECK(pathcomp_room_new(graph, capacities, (struct pathcomp_window){0, 1}, UNKNOWN_ALLOW, NULL,
	                             &room) == 0);
	for (int metric = 0; metric < N_path_metrics; metric++) {
		request.metric = (enum path_metrics)metric;
		check_answer(search, room, &request);
	}
}

static int read_any(const uint8_t *data, size_t size, const struct reader_options *options,
                    struct topology *topology, struct document **document, struct status *status) {
	const char *text = (const char *)data;

	switch (size > 0 ? data[0] : 0) {
	case '{':
		return reader_parse_json("fuzz", text, size, options, topology, document, status);
	case '<':
		return reader_parse_graphml("fuzz", text, size, options, topology, document, status);
	case '?':
		return reader_parse_sndlib("fuzz", text, size, options, topology, document, status);
	default:
		return read_csv(text, size, options, topology, document, status);
	}
}

static void count(void *context, const char *text) {
	FUZZ_CHECK(text[0] != '\0');
	++*(size_t *)context;
}

// Read element by element, a text is what it is when it is read whole.
static void check_json(const char *text, size_t size) {
	CLEANUP(document_closep) struct document *whole = NULL, *streamed = NULL;
	CLEANUP(bytes_fini) struct bytes left = {0}, right = {0};
	struct topology one, other;
	size_t none;
	int rc, rc_streamed;

	rc = document_from_json(text, size, &whole, NULL);
	if (rc == 0)
		rc = document_read(whole, &topology_message, &one, NULL);
	rc_streamed =
	        document_read_json(text, size, &topology_message, &other, NULL, NULL, &none, &streamed, NULL);
	FUZZ_CHECK((rc == 0) == (rc_streamed == 0));
	if (rc < 0)
		return;
	FUZZ_CHECK(message_encode(&topology_message, &one, &left) == 0 &&
	           message_encode(&topology_message, &other, &right) == 0);
	FUZZ_CHECK(left.size == right.size && memcmp(left.data, right.data, left.size) == 0);
}

// Whoever asks for every defect hears of one exactly when the file is refused.
static void check_defects(const uint8_t *data, size_t size, bool refused) {
	CLEANUP(document_closep) struct document *document = NULL;
	size_t n_told = 0;
	const struct reader_options options = {.capacity_scale = 1, .defect = count, .context = &n_told};
	struct topology topology;
	struct status status = {0};
	int rc = read_any(data, size, &options, &topology, &document, &status);

	FUZZ_CHECK((rc < 0) == refused && (rc == 0 || status.message[0] != '\0') && (rc < 0 || n_told == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	CLEANUP(document_closep) struct document *document = NULL;
	const struct reader_options options = {.capacity_scale = 1e-3};
	struct topology topology;
	struct status status = {0};
	int rc = read_any(data, size, &options, &topology, &document, &status);

	check_defects(data, size, rc < 0);
	if (size > 0 && data[0] == '{')
		check_json((const char *)data, size);
	if (rc < 0) {
		FUZZ_CHECK(rc != -ENOMEM && status.message[0] != '\0');
		return 0;
	}
	check_graph(&topology);
	return 0;
}
