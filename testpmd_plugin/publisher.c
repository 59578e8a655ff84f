// Sending. The samples socket is an XPUB, which is a PUB that also tells who subscribes: the first hello can
// wait for somebody to hear it. Its threads inherit the opening thread's CPUs and signal mask, so it is
// opened on the sampler's thread. Rows that a full pipe drops are not seen here: receivers count by seq.
// SPDX-License-Identifier: MIT
#include "publisher.h"

#include "clock.h"
#include "codec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define SEND_LIMIT       16384 // messages that wait for one slow subscriber
#define SERVER_LIMIT     16
#define RECONNECT_MAX_MS 2000

struct publisher {
	void *context;
	void *samples;
	void *server;
	int lock;
	struct publisher_state state;
};

static int set_int(void *socket, int option, int value) {
	return zmq_setsockopt(socket, option, &value, sizeof(value)) == 0 ? 0 : -errno;
}

static int failed(const char *endpoint, struct status *status) {
	return status_set(status, STATUS_UNAVAILABLE, "%s: %s", endpoint, zmq_strerror(errno));
}

static int prepare(void *socket, int limit) {
	const int64_t largest = LIMIT_FRAME_SIZE;

	if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, sizeof(largest)) != 0)
		return -errno;
	if (set_int(socket, ZMQ_LINGER, 0) < 0 || set_int(socket, ZMQ_SNDHWM, limit) < 0 ||
	    set_int(socket, ZMQ_RECONNECT_IVL_MAX, RECONNECT_MAX_MS) < 0)
		return -errno;
	return 0;
}

static int open_samples(struct publisher *publisher, const struct settings *settings, struct status *status) {
	publisher->samples = zmq_socket(publisher->context, ZMQ_XPUB);
	if (publisher->samples == NULL || prepare(publisher->samples, SEND_LIMIT) < 0 ||
	    set_int(publisher->samples, ZMQ_XPUB_VERBOSER, 1) < 0)
		return failed(settings->samples, status);
	if (settings->bind)
		return endpoint_bind(publisher->samples, settings->samples, false, &publisher->lock, status);
	if (zmq_connect(publisher->samples, settings->samples) != 0)
		return failed(settings->samples, status);
	return 0;
}

// Only a connection that stands takes messages, so that no stale hellos pile up for a server that is away.
int publisher_set_server(struct publisher *publisher, const char *server, struct status *status) {
	void *socket = zmq_socket(publisher->context, ZMQ_DEALER);

	if (socket == NULL)
		return failed(server, status);
	if (prepare(socket, SERVER_LIMIT) < 0 || set_int(socket, ZMQ_IMMEDIATE, 1) < 0 ||
	    zmq_connect(socket, server) != 0) {
		zmq_close(socket);
		return failed(server, status);
	}
	if (publisher->server != NULL)
		zmq_close(publisher->server);
	publisher->server = socket;
	publisher->state.server_seen_ns = 0;
	publisher->state.server_error[0] = '\0';
	return 0;
}

int publisher_open(const struct settings *settings, struct publisher **ret, struct status *status) {
	CLEANUP(publisher_closep) struct publisher *publisher = calloc(1, sizeof(*publisher));
	int rc;

	if (publisher == NULL)
		return status_set(status, STATUS_RESOURCE_EXHAUSTED, "out of memory");
	publisher->lock = -1;
	publisher->context = zmq_ctx_new();
	if (publisher->context == NULL)
		return failed(settings->samples, status);
	if ((rc = open_samples(publisher, settings, status)) < 0 ||
	    (rc = publisher_set_server(publisher, settings->server, status)) < 0)
		return rc;

	*ret = publisher;
	publisher = NULL;
	return 0;
}

static void close_socket(void *socket, int linger_ms) {
	if (socket == NULL)
		return;
	(void)set_int(socket, ZMQ_LINGER, linger_ms);
	zmq_close(socket);
}

void publisher_close(struct publisher *publisher) {
	if (publisher == NULL)
		return;
	close_socket(publisher->samples, publisher->state.subscriptions > 0 ? PUBLISHER_LINGER_MS : 0);
	close_socket(publisher->server, PUBLISHER_LINGER_MS);
	if (publisher->context != NULL)
		zmq_ctx_term(publisher->context);
	if (publisher->lock >= 0)
		close(publisher->lock);
	free(publisher);
}

// ---- out

static int send_frame(void *socket, const void *data, size_t size, int flags) {
	int rc;

	do
		rc = zmq_send(socket, data, size, ZMQ_DONTWAIT | flags);
	while (rc < 0 && errno == EINTR);
	return rc < 0 ? -EAGAIN : 0;
}

static int publish(struct publisher *publisher, const char *topic, const struct message *message,
                   const void *body) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	int rc;

	if ((rc = message_encode(message, body, &frame)) < 0)
		return rc;
	if ((rc = send_frame(publisher->samples, topic, strlen(topic), ZMQ_SNDMORE)) < 0)
		return rc;
	return send_frame(publisher->samples, frame.data, frame.size, 0);
}

int publisher_send_sample(struct publisher *publisher, const struct sample *sample) {
	char topic[TOPIC_SIZE];
	int rc;

	snprintf(topic, sizeof(topic), "sample/%s/%s/", sample->host, sample->name);
	if ((rc = publish(publisher, topic, &sample_message, sample)) == 0)
		publisher->state.messages++;
	return rc;
}

int publisher_send_hello(struct publisher *publisher, const struct hello *hello) {
	char topic[TOPIC_SIZE];

	snprintf(topic, sizeof(topic), "hello/%s/", hello->host);
	return publish(publisher, topic, &hello_message, hello);
}

bool publisher_has_server(const struct publisher *publisher) {
	int events = 0;
	size_t size = sizeof(events);

	return zmq_getsockopt(publisher->server, ZMQ_EVENTS, &events, &size) == 0 &&
	       (events & ZMQ_POLLOUT) != 0;
}

int publisher_greet_server(struct publisher *publisher, const struct hello *hello) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	int rc;

	if ((rc = request_encode(OP_HELLO, NULL, hello, &frame)) < 0)
		return rc;
	if ((rc = send_frame(publisher->server, "", 0, ZMQ_SNDMORE)) < 0)
		return rc;
	return send_frame(publisher->server, frame.data, frame.size, 0);
}

// ---- in

void publisher_fds(const struct publisher *publisher, struct pollfd fds[static PUBLISHER_N_FDS]) {
	void *const sockets[PUBLISHER_N_FDS] = {publisher->samples, publisher->server};

	for (size_t i = 0; i < PUBLISHER_N_FDS; i++) {
		size_t size = sizeof(fds[i].fd);

		fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
		(void)zmq_getsockopt(sockets[i], ZMQ_FD, &fds[i].fd, &size);
	}
}

// A subscription is the byte 1 and the topic, the end of one is 0 and the topic.
static bool read_subscriptions(struct publisher *publisher) {
	bool subscribed = false;
	char frame[TOPIC_SIZE + 1];
	int size;

	while (size = zmq_recv(publisher->samples, frame, sizeof(frame), ZMQ_DONTWAIT), size >= 0) {
		if (size == 0)
			continue;
		subscribed |= frame[0] == 1;
		publisher->state.subscriptions += frame[0] == 1 ? 1 : frame[0] == 0 ? -1 : 0;
	}
	return subscribed;
}

static void take_answer(struct publisher *publisher, const void *data, size_t size) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct publisher_state *state = &publisher->state;
	struct reply_head head;

	if (document_from_msgpack(data, size, &document, NULL) < 0 ||
	    document_read(document, &reply_head_message, &head, NULL) < 0)
		return; // not an answer
	state->server_seen_ns = clock_mono_ns();
	snprintf(state->server_error, sizeof(state->server_error), "%s",
	         head.ok || head.error == NULL ? "" : head.error->message);
}

// Answers are an empty frame, then the map; whatever else comes is passed over.
static void read_answers(struct publisher *publisher) {
	zmq_msg_t frame;

	zmq_msg_init(&frame);
	while (zmq_msg_recv(&frame, publisher->server, ZMQ_DONTWAIT) >= 0) {
		if (zmq_msg_size(&frame) > 0)
			take_answer(publisher, zmq_msg_data(&frame), zmq_msg_size(&frame));
	}
	zmq_msg_close(&frame);
}

bool publisher_read(struct publisher *publisher) {
	bool subscribed = read_subscriptions(publisher);

	read_answers(publisher);
	return subscribed;
}

void publisher_state(const struct publisher *publisher, struct publisher_state *ret) {
	*ret = publisher->state;
}
