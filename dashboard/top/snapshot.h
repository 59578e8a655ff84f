// snapshot.h: what the network looks like at one moment, as asked of analyticsd: links with forecast, ports, alerts.
// One thread at a time; a snapshot is never changed once it is made.
// SPDX-License-Identifier: MIT
#pragma once

#include "client.h"

#include <stdbool.h>

struct top_link {
	const struct link_forecast *forecast; // over the asked window
	double full_seconds;                  // until the band reaches the total; NAN: not within the window
};

struct top_port {
	const struct source *source;
	const struct source_port *port;
};

// One link in detail: past and forecast, oldest first.
struct top_detail {
	const struct link_forecast *forecast; // NULL: none was asked for, or it is gone
	const struct kpi_point *past;
	size_t n_past;
};

struct snapshot_wish {
	double window_seconds;
	char link_id[LIMIT_ID_SIZE + 1]; // of the detail; "": none
	enum directions direction;
	double past_seconds, step_seconds; // of the detail
};

struct snapshot {
	struct document **documents; // what all the rest points into
	size_t n_documents;
	struct top_link *links;
	size_t n_links;
	struct top_port *ports;
	size_t n_ports;
	const struct alert *alerts;
	size_t n_alerts;
	struct top_detail detail;
	size_t n_sources, n_live;
	int64_t at_ns;
	struct snapshot_wish wish; // that it answers
	char error[512];           // why there is nothing, or not all; "": all is there
};

// Asks for everything. What fails is told in 'error'; what came before it is there. Returns NULL without memory.
struct snapshot *snapshot_take(struct client *, const struct snapshot_wish *, int64_t now_ns);
void snapshot_free(struct snapshot *); // NULL is fine
DEFINE_CLEANUP(struct snapshot *, snapshot_free)
