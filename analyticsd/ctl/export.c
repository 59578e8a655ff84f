// export: the history of a link or port as CSV on stdout, page by page; `import` reads the links' again.
// SPDX-License-Identifier: MIT
#include "arguments.h"
#include "clock.h"
#include "commands.h"
#include "csvtext.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct export_arguments {
	struct ctl *ctl;
	const char *link;
	char host[LIMIT_ID_SIZE + 1];
	const char *port; // NULL: a link is asked for
	int direction;
	int64_t kpi;
	int64_t from_ns, to_ns;
	double step_seconds; // 0: every sample
	const char **counters;
	size_t n_counters;
};

enum { OPTION_FROM = 256, OPTION_TO };

static const struct argp_option export_options[] = {
        {"link", 'l', "ID", 0, "history of this link", 0},
        {"direction", 'd', "WORD", 0, "forward (default) or reverse, of the link", 0},
        {"kpi", 'k', "NUMBER", 0, "301 total, 302 used capacity (default)", 0},
        {"port", 'p', "HOST/NAME", 0, "counters of this port", 0},
        {"counter", 'c', "NAME", 0, "only this counter; can be given more than once", 0},
        {"from", OPTION_FROM, "TIME", 0, "first time (default: all)", 0},
        {"to", OPTION_TO, "TIME", 0, "end, not included (default: all)", 0},
        {"step", 's', "TIME", 0, "links: the mean over each step; ports: the last row of each", 0},
        {0},
};

// The host may hold slashes (host/file-prefix), the name of a port doesn't.
static void parse_port(struct export_arguments *arguments, const char *text, struct argp_state *state) {
	const char *slash = strrchr(text, '/');

	if (slash == NULL || slash == text || (size_t)(slash - text) > LIMIT_ID_SIZE || slash[1] == '\0')
		argp_error(state, "--port: '%s' is not HOST/NAME", text);
	else
		snprintf(arguments->host, sizeof(arguments->host), "%.*s", (int)(slash - text), text);
	arguments->port = slash == NULL ? text : slash + 1;
	(void)argument_id(state, "--port", arguments->host);
	(void)argument_id(state, "--port", arguments->port);
}

static void add_counter(struct export_arguments *arguments, const char *text, struct argp_state *state) {
	if (array_grow((void **)&arguments->counters, arguments->n_counters, 1, sizeof(text)) < 0)
		argp_failure(state, 1, ENOMEM, "--counter");
	arguments->counters[arguments->n_counters++] = argument_id(state, "--counter", text);
}

static error_t parse_export(int key, char *text, struct argp_state *state) {
	struct export_arguments *arguments = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = arguments->ctl;
		return 0;
	case 'l':
		arguments->link = argument_id(state, "--link", text);
		return 0;
	case 'd':
		arguments->direction = argument_choice(state, "direction", text, &directions_choices);
		return 0;
	case 'k':
		arguments->kpi = argument_number(state, "kpi", text, 301, 302);
		return 0;
	case 'p':
		parse_port(arguments, text, state);
		return 0;
	case 'c':
		add_counter(arguments, text, state);
		return 0;
	case OPTION_FROM:
		arguments->from_ns = argument_time(state, arguments->ctl, "from", text);
		return 0;
	case OPTION_TO:
		arguments->to_ns = argument_time(state, arguments->ctl, "to", text);
		return 0;
	case 's':
		arguments->step_seconds = argument_seconds(state, "step", text);
		return 0;
	case ARGP_KEY_END:
		if ((arguments->link == NULL) == (arguments->port == NULL))
			argp_error(state, "one of --link and --port is required");
		if (arguments->n_counters > 0 && arguments->port == NULL)
			argp_error(state, "--counter belongs to --port");
		if (arguments->from_ns >= arguments->to_ns)
			argp_error(state, "--from must be before --to");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

// ---- links

static void print_point(const struct kpi_query *query, const struct kpi_point *point) {
	char time[CSV_NUMBER_SIZE], value[CSV_NUMBER_SIZE];

	printf("%s,%s,", csv_from_time(point->ts_ns, time), csv_from_real(point->gbps, value));
	csv_write_text(stdout, query->link_id);
	printf(",%s\n", choice_word(&directions_choices, query->direction));
}

// One page; *ret_next is -1 at the end.
static int export_kpi_page(struct ctl *ctl, const struct kpi_query *query, int64_t *ret_next,
                           struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct kpi_series page;
	int rc;

	if ((rc = ctl_call(ctl, OP_QUERY_KPI, query, &page, &document, status)) < 0)
		return rc;
	if (query->page == 0)
		puts("timestamp_unix,value,link,direction");
	for (size_t i = 0; i < page.n_samples; i++)
		print_point(query, &page.samples[i]);
	*ret_next = -1;
	if (!HAS(&page, kpi_series, next_page))
		return 0;
	return page_after(query->page, page.next_page, ret_next, status);
}

static int export_link(struct ctl *ctl, const struct export_arguments *arguments, struct status *status) {
	struct kpi_query query;
	int64_t next = 0;
	int rc;

	kpi_query_init(&query);
	query.link_id = arguments->link;
	query.direction = arguments->direction;
	query.kpi = arguments->kpi;
	query.from_ns = arguments->from_ns;
	query.to_ns = arguments->to_ns;
	if (arguments->step_seconds > 0)
		SET(&query, kpi_query, step_seconds, arguments->step_seconds);
	while (next >= 0) {
		query.page = next;
		if ((rc = export_kpi_page(ctl, &query, &next, status)) < 0)
			return rc;
	}
	return 0;
}

// ---- ports

static void print_names(const struct port_series *page) {
	printf("timestamp_unix");
	for (size_t i = 0; i < page->n_names; i++) {
		putchar(',');
		csv_write_text(stdout, page->names[i]);
	}
	putchar('\n');
}

static void print_row(const uint64_t *row, size_t n_names) {
	char time[CSV_NUMBER_SIZE];

	fputs(csv_from_time((int64_t)row[0], time), stdout);
	for (size_t i = 1; i <= n_names; i++)
		printf(",%" PRIu64, row[i]);
	putchar('\n');
}

static int export_port_page(struct ctl *ctl, const struct port_query *query, int64_t *ret_next,
                            struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct port_series page;
	int rc;

	if ((rc = ctl_call(ctl, OP_QUERY_PORT, query, &page, &document, status)) < 0)
		return rc;
	if (query->page == 0)
		print_names(&page);
	for (size_t i = 0; i < page.n_rows; i++)
		print_row(page.rows + i * (1 + page.n_names), page.n_names);
	*ret_next = -1;
	if (!HAS(&page, port_series, next_page))
		return 0;
	return page_after(query->page, page.next_page, ret_next, status);
}

static int export_port(struct ctl *ctl, const struct export_arguments *arguments, struct status *status) {
	struct port_query query;
	int64_t next = 0;
	int rc;

	port_query_init(&query);
	query.host = arguments->host;
	query.name = arguments->port;
	query.counters = arguments->counters;
	query.n_counters = arguments->n_counters;
	query.from_ns = arguments->from_ns;
	query.to_ns = arguments->to_ns;
	if (arguments->step_seconds > 0)
		SET(&query, port_query, step_seconds, arguments->step_seconds);
	while (next >= 0) {
		query.page = next;
		if ((rc = export_port_page(ctl, &query, &next, status)) < 0)
			return rc;
	}
	return 0;
}

int command_export(struct ctl *ctl, int argc, char **argv, struct status *status) {
	const struct argp argp = {.options = export_options,
	                          .parser = parse_export,
	                          .doc = "Writes the history of a link or a port as CSV.",
	                          .children = common_children};
	struct export_arguments arguments = {
	        .ctl = ctl,
	        .kpi = 302,
	        .to_ns = ctl->now_ns + (LIMIT_FUTURE_SECONDS + 1) * NS_PER_SECOND,
	};
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	rc = arguments.link != NULL ? export_link(ctl, &arguments, status)
	                            : export_port(ctl, &arguments, status);
	free(arguments.counters);
	return rc;
}
