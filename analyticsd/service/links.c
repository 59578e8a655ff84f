// Where a link's numbers come from. Total: the newest of topology, SetLink and KPI 301; without any, its
// ports' speed. Use: KPI 302 (measured or appended); without any, what the topology says. State: its ports',
// else its series' age.
// SPDX-License-Identifier: MIT
#include "links.h"

#include "background.h"
#include "clock.h"
#include "ledger.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define STALE_INTERVALS 3
#define PORT_STALE_NS   (5 * NS_PER_SECOND)
#define SERIES_STALE_NS (300 * NS_PER_SECOND)
#define UNKNOWN_SPEED   UINT32_MAX // RTE_ETH_SPEED_NUM_UNKNOWN

// What the ports of one end show.
struct end_view {
	int heard, down, fresh;
	double speed_gbps;
};

struct ports_view {
	struct worker *worker;
	struct status *status;
	int64_t at_ns;
	struct end_view ends[N_ends];
	char first_host[LIMIT_ID_SIZE + 1]; // of announced ports: it is at end a
};

static int look_at_port(struct ports_view *view, const char *host, const char *name, enum ends end) {
	struct end_view *at = &view->ends[end];
	struct port_newest newest;
	int64_t stale_ns;
	int rc;

	rc = history_port_newest(view->worker->history, host, name, view->at_ns, &newest, view->status);
	if (rc <= 0)
		return rc;
	stale_ns = STALE_INTERVALS * newest.interval_ns > PORT_STALE_NS ? STALE_INTERVALS * newest.interval_ns
	                                                                : PORT_STALE_NS;
	at->heard++;
	if (view->at_ns - newest.ts_ns <= stale_ns) {
		at->fresh++;
		at->down += !newest.up;
	}
	if (newest.speed_mbps > 0 && newest.speed_mbps < UNKNOWN_SPEED)
		at->speed_gbps += (double)newest.speed_mbps / 1000;
	return 0;
}

static int look_at_announced(void *context, const char *host, const char *name) {
	struct ports_view *view = context;

	if (view->first_host[0] == '\0')
		snprintf(view->first_host, sizeof(view->first_host), "%s", host);
	return look_at_port(view, host, name, strcmp(view->first_host, host) == 0 ? END_A : END_Z);
}

static int look_at_ports(struct ports_view *view, const struct link_record *link) {
	int rc;

	for (size_t i = 0; i < link->n_ports; i++) {
		rc = look_at_port(view, link->ports[i].host, link->ports[i].name,
		                  (enum ends)link->ports[i].end);
		if (rc < 0)
			return rc;
	}
	if (link->n_ports > 0)
		return 0;
	return history_each_port_of(view->worker->history, link->id, look_at_announced, view, view->status);
}

// Down when all fresh ports of an end are down; stale when no port is fresh.
static enum states state_of_ports(const struct ports_view *view) {
	int fresh = 0;

	for (int end = 0; end < N_ends; end++) {
		const struct end_view *at = &view->ends[end];

		if (at->fresh > 0 && at->down == at->fresh)
			return STATE_DOWN;
		fresh += at->fresh;
	}
	return fresh > 0 ? STATE_UP : STATE_STALE;
}

static enum states state_of_series(const struct kpi_newest *newest, int64_t at_ns) {
	int64_t stale_ns = STALE_INTERVALS * newest->spacing_ns;

	if (stale_ns < SERIES_STALE_NS)
		stale_ns = SERIES_STALE_NS;
	return at_ns - newest->point.ts_ns <= stale_ns ? STATE_UP : STATE_STALE;
}

static int look_at_state(struct worker *worker, const struct link_record *link,
                         const struct ports_view *ports, int64_t at_ns, enum states *ret,
                         struct status *status) {
	struct kpi_newest newest;
	int rc;

	if (!link->admin_up) {
		*ret = STATE_ADMIN_DOWN;
		return 0;
	}
	if (ports->ends[END_A].heard + ports->ends[END_Z].heard > 0) {
		*ret = state_of_ports(ports);
		return 0;
	}
	rc = history_kpi_newest(worker->history, link->id, DIRECTION_FORWARD, KPI_LINK_USED_CAPACITY, at_ns,
	                        &newest, status);
	if (rc == 0)
		rc = history_kpi_newest(worker->history, link->id, DIRECTION_REVERSE, KPI_LINK_USED_CAPACITY,
		                        at_ns, &newest, status);
	if (rc < 0)
		return rc;
	*ret = rc > 0 ? state_of_series(&newest, at_ns) : STATE_UNKNOWN;
	return 0;
}

static int look_at_total(struct worker *worker, const struct link_record *link,
                         const struct ports_view *ports, enum directions direction, int64_t at_ns,
                         double *ret, struct status *status) {
	double speed = fmax(ports->ends[END_A].speed_gbps, ports->ends[END_Z].speed_gbps);
	struct kpi_newest newest;
	int rc;

	rc = history_kpi_newest(worker->history, link->id, direction, KPI_LINK_TOTAL_CAPACITY, at_ns, &newest,
	                        status);
	if (rc < 0)
		return rc;
	if (rc > 0 && (isnan(link->total_gbps) || newest.point.ts_ns > link->total_set_ns))
		*ret = newest.point.gbps;
	else if (!isnan(link->total_gbps))
		*ret = link->total_gbps;
	else
		*ret = speed > 0 ? speed : NAN;
	return 0;
}

// What the topology says of the use was said without the services; only what was measured has them in it.
static int look_at_services(struct worker *worker, const char *link_id, enum directions direction,
                            int64_t at_ns, struct link_now *ret, struct status *status) {
	struct hold_query query = {.link_id = link_id, .direction = direction, .known_ns = at_ns};
	CLEANUP(freep) struct hold *holds = NULL;
	int64_t bps = 0;
	size_t n;
	int rc;

	ret->background_gbps[direction] = ret->current_gbps[direction];
	ret->reserved_gbps[direction] = 0;
	rc = ledger_was_held(worker->state, link_id, direction, status);
	ret->was_held[direction] = rc > 0;
	if (rc <= 0)
		return rc;
	query.from_ns = at_ns;
	query.to_ns = at_ns + 1;
	if ((rc = ledger_holds(worker->state, &query, &holds, &n, status)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		bps += holds[i].bps;
	ret->reserved_gbps[direction] = ledger_gbps(bps);
	return background_current(worker, link_id, direction, at_ns, &ret->background_gbps[direction],
	                          status);
}

int link_look(struct worker *worker, const struct link_record *link, int64_t at_ns, struct link_now *ret,
              struct status *status) {
	struct ports_view ports = {.worker = worker, .status = status, .at_ns = at_ns};
	int rc;

	if ((rc = look_at_ports(&ports, link)) < 0 ||
	    (rc = look_at_state(worker, link, &ports, at_ns, &ret->state, status)) < 0)
		return rc;
	for (int direction = 0; direction < N_directions; direction++) {
		ret->current_gbps[direction] = link->used_gbps[direction];
		if ((rc = look_at_total(worker, link, &ports, (enum directions)direction, at_ns,
		                        &ret->total_gbps[direction], status)) < 0 ||
		    (rc = history_kpi_current(worker->history, link->id, (enum directions)direction, at_ns,
		                              &ret->current_gbps[direction], status)) < 0 ||
		    (rc = look_at_services(worker, link->id, (enum directions)direction, at_ns, ret,
		                           status)) < 0)
			return rc;
	}
	return 0;
}

static int count_port(void *context, const char *host, const char *name) {
	(void)host;
	(void)name;
	++*(int *)context;
	return 0;
}

int link_find(struct worker *worker, const char *link_id,
              int (*each)(void *context, const struct link_record *), void *context, struct status *status) {
	struct link_record record = {
	        .id = link_id,
	        .a = "",
	        .z = "",
	        .bidirectional = true,
	        .admin_up = true,
	        .total_gbps = NAN,
	        .used_gbps = {NAN, NAN},
	        .cost = 1,
	        .latency_ms = NAN,
	};
	int n_ports = 0, rc, announced;

	rc = state_link(worker->state, link_id, each, context, status);
	if (rc != -ENOENT)
		return rc;
	announced = history_each_port_of(worker->history, link_id, count_port, &n_ports, NULL);
	if (announced < 0 || n_ports == 0)
		return announced < 0 ? announced : rc;
	return each(context, &record);
}
