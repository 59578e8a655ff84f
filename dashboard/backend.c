// DEALER sockets, where many requests are under way at once: a frame of the envelope, which the services send back as it
// is, tells an answer's request. A request is only sent to a service that is connected (ZMQ_IMMEDIATE): one that waited in a queue while its asker gave up would
// still be carried out. When a connection ends, so do the calls over it.
// SPDX-License-Identifier: MIT
#include "backend.h"

#include "clock.h"
#include "endpoint.h"
#include "keys.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#define MOST_FRAMES 3 // of an answer: id, an empty one, map
#define MAX_CALLS   4096
#define BURST       256 // messages of a socket between two looks at the others
#define EVENTS_HWM  100000
#define ID_TEXT     24

struct call {
	char id[ID_TEXT];
	enum backend_service service;
	int64_t deadline_ns;
	int timeout_ms;
	backend_done done;
	void *context;
	UT_hash_handle hh;
};

struct way {
	const char *name; // for people
	char endpoint[ENDPOINT_SIZE];
	void *socket, *monitor;
	bool connected;
};

enum { WAY_API, WAY_PATH, WAY_EVENTS, N_WAYS };

struct backend {
	struct backend_options options;
	void *context;
	struct way ways[N_WAYS];
	struct call *calls;
	uint64_t last_id;
	bool closing;
};

// ---- sockets

static int open_monitor(struct backend *backend, struct way *way) {
	char endpoint[64];

	snprintf(endpoint, sizeof(endpoint), "inproc://monitor-%s", way->name);
	if (zmq_socket_monitor(way->socket, endpoint,
	                       ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED) != 0)
		return -EIO;
	way->monitor = zmq_socket(backend->context, ZMQ_PAIR);
	if (way->monitor == NULL || zmq_connect(way->monitor, endpoint) != 0)
		return -EIO;
	return 0;
}

static int open_way(struct backend *backend, struct way *way, const char *name, int type,
                    enum endpoint endpoint, const char *given, struct status *status) {
	const int no_linger = 0, yes = 1, high_water = EVENTS_HWM, most_ms = 2000;
	const int64_t limit = LIMIT_FRAME_SIZE;
	int rc;

	way->name = name;
	if ((rc = endpoint_set(endpoint, given, way->endpoint, status)) < 0)
		return rc;
	way->socket = zmq_socket(backend->context, type);
	if (way->socket == NULL)
		return -ENOMEM;
	zmq_setsockopt(way->socket, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	zmq_setsockopt(way->socket, ZMQ_MAXMSGSIZE, &limit, sizeof(limit));
	zmq_setsockopt(way->socket, ZMQ_RECONNECT_IVL_MAX, &most_ms, sizeof(most_ms));
	if (type == ZMQ_SUB) {
		zmq_setsockopt(way->socket, ZMQ_RCVHWM, &high_water, sizeof(high_water));
		zmq_setsockopt(way->socket, ZMQ_SUBSCRIBE, "", 0);
	} else {
		zmq_setsockopt(way->socket, ZMQ_IMMEDIATE, &yes, sizeof(yes));
	}
	if ((rc = keys_before_connect_environment(way->socket, way->endpoint, status)) < 0 ||
	    (rc = open_monitor(backend, way)) < 0)
		return rc;
	if (zmq_connect(way->socket, way->endpoint) != 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "endpoint '%s': %s", way->endpoint,
		                  zmq_strerror(errno));
	return 0;
}

int backend_open(const struct backend_options *options, struct backend **ret, struct status *status) {
	CLEANUP(backend_closep) struct backend *backend = calloc(1, sizeof(*backend));
	int rc;

	if (backend == NULL)
		return -ENOMEM;
	backend->options = *options;
	backend->context = zmq_ctx_new();
	if (backend->context == NULL)
		return -ENOMEM;
	if ((rc = open_way(backend, &backend->ways[WAY_API], "analyticsd", ZMQ_DEALER, ENDPOINT_API,
	                   options->api, status)) < 0 ||
	    (rc = open_way(backend, &backend->ways[WAY_PATH], "pathcomp", ZMQ_DEALER, ENDPOINT_PATH,
	                   options->path, status)) < 0 ||
	    (rc = open_way(backend, &backend->ways[WAY_EVENTS], "events", ZMQ_SUB, ENDPOINT_EVENTS,
	                   options->events, status)) < 0)
		return rc;
	*ret = backend;
	backend = NULL;
	return 0;
}

static void end_call(struct backend *backend, struct call *call, struct document *reply,
                     const struct status *status) {
	HASH_DEL(backend->calls, call);
	call->done(call->context, reply, status);
	free(call);
}

static void end_calls(struct backend *backend, enum backend_service service) {
	struct call *call, *next;
	struct status status;

	status_set(&status, STATUS_UNAVAILABLE, "%s does not answer at %s", backend->ways[service].name,
	           backend->ways[service].endpoint);
	HASH_ITER (hh, backend->calls, call, next) {
		if (call->service == service)
			end_call(backend, call, NULL, &status);
	}
}

void backend_close(struct backend *backend) {
	if (backend == NULL)
		return;
	backend->closing = true;
	for (int service = 0; service < N_BACKEND_SERVICES; service++)
		end_calls(backend, (enum backend_service)service);
	for (int i = 0; i < N_WAYS; i++) {
		if (backend->ways[i].monitor != NULL)
			zmq_close(backend->ways[i].monitor);
		if (backend->ways[i].socket != NULL)
			zmq_close(backend->ways[i].socket);
	}
	if (backend->context != NULL)
		zmq_ctx_term(backend->context);
	free(backend);
}

bool backend_is_there(const struct backend *backend, enum backend_service service) {
	return backend->ways[service].connected;
}

bool backend_hears_events(const struct backend *backend) {
	return backend->ways[WAY_EVENTS].connected;
}

// ---- calls

static bool send_request(const struct way *way, const char *id, const struct bytes *request) {
	return zmq_send(way->socket, id, strlen(id), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
	       zmq_send(way->socket, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
	       zmq_send(way->socket, request->data, request->size, ZMQ_DONTWAIT) >= 0;
}

void backend_call(struct backend *backend, enum backend_service service, const struct bytes *request,
                  int timeout_ms, backend_done done, void *context) {
	const struct way *way = &backend->ways[service];
	struct status status;
	struct call *call;

	if (HASH_COUNT(backend->calls) >= MAX_CALLS || (call = calloc(1, sizeof(*call))) == NULL) {
		status_set(&status, STATUS_RESOURCE_EXHAUSTED, "%d requests are under way", MAX_CALLS);
		done(context, NULL, &status);
		return;
	}
	snprintf(call->id, sizeof(call->id), "%" PRIu64, ++backend->last_id);
	call->service = service;
	call->timeout_ms = timeout_ms;
	call->deadline_ns = clock_mono_ns() + timeout_ms * NS_PER_MS;
	call->done = done;
	call->context = context;
	HASH_ADD_STR(backend->calls, id, call);
	if (backend->closing || !send_request(way, call->id, request)) {
		status_set(&status, STATUS_UNAVAILABLE, "%s does not answer at %s", way->name, way->endpoint);
		end_call(backend, call, NULL, &status);
	}
}

static void take_reply(struct backend *backend, zmq_msg_t *id, zmq_msg_t *map) {
	struct document *document;
	struct call *call = NULL;
	struct status status;

	HASH_FIND(hh, backend->calls, zmq_msg_data(id), zmq_msg_size(id), call);
	if (call == NULL)
		return; // too late
	if (document_from_msgpack(zmq_msg_data(map), zmq_msg_size(map), &document, &status) == 0) {
		end_call(backend, call, document, NULL);
		return;
	}
	status.code = STATUS_INTERNAL;
	status_prefix(&status, "the answer of %s: ", backend->ways[call->service].name);
	end_call(backend, call, NULL, &status);
}

// ---- the loop

void backend_items(struct backend *backend, zmq_pollitem_t items[static BACKEND_ITEMS]) {
	void *const sockets[BACKEND_ITEMS] = {
	        backend->ways[WAY_API].socket,    backend->ways[WAY_PATH].socket,
	        backend->ways[WAY_EVENTS].socket, backend->ways[WAY_API].monitor,
	        backend->ways[WAY_PATH].monitor,  backend->ways[WAY_EVENTS].monitor,
	};

	for (int i = 0; i < BACKEND_ITEMS; i++)
		items[i] = (zmq_pollitem_t){.socket = sockets[i], .events = ZMQ_POLLIN};
}

// Up to MOST_FRAMES frames of a message; the rest is read and forgotten. Returns how many there were, 0: no message.
static int receive(void *socket, zmq_msg_t frames[static MOST_FRAMES]) {
	int n = 0;
	bool more = true;

	while (more) {
		zmq_msg_t extra, *frame = n < MOST_FRAMES ? &frames[n] : &extra;

		zmq_msg_init(frame);
		if (zmq_msg_recv(frame, socket, n == 0 ? ZMQ_DONTWAIT : 0) < 0) {
			zmq_msg_close(frame);
			return 0;
		}
		more = zmq_msg_more(frame) != 0;
		if (n >= MOST_FRAMES)
			zmq_msg_close(&extra);
		n++;
	}
	return n;
}

static void take_event(struct backend *backend, zmq_msg_t *topic, zmq_msg_t *map) {
	char text[TOPIC_SIZE];
	size_t size = zmq_msg_size(topic);

	if (size == 0 || size >= sizeof(text) || memchr(zmq_msg_data(topic), '\0', size) != NULL)
		return;
	memcpy(text, zmq_msg_data(topic), size);
	text[size] = '\0';
	backend->options.on_event(backend->options.context, text, zmq_msg_data(map), zmq_msg_size(map));
}

static void take_messages(struct backend *backend, int number) {
	for (int i = 0; i < BURST; i++) {
		zmq_msg_t frames[MOST_FRAMES];
		int n = receive(backend->ways[number].socket, frames);

		if (n == 0)
			return;
		if (n == 2 && number == WAY_EVENTS)
			take_event(backend, &frames[0], &frames[1]);
		else if (n == 3 && number != WAY_EVENTS && zmq_msg_size(&frames[1]) == 0)
			take_reply(backend, &frames[0], &frames[2]);
		for (int f = 0; f < n && f < MOST_FRAMES; f++)
			zmq_msg_close(&frames[f]);
	}
}

// libzmq's monitor: a frame that begins with the event's number, then the address.
static void take_changes(struct backend *backend, int number) {
	zmq_msg_t frames[MOST_FRAMES];
	int n;

	while ((n = receive(backend->ways[number].monitor, frames)) > 0) {
		uint16_t event = 0;

		if (zmq_msg_size(&frames[0]) >= sizeof(event))
			memcpy(&event, zmq_msg_data(&frames[0]), sizeof(event));
		for (int f = 0; f < n && f < MOST_FRAMES; f++)
			zmq_msg_close(&frames[f]);
		backend->ways[number].connected = event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED;
		if (event == ZMQ_EVENT_DISCONNECTED && number != WAY_EVENTS)
			end_calls(backend, (enum backend_service)number);
	}
}

static void end_late_calls(struct backend *backend, int64_t now_ns) {
	struct call *call, *next;

	HASH_ITER (hh, backend->calls, call, next) {
		const struct way *way = &backend->ways[call->service];
		struct status status;

		if (now_ns < call->deadline_ns)
			continue;
		status_set(&status, STATUS_DEADLINE_EXCEEDED, "%s has not answered (waited %g s)", way->name,
		           call->timeout_ms / 1000.0);
		end_call(backend, call, NULL, &status);
	}
}

void backend_run(struct backend *backend, int64_t now_ns) {
	for (int number = 0; number < N_WAYS; number++) {
		take_messages(backend, number); // answers before the news that nobody is there any more
		take_changes(backend, number);
	}
	end_late_calls(backend, now_ns);
}

int backend_due_ms(const struct backend *backend, int64_t now_ns) {
	const struct call *call;
	int64_t first_ns = INT64_MAX;

	for (call = backend->calls; call != NULL; call = call->hh.next)
		first_ns = call->deadline_ns < first_ns ? call->deadline_ns : first_ns;
	if (first_ns == INT64_MAX)
		return -1;
	return first_ns <= now_ns ? 0 : (int)((first_ns - now_ns) / NS_PER_MS) + 1;
}
