// analyticsctl: asks analyticsd and shows what it knows, feeds it topologies and history.
// SPDX-License-Identifier: MIT
#include "clock.h"
#include "commands.h"
#include "log.h"

#include <argp.h>
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

const struct command ctl_commands[] = {
        {"status", command_status, "", "is it there, what does it hear", NULL, NULL},
        {"sources", command_sources, "", "publishers that were heard", NULL, NULL},
        {"ports", command_ports, "", "their ports, rates and losses", NULL, NULL},
        {"links", command_links, "", "links of all topologies, as they are now", NULL, NULL},
        {"topology", command_topology, "load|show|delete", "topologies", NULL, topology_commands},
        {"import", command_import, "FILE.csv", "add history of links or a port", &import_form, NULL},
        {"export", command_export, "--link ID|--port PORT", "history as CSV", &export_form, NULL},
        {"forecast", command_forecast, "link|topology ID", "capacity that will be needed", &forecast_form,
         NULL},
        {"services", command_services, "[SERVICE]", "what was admitted, and on which links", &services_form,
         NULL},
        {"alerts", command_alerts, "[ack|silence|unsilence]",
         "what is wrong or will be, and what was done about it", &alerts_form, alerts_commands},
        {"label", command_label, "--port PORT|--link ID",
         "tell what happened, for failure prediction to learn from", &label_form, NULL},
        {"labels", command_labels, "", "what was told", NULL, NULL},
        {"watch", command_watch, "[TOPIC...]", "what is published, in lines of JSON", &watch_form, NULL},
        {"metrics", command_metrics, "", "the daemon's own metrics", NULL, NULL},
        {"simulate", command_simulate, "-o FILE.csv", "traffic of a made-up port, with faults if wanted",
         &simulate_form, NULL},
        {"train", command_train, "--input-csv FILE|--link ID", "a model from a history", &train_form, NULL},
        {"evaluate", command_evaluate, "--input-csv FILE|--link ID", "how good a model is", &evaluate_form,
         NULL},
        {"predict", command_predict, "--model-path FILE|--model-id ID", "what comes next", &predict_form,
         NULL},
        {"models", command_models, "", "trained models of analyticsd", &models_form, NULL},
        {"backup", command_backup, "DIR", "copy history and state while the daemon works", &backup_form,
         NULL},
        {"check", command_check, "", "verify everything that is stored", &check_form, NULL},
        {"keygen", command_keygen, "", "a key for tcp connections", &keygen_form, NULL},
        {0},
};

// Ids are UTF-8 whatever the locale says; tables must know to show them. Numbers keep their decimal point.
static void use_utf8(void) {
	if (setlocale(LC_CTYPE, "") == NULL || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
		(void)setlocale(LC_CTYPE, "C.UTF-8");
}

static int report(int rc, const struct status *status) {
	if (rc == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
		log_error("standard output: %s", strerror(errno));
		return 1;
	}
	if (rc == 0)
		return 0;
	log_error("%s", status->message[0] != '\0' ? status->message : strerror(-rc));
	return 1;
}

int main(int argc, char **argv) {
	static char name[] = "analyticsctl";
	static const char doc[] = "Shows what analyticsd knows, and gives it topologies and history.";
	CLEANUP(ctl_fini) struct ctl ctl = {.now_ns = clock_real_ns()};
	struct status status = {0};
	int rc;

	use_utf8();
	argp_program_version = "analyticsctl " LINKCAST_VERSION;
	argp_err_exit_status = 2;
	log_init(name, LOG_LEVEL_INFO);
	if (argc > 0)
		argv[0] = name;
	if ((rc = endpoint_set(ENDPOINT_API, NULL, ctl.api, &status)) < 0 ||
	    (rc = endpoint_set(ENDPOINT_EVENTS, NULL, ctl.events, &status)) < 0)
		return report(rc, &status);
	return report(commands_run(ctl_commands, name, doc, &ctl, argc, argv, &status), &status);
}
