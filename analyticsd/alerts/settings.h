// settings.h: the alerts file: what is alerted on, and what is done about it (docs/alerts.md).
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "status.h"
#include "watch.h"

#include <stdbool.h>

#define MOST_ACTIONS   32
#define MOST_ARGUMENTS 32

// What is done about alerts: either a program or a webhook.
struct action {
	char *name;
	bool rules[N_RULES];
	bool changes[N_alert_changes];
	enum severities severity; // least
	char *objects;            // a pattern of glob(7), or NULL: all
	char *program;
	char *arguments[MOST_ARGUMENTS + 2]; // argv: the program, its arguments, NULL
	int n_arguments;
	char *url;
	char *secret; // of the signature, or NULL
	double timeout_seconds;
	int retries; // of a webhook
};

struct alert_rule {
	bool is_off;
	enum severities severity;
	double raise_seconds, clear_seconds;
};

struct alert_settings {
	bool is_off;
	double false_alarms_per_week; // of the tests of a port
	double horizon_seconds, probability;
	double utilization, utilization_window_seconds, quantile;
	double outlook_seconds; // between looks at the forecasts
	double retrain_seconds, training_seconds;
	double warm_up_seconds; // of history that the tests begin with
	double reopen_seconds;
	double alerts_per_minute;
	int parallel_actions;
	struct alert_rule rules[N_RULES];
	struct action actions[MOST_ACTIONS];
	size_t n_actions;
};

// Defaults, and what the file says; 'path' NULL or "": defaults. Returns 0, -ENOMEM, or -EINVAL with 'status', which
// names file and line.
int alert_settings_read(const char *path, struct alert_settings **ret, struct status *status);
void alert_settings_free(struct alert_settings *);
DEFINE_CLEANUP(struct alert_settings *, alert_settings_free)
