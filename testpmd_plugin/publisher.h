// publisher.h: the sockets of the plugin: samples and hello go out to whoever subscribes, hello also to
// analyticsd's API endpoint, which may ask for rows again. Over tcp they use the keys of the environment. Only
// publisher.c, door.c and forecast.c know ZeroMQ. All calls on the thread that
// opened it.
// SPDX-License-Identifier: MIT
#pragma once

#include "bytes.h"
#include "cleanup.h"
#include "message.h"
#include "settings.h"

#include <poll.h>

struct publisher;

struct publisher_state {
	uint64_t messages;      // samples sent
	int64_t subscriptions;  // that subscribers hold now
	int64_t server_seen_ns; // monotonic time of the server's last answer; 0 for none
	char server_error[128]; // what it refused last; "" when it took the last hello
};

// Connects, or binds and locks. Nobody needs to be there. Returns 0, or a negative errno with 'status'.
int publisher_open(const struct settings *, struct publisher **ret, struct status *status);

// Lets what was sent go out for a moment, never longer than PUBLISHER_LINGER_MS.
#define PUBLISHER_LINGER_MS 200
void publisher_close(struct publisher *);
DEFINE_CLEANUP(struct publisher *, publisher_close)

// Goes to another server from now on.
int publisher_set_server(struct publisher *, const char *server, struct status *status);

// To the subscribers. Sends never block. Return 0, -ENOMEM, or -EAGAIN when the socket would not take it.
int publisher_send_sample(struct publisher *, const char *host, const char *port, const struct bytes *sample);
int publisher_send_hello(struct publisher *, const struct hello *);
int publisher_send_lcores(struct publisher *, const struct lcores *);

// To the server only; -EAGAIN while it is not connected. publisher_fds() wake when it is.
bool publisher_has_server(struct publisher *);
int publisher_greet_server(struct publisher *, const struct hello *);

// An answer to the server, encoded. Returns 0, or -EAGAIN when the socket would not take it.
int publisher_answer(struct publisher *, const struct bytes *frame);

// Descriptors to poll for input before publisher_read() is worth calling; it must also be called after each
// round of sending, since ZeroMQ's descriptors tell of changes only.
#define PUBLISHER_N_FDS 3
void publisher_fds(const struct publisher *, struct pollfd fds[static PUBLISHER_N_FDS]);

// What the server asks for; 'request' is valid during the call.
typedef void (*publisher_replay_fn)(void *context, const struct replay_request *request);

// Takes what has come, at most one request of the server, since each takes its time. Costs nothing when no descriptor
// told of input ('polled') and nothing was sent since the last time.
struct publisher_news {
	bool subscribed; // somebody did
	bool more;       // there is more to take
};
struct publisher_news publisher_read(struct publisher *, bool polled, publisher_replay_fn replay,
                                     void *context);

void publisher_state(const struct publisher *, struct publisher_state *ret);
