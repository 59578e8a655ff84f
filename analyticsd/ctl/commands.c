// Which command was asked for. One table is dispatch and help.
// SPDX-License-Identifier: MIT
#include "commands.h"

#include "arguments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct choosing {
	struct ctl *ctl;
	const struct command *commands;
	const struct command *chosen;
	int index; // of its name in argv
};

static error_t parse_command(int key, char *text, struct argp_state *state) {
	struct choosing *choosing = state->input;
	const struct command *command = choosing->commands;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = choosing->ctl;
		return 0;
	case ARGP_KEY_ARG:
		while (command->name != NULL && strcmp(command->name, text) != 0)
			command++;
		if (command->name == NULL)
			argp_error(state, "no command '%s'", text);
		choosing->chosen = command;
		choosing->index = state->next - 1;
		state->next = state->argc; // what follows is the command's
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_usage(state);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

// "Commands:" and a line for each, for --help.
static char *describe(const struct command *commands, const char *doc) {
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (file == NULL)
		return NULL;
	fprintf(file, "%s\vCommands (each has its own --help):\n", doc);
	for (const struct command *c = commands; c->name != NULL; c++) {
		int used = fprintf(file, "  %s %s", c->name, c->arguments);

		fprintf(file, "%*s%s\n", used < 32 ? 32 - used : 1, "", c->help);
	}
	if (fclose(file) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

int commands_run(const struct command *commands, const char *name, const char *doc, struct ctl *ctl, int argc,
                 char **argv, struct status *status) {
	CLEANUP(freep) char *help = describe(commands, doc);
	struct choosing choosing = {.ctl = ctl, .commands = commands};
	struct argp argp = {.parser = parse_command,
	                    .args_doc = "COMMAND [ARGUMENT...]",
	                    .doc = help,
	                    .children = common_children};
	char full_name[128];

	if (help == NULL)
		return -ENOMEM;
	argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &choosing);
	if (choosing.chosen == NULL)
		return status_set(status, STATUS_INVALID_ARGUMENT, "no command");
	snprintf(full_name, sizeof(full_name), "%s %s", name, choosing.chosen->name);
	argv[choosing.index] = full_name; // what usage messages call it
	return choosing.chosen->run(ctl, argc - choosing.index, argv + choosing.index, status);
}
