// alerts.h: failure prediction, alerts and actions, as one thing to start and stop: four threads (detector, outlook,
// teacher, actions).
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "metrics.h"
#include "settings.h"

struct alerts;

struct alerts_options {
	const char *history_path, *state_path;
	const struct alert_settings *settings; // must stay
};

// Service and ingest run already, and ingest was told whether it sends rows; where alerts ran before, it must be told
// after this (INGEST_DETECT). Returns 0 or a negative
// errno with 'status'.
int alerts_start(const struct alerts_options *, void *context, struct metrics *, struct alerts **ret,
                 struct status *status);

// Before service and ingest end. NULL is fine.
void alerts_stop(struct alerts *);
DEFINE_CLEANUP(struct alerts *, alerts_stop)
