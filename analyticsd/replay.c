// Publishers, their ports, and one question at a time to each.
// SPDX-License-Identifier: MIT
#include "replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

struct publisher;

struct replay_port {
	char name[LIMIT_ID_SIZE + 1];
	struct publisher *publisher;
	struct gaps gaps;
	uint64_t held_from_seq; // first row that the publisher still has, as it said; 0 before it did
	int64_t due_ns;         // next question, when something is missing
	int64_t patience_ns;    // for the answer
	uint64_t ref, asked_from, asked_to; // the last question; ref 0: it was answered
	int64_t asked_ns;
	UT_hash_handle hh;
};

struct publisher {
	char key[LIMIT_ID_SIZE + 24]; // host, newline, instance
	char host[LIMIT_ID_SIZE + 1];
	uint64_t instance;
	int64_t heard_ns, interval_ns;
	char route[ROUTE_SIZE];
	size_t route_size; // 0: not known
	struct replay_port *ports;
	struct replay_port *asked; // whose answer is waited for
	UT_hash_handle hh;
};

struct replay {
	struct history *history;
	struct metrics *metrics;
	struct publisher *publishers;
	uint64_t last_ref;
	int64_t due_ns;
	int n_asked;
};

int replay_new(struct history *history, struct metrics *metrics, struct replay **ret) {
	struct replay *replay = calloc(1, sizeof(*replay));

	if (replay == NULL)
		return -ENOMEM;
	replay->history = history;
	replay->metrics = metrics;
	replay->due_ns = REPLAY_NEVER_NS;
	*ret = replay;
	return 0;
}

// ---- forgetting

static void end_waiting(struct replay *replay, struct publisher *publisher) {
	if (publisher->asked == NULL)
		return;
	publisher->asked = NULL;
	replay->n_asked--;
}

static void free_ports(struct replay *replay, struct publisher *publisher) {
	struct replay_port *port, *next;

	end_waiting(replay, publisher);
	HASH_ITER (hh, publisher->ports, port, next) {
		HASH_DEL(publisher->ports, port);
		gaps_fini(&port->gaps);
		free(port);
	}
}

static void free_publisher(struct replay *replay, struct publisher *publisher) {
	free_ports(replay, publisher);
	HASH_DEL(replay->publishers, publisher);
	free(publisher);
}

void replay_free(struct replay *replay) {
	struct publisher *publisher, *next;

	if (replay == NULL)
		return;
	HASH_ITER (hh, replay->publishers, publisher, next)
		free_publisher(replay, publisher);
	free(replay);
}

void replay_forget(struct replay *replay) {
	struct publisher *publisher, *next;

	HASH_ITER (hh, replay->publishers, publisher, next)
		free_ports(replay, publisher);
}

static void make_room(struct replay *replay) {
	struct publisher *publisher, *next, *silent = NULL;

	if (HASH_COUNT(replay->publishers) < MAX_PUBLISHERS)
		return;
	HASH_ITER (hh, replay->publishers, publisher, next) {
		if (silent == NULL || publisher->heard_ns < silent->heard_ns)
			silent = publisher;
	}
	if (silent != NULL)
		free_publisher(replay, silent);
}

// ---- finding

static struct publisher *get_publisher(struct replay *replay, const char *host, uint64_t instance,
                                       int64_t now_ns) {
	char key[LIMIT_ID_SIZE + 24];
	struct publisher *publisher;

	snprintf(key, sizeof(key), "%s\n%" PRIu64, host, instance);
	HASH_FIND_STR(replay->publishers, key, publisher);
	if (publisher == NULL) {
		make_room(replay);
		publisher = calloc(1, sizeof(*publisher));
		if (publisher == NULL)
			return NULL;
		strcpy(publisher->key, key);
		snprintf(publisher->host, sizeof(publisher->host), "%s", host);
		publisher->instance = instance;
		HASH_ADD_STR(replay->publishers, key, publisher);
	}
	publisher->heard_ns = now_ns;
	return publisher;
}

static int add_gap(void *context, const struct seq_gap *gap) {
	return gaps_add(context, gap);
}

// What history has of the port; nothing when it is new there too.
static int load(struct replay *replay, struct replay_port *port, struct status *status) {
	const struct publisher *publisher = port->publisher;
	uint64_t last_seq = 0;
	int rc = history_gaps(replay->history, publisher->host, port->name, publisher->instance, add_gap,
	                      &port->gaps, &last_seq, status);

	if (rc > 0 && last_seq > port->gaps.last_seq)
		port->gaps.last_seq = last_seq;
	port->gaps.changed = false;
	return rc < 0 ? rc : 0;
}

int replay_port(struct replay *replay, const char *host, uint64_t instance, const char *name, int64_t now_ns,
                struct replay_port **ret, struct status *status) {
	struct publisher *publisher = get_publisher(replay, host, instance, now_ns);
	struct replay_port *port;
	int rc;

	if (publisher == NULL)
		return -ENOMEM;
	HASH_FIND_STR(publisher->ports, name, port);
	if (port == NULL) {
		port = calloc(1, sizeof(*port));
		if (port == NULL)
			return -ENOMEM;
		port->publisher = publisher;
		port->patience_ns = PATIENCE_NS;
		snprintf(port->name, sizeof(port->name), "%s", name);
		if ((rc = load(replay, port, status)) < 0) {
			gaps_fini(&port->gaps);
			free(port);
			return rc;
		}
		HASH_ADD_STR(publisher->ports, name, port);
	}
	*ret = port;
	return 0;
}

// ---- what is missing

static void schedule(struct replay *replay, struct replay_port *port, int64_t at_ns) {
	port->due_ns = at_ns;
	if (at_ns < replay->due_ns)
		replay->due_ns = at_ns;
}

// News of missing rows: they get a moment to come by themselves.
static void expect(struct replay *replay, struct replay_port *port, bool had_open, int64_t now_ns) {
	if (!had_open && gaps_open(&port->gaps) != NULL)
		schedule(replay, port, now_ns + ASK_DELAY_NS);
}

int replay_fill(struct replay *replay, struct replay_port *port, uint64_t seq, int64_t now_ns) {
	bool had_open;
	int rc;

	if (seq == port->gaps.last_seq + 1) { // by far the most
		port->gaps.last_seq = seq;
		return 1;
	}
	had_open = gaps_open(&port->gaps) != NULL;
	if ((rc = gaps_fill(&port->gaps, seq)) > 0)
		expect(replay, port, had_open, now_ns);
	return rc;
}

int replay_save(struct replay *replay, struct replay_port *port, struct status *status) {
	const struct publisher *publisher = port->publisher;
	int rc;

	if (!port->gaps.changed)
		return 0;
	rc = history_set_gaps(replay->history, publisher->host, port->name, publisher->instance,
	                      port->gaps.last_seq, port->gaps.list, port->gaps.n, status);
	if (rc > 0)
		port->gaps.changed = false; // else with the first row that is stored
	return rc < 0 ? rc : 0;
}

static int give_up(struct replay *replay, struct replay_port *port, uint64_t from_seq, uint64_t to_seq,
                   struct status *status) {
	uint64_t n = 0;
	int rc;

	if ((rc = gaps_give_up(&port->gaps, from_seq, to_seq, &n)) < 0)
		return rc;
	METRIC_ADD(replay->metrics, rows_gone, n);
	return replay_save(replay, port, status);
}

int64_t replay_interval_ns(const struct replay_port *port) {
	int64_t interval_ns = port->publisher->interval_ns;

	return interval_ns > 0 && interval_ns < INTERVAL_MAX_NS ? interval_ns : INTERVAL_MAX_NS;
}

// ---- hello

static int check_hello(const struct hello *hello, struct status *status) {
	for (size_t i = 0; i < hello->n_ports; i++) {
		if (hello->ports[i].last_seq > INT64_MAX || hello->ports[i].first_seq > INT64_MAX)
			return status_set(status, STATUS_INVALID_ARGUMENT,
			                  "ports[%zu]: first_seq and last_seq are at most 2^63 - 1", i);
	}
	return 0;
}

static int take_hello_port(struct replay *replay, const struct hello *hello, const struct hello_port *said,
                           int64_t now_ns, struct status *status) {
	struct replay_port *port = NULL;
	bool had_open;
	int rc;

	if ((rc = replay_port(replay, hello->host, hello->instance, said->name, now_ns, &port, status)) < 0)
		return rc;
	had_open = gaps_open(&port->gaps) != NULL;
	if ((rc = gaps_extend(&port->gaps, said->last_seq)) < 0)
		return rc;
	port->held_from_seq = said->first_seq;
	if (port->due_ns == 0) // of another life of this daemon
		had_open = false;
	expect(replay, port, had_open, now_ns);
	return replay_save(replay, port, status);
}

// A route that is new makes questions over the old one pointless: they are put again.
static void take_route(struct replay *replay, struct publisher *publisher, const void *route, size_t size,
                       int64_t now_ns) {
	struct replay_port *port, *next;

	if (size == 0 || size > sizeof(publisher->route) ||
	    (size == publisher->route_size && memcmp(route, publisher->route, size) == 0))
		return;
	memcpy(publisher->route, route, size);
	publisher->route_size = size;
	end_waiting(replay, publisher);
	HASH_ITER (hh, publisher->ports, port, next) {
		port->ref = 0;
		port->patience_ns = PATIENCE_NS;
		if (gaps_open(&port->gaps) != NULL)
			schedule(replay, port, now_ns + ASK_DELAY_NS);
	}
}

int replay_hello(struct replay *replay, const struct hello *hello, const void *route, size_t route_size,
                 int64_t now_ns, struct status *status) {
	struct publisher *publisher;
	int rc;

	if ((rc = check_hello(hello, status)) < 0)
		return rc;
	publisher = get_publisher(replay, hello->host, hello->instance, now_ns);
	if (publisher == NULL)
		return -ENOMEM;
	publisher->interval_ns = (int64_t)hello->interval_ns;
	for (size_t i = 0; i < hello->n_ports; i++) {
		if ((rc = take_hello_port(replay, hello, &hello->ports[i], now_ns, status)) < 0)
			return rc;
	}
	if (route != NULL)
		take_route(replay, publisher, route, route_size, now_ns);
	return 0;
}

// ---- asking

// Rows before those that the publisher holds will never come.
static int give_up_unheld(struct replay *replay, struct replay_port *port, struct status *status) {
	const struct seq_gap *gap = gaps_open(&port->gaps);

	if (gap == NULL || gap->from_seq >= port->held_from_seq)
		return 0;
	return give_up(replay, port, 1, port->held_from_seq - 1, status);
}

// Same rows, same reference: an answer that was only late still counts.
static void put_question(struct replay *replay, struct replay_port *port, const struct seq_gap *gap,
                         int64_t now_ns, struct replay_question *ret) {
	struct publisher *publisher = port->publisher;

	if (port->ref == 0 || port->asked_from != gap->from_seq || port->asked_to != gap->to_seq)
		port->ref = ++replay->last_ref;
	port->asked_from = gap->from_seq;
	port->asked_to = gap->to_seq;
	port->asked_ns = now_ns;
	publisher->asked = port;
	replay->n_asked++;
	METRIC_ADD(replay->metrics, replays_asked, 1);
	*ret = (struct replay_question){
	        .route = publisher->route,
	        .route_size = publisher->route_size,
	        .request = {.ref = port->ref,
	                    .port = port->name,
	                    .from_seq = gap->from_seq,
	                    .to_seq = gap->to_seq},
	};
}

static void wait_longer(struct replay_port *port, int64_t now_ns) {
	port->due_ns = now_ns + port->patience_ns;
	port->patience_ns = 2 * port->patience_ns < PATIENCE_MAX_NS ? 2 * port->patience_ns : PATIENCE_MAX_NS;
}

// Returns 1 with a question, or 0 with the time to look again at the port.
static int look_at(struct replay *replay, struct replay_port *port, int64_t now_ns, int64_t *look_ns,
                   struct replay_question *ret, struct status *status) {
	struct publisher *publisher = port->publisher;
	const struct seq_gap *gap;
	int rc;

	*look_ns = REPLAY_NEVER_NS;
	if (gaps_open(&port->gaps) == NULL)
		return 0;
	if (publisher->asked == port) {
		*look_ns = port->asked_ns + port->patience_ns;
		if (now_ns < *look_ns)
			return 0;
		end_waiting(replay, publisher);
		METRIC_ADD(replay->metrics, replays_unanswered, 1);
		wait_longer(port, now_ns);
		replay->due_ns = now_ns; // for ports that waited for this one, and were looked at already
	}
	*look_ns = port->due_ns;
	if (now_ns < port->due_ns)
		return 0;
	*look_ns = REPLAY_NEVER_NS;
	if ((rc = give_up_unheld(replay, port, status)) < 0)
		return rc;
	gap = gaps_open(&port->gaps);
	if (gap == NULL || publisher->route_size == 0)
		return 0;  // a hello with a route looks again
	*look_ns = now_ns; // when an answer makes room
	if (publisher->asked != NULL || replay->n_asked >= MAX_QUESTIONS)
		return 0;
	put_question(replay, port, gap, now_ns, ret);
	*look_ns = now_ns + port->patience_ns;
	return 1;
}

// Questions that only wait for another answer are looked at when that came or is given up.
static int look_at_publisher(struct replay *replay, struct publisher *publisher, int64_t now_ns,
                             struct replay_question *ret, struct status *status) {
	struct replay_port *port, *next;
	int64_t look_ns;
	int rc;

	HASH_ITER (hh, publisher->ports, port, next) {
		if ((rc = look_at(replay, port, now_ns, &look_ns, ret, status)) != 0) {
			replay->due_ns = now_ns; // there may be more
			return rc;
		}
		if (look_ns > now_ns && look_ns < replay->due_ns)
			replay->due_ns = look_ns;
	}
	return 0;
}

int replay_next(struct replay *replay, int64_t now_ns, struct replay_question *ret, struct status *status) {
	struct publisher *publisher, *next;
	int rc;

	if (now_ns < replay->due_ns)
		return 0;
	replay->due_ns = REPLAY_NEVER_NS;
	HASH_ITER (hh, replay->publishers, publisher, next) {
		if ((rc = look_at_publisher(replay, publisher, now_ns, ret, status)) != 0)
			return rc;
	}
	return 0;
}

int64_t replay_due_ns(const struct replay *replay) {
	return replay->due_ns;
}

// ---- answers

static struct replay_port *find_question(struct replay *replay, const void *route, size_t route_size,
                                         uint64_t ref) {
	struct publisher *publisher, *next;
	struct replay_port *port, *next_port;

	HASH_ITER (hh, replay->publishers, publisher, next) {
		if (route_size == 0 || publisher->route_size != route_size ||
		    memcmp(publisher->route, route, route_size) != 0)
			continue;
		HASH_ITER (hh, publisher->ports, port, next_port) {
			if (port->ref == ref && ref != 0)
				return port;
		}
	}
	return NULL;
}

static int check_sample(const struct replay_port *port, const struct sample *sample, uint64_t *after,
                        struct status *status) {
	size_t width = 2 + sample->n_names;

	if (strcmp(sample->host, port->publisher->host) != 0 ||
	    sample->instance != port->publisher->instance || strcmp(sample->name, port->name) != 0)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "samples: not of the port that was asked for");
	for (size_t i = 0; i < sample->n_rows; i++) {
		uint64_t seq = sample->rows[i * width];

		if (seq <= *after || seq > port->asked_to)
			return status_set(status, STATUS_INVALID_ARGUMENT,
			                  "samples: row %" PRIu64 " was not asked for, or not in its place",
			                  seq);
		*after = seq;
	}
	return 0;
}

int replay_check(struct replay *replay, const void *route, size_t route_size, const struct replay_rows *rows,
                 struct replay_port **ret, struct status *status) {
	struct replay_port *port = find_question(replay, route, route_size, rows->ref);
	uint64_t after;
	int rc;

	if (port == NULL)
		return status_set(status, STATUS_INVALID_ARGUMENT, "ref: nothing like this was asked");
	after = port->asked_from - 1;
	if (HAS(rows, replay_rows, gone_to_seq)) {
		if (rows->gone_to_seq < port->asked_from || rows->gone_to_seq > port->asked_to)
			return status_set(status, STATUS_INVALID_ARGUMENT,
			                  "gone_to_seq: not among the rows that were asked for");
		after = rows->gone_to_seq;
	}
	for (size_t i = 0; i < rows->n_samples; i++) {
		if ((rc = check_sample(port, &rows->samples[i], &after, status)) < 0)
			return rc;
	}
	*ret = port;
	return 0;
}

// An answer that brought nothing, neither rows nor their end, may be followed by many like it: as none.
int replay_settle(struct replay *replay, struct replay_port *port, const struct replay_rows *rows,
                  uint64_t n_new, int64_t now_ns, struct status *status) {
	bool has_gone = HAS(rows, replay_rows, gone_to_seq);
	int rc;

	METRIC_ADD(replay->metrics, replays_answered, 1);
	METRIC_ADD(replay->metrics, rows_replayed, n_new);
	if (port->publisher->asked == port)
		end_waiting(replay, port->publisher);
	port->ref = 0;
	if (n_new > 0 || has_gone) {
		port->patience_ns = PATIENCE_NS;
		port->due_ns = now_ns;
	} else {
		wait_longer(port, now_ns);
	}
	replay->due_ns = now_ns; // another port of the publisher may be waiting
	if (has_gone && (rc = give_up(replay, port, port->asked_from, rows->gone_to_seq, status)) < 0)
		return rc;
	return replay_save(replay, port, status);
}
