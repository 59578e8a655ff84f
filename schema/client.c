// Requests over ZeroMQ REQ. The relaxed, correlated REQ can be used again after a reply that never came.
// SPDX-License-Identifier: MIT
#include "client.h"

#include "endpoint.h"
#include "keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

struct client {
	char endpoint[ENDPOINT_SIZE];
	int timeout_ms;
	void *context;
	void *socket;
};

int client_open(const char *endpoint, int timeout_ms, struct client **ret, struct status *status) {
	CLEANUP(client_closep) struct client *client = calloc(1, sizeof(*client));
	const int yes = 1, no_linger = 0;
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
	zmq_setsockopt(client->socket, ZMQ_RCVTIMEO, &timeout_ms, sizeof(timeout_ms));
	zmq_setsockopt(client->socket, ZMQ_SNDTIMEO, &timeout_ms, sizeof(timeout_ms));
	if ((rc = keys_before_connect_environment(client->socket, endpoint, status)) < 0)
		return rc;
	if (zmq_connect(client->socket, endpoint) != 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "endpoint '%s': %s", endpoint,
		                  zmq_strerror(errno));

	*ret = client;
	client = NULL;
	return 0;
}

void client_close(struct client *client) {
	if (client == NULL)
		return;
	if (client->socket != NULL)
		zmq_close(client->socket);
	if (client->context != NULL)
		zmq_ctx_term(client->context);
	free(client);
}

static int unavailable(const struct client *client, struct status *status) {
	return status_set(status, STATUS_UNAVAILABLE, "%s does not answer (waited %g s)", client->endpoint,
	                  client->timeout_ms / 1000.0);
}

static int receive(struct client *client, struct document **ret, struct status *status) {
	zmq_msg_t frame;
	int rc;

	zmq_msg_init(&frame);
	do
		rc = zmq_msg_recv(&frame, client->socket, 0);
	while (rc < 0 && errno == EINTR);
	if (rc < 0) {
		zmq_msg_close(&frame);
		return unavailable(client, status);
	}
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
	do
		rc = zmq_send(client->socket, frame.data, frame.size, 0);
	while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return unavailable(client, status);

	if ((rc = receive(client, &document, status)) < 0 ||
	    (rc = document_read(document, &reply_head_message, &head, status)) < 0)
		return rc;
	if (!head.ok) {
		if (head.error == NULL)
			return status_set(status, STATUS_INTERNAL, "%s refused without a reason",
			                  client->endpoint);
		return status_set(status, status_from_name(head.error->code), "%s", head.error->message);
	}
	if ((rc = document_read(document, requests[op].reply, reply, status)) < 0)
		return rc;
	*ret_document = document;
	document = NULL;
	return 0;
}
