// pathcomp: the table of its forms.
// SPDX-License-Identifier: MIT
#include "commands.h"
#include "log.h"
#include "options.h"

#include <stdio.h>
#include <string.h>

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
        {"path", command_path, "the shortest path that has room for a demand"},
        {"batch", command_batch, "the same for many requests, in JSON lines"},
        {"serve", command_serve, "answer other programs over REQ/REP"},
        {"service", command_service, "request, change, release, list or show services that hold capacity"},
        {"topology", command_topology, "check a topology file, or convert it to JSON"},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void print_usage(FILE *file) {
	fprintf(file, "Usage: pathcomp COMMAND [OPTION...]\n"
	              "Paths through a network that still have room when the service runs.\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(file, "  pathcomp %-10s %s\n", commands[i].name, commands[i].help);
	fprintf(file, "\n  --help, --version; `pathcomp COMMAND --help` tells a command's options\n"
	              "Exit status: 0 done, 1 error, 2 wrong usage, 3 blocked: no path has room\n");
}

int main(int argc, char **argv) {
	static char name[32];

	argp_err_exit_status = EXIT_USAGE;
	argp_program_version = "pathcomp " LINKCAST_VERSION;
	log_init("pathcomp", LOG_LEVEL_INFO);
	if (argc < 2) {
		print_usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0 || strcmp(argv[1], "help") == 0) {
		print_usage(stdout);
		return EXIT_DONE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("%s\n", argp_program_version);
		return EXIT_DONE;
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		snprintf(name, sizeof(name), "pathcomp %s", commands[i].name);
		argv[1] = name;
		return commands[i].run(argc - 1, argv + 1);
	}
	fprintf(stderr, "pathcomp: no command '%s'; see pathcomp --help\n", argv[1]);
	return EXIT_USAGE;
}
