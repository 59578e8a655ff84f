// keygen: a key file, and the public key that others need of it. Asks nobody.
// SPDX-License-Identifier: MIT
#include "arguments.h"
#include "commands.h"
#include "keys.h"

#include <stdio.h>

#define DEFAULT_FILE "linkcast.key"

struct keygen_arguments {
	struct ctl *ctl;
	const char *path;
};

static const struct argp_option keygen_options[] = {
        {"output", 'o', "FILE", 0, "the new file (default " DEFAULT_FILE "); one that is there is left alone",
         0},
        {0},
};

static error_t parse_keygen(int key, char *text, struct argp_state *state) {
	struct keygen_arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = arguments->ctl;
		return 0;
	case 'o':
		arguments->path = text;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int command_keygen(struct ctl *ctl, int argc, char **argv, struct status *status) {
	const struct argp argp = {.options = keygen_options,
	                          .parser = parse_keygen,
	                          .doc = "Makes a key for connections over tcp. The file is for its owner "
	                                 "alone; the public key that "
	                                 "is printed goes into analyticsd's list of clients, or, when the "
	                                 "key is analyticsd's own, "
	                                 "to its clients as LINKCAST_CURVE_SERVER.",
	                          .children = common_children};
	struct keygen_arguments arguments = {.ctl = ctl, .path = DEFAULT_FILE};
	CLEANUP(keypair_wipe) struct keypair keys = {0};
	struct key_made made;
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	if ((rc = keypair_new(&keys, status)) < 0 || (rc = keypair_write(&keys, arguments.path, status)) < 0)
		return rc;
	if (!ctl->json) {
		puts(keys.public);
		return 0;
	}
	made = (struct key_made){.file = arguments.path, .public_key = keys.public};
	return ctl_print_json(&key_made_message, &made);
}
