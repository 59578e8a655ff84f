// outbox.h: from rows to messages: rows wait for others of their port, go out as samples, and are kept for those who
// ask again. Also what the plugin tells of itself. All calls on the session's thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "publisher.h"
#include "replay.h"
#include "sampler.h"
#include "settings.h"

struct outbox;

struct outbox_state {
	uint64_t rows;     // handed to the socket
	uint64_t dropped;  // lost here: neither sent nor kept
	uint64_t replayed; // rows that were sent again
	uint64_t gone;     // rows that were asked for and not held any more
	struct replay_state replay;
};

// 'settings', 'sampler' and 'publisher' are the caller's and must outlive it. Returns 0 or -ENOMEM.
int outbox_new(const char *host, uint64_t instance, const struct settings *settings,
               const struct sampler *sampler, struct publisher *publisher, struct outbox **ret);
void outbox_free(struct outbox *);
DEFINE_CLEANUP(struct outbox *, outbox_free)

// After a change of the settings.
void outbox_configure(struct outbox *);

// The row that the port was just read as.
void outbox_take_row(struct outbox *, struct sampler_port *port);

// Sends what waited long enough, and what waits for ports that will add nothing.
void outbox_send_due(struct outbox *, int64_t now_ns);
void outbox_send_all(struct outbox *);

// To the subscribers and the server; the last one says that the publisher was stopped. Return 0, or a negative errno
// when the server did not get it.
int outbox_say_hello(struct outbox *, bool is_last);
int outbox_greet_server(struct outbox *); // the server only

void outbox_send_lcores(struct outbox *);

// Answers a Replay.
void outbox_replay(struct outbox *, const struct replay_request *request);

void outbox_state(const struct outbox *, struct outbox_state *ret);
