// pathcomp serve: answers for other programs. One thread owns the socket and everything else: a request costs a
// search, since topologies, forecasts and rooms are kept for --max-age and then read anew.
// SPDX-License-Identifier: MIT
#include "commands.h"

#include "answer.h"
#include "clock.h"
#include "endpoint.h"
#include "log.h"
#include "services.h"
#include "zap.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#define MAX_AGE_SECONDS 5.0
#define OUTLOOKS_MAX    64 // kept of different windows
#define ENVELOPE_FRAMES 8  // routing frames and the empty one
#define BURST           64 // requests between two looks at the signals

struct serve_options {
	struct options options; // first: the children's parsers see it
	const char *endpoint;
	double max_age_seconds;
	bool insecure;
	const char *curve_key, *curve_clients; // NULL: no keys
};

struct server {
	struct serve_options *given;
	struct snapshots snapshots;
	int64_t started_mono_ns, read_mono_ns;
	void *context, *socket;
	struct zap *zap; // with keys
	int lock, signal_fd;
};

// A request while it is answered.
struct call {
	struct server *server;
	struct peer peer;
	struct document *document;
	struct status *status;
	struct bytes *reply;
	const char *id;
};

// ---- answers, each by a function of the table below

static int answer_ping(struct call *call) {
	struct ping_reply reply = {.version = LINKCAST_VERSION};

	reply.uptime_seconds =
	        (double)(clock_mono_ns() - call->server->started_mono_ns) / (double)NS_PER_SECOND;
	return reply_encode(&ping_reply_message, call->id, &reply, call->reply);
}

static int read_query(struct call *call, struct path_query *ret) {
	int rc = document_read(call->document, &path_query_message, ret, call->status);

	if (rc == 0)
		*ret = answer_complete(ret, &call->server->given->options);
	return rc;
}

static int reply_answer(struct call *call, struct answer *answer) {
	answer->message.id = NULL; // the reply's head has it
	return reply_encode(&path_answer_message, call->id, &answer->message, call->reply);
}

static int answer_path(struct call *call) {
	CLEANUP(answer_fini) struct answer answer = {0};
	struct path_query query;
	int rc;

	if ((rc = read_query(call, &query)) < 0 ||
	    (rc = answer_compute(&call->server->snapshots, &query, false, &answer, call->status)) < 0)
		return rc;
	return reply_answer(call, &answer);
}

// A blocked request is answered, and admits nothing.
static void audit_service(const struct call *call, const struct service_terms *terms,
                          const struct answer *answer, int rc) {
	const struct status blocked = {.code = STATUS_FAILED_PRECONDITION, .message = "blocked"};
	bool is_blocked = rc == 0 && answer->message.status == PATH_STATUS_BLOCKED;

	peer_audit(&call->peer, &path_requests[PATH_OP_REQUEST_SERVICE], terms, is_blocked ? -EAGAIN : rc,
	           is_blocked ? &blocked : call->status);
}

static int answer_service(struct call *call) {
	CLEANUP(answer_fini) struct answer answer = {0};
	CLEANUP(documents_fini) struct documents documents = {0};
	struct service_terms terms;
	struct path_query query;
	struct service_wish wish = {&query, &terms, false};
	int rc;

	if ((rc = document_read(call->document, &service_terms_message, &terms, call->status)) < 0 ||
	    (rc = read_query(call, &query)) < 0)
		return rc;
	if (terms.service_id != NULL &&
	    (rc = services_complete(&call->server->snapshots, terms.service_id, &query, &documents,
	                            &wish.keeps_end, call->status)) < 0)
		return rc;
	rc = services_request(&call->server->snapshots, &wish, &answer, call->status);
	audit_service(call, &terms, &answer, rc);
	return rc < 0 ? rc : reply_answer(call, &answer);
}

static int (*const handlers[N_PATH_OPS])(struct call *) = {
        [PATH_OP_PING] = answer_ping,
        [PATH_OP_COMPUTE_PATH] = answer_path,
        [PATH_OP_REQUEST_SERVICE] = answer_service,
};

static int dispatch(struct call *call, const void *frame, size_t size) {
	struct request_head head;
	struct reply_id reply_id;
	enum path_op op;
	int rc;

	if ((rc = document_from_msgpack(frame, size, &call->document, call->status)) < 0)
		return rc;
	if (document_read(call->document, &reply_id_message, &reply_id, NULL) == 0)
		call->id = reply_id.id;
	if ((rc = document_read(call->document, &request_head_message, &head, call->status)) < 0)
		return rc;
	if (path_op_find(head.op, &op) < 0)
		return status_set(call->status, STATUS_UNIMPLEMENTED, "op: no operation '%s' here", head.op);
	if ((rc = peer_check(&call->peer, head.op, path_requests[op].role, call->status)) < 0) {
		peer_audit(&call->peer, &path_requests[op], NULL, rc, call->status);
		return rc;
	}
	return handlers[op](call);
}

static size_t count_outlooks(const struct snapshots *snapshots) {
	size_t n = 0;

	for (const struct snapshot *at = snapshots->list; at != NULL; at = at->next)
		n += at->n_outlooks;
	return n;
}

// A request's "now" is when things were read, so that windows are the same from one request to the next.
static void keep_fresh(struct server *server) {
	int64_t now_ns = clock_mono_ns();

	if (server->read_mono_ns != 0 &&
	    (double)(now_ns - server->read_mono_ns) < server->given->max_age_seconds * NS_PER_SECOND &&
	    count_outlooks(&server->snapshots) <= OUTLOOKS_MAX)
		return;
	server->given->options.origin.now_ns = clock_real_ns();
	if (server->read_mono_ns != 0)
		snapshots_refresh(&server->snapshots);
	server->read_mono_ns = now_ns;
}

static int answer_frame(struct server *server, zmq_msg_t *frame, struct bytes *reply) {
	struct status status = {.code = STATUS_INTERNAL, .message = "no answer"};
	struct call call = {.server = server, .status = &status, .reply = reply};
	const char *user_id = zmq_msg_gets(frame, "User-Id");
	int rc;

	peer_read(user_id, user_id != NULL ? strlen(user_id) : 0, &call.peer);
	keep_fresh(server);
	rc = dispatch(&call, zmq_msg_data(frame), zmq_msg_size(frame));
	if (rc == 0 && reply->size > LIMIT_FRAME_SIZE) {
		bytes_fini(reply);
		rc = status_set(&status, STATUS_RESOURCE_EXHAUSTED, "the reply would be over %d bytes",
		                LIMIT_FRAME_SIZE);
	}
	if (rc == -ENOMEM)
		status_set(&status, STATUS_RESOURCE_EXHAUSTED, "out of memory");
	if (rc < 0)
		rc = reply_encode_error(&status, call.id, reply);
	document_close(call.document);
	return rc;
}

// ---- frames

struct frames {
	zmq_msg_t list[ENVELOPE_FRAMES + 1];
	size_t n;
};

static void frames_close(struct frames *frames) {
	for (size_t i = 0; i < frames->n; i++)
		zmq_msg_close(&frames->list[i]);
	frames->n = 0;
}

// Reads one message whole. Returns false when there is none.
static bool receive(struct server *server, struct frames *frames) {
	bool more = true;

	while (more) {
		zmq_msg_t frame;

		zmq_msg_init(&frame);
		if (zmq_msg_recv(&frame, server->socket, frames->n == 0 ? ZMQ_DONTWAIT : 0) < 0) {
			zmq_msg_close(&frame);
			return frames->n > 0;
		}
		more = zmq_msg_more(&frame) != 0;
		if (frames->n < ENVELOPE_FRAMES + 1)
			frames->list[frames->n++] = frame;
		else
			zmq_msg_close(&frame);
	}
	return true;
}

// Routing, an empty frame, the request: what REQ and DEALER send.
static bool has_form(struct frames *frames) {
	return frames->n >= 3 && frames->n <= ENVELOPE_FRAMES &&
	       zmq_msg_size(&frames->list[frames->n - 2]) == 0;
}

static void answer_frames(struct server *server, struct frames *frames) {
	CLEANUP(bytes_fini) struct bytes reply = {0};
	zmq_msg_t *last = &frames->list[frames->n - 1];
	struct status status;
	int rc;

	if (has_form(frames)) {
		rc = answer_frame(server, last, &reply);
	} else {
		status_set(&status, STATUS_INVALID_ARGUMENT, "expected an empty frame, then one map");
		rc = reply_encode_error(&status, NULL, &reply);
	}
	if (rc < 0 || zmq_msg_send(&frames->list[0], server->socket, ZMQ_SNDMORE) < 0)
		return; // out of memory, or the client has left
	for (size_t i = 1; has_form(frames) && i + 2 < frames->n; i++)
		zmq_msg_send(&frames->list[i], server->socket, ZMQ_SNDMORE);
	zmq_send(server->socket, "", 0, ZMQ_SNDMORE);
	zmq_send(server->socket, reply.data, reply.size, 0);
}

static void serve(struct server *server) {
	zmq_pollitem_t items[] = {
	        {.socket = server->socket, .events = ZMQ_POLLIN},
	        {.fd = server->signal_fd, .events = ZMQ_POLLIN},
	};

	while ((items[1].revents & ZMQ_POLLIN) == 0) {
		if (zmq_poll(items, 2, -1) < 0)
			continue;
		for (int i = 0; i < BURST && (items[0].revents & ZMQ_POLLIN); i++) {
			struct frames frames = {.n = 0};

			if (!receive(server, &frames))
				break;
			answer_frames(server, &frames);
			frames_close(&frames);
		}
	}
}

// ---- start and stop

// Binds, over tcp under the keys that were given.
static int bind_server(struct server *server, const char *endpoint, struct status *status) {
	CLEANUP(keypair_wipe) struct keypair keys = {0};
	const struct serve_options *given = server->given;
	bool has_keys = given->curve_key != NULL;
	int rc;

	if (has_keys && ((rc = keypair_read(given->curve_key, &keys, status)) < 0 ||
	                 (rc = zap_start(given->curve_clients, server->context, &server->zap, status)) < 0))
		return rc;
	rc = keys_before_bind(server->socket, endpoint, has_keys ? &keys : NULL, ZAP_PATH, status);
	if (rc < 0)
		return rc;
	return endpoint_bind(server->socket, endpoint, given->insecure || has_keys, &server->lock, status);
}

static int open_server(struct server *server, struct status *status) {
	const int no_linger = 0, mandatory = 1;
	const int64_t limit = LIMIT_FRAME_SIZE;
	char endpoint[ENDPOINT_SIZE];
	sigset_t signals;
	int rc;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL); // before ZeroMQ's threads
	signal(SIGHUP, SIG_IGN); // there is nothing to read again: zap looks at its list itself
	server->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
	server->context = zmq_ctx_new();
	if (server->signal_fd < 0 || server->context == NULL)
		return status_set(status, STATUS_INTERNAL, "no socket: %s", strerror(errno));
	server->socket = zmq_socket(server->context, ZMQ_ROUTER);
	if (server->socket == NULL)
		return status_set(status, STATUS_INTERNAL, "no socket: %s", zmq_strerror(errno));
	zmq_setsockopt(server->socket, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	zmq_setsockopt(server->socket, ZMQ_MAXMSGSIZE, &limit, sizeof(limit));
	zmq_setsockopt(server->socket, ZMQ_ROUTER_MANDATORY, &mandatory, sizeof(mandatory));
	if ((rc = endpoint_set(ENDPOINT_PATH, server->given->endpoint, endpoint, status)) < 0 ||
	    (rc = bind_server(server, endpoint, status)) < 0 ||
	    (rc = origin_open(&server->given->options.origin, &server->snapshots.origin, status)) < 0)
		return rc;
	log_info("answers at %s", endpoint);
	return 0;
}

static void close_server(struct server *server) {
	snapshots_fini(&server->snapshots);
	if (server->socket != NULL)
		zmq_close(server->socket);
	zap_stop(server->zap);
	if (server->context != NULL)
		zmq_ctx_term(server->context);
	if (server->lock >= 0)
		close(server->lock);
	if (server->signal_fd >= 0)
		close(server->signal_fd);
}

enum { OPT_ENDPOINT = 0x600, OPT_MAX_AGE, OPT_INSECURE, OPT_CURVE_KEY, OPT_CURVE_CLIENTS };

static const struct argp_option serve_options[] = {
        {"endpoint", OPT_ENDPOINT, "ENDPOINT", 0, "Where to answer (default $LINKCAST_PATH)", 0},
        {"max-age", OPT_MAX_AGE, "TIME", 0, "How long what was read is used (default 5s)", 0},
        {"curve-key", OPT_CURVE_KEY, "FILE", 0, "This server's key: a tcp endpoint then takes keys", 0},
        {"curve-clients", OPT_CURVE_CLIENTS, "FILE", 0,
         "Public keys of clients, and what each may do: read computes paths, admit requests services", 0},
        {"insecure", OPT_INSECURE, NULL, 0, "Allow an endpoint that is not loopback, without keys", 0},
        {0},
};

static const struct argp_child serve_children[] = {
        {&options_source_argp, 0, "Where topology and forecasts come from:", 1},
        {&options_request_argp, 0, "What counts where a request doesn't say:", 2},
        {0},
};

static error_t parse_serve(int key, char *argument, struct argp_state *state) {
	struct serve_options *given = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 2; i++)
			state->child_inputs[i] = state->input;
		return 0;
	case OPT_ENDPOINT:
		given->endpoint = argument;
		return 0;
	case OPT_MAX_AGE:
		given->max_age_seconds = option_seconds(state, "--max-age", argument);
		return 0;
	case OPT_INSECURE:
		given->insecure = true;
		return 0;
	case OPT_CURVE_KEY:
		given->curve_key = argument;
		return 0;
	case OPT_CURVE_CLIENTS:
		given->curve_clients = argument;
		return 0;
	case ARGP_KEY_END:
		if ((given->curve_key == NULL) != (given->curve_clients == NULL))
			argp_error(state, "--curve-key and --curve-clients go together");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp serve_argp = {
        .options = serve_options,
        .parser = parse_serve,
        .doc = "Answers ComputePath and RequestService over REQ/REP, until SIGTERM."
               "\vExit status: 0 stopped, 1 error, 2 wrong usage.",
        .children = serve_children,
};

int command_serve(int argc, char **argv) {
	struct serve_options given = {.max_age_seconds = MAX_AGE_SECONDS};
	struct server server = {.given = &given, .lock = -1, .signal_fd = -1};
	struct status status = {.message = "out of memory"};
	int rc;

	options_init(&given.options, clock_real_ns());
	argp_parse(&serve_argp, argc, argv, 0, NULL, &given);
	server.snapshots.options = &given.options.origin;
	server.started_mono_ns = clock_mono_ns();
	rc = open_server(&server, &status);
	if (rc == 0)
		serve(&server);
	else
		log_error("%s", status.message);
	close_server(&server);
	return rc < 0 ? EXIT_ERROR : EXIT_DONE;
}
