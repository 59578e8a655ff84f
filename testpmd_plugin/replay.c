// The replay ring. Messages are kept encoded, since that is half the memory of their values and costs nothing
// to send again; only a message that is cut to a range is decoded. All messages are one list by age, and each
// port has its own in a circle of pointers, in the order of seq, that is searched by halves.
// SPDX-License-Identifier: MIT
#include "replay.h"

#include "codec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define OVERHEAD     16 // of an allocation
#define CIRCLE_LEAST 16

struct port;

struct kept {
	STAILQ_ENTRY(kept) next; // younger
	struct port *port;
	uint64_t first_seq, last_seq;
	size_t size;
	uint8_t sample[];
};

struct port {
	char *name;
	struct kept **circle;
	size_t capacity; // a power of two
	size_t oldest;   // index in the circle
	size_t n;
};

struct replay {
	STAILQ_HEAD(kept_list, kept) kept;
	struct port **ports; // by name
	size_t n_ports;
	struct replay_state state;
};

int replay_new(size_t limit, struct replay **ret) {
	struct replay *replay = calloc(1, sizeof(*replay));

	if (replay == NULL)
		return -ENOMEM;
	STAILQ_INIT(&replay->kept);
	replay->state.limit = limit;
	*ret = replay;
	return 0;
}

// ---- ports

// The index of the port, or where it belongs.
static size_t place_of(const struct replay *replay, const char *name, bool *ret_there) {
	size_t from = 0, to = replay->n_ports;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = strcmp(name, replay->ports[middle]->name);

		if (order == 0) {
			*ret_there = true;
			return middle;
		}
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	*ret_there = false;
	return from;
}

static struct port *find_port(const struct replay *replay, const char *name) {
	bool there;
	size_t place = place_of(replay, name, &there);

	return there ? replay->ports[place] : NULL;
}

static void port_free(struct port *port) {
	if (port == NULL)
		return;
	free(port->circle);
	free(port->name);
	free(port);
}
DEFINE_CLEANUP(struct port *, port_free)

static struct port *add_port(struct replay *replay, const char *name) {
	CLEANUP(port_freep) struct port *port = NULL;
	struct port **ports, *added;
	bool there;
	size_t place = place_of(replay, name, &there);

	if (there)
		return replay->ports[place];
	port = calloc(1, sizeof(*port));
	ports = reallocarray(replay->ports, replay->n_ports + 1, sizeof(struct port *));
	if (ports != NULL)
		replay->ports = ports;
	if (port == NULL || ports == NULL)
		return NULL;
	port->name = strdup(name);
	if (port->name == NULL)
		return NULL;
	memmove(ports + place + 1, ports + place, (replay->n_ports - place) * sizeof(struct port *));
	replay->n_ports++;
	added = ports[place] = port;
	port = NULL;
	return added;
}

static void remove_port(struct replay *replay, struct port *port) {
	bool there;
	size_t place = place_of(replay, port->name, &there);

	if (!there)
		return;
	replay->n_ports--;
	memmove(replay->ports + place, replay->ports + place + 1,
	        (replay->n_ports - place) * sizeof(struct port *));
	replay->state.size -= port->capacity * sizeof(struct kept *);
	port_free(port);
}

static struct kept *at(const struct port *port, size_t i) {
	return port->circle[(port->oldest + i) & (port->capacity - 1)];
}

static int widen(struct replay *replay, struct port *port) {
	size_t capacity = port->capacity > 0 ? 2 * port->capacity : CIRCLE_LEAST;
	struct kept **circle;

	if (port->n < port->capacity)
		return 0;
	circle = calloc(capacity, sizeof(struct kept *));
	if (circle == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < port->n; i++)
		circle[i] = at(port, i);
	free(port->circle);
	replay->state.size += (capacity - port->capacity) * sizeof(struct kept *);
	port->circle = circle;
	port->capacity = capacity;
	port->oldest = 0;
	return 0;
}

// ---- keeping

static size_t size_of(const struct kept *kept) {
	return sizeof(*kept) + OVERHEAD + kept->size;
}

// The oldest of all is the oldest of its port too, unless that port has begun anew.
static void forget_oldest(struct replay *replay) {
	struct kept *kept = STAILQ_FIRST(&replay->kept);
	struct port *port = kept->port;

	STAILQ_REMOVE_HEAD(&replay->kept, next);
	if (port != NULL) {
		port->oldest = (port->oldest + 1) & (port->capacity - 1);
		port->n--;
		replay->state.rows -= kept->last_seq - kept->first_seq + 1;
	}
	replay->state.size -= size_of(kept);
	free(kept);
	if (port != NULL && port->n == 0)
		remove_port(replay, port);
}

static void make_room(struct replay *replay, size_t size) {
	while (!STAILQ_EMPTY(&replay->kept) && replay->state.size + size > replay->state.limit)
		forget_oldest(replay);
}

void replay_set_limit(struct replay *replay, size_t limit) {
	replay->state.limit = limit;
	make_room(replay, 0);
}

void replay_state(const struct replay *replay, struct replay_state *ret) {
	*ret = replay->state;
}

void replay_free(struct replay *replay) {
	if (replay == NULL)
		return;
	while (!STAILQ_EMPTY(&replay->kept))
		forget_oldest(replay);
	free(replay->ports);
	free(replay);
}

// The messages stay in the list until they are the oldest, but nobody finds them.
static void begin_anew(struct replay *replay, struct port *port) {
	for (size_t i = 0; i < port->n; i++) {
		replay->state.rows -= at(port, i)->last_seq - at(port, i)->first_seq + 1;
		at(port, i)->port = NULL;
	}
	port->n = 0;
}

static int enlist(struct replay *replay, const char *name, struct kept *kept) {
	struct port *port = add_port(replay, name);
	int rc;

	if (port == NULL)
		return -ENOMEM;
	if (port->n > 0 && at(port, port->n - 1)->last_seq >= kept->first_seq)
		begin_anew(replay, port);
	if ((rc = widen(replay, port)) < 0) {
		if (port->n == 0)
			remove_port(replay, port);
		return rc;
	}
	kept->port = port;
	port->circle[(port->oldest + port->n++) & (port->capacity - 1)] = kept;
	STAILQ_INSERT_TAIL(&replay->kept, kept, next);
	replay->state.size += size_of(kept);
	replay->state.rows += kept->last_seq - kept->first_seq + 1;
	return 0;
}

int replay_add(struct replay *replay, const char *port, uint64_t first_seq, uint64_t last_seq,
               const struct bytes *sample) {
	struct kept *kept;
	int rc;

	if (sizeof(*kept) + OVERHEAD + sample->size > replay->state.limit)
		return -ENOSPC;
	kept = malloc(sizeof(*kept) + sample->size);
	if (kept == NULL)
		return -ENOMEM;
	kept->first_seq = first_seq;
	kept->last_seq = last_seq;
	kept->size = sample->size;
	memcpy(kept->sample, sample->data, sample->size);
	make_room(replay, size_of(kept));
	if ((rc = enlist(replay, port, kept)) < 0) {
		free(kept);
		return rc;
	}
	make_room(replay, 0); // a wider circle takes memory too
	return 0;
}

// ---- finding

int replay_first(const struct replay *replay, const char *port, uint64_t *ret_seq) {
	const struct port *found = find_port(replay, port);

	if (found == NULL || found->n == 0)
		return -ENOENT;
	*ret_seq = at(found, 0)->first_seq;
	return 0;
}

// The first message that ends at 'seq' or behind it; port->n when there is none.
static size_t search(const struct port *port, uint64_t seq) {
	size_t from = 0, to = port->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (at(port, middle)->last_seq < seq)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

// The same sample with the rows from 'from_seq' to 'to_seq' only.
static int trim(const struct kept *kept, uint64_t from_seq, uint64_t to_seq, struct bytes *ret) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct sample sample;
	uint64_t skipped = from_seq - kept->first_seq;
	int rc;

	if ((rc = document_from_msgpack(kept->sample, kept->size, &document, NULL)) < 0 ||
	    (rc = document_read(document, &sample_message, &sample, NULL)) < 0)
		return rc;
	sample.rows += skipped * (2 + sample.n_names);
	sample.n_rows = to_seq - from_seq + 1;
	return message_encode(&sample_message, &sample, ret);
}

static int take_kept(struct kept *kept, uint64_t from_seq, uint64_t to_seq, struct replay_find *find) {
	uint64_t first = kept->first_seq > from_seq ? kept->first_seq : from_seq;
	uint64_t last = kept->last_seq < to_seq ? kept->last_seq : to_seq;
	struct bytes *trimmed = &find->trimmed[find->trimmed[0].data != NULL];
	int rc;

	find->n_rows += last - first + 1;
	if (first == kept->first_seq && last == kept->last_seq) {
		find->samples[find->n++] = (struct bytes){kept->sample, kept->size};
		return 0;
	}
	if ((rc = trim(kept, first, last, trimmed)) < 0)
		return rc;
	find->samples[find->n++] = *trimmed;
	return 0;
}

static void note_gone(struct replay_find *find, uint64_t from_seq, uint64_t gone_to_seq) {
	find->has_gone = gone_to_seq >= from_seq;
	find->gone_to_seq = gone_to_seq;
}

static uint64_t least(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

// The messages from number 'i' on that follow each other without a hole, fit in 'limit', and begin in the
// range.
static size_t count_run(const struct port *port, size_t i, uint64_t to_seq, size_t limit) {
	size_t n = 0, size = 0;

	for (; i + n < port->n && at(port, i + n)->first_seq <= to_seq; n++) {
		size += at(port, i + n)->size;
		if (n > 0 &&
		    (size > limit || at(port, i + n)->first_seq != at(port, i + n - 1)->last_seq + 1))
			break;
	}
	return n;
}

static int take_run(const struct port *port, size_t i, size_t n, uint64_t from_seq, uint64_t to_seq,
                    struct replay_find *find) {
	int rc;

	find->samples = calloc(n > 0 ? n : 1, sizeof(*find->samples));
	if (find->samples == NULL)
		return -ENOMEM;
	for (size_t k = 0; k < n; k++) {
		if ((rc = take_kept(at(port, i + k), from_seq, to_seq, find)) < 0)
			return rc;
	}
	return 0;
}

int replay_find(const struct replay *replay, const char *port, uint64_t from_seq, uint64_t to_seq,
                uint64_t published_seq, size_t limit, struct replay_find *ret) {
	const struct port *found = find_port(replay, port);
	size_t i = found != NULL ? search(found, from_seq) : 0, n;
	int rc;

	memset(ret, 0, sizeof(*ret));
	to_seq = least(to_seq, published_seq);
	if (from_seq > to_seq)
		return 0;
	if (found == NULL || i == found->n || at(found, i)->first_seq > to_seq) {
		note_gone(ret, from_seq, to_seq);
		return 0;
	}
	if (at(found, i)->first_seq > from_seq)
		note_gone(ret, from_seq, at(found, i)->first_seq - 1);
	n = count_run(found, i, to_seq, limit);
	if ((rc = take_run(found, i, n, from_seq, to_seq, ret)) < 0) {
		replay_find_fini(ret);
		return rc;
	}
	ret->more = at(found, i + n - 1)->last_seq < to_seq;
	return 0;
}

void replay_find_fini(struct replay_find *find) {
	free(find->samples);
	bytes_fini(&find->trimmed[0]);
	bytes_fini(&find->trimmed[1]);
	memset(find, 0, sizeof(*find));
}
