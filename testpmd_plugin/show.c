// The views of people: the session's state, its ports with their rates, the settings. No secret is among them: of keys
// only where they come from.
// SPDX-License-Identifier: MIT
#include "show.h"

#include "clock.h"
#include "host.h"
#include "keys.h"
#include "plugin.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>

#define MIB 1048576.0

static void show_server(const struct session_view *view, const char *server, FILE *out) {
	int64_t age_ms = (clock_mono_ns() - view->publisher.server_seen_ns) / NS_PER_MS;
	char age[DURATION_TEXT_SIZE];

	fprintf(out, "server      %s ", server);
	if (view->publisher.server_seen_ns == 0) {
		fprintf(out, "has not answered\n");
		return;
	}
	text_from_seconds((double)age_ms / 1e3, age);
	if (view->publisher.server_error[0] != '\0')
		fprintf(out, "refused %s ago: %s\n", age, view->publisher.server_error);
	else
		fprintf(out, "answered %s ago\n", age);
}

static void show_slow_ports(const struct session_view *view, FILE *out) {
	char took[DURATION_TEXT_SIZE];

	if (view->reading_port >= 0 && view->reading_ns > NS_PER_SECOND)
		fprintf(out, "hangs       in the driver of port %d for %s\n", view->reading_port,
		        text_from_seconds((double)view->reading_ns / 1e9, took));
	for (size_t i = 0; i < view->n_ports; i++) {
		const struct session_port *port = &view->ports[i];

		if (port->slow)
			fprintf(out, "slow        port %u (%s): a read takes %s, so it is read less often\n",
			        port->port, port->name, text_from_seconds((double)port->call_ns / 1e9, took));
		if (port->failures > 0)
			fprintf(out, "failures    port %u (%s): its driver refused %" PRIu64 " reads\n",
			        port->port, port->name, port->failures);
	}
}

static void show_session(const struct session_view *view, const struct settings *settings, FILE *out) {
	const struct outbox_state *outbox = &view->outbox;
	char interval[DURATION_TEXT_SIZE], latest[DURATION_TEXT_SIZE];

	fprintf(out, "publishing  to %s%s, instance %" PRIu64 ", %" PRId64 " subscriptions\n",
	        settings->bind ? "@" : "", settings->samples, view->instance, view->publisher.subscriptions);
	fprintf(out, "interval    %s\n", text_from_seconds((double)view->interval_ns / 1e9, interval));
	fprintf(out, "ticks       %" PRIu64 ", %" PRIu64 " missed, %" PRIu64 " late", view->ticks,
	        view->missed, view->late);
	if (view->late > 0)
		fprintf(out, " (by %s at most)", text_from_seconds((double)view->latest_ns / 1e9, latest));
	fprintf(out, ", %" PRIu64 " reads left to the host's own calls\n", view->busy);
	if (outbox->rows > 0)
		fprintf(out, "work        %s a row, without the waking\n",
		        text_from_seconds((double)view->effort_ns / 1e9 / (double)outbox->rows, latest));
	fprintf(out, "rows        %" PRIu64 " in %" PRIu64 " messages, %" PRIu64 " dropped\n", outbox->rows,
	        view->publisher.messages, outbox->dropped);
	fprintf(out,
	        "replay      holds %" PRIu64 " rows in %.4g of %.4g MiB; sent again %" PRIu64
	        ", asked for too late %" PRIu64 "\n",
	        outbox->replay.rows, (double)outbox->replay.size / MIB, (double)outbox->replay.limit / MIB,
	        outbox->replayed, outbox->gone);
	show_server(view, settings->server, out);
	show_slow_ports(view, out);
}

int show_status(FILE *out, struct status *status) {
	char host[LIMIT_ID_SIZE + 1];
	struct session_view view;
	struct settings settings;
	int rc;

	if ((rc = plugin_host(host, status)) < 0)
		return rc;
	plugin_settings(&settings);
	fprintf(out, "linkcast    " LINKCAST_VERSION "\nhost        %s\nentry       %s\n", host,
	        host_entry_text(host_entry()));
	if (plugin_look(&view) < 0) {
		fprintf(out, "publishing  no\n");
		return 0;
	}
	show_session(&view, &settings, out);
	session_view_fini(&view);
	return 0;
}

// Change per second over the last two rows; 0 where there is only one.
static double rate(const struct session_port *port, enum port_counter counter) {
	if (port->previous_ts_ns == 0 || port->ts_ns <= port->previous_ts_ns)
		return 0;
	return (double)(port->counters[counter] - port->previous[counter]) * 1e9 /
	       (double)(port->ts_ns - port->previous_ts_ns);
}

static const char *state_text(const struct session_port *port, char text[static 24]) {
	if (!port->present)
		return "gone";
	if (!port->up)
		return "down";
	if (port->speed_mbps == 0 || port->speed_mbps == UINT32_MAX)
		return "up";
	snprintf(text, 24, "up %" PRIu32 "M", port->speed_mbps);
	return text;
}

static void show_port(const struct session_port *port, FILE *out) {
	char state[24];

	fprintf(out,
	        "%4u %-20s %-16s %-9s %5" PRIu64 " %8" PRIu64 " %11.0f %11.0f %8.3f %8.3f %8" PRIu64
	        " %8" PRIu64 "\n",
	        port->port, port->name, port->link[0] != '\0' ? port->link : "-", state_text(port, state),
	        port->epoch, port->seq, rate(port, COUNTER_rx_packets), rate(port, COUNTER_tx_packets),
	        rate(port, COUNTER_rx_bytes) * 8e-9, rate(port, COUNTER_tx_bytes) * 8e-9,
	        port->counters[COUNTER_rx_missed] + port->counters[COUNTER_rx_nombuf],
	        port->counters[COUNTER_rx_errors] + port->counters[COUNTER_tx_errors]);
}

int show_ports(FILE *out, struct status *status) {
	struct session_view view;

	if (plugin_look(&view) < 0)
		return status_set(status, STATUS_FAILED_PRECONDITION, "not publishing");
	fprintf(out, "%4s %-20s %-16s %-9s %5s %8s %11s %11s %8s %8s %8s %8s\n", "port", "name", "link",
	        "state", "epoch", "rows", "rx/s", "tx/s", "rx Gbps", "tx Gbps", "missed", "errors");
	for (size_t i = 0; i < view.n_ports; i++)
		show_port(&view.ports[i], out);
	session_view_fini(&view);
	return 0;
}

static void show_keys(FILE *out) {
	const char *path = getenv("LINKCAST_CURVE_KEY");

	if (path == NULL || path[0] == '\0')
		fprintf(out, "keys      none: tcp is not encrypted\n");
	else
		fprintf(out, "keys      %s, %s for tcp\n", path,
		        keys_in_environment() ? "and the server's public key,"
		                              : "without a server's public key,");
}

int show_config(FILE *out, struct status *status) {
	char interval[DURATION_TEXT_SIZE], batch[DURATION_TEXT_SIZE], host[LIMIT_ID_SIZE + 1];
	struct settings settings;
	int rc;

	if ((rc = plugin_host(host, status)) < 0)
		return rc;
	plugin_settings(&settings);
	fprintf(out, "host      %s\nsamples   %s%s\nserver    %s\ninterval  %s\n", host,
	        settings.bind ? "@" : "", settings.samples, settings.server,
	        text_from_seconds((double)settings.interval_ns / 1e9, interval));
	fprintf(out, "batch     %s\nxstats    %s\nreplay    %.6g MiB\n",
	        text_from_seconds((double)settings.batch_ns / 1e9, batch), settings.xstats ? "on" : "off",
	        (double)settings.replay_size / MIB);
	show_keys(out);
	for (size_t i = 0; i < settings.n_links; i++)
		fprintf(out, "link      %s %s\n", settings.links[i].port_name, settings.links[i].link);
	return 0;
}
