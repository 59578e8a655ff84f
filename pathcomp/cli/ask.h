// ask.h: one request on the command line, the same for `path` and `service`.
// SPDX-License-Identifier: MIT
#pragma once

#include "memory.h"
#include "options.h"

struct ask {
	struct options options; // first: the children's parsers see it
	struct path_query query;
	struct memory memory; // of its lists
};

// Its input is struct ask. What must be there is the form's to check (ask_check()).
extern const struct argp ask_argp;

void ask_init(struct ask *, int64_t now_ns);
void ask_check(struct argp_state *, const struct path_query *);
