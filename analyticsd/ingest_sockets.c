// Which sockets ingest has, and where they are bound or connected.
// SPDX-License-Identifier: MIT
#include "ingest_sockets.h"

#include "detector.h"
#include "keys.h"
#include "zap.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

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

static bool is_tcp(const char *endpoint) {
	return strncmp(endpoint, "tcp://", strlen("tcp://")) == 0;
}

static int connect_to(void *socket, const char *endpoint, const struct ingest_options *options,
                      struct status *status) {
	int rc;

	if (options->keys != NULL && options->publisher_key == NULL && is_tcp(endpoint))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "%s: with keys, it takes the publishers' public key (curve_publishers)",
		                  endpoint);
	if ((rc = keys_before_connect(socket, endpoint, options->keys, options->publisher_key, status)) < 0)
		return rc;
	if (zmq_connect(socket, endpoint) != 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "cannot connect to %s: %s", endpoint,
		                  zmq_strerror(errno));
	return 0;
}

static int bind_to(struct ingest_sockets *sockets, void *socket, const char *endpoint,
                   const struct ingest_options *options, const char *domain, struct status *status) {
	int lock = -1, rc;

	if ((rc = keys_before_bind(socket, endpoint, options->keys, domain, status)) < 0 ||
	    (rc = endpoint_bind(socket, endpoint, options->insecure || options->keys != NULL, &lock,
	                        status)) < 0)
		return rc;
	if (lock >= 0)
		sockets->locks[sockets->n_locks++] = lock;
	return 0;
}

// What is bound over tcp comes last (keys.h).
static int open_samples(struct ingest_sockets *sockets, const struct ingest_options *options,
                        struct status *status) {
	int rc;

	for (int last = 0; last <= 1; last++) {
		for (size_t i = 0; i < options->n_samples; i++) {
			const char *endpoint = options->samples[i];
			bool connects = endpoint[0] == '>';

			if (is_tcp(endpoint) != (last == 1))
				continue;
			rc = connects ? connect_to(sockets->samples, endpoint + 1, options, status)
			              : bind_to(sockets, sockets->samples, endpoint, options, ZAP_SAMPLES,
			                        status);
			if (rc < 0)
				return rc;
		}
	}
	return 0;
}

int ingest_sockets_detect(struct ingest_sockets *sockets, bool detects) {
	if (sockets->detect != NULL)
		zmq_close(sockets->detect);
	sockets->detect = detects ? detector_sender(sockets->context) : NULL;
	return detects && sockets->detect == NULL ? -ENOMEM : 0;
}

int ingest_sockets_open(const struct ingest_options *options, void *context, struct ingest_sockets *sockets,
                        struct status *status) {
	int rc;

	sockets->context = context;
	sockets->samples = make_socket(context, ZMQ_SUB);
	sockets->events = make_socket(context, ZMQ_XPUB);
	sockets->calls = make_socket(context, ZMQ_ROUTER);
	sockets->questions = make_socket(context, ZMQ_PUSH);
	if (sockets->samples == NULL || sockets->events == NULL || sockets->calls == NULL ||
	    sockets->questions == NULL)
		return -ENOMEM;
	zmq_setsockopt(sockets->samples, ZMQ_SUBSCRIBE, "sample/", 7);
	zmq_setsockopt(sockets->samples, ZMQ_SUBSCRIBE, "hello/", 6);
	if ((rc = open_samples(sockets, options, status)) < 0 ||
	    (rc = bind_to(sockets, sockets->events, options->events, options, ZAP_EVENTS, status)) < 0)
		return rc;
	if (zmq_connect(sockets->questions, INGEST_QUESTIONS) != 0)
		return -errno;
	if ((rc = ingest_sockets_detect(sockets, options->detects)) < 0)
		return rc;
	return zmq_bind(sockets->calls, INGEST_QUEUE) == 0 ? 0 : -errno;
}

void ingest_sockets_close(struct ingest_sockets *sockets) {
	void *const all[] = {sockets->samples, sockets->events, sockets->calls, sockets->questions,
	                     sockets->detect};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i] != NULL)
			zmq_close(all[i]);
	}
	for (size_t i = 0; i < sockets->n_locks; i++)
		close(sockets->locks[i]);
}
