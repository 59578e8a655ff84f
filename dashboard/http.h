// http.h: HTTP/1.1 and TLS by libmicrohttpd, which only http.c knows. Runs in the caller's loop, on one thread.
//
// A request reaches the handler once, whole. The handler answers at once or later (the connection sleeps meanwhile),
// or turns the request into a stream of events. What is refused before that: another host or origin, no token, too
// many requests of an address, too large a body.
// SPDX-License-Identifier: MIT
#pragma once

#include "guard.h"
#include "streams.h"

#include <stddef.h>
#include <stdint.h>

#define HTTP_BODY_SIZE   (8 << 20)  // of a request
#define HTTP_BODIES_SIZE (64 << 20) // of all requests at a time

struct http;
struct exchange; // a request and its answer

struct http_options {
	const char *address;           // "127.0.0.1", "::1", ...
	uint16_t port;                 // 0: any free one
	const char *certificate, *key; // PEM text; NULL: no TLS
	unsigned connections;          // at most, at a time
	double rate;                   // requests per second and address; 0: no limit
	const struct guard *guard;
	bool (*is_public)(const char *path); // answered without a token
	void (*handle)(void *context, struct exchange *);
	void *context;
};

// Returns 0 or a negative errno with 'status'.
int http_start(const struct http_options *, struct http **ret, struct status *status);

// Answers what is still held with 503, and ends streams.
void http_stop(struct http *);
DEFINE_CLEANUP(struct http *, http_stop)

// For the caller's loop: a descriptor that is readable when there is something to do, how long it may be waited
// for (-1: for ever), and the doing.
int http_descriptor(const struct http *);
int http_timeout_ms(const struct http *);
void http_run(struct http *);

uint16_t http_port(const struct http *);

// Takes over a connected stream socket as if it had been accepted. Returns 0 or a negative errno.
int http_add_connection(struct http *, int socket);

// Wakes the streams that have something to send. Returns when the next one is due: as streams_wake().
int64_t http_wake_streams(struct http *, struct streams *, int64_t now_ns);

// How many answers had a status of 100 * 'hundreds' and more.
uint64_t http_answers(const struct http *, int hundreds);
uint64_t http_connections(const struct http *);

// ---- a request. Texts live as long as it.

const char *exchange_method(const struct exchange *);
const char *exchange_path(const struct exchange *);
const char *exchange_header(const struct exchange *, const char *name); // NULL when absent
const void *exchange_body(const struct exchange *, size_t *ret_size);

// Each argument of the query in order, until 'each' returns false; 'value' may be NULL.
void exchange_arguments(const struct exchange *,
                        bool (*each)(void *context, const char *name, const char *value), void *context);

// ---- its answer: exactly one of these, from the handler or later. The exchange is not to be used afterwards.

// 'body' is from malloc and taken over, or NULL with size 0. 'etag' may be NULL.
void exchange_answer(struct exchange *, int http_status, const char *type, char *body, size_t size);

// 'body' stays the caller's, and as it is, until http_stop(). A client that has it by this 'etag' hears 304.
void exchange_answer_file(struct exchange *, const char *type, const char *etag, const void *body,
                          size_t size);

// The HTTP status of a code, as google.rpc.Code maps them.
int http_status_of(enum status_code code);

// {"ok": false, "error": ...} with that status.
void exchange_refuse(struct exchange *, const struct status *status);

// text/event-stream. Takes the stream over; its owner must be this exchange.
void exchange_stream(struct exchange *, struct stream *stream);
