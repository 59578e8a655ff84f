// The ZAP handler of a plugin. Questions come over a socket of the same context, one for each client that knocks, and
// wait there until the thread has time: samples never wait for them.
// SPDX-License-Identifier: MIT
#include "door.h"

#include "clock.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define HANDLER     "inproc://zeromq.zap.01"
#define WATCH       "inproc://samples-watch"
#define N_FRAMES    7 // version, request, domain, address, identity, mechanism, credentials
#define REQUEST     1
#define MECHANISM   5
#define CREDENTIALS 6

struct door {
	void *socket;
	void *watch; // hears when the guarded socket is gone
	uint8_t key[32];
};

struct question {
	zmq_msg_t frames[N_FRAMES];
	size_t n; // may be more than are kept
};

static int failed(const char *endpoint, struct status *status) {
	return status_set(status, STATUS_INTERNAL, "%s: %s", endpoint, zmq_strerror(zmq_errno()));
}

static int open_sockets(struct door *door, void *context, void *guarded, struct status *status) {
	const int no_linger = 0;

	door->socket = zmq_socket(context, ZMQ_REP);
	if (door->socket == NULL ||
	    zmq_setsockopt(door->socket, ZMQ_LINGER, &no_linger, sizeof(no_linger)) != 0 ||
	    zmq_bind(door->socket, HANDLER) != 0)
		return failed(HANDLER, status);
	door->watch = zmq_socket(context, ZMQ_PAIR);
	if (door->watch == NULL ||
	    zmq_setsockopt(door->watch, ZMQ_LINGER, &no_linger, sizeof(no_linger)) != 0 ||
	    zmq_socket_monitor(guarded, WATCH, ZMQ_EVENT_MONITOR_STOPPED) != 0 ||
	    zmq_connect(door->watch, WATCH) != 0)
		return failed(WATCH, status);
	return 0;
}

int door_open(void *context, void *guarded, const char key[static KEY_TEXT_SIZE], struct door **ret,
              struct status *status) {
	CLEANUP(door_closep) struct door *door = calloc(1, sizeof(*door));
	int rc;

	if (door == NULL)
		return status_set(status, STATUS_RESOURCE_EXHAUSTED, "out of memory");
	if (zmq_z85_decode(door->key, key) == NULL)
		return status_set(status, STATUS_INVALID_ARGUMENT, "not a public key in Z85");
	if ((rc = open_sockets(door, context, guarded, status)) < 0)
		return rc;

	*ret = door;
	door = NULL;
	return 0;
}

int door_see_out(struct door *door, int64_t patience_ns) {
	int64_t deadline_ns = clock_mono_ns() + patience_ns, left_ns = patience_ns;

	if (door == NULL)
		return 0;
	while (left_ns > 0) {
		zmq_pollitem_t items[] = {
		        {.socket = door->socket, .events = ZMQ_POLLIN},
		        {.socket = door->watch, .events = ZMQ_POLLIN},
		};

		(void)zmq_poll(items, 2, (long)(left_ns / NS_PER_MS) + 1);
		if ((items[1].revents & ZMQ_POLLIN) != 0)
			return 0;
		door_answer(door);
		left_ns = deadline_ns - clock_mono_ns();
	}
	return -ETIMEDOUT;
}

void door_close(struct door *door) {
	if (door == NULL)
		return;
	if (door->socket != NULL)
		zmq_close(door->socket);
	if (door->watch != NULL)
		zmq_close(door->watch);
	free(door);
}

int door_fd(const struct door *door) {
	size_t size = sizeof(int);
	int fd = -1;

	if (door != NULL)
		(void)zmq_getsockopt(door->socket, ZMQ_FD, &fd, &size);
	return fd;
}

// The frames of one message come at once, so that only the first may have to be waited for.
static bool take_question(void *socket, struct question *question) {
	zmq_msg_t frame;
	bool more;

	question->n = 0;
	do {
		zmq_msg_init(&frame);
		if (zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(&frame);
			return false;
		}
		more = zmq_msg_more(&frame) != 0;
		if (question->n < N_FRAMES) {
			zmq_msg_init(&question->frames[question->n]);
			zmq_msg_move(&question->frames[question->n], &frame);
		}
		question->n++;
		zmq_msg_close(&frame);
	} while (more);
	return true;
}

static void question_fini(struct question *question) {
	for (size_t i = 0; i < question->n && i < N_FRAMES; i++)
		zmq_msg_close(&question->frames[i]);
}

static bool is_frame(struct question *question, size_t i, const void *data, size_t size) {
	return zmq_msg_size(&question->frames[i]) == size &&
	       memcmp(zmq_msg_data(&question->frames[i]), data, size) == 0;
}

// Only CURVE proves a key.
static bool is_welcome(const struct door *door, struct question *question) {
	return question->n == N_FRAMES && is_frame(question, MECHANISM, "CURVE", 5) &&
	       is_frame(question, CREDENTIALS, door->key, sizeof(door->key));
}

static void reply(struct door *door, struct question *question) {
	const char *code = is_welcome(door, question) ? "200" : "400";
	size_t size = question->n > REQUEST ? zmq_msg_size(&question->frames[REQUEST]) : 0;
	const void *request = size > 0 ? zmq_msg_data(&question->frames[REQUEST]) : "";

	(void)zmq_send(door->socket, "1.0", 3, ZMQ_SNDMORE);
	(void)zmq_send(door->socket, request, size, ZMQ_SNDMORE);
	(void)zmq_send(door->socket, code, 3, ZMQ_SNDMORE);
	(void)zmq_send(door->socket, "", 0, ZMQ_SNDMORE);
	(void)zmq_send(door->socket, "", 0, ZMQ_SNDMORE);
	(void)zmq_send(door->socket, "", 0, 0);
}

void door_answer(struct door *door) {
	struct question question;

	if (door == NULL)
		return;
	while (take_question(door->socket, &question)) {
		reply(door, &question);
		question_fini(&question);
	}
}
