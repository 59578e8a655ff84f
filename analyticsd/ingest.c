// The ingest thread: samples to history, used capacity and events.
// SPDX-License-Identifier: MIT
#include "ingest.h"

#include "bindings.h"
#include "codec.h"
#include "handover.h"
#include "history.h"
#include "log.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#define INGEST_QUEUE       "inproc://ingest"
#define FRAMES_BEFORE_LOOK 256 // frames taken before calls and the clock are looked at again
#define RECEIVE_HIGH_WATER 100000
#define FRAMES_AT_STOP     (2 * RECEIVE_HIGH_WATER) // a publisher that never pauses can't hold up the end
#define MAX_INTERVAL_NS    (3600 * (uint64_t)NS_PER_SECOND)

// What the open transaction will have stored.
struct tally {
	uint64_t rows, usage_points;
};

struct ingest {
	void *samples, *events, *calls;
	int locks[MAX_SAMPLE_SOURCES + 1];
	size_t n_locks;
	struct history *history;
	struct state *state;
	struct usage *usage;
	struct announcements *announcements;
	struct metrics *metrics;
	int stop_fd;
	bool writing; // a transaction is open
	struct tally tally;
	int64_t begun_mono_ns;
	int64_t complained_mono_ns; // errors of the store are said once a minute
	pthread_t thread;
};

// ---- the transaction

static void complain(struct ingest *ingest, const struct status *status) {
	int64_t now = clock_mono_ns();

	METRIC_ADD(ingest->metrics, store_errors, 1);
	if (ingest->complained_mono_ns != 0 && now - ingest->complained_mono_ns < 60 * NS_PER_SECOND)
		return;
	ingest->complained_mono_ns = now;
	log_error("cannot store: %s", status->message);
}

static int begin(struct ingest *ingest, struct status *status) {
	int rc;

	if (ingest->writing)
		return 0;
	if ((rc = history_begin(ingest->history, status)) < 0)
		return rc;
	ingest->writing = true;
	ingest->tally = (struct tally){0};
	ingest->begun_mono_ns = clock_mono_ns();
	return 0;
}

static int commit(struct ingest *ingest, struct status *status) {
	int rc;

	if (!ingest->writing)
		return 0;
	ingest->writing = false;
	rc = history_commit(ingest->history, status);
	if (rc < 0) {
		history_rollback(ingest->history);
		return rc;
	}
	METRIC_ADD(ingest->metrics, commits, 1);
	METRIC_ADD(ingest->metrics, rows_stored, ingest->tally.rows);
	METRIC_ADD(ingest->metrics, usage_points, ingest->tally.usage_points);
	return 0;
}

// ---- publishing

// Sends never wait: a subscriber that is too slow loses messages, as PUB does.
static void publish(struct ingest *ingest, const char *topic, const void *frame, size_t size) {
	if (zmq_send(ingest->events, topic, strlen(topic), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0)
		zmq_send(ingest->events, frame, size, ZMQ_DONTWAIT);
}

static void publish_usage(struct ingest *ingest, const struct usage_point *point) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	char topic[TOPIC_SIZE];
	struct link_usage usage = {
	        .link_id = point->link_id,
	        .direction = point->direction,
	        .ts_ns = point->point.ts_ns,
	        .used_capacity_gbps = point->point.gbps,
	        .state = STATE_UP, // measured on a port that is up
	};

	if (message_encode(&link_usage_message, &usage, &frame) < 0)
		return;
	snprintf(topic, sizeof(topic), "link/%s/", point->link_id);
	publish(ingest, topic, frame.data, frame.size);
}

// ---- samples

static void count_event(struct metrics *metrics, enum rate_event event, uint64_t missing) {
	switch (event) {
	case RATE_RESET:
		METRIC_ADD(metrics, counter_resets, 1);
		break;
	case RATE_WRAP:
		METRIC_ADD(metrics, counter_wraps, 1);
		break;
	case RATE_GAP:
		METRIC_ADD(metrics, gaps, 1);
		METRIC_ADD(metrics, rows_missing, missing);
		break;
	case RATE_DOWN:
		METRIC_ADD(metrics, down_intervals, 1);
		break;
	case RATE_CLOCK_STEP:
		METRIC_ADD(metrics, clock_steps, 1);
		break;
	case RATE_READY:
	case RATE_WAITING:
	case RATE_STALE:
	case N_RATE_EVENTS:
		break;
	}
}

static struct port_reading reading_of(const struct sample *sample, const uint64_t *row) {
	const uint64_t *counters = row + 2;

	return (struct port_reading){
	        .instance = sample->instance,
	        .seq = row[0],
	        .epoch = sample->epoch,
	        .ts_ns = (int64_t)row[1],
	        .up = sample->up,
	        .rx_packets = counters[COUNTER_rx_packets],
	        .tx_packets = counters[COUNTER_tx_packets],
	        .rx_bytes = counters[COUNTER_rx_bytes],
	        .tx_bytes = counters[COUNTER_tx_bytes],
	};
}

static int derive(struct ingest *ingest, const struct sample *sample, struct status *status) {
	size_t width = 2 + sample->n_names, n_points;
	struct usage_point points[N_directions];
	int rc;

	for (size_t i = 0; i < sample->n_rows; i++) {
		struct port_reading reading = reading_of(sample, sample->rows + i * width);
		uint64_t missing = 0;
		enum rate_event event = usage_advance(ingest->usage, sample->host, sample->name, &reading,
		                                      &missing, points, &n_points);

		count_event(ingest->metrics, event, missing);
		for (size_t p = 0; p < n_points; p++) {
			if ((rc = history_add_kpi(ingest->history, points[p].link_id, points[p].direction,
			                          KPI_LINK_USED_CAPACITY, KPI_MEASURED, &points[p].point, 1,
			                          NULL, status)) < 0)
				return rc;
			ingest->tally.usage_points++;
			publish_usage(ingest, &points[p]);
		}
	}
	return 0;
}

static int rebind(struct ingest *ingest, struct status *status) {
	return bindings_load(ingest->state, ingest->announcements, ingest->usage, status);
}

// seq counts from 1; a time from the future would stay the newest until it comes.
static int check_rows(const struct sample *sample, int64_t now_ns, struct status *status) {
	const uint64_t latest = (uint64_t)(now_ns + LIMIT_FUTURE_SECONDS * NS_PER_SECOND);

	for (size_t i = 0; i < sample->n_rows; i++) {
		const uint64_t *row = sample->rows + i * (2 + sample->n_names);

		if (row[0] == 0 || row[0] > INT64_MAX)
			return status_set(status, STATUS_INVALID_ARGUMENT, "rows[%zu][0]: seq counts from 1",
			                  i);
		if (row[1] > latest)
			return status_set(status, STATUS_INVALID_ARGUMENT,
			                  "rows[%zu][1]: more than %d s in the future", i,
			                  LIMIT_FUTURE_SECONDS);
	}
	return 0;
}

static int take_sample(struct ingest *ingest, const struct sample *sample, struct status *status) {
	struct sample_stored stored;
	int rc;

	if ((rc = check_rows(sample, clock_real_ns(), status)) < 0)
		return rc;
	if ((rc = begin(ingest, status)) < 0 ||
	    (rc = history_add_sample(ingest->history, sample, &stored, status)) < 0)
		return rc;
	ingest->tally.rows += stored.rows;
	METRIC_ADD(ingest->metrics, rows_duplicate, stored.duplicates);
	rc = announcements_note(ingest->announcements, sample->host, sample->name, sample->link);
	if (rc > 0)
		rc = rebind(ingest, status);
	if (rc < 0)
		return rc;
	if ((rc = history_add_hello(ingest->history, sample->host, sample->instance, clock_real_ns(), NULL,
	                            status)) < 0)
		return rc;
	return derive(ingest, sample, status);
}

static int take_hello(struct ingest *ingest, const struct hello *hello, struct status *status) {
	int rc;

	if (hello->interval_ns > MAX_INTERVAL_NS)
		return status_set(status, STATUS_INVALID_ARGUMENT, "interval_ns: more than an hour");
	METRIC_ADD(ingest->metrics, hellos_received, 1);
	if ((rc = begin(ingest, status)) < 0)
		return rc;
	return history_add_hello(ingest->history, hello->host, hello->instance, clock_real_ns(), hello,
	                         status);
}

static int take_frame(struct ingest *ingest, const char *topic, size_t topic_size, const void *data,
                      size_t size, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct sample sample;
	struct hello hello;
	int rc;

	if ((rc = document_from_msgpack(data, size, &document, status)) < 0)
		return rc;
	if (topic_size >= 6 && memcmp(topic, "hello/", 6) == 0) {
		if ((rc = document_read(document, &hello_message, &hello, status)) < 0)
			return rc;
		return take_hello(ingest, &hello, status);
	}
	if (topic_size < 7 || memcmp(topic, "sample/", 7) != 0)
		return 0; // other topics are for other subscribers
	if ((rc = document_read(document, &sample_message, &sample, status)) < 0)
		return rc;
	return take_sample(ingest, &sample, status);
}

// Two frames, topic then map; more are read and dropped. Returns 0, -EAGAIN when there is nothing, or -EINTR.
static int receive_pair(void *socket, zmq_msg_t frames[static 2], size_t *ret_n) {
	zmq_msg_t rest;
	size_t n = 0;
	bool more;

	do {
		zmq_msg_t *frame = n < 2 ? &frames[n] : &rest;

		if (n >= 2)
			zmq_msg_init(&rest);
		if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0)
			return -errno;
		more = zmq_msg_more(frame) != 0;
		if (n >= 2)
			zmq_msg_close(&rest);
		n++;
	} while (more);
	*ret_n = n;
	return 0;
}

static void refuse(struct ingest *ingest, int rc, const struct status *status) {
	METRIC_ADD(ingest->metrics, frames_refused, 1);
	if (rc == -EINVAL)
		log_debug("refused a published frame: %s", status->message);
	else
		complain(ingest, status);
}

static int take_samples(struct ingest *ingest, int most) {
	for (int i = 0; i < most; i++) {
		struct status status = {.message = "out of memory"};
		zmq_msg_t frames[2];
		size_t n = 0;
		int rc;

		zmq_msg_init(&frames[0]);
		zmq_msg_init(&frames[1]);
		rc = receive_pair(ingest->samples, frames, &n);
		if (rc == 0) {
			METRIC_ADD(ingest->metrics, frames_received, 1);
			rc = n == 2 ? take_frame(ingest, zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0]),
			                         zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]), &status)
			            : status_set(&status, STATUS_INVALID_ARGUMENT,
			                         "%zu frames, not topic and map", n);
			if (rc < 0)
				refuse(ingest, rc, &status);
			else if (zmq_msg_size(&frames[0]) < TOPIC_SIZE) {
				char topic[TOPIC_SIZE] = {0};

				memcpy(topic, zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0]));
				publish(ingest, topic, zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]));
			}
			rc = 0;
		}
		zmq_msg_close(&frames[0]);
		zmq_msg_close(&frames[1]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

// ---- calls of other threads

static int append_kpi(struct ingest *ingest, struct ingest_call *call) {
	const struct kpi_append *append = call->append;
	int rc;

	// What came before must not be lost when these points can't be stored: it is committed apart.
	if ((rc = commit(ingest, &call->status)) < 0 || (rc = begin(ingest, &call->status)) < 0)
		return rc;
	rc = history_add_kpi(ingest->history, append->link_id, append->direction, append->kpi, KPI_APPENDED,
	                     append->samples, append->n_samples, &call->appended, &call->status);
	if (rc < 0) {
		history_rollback(ingest->history);
		ingest->writing = false;
		return rc;
	}
	if ((rc = commit(ingest, &call->status)) < 0)
		return rc;
	METRIC_ADD(ingest->metrics, kpi_points_stored, (uint64_t)call->appended.stored);
	METRIC_ADD(ingest->metrics, kpi_points_known, (uint64_t)call->appended.known);
	METRIC_ADD(ingest->metrics, kpi_points_conflicting, (uint64_t)call->appended.conflicting);
	return 0;
}

static void serve_call(struct ingest *ingest, struct ingest_call *call) {
	switch (call->task) {
	case INGEST_APPEND_KPI:
		call->rc = append_kpi(ingest, call);
		break;
	case INGEST_HELLO:
		call->rc = take_hello(ingest, call->hello, &call->status);
		break;
	case INGEST_BIND:
		call->rc = rebind(ingest, &call->status);
		break;
	case INGEST_PUBLISH:
		publish(ingest, call->topic, call->frame->data, call->frame->size);
		call->rc = 0;
		break;
	}
}

// A call travels as a pointer: its owner waits for the answer, so it lives until then.
static void take_calls(struct ingest *ingest) {
	for (;;) {
		struct ingest_call *call = NULL;
		zmq_msg_t caller;

		zmq_msg_init(&caller);
		if (zmq_msg_recv(&caller, ingest->calls, ZMQ_DONTWAIT) < 0 ||
		    zmq_recv(ingest->calls, &call, sizeof(call), 0) != sizeof(call)) {
			zmq_msg_close(&caller);
			return;
		}
		HANDOVER_TAKE(call);
		serve_call(ingest, call);
		HANDOVER_GIVE(call);
		zmq_msg_send(&caller, ingest->calls, ZMQ_SNDMORE);
		zmq_send(ingest->calls, "", 0, 0);
	}
}

void *ingest_caller(void *context) {
	void *caller = zmq_socket(context, ZMQ_DEALER);
	const int no_linger = 0;

	if (caller == NULL)
		return NULL;
	zmq_setsockopt(caller, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	if (zmq_connect(caller, INGEST_QUEUE) == 0)
		return caller;
	zmq_close(caller);
	return NULL;
}

int ingest_call(void *caller, struct ingest_call *call) {
	char answer;
	int rc;

	HANDOVER_GIVE(call);
	if (zmq_send(caller, &call, sizeof(call), 0) < 0)
		return status_set(&call->status, STATUS_INTERNAL, "ingest queue: %s", zmq_strerror(errno));
	do
		rc = zmq_recv(caller, &answer, sizeof(answer), 0);
	while (rc < 0 && errno == EINTR);
	HANDOVER_TAKE(call);
	return call->rc;
}

// ---- the thread

static void *run(void *argument) {
	struct ingest *ingest = argument;
	zmq_pollitem_t items[] = {
	        {.socket = ingest->samples, .events = ZMQ_POLLIN},
	        {.socket = ingest->calls, .events = ZMQ_POLLIN},
	        {.socket = ingest->events, .events = ZMQ_POLLIN},
	        {.fd = ingest->stop_fd, .events = ZMQ_POLLIN},
	};
	struct status status;
	char subscription[TOPIC_SIZE];

	pthread_setname_np(pthread_self(), "linkcast-ingest");
	while ((items[3].revents & ZMQ_POLLIN) == 0) {
		long wait_ms = -1;

		if (ingest->writing) {
			int64_t left = ingest->begun_mono_ns + COMMIT_INTERVAL_NS - clock_mono_ns();

			wait_ms = left > 0 ? (long)(left / NS_PER_MS) + 1 : 0;
		}
		if (zmq_poll(items, 4, wait_ms) < 0 && errno != EINTR)
			break;
		take_calls(ingest);
		(void)take_samples(ingest, FRAMES_BEFORE_LOOK);
		while (zmq_recv(ingest->events, subscription, sizeof(subscription), ZMQ_DONTWAIT) >= 0)
			continue; // subscriptions come in on XPUB; nothing depends on them
		if (ingest->writing && clock_mono_ns() - ingest->begun_mono_ns >= COMMIT_INTERVAL_NS &&
		    commit(ingest, &status) < 0)
			complain(ingest, &status);
	}
	(void)take_samples(ingest, FRAMES_AT_STOP);
	take_calls(ingest);
	if (commit(ingest, &status) < 0)
		complain(ingest, &status);
	return NULL;
}

// ---- start and stop

static void close_all(struct ingest *ingest) {
	void *const sockets[] = {ingest->samples, ingest->events, ingest->calls};

	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
		if (sockets[i] != NULL)
			zmq_close(sockets[i]);
	}
	for (size_t i = 0; i < ingest->n_locks; i++)
		close(ingest->locks[i]);
	history_close(ingest->history);
	state_close(ingest->state);
	usage_free(ingest->usage);
	announcements_free(ingest->announcements);
	if (ingest->stop_fd >= 0)
		close(ingest->stop_fd);
	free(ingest);
}
DEFINE_CLEANUP(struct ingest *, close_all)

static void *make_socket(void *context, int type) {
	const int high_water = RECEIVE_HIGH_WATER, no_linger = 0;
	const int64_t limit = LIMIT_FRAME_SIZE;
	void *socket = zmq_socket(context, type);

	if (socket == NULL)
		return NULL;
	zmq_setsockopt(socket, ZMQ_RCVHWM, &high_water, sizeof(high_water));
	zmq_setsockopt(socket, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &limit, sizeof(limit));
	return socket;
}

static int take_endpoint(struct ingest *ingest, void *socket, const char *endpoint, bool insecure,
                         struct status *status) {
	int lock = -1, rc;

	if (endpoint[0] == '>') {
		if (zmq_connect(socket, endpoint + 1) != 0)
			return status_set(status, STATUS_INVALID_ARGUMENT, "cannot connect to %s: %s",
			                  endpoint + 1, zmq_strerror(errno));
		return 0;
	}
	if ((rc = endpoint_bind(socket, endpoint, insecure, &lock, status)) < 0)
		return rc;
	if (lock >= 0)
		ingest->locks[ingest->n_locks++] = lock;
	return 0;
}

static int open_sockets(struct ingest *ingest, const struct ingest_options *options, void *context,
                        struct status *status) {
	int rc;

	ingest->samples = make_socket(context, ZMQ_SUB);
	ingest->events = make_socket(context, ZMQ_XPUB);
	ingest->calls = make_socket(context, ZMQ_ROUTER);
	if (ingest->samples == NULL || ingest->events == NULL || ingest->calls == NULL)
		return -ENOMEM;
	zmq_setsockopt(ingest->samples, ZMQ_SUBSCRIBE, "sample/", 7);
	zmq_setsockopt(ingest->samples, ZMQ_SUBSCRIBE, "hello/", 6);
	for (size_t i = 0; i < options->n_samples; i++) {
		if ((rc = take_endpoint(ingest, ingest->samples, options->samples[i], options->insecure,
		                        status)) < 0)
			return rc;
	}
	if ((rc = take_endpoint(ingest, ingest->events, options->events, options->insecure, status)) < 0)
		return rc;
	return zmq_bind(ingest->calls, INGEST_QUEUE) == 0 ? 0 : -errno;
}

int ingest_start(const struct ingest_options *options, void *context, struct metrics *metrics,
                 struct ingest **ret, struct status *status) {
	CLEANUP(close_allp) struct ingest *ingest = calloc(1, sizeof(*ingest));
	int rc;

	if (ingest == NULL)
		return -ENOMEM;
	ingest->metrics = metrics;
	ingest->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (ingest->stop_fd < 0)
		return -errno;
	if ((rc = history_open(options->history_path, true, &ingest->history, status)) < 0 ||
	    (rc = state_open(options->state_path, false, &ingest->state, status)) < 0 ||
	    (rc = usage_new(options->accounting, &ingest->usage)) < 0 ||
	    (rc = announcements_new(ingest->history, &ingest->announcements, status)) < 0 ||
	    (rc = rebind(ingest, status)) < 0 || (rc = open_sockets(ingest, options, context, status)) < 0)
		return rc;
	rc = pthread_create(&ingest->thread, NULL, run, ingest);
	if (rc != 0)
		return -rc;
	*ret = ingest;
	ingest = NULL;
	return 0;
}

void ingest_stop(struct ingest *ingest) {
	if (ingest == NULL)
		return;
	eventfd_write(ingest->stop_fd, 1);
	pthread_join(ingest->thread, NULL);
	close_all(ingest);
}
