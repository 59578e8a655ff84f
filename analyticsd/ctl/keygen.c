// keygen: a key file, and the public key that others need of it. Asks nobody.
// SPDX-License-Identifier: MIT
#include "commands.h"
#include "keys.h"
#include "options.h"

#include <stdio.h>

#define DEFAULT_FILE "linkcast.key"

struct keygen_arguments {
	const char *path;
};

static const struct command_option options[] = {
        {"output", 'o', "FILE", "the new file (default " DEFAULT_FILE "); one that is there is left alone",
         VALUE_TEXT, TO(keygen_arguments, path)},
        {0},
};

const struct command_form keygen_form = {
        .options = options,
        .doc = "Makes a key for connections over tcp. The file is for its owner alone; the public key that "
               "is "
               "printed goes into analyticsd's list of clients, or, when the key is analyticsd's own, to its "
               "clients as LINKCAST_CURVE_SERVER.",
};

int command_keygen(struct ctl *ctl, int argc, char **argv, struct status *status) {
	struct keygen_arguments arguments = {DEFAULT_FILE};
	CLEANUP(keypair_wipe) struct keypair keys = {0};
	struct key_made made;
	int rc;

	options_parse(ctl, &keygen_form, argc, argv, &arguments);
	if ((rc = keypair_new(&keys, status)) < 0 || (rc = keypair_write(&keys, arguments.path, status)) < 0)
		return rc;
	if (!ctl->json) {
		puts(keys.public);
		return 0;
	}
	made = (struct key_made){.file = arguments.path, .public_key = keys.public};
	return ctl_print_json(&key_made_message, &made);
}
