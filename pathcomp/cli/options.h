// options.h: what the forms of the command have in common: where topology and forecasts come from, and what
// a request gets that doesn't say otherwise.
// SPDX-License-Identifier: MIT
#pragma once

#include "message.h"
#include "origin.h"

#include <argp.h>
#include <stdbool.h>

enum exit_status {
	EXIT_DONE,
	EXIT_ERROR,
	EXIT_USAGE,
	EXIT_BLOCKED,
};

struct options {
	struct origin_options origin;
	struct path_query defaults; // its 'has' tells what was given
	bool json;
};

// Defaults, and ENABLE_FORECASTER.
void options_init(struct options *, int64_t now_ns);

// Children of a form's own argp; their input is struct options.
extern const struct argp options_source_argp;  // --file --topology --api --capacity-unit
extern const struct argp options_api_argp;     // --api alone
extern const struct argp options_request_argp; // --metric --quantile --forecaster --unknown
extern const struct argp options_json_argp;    // --json

// Wrong usage, in the words of argp; don't return.
int option_choice(struct argp_state *, const char *name, const struct choices *, const char *word);
double option_seconds(struct argp_state *, const char *name, const char *text);
void option_time(struct argp_state *, const char *name, const char *text); // is it one?
double option_real(struct argp_state *, const char *name, const char *text, double least, double most);

// Does ENABLE_FORECASTER's value switch forecasts on? NULL (unset) does.
bool options_forecaster_enabled(const char *value);
