// Reading of ports: which there are, their counters, link, and the epoch of their counters. Every look is
// inside the gate, one port at a time, so that a slow driver delays the host by one call at most. When to
// read, and what becomes of the rows, is left to the session.
// SPDX-License-Identifier: MIT
#include "sampler.h"

#include "clock.h"
#include "gate.h"

#include <rte_ethdev.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

// EAL refuses a plugin with a symbol that it can't resolve: what is missing is NULL and switches off its
// part.
#pragma weak rte_eth_find_next
#pragma weak rte_eth_dev_get_name_by_port
#pragma weak rte_eth_dev_is_valid_port
#pragma weak rte_eth_stats_get
#pragma weak rte_eth_link_get_nowait

#define MAX_PORTS        4096 // kept; the longest gone is forgotten for a new one
#define LOOK_AGAIN_NS    NS_PER_SECOND
#define MAX_GATE_WAIT_NS (100 * NS_PER_MS)
#define SLOW_NS          NS_PER_MS
#define SLOW_AT_ONCE_NS  (100 * NS_PER_MS)
#define SLOW_CALLS       3  // in a row; one alone may be the scheduler's doing
#define SLOW_DUTY        10 // a slow port is read for a tenth of the time

struct sampler {
	struct sampler_port **ports;
	size_t n_ports;
	uint32_t changes; // of the gate, when ports were last looked up
	int64_t looked_ns;
	bool looked;
	struct columns *basic; // what ports have without more
	bool xstats;
	int64_t link_interval_ns;

	_Atomic int reading; // port, -1 for none
	_Atomic int64_t reading_since_ns;
};

int sampler_new(struct sampler **ret) {
	struct sampler *sampler;

	if (rte_eth_find_next == NULL || rte_eth_dev_get_name_by_port == NULL ||
	    rte_eth_dev_is_valid_port == NULL || rte_eth_stats_get == NULL)
		return -ENOTSUP;
	sampler = calloc(1, sizeof(*sampler));
	if (sampler == NULL)
		return -ENOMEM;
	if (columns_new(&sampler->basic) < 0) {
		free(sampler);
		return -ENOMEM;
	}
	atomic_init(&sampler->reading, -1);
	*ret = sampler;
	return 0;
}

static void port_fini(struct sampler_port *port) {
	batch_fini(&port->batch);
	columns_free(port->head.columns);
	xstats_fini(&port->xstats);
	metrics_fini(&port->metrics);
	free(port->extras);
	memset(port, 0, sizeof(*port));
}

void sampler_free(struct sampler *sampler) {
	if (sampler == NULL)
		return;
	for (size_t i = 0; i < sampler->n_ports; i++) {
		port_fini(sampler->ports[i]);
		free(sampler->ports[i]);
	}
	free(sampler->ports);
	columns_free(sampler->basic);
	free(sampler);
}

void sampler_configure(struct sampler *sampler, bool xstats, int64_t link_interval_ns) {
	sampler->link_interval_ns = link_interval_ns;
	if (sampler->xstats == xstats)
		return;
	sampler->xstats = xstats;
	for (size_t i = 0; i < sampler->n_ports; i++)
		sampler->ports[i]->stale = true;
}

struct sampler_port *const *sampler_ports(const struct sampler *sampler, size_t *ret_n) {
	*ret_n = sampler->n_ports;
	return sampler->ports;
}

int sampler_reading(const struct sampler *sampler, int64_t *ret_since_ns) {
	int port = atomic_load(&sampler->reading);

	if (port < 0)
		return -ENOENT;
	*ret_since_ns = atomic_load(&sampler->reading_since_ns);
	return port;
}

int sampler_port_name(uint16_t port, char name[static PORT_NAME_SIZE]) {
	static_assert(PORT_NAME_SIZE == RTE_ETH_NAME_MAX_LEN, "names of ports are as long as ethdev's");

	if (rte_eth_dev_get_name_by_port == NULL || rte_eth_dev_get_name_by_port(port, name) != 0)
		return -ENODEV;
	return 0;
}

// ---- which ports there are

static struct sampler_port *find_port(const struct sampler *sampler, const char *name) {
	for (size_t i = 0; i < sampler->n_ports; i++) {
		if (strcmp(sampler->ports[i]->name, name) == 0)
			return sampler->ports[i];
	}
	return NULL;
}

// Ports attached under ever new names must not fill the memory of a process that runs for months.
static struct sampler_port *recycle_port(const struct sampler *sampler) {
	struct sampler_port *oldest = NULL;

	if (sampler->n_ports < MAX_PORTS)
		return NULL;
	for (size_t i = 0; i < sampler->n_ports; i++) {
		struct sampler_port *port = sampler->ports[i];

		if (!port->present && port->batch.n_rows == 0 &&
		    (oldest == NULL || port->ts_ns < oldest->ts_ns))
			oldest = port;
	}
	if (oldest != NULL)
		port_fini(oldest);
	return oldest;
}

static struct sampler_port *add_port(struct sampler *sampler) {
	struct sampler_port *port = recycle_port(sampler), **ports;

	if (port != NULL)
		return port;
	ports = reallocarray(sampler->ports, sampler->n_ports + 1, sizeof(struct sampler_port *));
	if (ports == NULL)
		return NULL;
	sampler->ports = ports;
	port = calloc(1, sizeof(*port));
	if (port != NULL)
		ports[sampler->n_ports++] = port;
	return port;
}

static void begin_epoch(struct sampler_port *port, uint64_t n) {
	port->head.epoch += n;
	port->ts_ns = 0;
}

// A port that comes back under its name goes on with its sequence, in a new epoch.
static void note_port(struct sampler *sampler, uint16_t id) {
	struct gate_port state = gate_port(id);
	char name[PORT_NAME_SIZE];
	struct sampler_port *port;

	if (!state.started || sampler_port_name(id, name) < 0)
		return;
	port = find_port(sampler, name);
	if (port == NULL) {
		port = add_port(sampler);
		if (port == NULL)
			return; // looked for again in a second
		memcpy(port->name, name, sizeof(name));
		port->head.columns = columns_share(sampler->basic);
		port->port = id;
		port->resets = state.resets;
	} else if (port->port != id) {
		begin_epoch(port, 1);
		port->port = id;
		port->resets = state.resets;
	}
	port->present = true;
	port->stale |= sampler->changes != gate_changes() ||
	               (sampler->xstats &&
	                (xstats_have_changed(&port->xstats, id) || metrics_have_changed(&port->metrics)));
}

static void look_for_ports(struct sampler *sampler, int64_t now_ns) {
	for (size_t i = 0; i < sampler->n_ports; i++)
		sampler->ports[i]->present = false;
	for (uint16_t id = rte_eth_find_next(0); id < RTE_MAX_ETHPORTS; id = rte_eth_find_next(id + 1))
		note_port(sampler, id);
	sampler->changes = gate_changes();
	sampler->looked_ns = now_ns;
	sampler->looked = true;
}

// The once-a-second look is for ports that come and go by calls that the gate does not see.
static bool must_look(const struct sampler *sampler, int64_t now_ns) {
	return !sampler->looked || sampler->changes != gate_changes() ||
	       now_ns - sampler->looked_ns >= LOOK_AGAIN_NS;
}

// ---- which values a row has

static bool are_same(const struct columns *a, const struct columns *b) {
	size_t n_a, n_b;
	const char *const *names_a = columns_names(a, &n_a);
	const char *const *names_b = columns_names(b, &n_b);

	for (size_t i = 0; n_a == n_b && i < n_a; i++) {
		if (strcmp(names_a[i], names_b[i]) != 0)
			return false;
	}
	return n_a == n_b;
}

// Rows go on under the same columns when the names are the same.
static int take_columns(struct sampler_port *port, struct columns *columns) {
	size_t n;
	uint64_t *extras;

	(void)columns_names(columns, &n);
	n -= N_PORT_COUNTERS;
	extras = reallocarray(port->extras, n > 0 ? n : 1, sizeof(*extras));
	if (extras == NULL)
		return -ENOMEM;
	port->extras = extras;
	port->n_extras = n;
	if (are_same(port->head.columns, columns))
		return 0;
	columns_free(port->head.columns);
	port->head.columns = columns_share(columns);
	return 0;
}

static void take_basic_only(struct sampler *sampler, struct sampler_port *port) {
	xstats_fini(&port->xstats);
	metrics_fini(&port->metrics);
	port->n_extras = 0;
	if (port->head.columns == sampler->basic)
		return;
	columns_free(port->head.columns);
	port->head.columns = columns_share(sampler->basic);
}

static bool is_without(int rc) {
	return rc == -ENOTSUP || rc == -ENOSPC; // what there is, or what fits, has to do
}

static int load_extras(struct sampler_port *port) {
	CLEANUP(columns_freep) struct columns *columns = NULL;
	int rc;

	if ((rc = columns_new(&columns)) < 0)
		return rc;
	rc = xstats_load(&port->xstats, port->port, columns);
	if (rc < 0 && !is_without(rc))
		return rc;
	rc = metrics_load(&port->metrics, columns);
	if (rc < 0 && !is_without(rc))
		return rc;
	return take_columns(port, columns);
}

// What can't be had now is asked for again at the next look for ports.
static void load_columns(struct sampler *sampler, struct sampler_port *port) {
	port->stale = false;
	if (!sampler->xstats || load_extras(port) < 0)
		take_basic_only(sampler, port);
}

static int read_extras(struct sampler_port *port, int64_t now_ns) {
	int rc;

	if (port->n_extras == 0)
		return 0;
	if ((rc = xstats_read(&port->xstats, port->port, port->extras)) < 0)
		return rc;
	metrics_read(&port->metrics, port->port, now_ns, port->extras + port->xstats.n);
	return 0;
}

// A driver that has other statistics now is asked for their names at once, and for the basic ones only when it can't
// make up its mind.
static void take_extras(struct sampler *sampler, struct sampler_port *port, int64_t now_ns) {
	if (read_extras(port, now_ns) == 0)
		return;
	load_columns(sampler, port);
	if (read_extras(port, now_ns) < 0)
		take_basic_only(sampler, port);
}

// ---- reading one

static int read_counters(struct sampler_port *port, uint64_t counters[static N_PORT_COUNTERS]) {
	struct rte_eth_stats stats = {0};

	if (rte_eth_stats_get(port->port, &stats) != 0) {
		port->failures++;
		return -EIO;
	}
	counters[COUNTER_rx_packets] = stats.ipackets;
	counters[COUNTER_tx_packets] = stats.opackets;
	counters[COUNTER_rx_bytes] = stats.ibytes;
	counters[COUNTER_tx_bytes] = stats.obytes;
	counters[COUNTER_rx_missed] = stats.imissed;
	counters[COUNTER_rx_errors] = stats.ierrors;
	counters[COUNTER_tx_errors] = stats.oerrors;
	counters[COUNTER_rx_nombuf] = stats.rx_nombuf;
	return 0;
}

// One message tells the link once for all its rows, so the driver is asked once a message.
static void read_link(struct sampler_port *port, int64_t now_ns, int64_t link_interval_ns) {
	struct rte_eth_link link = {0};

	if (rte_eth_link_get_nowait == NULL ||
	    (port->link_read_ns != 0 && now_ns - port->link_read_ns < link_interval_ns))
		return;
	port->link_read_ns = now_ns;
	if (rte_eth_link_get_nowait(port->port, &link) != 0)
		return;
	port->head.speed_mbps = link.link_speed;
	port->head.up = link.link_status == RTE_ETH_LINK_UP;
}

static bool has_decreased(const struct sampler_port *port, const uint64_t counters[static N_PORT_COUNTERS]) {
	for (size_t i = 0; i < N_PORT_COUNTERS; i++) {
		if (counters[i] < port->counters[i])
			return true;
	}
	return false;
}

static void take_row(struct sampler_port *port, uint32_t resets, int64_t ts_ns,
                     const uint64_t counters[static N_PORT_COUNTERS]) {
	if (resets != port->resets)
		begin_epoch(port, resets - port->resets);
	else if (port->ts_ns != 0 && has_decreased(port, counters))
		begin_epoch(port, 1);
	port->resets = resets;
	port->previous_ts_ns = port->ts_ns;
	memcpy(port->previous, port->counters, sizeof(port->previous));
	port->ts_ns = ts_ns;
	memcpy(port->counters, counters, sizeof(port->counters));
	port->seq++;
}

static void judge_speed(struct sampler_port *port, int64_t now_ns, int64_t interval_ns) {
	int64_t limit_ns = interval_ns / SLOW_DUTY > SLOW_NS ? interval_ns / SLOW_DUTY : SLOW_NS;

	if (port->call_ns <= limit_ns)
		port->n_slow = 0;
	else if (port->call_ns > SLOW_AT_ONCE_NS)
		port->n_slow = SLOW_CALLS;
	else if (port->n_slow < SLOW_CALLS)
		port->n_slow++;
	port->slow = port->n_slow >= SLOW_CALLS;
	port->not_before_ns = port->slow ? now_ns + SLOW_DUTY * port->call_ns : 0;
}

static int call_driver(struct sampler *sampler, struct sampler_port *port, int64_t now_ns,
                       uint64_t counters[static N_PORT_COUNTERS], int64_t *ret_ts_ns) {
	int64_t since_ns = clock_mono_ns();
	int rc;

	atomic_store(&sampler->reading_since_ns, since_ns);
	atomic_store(&sampler->reading, port->port);
	if (port->stale)
		load_columns(sampler, port);
	rc = read_counters(port, counters);
	*ret_ts_ns = clock_real_ns();
	if (rc == 0)
		take_extras(sampler, port, now_ns);
	read_link(port, now_ns, sampler->link_interval_ns);
	atomic_store(&sampler->reading, -1);
	port->call_ns = clock_mono_ns() - since_ns;
	return rc;
}

// Returns 0 with a row in 'port', -EBUSY when the host works on ports, or another negative errno.
static int read_port(struct sampler *sampler, struct sampler_port *port, int64_t now_ns, int64_t interval_ns,
                     int64_t wait_ns) {
	uint64_t counters[N_PORT_COUNTERS] = {0};
	int64_t ts_ns = 0;
	uint32_t resets;
	int rc = -ENODEV;

	if (!gate_sampler_enter(wait_ns))
		return -EBUSY;
	if (must_look(sampler, now_ns))
		look_for_ports(sampler, now_ns);
	resets = gate_port(port->port).resets;
	if (port->present && rte_eth_dev_is_valid_port(port->port))
		rc = call_driver(sampler, port, now_ns, counters, &ts_ns);
	if (!gate_sampler_leave())
		rc = -ECANCELED;
	if (rc == -ENODEV)
		return rc;
	judge_speed(port, now_ns, interval_ns);
	if (rc == 0)
		take_row(port, resets, ts_ns, counters);
	return rc;
}

static void look_if_due(struct sampler *sampler, int64_t now_ns, int64_t wait_ns) {
	if (!must_look(sampler, now_ns) || !gate_sampler_enter(wait_ns))
		return;
	look_for_ports(sampler, now_ns);
	(void)gate_sampler_leave();
}

size_t sampler_read(struct sampler *sampler, int64_t now_ns, int64_t interval_ns, sampler_row_fn row,
                    void *context) {
	int64_t wait_ns = interval_ns / 2 < MAX_GATE_WAIT_NS ? interval_ns / 2 : MAX_GATE_WAIT_NS;
	size_t left_out = 0;

	look_if_due(sampler, now_ns, wait_ns);
	for (size_t i = 0; i < sampler->n_ports; i++) {
		struct sampler_port *port = sampler->ports[i];
		int rc;

		if (!port->present || now_ns < port->not_before_ns)
			continue;
		rc = read_port(sampler, port, now_ns, interval_ns, wait_ns);
		if (rc == -EBUSY) {
			left_out++;
			wait_ns = 0;
		} else if (rc == 0) {
			row(context, port);
		}
	}
	return left_out;
}

bool sampler_read_last(struct sampler *sampler, uint16_t id, int64_t now_ns, int64_t interval_ns,
                       sampler_row_fn row, void *context) {
	look_if_due(sampler, now_ns, 0);
	for (size_t i = 0; i < sampler->n_ports; i++) {
		struct sampler_port *port = sampler->ports[i];

		if (!port->present || port->port != id || port->slow)
			continue;
		if (read_port(sampler, port, now_ns, interval_ns, 0) < 0)
			return false;
		row(context, port);
		return true;
	}
	return false;
}
