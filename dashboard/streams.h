// streams.h: events to many readers as text/event-stream (WHATWG HTML, server-sent events). Knows nothing of
// sockets. One thread.
//
// Events wait in one ring, each written once; a stream is a place in it. A reader that is too slow to stay within
// the ring is told so by -EPIPE and never waited for.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STREAM_PREFIXES 16
#define STREAM_PING_NS                                                                                       \
	INT64_C(15000000000) // a comment when nothing else was sent: proxies end silent connections

struct streams;
struct stream;

struct streams_limits {
	size_t events;  // that the ring holds
	size_t bytes;   // of them
	size_t streams; // at a time
};

struct stream_options {
	const char *prefixes[STREAM_PREFIXES]; // of topics; copied
	size_t n_prefixes;                     // 0: all topics
	int64_t every_ns;    // > 0: at most so often, and then only the newest of each topic
	const char *last_id; // of the last event that the reader had, or NULL: go on from there
};

// 'instance' makes the ids of this process's events its own. Returns 0 or -ENOMEM.
int streams_new(const struct streams_limits *, int64_t instance, struct streams **ret);
void streams_free(struct streams *); // every stream must be closed
DEFINE_CLEANUP(struct streams *, streams_free)

// Would anybody read this topic? Then its text is worth making. If not, the ring knows that an event was left out.
bool streams_wants(struct streams *, const char *topic);

// One event; its type is the topic's first word, its data the JSON text, without line breaks. Returns 0 or -ENOMEM.
int streams_publish(struct streams *, const char *topic, const char *json);

// 'owner' is what streams_wake() is to wake. The first thing in the stream is an event "welcome", whose data
// says whether events were missed since last_id. Returns 0, -EMFILE or -ENOMEM.
int stream_open(struct streams *, const struct stream_options *, void *owner, int64_t now_ns,
                struct stream **ret);
void stream_close(struct stream *);

// Up to 'size' bytes of what is to be sent. Returns how many, 0: nothing yet, the stream sleeps until it is woken;
// -EPIPE: it fell behind.
ssize_t stream_read(struct stream *, char *buffer, size_t size, int64_t now_ns);

// Calls 'wake' for the owner of each stream that sleeps and has something to read, and 'drop' once for each that
// fell behind. Returns the time at which the next one is due without any event; INT64_MAX: none.
int64_t streams_wake(struct streams *, int64_t now_ns, void (*wake)(void *owner), void (*drop)(void *owner));

size_t streams_count(const struct streams *);
uint64_t streams_published(const struct streams *);
uint64_t streams_delivered(const struct streams *);
uint64_t streams_dropped(const struct streams *);
