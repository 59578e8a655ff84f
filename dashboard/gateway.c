// The loop, and which path of a request leads where.
// SPDX-License-Identifier: MIT
#include "gateway.h"

#include "api.h"
#include "backend.h"
#include "clock.h"
#include "http.h"
#include "log.h"
#include "metrics.h"
#include "openapi.h"
#include "pages.h"
#include "ports.h"
#include "streams.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define RING_EVENTS   65536
#define RING_BYTES    (32 << 20)
#define READY_MS      2000
#define EVERY_MOST    60.0 // seconds
#define STREAMS_SHARE 0.75 // of the connections: the others stay for requests

struct gateway {
	struct gateway_options options;
	struct backend *backend;
	struct observer *observer;
	struct ports *ports;
	struct streams *streams;
	struct pages *pages;
	struct http *http;
	struct api api;
	char *openapi;
	size_t openapi_size;
	int64_t streams_due_ns;
	int calls_due_ms;
};

// ---- what is published

static int publish(struct gateway *gateway, const char *topic, const struct message *message,
                   const void *body) {
	CLEANUP(freep) char *json = NULL;
	int rc = event_to_json(topic, NULL, message, body, &json);

	return rc < 0 ? rc : streams_publish(gateway->streams, topic, json);
}

static void on_event(void *context, const char *topic_text, const void *map, size_t size) {
	CLEANUP(document_closep) struct document *document = NULL;
	CLEANUP(freep) void *body = NULL;
	struct gateway *gateway = context;
	const struct message *message;
	struct status status;
	enum topic topic;
	bool wanted;

	if (topic_find(topic_text, strlen(topic_text), &topic) < 0)
		return;
	wanted = streams_wants(gateway->streams, topic_text);
	if (!wanted && topic != TOPIC_SAMPLE)
		return;
	message = topics[topic].message;
	body = calloc(1, message->size);
	if (body == NULL || document_from_msgpack(map, size, &document, &status) < 0 ||
	    document_read(document, message, body, &status) < 0)
		return;
	if (topic == TOPIC_SAMPLE)
		(void)ports_take(gateway->ports, body, clock_mono_ns());
	if (wanted && publish(gateway, topic_text, message, body) < 0)
		log_error("out of memory: an event was left out");
}

// ---- paths of HTTP

static void answer_text(struct exchange *exchange, int http_status, const char *text) {
	char *copy = strdup(text);

	exchange_answer(exchange, http_status, "application/json", copy, copy != NULL ? strlen(copy) : 0);
}

static void answer_health(struct gateway *gateway, struct exchange *exchange) {
	(void)gateway;
	answer_text(exchange, 200, "{\"ok\":true}");
}

static void on_ready(void *context, struct document *reply, const struct status *status) {
	struct exchange *exchange = context;

	if (reply != NULL)
		answer_text(exchange, 200, "{\"ok\":true}");
	else
		exchange_refuse(exchange, status);
	document_close(reply);
}

// Ready: analyticsd answers, and what it publishes is heard.
static void answer_ready(struct gateway *gateway, struct exchange *exchange) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	struct empty empty = {0};
	struct status status;

	if (!backend_hears_events(gateway->backend)) {
		status_set(&status, STATUS_UNAVAILABLE, "the events of analyticsd are not heard");
		exchange_refuse(exchange, &status);
	} else if (request_encode(OP_PING, NULL, &empty, &frame) < 0) {
		status_set(&status, STATUS_RESOURCE_EXHAUSTED, "out of memory");
		exchange_refuse(exchange, &status);
	} else {
		backend_call(gateway->backend, BACKEND_API, &frame, READY_MS, on_ready, exchange);
	}
}

struct scrape {
	struct gateway *gateway;
	struct exchange *exchange;
};

static void on_observed(void *context) {
	struct scrape *scrape = context;
	struct gateway *gateway = scrape->gateway;
	const struct metrics_sources sources = {
	        .observer = gateway->observer,
	        .ports = gateway->ports,
	        .streams = gateway->streams,
	        .http = gateway->http,
	        .analyticsd_is_there = backend_is_there(gateway->backend, BACKEND_API),
	        .quantile = gateway->options.observer.quantile,
	};
	char *text = NULL;
	size_t size = 0;

	if (metrics_text(&sources, clock_mono_ns(), &text, &size) < 0)
		text = NULL;
	exchange_answer(scrape->exchange, text != NULL ? 200 : 500, METRICS_TYPE, text, size);
	free(scrape);
}

static void answer_metrics(struct gateway *gateway, struct exchange *exchange) {
	struct scrape *scrape = calloc(1, sizeof(*scrape));
	struct status status;

	if (scrape == NULL) {
		status_set(&status, STATUS_RESOURCE_EXHAUSTED, "out of memory");
		exchange_refuse(exchange, &status);
		return;
	}
	*scrape = (struct scrape){gateway, exchange};
	observer_refresh(gateway->observer, clock_mono_ns(), on_observed, scrape);
}

static void answer_openapi(struct gateway *gateway, struct exchange *exchange) {
	exchange_answer_file(exchange, "application/json", "\"" LINKCAST_VERSION "\"", gateway->openapi,
	                     gateway->openapi_size);
}

// What a page may offer: the roles whose requests are passed on, and whether paths can be asked for.
static void answer_about(struct gateway *gateway, struct exchange *exchange) {
	bool first = true;
	char text[256];
	int used =
	        snprintf(text, sizeof(text),
	                 "{\"ok\":true,\"version\":\"%s\",\"analyticsd\":%s,\"pathcomp\":%s,\"roles\":[",
	                 LINKCAST_VERSION, backend_is_there(gateway->backend, BACKEND_API) ? "true" : "false",
	                 backend_is_there(gateway->backend, BACKEND_PATH) ? "true" : "false");

	for (int role = 0; role < roles_choices.n_words; role++) {
		if ((gateway->options.roles & (1U << role)) == 0)
			continue;
		used += snprintf(text + used, sizeof(text) - (size_t)used, "%s\"%s\"", first ? "" : ",",
		                 choice_word(&roles_choices, role));
		first = false;
	}
	snprintf(text + used, sizeof(text) - (size_t)used, "]}");
	answer_text(exchange, 200, text);
}

struct stream_arguments {
	struct stream_options options;
	struct status *status;
	bool failed;
};

static bool take_stream_argument(void *context, const char *name, const char *value) {
	struct stream_arguments *arguments = context;
	struct stream_options *options = &arguments->options;
	double seconds;

	arguments->failed = true;
	if (value == NULL)
		return status_set(arguments->status, STATUS_INVALID_ARGUMENT, "%.100s: has no value", name) ==
		       0;
	if (strcmp(name, "topic") == 0) {
		if (options->n_prefixes == STREAM_PREFIXES)
			return status_set(arguments->status, STATUS_INVALID_ARGUMENT,
			                  "topic: at most %d of them", STREAM_PREFIXES) == 0;
		options->prefixes[options->n_prefixes++] = value;
	} else if (strcmp(name, "every") == 0) {
		if (text_to_seconds(value, &seconds) < 0 || seconds > EVERY_MOST)
			return status_set(arguments->status, STATUS_INVALID_ARGUMENT,
			                  "every: expected a duration of at most %g s", EVERY_MOST) == 0;
		options->every_ns = (int64_t)(seconds * NS_PER_SECOND);
	} else if (strcmp(name, "last_id") == 0) {
		options->last_id = value;
	} else {
		return status_set(arguments->status, STATUS_INVALID_ARGUMENT, "%.100s: no such argument",
		                  name) == 0;
	}
	arguments->failed = false;
	return true;
}

static void answer_events(struct gateway *gateway, struct exchange *exchange) {
	struct status status = {.code = STATUS_OK};
	struct stream_arguments arguments = {.status = &status};
	struct stream *stream;
	int rc;

	arguments.options.last_id = exchange_header(exchange, "Last-Event-ID");
	exchange_arguments(exchange, take_stream_argument, &arguments);
	if (arguments.failed) {
		exchange_refuse(exchange, &status);
		return;
	}
	rc = stream_open(gateway->streams, &arguments.options, exchange, clock_mono_ns(), &stream);
	if (rc < 0) {
		status_set(&status, STATUS_RESOURCE_EXHAUSTED, "%zu streams are open",
		           streams_count(gateway->streams));
		exchange_refuse(exchange, &status);
		return;
	}
	exchange_stream(exchange, stream);
}

static void answer_page(struct gateway *gateway, struct exchange *exchange) {
	const struct page *page = pages_find(gateway->pages, exchange_path(exchange));
	struct status status;

	if (page != NULL) {
		exchange_answer_file(exchange, page->type, page->etag, page->body, page->size);
		return;
	}
	status_set(&status, STATUS_NOT_FOUND, "nothing at %.200s", exchange_path(exchange));
	exchange_refuse(exchange, &status);
}

static void answer_api(struct gateway *gateway, struct exchange *exchange) {
	api_handle(&gateway->api, exchange);
}

static const struct place {
	const char *path; // one that ends in '/' stands for all below it
	void (*answer)(struct gateway *, struct exchange *);
	bool is_public;
} places[] = {
        {"/api/v1/openapi.json", answer_openapi, true},
        {"/api/v1/about", answer_about, false},
        {API_PREFIX, answer_api, false},
        {"/events", answer_events, false},
        {"/metrics", answer_metrics, false},
        {"/healthz", answer_health, true},
        {"/readyz", answer_ready, true},
};
static const struct place page_place = {"/", answer_page, true};

static const struct place *find_place(const char *path) {
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		size_t length = strlen(places[i].path);

		if (places[i].path[length - 1] == '/' ? strncmp(path, places[i].path, length) == 0
		                                      : strcmp(path, places[i].path) == 0)
			return &places[i];
	}
	return &page_place;
}

static bool is_public(const char *path) {
	return find_place(path)->is_public;
}

static void handle(void *context, struct exchange *exchange) {
	const struct place *place = find_place(exchange_path(exchange));
	const char *method = exchange_method(exchange);
	struct status status;

	if (place->answer != answer_api && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		status_set(&status, STATUS_INVALID_ARGUMENT, "%.100s takes GET", exchange_path(exchange));
		exchange_refuse(exchange, &status);
		return;
	}
	place->answer(context, exchange);
}

// ---- start, turn, stop

static int open_http(struct gateway *gateway, struct status *status) {
	const struct gateway_options *options = &gateway->options;
	const struct http_options http_options = {
	        .address = options->address,
	        .port = options->port,
	        .certificate = options->certificate,
	        .key = options->key,
	        .connections = options->connections,
	        .rate = options->rate,
	        .guard = &options->guard,
	        .is_public = is_public,
	        .handle = handle,
	        .context = gateway,
	};

	return http_start(&http_options, &gateway->http, status);
}

static int open_parts(struct gateway *gateway, struct status *status) {
	const struct gateway_options *options = &gateway->options;
	const struct backend_options backend_options = {
	        .api = options->api,
	        .path = options->path,
	        .events = options->events,
	        .on_event = on_event,
	        .context = gateway,
	};
	const struct streams_limits limits = {RING_EVENTS, RING_BYTES,
	                                      (size_t)(STREAMS_SHARE * options->connections)};
	int64_t instance = 0;
	int rc;

	if (getrandom(&instance, sizeof(instance), 0) != sizeof(instance))
		return status_set(status, STATUS_INTERNAL, "no random number: %s", strerror(errno));
	if ((rc = pages_read(options->page, &gateway->pages, status)) < 0 ||
	    (rc = ports_new(&gateway->ports)) < 0 ||
	    (rc = streams_new(&limits, instance, &gateway->streams)) < 0 ||
	    (rc = openapi_text(&gateway->openapi, &gateway->openapi_size)) < 0 ||
	    (rc = backend_open(&backend_options, &gateway->backend, status)) < 0 ||
	    (rc = observer_new(&options->observer, gateway->backend, &gateway->observer)) < 0 ||
	    (rc = open_http(gateway, status)) < 0)
		return rc;
	gateway->api = (struct api){.backend = gateway->backend, .roles = options->roles};
	return 0;
}

int gateway_open(const struct gateway_options *options, struct gateway **ret, struct status *status) {
	CLEANUP(gateway_closep) struct gateway *gateway = calloc(1, sizeof(*gateway));
	int rc;

	if (gateway == NULL)
		return -ENOMEM;
	gateway->options = *options;
	gateway->streams_due_ns = INT64_MAX;
	gateway->calls_due_ms = -1;
	if ((rc = open_parts(gateway, status)) < 0)
		return rc;
	*ret = gateway;
	gateway = NULL;
	return 0;
}

void gateway_close(struct gateway *gateway) {
	if (gateway == NULL)
		return;
	backend_close(gateway->backend); // its calls end: what waits for them is answered
	http_stop(gateway->http);
	observer_free(gateway->observer);
	streams_free(gateway->streams);
	ports_free(gateway->ports);
	pages_free(gateway->pages);
	free(gateway->openapi);
	free(gateway);
}

uint16_t gateway_port(const struct gateway *gateway) {
	return http_port(gateway->http);
}

int gateway_add_connection(struct gateway *gateway, int socket) {
	return http_add_connection(gateway->http, socket);
}

static int sooner(int a, int b) {
	return a < 0 ? b : b < 0 ? a : a < b ? a : b;
}

static int patience(const struct gateway *gateway, int timeout_ms) {
	int64_t now_ns = clock_mono_ns();

	timeout_ms = sooner(timeout_ms, http_timeout_ms(gateway->http));
	timeout_ms = sooner(timeout_ms, gateway->calls_due_ms);
	if (gateway->streams_due_ns == INT64_MAX)
		return timeout_ms;
	return sooner(timeout_ms, gateway->streams_due_ns <= now_ns
	                                  ? 0
	                                  : (int)((gateway->streams_due_ns - now_ns) / NS_PER_MS) + 1);
}

bool gateway_turn(struct gateway *gateway, int stop_fd, int timeout_ms) {
	zmq_pollitem_t items[BACKEND_ITEMS + 2] = {
	        {.fd = http_descriptor(gateway->http), .events = ZMQ_POLLIN},
	        {.fd = stop_fd, .events = ZMQ_POLLIN},
	};
	int n = stop_fd < 0 ? 1 : 2;

	backend_items(gateway->backend, items + n);
	if (zmq_poll(items, n + BACKEND_ITEMS, patience(gateway, timeout_ms)) < 0 && errno != EINTR)
		log_error("zmq_poll: %s", zmq_strerror(errno));
	backend_run(gateway->backend, clock_mono_ns());
	http_run(gateway->http);
	gateway->streams_due_ns = http_wake_streams(gateway->http, gateway->streams, clock_mono_ns());
	// the requests that have just come in are waited for, too
	gateway->calls_due_ms = backend_due_ms(gateway->backend, clock_mono_ns());
	return n == 2 && (items[1].revents & ZMQ_POLLIN) != 0;
}
