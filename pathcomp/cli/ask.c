// A request by options. Conditions that may be given more than once become lists.
// SPDX-License-Identifier: MIT
#include "ask.h"

#include <math.h>
#include <string.h>

enum {
	OPT_FROM = 0x200,
	OPT_TO,
	OPT_GBPS,
	OPT_DURATION,
	OPT_START,
	OPT_DISJOINT,
	OPT_MAX_LATENCY,
	OPT_MAX_HOPS,
	OPT_MAX_UTILIZATION,
	OPT_EXCLUDE,
	OPT_VIA,
	OPT_WIDEST,
	OPT_AS_OF,
	OPT_NO_OFFERS,
};

static const struct argp_option ask_options[] = {
        {"from", OPT_FROM, "NODE", 0, "Where the path begins", 0},
        {"to", OPT_TO, "NODE", 0, "Where it ends", 0},
        {"gbps", OPT_GBPS, "G", 0, "What must be free on each link, in Gbps", 0},
        {"duration", OPT_DURATION, "TIME", 0,
         "How long (90s, 6h, 7d): the forecast for that time counts, not the current use", 0},
        {"start", OPT_START, "TIME", 0, "When it begins: RFC 3339 or +6h (default now)", 0},
        {"as-of", OPT_AS_OF, "TIME", 0, "Answer as at that moment, by the forecast of then", 0},
        {NULL, 'k', "N", 0, "The N shortest paths, in order", 0},
        {"disjoint", OPT_DISJOINT, "KIND", 0,
         "Two paths of least total that have no link, no node or no srlg (shared-risk group) in common", 0},
        {"widest", OPT_WIDEST, NULL, 0, "The path with most room, not the shortest", 0},
        {"max-latency-ms", OPT_MAX_LATENCY, "MS", 0, "Most that the path (each of a pair) may take", 0},
        {"max-hops", OPT_MAX_HOPS, "N", 0, "Most links that the path (each of a pair) may have", 0},
        {"max-utilization", OPT_MAX_UTILIZATION, "SHARE", 0,
         "Of each link's total, 0 to 1, that may be in use with the demand", 0},
        {"exclude", OPT_EXCLUDE, "KIND=ID", 0,
         "Leave out a link, a node or an srlg (link=ab); may be given again", 0},
        {"via", OPT_VIA, "NODE", 0, "Pass a node; given again, in this order", 0},
        {"no-offers", OPT_NO_OFFERS, NULL, 0, "When blocked, don't look for what would fit", 0},
        {0},
};

void ask_init(struct ask *ask, int64_t now_ns) {
	*ask = (struct ask){0};
	options_init(&ask->options, now_ns);
	path_query_init(&ask->query);
}

void ask_check(struct argp_state *state, const struct path_query *query) {
	bool several = HAS(query, path_query, k) && query->k > 1, pair = HAS(query, path_query, disjoint);

	if (query->from == NULL)
		argp_error(state, "--from is missing");
	if (query->to == NULL)
		argp_error(state, "--to is missing");
	if (!HAS(query, path_query, gbps))
		argp_error(state, "--gbps is missing");
	if ((several && pair) || (query->widest && (several || pair)))
		argp_error(state, "-k, --disjoint, --widest: only one of them at a time");
}

static void add(struct argp_state *state, const char ***list, size_t *n, const char *id) {
	struct ask *ask = state->input;
	const char **longer = memory_take(&ask->memory, *n + 1, sizeof(*longer));

	if (longer == NULL)
		argp_failure(state, EXIT_ERROR, 0, "out of memory");
	if (longer == NULL)
		return;
	if (!id_is_valid(id))
		argp_error(state, "'%s': not an id", id);
	if (*n > 0)
		memcpy(longer, *list, *n * sizeof(*longer));
	longer[(*n)++] = id;
	*list = longer;
}

static void exclude(struct argp_state *state, struct path_query *query, const char *text) {
	const struct {
		const char *kind;
		const char ***list;
		size_t *n;
	} kinds[] = {
	        {"link=", &query->exclude_links, &query->n_exclude_links},
	        {"node=", &query->exclude_nodes, &query->n_exclude_nodes},
	        {"srlg=", &query->exclude_srlgs, &query->n_exclude_srlgs},
	};

	for (size_t i = 0; i < 3; i++) {
		if (strncmp(text, kinds[i].kind, strlen(kinds[i].kind)) == 0) {
			add(state, kinds[i].list, kinds[i].n, text + strlen(kinds[i].kind));
			return;
		}
	}
	argp_error(state, "--exclude '%s': must be link=ID, node=ID or srlg=ID", text);
}

static double whole(struct argp_state *state, const char *name, const char *text, double least, double most) {
	double value = option_real(state, name, text, least, most);

	if (value != floor(value))
		argp_error(state, "%s '%s': must be a whole number", name, text);
	return value;
}

// Which path is wanted.
static error_t parse_condition(int key, char *argument, struct argp_state *state) {
	struct path_query *query = &((struct ask *)state->input)->query;

	switch (key) {
	case 'k':
		SET(query, path_query, k, (int64_t)whole(state, "-k", argument, 1, 1000));
		return 0;
	case OPT_DISJOINT:
		SET(query, path_query, disjoint,
		    option_choice(state, "--disjoint", &disjoint_kinds_choices, argument));
		return 0;
	case OPT_WIDEST:
		SET(query, path_query, widest, true);
		return 0;
	case OPT_MAX_LATENCY:
		SET(query, path_query, max_latency_ms,
		    option_real(state, "--max-latency-ms", argument, 0, INFINITY));
		return 0;
	case OPT_MAX_HOPS:
		SET(query, path_query, max_hops,
		    (int64_t)whole(state, "--max-hops", argument, 0, LIMIT_LINKS));
		return 0;
	case OPT_MAX_UTILIZATION:
		SET(query, path_query, max_utilization,
		    option_real(state, "--max-utilization", argument, 0, 1));
		return 0;
	case OPT_EXCLUDE:
		exclude(state, query, argument);
		return 0;
	case OPT_VIA:
		add(state, &query->via, &query->n_via, argument);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_ask(int key, char *argument, struct argp_state *state) {
	struct path_query *query = &((struct ask *)state->input)->query;

	switch (key) {
	case OPT_FROM:
		query->from = argument;
		return 0;
	case OPT_TO:
		query->to = argument;
		return 0;
	case OPT_GBPS:
		SET(query, path_query, gbps, option_real(state, "--gbps", argument, 0, INFINITY));
		return 0;
	case OPT_DURATION:
		SET(query, path_query, duration_seconds, option_seconds(state, "--duration", argument));
		return 0;
	case OPT_START:
		option_time(state, "--start", argument);
		SET(query, path_query, start, argument);
		return 0;
	case OPT_AS_OF:
		option_time(state, "--as-of", argument);
		SET(query, path_query, as_of, argument);
		return 0;
	case OPT_NO_OFFERS:
		SET(query, path_query, offers, false);
		return 0;
	default:
		return parse_condition(key, argument, state);
	}
}

const struct argp ask_argp = {.options = ask_options, .parser = parse_ask};
