// One copy under one lock.
// SPDX-License-Identifier: MIT
#include "board.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void board_init(struct board *board) {
	pthread_mutex_init(&board->lock, NULL);
}

void board_fini(struct board *board) {
	free(board->view.ports);
	pthread_mutex_destroy(&board->lock);
}

static void post_port(const struct settings *settings, const struct sampler_port *from,
                      struct session_port *to) {
	const char *link = settings_link(settings, from->name);

	memset(to, 0, sizeof(*to));
	to->port = from->port;
	memcpy(to->name, from->name, sizeof(to->name));
	snprintf(to->link, sizeof(to->link), "%s", link != NULL ? link : "");
	to->present = from->present;
	to->up = from->head.up;
	to->speed_mbps = from->head.speed_mbps;
	to->epoch = from->head.epoch;
	to->seq = from->seq;
	to->ts_ns = from->ts_ns;
	to->previous_ts_ns = from->previous_ts_ns;
	memcpy(to->counters, from->counters, sizeof(to->counters));
	memcpy(to->previous, from->previous, sizeof(to->previous));
	to->call_ns = from->call_ns;
	to->slow = from->slow;
	to->failures = from->failures;
	to->n_values = N_PORT_COUNTERS + from->n_extras;
}

static int reserve(struct board *board, size_t n) {
	struct session_port *ports;

	if (n <= board->n_allocated)
		return 0;
	ports = reallocarray(board->view.ports, n, sizeof(*ports));
	if (ports == NULL)
		return -ENOMEM;
	board->view.ports = ports;
	board->n_allocated = n;
	return 0;
}

void board_post(struct board *board, const struct session_view *view, struct sampler_port *const *ports,
                size_t n_ports, const struct settings *settings, int64_t now_ns) {
	struct session_port *posted;

	pthread_mutex_lock(&board->lock);
	if (reserve(board, n_ports) == 0) {
		posted = board->view.ports;
		board->view = *view;
		board->view.ports = posted;
		board->view.n_ports = n_ports;
		for (size_t i = 0; i < n_ports; i++)
			post_port(settings, ports[i], &posted[i]);
		board->posted_ns = now_ns;
	}
	pthread_mutex_unlock(&board->lock);
}

int board_look(struct board *board, int64_t now_ns, struct session_view *ret) {
	struct session_port *ports;
	size_t n;

	pthread_mutex_lock(&board->lock);
	n = board->view.n_ports;
	ports = calloc(n > 0 ? n : 1, sizeof(*ports));
	if (ports != NULL) {
		*ret = board->view;
		if (n > 0)
			memcpy(ports, board->view.ports, n * sizeof(*ports));
		ret->ports = ports;
		ret->age_ns = now_ns - board->posted_ns;
	}
	pthread_mutex_unlock(&board->lock);
	return ports != NULL ? 0 : -ENOMEM;
}

void session_view_fini(struct session_view *view) {
	free(view->ports);
	view->ports = NULL;
}
