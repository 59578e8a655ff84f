// One family after the other, as OpenMetrics asks; the samples of each come from loops over what is known. A link may
// be in several topologies: it is told once.
// SPDX-License-Identifier: MIT
#include "metrics.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define GIGA        1e9
#define MEGA        1e6
#define LABELS_SIZE 4096

struct seen {
	UT_hash_handle hh;
	char key[];
};

struct page_writer {
	FILE *file;
	const char *family;
	struct seen *seen; // label sets of this family
	const struct metrics_sources *sources;
	const struct port_state **ports;
	size_t n_ports;
};

// ---- lines

static void forget_seen(struct page_writer *writer) {
	struct seen *entry, *next;

	HASH_ITER (hh, writer->seen, entry, next) {
		HASH_DEL(writer->seen, entry);
		free(entry);
	}
}

static bool is_new(struct page_writer *writer, const char *key) {
	size_t length = strlen(key);
	struct seen *entry = NULL;

	HASH_FIND(hh, writer->seen, key, length, entry);
	if (entry != NULL)
		return false;
	entry = calloc(1, sizeof(*entry) + length + 1);
	if (entry == NULL)
		return false;
	memcpy(entry->key, key, length);
	HASH_ADD_KEYPTR(hh, writer->seen, entry->key, length, entry);
	return true;
}

static void put_help(FILE *file, const char *text) {
	for (; *text != '\0'; text++) {
		if (*text == '\\' || *text == '"')
			fputc('\\', file);
		fputc(*text == '\n' ? ' ' : *text, file);
	}
}

// 'unit' is "" or what the name ends with, as OpenMetrics asks.
static void begin_family(struct page_writer *writer, const char *name, const char *type, const char *unit,
                         const char *help) {
	forget_seen(writer);
	writer->family = name;
	fprintf(writer->file, "# TYPE %s %s\n", name, type);
	if (unit[0] != '\0')
		fprintf(writer->file, "# UNIT %s %s\n", name, unit);
	fprintf(writer->file, "# HELP %s ", name);
	put_help(writer->file, help);
	fputc('\n', writer->file);
}

struct label {
	const char *name, *value; // value NULL: left out
};

static size_t put_escaped(char *text, size_t used, const char *value) {
	for (; *value != '\0' && used + 3 < LABELS_SIZE; value++) {
		if (*value == '\\' || *value == '"')
			text[used++] = '\\';
		text[used++] = *value;
	}
	return used;
}

static void format_labels(char text[static LABELS_SIZE], const struct label *labels, size_t n) {
	size_t used = 0;

	text[used++] = '{';
	for (size_t i = 0; i < n; i++) {
		int length;

		if (labels[i].value == NULL)
			continue;
		length = snprintf(text + used, LABELS_SIZE - used, "%s%s=\"", used > 1 ? "," : "",
		                  labels[i].name);
		used = put_escaped(text, used + (size_t)length, labels[i].value);
		text[used++] = '"';
	}
	text[used++] = '}';
	text[used] = '\0';
}

#define LABELS(...)                                                                                          \
	(const struct label[]){__VA_ARGS__},                                                                 \
	        sizeof((const struct label[]){__VA_ARGS__}) / sizeof(struct label)

// Once for each set of labels. 'suffix' is "_total" of a counter, else "".
static void put_count(struct page_writer *writer, const char *suffix, const struct label *labels, size_t n,
                      uint64_t value) {
	char text[LABELS_SIZE];

	format_labels(text, labels, n);
	if (is_new(writer, text))
		fprintf(writer->file, "%s%s%s %" PRIu64 "\n", writer->family, suffix, n > 0 ? text : "",
		        value);
}

static void put_real(struct page_writer *writer, const struct label *labels, size_t n, double value) {
	char text[LABELS_SIZE];

	format_labels(text, labels, n);
	if (is_new(writer, text))
		fprintf(writer->file, "%s%s %.17g\n", writer->family, n > 0 ? text : "", value);
}

// ---- ports

static void put_counters(struct page_writer *writer) {
	for (int c = 0; c < N_PORT_COUNTERS; c++) {
		const struct port_counter_info *info = &port_counters[c];
		size_t length = strlen(info->name), unit = strlen(info->unit);
		bool ends = length > unit && strcmp(info->name + length - unit, info->unit) == 0;
		char name[64];

		snprintf(name, sizeof(name), "dpdk_ethdev_%s", info->name);
		begin_family(writer, name, "counter", ends ? info->unit : "", info->help);
		for (size_t i = 0; i < writer->n_ports; i++) {
			const struct port_state *port = writer->ports[i];

			for (size_t v = 0; v < port->n_names; v++) {
				if (strcmp(port->names[v], info->name) == 0)
					put_count(writer, "_total",
					          LABELS({"host", port->host}, {"port", port->name},
					                 {"link", port->link}),
					          port->values[v]);
			}
		}
	}
}

static bool is_basic(const char *name) {
	for (int c = 0; c < N_PORT_COUNTERS; c++) {
		if (strcmp(port_counters[c].name, name) == 0)
			return true;
	}
	return false;
}

static void put_xstats(struct page_writer *writer) {
	begin_family(writer, "dpdk_ethdev_xstats", "unknown", "",
	             "what the driver and librte_metrics count beside the basic counters, where it is "
	             "switched on");
	for (size_t i = 0; i < writer->n_ports; i++) {
		const struct port_state *port = writer->ports[i];

		for (size_t v = 0; v < port->n_names; v++) {
			if (!is_basic(port->names[v]))
				put_count(writer, "",
				          LABELS({"host", port->host}, {"port", port->name},
				                 {"name", port->names[v]}),
				          port->values[v]);
		}
	}
}

static void put_port_states(struct page_writer *writer) {
	begin_family(writer, "dpdk_ethdev_link_up", "gauge", "", "1: the link of the port is up");
	for (size_t i = 0; i < writer->n_ports; i++)
		put_count(writer, "",
		          LABELS({"host", writer->ports[i]->host}, {"port", writer->ports[i]->name}),
		          writer->ports[i]->up);
	begin_family(writer, "dpdk_ethdev_link_speed_bits_per_second", "gauge", "",
	             "speed of the port, where it is known");
	for (size_t i = 0; i < writer->n_ports; i++) {
		int64_t mbps = writer->ports[i]->speed_mbps;

		if (mbps > 0 && mbps < UINT32_MAX)
			put_real(writer,
			         LABELS({"host", writer->ports[i]->host}, {"port", writer->ports[i]->name}),
			         (double)mbps * MEGA);
	}
}

// ---- links

typedef void (*link_fn)(struct page_writer *, const struct link_view *);

static void each_link(struct page_writer *writer, link_fn put) {
	const struct observer *observer = writer->sources->observer;

	for (size_t i = 0; i < observer_count(observer); i++) {
		const struct observation *at = observer_at(observer, i);

		for (size_t l = 0; at->kind == OBSERVED_TOPOLOGY && l < at->topology.n_links; l++)
			put(writer, &at->topology.links[l]);
	}
}

static void put_used(struct page_writer *writer, const struct link_view *link) {
	if (HAS(link, link_view, used_capacity_gbps))
		put_real(writer, LABELS({"link", link->id}, {"direction", "forward"}),
		         link->used_capacity_gbps * GIGA);
	if (HAS(link, link_view, used_capacity_reverse_gbps) && link->bidirectional)
		put_real(writer, LABELS({"link", link->id}, {"direction", "reverse"}),
		         link->used_capacity_reverse_gbps * GIGA);
}

static void put_reserved(struct page_writer *writer, const struct link_view *link) {
	if (HAS(link, link_view, reserved_gbps))
		put_real(writer, LABELS({"link", link->id}, {"direction", "forward"}),
		         link->reserved_gbps * GIGA);
	if (HAS(link, link_view, reserved_reverse_gbps) && link->bidirectional)
		put_real(writer, LABELS({"link", link->id}, {"direction", "reverse"}),
		         link->reserved_reverse_gbps * GIGA);
}

static void put_capacity(struct page_writer *writer, const struct link_view *link) {
	if (HAS(link, link_view, total_capacity_gbps))
		put_real(writer, LABELS({"link", link->id}), link->total_capacity_gbps * GIGA);
}

static void put_state(struct page_writer *writer, const struct link_view *link) {
	for (int state = 0; state < states_choices.n_words; state++)
		put_count(writer, "",
		          LABELS({"link", link->id},
		                 {"linkcast_link_state", choice_word(&states_choices, state)}),
		          link->state == state);
}

static void put_links(struct page_writer *writer) {
	begin_family(writer, "linkcast_link_used_bits_per_second", "gauge", "",
	             "used capacity: mean of the last 60 s");
	each_link(writer, put_used);
	begin_family(writer, "linkcast_link_capacity_bits_per_second", "gauge", "",
	             "total capacity of each direction, where it is known");
	each_link(writer, put_capacity);
	begin_family(writer, "linkcast_link_reserved_bits_per_second", "gauge", "",
	             "held now by admitted services");
	each_link(writer, put_reserved);
	begin_family(writer, "linkcast_link_state", "stateset", "", "state of the link");
	each_link(writer, put_state);
}

static void put_forecasts(struct page_writer *writer) {
	const struct observer *observer = writer->sources->observer;
	char quantile[32], horizon[32];

	begin_family(writer, "linkcast_link_forecast_used_bits_per_second", "gauge", "",
	             "used capacity that the next horizon_seconds will not exceed at this quantile: forecast "
	             "peak");
	snprintf(quantile, sizeof(quantile), "%.15g", writer->sources->quantile);
	for (size_t i = 0; i < observer_count(observer); i++) {
		const struct observation *at = observer_at(observer, i);

		if (at->kind != OBSERVED_FORECAST)
			continue;
		snprintf(horizon, sizeof(horizon), "%.15g", at->horizon_seconds);
		for (size_t l = 0; l < at->forecast.n_link_capacities; l++) {
			const struct link_forecast *forecast = &at->forecast.link_capacities[l];

			put_real(writer,
			         LABELS({"link", forecast->link_id},
			                {"direction", choice_word(&directions_choices, forecast->direction)},
			                {"horizon_seconds", horizon}, {"quantile", quantile}),
			         forecast->forecast_used_capacity_gbps * GIGA);
		}
	}
}

// ---- sources and processes

typedef void (*source_fn)(struct page_writer *, const struct source *);

static void each_source(struct page_writer *writer, source_fn put) {
	const struct observer *observer = writer->sources->observer;

	for (size_t i = 0; i < observer_count(observer); i++) {
		const struct observation *at = observer_at(observer, i);

		for (size_t s = 0; at->kind == OBSERVED_SOURCES && s < at->sources.n_sources; s++)
			put(writer, &at->sources.sources[s]);
	}
}

static void put_live(struct page_writer *writer, const struct source *source) {
	put_count(writer, "", LABELS({"host", source->host}), source->live);
}

static void put_lost(struct page_writer *writer, const struct source *source) {
	for (size_t i = 0; i < source->n_ports; i++)
		put_count(writer, "", LABELS({"host", source->host}, {"port", source->ports[i].name}),
		          source->ports[i].lost);
}

static void put_gone(struct page_writer *writer, const struct source *source) {
	for (size_t i = 0; i < source->n_ports; i++)
		put_count(writer, "", LABELS({"host", source->host}, {"port", source->ports[i].name}),
		          source->ports[i].gone);
}

static void put_sources(struct page_writer *writer) {
	begin_family(writer, "linkcast_source_live", "gauge", "", "1: the publisher is heard");
	each_source(writer, put_live);
	begin_family(writer, "linkcast_port_rows_lost", "gauge", "",
	             "rows of this instance that have not arrived (yet: those not gone are asked for)");
	each_source(writer, put_lost);
	begin_family(writer, "linkcast_port_rows_gone", "gauge", "",
	             "of the lost rows, those that the publisher does not hold any more");
	each_source(writer, put_gone);
}

static void put_daemon(struct page_writer *writer) {
	const struct observer *observer = writer->sources->observer;
	char name[LIMIT_ID_SIZE + 32];

	begin_family(writer, "linkcast_analyticsd_up", "gauge", "", "1: analyticsd is connected");
	put_count(writer, "", NULL, 0, writer->sources->analyticsd_is_there);
	for (size_t i = 0; i < observer_count(observer); i++) {
		const struct observation *at = observer_at(observer, i);

		for (size_t m = 0; at->kind == OBSERVED_METRICS && m < at->metrics.n_metrics; m++) {
			snprintf(name, sizeof(name), "linkcast_analyticsd_%s", at->metrics.metrics[m].name);
			begin_family(writer, name, "unknown", "", at->metrics.metrics[m].help);
			put_real(writer, NULL, 0, at->metrics.metrics[m].value);
		}
	}
}

static void put_gateway(struct page_writer *writer) {
	const struct metrics_sources *sources = writer->sources;
	static const char *const classes[] = {"2xx", "3xx", "4xx", "5xx"};

	begin_family(writer, "linkcast_gateway_answers", "counter", "", "HTTP answers of this gateway");
	for (int i = 0; i < 4; i++)
		put_count(writer, "_total", LABELS({"class", classes[i]}),
		          http_answers(sources->http, i + 2));
	begin_family(writer, "linkcast_gateway_connections", "gauge", "", "HTTP connections that are open");
	put_count(writer, "", NULL, 0, http_connections(sources->http));
	begin_family(writer, "linkcast_gateway_streams", "gauge", "", "event streams that are open");
	put_count(writer, "", NULL, 0, streams_count(sources->streams));
	begin_family(writer, "linkcast_gateway_events", "counter", "", "events that somebody wanted to read");
	put_count(writer, "_total", NULL, 0, streams_published(sources->streams));
	begin_family(writer, "linkcast_gateway_events_delivered", "counter", "", "events put into streams");
	put_count(writer, "_total", NULL, 0, streams_delivered(sources->streams));
	begin_family(writer, "linkcast_gateway_streams_dropped", "counter", "",
	             "streams ended because their reader was too slow");
	put_count(writer, "_total", NULL, 0, streams_dropped(sources->streams));
}

int metrics_text(const struct metrics_sources *sources, int64_t now_ns, char **ret, size_t *ret_size) {
	struct page_writer writer = {.sources = sources};
	bool failed;

	if (ports_list(sources->ports, now_ns, &writer.ports, &writer.n_ports) < 0)
		return -ENOMEM;
	writer.file = open_memstream(ret, ret_size);
	if (writer.file == NULL) {
		free(writer.ports);
		return -ENOMEM;
	}
	put_counters(&writer);
	put_xstats(&writer);
	put_port_states(&writer);
	put_links(&writer);
	put_forecasts(&writer);
	put_sources(&writer);
	put_daemon(&writer);
	put_gateway(&writer);
	fputs("# EOF\n", writer.file);
	forget_seen(&writer);
	free(writer.ports);
	failed = ferror(writer.file) != 0;
	if (fclose(writer.file) != 0 || failed) {
		free(*ret);
		return -ENOMEM;
	}
	return 0;
}
