// The daemon's threads against each other, for TSan: publishers, and clients that change and ask at once. A plain
// program, since Criterion does not run under TSan. Fails when an answer is wrong or a row is missing.
// SPDX-License-Identifier: MIT
#include "client.h"
#include "ingest.h"
#include "service.h"
#include "state.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define N_CLIENTS    4
#define N_ROUNDS     40
#define N_PUBLISHERS 2
#define N_ROWS       400

static char folder[] = "/tmp/linkcast-stress-XXXXXX";
static char samples[64], api[64], events[64], history_path[64], state_path[64];
static struct metrics metrics;
static atomic_int faults;

static void fault(const char *what, const struct status *status) {
	fprintf(stderr, "stress: %s: %s\n", what, status != NULL ? status->message : "");
	atomic_fetch_add(&faults, 1);
}

static void ask(struct client *client, enum op op, const void *request, void *reply, const char *what) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct status status = {0};

	if (client_call(client, op, request, reply, &document, &status) < 0)
		fault(what, &status);
}

static void set_topology(struct client *client, double total) {
	struct node nodes[] = {{.id = "A"}, {.id = "B"}};
	struct port_binding ports[] = {{.host = "h0", .name = "p", .end = END_A},
	                               {.host = "h1", .name = "p", .end = END_Z}};
	struct topology topology;
	struct topology_counts counts;
	struct link link;

	topology_init(&topology);
	link_init(&link);
	link.id = "L";
	link.a = "A";
	link.z = "B";
	SET(&link, link, total_capacity_gbps, total);
	link.ports = ports;
	link.n_ports = 2;
	topology.nodes = nodes;
	topology.n_nodes = 2;
	topology.links = &link;
	topology.n_links = 1;
	ask(client, OP_SET_TOPOLOGY, &topology, &counts, "SetTopology");
}

static void one_round(struct client *client, int number, int round) {
	struct kpi_point point = {1 + (number * N_ROUNDS + round) * INT64_C(1000), 1};
	struct kpi_append append;
	struct kpi_appended appended;
	struct topology_forecast_query query;
	struct topology_forecast forecast;
	struct topology_query topology;
	struct topology_view view;
	struct empty empty = {0};
	struct source_list sources;

	if (number == 0 && round % 10 == 0)
		set_topology(client, 10 + round);
	kpi_append_init(&append);
	append.link_id = "L";
	append.kpi = 302;
	append.samples = &point;
	append.n_samples = 1;
	ask(client, OP_APPEND_KPI, &append, &appended, "AppendKpi");
	topology_forecast_query_init(&query);
	query.forecast_window_seconds = 60 + round % 3;
	ask(client, OP_FORECAST_TOPOLOGY, &query, &forecast, "ForecastTopologyCapacity");
	topology_query_init(&topology);
	ask(client, OP_GET_TOPOLOGY, &topology, &view, "GetTopology");
	ask(client, OP_LIST_SOURCES, &empty, &sources, "ListSources");
}

static void *run_client(void *argument) {
	struct client *client = NULL;
	struct status status;

	if (client_open(api, 60000, &client, &status) < 0) {
		fault("client", &status);
		return NULL;
	}
	for (int round = 0; round < N_ROUNDS; round++)
		one_round(client, *(int *)argument, round);
	client_close(client);
	return NULL;
}

static const char *names[] = {
#define COUNTER(NAME, UNIT, HELP) #NAME,
#include "port_sample.def"
#undef COUNTER
};

static void publish(void *socket, const char *host, uint64_t seq) {
	uint64_t row[2 + N_PORT_COUNTERS] = {seq,       seq * (uint64_t)NS_PER_SECOND, seq, seq, seq * 1000,
	                                     seq * 1000};
	CLEANUP(bytes_fini) struct bytes frame = {0};
	struct sample sample;

	sample_init(&sample);
	sample.v = 1;
	sample.host = host;
	sample.instance = 1;
	sample.name = "p";
	sample.up = true;
	sample.names = names;
	sample.n_names = N_PORT_COUNTERS;
	sample.rows = row;
	sample.n_rows = 1;
	if (message_encode(&sample_message, &sample, &frame) < 0)
		return;
	zmq_send(socket, "sample/h/p/", 11, ZMQ_SNDMORE);
	zmq_send(socket, frame.data, frame.size, 0);
}

// XPUB tells when analyticsd has subscribed: from then on nothing is dropped.
static void *run_publisher(void *argument) {
	const int linger = 10000, no_limit = 0;
	void *context = zmq_ctx_new(), *socket = zmq_socket(context, ZMQ_XPUB);
	char host[8], subscription[64];

	snprintf(host, sizeof(host), "h%d", *(int *)argument);
	zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger));
	zmq_setsockopt(socket, ZMQ_SNDHWM, &no_limit, sizeof(no_limit));
	zmq_connect(socket, samples);
	do
		zmq_recv(socket, subscription, sizeof(subscription), 0);
	while (memcmp(subscription + 1, "sample/", 7) != 0);
	for (uint64_t seq = 1; seq <= N_ROWS; seq++)
		publish(socket, host, seq);
	zmq_close(socket);
	zmq_ctx_term(context);
	return NULL;
}

static void run_all(void) {
	int numbers[] = {0, 1, 2, 3};
	pthread_t clients[N_CLIENTS], publishers[N_PUBLISHERS];
	struct client *client = NULL;
	struct status status;

	if (client_open(api, 60000, &client, &status) < 0)
		return fault("client", &status);
	set_topology(client, 10);
	client_close(client);
	for (int i = 0; i < N_PUBLISHERS; i++)
		pthread_create(&publishers[i], NULL, run_publisher, &numbers[i]);
	for (int i = 0; i < N_CLIENTS; i++)
		pthread_create(&clients[i], NULL, run_client, &numbers[i]);
	for (int i = 0; i < N_PUBLISHERS; i++)
		pthread_join(publishers[i], NULL);
	for (int i = 0; i < N_CLIENTS; i++)
		pthread_join(clients[i], NULL);
}

static int prepare_state(struct status *status) {
	struct state *state = NULL;
	int rc = state_open(state_path, true, &state, status);

	if (rc == 0)
		state_close(state);
	return rc;
}

static void remove_folder(void) {
	static const char *const left[] = {"s", "s.lock", "a",     "a.lock", "e",     "e.lock",
	                                   "h", "h-wal",  "h-shm", "d",      "d-wal", "d-shm"};
	char path[96];

	for (size_t i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, left[i]);
		unlink(path);
	}
	rmdir(folder);
}

int main(void) {
	struct ingest_options ingest_options = {.history_path = history_path,
	                                        .state_path = state_path,
	                                        .samples = {samples},
	                                        .n_samples = 1,
	                                        .events = events};
	struct service_options service_options = {.history_path = history_path,
	                                          .state_path = state_path,
	                                          .api = api,
	                                          .n_workers = 4,
	                                          .history_ratio = 10};
	struct ingest *ingest = NULL;
	struct service *service = NULL;
	struct status status = {.message = "out of memory"};
	void *context = zmq_ctx_new();

	if (mkdtemp(folder) == NULL)
		return EXIT_FAILURE;
	snprintf(samples, sizeof(samples), "ipc://%s/s", folder);
	snprintf(api, sizeof(api), "ipc://%s/a", folder);
	snprintf(events, sizeof(events), "ipc://%s/e", folder);
	snprintf(history_path, sizeof(history_path), "%s/h", folder);
	snprintf(state_path, sizeof(state_path), "%s/d", folder);
	if (prepare_state(&status) < 0 ||
	    ingest_start(&ingest_options, context, &metrics, &ingest, &status) < 0 ||
	    service_start(&service_options, context, &metrics, &service, &status) < 0)
		fault("start", &status);
	else
		run_all();
	service_stop(service);
	ingest_stop(ingest);
	zmq_ctx_term(context);

	if (atomic_load(&metrics.rows_stored) != N_PUBLISHERS * N_ROWS)
		fault("rows are missing", NULL);
	if (atomic_load(&metrics.kpi_points_stored) != N_CLIENTS * N_ROUNDS)
		fault("KPI points are missing", NULL);
	remove_folder();
	return atomic_load(&faults) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
