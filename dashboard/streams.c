// The ring of events and the streams that read it. For "the newest of each topic" the ring knows, for each topic,
// the last event that it holds.
// SPDX-License-Identifier: MIT
#include "streams.h"

#include "endpoint.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <uthash.h>

#define WELCOME_SIZE 160

struct topic_entry {
	char topic[TOPIC_SIZE];
	uint64_t last_seq;
	UT_hash_handle hh;
};

struct event {
	uint64_t seq;
	char *text; // as it is sent
	size_t size;
	struct topic_entry *topic;
};

struct stream {
	struct streams *streams;
	LIST_ENTRY(stream) list;
	void *owner;
	char prefixes[STREAM_PREFIXES][TOPIC_SIZE];
	size_t n_prefixes;
	int64_t every_ns, due_ns, ping_ns;
	uint64_t next; // seq of the event that is read, or will be
	size_t offset; // in its text
	uint64_t end;  // with every_ns: up to here is read before the next pause
	bool asleep, fell_behind;
	char welcome[WELCOME_SIZE]; // or a ping: what is read before the events
	size_t welcome_size, welcome_offset;
};

struct streams {
	struct streams_limits limits;
	int64_t instance;
	struct event *ring; // of limits.events; event seq is at seq % limits.events
	uint64_t first, next;
	uint64_t left_out; // nobody read an event that came before this one; 0: never
	size_t bytes;
	struct topic_entry *topics;
	LIST_HEAD(stream_list, stream) list;
	size_t n_streams;
	uint64_t delivered, dropped;
};

int streams_new(const struct streams_limits *limits, int64_t instance, struct streams **ret) {
	CLEANUP(streams_freep) struct streams *streams = calloc(1, sizeof(*streams));

	if (streams == NULL)
		return -ENOMEM;
	streams->limits = *limits;
	streams->instance = instance;
	streams->first = streams->next = 1;
	streams->ring = calloc(limits->events, sizeof(*streams->ring));
	if (streams->ring == NULL)
		return -ENOMEM;
	LIST_INIT(&streams->list);
	*ret = streams;
	streams = NULL;
	return 0;
}

static struct event *event_at(struct streams *streams, uint64_t seq) {
	return &streams->ring[seq % streams->limits.events];
}

static void evict(struct streams *streams) {
	struct event *event = event_at(streams, streams->first);

	assert(event->topic != NULL && streams->topics != NULL); // it was given one when it came
	if (event->topic->last_seq == event->seq) {
		HASH_DEL(streams->topics, event->topic);
		free(event->topic);
	}
	streams->bytes -= event->size;
	free(event->text);
	*event = (struct event){0};
	streams->first++;
}

void streams_free(struct streams *streams) {
	if (streams == NULL)
		return;
	while (streams->first < streams->next)
		evict(streams);
	free(streams->ring);
	free(streams);
}

// ---- publishing

static bool takes(const struct stream *stream, const char *topic) {
	if (stream->n_prefixes == 0)
		return true;
	for (size_t i = 0; i < stream->n_prefixes; i++) {
		if (strncmp(topic, stream->prefixes[i], strlen(stream->prefixes[i])) == 0)
			return true;
	}
	return false;
}

bool streams_wants(struct streams *streams, const char *topic) {
	const struct stream *stream;

	LIST_FOREACH (stream, &streams->list, list) {
		if (takes(stream, topic))
			return true;
	}
	streams->left_out = streams->next;
	return false;
}

static struct topic_entry *topic_entry(struct streams *streams, const char *topic) {
	struct topic_entry *entry;

	HASH_FIND_STR(streams->topics, topic, entry);
	if (entry == NULL) {
		entry = calloc(1, sizeof(*entry));
		if (entry == NULL)
			return NULL;
		snprintf(entry->topic, sizeof(entry->topic), "%s", topic);
		HASH_ADD_STR(streams->topics, topic, entry);
	}
	return entry;
}

int streams_publish(struct streams *streams, const char *topic, const char *json) {
	struct event event = {.seq = streams->next};
	int size = asprintf(&event.text, "id: %" PRIx64 "-%" PRIu64 "\nevent: %.*s\ndata: %s\n\n",
	                    (uint64_t)streams->instance, event.seq, (int)strcspn(topic, "/"), topic, json);

	if (size < 0)
		return -ENOMEM;
	event.size = (size_t)size;
	while (streams->first < streams->next && (streams->next - streams->first >= streams->limits.events ||
	                                          streams->bytes + event.size > streams->limits.bytes))
		evict(streams);
	event.topic = topic_entry(streams, topic);
	if (event.topic == NULL) {
		free(event.text);
		return -ENOMEM;
	}
	event.topic->last_seq = event.seq;
	streams->bytes += event.size;
	*event_at(streams, event.seq) = event;
	streams->next++;
	return 0;
}

// ---- reading

// Where a reader goes on that had the event 'last_id': behind it, when it is of this process and all that
// followed is still here.
static bool find_place(const struct streams *streams, const char *last_id, uint64_t *ret) {
	uint64_t instance, seq;
	char after;

	if (sscanf(last_id, "%" SCNx64 "-%" SCNu64 "%c", &instance, &seq, &after) != 2 ||
	    instance != (uint64_t)streams->instance || seq + 1 < streams->first || seq >= streams->next ||
	    seq < streams->left_out)
		return false;
	*ret = seq + 1;
	return true;
}

int stream_open(struct streams *streams, const struct stream_options *options, void *owner, int64_t now_ns,
                struct stream **ret) {
	struct stream *stream;
	bool missed = false;

	if (streams->n_streams >= streams->limits.streams)
		return -EMFILE;
	stream = calloc(1, sizeof(*stream));
	if (stream == NULL)
		return -ENOMEM;
	stream->streams = streams;
	stream->owner = owner;
	stream->every_ns = options->every_ns;
	stream->n_prefixes = options->n_prefixes;
	for (size_t i = 0; i < options->n_prefixes; i++)
		snprintf(stream->prefixes[i], sizeof(stream->prefixes[i]), "%s", options->prefixes[i]);
	stream->next = streams->next;
	if (options->last_id != NULL)
		missed = !find_place(streams, options->last_id, &stream->next);
	stream->end = streams->next;
	stream->due_ns = now_ns + stream->every_ns;
	stream->ping_ns = now_ns + STREAM_PING_NS;
	stream->welcome_size =
	        (size_t)snprintf(stream->welcome, sizeof(stream->welcome),
	                         "id: %" PRIx64 "-%" PRIu64 "\nevent: welcome\nretry: 1000\n"
	                         "data: {\"missed\":%s}\n\n",
	                         (uint64_t)streams->instance, stream->next - 1, missed ? "true" : "false");
	LIST_INSERT_HEAD(&streams->list, stream, list);
	streams->n_streams++;
	*ret = stream;
	return 0;
}

void stream_close(struct stream *stream) {
	if (stream == NULL)
		return;
	LIST_REMOVE(stream, list);
	stream->streams->n_streams--;
	free(stream);
}

static bool is_superseded(const struct stream *stream, const struct event *event) {
	return stream->every_ns > 0 && event->topic->last_seq != event->seq;
}

// Goes to the next event that this stream sends now; false when there is none. Only between two events.
static bool find_next(struct stream *stream, int64_t now_ns) {
	struct streams *streams = stream->streams;

	if (stream->every_ns > 0 && stream->next >= stream->end) {
		if (now_ns < stream->due_ns)
			return false;
		stream->end = streams->next;
	}
	if (stream->every_ns == 0)
		stream->end = streams->next;
	while (stream->next < stream->end) {
		const struct event *event = event_at(streams, stream->next);

		if (takes(stream, event->topic->topic) && !is_superseded(stream, event))
			return true;
		stream->next++;
	}
	return false;
}

static bool fell_behind(const struct stream *stream) {
	return stream->next < stream->streams->first;
}

static size_t read_welcome(struct stream *stream, char *buffer, size_t size) {
	size_t n = stream->welcome_size - stream->welcome_offset;

	n = n < size ? n : size;
	memcpy(buffer, stream->welcome + stream->welcome_offset, n);
	stream->welcome_offset += n;
	return n;
}

static size_t read_events(struct stream *stream, char *buffer, size_t size, int64_t now_ns) {
	size_t used = 0;

	while (used < size && (stream->offset > 0 || find_next(stream, now_ns))) {
		const struct event *event = event_at(stream->streams, stream->next);
		size_t n = event->size - stream->offset;

		n = n < size - used ? n : size - used;
		memcpy(buffer + used, event->text + stream->offset, n);
		used += n;
		stream->offset += n;
		if (stream->offset == event->size) {
			stream->offset = 0;
			stream->next++;
			stream->streams->delivered++;
			stream->due_ns = now_ns + stream->every_ns;
		}
	}
	return used;
}

ssize_t stream_read(struct stream *stream, char *buffer, size_t size, int64_t now_ns) {
	size_t n = read_welcome(stream, buffer, size);

	stream->asleep = false;
	if (fell_behind(stream))
		return -EPIPE;
	n += read_events(stream, buffer + n, size - n, now_ns);
	if (n == 0 && now_ns >= stream->ping_ns) {
		stream->welcome_size =
		        (size_t)snprintf(stream->welcome, sizeof(stream->welcome), ": ping\n\n");
		stream->welcome_offset = 0;
		n = read_welcome(stream, buffer, size);
	}
	if (n > 0)
		stream->ping_ns = now_ns + STREAM_PING_NS;
	stream->asleep = n == 0;
	return (ssize_t)n;
}

int64_t streams_wake(struct streams *streams, int64_t now_ns, void (*wake)(void *owner),
                     void (*drop)(void *owner)) {
	struct stream *stream;
	int64_t due_ns = INT64_MAX;

	LIST_FOREACH (stream, &streams->list, list) {
		if (fell_behind(stream)) {
			if (!stream->fell_behind) {
				stream->fell_behind = true;
				streams->dropped++;
				drop(stream->owner);
			}
			continue;
		}
		if (!stream->asleep)
			continue;
		if (find_next(stream, now_ns) || now_ns >= stream->ping_ns) {
			stream->asleep = false;
			wake(stream->owner);
			continue;
		}
		if (stream->ping_ns < due_ns)
			due_ns = stream->ping_ns;
		if (stream->every_ns > 0 && stream->next < streams->next && stream->due_ns < due_ns)
			due_ns = stream->due_ns;
	}
	return due_ns;
}

size_t streams_count(const struct streams *streams) {
	return streams->n_streams;
}

uint64_t streams_published(const struct streams *streams) {
	return streams->next - 1;
}

uint64_t streams_delivered(const struct streams *streams) {
	return streams->delivered;
}

uint64_t streams_dropped(const struct streams *streams) {
	return streams->dropped;
}
