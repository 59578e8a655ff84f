// Answers on DPDK's telemetry thread, from the view that the session leaves. The functions are looked up by name, as
// releases call them differently.
// SPDX-License-Identifier: MIT
#include "telemetry.h"

#include "host.h"
#include "plugin.h"
#include "text.h"

#include <rte_telemetry.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct {
	int (*register_cmd)(const char *, telemetry_cb, const char *);
	int (*start_dict)(struct rte_tel_data *);
	int (*add_text)(struct rte_tel_data *, const char *, const char *);
	int (*add_count)(struct rte_tel_data *, const char *, uint64_t);
	int (*add_dict)(struct rte_tel_data *, const char *, struct rte_tel_data *, int);
	struct rte_tel_data *(*alloc)(void);
	void (*free)(struct rte_tel_data *);
} tel;

static const struct {
	void *function; // address of the pointer to it
	const char *names[2];
} needed[] = {
        {&tel.register_cmd, {"rte_telemetry_register_cmd", NULL}},
        {&tel.start_dict, {"rte_tel_data_start_dict", NULL}},
        {&tel.add_text, {"rte_tel_data_add_dict_string", NULL}},
        {&tel.add_count, {"rte_tel_data_add_dict_uint", "rte_tel_data_add_dict_u64"}}, // 23.03 renamed it
        {&tel.add_dict, {"rte_tel_data_add_dict_container", NULL}},
        {&tel.alloc, {"rte_tel_data_alloc", NULL}},
        {&tel.free, {"rte_tel_data_free", NULL}},
};

static int find_functions(void) {
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		void *found = dlsym(RTLD_DEFAULT, needed[i].names[0]);

		if (found == NULL && needed[i].names[1] != NULL)
			found = dlsym(RTLD_DEFAULT, needed[i].names[1]);
		if (found == NULL)
			return -ENOTSUP;
		memcpy(needed[i].function, &found, sizeof(found));
	}
	return 0;
}

// ---- status

static void add_session(struct rte_tel_data *data, const struct session_view *view) {
	const struct {
		const char *name;
		uint64_t value;
	} counts[] = {
	        {"instance", view->instance},
	        {"interval_ns", (uint64_t)view->interval_ns},
	        {"subscriptions", (uint64_t)view->publisher.subscriptions},
	        {"ticks", view->ticks},
	        {"missed", view->missed},
	        {"late", view->late},
	        {"busy", view->busy},
	        {"work_ns", view->effort_ns},
	        {"messages", view->publisher.messages},
	        {"rows", view->outbox.rows},
	        {"dropped", view->outbox.dropped},
	        {"replayed", view->outbox.replayed},
	        {"gone", view->outbox.gone},
	        {"replay_rows", view->outbox.replay.rows},
	        {"replay_bytes", view->outbox.replay.size},
	        {"replay_limit_bytes", view->outbox.replay.limit},
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		tel.add_count(data, counts[i].name, counts[i].value);
	tel.add_text(data, "server_error", view->publisher.server_error);
}

static int on_status(const char *command, const char *parameters, struct rte_tel_data *data) {
	char host[LIMIT_ID_SIZE + 1];
	struct session_view view;
	struct settings settings;

	(void)command;
	(void)parameters;
	plugin_settings(&settings);
	tel.start_dict(data);
	tel.add_text(data, "version", LINKCAST_VERSION);
	if (plugin_host(host, NULL) == 0)
		tel.add_text(data, "host", host);
	tel.add_text(data, "entry", host_entry_text(host_entry()));
	tel.add_text(data, "samples", settings.samples);
	tel.add_text(data, "server", settings.server);
	if (plugin_look(&view) < 0) {
		tel.add_count(data, "publishing", 0);
		return 0;
	}
	tel.add_count(data, "publishing", 1);
	add_session(data, &view);
	session_view_fini(&view);
	return 0;
}

// ---- ports

static void add_counters(struct rte_tel_data *data, const struct session_port *port) {
	for (size_t i = 0; i < N_PORT_COUNTERS; i++)
		tel.add_count(data, port_counters[i].name, port->counters[i]);
	tel.add_count(data, "ts_ns", (uint64_t)port->ts_ns);
	tel.add_count(data, "values", port->n_values);
	tel.add_count(data, "read_ns", (uint64_t)port->call_ns);
	tel.add_count(data, "failures", port->failures);
}

static void add_port(struct rte_tel_data *data, const struct session_port *port) {
	tel.add_count(data, "port", port->port);
	if (port->link[0] != '\0')
		tel.add_text(data, "link", port->link);
	tel.add_count(data, "present", port->present);
	tel.add_count(data, "up", port->up);
	tel.add_count(data, "speed_mbps", port->speed_mbps);
	tel.add_count(data, "epoch", port->epoch);
	tel.add_count(data, "seq", port->seq);
	tel.add_count(data, "slow", port->slow);
}

static void add_ports(struct rte_tel_data *data, const struct session_view *view) {
	for (size_t i = 0; i < view->n_ports; i++) {
		struct rte_tel_data *inner = tel.alloc();

		if (inner == NULL)
			return;
		tel.start_dict(inner);
		add_port(inner, &view->ports[i]);
		if (tel.add_dict(data, view->ports[i].name, inner, 0) != 0) {
			tel.free(inner); // as many as an answer holds
			return;
		}
	}
}

static int add_one(struct rte_tel_data *data, const struct session_view *view, const char *parameter) {
	uint64_t number;

	if (text_to_u64(parameter, &number) < 0)
		return -EINVAL;
	for (size_t i = 0; i < view->n_ports; i++) {
		if (view->ports[i].port != number || !view->ports[i].present)
			continue;
		tel.add_text(data, "name", view->ports[i].name);
		add_port(data, &view->ports[i]);
		add_counters(data, &view->ports[i]);
		return 0;
	}
	return -ENODEV;
}

static int on_ports(const char *command, const char *parameters, struct rte_tel_data *data) {
	struct session_view view;
	int rc = 0;

	(void)command;
	tel.start_dict(data);
	if (plugin_look(&view) < 0)
		return 0; // nothing is sampled
	if (parameters != NULL && parameters[0] != '\0')
		rc = add_one(data, &view, parameters);
	else
		add_ports(data, &view);
	session_view_fini(&view);
	return rc;
}

void telemetry_register(void) {
	if (find_functions() < 0)
		return;
	(void)tel.register_cmd("/linkcast/status", on_status,
	                       "What the Linkcast plugin publishes. No parameters");
	(void)tel.register_cmd(
	        "/linkcast/ports", on_ports,
	        "The ports that the Linkcast plugin samples. Parameter: a port id, for its counters");
}
