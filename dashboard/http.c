// libmicrohttpd with an epoll descriptor that sits in the caller's loop. Traps: a content reader that returns 0
// without suspending its connection makes the loop spin; MHD_stop_daemon aborts while a connection is suspended; a
// connection takes a step of its work in each MHD_run(), and neither the descriptor nor MHD_get_timeout() tells that
// the next step could be taken at once (0.9.75). So it is run some times more whenever anything happened, and looked
// after while a connection is open that neither sleeps nor is new.
// SPDX-License-Identifier: MIT
#include "http.h"

#include "clock.h"
#include "codec.h"
#include "log.h"
#include "rate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTION_MEMORY  (32 << 10) // request line and headers
#define CONNECTION_SECONDS 30         // without a byte, unless it is held or a stream
#define STREAM_BLOCK       (64 << 10)
#define STREAM_SEND_BUFFER (256 << 10) // what the kernel may hold for a slow reader
#define LAST_RUNS          16
#define STEPS              8   // of a connection, that may follow what happened
#define LOOK_MS            100 // while connections are awake
#define MOST_RUNS          256 // between two looks at the caller's other work
#define HUNDREDS           6

struct exchange {
	LIST_ENTRY(exchange) list;
	struct http *http;
	struct MHD_Connection *connection;
	const char *method, *path;
	char *body;
	size_t size, room, forgotten;
	struct MHD_Response *response; // once it is answered
	int http_status;
	bool handling, held, refused;
	struct stream *stream;
	bool stream_asleep;
};

struct http {
	struct http_options options;
	struct MHD_Daemon *daemon;
	struct rate rate;
	LIST_HEAD(exchange_list, exchange) exchanges;
	size_t bodies; // bytes
	uint64_t answers[HUNDREDS];
	int steps; // to be run at once
	bool stopping;
};

// What every answer carries. No page of ours has a script or style of its own in it, nor anything of elsewhere.
static const struct {
	const char *name, *value;
} common_headers[] = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
         "font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"Referrer-Policy", "no-referrer"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
};

// google.rpc.Code, "HTTP Mapping" (googleapis, google/rpc/code.proto)
static const int http_statuses[N_STATUS_CODES] = {
        [STATUS_OK] = 200,
        [STATUS_INVALID_ARGUMENT] = 400,
        [STATUS_NOT_FOUND] = 404,
        [STATUS_FAILED_PRECONDITION] = 400,
        [STATUS_ALREADY_EXISTS] = 409,
        [STATUS_ABORTED] = 409,
        [STATUS_RESOURCE_EXHAUSTED] = 429,
        [STATUS_UNAVAILABLE] = 503,
        [STATUS_DEADLINE_EXCEEDED] = 504,
        [STATUS_PERMISSION_DENIED] = 403,
        [STATUS_UNIMPLEMENTED] = 501,
        [STATUS_INTERNAL] = 500,
};

int http_status_of(enum status_code code) {
	return http_statuses[code];
}

// ---- answers

static void resume_connection(struct exchange *exchange) {
	exchange->http->steps = STEPS;
	MHD_resume_connection(exchange->connection);
}

static void give(struct exchange *exchange, int http_status, struct MHD_Response *response) {
	bool resume = exchange->held;

	exchange->http_status = response != NULL ? http_status : 500;
	exchange->response =
	        response != NULL ? response : MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
	exchange->held = false;
	if (resume)
		resume_connection(exchange);
}

static void add_headers(struct MHD_Response *response, const char *type, const char *cache) {
	for (size_t i = 0; i < sizeof(common_headers) / sizeof(common_headers[0]); i++)
		MHD_add_response_header(response, common_headers[i].name, common_headers[i].value);
	if (type != NULL)
		MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Cache-Control", cache);
}

static struct MHD_Response *make_response(const char *type, char *body, size_t size) {
	struct MHD_Response *response = MHD_create_response_from_buffer(
	        size, body != NULL ? body : (void *)"",
	        body != NULL ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);

	if (response == NULL)
		free(body);
	else
		add_headers(response, type, "no-store");
	return response;
}

void exchange_answer(struct exchange *exchange, int http_status, const char *type, char *body, size_t size) {
	give(exchange, http_status, make_response(type, body, size));
}

void exchange_answer_file(struct exchange *exchange, const char *type, const char *etag, const void *body,
                          size_t size) {
	const char *known = exchange_header(exchange, "If-None-Match");
	bool same = known != NULL && strcmp(known, etag) == 0;
	struct MHD_Response *response = MHD_create_response_from_buffer(
	        same ? 0 : size, (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);

	if (response != NULL) {
		add_headers(response, same ? NULL : type, "no-cache"); // asked for each time, by its etag
		MHD_add_response_header(response, "ETag", etag);
	}
	give(exchange, same ? 304 : 200, response);
}

static struct MHD_Response *refusal(int http_status, const struct status *status) {
	struct MHD_Response *response;
	char *text = NULL;

	if (reply_error_to_json(status, NULL, &text) < 0)
		return NULL;
	response = make_response("application/json", text, strlen(text));
	if (response != NULL && http_status == 401)
		MHD_add_response_header(response, "WWW-Authenticate", "Bearer realm=\"linkcast\"");
	if (response != NULL && http_status == 429)
		MHD_add_response_header(response, "Retry-After", "1");
	return response;
}

void exchange_refuse(struct exchange *exchange, const struct status *status) {
	int http_status = http_status_of(status->code);

	give(exchange, http_status, refusal(http_status, status));
}

// ---- streams of events

static ssize_t read_stream(void *context, uint64_t position, char *buffer, size_t size) {
	struct exchange *exchange = context;
	ssize_t n;

	(void)position;
	if (exchange->http->stopping)
		return MHD_CONTENT_READER_END_OF_STREAM;
	n = stream_read(exchange->stream, buffer, size, clock_mono_ns());
	exchange->http->steps = STEPS;
	if (n < 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (n == 0) {
		exchange->stream_asleep = true;
		MHD_suspend_connection(exchange->connection);
	}
	return n;
}

static void wake_stream(void *owner) {
	struct exchange *exchange = owner;

	if (exchange->stream_asleep) {
		exchange->stream_asleep = false;
		resume_connection(exchange);
	}
}

// What waits in the kernel for a reader that doesn't read would hold the connection: it is cut.
static void drop_stream(void *owner) {
	struct exchange *exchange = owner;
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (info != NULL)
		shutdown(info->connect_fd, SHUT_RDWR);
	wake_stream(owner);
}

void exchange_stream(struct exchange *exchange, struct stream *stream) {
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	const int send_buffer = STREAM_SEND_BUFFER;
	struct MHD_Response *response;

	if (info != NULL)
		setsockopt(info->connect_fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof(send_buffer));
	exchange->stream = stream;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, exchange,
	                                             NULL);
	if (response != NULL) {
		add_headers(response, "text/event-stream", "no-store");
		MHD_add_response_header(response, "X-Accel-Buffering", "no"); // nginx would hold it back
	}
	give(exchange, 200, response);
}

int64_t http_wake_streams(struct http *http, struct streams *streams, int64_t now_ns) {
	(void)http;
	return streams_wake(streams, now_ns, wake_stream, drop_stream);
}

// ---- requests

static const char *header(struct MHD_Connection *connection, const char *name) {
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

// FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/) over what tells clients apart: of IPv6 the network.
static uint64_t address_hash(struct MHD_Connection *connection) {
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info != NULL ? info->client_addr : NULL;
	uint64_t hash = UINT64_C(14695981039346656037);
	const unsigned char *bytes = NULL;
	size_t n = 0;

	if (address != NULL && address->sa_family == AF_INET) {
		bytes = (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
		n = 4;
	} else if (address != NULL && address->sa_family == AF_INET6) {
		bytes = (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
		n = 8;
	}
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
	return hash;
}

// 0, or the HTTP status of the refusal with 'status'.
static int check_head(struct exchange *exchange, struct status *status) {
	struct MHD_Connection *connection = exchange->connection;
	struct http *http = exchange->http;
	const char *length = header(connection, "Content-Length");
	const struct guard_request request = {
	        .host = header(connection, "Host"),
	        .origin = header(connection, "Origin"),
	        .fetch_site = header(connection, "Sec-Fetch-Site"),
	        .authorization = header(connection, "Authorization"),
	        .is_public = http->options.is_public(exchange->path),
	};

	if (!rate_take(&http->rate, address_hash(connection), clock_mono_ns())) {
		status_set(status, STATUS_RESOURCE_EXHAUSTED, "more than %g requests a second",
		           http->options.rate);
		return 429;
	}
	if (length != NULL && strtoull(length, NULL, 10) > HTTP_BODY_SIZE) {
		status_set(status, STATUS_RESOURCE_EXHAUSTED, "a body is at most %d bytes", HTTP_BODY_SIZE);
		return 413;
	}
	return guard_check(http->options.guard, &request, status);
}

// 0, or the HTTP status of the refusal with 'status'.
static int take_body(struct exchange *exchange, const char *data, size_t size, struct status *status) {
	struct http *http = exchange->http;

	if (exchange->size + size > HTTP_BODY_SIZE) {
		status_set(status, STATUS_RESOURCE_EXHAUSTED, "a body is at most %d bytes", HTTP_BODY_SIZE);
		return 413;
	}
	if (exchange->size + size > exchange->room) {
		size_t room = 2 * exchange->room + size;
		char *moved;

		if (http->bodies + room - exchange->room > HTTP_BODIES_SIZE ||
		    (moved = realloc(exchange->body, room)) == NULL) {
			status_set(status, STATUS_RESOURCE_EXHAUSTED, "too much is being sent at once");
			return 503;
		}
		http->bodies += room - exchange->room;
		exchange->body = moved;
		exchange->room = room;
	}
	memcpy(exchange->body + exchange->size, data, size);
	exchange->size += size;
	return 0;
}

static enum MHD_Result queue(struct exchange *exchange) {
	struct http *http = exchange->http;
	enum MHD_Result rc =
	        MHD_queue_response(exchange->connection, (unsigned)exchange->http_status, exchange->response);
	int hundreds = exchange->http_status / 100;

	MHD_destroy_response(exchange->response);
	exchange->response = NULL;
	if (hundreds < HUNDREDS)
		http->answers[hundreds]++;
	return rc;
}

static void refuse(struct exchange *exchange, int http_status, const struct status *status) {
	exchange->refused = true;
	give(exchange, http_status, refusal(http_status, status));
}

static enum MHD_Result begin(struct http *http, struct MHD_Connection *connection, const char *path,
                             const char *method, void **state) {
	struct exchange *exchange = calloc(1, sizeof(*exchange));
	struct status status;
	int http_status;

	if (exchange == NULL)
		return MHD_NO;
	*state = exchange;
	exchange->http = http;
	exchange->connection = connection;
	exchange->path = path;
	exchange->method = method;
	LIST_INSERT_HEAD(&http->exchanges, exchange, list);
	http_status = check_head(exchange, &status);
	if (http_status == 0)
		return MHD_YES;
	refuse(exchange, http_status, &status);
	return queue(exchange);
}

// Called by libmicrohttpd: first with the head, then for each piece of the body, then with its end; and again when a
// sleeping connection was woken.
static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **state) {
	struct http *http = context;
	struct exchange *exchange = *state;
	struct status status;
	int http_status;

	(void)version;
	http->steps = STEPS;
	if (exchange == NULL)
		return begin(http, connection, path, method, state);
	if (*size > 0) {
		// libmicrohttpd takes no answer while the body comes in: the rest is read and forgotten, within reason
		http_status = exchange->refused ? 0 : take_body(exchange, data, *size, &status);
		if (http_status != 0)
			refuse(exchange, http_status, &status);
		exchange->forgotten += exchange->refused ? *size : 0;
		*size = 0;
		return exchange->forgotten <= HTTP_BODY_SIZE ? MHD_YES : MHD_NO;
	}
	if (exchange->response == NULL && http->stopping) {
		status_set(&status, STATUS_UNAVAILABLE, "the gateway stops");
		exchange_refuse(exchange, &status);
	}
	if (exchange->response == NULL) {
		http->options.handle(http->options.context, exchange);
		if (exchange->response == NULL) {
			exchange->held = true;
			MHD_suspend_connection(connection);
			return MHD_YES;
		}
	}
	return queue(exchange);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **state,
                         enum MHD_RequestTerminationCode code) {
	struct exchange *exchange = *state;
	struct http *http = context;

	(void)connection, (void)code;
	if (exchange == NULL)
		return;
	LIST_REMOVE(exchange, list);
	stream_close(exchange->stream);
	if (exchange->response != NULL)
		MHD_destroy_response(exchange->response);
	http->bodies -= exchange->room;
	free(exchange->body);
	free(exchange);
	*state = NULL;
}

static void on_log(void *context, const char *format, va_list arguments) {
	char line[256];

	(void)context;
	vsnprintf(line, sizeof(line), format, arguments);
	line[strcspn(line, "\n")] = '\0';
	log_debug("http: %s", line);
}

const char *exchange_method(const struct exchange *exchange) {
	return exchange->method;
}

const char *exchange_path(const struct exchange *exchange) {
	return exchange->path;
}

const char *exchange_header(const struct exchange *exchange, const char *name) {
	return header(exchange->connection, name);
}

const void *exchange_body(const struct exchange *exchange, size_t *ret_size) {
	*ret_size = exchange->size;
	return exchange->body;
}

struct argument_walk {
	bool (*each)(void *context, const char *name, const char *value);
	void *context;
};

static enum MHD_Result on_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value) {
	struct argument_walk *walk = context;

	(void)kind;
	return walk->each(walk->context, name, value) ? MHD_YES : MHD_NO;
}

void exchange_arguments(const struct exchange *exchange,
                        bool (*each)(void *context, const char *name, const char *value), void *context) {
	struct argument_walk walk = {each, context};

	MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, on_argument, &walk);
}

// ---- start, run, stop

static int find_address(const struct http_options *options, struct addrinfo **ret, struct status *status) {
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	char port[8];
	int rc;

	snprintf(port, sizeof(port), "%u", options->port);
	rc = getaddrinfo(options->address, port, &hints, ret);
	if (rc != 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "address '%s': %s", options->address,
		                  gai_strerror(rc));
	return 0;
}

static int listen_at(const struct http_options *options, struct status *status) {
	struct addrinfo *address;
	const int yes = 1;
	int rc = find_address(options, &address, status), fd;

	if (rc < 0)
		return rc;
	fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (fd < 0 || bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, SOMAXCONN) < 0) {
		rc = status_set(status, STATUS_UNAVAILABLE, "cannot listen at %s, port %u: %s",
		                options->address, options->port, strerror(errno));
		if (fd >= 0)
			close(fd);
	}
	freeaddrinfo(address);
	return rc < 0 ? rc : fd;
}

int http_start(const struct http_options *options, struct http **ret, struct status *status) {
	struct MHD_OptionItem tls[] = {
	        {MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->certificate},
	        {MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->key},
	        {MHD_OPTION_HTTPS_PRIORITIES, 0, "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"},
	        {MHD_OPTION_END, 0, NULL},
	};
	struct http *http = calloc(1, sizeof(*http));
	unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	int fd;

	if (http == NULL)
		return -ENOMEM;
	http->options = *options;
	rate_init(&http->rate, options->rate);
	LIST_INIT(&http->exchanges);
	fd = listen_at(options, status);
	if (fd < 0) {
		free(http);
		return fd;
	}
	if (options->certificate == NULL)
		tls[0].option = MHD_OPTION_END;
	else
		flags |= MHD_USE_TLS;
	http->daemon = MHD_start_daemon(
	        flags, 0, NULL, NULL, on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
	        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT, options->connections,
	        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
	        (unsigned)CONNECTION_SECONDS, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
	        MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
	if (http->daemon == NULL) {
		close(fd);
		free(http);
		return status_set(status, STATUS_INVALID_ARGUMENT, "no HTTP server%s",
		                  options->certificate != NULL ? ": certificate and key must fit each other"
		                                               : "");
	}
	*ret = http;
	return 0;
}

void http_stop(struct http *http) {
	struct exchange *exchange;
	struct status status;

	if (http == NULL)
		return;
	http->stopping = true;
	status_set(&status, STATUS_UNAVAILABLE, "the gateway stops");
	LIST_FOREACH (exchange, &http->exchanges, list) {
		if (exchange->held)
			exchange_refuse(exchange, &status);
		wake_stream(exchange);
	}
	for (int i = 0; i < LAST_RUNS; i++)
		MHD_run(http->daemon);
	MHD_stop_daemon(http->daemon);
	free(http);
}

int http_descriptor(const struct http *http) {
	return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

// Connections that are not suspended: those whose next step may be due.
static bool any_awake(const struct http *http) {
	const struct exchange *exchange;
	uint64_t asleep = 0;

	LIST_FOREACH (exchange, &http->exchanges, list)
		asleep += exchange->held || exchange->stream_asleep;
	return http_connections(http) > asleep;
}

int http_timeout_ms(const struct http *http) {
	MHD_UNSIGNED_LONG_LONG timeout;
	int most = any_awake(http) ? LOOK_MS : -1;

	if (http->steps > 0)
		return 0;
	if (MHD_get_timeout(http->daemon, &timeout) != MHD_YES)
		return most;
	return most >= 0 && timeout > (unsigned)most ? most : timeout < INT_MAX ? (int)timeout : INT_MAX;
}

void http_run(struct http *http) {
	int runs = 0;

	if (http->steps < STEPS)
		http->steps = STEPS;
	while (http->steps > 0 && runs++ < MOST_RUNS) {
		http->steps--;
		MHD_run(http->daemon);
	}
}

uint16_t http_port(const struct http *http) {
	return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

int http_add_connection(struct http *http, int socket) {
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	return MHD_add_connection(http->daemon, socket, (struct sockaddr *)&address, sizeof(address)) ==
	                       MHD_YES
	               ? 0
	               : -EIO;
}

uint64_t http_answers(const struct http *http, int hundreds) {
	return http->answers[hundreds];
}

uint64_t http_connections(const struct http *http) {
	return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}
