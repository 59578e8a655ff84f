// snapshot.h: the topologies that a run of the command has read, each once, and what is free in them during
// the windows that requests asked about.
// SPDX-License-Identifier: MIT
#pragma once

#include "pathcomp.h"
#include "origin.h"

#define OUTLOOK_REASON_SIZE 600

// What is free in a topology during one window, as one source tells it.
struct outlook {
	struct outlook *next;
	struct origin_forecast_query query;
	enum forecaster_modes mode; // that was asked for
	bool has_duration;
	struct pathcomp_window window;
	enum capacity_sources source;
	char reason[OUTLOOK_REASON_SIZE]; // why the current use counts; "" with forecasts
	struct pathcomp_capacity *capacities;
	struct pathcomp_capacity *own; // the same when they aren't the snapshot's
	struct documents documents;
	struct pathcomp_room *rooms[N_unknown_policies]; // made when asked for
};

struct snapshot {
	struct snapshot *next;
	char *asked_id; // NULL: the default
	int rc;         // of reading it: an error is read once, too
	struct status status;
	struct origin_topology topology;
	struct pathcomp_graph *graph;
	struct pathcomp_search *search;
	struct pathcomp_ledger *ledger; // reservations, and what requests took
	struct outlook *outlooks;
	size_t n_outlooks;
	unsigned n_asked[N_path_metrics]; // requests
};

struct snapshots {
	struct origin *origin;
	const struct origin_options *options;
	struct snapshot *list;
};

void snapshots_fini(struct snapshots *);

// Return 0, or a negative errno with 'status'. What 'ret' points to stays until snapshots_fini().
int snapshots_get(struct snapshots *, const char *topology_id, struct snapshot **ret, struct status *status);

// The outlook for the time that a request speaks of, after the rules for forecasts. 'mode' is the request's
// or the option's wish, -1 when there is none.
int snapshot_outlook(struct snapshots *, struct snapshot *, const struct path_query *, int mode,
                     struct outlook **ret, struct status *status);

int outlook_room(struct outlook *, const struct snapshot *, enum unknown_policies,
                 struct pathcomp_room **ret);

// Prepares the graph for searches by a metric once it was asked for often enough.
int snapshot_prepare(struct snapshot *, enum path_metrics);

// A path is taken: later requests see less of it (more, when 'gbps' is negative). Returns 0 or -ENOMEM.
int snapshot_take(struct snapshot *, const struct outlook *, const struct pathcomp_path *, double gbps);

// What a service holds becomes free ('factor' -1) or held again (1) for later requests. Returns 0 or -ENOMEM.
int snapshot_lend(struct snapshot *, const char *service_id, double factor);

// Reads everything anew: what has the version that it had keeps its graph. What can't be read is read again
// when it is asked for.
void snapshots_refresh(struct snapshots *);
