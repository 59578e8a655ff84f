// Option values, checked as they are typed.
// SPDX-License-Identifier: MIT
#include "arguments.h"

#include "text.h"

#include <inttypes.h>

static error_t parse_common(int key, char *text, struct argp_state *state) {
	struct ctl *ctl = state->input;
	struct status status = {0};

	switch (key) {
	case 'A':
		if (endpoint_set(ENDPOINT_API, text, ctl->api, &status) < 0)
			argp_error(state, "--api: %s", status.message);
		return 0;
	case 'E':
		if (endpoint_set(ENDPOINT_EVENTS, text, ctl->events, &status) < 0)
			argp_error(state, "--events: %s", status.message);
		return 0;
	case 'j':
		ctl->json = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option common_options[] = {
        {"api", 'A', "ENDPOINT", 0, "where analyticsd answers (default: $LINKCAST_API)", -2},
        {"events", 'E', "ENDPOINT", 0, "where analyticsd publishes (default: $LINKCAST_EVENTS)", -2},
        {"json", 'j', NULL, 0, "print JSON", -2},
        {0},
};

const struct argp common_argp = {.options = common_options, .parser = parse_common};
const struct argp_child common_children[] = {{&common_argp, 0, NULL, 0}, {0}};

int64_t argument_time(struct argp_state *state, const struct ctl *ctl, const char *option, const char *text) {
	int64_t time_ns = 0;

	if (text_to_time_ns(text, ctl->now_ns, &time_ns) < 0)
		argp_error(state, "--%s: '%s' is no time (2026-11-21T23:40:48Z, now, -6h, or a Unix time)",
		           option, text);
	return time_ns;
}

double argument_seconds(struct argp_state *state, const char *option, const char *text) {
	double seconds = 0;

	if (text_to_seconds(text, &seconds) < 0 || seconds <= 0)
		argp_error(state, "--%s: '%s' is no duration (90s, 15m, 6h, 7d, 2w, or seconds)", option,
		           text);
	return seconds;
}

double argument_real(struct argp_state *state, const char *option, const char *text, double min, double max) {
	double value = 0;

	if (text_to_real(text, &value) < 0 || value < min || value > max)
		argp_error(state, "--%s: '%s' is no number from %g to %g", option, text, min, max);
	return value;
}

int64_t argument_number(struct argp_state *state, const char *option, const char *text, int64_t min,
                        int64_t max) {
	int64_t value = 0;

	if (text_to_i64(text, &value) < 0 || value < min || value > max)
		argp_error(state, "--%s: '%s' is no whole number from %" PRId64 " to %" PRId64, option, text,
		           min, max);
	return value;
}

int argument_choice(struct argp_state *state, const char *option, const char *text,
                    const struct choices *choices) {
	char words[128] = "";
	size_t used = 0;
	int value = 0;

	if (choice_find(choices, text, &value) == 0)
		return value;
	for (int i = 0; i < choices->n_words && used < sizeof(words); i++)
		used += (size_t)snprintf(words + used, sizeof(words) - used, "%s%s", i == 0 ? "" : ", ",
		                         choices->words[i]);
	argp_error(state, "--%s: '%s' is none of: %s", option, text, words);
	return value;
}

const char *argument_id(struct argp_state *state, const char *what, const char *text) {
	if (!id_is_valid(text))
		argp_error(state, "%s '%s': must have 1 to %d bytes of UTF-8 and no control characters", what,
		           text, LIMIT_ID_SIZE);
	return text;
}

static error_t parse_none(int key, char *text, struct argp_state *state) {
	(void)text;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = state->input;
	return 0;
}

void arguments_none(struct ctl *ctl, int argc, char **argv, const char *doc) {
	const struct argp argp = {.parser = parse_none, .doc = doc, .children = common_children};

	argp_parse(&argp, argc, argv, 0, NULL, ctl);
}
