// service.h: the API: a router thread that owns the ROUTER socket, and workers that answer. Each worker owns
// a handle of each database and answers one request at a time, so a long forecast holds up one worker, not
// the others.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "metrics.h"
#include "rates.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>

// Where threads of this process ask, like any client.
#define SERVICE_INPROC "inproc://api"

struct keypair;
struct service;

struct service_options {
	const char *history_path;
	const char *state_path;
	const char *api; // endpoint
	bool insecure;
	const struct keypair *keys; // NULL: tcp without keys
	int n_workers;
	double history_ratio;       // FORECAST_TO_HISTORY_RATIO
	enum accounting accounting; // of the used capacity of links
};

// Binds the endpoint and starts the threads; ingest runs already. 'context' is the process's ZeroMQ context;
// 'options' must stay. Returns 0 or a negative errno with 'status'.
int service_start(const struct service_options *options, void *context, struct metrics *,
                  struct service **ret, struct status *status);

// Ends the threads after the requests that they work on. NULL is fine.
void service_stop(struct service *);
DEFINE_CLEANUP(struct service *, service_stop)
