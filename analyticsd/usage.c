// Used capacity of links: which port is at which end of which link, and when the ports of an end are
// complete.
// SPDX-License-Identifier: MIT
#include "rates.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define SILENT_INTERVALS 3 // an end that gave nothing for so many of the other's intervals is not waited for
#define BPS_PER_GBPS     1e9
#define KEY_SIZE         (2 * LIMIT_ID_SIZE + 2)

struct usage_end;

struct usage_port {
	char key[KEY_SIZE]; // host, newline, name
	struct rate_state state;
	struct usage_end *end; // NULL when not bound
	struct port_rate rate; // waiting for the other ports of its end
	bool has_rate;
	bool is_down;
	UT_hash_handle hh;
};

struct usage_end {
	struct usage_port *ports[LIMIT_LINK_PORTS];
	size_t n_ports;
	int64_t last_ns;     // end of the last interval that was complete
	int64_t interval_ns; // its length
	struct usage_link *link;
	enum ends which;
};

struct usage_link {
	char id[LIMIT_ID_SIZE + 1];
	struct usage_end ends[N_ends];
	UT_hash_handle hh;
};

struct usage {
	enum accounting accounting;
	struct usage_port *ports;
	struct usage_link *links;
};

int usage_new(enum accounting accounting, struct usage **ret) {
	struct usage *usage = calloc(1, sizeof(*usage));

	if (usage == NULL)
		return -ENOMEM;
	usage->accounting = accounting;
	*ret = usage;
	return 0;
}

static void free_links(struct usage *usage) {
	struct usage_link *link, *next;

	HASH_ITER (hh, usage->links, link, next) {
		HASH_DEL(usage->links, link);
		free(link);
	}
}

void usage_free(struct usage *usage) {
	struct usage_port *port, *next;

	if (usage == NULL)
		return;
	free_links(usage);
	HASH_ITER (hh, usage->ports, port, next) {
		HASH_DEL(usage->ports, port);
		free(port);
	}
	free(usage);
}

static struct usage_port *find_port(const struct usage *usage, const char *host, const char *name) {
	struct usage_port *port;
	char key[KEY_SIZE];

	snprintf(key, sizeof(key), "%s\n%s", host, name);
	HASH_FIND_STR(usage->ports, key, port);
	return port;
}

static struct usage_port *get_port(struct usage *usage, const char *host, const char *name) {
	struct usage_port *port = find_port(usage, host, name);

	if (port != NULL)
		return port;
	port = calloc(1, sizeof(*port));
	if (port == NULL)
		return NULL;
	snprintf(port->key, sizeof(port->key), "%s\n%s", host, name);
	HASH_ADD_STR(usage->ports, key, port);
	return port;
}

static struct usage_link *get_link(struct usage *usage, const char *id) {
	struct usage_link *link;

	HASH_FIND_STR(usage->links, id, link);
	if (link != NULL)
		return link;
	link = calloc(1, sizeof(*link));
	if (link == NULL)
		return NULL;
	snprintf(link->id, sizeof(link->id), "%s", id);
	for (int end = 0; end < N_ends; end++) {
		link->ends[end].link = link;
		link->ends[end].which = (enum ends)end;
	}
	HASH_ADD_STR(usage->links, id, link);
	return link;
}

int usage_bind(struct usage *usage, const struct usage_binding *bindings, size_t n) {
	struct usage_port *port, *next;

	free_links(usage);
	HASH_ITER (hh, usage->ports, port, next) {
		port->end = NULL;
		port->has_rate = false;
	}
	for (size_t i = 0; i < n; i++) {
		struct usage_link *link = get_link(usage, bindings[i].link_id);
		struct usage_end *end = link != NULL ? &link->ends[bindings[i].end] : NULL;

		port = get_port(usage, bindings[i].host, bindings[i].name);
		if (port == NULL || end == NULL)
			return -ENOMEM;
		if (port->end != NULL || end->n_ports == LIMIT_LINK_PORTS)
			continue;
		port->end = end;
		end->ports[end->n_ports++] = port;
	}
	return 0;
}

// Are the rates of all ports of the end there that are up? Then their sum is the end's. While one is silent
// there is none: a sum without it would be wrong.
static bool sum_end(struct usage_end *end, struct port_rate *ret) {
	*ret = (struct port_rate){0};
	for (size_t i = 0; i < end->n_ports; i++) {
		struct usage_port *port = end->ports[i];

		if (!port->has_rate && !port->is_down)
			return false;
		if (!port->has_rate)
			continue;
		ret->rx_gbps += port->rate.rx_gbps;
		ret->tx_gbps += port->rate.tx_gbps;
		if (port->rate.to_ns > ret->to_ns)
			ret->to_ns = port->rate.to_ns;
		if (ret->from_ns == 0 || port->rate.from_ns < ret->from_ns)
			ret->from_ns = port->rate.from_ns;
	}
	return true;
}

static void clear_rates(struct usage_end *end) {
	for (size_t i = 0; i < end->n_ports; i++)
		end->ports[i]->has_rate = false;
}

static bool is_silent(const struct usage_end *end, int64_t now_ns) {
	int64_t interval_ns = end->interval_ns > RATE_INTERVAL_NS ? end->interval_ns : RATE_INTERVAL_NS;

	return end->n_ports == 0 || end->last_ns == 0 ||
	       now_ns - end->last_ns > SILENT_INTERVALS * interval_ns;
}

// Whole bit/s: no counter knows more, and history keeps them in half the space.
static struct kpi_point point_at(int64_t ts_ns, double gbps) {
	return (struct kpi_point){ts_ns, round(gbps * BPS_PER_GBPS) / BPS_PER_GBPS};
}

// What an end sends goes away from it. The sender's count comes first: it includes what got lost on the way.
static void complete_end(struct usage_end *end, const struct port_rate *rate,
                         struct usage_point ret[static N_directions], size_t *ret_n) {
	enum directions sent = end->which == END_A ? DIRECTION_FORWARD : DIRECTION_REVERSE;
	enum directions received = end->which == END_A ? DIRECTION_REVERSE : DIRECTION_FORWARD;
	const struct usage_end *other = &end->link->ends[end->which == END_A ? END_Z : END_A];

	end->last_ns = rate->to_ns;
	end->interval_ns = rate->to_ns - rate->from_ns;
	ret[(*ret_n)++] = (struct usage_point){end->link->id, sent, point_at(rate->to_ns, rate->tx_gbps)};
	if (is_silent(other, rate->to_ns))
		ret[(*ret_n)++] =
		        (struct usage_point){end->link->id, received, point_at(rate->to_ns, rate->rx_gbps)};
}

enum rate_event usage_advance(struct usage *usage, const char *host, const char *name,
                              const struct port_reading *reading, uint64_t *ret_missing,
                              struct usage_point ret[static N_directions], size_t *ret_n) {
	struct usage_port *port = get_port(usage, host, name);
	struct port_rate rate, sum;
	enum rate_event event;

	*ret_n = 0;
	*ret_missing = 0;
	if (port == NULL)
		return RATE_WAITING;
	*ret_missing = rate_missing(&port->state, reading);
	event = rate_advance(&port->state, reading, usage->accounting, &rate);
	port->is_down = !reading->up;
	if (event != RATE_READY || port->end == NULL)
		return event;
	port->rate = rate;
	port->has_rate = true;
	if (sum_end(port->end, &sum)) {
		clear_rates(port->end);
		complete_end(port->end, &sum, ret, ret_n);
	}
	return event;
}

// ---- looking

bool usage_last(const struct usage *usage, const char *host, const char *name, uint64_t *ret_instance,
                uint64_t *ret_seq) {
	const struct usage_port *port = find_port(usage, host, name);

	if (port == NULL || !port->state.started)
		return false;
	*ret_instance = port->state.last.instance;
	*ret_seq = port->state.last.seq;
	return true;
}

const char *usage_link(const struct usage *usage, const char *host, const char *name) {
	const struct usage_port *port = find_port(usage, host, name);

	return port != NULL && port->end != NULL ? port->end->link->id : NULL;
}

static int tell_binding(const struct usage_port *port,
                        int (*each)(void *context, const struct usage_binding *), void *context) {
	size_t host_size = strcspn(port->key, "\n");
	char host[KEY_SIZE];

	memcpy(host, port->key, sizeof(host));
	host[host_size] = '\0';
	return each(context, &(struct usage_binding){port->end->link->id, host, host + host_size + 1,
	                                             port->end->which});
}

int usage_each_binding(const struct usage *usage, const char *link_id,
                       int (*each)(void *context, const struct usage_binding *), void *context) {
	const struct usage_link *link;
	int rc = 0;

	HASH_FIND_STR(usage->links, link_id, link);
	for (int end = 0; link != NULL && end < N_ends; end++) {
		for (size_t i = 0; i < link->ends[end].n_ports && rc == 0; i++)
			rc = tell_binding(link->ends[end].ports[i], each, context);
	}
	return rc;
}
