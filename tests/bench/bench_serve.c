// Answers over the socket of `pathcomp serve`: one request at a time (latency), then many under way (rate).
//
//   bench_serve ENDPOINT NODES_FILE [REQUESTS] [DURATION_SECONDS]     NODES_FILE: a topology, for the names of its nodes
//
// SPDX-License-Identifier: MIT
#include "clock.h"
#include "codec.h"
#include "reader.h"

#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define UNDER_WAY 64
#define GBPS      1.0

struct bench {
	struct topology topology;
	struct document *document;
	void *context;
	const char *endpoint;
	double duration_seconds; // 0: none asked for
	size_t n, n_paths;
	int64_t *taken_ns;
};

static uint64_t state = 1;

static uint64_t draw_below(uint64_t n) {
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (state * UINT64_C(0x2545F4914F6CDD1D)) % n;
}

static void fail(const char *what) {
	fprintf(stderr, "bench_serve: %s\n", what);
	exit(1);
}

static struct bytes draw_request(const struct bench *bench) {
	size_t from = draw_below(bench->topology.n_nodes),
	       to = (from + 1 + draw_below(bench->topology.n_nodes - 1)) % bench->topology.n_nodes;
	struct path_query query;
	struct bytes bytes = {0};

	path_query_init(&query);
	query.from = bench->topology.nodes[from].id;
	query.to = bench->topology.nodes[to].id;
	query.gbps = GBPS;
	if (bench->duration_seconds > 0)
		SET(&query, path_query, duration_seconds, bench->duration_seconds);
	if (path_request_encode(PATH_OP_COMPUTE_PATH, NULL, &query, NULL, &bytes) < 0)
		fail("no memory");
	return bytes;
}

static bool is_path(const void *frame, size_t size) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct path_answer answer;
	struct status status = {0};

	if (document_from_msgpack(frame, size, &document, &status) < 0 ||
	    document_read(document, &path_answer_message, &answer, &status) < 0)
		fail(status.message);
	return answer.status == PATH_STATUS_PATH;
}

static void *open_socket(struct bench *bench, int type) {
	int timeout_ms = 10000, linger_ms = 0;
	void *socket = zmq_socket(bench->context, type);

	if (socket == NULL || zmq_setsockopt(socket, ZMQ_RCVTIMEO, &timeout_ms, sizeof(timeout_ms)) < 0 ||
	    zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms)) < 0 ||
	    zmq_connect(socket, bench->endpoint) < 0)
		fail("no socket");
	return socket;
}

static void take_reply(struct bench *bench, void *socket) {
	zmq_msg_t reply;

	zmq_msg_init(&reply);
	if (zmq_msg_recv(&reply, socket, 0) < 0)
		fail("no answer");
	bench->n_paths += is_path(zmq_msg_data(&reply), zmq_msg_size(&reply));
	zmq_msg_close(&reply);
}

static void ask_singly(struct bench *bench) {
	void *socket = open_socket(bench, ZMQ_REQ);

	for (size_t i = 0; i < bench->n; i++) {
		struct bytes request = draw_request(bench);
		int64_t start_ns = clock_mono_ns();

		if (zmq_send(socket, request.data, request.size, 0) < 0)
			fail("can't send");
		take_reply(bench, socket);
		bench->taken_ns[i] = clock_mono_ns() - start_ns;
		bytes_fini(&request);
	}
	zmq_close(socket);
}

static double ask_together(struct bench *bench) {
	void *socket = open_socket(bench, ZMQ_DEALER);
	int64_t start_ns = clock_mono_ns();

	for (size_t sent = 0, taken = 0; taken < bench->n;) {
		if (sent < bench->n && sent - taken < UNDER_WAY) {
			struct bytes request = draw_request(bench);

			if (zmq_send(socket, "", 0, ZMQ_SNDMORE) < 0 ||
			    zmq_send(socket, request.data, request.size, 0) < 0)
				fail("can't send");
			bytes_fini(&request);
			sent++;
			continue;
		}
		if (zmq_recv(socket, NULL, 0, 0) < 0)
			fail("no answer");
		take_reply(bench, socket);
		taken++;
	}
	zmq_close(socket);
	return (double)(clock_mono_ns() - start_ns) / NS_PER_SECOND;
}

static int compare_times(const void *left, const void *right) {
	int64_t l = *(const int64_t *)left, r = *(const int64_t *)right;

	return (l > r) - (l < r);
}

static double part_us(const struct bench *bench, double part) {
	return (double)bench->taken_ns[(size_t)((double)(bench->n - 1) * part)] / 1e3;
}

int main(int argc, char **argv) {
	struct bench bench = {.n = argc > 3 ? strtoul(argv[3], NULL, 10) : 20000};
	const struct reader_options options = {.capacity_scale = 1};
	struct status status = {0};
	double seconds;

	if (argc < 3) {
		fprintf(stderr, "Usage: bench_serve ENDPOINT NODES_FILE [REQUESTS] [DURATION_SECONDS]\n");
		return 2;
	}
	if (reader_read(argv[2], &options, &bench.topology, &bench.document, &status) < 0)
		fail(status.message);
	bench.endpoint = argv[1];
	bench.duration_seconds = argc > 4 ? strtod(argv[4], NULL) : 0;
	bench.context = zmq_ctx_new();
	bench.taken_ns = calloc(bench.n + 1, sizeof(*bench.taken_ns));
	if (bench.context == NULL || bench.taken_ns == NULL || bench.n == 0)
		fail("no memory");
	ask_singly(&bench);
	qsort(bench.taken_ns, bench.n, sizeof(*bench.taken_ns), compare_times);
	printf("one at a time: %zu requests, median %.0f us, p99 %.0f us, p99.9 %.0f us, longest %.0f us\n",
	       bench.n, part_us(&bench, 0.5), part_us(&bench, 0.99), part_us(&bench, 0.999),
	       part_us(&bench, 1));
	seconds = ask_together(&bench);
	printf("%d under way:  %.0f answers/s; %zu of %zu answers were paths\n", UNDER_WAY,
	       (double)bench.n / seconds, bench.n_paths, 2 * bench.n);
	free(bench.taken_ns);
	zmq_ctx_term(bench.context);
	document_close(bench.document);
	return 0;
}
