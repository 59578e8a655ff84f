// Sending. The samples socket is an XPUB, which is a PUB that also tells who subscribes: the first hello can
// wait for somebody to hear it. Its threads inherit the opening thread's CPUs and signal mask, so it is
// opened on the sampler's thread. Rows that a full pipe drops are not seen here: receivers count by seq.
// SPDX-License-Identifier: MIT
#include "publisher.h"

#include "clock.h"
#include "codec.h"
#include "door.h"
#include "keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#define SEND_LIMIT       16384 // messages that wait for one slow subscriber
#define SERVER_LIMIT     16
#define RECONNECT_MAX_MS 2000
#define GOODBYE_NS       NS_PER_SECOND // for a socket under CURVE to be gone

struct publisher {
	void *context;
	void *samples;
	void *server;
	struct door *door; // of a samples socket that is bound under CURVE
	int lock;
	bool touched; // since input was looked for
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

static const char *variable(const char *name) {
	const char *text = getenv(name);

	return text != NULL && text[0] != '\0' ? text : NULL;
}

// The server's key is the only one that is let in; when it is not known, everybody that has the plugin's public key is.
static int open_door(struct publisher *publisher, struct status *status) {
	const char *given = variable("LINKCAST_CURVE_SERVER");
	char key[KEY_TEXT_SIZE];
	int rc;

	if (given == NULL)
		return 0;
	if ((rc = key_read_public(given, key, status)) < 0) {
		status_prefix(status, "LINKCAST_CURVE_SERVER: ");
		return rc;
	}
	return door_open(publisher->context, publisher->samples, key, &publisher->door, status);
}

// Binding under CURVE takes a key file of one's own.
static int bind_samples(struct publisher *publisher, const char *endpoint, struct status *status) {
	CLEANUP(keypair_wipe) struct keypair keys = {0};
	const char *path = variable("LINKCAST_CURVE_KEY");
	bool has_keys = path != NULL && strncmp(endpoint, "tcp://", 6) == 0;
	int rc;

	if (has_keys &&
	    ((rc = keypair_read(path, &keys, status)) < 0 || (rc = open_door(publisher, status)) < 0))
		return rc;
	rc = keys_before_bind(publisher->samples, endpoint, has_keys ? &keys : NULL, DOOR_DOMAIN, status);
	if (rc < 0)
		return rc;
	return endpoint_bind(publisher->samples, endpoint, has_keys, &publisher->lock, status);
}

static int connect_socket(void *socket, const char *endpoint, struct status *status) {
	int rc = keys_before_connect_environment(socket, endpoint, status);

	if (rc < 0)
		return rc;
	return zmq_connect(socket, endpoint) == 0 ? 0 : failed(endpoint, status);
}

static int open_samples(struct publisher *publisher, const struct settings *settings, struct status *status) {
	publisher->samples = zmq_socket(publisher->context, ZMQ_XPUB);
	if (publisher->samples == NULL || prepare(publisher->samples, SEND_LIMIT) < 0 ||
	    set_int(publisher->samples, ZMQ_XPUB_VERBOSER, 1) < 0)
		return failed(settings->samples, status);
	if (settings->bind)
		return bind_samples(publisher, settings->samples, status);
	return connect_socket(publisher->samples, settings->samples, status);
}

// Only a connection that stands takes messages, so that no stale hellos pile up for a server that is away.
static int open_server(struct publisher *publisher, const char *server, void **ret, struct status *status) {
	void *socket = zmq_socket(publisher->context, ZMQ_DEALER);
	int rc;

	if (socket == NULL)
		return failed(server, status);
	if (prepare(socket, SERVER_LIMIT) < 0 || set_int(socket, ZMQ_IMMEDIATE, 1) < 0)
		rc = failed(server, status);
	else
		rc = connect_socket(socket, server, status);
	if (rc < 0) {
		zmq_close(socket);
		return rc;
	}
	*ret = socket;
	return 0;
}

int publisher_set_server(struct publisher *publisher, const char *server, struct status *status) {
	void *socket = NULL;
	int rc;

	if ((rc = open_server(publisher, server, &socket, status)) < 0)
		return rc;
	if (publisher->server != NULL)
		zmq_close(publisher->server);
	publisher->server = socket;
	publisher->touched = true;
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
	if (door_see_out(publisher->door, GOODBYE_NS) == 0) {
		door_close(publisher->door);
		if (publisher->context != NULL)
			zmq_ctx_term(publisher->context);
	} // else both stay as they are, for good: that harms nobody, and ending them might
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

static int publish(struct publisher *publisher, const char *topic, const struct bytes *frame) {
	int rc;

	publisher->touched = true;
	if ((rc = send_frame(publisher->samples, topic, strlen(topic), ZMQ_SNDMORE)) < 0)
		return rc;
	return send_frame(publisher->samples, frame->data, frame->size, 0);
}

int publisher_send_sample(struct publisher *publisher, const char *host, const char *port,
                          const struct bytes *sample) {
	char topic[TOPIC_SIZE];
	int rc;

	snprintf(topic, sizeof(topic), "sample/%s/%s/", host, port);
	if ((rc = publish(publisher, topic, sample)) == 0)
		publisher->state.messages++;
	return rc;
}

static int publish_state(struct publisher *publisher, enum topic topic, const char *host, const void *body) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	char text[TOPIC_SIZE];
	int rc;

	snprintf(text, sizeof(text), "%s/%s/", topics[topic].word, host);
	if ((rc = message_encode(topics[topic].message, body, &frame)) < 0)
		return rc;
	return publish(publisher, text, &frame);
}

int publisher_send_hello(struct publisher *publisher, const struct hello *hello) {
	return publish_state(publisher, TOPIC_HELLO, hello->host, hello);
}

int publisher_send_lcores(struct publisher *publisher, const struct lcores *lcores) {
	return publish_state(publisher, TOPIC_LCORE, lcores->host, lcores);
}

// Asking takes what the descriptor would have told.
bool publisher_has_server(struct publisher *publisher) {
	int events = 0;
	size_t size = sizeof(events);

	publisher->touched = true;
	return zmq_getsockopt(publisher->server, ZMQ_EVENTS, &events, &size) == 0 &&
	       (events & ZMQ_POLLOUT) != 0;
}

int publisher_greet_server(struct publisher *publisher, const struct hello *hello) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	int rc;

	if ((rc = request_encode(OP_HELLO, NULL, hello, &frame)) < 0)
		return rc;
	return publisher_answer(publisher, &frame);
}

int publisher_answer(struct publisher *publisher, const struct bytes *frame) {
	int rc;

	publisher->touched = true;
	if ((rc = send_frame(publisher->server, "", 0, ZMQ_SNDMORE)) < 0)
		return rc;
	return send_frame(publisher->server, frame->data, frame->size, 0);
}

// ---- in

void publisher_fds(const struct publisher *publisher, struct pollfd fds[static PUBLISHER_N_FDS]) {
	void *const sockets[] = {publisher->samples, publisher->server};

	fds[2] = (struct pollfd){.fd = door_fd(publisher->door), .events = POLLIN};
	for (size_t i = 0; i < 2; i++) {
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

// Malformed frames and unknown operations are passed over: a publisher owes nobody an error.
static bool take_request(struct document *document, publisher_replay_fn replay, void *context) {
	struct replay_request request;
	struct request_head head;
	enum publisher_op op;

	if (document_read(document, &request_head_message, &head, NULL) < 0)
		return false;
	if (publisher_op_find(head.op, &op) == 0 &&
	    document_read(document, publisher_requests[op].request, &request, NULL) == 0)
		replay(context, &request);
	return true;
}

static void take_answer(struct publisher *publisher, struct document *document) {
	struct publisher_state *state = &publisher->state;
	struct reply_head head;

	if (document_read(document, &reply_head_message, &head, NULL) < 0)
		return;
	state->server_seen_ns = clock_mono_ns();
	snprintf(state->server_error, sizeof(state->server_error), "%s",
	         head.ok || head.error == NULL ? "" : head.error->message);
}

// Returns whether it was a request.
static bool take_frame(struct publisher *publisher, zmq_msg_t *frame, publisher_replay_fn replay,
                       void *context) {
	CLEANUP(document_closep) struct document *document = NULL;

	if (zmq_msg_size(frame) == 0 ||
	    document_from_msgpack(zmq_msg_data(frame), zmq_msg_size(frame), &document, NULL) < 0)
		return false;
	if (take_request(document, replay, context))
		return true;
	take_answer(publisher, document);
	return false;
}

#define FRAMES_AT_ONCE 64

// Frames are an empty one, then the map; whatever else comes is passed over. Returns whether there may be more.
static bool read_server(struct publisher *publisher, publisher_replay_fn replay, void *context) {
	bool requested = false;
	zmq_msg_t frame;
	int n = 0;

	zmq_msg_init(&frame);
	while (!requested && n < FRAMES_AT_ONCE &&
	       zmq_msg_recv(&frame, publisher->server, ZMQ_DONTWAIT) >= 0) {
		requested = take_frame(publisher, &frame, replay, context);
		n++;
	}
	zmq_msg_close(&frame);
	return requested || n == FRAMES_AT_ONCE;
}

struct publisher_news publisher_read(struct publisher *publisher, bool polled, publisher_replay_fn replay,
                                     void *context) {
	struct publisher_news news = {0};

	if (!polled && !publisher->touched)
		return news;
	publisher->touched = false;
	news.subscribed = read_subscriptions(publisher);
	door_answer(publisher->door);
	news.more = read_server(publisher, replay, context);
	publisher->touched |= news.more;
	return news;
}

void publisher_state(const struct publisher *publisher, struct publisher_state *ret) {
	*ret = publisher->state;
}
