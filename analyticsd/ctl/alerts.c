// alerts: what is wrong or will be; acknowledging it, and maintenance times.
// SPDX-License-Identifier: MIT
#include "cells.h"
#include "commands.h"
#include "options.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SILENCE_SECONDS (366 * 86400.0)

// ---- the list

struct alerts_arguments {
	struct alerts_query query;
	bool all, with_actions;
};

static const struct command_option list_options[] = {
        {"all", 'a', NULL, "also those that have cleared", VALUE_FLAG, TO(alerts_arguments, all)},
        {"severity", 0, "SEVERITY", "only those of this severity and above", VALUE_CHOICE,
         TO_FIELD(alerts_arguments, query, alerts_query, severity), .choices = &severities_choices},
        {"object", 0, "OBJECT", "only those of this port (HOST/NAME) or link", VALUE_TEXT,
         TO(alerts_arguments, query.object)},
        {"rule", 0, "RULE", "only those of this rule", VALUE_ID, TO(alerts_arguments, query.rule)},
        {"actions", 0, NULL, "also what was done about them", VALUE_FLAG, TO(alerts_arguments, with_actions)},
        {0},
};

const struct command_form alerts_form = {
        .options = list_options,
        .doc = "Lists the alerts that are active. `ack`, `silence` and `unsilence` behind it change "
               "something.",
};

static const char *state_of(const struct alert *alert) {
	if (alert->state == ALERT_STATE_CLEARED)
		return "cleared";
	return alert->silenced ? "silenced" : alert->acknowledged ? "acknowledged" : "active";
}

static int add_alert(const struct ctl *ctl, struct table *table, const struct alert *alert) {
	char number[CELL_SIZE], age[CELL_SIZE];
	const char *cells[] = {
	        cell_number(alert->alert_id, number),
	        choice_word(&severities_choices, alert->severity),
	        state_of(alert),
	        cell_age(ctl, alert->raised_ns, age),
	        alert->object,
	        alert->rule,
	        alert->text,
	};

	return table_add(table, cells);
}

static int print_alerts(const struct ctl *ctl, const struct alert_list *list) {
	static const struct table_column columns[] = {
	        {"ALERT", true},   {"SEVERITY", false}, {"STATE", false}, {"RAISED", false},
	        {"OBJECT", false}, {"RULE", false},     {"WHAT", false},
	};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t i = 0; i < list->n_alerts; i++) {
		if ((rc = add_alert(ctl, table, &list->alerts[i])) < 0)
			return rc;
	}
	return cells_print(table, "alerts", list->n_alerts);
}

static int add_actions(struct table *table, const struct alert *alert) {
	for (size_t i = 0; i < alert->n_actions; i++) {
		const struct alert_action *action = &alert->actions[i];
		char number[CELL_SIZE], attempts[CELL_SIZE];
		const char *cells[] = {
		        cell_number(alert->alert_id, number),
		        choice_word(&alert_changes_choices, action->change),
		        action->action,
		        choice_word(&action_states_choices, action->state),
		        cell_number(action->attempts, attempts),
		        action->result,
		};
		int rc = table_add(table, cells);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int print_actions(const struct alert_list *list) {
	static const struct table_column columns[] = {
	        {"ALERT", true},  {"CHANGE", false}, {"ACTION", false},
	        {"STATE", false}, {"TRIED", true},   {"RESULT", false},
	};
	CLEANUP(table_freep) struct table *table = NULL;
	size_t n = 0;
	int rc;

	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t i = 0; i < list->n_alerts; i++) {
		if ((rc = add_actions(table, &list->alerts[i])) < 0)
			return rc;
		n += list->alerts[i].n_actions;
	}
	putchar('\n');
	return cells_print(table, "actions", n);
}

static int print_silences(const struct alert_list *list) {
	static const struct table_column columns[] = {
	        {"SILENCE", true}, {"FROM", false},   {"UNTIL", false}, {"OBJECT", false},
	        {"RULE", false},   {"REASON", false}, {"BY", false},
	};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if (list->n_silences == 0)
		return 0;
	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t i = 0; i < list->n_silences; i++) {
		const struct silence *silence = &list->silences[i];
		char number[CELL_SIZE], from[TIME_TEXT_SIZE], until[TIME_TEXT_SIZE];
		const char *cells[] = {
		        cell_number(silence->silence_id, number),
		        text_from_time_ns(silence->from_ns - silence->from_ns % 1000000000, from),
		        text_from_time_ns(silence->until_ns - silence->until_ns % 1000000000, until),
		        silence->object != NULL ? silence->object : "all",
		        silence->rule != NULL ? silence->rule : "all",
		        silence->reason,
		        silence->by,
		};

		if ((rc = table_add(table, cells)) < 0)
			return rc;
	}
	putchar('\n');
	return cells_print(table, "maintenance", list->n_silences);
}

struct alerts_pages {
	struct alert_list list;
	struct replies replies;
};

static void alerts_pages_fini(struct alerts_pages *pages) {
	free(pages->list.alerts);
	replies_fini(&pages->replies);
}

static int fetch(struct ctl *ctl, struct alerts_query *query, struct alerts_pages *pages,
                 struct status *status) {
	struct alert_list *all = &pages->list;
	int rc;

	for (;;) {
		struct document *document = NULL;
		struct alert_list page;

		if ((rc = ctl_call(ctl, OP_LIST_ALERTS, query, &page, &document, status)) < 0 ||
		    (rc = replies_keep(&pages->replies, document)) < 0 ||
		    (rc = array_grow((void **)&all->alerts, all->n_alerts, page.n_alerts,
		                     sizeof(*page.alerts))) < 0)
			return rc;
		if (page.n_alerts > 0)
			memcpy(all->alerts + all->n_alerts, page.alerts,
			       page.n_alerts * sizeof(*page.alerts));
		all->n_alerts += page.n_alerts;
		all->silences = page.silences;
		all->n_silences = page.n_silences;
		if (!HAS(&page, alert_list, next_page))
			return 0;
		if ((rc = page_after(query->page, page.next_page, &query->page, status)) < 0)
			return rc;
	}
}

static int alerts_list(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(alerts_pages_fini) struct alerts_pages pages = {0};
	struct alerts_arguments arguments = {0};
	int rc;

	alerts_query_init(&arguments.query);
	options_parse(ctl, &alerts_form, argc, argv, &arguments);
	if (!arguments.all)
		SET(&arguments.query, alerts_query, state, ALERT_STATE_ACTIVE);
	if ((rc = fetch(ctl, &arguments.query, &pages, status)) < 0)
		return rc;
	if (ctl->json)
		return ctl_print_json(&alert_list_message, &pages.list);
	if ((rc = print_alerts(ctl, &pages.list)) < 0 || (rc = print_silences(&pages.list)) < 0)
		return rc;
	return arguments.with_actions ? print_actions(&pages.list) : 0;
}

// ---- ack

struct ack_arguments {
	struct alert_ack ack;
	bool take_back;
};

static const struct command_option ack_options[] = {
        {"note", 0, "TEXT", "what is being done", VALUE_TEXT, TO(ack_arguments, ack.note)},
        {"undo", 0, NULL, "take it back", VALUE_FLAG, TO(ack_arguments, take_back)},
        {0},
};

static const struct command_option ack_argument[] = {
        {"ALERT", 0, NULL, "its number", VALUE_NUMBER, TO(ack_arguments, ack.alert_id), 1, 9e18,
         .required = true},
        {0},
};

static const struct command_form ack_form = {
        .options = ack_options,
        .arguments = ack_argument,
        .doc = "Acknowledges an alert: others see that somebody knows.",
};

static int alerts_ack(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct ack_arguments arguments = {0};
	struct alert alert;
	int rc;

	alert_ack_init(&arguments.ack);
	options_parse(ctl, &ack_form, argc, argv, &arguments);
	arguments.ack.acknowledged = !arguments.take_back;
	if ((rc = ctl_call(ctl, OP_ACK_ALERT, &arguments.ack, &alert, &document, status)) < 0)
		return rc;
	return ctl->json ? ctl_print_json(&alert_message, &alert) : 0;
}

// ---- silence and unsilence

struct silence_arguments {
	struct silence_request request;
	double seconds;
};

static const struct command_option silence_options[] = {
        {"object", 0, "OBJECT", "only of this port (HOST/NAME) or link; default: of all", VALUE_TEXT,
         TO(silence_arguments, request.object)},
        {"rule", 0, "RULE", "only of this rule; default: of all", VALUE_ID,
         TO(silence_arguments, request.rule)},
        {"from", 0, "TIME", "default: now", VALUE_TIME,
         TO_FIELD(silence_arguments, request, silence_request, from_ns)},
        {"for", 0, "TIME", "how long (default: 1h)", VALUE_SECONDS, TO(silence_arguments, seconds)},
        {"reason", 0, "TEXT", "for others to read", VALUE_TEXT, TO(silence_arguments, request.reason)},
        {0},
};

static const struct command_form silence_form = {
        .options = silence_options,
        .doc = "Maintenance: what is raised meanwhile is stored, but neither published nor acted upon.",
};

static int alerts_silence(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct silence_arguments arguments = {.seconds = 3600};
	struct silence_request *request = &arguments.request;
	struct silence silence;
	int rc;

	silence_request_init(request);
	options_parse(ctl, &silence_form, argc, argv, &arguments);
	if (arguments.seconds > MOST_SILENCE_SECONDS)
		return status_set(status, STATUS_INVALID_ARGUMENT, "--for: more than a year");
	request->until_ns = (HAS(request, silence_request, from_ns) ? request->from_ns : ctl->now_ns) +
	                    (int64_t)(arguments.seconds * 1e9);
	if ((rc = ctl_call(ctl, OP_SILENCE_ALERTS, request, &silence, &document, status)) < 0)
		return rc;
	if (ctl->json)
		return ctl_print_json(&silence_message, &silence);
	printf("silence %lld\n", (long long)silence.silence_id);
	return 0;
}

struct unsilence_arguments {
	struct silence_end request;
};

static const struct command_option unsilence_argument[] = {
        {"SILENCE", 0, NULL, "its number", VALUE_NUMBER, TO(unsilence_arguments, request.silence_id), 1, 9e18,
         .required = true},
        {0},
};

static const struct command_form unsilence_form = {
        .arguments = unsilence_argument,
        .doc = "Ends a maintenance time now.",
};

static int alerts_unsilence(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct unsilence_arguments arguments = {0};
	struct empty reply;
	int rc;

	silence_end_init(&arguments.request);
	options_parse(ctl, &unsilence_form, argc, argv, &arguments);
	if ((rc = ctl_call(ctl, OP_END_SILENCE, &arguments.request, &reply, &document, status)) < 0)
		return rc;
	return ctl->json ? ctl_print_json(&empty_message, &reply) : 0;
}

// ---- which of them

const struct command alerts_commands[] = {
        {"ack", alerts_ack, "ALERT", "acknowledge one", &ack_form, NULL},
        {"silence", alerts_silence, "", "maintenance: keep quiet for a time", &silence_form, NULL},
        {"unsilence", alerts_unsilence, "SILENCE", "end a maintenance time now", &unsilence_form, NULL},
        {0},
};

int command_alerts(struct ctl *ctl, int argc, char **argv, struct status *status) {
	if (argc < 2 || argv[1][0] == '-')
		return alerts_list(ctl, argc, argv, status);
	return commands_run(alerts_commands, argv[0], "What is wrong, or will be.", ctl, argc, argv, status);
}
