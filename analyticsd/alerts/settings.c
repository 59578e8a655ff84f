// The alerts file, by tables: each setting is a line.
// SPDX-License-Identifier: MIT
#include "settings.h"

#include "foresight.h"
#include "text.h"

#include <errno.h>
#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define DAY_SECONDS  86400.0
#define SECRET_SIZE  4096
#define MOST_SECONDS (10 * 366 * DAY_SECONDS)

enum kind { SECONDS, REAL, COUNT, FLAG };

struct setting {
	const char *name;
	enum kind kind;
	size_t offset;
	double fallback, min, max;
};

#define AT(FIELD) offsetof(struct alert_settings, FIELD)
static const struct setting general[] = {
        {"off", FLAG, AT(is_off), 0, 0, 1},
        {"false_alarms_per_week", REAL, AT(false_alarms_per_week), 1, 1e-6, 1e4},
        {"horizon", SECONDS, AT(horizon_seconds), FORESIGHT_HORIZON_SECONDS, 10, 7 * DAY_SECONDS},
        {"probability", REAL, AT(probability), 0.5, 0.01, 1},
        {"utilization", REAL, AT(utilization), 0.9, 0.01, 10},
        {"utilization_window", SECONDS, AT(utilization_window_seconds), DAY_SECONDS, 60, 30 * DAY_SECONDS},
        {"quantile", REAL, AT(quantile), 0.95, 0.5, 0.999},
        {"outlook_every", SECONDS, AT(outlook_seconds), 300, 1, DAY_SECONDS},
        {"retrain_every", SECONDS, AT(retrain_seconds), DAY_SECONDS, 10, MOST_SECONDS},
        {"training_history", SECONDS, AT(training_seconds), 28 * DAY_SECONDS, 600, MOST_SECONDS},
        {"warm_up", SECONDS, AT(warm_up_seconds), 6 * 3600, 0, 7 * DAY_SECONDS},
        {"reopen", SECONDS, AT(reopen_seconds), 600, 0, 7 * DAY_SECONDS},
        {"alerts_per_minute", REAL, AT(alerts_per_minute), 30, 0.01, 1e6},
        {"parallel_actions", COUNT, AT(parallel_actions), 4, 1, 64},
};
#undef AT

static int set_number(void *base, const struct setting *setting, double value) {
	void *at = (char *)base + setting->offset;

	if (value < setting->min || value > setting->max)
		return -EINVAL;
	if (setting->kind == FLAG)
		*(bool *)at = value != 0;
	else if (setting->kind == COUNT)
		*(int *)at = (int)value;
	else
		*(double *)at = value;
	return 0;
}

static int parse_flag(const char *text, double *ret) {
	if (strcasecmp(text, "yes") != 0 && strcasecmp(text, "no") != 0)
		return -EINVAL;
	*ret = strcasecmp(text, "yes") == 0;
	return 0;
}

static int parse_number(void *base, const struct setting *setting, const char *text) {
	double value = 0;
	uint64_t count;
	int rc;

	if (setting->kind == FLAG) {
		rc = parse_flag(text, &value);
	} else if (setting->kind == COUNT) {
		rc = text_to_u64(text, &count);
		if (rc == 0)
			value = (double)count;
	} else {
		rc = setting->kind == SECONDS ? text_to_seconds(text, &value) : text_to_real(text, &value);
	}
	return rc < 0 ? rc : set_number(base, setting, value);
}

// Returns 0, -ENOKEY for an unknown name, or -EINVAL.
static int set_by_table(void *base, const struct setting *table, size_t n, const char *name,
                        const char *value) {
	for (size_t i = 0; i < n; i++) {
		if (strcmp(table[i].name, name) == 0)
			return parse_number(base, &table[i], value);
	}
	return -ENOKEY;
}

// ---- rules

static int set_rule(struct alert_rule *rule, const char *name, const char *value) {
	static const struct setting table[] = {
	        {"off", FLAG, offsetof(struct alert_rule, is_off), 0, 0, 1},
	        {"raise_after", SECONDS, offsetof(struct alert_rule, raise_seconds), 0, 0, 7 * DAY_SECONDS},
	        {"clear_after", SECONDS, offsetof(struct alert_rule, clear_seconds), 0, 0, 7 * DAY_SECONDS},
	};
	int severity;

	if (strcmp(name, "severity") == 0) {
		if (choice_find(&severities_choices, value, &severity) < 0)
			return -EINVAL;
		rule->severity = (enum severities)severity;
		return 0;
	}
	return set_by_table(rule, table, sizeof(table) / sizeof(table[0]), name, value);
}

// ---- actions

static int keep(char **field, const char *value) {
	if (value[0] == '\0')
		return -EINVAL;
	free(*field);
	*field = strdup(value);
	return *field != NULL ? 0 : -ENOMEM;
}

// Words apart by blanks or commas, each of which sets a flag.
static int set_flags(const char *value, int (*find)(const char *word, int *ret), bool *flags, int n) {
	CLEANUP(freep) char *copy = strdup(value);
	char *rest = copy, *word;
	int n_found = 0, found = 0;

	if (copy == NULL)
		return -ENOMEM;
	memset(flags, 0, (size_t)n * sizeof(*flags));
	while ((word = strsep(&rest, " \t,")) != NULL) {
		if (word[0] == '\0')
			continue;
		if (find(word, &found) < 0)
			return -EINVAL;
		flags[found] = true;
		n_found++;
	}
	return n_found > 0 ? 0 : -EINVAL;
}

static int find_rule(const char *word, int *ret) {
	enum rule rule;
	int rc = rule_find(word, &rule);

	if (rc == 0)
		*ret = (int)rule;
	return rc;
}

static int find_change(const char *word, int *ret) {
	return choice_find(&alert_changes_choices, word, ret);
}

static int add_argument(struct action *action, const char *value) {
	if (action->n_arguments == MOST_ARGUMENTS)
		return -EINVAL;
	action->arguments[1 + action->n_arguments] = strdup(value);
	return action->arguments[1 + action->n_arguments++] != NULL ? 0 : -ENOMEM;
}

// The first line of the file.
static int read_secret(struct action *action, const char *path) {
	char text[SECRET_SIZE];
	FILE *file = fopen(path, "re");
	bool is_read;

	if (file == NULL)
		return -errno;
	is_read = fgets(text, sizeof(text), file) != NULL;
	fclose(file);
	if (!is_read)
		return -EINVAL;
	text[strcspn(text, "\r\n")] = '\0';
	return keep(&action->secret, text);
}

static int set_action(struct action *action, const char *name, const char *value) {
	static const struct setting table[] = {
	        {"timeout", SECONDS, offsetof(struct action, timeout_seconds), 0, 0.001, DAY_SECONDS},
	        {"retries", COUNT, offsetof(struct action, retries), 0, 0, 100},
	};
	int severity;

	if (strcmp(name, "rules") == 0)
		return set_flags(value, find_rule, action->rules, N_RULES);
	if (strcmp(name, "on") == 0)
		return set_flags(value, find_change, action->changes, N_alert_changes);
	if (strcmp(name, "severity") == 0) {
		if (choice_find(&severities_choices, value, &severity) < 0)
			return -EINVAL;
		action->severity = (enum severities)severity;
		return 0;
	}
	if (strcmp(name, "objects") == 0)
		return keep(&action->objects, value);
	if (strcmp(name, "program") == 0)
		return keep(&action->program, value);
	if (strcmp(name, "argument") == 0)
		return add_argument(action, value);
	if (strcmp(name, "webhook") == 0)
		return strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0
		               ? keep(&action->url, value)
		               : -EINVAL;
	if (strcmp(name, "secret_file") == 0)
		return read_secret(action, value);
	return set_by_table(action, table, sizeof(table) / sizeof(table[0]), name, value);
}

static struct action *get_action(struct alert_settings *settings, const char *name) {
	struct action *action;

	for (size_t i = 0; i < settings->n_actions; i++) {
		if (strcmp(settings->actions[i].name, name) == 0)
			return &settings->actions[i];
	}
	if (settings->n_actions == MOST_ACTIONS)
		return NULL;
	action = &settings->actions[settings->n_actions];
	*action = (struct action){.name = strdup(name), .timeout_seconds = 30, .retries = 5};
	if (action->name == NULL)
		return NULL;
	for (int i = 0; i < N_RULES; i++)
		action->rules[i] = true;
	action->changes[ALERT_CHANGE_RAISED] = action->changes[ALERT_CHANGE_REOPENED] = true;
	settings->n_actions++;
	return action;
}

static int check_action(const char *path, struct action *action, struct status *status) {
	if ((action->program == NULL) == (action->url == NULL))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "%s: action %s: one of program and webhook", path, action->name);
	if (action->program != NULL && (action->program[0] != '/' || access(action->program, X_OK) != 0))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "%s: action %s: program %s: not an absolute path of a program", path,
		                  action->name, action->program);
	if (action->program == NULL && action->n_arguments > 0)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "%s: action %s: a webhook takes no argument", path, action->name);
	action->arguments[0] = action->program;
	return 0;
}

// ---- the file

struct reading {
	struct alert_settings *settings;
	struct status *status;
	int rc;
};

static int set_in(struct alert_settings *settings, const char *section, const char *name, const char *value) {
	struct action *action;
	enum rule rule;

	if (section[0] == '\0')
		return set_by_table(settings, general, sizeof(general) / sizeof(general[0]), name, value);
	if (strncmp(section, "rule ", 5) == 0)
		return rule_find(section + 5, &rule) < 0 ? -ENOKEY
		                                         : set_rule(&settings->rules[rule], name, value);
	if (strncmp(section, "action ", 7) != 0 || section[7] == '\0')
		return -ENOKEY;
	action = get_action(settings, section + 7);
	return action != NULL ? set_action(action, name, value) : -ENOMEM;
}

static int take_line(void *context, const char *section, const char *name, const char *value) {
	struct reading *reading = context;

	reading->rc = set_in(reading->settings, section, name, value);
	if (reading->rc == 0)
		return 1;
	if (reading->rc == -ENOKEY)
		status_set(reading->status, STATUS_INVALID_ARGUMENT,
		           "[%s] %s: no such section, rule or setting", section, name);
	else
		status_set(reading->status, STATUS_INVALID_ARGUMENT, "[%s] %s = %s: %s", section, name, value,
		           reading->rc == -EINVAL ? "not a value of it" : strerror(-reading->rc));
	return 0;
}

static int read_file(const char *path, struct alert_settings *settings, struct status *status) {
	struct reading reading = {settings, status, 0};
	FILE *file = fopen(path, "re");
	int line, rc;

	if (file == NULL)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: %s", path, strerror(errno));
	status_set(status, STATUS_INVALID_ARGUMENT, "not a `name = value` line");
	line = ini_parse_file(file, take_line, &reading);
	fclose(file);
	if (line != 0) {
		status_prefix(status, "%s, line %d: ", path, line);
		return -EINVAL;
	}
	for (size_t i = 0; i < settings->n_actions; i++) {
		if ((rc = check_action(path, &settings->actions[i], status)) < 0)
			return rc;
	}
	return 0;
}

int alert_settings_read(const char *path, struct alert_settings **ret, struct status *status) {
	CLEANUP(alert_settings_freep) struct alert_settings *settings = calloc(1, sizeof(*settings));
	int rc;

	if (settings == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(general) / sizeof(general[0]); i++)
		(void)set_number(settings, &general[i], general[i].fallback);
	for (int i = 0; i < N_RULES; i++)
		settings->rules[i] = (struct alert_rule){false, rules[i].severity, rules[i].raise_seconds,
		                                         rules[i].clear_seconds};
	if (path != NULL && path[0] != '\0' && (rc = read_file(path, settings, status)) < 0)
		return rc;
	*ret = settings;
	settings = NULL;
	return 0;
}

void alert_settings_free(struct alert_settings *settings) {
	if (settings == NULL)
		return;
	for (size_t i = 0; i < settings->n_actions; i++) {
		struct action *action = &settings->actions[i];

		for (int a = 1; a <= action->n_arguments; a++)
			free(action->arguments[a]);
		free(action->name);
		free(action->objects);
		free(action->program);
		free(action->url);
		free(action->secret);
	}
	free(settings);
}
