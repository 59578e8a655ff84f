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

// Preparing a graph takes as long as some dozens of searches.
#define PREPARE_AFTER 20

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

static void drop_outlooks(struct snapshot *snapshot) {
	while (snapshot->outlooks != NULL) {
		struct outlook *next = snapshot->outlooks->next;

		outlook_free(snapshot->outlooks);
		snapshot->outlooks = next;
	}
	snapshot->n_outlooks = 0;
}

static void snapshot_empty(struct snapshot *snapshot) {
	drop_outlooks(snapshot);
	memset(snapshot->n_asked, 0, sizeof(snapshot->n_asked));
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

static int hold(struct snapshot *snapshot, const struct reservation *reservation, double factor) {
	struct pathcomp_window window = {reservation->start_ns, INT64_MAX};
	uint32_t link;

	if (HAS(reservation, reservation, end_ns))
		window.to_ns = reservation->end_ns;
	if (pathcomp_graph_find_link(snapshot->graph, reservation->link_id, &link) < 0)
		return 0;
	return pathcomp_ledger_add(snapshot->ledger,
	                           pathcomp_arc(link, (enum directions)reservation->direction), window,
	                           factor * reservation->gbps);
}

static int open_ledger(struct snapshot *snapshot) {
	int rc;

	pathcomp_ledger_free(snapshot->ledger);
	snapshot->ledger = NULL;
	if ((rc = pathcomp_ledger_new(snapshot->graph, &snapshot->ledger)) < 0)
		return rc;
	for (size_t i = 0; i < snapshot->topology.n_reservations && rc == 0; i++)
		rc = hold(snapshot, &snapshot->topology.reservations[i], 1);
	return rc;
}

static int fill(struct origin *origin, struct snapshot *snapshot, struct status *status) {
	int rc;

	if ((rc = origin_get_topology(origin, snapshot->asked_id, &snapshot->topology, status)) < 0 ||
	    (rc = pathcomp_graph_new(&snapshot->topology.topology, &snapshot->graph, status)) < 0 ||
	    (rc = pathcomp_search_new(snapshot->graph, &snapshot->search)) < 0)
		return rc;
	return open_ledger(snapshot);
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
	int64_t now_ns = options->now_ns, start_ns;

	if (query->as_of != NULL && (text_to_time_ns(query->as_of, now_ns, &now_ns) < 0 || now_ns <= 0))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "as_of: '%.100s' is no time (RFC 3339, -6h, or ns)", query->as_of);
	start_ns = now_ns;
	if (query->start != NULL && text_to_time_ns(query->start, now_ns, &start_ns) < 0)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "start: '%.100s' is no time (RFC 3339, +6h, or ns)", query->start);
	if (start_ns < now_ns)
		return status_set(status, STATUS_INVALID_ARGUMENT, "start: '%.100s' is in the past",
		                  query->start);
	outlook->has_duration = HAS(query, path_query, duration_seconds);
	outlook->window = (struct pathcomp_window){start_ns, INT64_MAX};
	if (outlook->has_duration && query->duration_seconds * 1e9 < (double)(INT64_MAX - start_ns))
		outlook->window.to_ns = start_ns + llround(query->duration_seconds * 1e9);
	outlook->query = (struct origin_forecast_query){
	        .start_ns = start_ns > now_ns ? start_ns : 0,
	        .as_of_ns = query->as_of != NULL ? now_ns : 0,
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
		outlook->query.has_ledger = snapshot->topology.has_ledger;
		rc = origin_get_forecast(snapshots->origin, &outlook->query, snapshot->graph,
		                         outlook->capacities, &outlook->documents, status);
	}
	return rc;
}

// What is wrong with the request itself is no failure of the forecaster.
static bool may_fall_back(const struct outlook *outlook, int rc) {
	return outlook->mode == FORECASTER_AUTO && outlook->query.as_of_ns == 0 && rc != -EINVAL &&
	       rc != -ENOMEM && rc != -EAGAIN;
}

static int look_out(struct snapshots *snapshots, struct snapshot *snapshot, struct outlook *outlook,
                    struct status *status) {
	struct status failure = {0};
	int rc;

	if (outlook->query.as_of_ns != 0 && (!outlook->has_duration || outlook->mode == FORECASTER_OFF ||
	                                     !origin_has_forecasts(snapshots->origin)))
		return status_set(status, STATUS_FAILED_PRECONDITION,
		                  "as_of: only forecasts are known of another moment (give a duration, and "
		                  "analyticsd)");
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
		    at->window.to_ns == wanted->window.to_ns &&
		    at->query.quantile == wanted->query.quantile &&
		    at->query.as_of_ns == wanted->query.as_of_ns)
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
	snapshot->n_outlooks++;
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

// ---- what changes

int snapshot_prepare(struct snapshot *snapshot, enum path_metrics metric) {
	if (++snapshot->n_asked[metric] != PREPARE_AFTER)
		return 0;
	return pathcomp_graph_prepare(snapshot->graph, metric);
}

static void refresh_rooms(struct snapshot *snapshot, uint32_t arc) {
	for (struct outlook *outlook = snapshot->outlooks; outlook != NULL; outlook = outlook->next) {
		for (int policy = 0; policy < N_unknown_policies; policy++) {
			if (outlook->rooms[policy] != NULL)
				pathcomp_room_refresh(outlook->rooms[policy], arc);
		}
	}
}

int snapshot_take(struct snapshot *snapshot, const struct outlook *outlook, const struct pathcomp_path *path,
                  double gbps) {
	int rc;

	for (size_t i = 0; i < path->n_arcs; i++) {
		if ((rc = pathcomp_ledger_add(snapshot->ledger, path->arcs[i], outlook->window, gbps)) < 0)
			return rc;
		refresh_rooms(snapshot, path->arcs[i]);
	}
	return 0;
}

int snapshot_lend(struct snapshot *snapshot, const char *service_id, double factor) {
	for (size_t i = 0; i < snapshot->topology.n_reservations; i++) {
		const struct reservation *reservation = &snapshot->topology.reservations[i];
		uint32_t link;
		int rc;

		if (strcmp(reservation->service_id, service_id) != 0 ||
		    pathcomp_graph_find_link(snapshot->graph, reservation->link_id, &link) < 0)
			continue;
		if ((rc = hold(snapshot, reservation, factor)) < 0)
			return rc;
		refresh_rooms(snapshot, pathcomp_arc(link, (enum directions)reservation->direction));
	}
	return 0;
}

// The same version: the same nodes and links, so the graph is kept, and what was prepared for it. Its
// capacities and reservations are the new ones; their documents join those of the topology they belong to.
static int renew(struct snapshot *snapshot, struct origin_topology *read) {
	struct origin_topology *old = &snapshot->topology;
	struct pathcomp_capacity *capacities = old->capacities;
	struct reservation *reservations = old->reservations;
	struct documents documents = old->fresh;

	drop_outlooks(snapshot);
	old->capacities = read->capacities;
	old->reservations = read->reservations;
	old->n_reservations = read->n_reservations;
	old->has_ledger = read->has_ledger;
	old->fresh = read->documents;
	read->capacities = capacities;
	read->reservations = reservations;
	read->documents = documents;
	return open_ledger(snapshot);
}

static bool is_same(const struct origin_topology *left, const struct origin_topology *right) {
	return left->version != 0 && left->version == right->version &&
	       left->topology.n_links == right->topology.n_links &&
	       left->topology.n_nodes == right->topology.n_nodes &&
	       strcmp(left->topology.topology_id, right->topology.topology_id) == 0;
}

static void refresh(struct origin *origin, struct snapshot *snapshot) {
	struct origin_topology read = {0};

	if (snapshot->rc == 0 && snapshot->topology.version == 0) { // a file stays as it was read
		drop_outlooks(snapshot);
		return;
	}
	if (snapshot->rc == 0)
		snapshot->rc = origin_get_topology(origin, snapshot->asked_id, &read, &snapshot->status);
	if (snapshot->rc == 0 && is_same(&snapshot->topology, &read)) {
		snapshot->rc = renew(snapshot, &read);
	} else {
		snapshot_empty(snapshot);
		if (snapshot->rc == 0)
			snapshot->rc = fill(origin, snapshot, &snapshot->status);
	}
	origin_topology_fini(&read);
}

void snapshots_refresh(struct snapshots *snapshots) {
	struct snapshot **at = &snapshots->list;

	origin_retry(snapshots->origin);
	while (*at != NULL) {
		struct snapshot *snapshot = *at;

		refresh(snapshots->origin, snapshot);
		if (snapshot->rc == 0) {
			at = &snapshot->next;
			continue;
		}
		*at = snapshot->next;
		snapshot_empty(snapshot);
		free(snapshot->asked_id);
		free(snapshot);
	}
}
