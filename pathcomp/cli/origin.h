// origin.h: where topologies and forecasts come from: a file, analyticsd, or both. The rest of the program
// sees arrays.
// SPDX-License-Identifier: MIT
#pragma once

#include "codec.h"
#include "pathcomp.h"

struct origin_options {
	const char *file;       // NULL: topologies are analyticsd's
	const char *api;        // NULL: the default; with a file: no analyticsd
	double capacity_scale;  // Gbps in a capacity of 1, in files without a unit
	double timeout_seconds; // that analyticsd may take over an answer
	int64_t now_ns;
	bool forecaster_enabled; // by the environment
};

// Memory that messages point into.
struct documents {
	struct document **list;
	size_t n;
};
void documents_fini(struct documents *);

// A topology and what each arc of it has now.
struct origin_topology {
	struct topology topology;
	int64_t version; // 0 for a file
	struct pathcomp_capacity *capacities;
	struct documents documents, fresh; // fresh: of capacities and reservations read later
	void *lists;                       // built from pages
	struct reservation *reservations;  // what admitted services hold
	size_t n_reservations;
	bool has_ledger; // reservations are all there are: forecasts need not tell them
};
void origin_topology_fini(struct origin_topology *);

struct origin_forecast_query {
	const char *topology_id;
	int64_t version;  // of the topology that the answer is for; 0: any
	int64_t start_ns; // 0: now
	int64_t as_of_ns; // 0: now
	double duration_seconds;
	double quantile;
	bool has_ledger; // the topology told the reservations
};

struct origin;

// Asks again who was found not to answer.
void origin_retry(struct origin *);

// A request of another kind to analyticsd; 'documents' keeps the reply. As origin_get_topology().
int origin_call(struct origin *, enum op op, const void *request, void *reply, struct documents *,
                struct status *status);

// 'options' must outlive the origin. Nothing is contacted yet. Returns 0, -ENOMEM, or -EINVAL with 'status'.
int origin_open(const struct origin_options *, struct origin **ret, struct status *status);
void origin_close(struct origin *);
DEFINE_CLEANUP(struct origin *, origin_close)

// NULL names the default: the file's, or "admin". 'ret' is zeroes before, and after a failure. Returns 0, or
// a negative errno with 'status': -EHOSTUNREACH within 2 s when nobody answers.
int origin_get_topology(struct origin *, const char *topology_id, struct origin_topology *ret,
                        struct status *status);

bool origin_has_forecasts(const struct origin *);

// Fills in what the forecast says of each arc: 'capacities' begins as the current ones. Arcs that it doesn't
// speak of stay as they are. Returns 0, or a negative errno with 'status': -EAGAIN when the topology has
// changed since 'version'. After -EHOSTUNREACH or -ETIMEDOUT nobody is asked again: the same answer comes at
// once.
int origin_get_forecast(struct origin *, const struct origin_forecast_query *, const struct pathcomp_graph *,
                        struct pathcomp_capacity *capacities, struct documents *, struct status *status);
