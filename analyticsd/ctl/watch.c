// watch: what analyticsd publishes, a line of JSON for each message, until SIGINT or --count lines.
// SPDX-License-Identifier: MIT
#include "commands.h"
#include "keys.h"
#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

struct watch_arguments {
	int64_t count; // 0: no end
	const char **topics;
	size_t n_topics;
};

static const struct command_option options[] = {
        {"count", 'n', "NUMBER", "end after so many messages", VALUE_NUMBER, TO(watch_arguments, count),
         .min = 1, .max = 1e18},
        {0},
};

static const struct command_option arguments_of[] = {
        {"TOPIC", 0, NULL, "what its topic begins with (default: everything)", VALUE_TEXT,
         TO_LIST(watch_arguments, topics, n_topics)},
        {0},
};

const struct command_form watch_form = {
        .options = options,
        .arguments = arguments_of,
        .doc = "Prints what analyticsd publishes, a line of JSON for each message. A topic is matched from "
               "its "
               "start: sample/, link/A-Z/.",
};

static void watch_arguments_fini(struct watch_arguments *arguments) {
	free(arguments->topics);
}

// ---- the socket

struct watch {
	void *context;
	void *socket;
	void *monitor; // tells whether the service is there
	int signals;
};

static void watch_fini(struct watch *watch) {
	if (watch->monitor != NULL)
		zmq_close(watch->monitor);
	if (watch->socket != NULL)
		zmq_close(watch->socket);
	if (watch->context != NULL)
		zmq_ctx_term(watch->context);
	if (watch->signals >= 0)
		close(watch->signals);
}

static int foreign(struct status *status, const char *what) {
	return status_set(status, STATUS_INTERNAL, "%s: %s", what, zmq_strerror(errno));
}

// Signals come as something to read. libzmq's threads are made after this and inherit the mask.
static int take_signals(struct watch *watch) {
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	watch->signals = signalfd(-1, &set, SFD_CLOEXEC);
	return watch->signals < 0 ? -errno : 0;
}

static int open_monitor(struct watch *watch, struct status *status) {
	static const char endpoint[] = "inproc://watch-monitor";

	if (zmq_socket_monitor(watch->socket, endpoint, ZMQ_EVENT_HANDSHAKE_SUCCEEDED) != 0)
		return foreign(status, "monitor");
	watch->monitor = zmq_socket(watch->context, ZMQ_PAIR);
	if (watch->monitor == NULL || zmq_connect(watch->monitor, endpoint) != 0)
		return foreign(status, "monitor");
	return 0;
}

static int watch_init(struct watch *watch, const struct watch_arguments *arguments, const char *endpoint,
                      struct status *status) {
	const int64_t limit = LIMIT_FRAME_SIZE;
	int rc;

	if ((rc = take_signals(watch)) < 0)
		return rc;
	watch->context = zmq_ctx_new();
	if (watch->context == NULL)
		return -ENOMEM;
	watch->socket = zmq_socket(watch->context, ZMQ_SUB);
	if (watch->socket == NULL)
		return foreign(status, "socket");
	zmq_setsockopt(watch->socket, ZMQ_MAXMSGSIZE, &limit, sizeof(limit));
	for (size_t i = 0; i < arguments->n_topics; i++)
		zmq_setsockopt(watch->socket, ZMQ_SUBSCRIBE, arguments->topics[i],
		               strlen(arguments->topics[i]));
	if (arguments->n_topics == 0)
		zmq_setsockopt(watch->socket, ZMQ_SUBSCRIBE, "", 0);
	if ((rc = open_monitor(watch, status)) < 0 ||
	    (rc = keys_before_connect_environment(watch->socket, endpoint, status)) < 0)
		return rc;
	if (zmq_connect(watch->socket, endpoint) != 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "endpoint '%s': %s", endpoint,
		                  zmq_strerror(errno));
	return 0;
}

// Waits for 'socket' or a signal. Returns 0 for the socket, 1 for a signal, or -ETIMEDOUT.
static int wait_for(const struct watch *watch, void *socket, long timeout_ms) {
	zmq_pollitem_t items[] = {{socket, 0, ZMQ_POLLIN, 0}, {NULL, watch->signals, ZMQ_POLLIN, 0}};
	int n;

	do
		n = zmq_poll(items, 2, timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ETIMEDOUT;
	return items[1].revents != 0;
}

// A SUB socket would wait for ever for a service that isn't there. Returns as wait_for().
static int wait_for_service(const struct watch *watch, const char *endpoint, struct status *status) {
	int rc = wait_for(watch, watch->monitor, CLIENT_TIMEOUT_MS);

	if (rc == -ETIMEDOUT)
		return status_set(status, STATUS_UNAVAILABLE, "%s does not answer (waited %g s)", endpoint,
		                  CLIENT_TIMEOUT_MS / 1000.0);
	return rc;
}

// ---- a message

// The topic as text: what publishers make is, but a line of JSON must not depend on it.
static void copy_topic(zmq_msg_t *frame, char *text, size_t size) {
	const char *data = zmq_msg_data(frame);
	size_t length = zmq_msg_size(frame);

	if (length > size - 1)
		length = size - 1;
	for (size_t i = 0; i < length; i++)
		text[i] = data[i] == '\0' ? '?' : data[i];
	text[length] = '\0';
	if (id_is_valid(text))
		return;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < 0x20 || text[i] > 0x7e)
			text[i] = '?';
	}
}

static int print_event(const char *topic, const char *error, const struct message *message,
                       const void *body) {
	char *line;
	int rc = event_to_json(topic, error, message, body, &line);

	if (rc < 0)
		return rc;
	puts(line);
	free(line);
	return 0;
}

// A message that can't be read is told on its line; the next ones may be fine.
static int print_message(const char *topic, const struct message *message, zmq_msg_t *frame) {
	CLEANUP(document_closep) struct document *document = NULL;
	CLEANUP(freep) void *body = malloc(message->size);
	struct status status = {0};
	int rc;

	if (body == NULL)
		return -ENOMEM;
	rc = document_from_msgpack(zmq_msg_data(frame), zmq_msg_size(frame), &document, &status);
	if (rc == 0)
		rc = document_read(document, message, body, &status);
	if (rc == -EINVAL)
		return print_event(topic, status.message, NULL, NULL);
	return rc < 0 ? rc : print_event(topic, NULL, message, body);
}

static int print_frames(zmq_msg_t frames[2], size_t n) {
	char text[TOPIC_SIZE];
	enum topic topic;

	copy_topic(&frames[0], text, sizeof(text));
	if (n != 2)
		return print_event(text, "not two frames", NULL, NULL);
	if (topic_find(zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0]), &topic) < 0)
		return print_event(text, "a topic that this analyticsctl does not know", NULL, NULL);
	return print_message(text, topics[topic].message, &frames[1]);
}

static bool has_more(const struct watch *watch) {
	int more = 0;
	size_t size = sizeof(more);

	return zmq_getsockopt(watch->socket, ZMQ_RCVMORE, &more, &size) == 0 && more;
}

// A message ends with its last frame, however many it has.
static int drop_rest(const struct watch *watch, size_t *n) {
	int rc = 0;

	for (; rc >= 0 && has_more(watch); ++*n) {
		zmq_msg_t frame;

		zmq_msg_init(&frame);
		rc = zmq_msg_recv(&frame, watch->socket, 0) < 0 ? -errno : 0;
		zmq_msg_close(&frame);
	}
	return rc;
}

static int receive(const struct watch *watch) {
	zmq_msg_t frames[2];
	size_t n = 1;
	int rc;

	zmq_msg_init(&frames[0]);
	zmq_msg_init(&frames[1]);
	rc = zmq_msg_recv(&frames[0], watch->socket, 0) < 0 ? -errno : 0;
	if (rc == 0 && has_more(watch)) {
		rc = zmq_msg_recv(&frames[1], watch->socket, 0) < 0 ? -errno : 0;
		n++;
	}
	if (rc == 0)
		rc = drop_rest(watch, &n);
	if (rc == 0)
		rc = print_frames(frames, n);
	zmq_msg_close(&frames[0]);
	zmq_msg_close(&frames[1]);
	return rc;
}

static int print_all(const struct watch *watch, const struct watch_arguments *arguments) {
	int rc;

	for (int64_t n = 0; arguments->count == 0 || n < arguments->count; n++) {
		if ((rc = wait_for(watch, watch->socket, -1)) != 0)
			return rc < 0 ? rc : 0;
		if ((rc = receive(watch)) < 0)
			return rc;
		if (fflush(stdout) != 0)
			return 0; // main says so
	}
	return 0;
}

int command_watch(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(watch_fini) struct watch watch = {.signals = -1};
	CLEANUP(watch_arguments_fini) struct watch_arguments arguments = {0};
	int rc;

	options_parse(ctl, &watch_form, argc, argv, &arguments);
	if ((rc = watch_init(&watch, &arguments, ctl->events, status)) < 0)
		return rc;
	if ((rc = wait_for_service(&watch, ctl->events, status)) != 0)
		return rc < 0 ? rc : 0;
	return print_all(&watch, &arguments);
}
