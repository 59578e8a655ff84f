// A usage of its own takes the rows of all ports of the link in the order of time, a slice of time at once.
// SPDX-License-Identifier: MIT
#include "rebuild.h"

#include <errno.h>
#include <string.h>

#define WARM_UP   5                     // intervals before the late rows, so that silent ends are known
#define AFTER     2                     // intervals behind them: their successors' rates change too
#define ALIGN_NS  (120 * NS_PER_SECOND) // how far back a point is looked for to begin at
#define SLICE_NS  (600 * NS_PER_SECOND) // of rows in memory at once
#define SPAN_MAX  (30 * 86400 * NS_PER_SECOND) // more isn't one answer of a publisher with a clock
#define MAX_PORTS (N_ends * LIMIT_LINK_PORTS)

struct bound_port {
	char host[LIMIT_ID_SIZE + 1], name[LIMIT_ID_SIZE + 1];
	enum ends end;
};

struct rebuild {
	struct history *history;
	struct usage *usage; // of this link alone
	const char *link_id;
	int64_t from_ns, to_ns; // points after the first, up to the last are made anew
	struct bound_port *ports;
	size_t n_ports;
	struct status *status;
};

struct port_reading stored_reading(const struct stored_row *row) {
	return (struct port_reading){
	        .instance = row->instance,
	        .seq = row->seq,
	        .epoch = row->epoch,
	        .ts_ns = row->ts_ns,
	        .up = row->up,
	        .rx_packets = row->counters[COUNTER_rx_packets],
	        .tx_packets = row->counters[COUNTER_tx_packets],
	        .rx_bytes = row->counters[COUNTER_rx_bytes],
	        .tx_bytes = row->counters[COUNTER_tx_bytes],
	};
}

static int add_port(void *context, const struct usage_binding *binding) {
	struct rebuild *rebuild = context;
	struct bound_port *port = &rebuild->ports[rebuild->n_ports++];

	strcpy(port->host, binding->host);
	strcpy(port->name, binding->name);
	port->end = binding->end;
	return 0;
}

static int bind_ports(struct rebuild *rebuild) {
	struct usage_binding bindings[MAX_PORTS];

	for (size_t i = 0; i < rebuild->n_ports; i++)
		bindings[i] = (struct usage_binding){rebuild->link_id, rebuild->ports[i].host,
		                                     rebuild->ports[i].name, rebuild->ports[i].end};
	return usage_bind(rebuild->usage, bindings, rebuild->n_ports);
}

// ---- one slice

struct slice_row {
	const struct bound_port *port;
	struct stored_row row;
};

struct slice {
	struct slice_row *rows;
	size_t n;
};

static void slice_fini(struct slice *slice) {
	free(slice->rows);
}

static int read_port(const struct rebuild *rebuild, const struct bound_port *port, int64_t from_ns,
                     int64_t to_ns, struct slice *slice) {
	CLEANUP(freep) struct stored_row *rows = NULL;
	struct slice_row *moved;
	size_t n = 0;
	int rc;

	if ((rc = history_rows(rebuild->history, port->host, port->name, from_ns, to_ns, &rows, &n,
	                       rebuild->status)) < 0)
		return rc;
	moved = reallocarray(slice->rows, slice->n + n + 1, sizeof(*moved));
	if (moved == NULL)
		return -ENOMEM;
	slice->rows = moved;
	for (size_t i = 0; i < n; i++)
		slice->rows[slice->n++] = (struct slice_row){port, rows[i]};
	return 0;
}

static int compare(const void *a, const void *b) {
	const struct slice_row *left = a, *right = b;

	if (left->row.ts_ns != right->row.ts_ns)
		return left->row.ts_ns < right->row.ts_ns ? -1 : 1;
	if (left->port != right->port)
		return left->port < right->port ? -1 : 1;
	if (left->row.instance != right->row.instance)
		return left->row.instance < right->row.instance ? -1 : 1;
	return (left->row.seq > right->row.seq) - (left->row.seq < right->row.seq);
}

static int take_row(const struct rebuild *rebuild, const struct slice_row *row) {
	struct port_reading reading = stored_reading(&row->row);
	struct usage_point points[N_directions];
	uint64_t missing;
	size_t n = 0;
	int rc;

	(void)usage_advance(rebuild->usage, row->port->host, row->port->name, &reading, &missing, points, &n);
	for (size_t i = 0; i < n; i++) {
		if (points[i].point.ts_ns <= rebuild->from_ns || points[i].point.ts_ns > rebuild->to_ns)
			continue;
		if ((rc = history_add_kpi(rebuild->history, rebuild->link_id, points[i].direction,
		                          KPI_LINK_USED_CAPACITY, KPI_MEASURED, &points[i].point, 1, NULL,
		                          rebuild->status)) < 0)
			return rc;
	}
	return 0;
}

static int take_slice(const struct rebuild *rebuild, int64_t from_ns, int64_t to_ns) {
	CLEANUP(slice_fini) struct slice slice = {0};
	int rc;

	for (size_t i = 0; i < rebuild->n_ports; i++) {
		if ((rc = read_port(rebuild, &rebuild->ports[i], from_ns, to_ns, &slice)) < 0)
			return rc;
	}
	if (slice.n > 0)
		qsort(slice.rows, slice.n, sizeof(*slice.rows), compare);
	for (size_t i = 0; i < slice.n; i++) {
		if ((rc = take_row(rebuild, &slice.rows[i])) < 0)
			return rc;
	}
	return 0;
}

// ---- the whole

// Begins where a point ends, so that the intervals before and after meet.
static int choose_span(struct rebuild *rebuild, const struct late_rows *late) {
	int64_t interval_ns = late->interval_ns > RATE_INTERVAL_NS ? late->interval_ns : RATE_INTERVAL_NS;
	struct kpi_newest newest;
	int rc;

	if (late->to_ns > INT64_MAX / 2 || late->to_ns - late->from_ns > SPAN_MAX)
		return -ERANGE;
	rebuild->from_ns = late->from_ns - WARM_UP * interval_ns;
	rebuild->to_ns = late->to_ns + AFTER * interval_ns;
	rc = history_kpi_newest(rebuild->history, rebuild->link_id, DIRECTION_FORWARD, KPI_LINK_USED_CAPACITY,
	                        rebuild->from_ns, &newest, rebuild->status);
	if (rc > 0 && rebuild->from_ns - newest.point.ts_ns < ALIGN_NS)
		rebuild->from_ns = newest.point.ts_ns;
	return rc < 0 ? rc : 0;
}

static int derive_anew(const struct rebuild *rebuild) {
	int rc;

	for (int direction = 0; direction < N_directions; direction++) {
		if ((rc = history_drop_measured(rebuild->history, rebuild->link_id,
		                                (enum directions)direction, rebuild->from_ns, rebuild->to_ns,
		                                rebuild->status)) < 0)
			return rc;
	}
	for (int64_t at_ns = rebuild->from_ns; at_ns <= rebuild->to_ns; at_ns += SLICE_NS) {
		int64_t end_ns = rebuild->to_ns - at_ns < SLICE_NS ? rebuild->to_ns + 1 : at_ns + SLICE_NS;

		if ((rc = take_slice(rebuild, at_ns, end_ns)) < 0)
			return rc;
	}
	return 0;
}

int rebuild_usage(struct history *history, const struct usage *usage, enum accounting accounting,
                  const struct late_rows *late, struct status *status) {
	CLEANUP(usage_freep) struct usage *own = NULL;
	CLEANUP(freep) struct bound_port *ports = NULL;
	struct rebuild rebuild = {
	        .history = history, .link_id = usage_link(usage, late->host, late->name), .status = status};
	int rc;

	if (rebuild.link_id == NULL)
		return 0;
	rebuild.ports = ports = calloc(MAX_PORTS, sizeof(*ports));
	if (ports == NULL || usage_new(accounting, &own) < 0)
		return -ENOMEM;
	rebuild.usage = own;
	if ((rc = usage_each_binding(usage, rebuild.link_id, add_port, &rebuild)) < 0 ||
	    (rc = bind_ports(&rebuild)) < 0)
		return rc;
	rc = choose_span(&rebuild, late);
	if (rc == -ERANGE)
		return 0; // times of no real clock: nothing to derive
	if (rc == 0)
		rc = derive_anew(&rebuild);
	return rc < 0 ? rc : 1;
}
