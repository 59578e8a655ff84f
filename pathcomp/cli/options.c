// Options by argp, whose errors exit with status 2.
// SPDX-License-Identifier: MIT
#include "options.h"

#include "reader.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_SECONDS 60.0
#define TIMEOUT_MOST    86400.0

bool options_forecaster_enabled(const char *value) {
	static const char *const words[] = {"Y", "YES", "TRUE", "T", "E", "ENABLE", "ENABLED", "ON", "1"};

	if (value == NULL)
		return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(value, words[i]) == 0)
			return true;
	}
	return false;
}

void options_init(struct options *options, int64_t now_ns) {
	*options = (struct options){0};
	options->origin.capacity_scale = 1;
	options->origin.timeout_seconds = TIMEOUT_SECONDS;
	options->origin.now_ns = now_ns;
	options->origin.forecaster_enabled = options_forecaster_enabled(getenv("ENABLE_FORECASTER"));
	path_query_init(&options->defaults);
}

int option_choice(struct argp_state *state, const char *name, const struct choices *choices,
                  const char *word) {
	char list[128] = "";
	int value = 0;

	if (choice_find(choices, word, &value) == 0)
		return value;
	for (int i = 0; i < choices->n_words; i++) {
		size_t used = strlen(list);

		snprintf(list + used, sizeof(list) - used, "%s%s", i > 0 ? ", " : "", choices->words[i]);
	}
	argp_error(state, "%s '%s': must be one of %s", name, word, list);
	return value;
}

double option_seconds(struct argp_state *state, const char *name, const char *text) {
	double seconds = 0;

	if (text_to_seconds(text, &seconds) < 0 || seconds < 1e-3 || seconds > 1e9)
		argp_error(state, "%s '%s': must be a duration such as 90s, 15m, 6h, 7d or 2w", name, text);
	return seconds;
}

void option_time(struct argp_state *state, const char *name, const char *text) {
	int64_t ignored;

	if (text_to_time_ns(text, ((struct options *)state->input)->origin.now_ns, &ignored) < 0)
		argp_error(state, "%s '%s': must be a time such as 2030-01-31T18:00:00Z, +6h or -1d", name,
		           text);
}

double option_real(struct argp_state *state, const char *name, const char *text, double least, double most) {
	double value = 0;

	if (text_to_real(text, &value) == 0 && value >= least && value <= most)
		return value;
	if (isinf(most))
		argp_error(state, "%s '%s': must be a number, %g or more", name, text, least);
	else
		argp_error(state, "%s '%s': must be a number from %g to %g", name, text, least, most);
	return value;
}

// ---- where from

enum {
	OPT_CAPACITY_UNIT = 0x100,
	OPT_API,
	OPT_TIMEOUT,
	OPT_METRIC,
	OPT_QUANTILE,
	OPT_FORECASTER,
	OPT_UNKNOWN,
	OPT_JSON
};

static const struct argp_option source_options[] = {
        {"file", 'f', "FILE", 0,
         "Topology from a file: JSON, GraphML, SNDlib native (.txt), or CSV (x.links.csv beside x.nodes.csv)",
         1},
        {"topology", 't', "ID", 0, "Topology that analyticsd holds (default admin)", 1},
        {"api", OPT_API, "ENDPOINT", 0,
         "Where analyticsd answers (default $LINKCAST_API); with --file, only forecasts come from there", 1},
        {"timeout", OPT_TIMEOUT, "TIME", 0,
         "How long analyticsd may take over an answer (default 60s), forecasts of many links too; one that "
         "is not "
         "there shows within 2s, one that hangs within 8s",
         1},
        {"capacity-unit", OPT_CAPACITY_UNIT, "UNIT", 0,
         "Unit of the capacities in CSV: bps, kbps, Mbps, Gbps (default) or Tbps", 1},
        {0},
};

static error_t parse_source(int key, char *argument, struct argp_state *state) {
	struct options *options = state->input;

	switch (key) {
	case 'f':
		options->origin.file = argument;
		return 0;
	case 't':
		if (!id_is_valid(argument))
			argp_error(state, "--topology '%s': not an id", argument);
		SET(&options->defaults, path_query, topology_id, argument);
		return 0;
	case OPT_API:
		options->origin.api = argument;
		return 0;
	case OPT_TIMEOUT:
		options->origin.timeout_seconds = option_seconds(state, "--timeout", argument);
		if (options->origin.timeout_seconds > TIMEOUT_MOST)
			argp_error(state, "--timeout '%s': at most a day", argument);
		return 0;
	case OPT_CAPACITY_UNIT:
		if (reader_unit_scale(argument, &options->origin.capacity_scale) < 0)
			argp_error(state, "--capacity-unit '%s': must be bps, kbps, Mbps, Gbps or Tbps",
			           argument);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp options_source_argp = {.options = source_options, .parser = parse_source};

static const struct argp_option api_options[] = {
        {"api", OPT_API, "ENDPOINT", 0, "Where analyticsd answers (default $LINKCAST_API)", 1},
        {0},
};

const struct argp options_api_argp = {.options = api_options, .parser = parse_source};

// ---- what a request gets that doesn't say otherwise

static const struct argp_option request_options[] = {
        {"metric", OPT_METRIC, "METRIC", 0, "Shortest by cost (default), latency or hops", 2},
        {"quantile", OPT_QUANTILE, "Q", 0, "Of the forecast, 0.5 to 0.999 (default 0.95)", 2},
        {"forecaster", OPT_FORECASTER, "MODE", 0,
         "on: the forecast or an error; off: current use; auto: the forecast, or current use when there is "
         "none. Default auto; off when ENABLE_FORECASTER says so",
         2},
        {"unknown", OPT_UNKNOWN, "POLICY", 0,
         "Links whose total isn't known, that are stale or without data: refuse; current (default): take "
         "their current use, where a total is known; allow: anything fits where the total isn't known",
         2},
        {0},
};

static error_t parse_request(int key, char *argument, struct argp_state *state) {
	struct path_query *defaults = &((struct options *)state->input)->defaults;

	switch (key) {
	case OPT_METRIC:
		SET(defaults, path_query, metric,
		    option_choice(state, "--metric", &path_metrics_choices, argument));
		return 0;
	case OPT_QUANTILE:
		SET(defaults, path_query, quantile, option_real(state, "--quantile", argument, 0.5, 0.999));
		return 0;
	case OPT_FORECASTER:
		SET(defaults, path_query, forecaster,
		    option_choice(state, "--forecaster", &forecaster_modes_choices, argument));
		return 0;
	case OPT_UNKNOWN:
		SET(defaults, path_query, unknown,
		    option_choice(state, "--unknown", &unknown_policies_choices, argument));
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp options_request_argp = {.options = request_options, .parser = parse_request};

// ---- how to print

static const struct argp_option json_options[] = {
        {"json", OPT_JSON, 0, 0, "Print JSON", 3},
        {0},
};

static error_t parse_json(int key, char *argument, struct argp_state *state) {
	(void)argument;
	if (key != OPT_JSON)
		return ARGP_ERR_UNKNOWN;
	((struct options *)state->input)->json = true;
	return 0;
}

const struct argp options_json_argp = {.options = json_options, .parser = parse_json};
