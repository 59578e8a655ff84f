// commands.h: the commands of analyticsctl. Each parses its own options (argp ends the program with status 2
// when they are wrong), prints on stdout, and returns 0, or a negative errno with 'status', which main.c
// prints.
// SPDX-License-Identifier: MIT
#pragma once

#include "ctl.h"

int command_status(struct ctl *, int argc, char **argv, struct status *status);
int command_sources(struct ctl *, int argc, char **argv, struct status *status);
int command_ports(struct ctl *, int argc, char **argv, struct status *status);
int command_metrics(struct ctl *, int argc, char **argv, struct status *status);
int command_links(struct ctl *, int argc, char **argv, struct status *status);
int command_topology(struct ctl *, int argc, char **argv, struct status *status);
int command_import(struct ctl *, int argc, char **argv, struct status *status);
int command_export(struct ctl *, int argc, char **argv, struct status *status);
int command_forecast(struct ctl *, int argc, char **argv, struct status *status);
int command_services(struct ctl *, int argc, char **argv, struct status *status);
int command_alerts(struct ctl *, int argc, char **argv, struct status *status);
int command_label(struct ctl *, int argc, char **argv, struct status *status);
int command_labels(struct ctl *, int argc, char **argv, struct status *status);
int command_evaluate_failures(struct ctl *, int argc, char **argv, struct status *status);
int command_watch(struct ctl *, int argc, char **argv, struct status *status);
int command_backup(struct ctl *, int argc, char **argv, struct status *status);
int command_check(struct ctl *, int argc, char **argv, struct status *status);
int command_keygen(struct ctl *, int argc, char **argv, struct status *status);
int command_simulate(struct ctl *, int argc, char **argv, struct status *status);
int command_train(struct ctl *, int argc, char **argv, struct status *status);
int command_evaluate(struct ctl *, int argc, char **argv, struct status *status);
int command_predict(struct ctl *, int argc, char **argv, struct status *status);
int command_models(struct ctl *, int argc, char **argv, struct status *status);

struct command_form;
extern const struct command_form backup_form, check_form, import_form, export_form, forecast_form,
        services_form, watch_form, keygen_form, alerts_form, label_form, evaluate_failures_form, train_form,
        evaluate_form, predict_form, models_form, simulate_form;

struct command {
	const char *name; // NULL ends a table
	int (*run)(struct ctl *, int argc, char **argv, struct status *status);
	const char *arguments; // what is typed behind it, for the list of commands
	const char *help;
	const struct command_form *form; // its options (options.h); NULL: those of all commands only
	const struct command *commands;  // those behind it, or NULL
};

extern const struct command ctl_commands[];      // of analyticsctl
extern const struct command topology_commands[]; // of `analyticsctl topology`
extern const struct command alerts_commands[];   // of `analyticsctl alerts`

// Finds argv[1] in 'commands' and runs it with the arguments behind; 'name' is what the user typed so far,
// 'doc' a sentence about the commands. A missing or unknown command, and --help, are answered here.
int commands_run(const struct command *commands, const char *name, const char *doc, struct ctl *, int argc,
                 char **argv, struct status *status);
