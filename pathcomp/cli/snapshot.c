// One reading of each topology and of each forecast, however many requests ask for it.
// SPDX-License-Identifier: MIT
#include "snapshot.h"

#include "clock.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define VERSION_TRIES 3

static void outlook_free(struct outlook *outlook) {
	if (outlook == NULL)
		return;
	for (int i = 0; i < N_unknown_policies; i++)
		pathcomp_room_free(outlook->rooms[i]);
	free(outlook->own);
	documents_fini(&outlook->documents);
	free(outlook);
}
DEFINE_CLEANUP(struct outlook *, outlook_free)

static void snapshot_empty(struct snapshot *snapshot) {
	while (snapshot->outlooks != NULL) {
		struct outlook *next = snapshot->outlooks->next;

		outlook_free(snapshot->outlooks);
		snapshot->outlooks = next;
	}
	pathcomp_ledger_free(snapshot->ledger);
	pathcomp_search_free(snapshot->search);
	pathcomp_graph_free(snapshot->graph);
	origin_topology_fini(&snapshot->topology);
	snapshot->ledger = NULL;
	snapshot->search = NULL;
	snapshot->graph = NULL;
}

void snapshots_fini(struct snapshots *snapshots) {
	while (snapshots->list != NULL) {
		struct snapshot *next = snapshots->list->next;

		snapshot_empty(snapshots->list);
		free(snapshots->list->asked_id);
		free(snapshots->list);
		snapshots->list = next;
	}
	origin_close(snapshots->origin);
}

static int fill(struct origin *origin, struct snapshot *snapshot, struct status *status) {
	int rc;

	if ((rc = origin_get_topology(origin, snapshot->asked_id, &snapshot->topology, status)) < 0 ||
	    (rc = pathcomp_graph_new(&snapshot->topology.topology, &snapshot->graph, status)) < 0 ||
	    (rc = pathcomp_search_new(snapshot->graph, &snapshot->search)) < 0)
		return rc;
	return pathcomp_ledger_new(snapshot->graph, &snapshot->ledger);
}

static bool is_asked(const struct snapshot *snapshot, const char *topology_id) {
	if (snapshot->asked_id == NULL || topology_id == NULL)
		return snapshot->asked_id == topology_id;
	return strcmp(snapshot->asked_id, topology_id) == 0;
}

int snapshots_get(struct snapshots *snapshots, const char *topology_id, struct snapshot **ret,
                  struct status *status) {
	struct snapshot *snapshot = snapshots->list;

	while (snapshot != NULL && !is_asked(snapshot, topology_id))
		snapshot = snapshot->next;
	if (snapshot == NULL) {
		snapshot = calloc(1, sizeof(*snapshot));
		if (snapshot == NULL)
			return -ENOMEM;
		if (topology_id != NULL && (snapshot->asked_id = strdup(topology_id)) == NULL) {
			free(snapshot);
			return -ENOMEM;
		}
		snapshot->next = snapshots->list;
		snapshots->list = snapshot;
		snapshot->rc = fill(snapshots->origin, snapshot, &snapshot->status);
	}
	if (snapshot->rc < 0) {
		if (status != NULL)
			*status = snapshot->status;
		return snapshot->rc;
	}
	*ret = snapshot;
	return 0;
}

// ---- outlooks

static int take_time(const struct origin_options *options, const struct path_query *query,
                     struct outlook *outlook, struct status *status) {
	int64_t start_ns = options->now_ns;

	if (query->start != NULL && text_to_time_ns(query->start, options->now_ns, &start_ns) < 0)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "start: '%.100s' is no time (RFC 3339, +6h, or ns)", query->start);
	if (start_ns < options->now_ns)
		return status_set(status, STATUS_INVALID_ARGUMENT, "start: '%.100s' is in the past",
		                  query->start);
	outlook->has_duration = HAS(query, path_query, duration_seconds);
	outlook->window = (struct pathcomp_window){start_ns, INT64_MAX};
	if (outlook->has_duration && query->duration_seconds * 1e9 < (double)(INT64_MAX - start_ns))
		outlook->window.to_ns = start_ns + llround(query->duration_seconds * 1e9);
	outlook->query = (struct origin_forecast_query){
	        .start_ns = start_ns > options->now_ns ? start_ns : 0,
	        .duration_seconds = query->duration_seconds,
	        .quantile = query->quantile,
	};
	return 0;
}

static void use_current(struct outlook *outlook, const struct snapshot *snapshot, const char *reason,
                        const char *detail) {
	outlook->source = CAPACITY_SOURCE_CURRENT;
	outlook->capacities = snapshot->topology.capacities;
	snprintf(outlook->reason, sizeof(outlook->reason), "%s%s", reason, detail);
}

static int copy_capacities(struct outlook *outlook, const struct snapshot *snapshot) {
	size_t n = 2 * snapshot->topology.topology.n_links;

	free(outlook->own);
	outlook->own = malloc((n + 1) * sizeof(*outlook->own));
	if (outlook->own == NULL)
		return -ENOMEM;
	memcpy(outlook->own, snapshot->topology.capacities, n * sizeof(*outlook->own));
	outlook->capacities = outlook->own;
	outlook->source = CAPACITY_SOURCE_FORECAST;
	return 0;
}

// Forecasts speak of the topology as it is: when that has changed since it was read, it is read again, unless
// requests were answered from it already.
static int ask_forecast(struct snapshots *snapshots, struct snapshot *snapshot, struct outlook *outlook,
                        struct status *status) {
	int rc = -EAGAIN;

	for (int i = 0; i < VERSION_TRIES && rc == -EAGAIN; i++) {
		if (i > 0 && snapshot->outlooks == NULL) {
			snapshot_empty(snapshot);
			if ((rc = snapshot->rc = fill(snapshots->origin, snapshot, status)) < 0)
				return rc;
		}
		documents_fini(&outlook->documents);
		if ((rc = copy_capacities(outlook, snapshot)) < 0)
			return rc;
		outlook->query.topology_id = snapshot->topology.topology.topology_id;
		outlook->query.version = snapshot->topology.version;
		rc = origin_get_forecast(snapshots->origin, &outlook->query, snapshot->graph,
		                         outlook->capacities, &outlook->documents, status);
	}
	return rc;
}

// What is wrong with the request itself is no failure of the forecaster.
static bool may_fall_back(const struct outlook *outlook, int rc) {
	return outlook->mode == FORECASTER_AUTO && rc != -EINVAL && rc != -ENOMEM && rc != -EAGAIN;
}

static int look_out(struct snapshots *snapshots, struct snapshot *snapshot, struct outlook *outlook,
                    struct status *status) {
	struct status failure = {0};
	int rc;

	if (!outlook->has_duration) {
		use_current(outlook, snapshot, "no duration given", "");
		return 0;
	}
	if (outlook->mode == FORECASTER_OFF) {
		use_current(outlook, snapshot, "forecasting is off", "");
		return 0;
	}
	if (!origin_has_forecasts(snapshots->origin)) {
		if (outlook->mode == FORECASTER_ON)
			return status_set(status, STATUS_FAILED_PRECONDITION,
			                  "forecaster: a file alone has no forecasts (give --api, too)");
		use_current(outlook, snapshot, "a file alone has no forecasts", "");
		return 0;
	}
	rc = ask_forecast(snapshots, snapshot, outlook, &failure);
	if (rc < 0 && may_fall_back(outlook, rc)) {
		use_current(outlook, snapshot, "no forecast: ", failure.message);
		return 0;
	}
	if (rc < 0)
		return rc == -ENOMEM ? rc : status_set(status, failure.code, "forecast: %s", failure.message);
	return 0;
}

static struct outlook *find_outlook(const struct snapshot *snapshot, const struct outlook *wanted) {
	for (struct outlook *at = snapshot->outlooks; at != NULL; at = at->next) {
		if (at->mode == wanted->mode && at->has_duration == wanted->has_duration &&
		    at->window.from_ns == wanted->window.from_ns &&
		    at->window.to_ns == wanted->window.to_ns && at->query.quantile == wanted->query.quantile)
			return at;
	}
	return NULL;
}

int snapshot_outlook(struct snapshots *snapshots, struct snapshot *snapshot, const struct path_query *query,
                     int mode, struct outlook **ret, struct status *status) {
	CLEANUP(outlook_freep) struct outlook *outlook = calloc(1, sizeof(*outlook));
	int rc;

	if (outlook == NULL)
		return -ENOMEM;
	if ((rc = take_time(snapshots->options, query, outlook, status)) < 0)
		return rc;
	outlook->mode = mode >= 0                                ? (enum forecaster_modes)mode
	                : snapshots->options->forecaster_enabled ? FORECASTER_AUTO
	                                                         : FORECASTER_OFF;
	*ret = find_outlook(snapshot, outlook);
	if (*ret != NULL)
		return 0;
	if ((rc = look_out(snapshots, snapshot, outlook, status)) < 0)
		return rc;
	outlook->next = snapshot->outlooks;
	snapshot->outlooks = *ret = outlook;
	outlook = NULL;
	return 0;
}

int outlook_room(struct outlook *outlook, const struct snapshot *snapshot, enum unknown_policies policy,
                 struct pathcomp_room **ret) {
	int rc;

	if (outlook->rooms[policy] == NULL) {
		rc = pathcomp_room_new(snapshot->graph, outlook->capacities, outlook->window, policy,
		                       snapshot->ledger, &outlook->rooms[policy]);
		if (rc < 0)
			return rc;
	}
	*ret = outlook->rooms[policy];
	return 0;
}

int snapshot_take(struct snapshot *snapshot, const struct outlook *outlook, const struct pathcomp_path *path,
                  double gbps) {
	int rc;

	for (size_t i = 0; i < path->n_arcs; i++) {
		if ((rc = pathcomp_ledger_add(snapshot->ledger, path->arcs[i], outlook->window, gbps)) < 0)
			return rc;
		for (struct outlook *other = snapshot->outlooks; other != NULL; other = other->next) {
			for (int policy = 0; policy < N_unknown_policies; policy++) {
				if (other->rooms[policy] != NULL)
					pathcomp_room_refresh(other->rooms[policy], path->arcs[i]);
			}
		}
	}
	return 0;
}
