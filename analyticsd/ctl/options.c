// Tables of options, read by argp.
// SPDX-License-Identifier: MIT
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BASE 0x100 // of options without a letter: this and their place in the table

struct parsing {
	struct ctl *ctl;
	const struct command_form *form;
	char *values;
};

// The host may hold slashes (host/file-prefix), the name of a port doesn't.
static void take_port(struct argp_state *state, const char *option, const char *text, struct port_name *ret) {
	const char *slash = strrchr(text, '/');

	if (slash == NULL || slash == text || (size_t)(slash - text) > LIMIT_ID_SIZE || slash[1] == '\0') {
		argp_error(state, "--%s: '%s' is not HOST/NAME", option, text);
		return;
	}
	snprintf(ret->host, sizeof(ret->host), "%.*s", (int)(slash - text), text);
	ret->name = slash + 1;
	(void)argument_id(state, option, ret->host);
	(void)argument_id(state, option, ret->name);
}

static void add_text(struct argp_state *state, const struct command_option *option, char *values,
                     const char *text) {
	size_t *n = (size_t *)(void *)(values + option->count_offset);
	void **array = (void **)(void *)(values + option->offset);

	if (array_grow(array, *n, 1, sizeof(text)) < 0)
		argp_failure(state, 1, ENOMEM, "%s", option->name);
	else
		((const char **)*array)[(*n)++] = text;
}

static void take_value(const struct parsing *parsing, const struct command_option *option, const char *text,
                       struct argp_state *state) {
	void *value = parsing->values + option->offset;

	switch (option->kind) {
	case VALUE_FLAG:
		*(bool *)value = true;
		break;
	case VALUE_ID:
		text = argument_id(state, option->name, text);
		__attribute__((fallthrough));
	case VALUE_TEXT:
		if (option->repeats)
			add_text(state, option, parsing->values, text);
		else
			*(const char **)value = text;
		break;
	case VALUE_TIME:
		*(int64_t *)value = argument_time(state, parsing->ctl, option->name, text);
		break;
	case VALUE_SECONDS:
		*(double *)value = argument_seconds(state, option->name, text);
		break;
	case VALUE_REAL:
		*(double *)value = argument_real(state, option->name, text, option->min, option->max);
		break;
	case VALUE_NUMBER:
		*(int64_t *)value = argument_number(state, option->name, text, (int64_t)option->min,
		                                    (int64_t)option->max);
		break;
	case VALUE_CHOICE:
		*(int *)value = argument_choice(state, option->name, text, option->choices);
		break;
	case VALUE_PORT:
		take_port(state, option->name, text, value);
		break;
	}
	if (option->is_field)
		*(uint64_t *)(void *)(parsing->values + option->has_offset) |= UINT64_C(1) << option->field;
}

static size_t count(const struct command_option *options) {
	size_t n = 0;

	while (options != NULL && options[n].name != NULL)
		n++;
	return n;
}

static error_t take_argument(const struct parsing *parsing, const char *text, struct argp_state *state) {
	const struct command_option *arguments = parsing->form->arguments;
	size_t n = count(arguments), i = state->arg_num;

	if (n > 0 && arguments[n - 1].repeats && i >= n)
		i = n - 1;
	if (i >= n)
		argp_error(state, "unexpected '%s'", text);
	else
		take_value(parsing, &arguments[i], text, state);
	return 0;
}

static void check_end(const struct parsing *parsing, struct argp_state *state) {
	const struct command_option *arguments = parsing->form->arguments;

	if (state->arg_num < count(arguments) && arguments[state->arg_num].required)
		argp_error(state, "%s is missing", arguments[state->arg_num].name);
	if (parsing->form->check != NULL)
		parsing->form->check(parsing->values, state);
}

static error_t parse(int key, char *text, struct argp_state *state) {
	const struct parsing *parsing = state->input;
	const struct command_option *options = parsing->form->options;
	size_t n = count(options);

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = parsing->ctl;
		return 0;
	case ARGP_KEY_ARG:
		return take_argument(parsing, text, state);
	case ARGP_KEY_END:
		check_end(parsing, state);
		return 0;
	default:
		break;
	}
	for (size_t i = 0; i < n; i++) {
		if (key == (options[i].letter != 0 ? options[i].letter : KEY_BASE + (int)i)) {
			take_value(parsing, &options[i], text, state);
			return 0;
		}
	}
	return ARGP_ERR_UNKNOWN;
}

static struct argp_option *argp_options_of(const struct command_option *options) {
	size_t n = count(options);
	struct argp_option *all = calloc(n + 1, sizeof(*all));

	if (all == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		all[i] = (struct argp_option){
		        .name = options[i].name,
		        .key = options[i].letter != 0 ? options[i].letter : KEY_BASE + (int)i,
		        .arg = options[i].value,
		        .doc = options[i].help,
		};
	return all;
}

// "link|topology ID [TOPIC...]"
static char *usage_of(const struct command_option *arguments) {
	size_t size, n = count(arguments);
	char *text = NULL;
	FILE *file = open_memstream(&text, &size);

	if (file == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		const char *form = arguments[i].required ? "%s%s%s" : "%s[%s%s]";

		fprintf(file, form, i > 0 ? " " : "", arguments[i].name, arguments[i].repeats ? "..." : "");
	}
	if (fclose(file) == 0)
		return text;
	free(text);
	return NULL;
}

void options_parse(struct ctl *ctl, const struct command_form *form, int argc, char **argv, void *values) {
	CLEANUP(freep) struct argp_option *options = argp_options_of(form->options);
	CLEANUP(freep) char *usage = usage_of(form->arguments);
	struct parsing parsing = {ctl, form, values};
	struct argp argp = {.options = options,
	                    .parser = parse,
	                    .args_doc = usage,
	                    .doc = form->doc,
	                    .children = common_children};

	if (options == NULL || usage == NULL)
		argp_failure(NULL, 1, ENOMEM, "options"); // ends the program
	if (count(form->arguments) == 0)
		argp.args_doc = NULL;
	argp_parse(&argp, argc, argv, 0, NULL, &parsing);
}
