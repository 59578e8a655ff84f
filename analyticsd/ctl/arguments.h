// arguments.h: option values of the commands. A value that can't be read ends the program with status 2, as
// argp does.
// SPDX-License-Identifier: MIT
#pragma once

#include "ctl.h"

#include <argp.h>

// --api, --events and --json: the child of every command's own options; its input is the struct ctl.
extern const struct argp common_argp;
extern const struct argp_child common_children[];

int64_t argument_time(struct argp_state *, const struct ctl *, const char *option, const char *text);
double argument_seconds(struct argp_state *, const char *option, const char *text);
double argument_real(struct argp_state *, const char *option, const char *text, double min, double max);
int64_t argument_number(struct argp_state *, const char *option, const char *text, int64_t min, int64_t max);
int argument_choice(struct argp_state *, const char *option, const char *text, const struct choices *);
const char *argument_id(struct argp_state *, const char *what, const char *text);

// For commands that take no options of their own and no arguments.
void arguments_none(struct ctl *, int argc, char **argv, const char *doc);
