// Requests over ZeroMQ REQ. The relaxed, correlated REQ can be used again after a reply that never came.
// SPDX-License-Identifier: MIT
#include "client.h"

#include "clock.h"
#include "endpoint.h"
#include "keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#define MONITOR      "inproc://client-monitor" // the context is the client's own
#define MONITORED    (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED)
#define HEARTBEAT_MS 1000
#define HEARTBEATS_OUT                                                                                       \
	6000 // a peer that is stopped, or behind a broken network: nothing was heard of it for so long

struct client {
	char endpoint[ENDPOINT_SIZE];
	int timeout_ms;
	void *context;
	void *socket;
	void *monitor; // tells when the connection stands and when it ends
	bool connected;
};

static int foreign(const struct client *client, struct status *status) {
	return status_set(status, STATUS_INVALID_ARGUMENT, "endpoint '%s': %s", client->endpoint,
	                  zmq_strerror(errno));
}

static int open_monitor(struct client *client) {
	if (zmq_socket_monitor(client->socket, MONITOR, MONITORED) != 0)
		return -1;
	client->monitor = zmq_socket(client->context, ZMQ_PAIR);
	return client->monitor == NULL ? -1 : zmq_connect(client->monitor, MONITOR);
}

int client_open(const char *endpoint, int timeout_ms, struct client **ret, struct status *status) {
	CLEANUP(client_closep) struct client *client = calloc(1, sizeof(*client));
	const int yes = 1, no_linger = 0, heartbeat = HEARTBEAT_MS, heartbeats_out = HEARTBEATS_OUT;
	const int64_t limit = LIMIT_FRAME_SIZE;
	int rc;

	if (client == NULL)
		return -ENOMEM;
	snprintf(client->endpoint, sizeof(client->endpoint), "%s", endpoint);
	client->timeout_ms = timeout_ms;
	client->context = zmq_ctx_new();
	if (client->context == NULL)
		return -ENOMEM;
	client->socket = zmq_socket(client->context, ZMQ_REQ);
	if (client->socket == NULL)
		return -ENOMEM;
	zmq_setsockopt(client->socket, ZMQ_REQ_RELAXED, &yes, sizeof(yes));
	zmq_setsockopt(client->socket, ZMQ_REQ_CORRELATE, &yes, sizeof(yes));
	zmq_setsockopt(client->socket, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	zmq_setsockopt(client->socket, ZMQ_MAXMSGSIZE, &limit, sizeof(limit));
	zmq_setsockopt(client->socket, ZMQ_SNDTIMEO, &timeout_ms, sizeof(timeout_ms));
	zmq_setsockopt(client->socket, ZMQ_HEARTBEAT_IVL, &heartbeat, sizeof(heartbeat));
	zmq_setsockopt(client->socket, ZMQ_HEARTBEAT_TIMEOUT, &heartbeats_out, sizeof(heartbeats_out));
	if ((rc = keys_before_connect_environment(client->socket, endpoint, status)) < 0)
		return rc;
	if (open_monitor(client) != 0 || zmq_connect(client->socket, endpoint) != 0)
		return foreign(client, status);

	*ret = client;
	client = NULL;
	return 0;
}

void client_close(struct client *client) {
	if (client == NULL)
		return;
	if (client->monitor != NULL)
		zmq_close(client->monitor);
	if (client->socket != NULL)
		zmq_close(client->socket);
	if (client->context != NULL)
		zmq_ctx_term(client->context);
	free(client);
}

static int unavailable(const struct client *client, int64_t waited_ms, struct status *status) {
	return status_set(status, STATUS_UNAVAILABLE, "%s does not answer (waited %g s)", client->endpoint,
	                  (double)waited_ms / 1000);
}

// Takes what the monitor tells: an event frame, which begins with its number, and the address. Did a connection
// that stood end?
static bool follow_connection(struct client *client) {
	char address[ENDPOINT_SIZE];
	uint8_t event[6];
	uint16_t number;
	bool ended = false;

	while (zmq_recv(client->monitor, event, sizeof(event), ZMQ_DONTWAIT) == sizeof(event)) {
		(void)zmq_recv(client->monitor, address, sizeof(address), ZMQ_DONTWAIT);
		memcpy(&number, event, sizeof(number));
		ended = ended || (client->connected && number == ZMQ_EVENT_DISCONNECTED);
		client->connected = number == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
	}
	return ended;
}

// Waits for a reply. A request that went to a peer which then leaves is not sent again: its reply never comes.
// One that waits for a peer gets little patience.
static int await_frame(struct client *client, zmq_msg_t *frame, struct status *status) {
	const int64_t start_ns = clock_mono_ns();
	zmq_pollitem_t items[] = {
	        {.socket = client->socket, .events = ZMQ_POLLIN},
	        {.socket = client->monitor, .events = ZMQ_POLLIN},
	};

	for (;;) {
		bool ended;
		int64_t waited_ms = (clock_mono_ns() - start_ns) / NS_PER_MS, most_ms = client->timeout_ms;

		if (!client->connected && most_ms > CLIENT_TIMEOUT_MS)
			most_ms = CLIENT_TIMEOUT_MS;
		if (waited_ms >= most_ms)
			return unavailable(client, most_ms, status);
		if (zmq_poll(items, 2, (long)(most_ms - waited_ms)) < 0 && errno != EINTR)
			return foreign(client, status);
		ended = follow_connection(client);
		if (zmq_msg_recv(frame, client->socket, ZMQ_DONTWAIT) >= 0)
			return 0;
		if (ended)
			return status_set(status, STATUS_UNAVAILABLE, "%s went away before it answered",
			                  client->endpoint);
	}
}

static int receive(struct client *client, struct document **ret, struct status *status) {
	zmq_msg_t frame;
	int rc;

	zmq_msg_init(&frame);
	if ((rc = await_frame(client, &frame, status)) == 0)
		rc = document_from_msgpack(zmq_msg_data(&frame), zmq_msg_size(&frame), ret, status);
	zmq_msg_close(&frame);
	return rc;
}

int client_call(struct client *client, enum op op, const void *request, void *reply,
                struct document **ret_document, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	CLEANUP(bytes_fini) struct bytes frame = {0};
	struct reply_head head;
	int rc;

	if ((rc = request_encode(op, NULL, request, &frame)) < 0)
		return rc;
	(void)follow_connection(client);
	do
		rc = zmq_send(client->socket, frame.data, frame.size, 0);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return unavailable(client, client->timeout_ms, status);

	if ((rc = receive(client, &document, status)) < 0 ||
	    (rc = document_read(document, &reply_head_message, &head, status)) < 0)
		return rc;
	if (!head.ok) {
		if (head.error == NULL)
			return status_set(status, STATUS_INTERNAL, "%s refused without a reason",
			                  client->endpoint);
		rc = status_set(status, status_from_name(head.error->code), "%s", head.error->message);
		status_name_link(status, head.error->link_id, head.error->direction);
		return rc;
	}
	if ((rc = document_read(document, requests[op].reply, reply, status)) < 0)
		return rc;
	*ret_document = document;
	document = NULL;
	return 0;
}
