// board.h: the state of a session as its thread last told it, for other threads to look at: never locked during a call into
// a driver or ZeroMQ, so nobody waits for those.
// SPDX-License-Identifier: MIT
#pragma once

#include "sampler.h"
#include "session.h"

#include <pthread.h>

struct board {
	pthread_mutex_t lock; // of what follows
	struct session_view view;
	size_t n_allocated; // of view.ports
	int64_t posted_ns;
};

void board_init(struct board *);
void board_fini(struct board *);

// Leaves 'view', with the ports and the links that 'settings' gives them. Without memory for more ports the old state
// has to do.
void board_post(struct board *, const struct session_view *view, struct sampler_port *const *ports,
                size_t n_ports, const struct settings *settings, int64_t now_ns);

// A copy of what was left last. Returns 0 or -ENOMEM; free it with session_view_fini().
int board_look(struct board *, int64_t now_ns, struct session_view *ret);
