// export: the history of a link or port as CSV on stdout, page by page; `import` reads the links' again.
// SPDX-License-Identifier: MIT
#include "clock.h"
#include "commands.h"
#include "csvtext.h"
#include "kpi_pages.h"
#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct export_arguments {
	const char *link;
	struct port_name port;
	int direction;
	int64_t kpi;
	int64_t from_ns, to_ns;
	double step_seconds; // 0: every sample
	int level, kpi_value, port_value;
	const char **counters;
	size_t n_counters;
};

static const struct command_option options[] = {
        {"link", 'l', "ID", "history of this link", VALUE_ID, TO(export_arguments, link)},
        {"direction", 'd', "WORD", "forward (default) or reverse, of the link", VALUE_CHOICE,
         TO(export_arguments, direction), .choices = &directions_choices},
        {"kpi", 'k', "NUMBER", "301 total, 302 used capacity (default)", VALUE_NUMBER,
         TO(export_arguments, kpi), .min = 301, .max = 302},
        {"port", 'p', "HOST/NAME", "counters of this port", VALUE_PORT, TO(export_arguments, port)},
        {"counter", 'c', "NAME", "only this counter; can be given more than once", VALUE_ID,
         TO_LIST(export_arguments, counters, n_counters)},
        {"from", 0, "TIME", "first time (default: all)", VALUE_TIME, TO(export_arguments, from_ns)},
        {"to", 0, "TIME", "end, not included (default: all)", VALUE_TIME, TO(export_arguments, to_ns)},
        {"step", 's', "TIME", "links: the mean over each step; ports: the last row of each", VALUE_SECONDS,
         TO(export_arguments, step_seconds)},
        {"level", 0, "WORD", "raw, 1s, 1min, 1h, or auto (default): the coarsest that gives the same answer",
         VALUE_CHOICE, TO(export_arguments, level), .choices = &query_levels_choices},
        {"kpi-value", 0, "WORD", "of each step of a link: mean (default), last, max or count", VALUE_CHOICE,
         TO(export_arguments, kpi_value), .choices = &kpi_values_choices},
        {"port-value", 0, "WORD",
         "of each step of a port: last (default), max_rate (a second) or rows (how many)", VALUE_CHOICE,
         TO(export_arguments, port_value), .choices = &port_values_choices},
        {0},
};

static void check(const void *values, struct argp_state *state) {
	const struct export_arguments *arguments = values;

	if ((arguments->link == NULL) == (arguments->port.name == NULL))
		argp_error(state, "one of --link and --port is required");
	if (arguments->n_counters > 0 && arguments->port.name == NULL)
		argp_error(state, "--counter belongs to --port");
	if (arguments->from_ns >= arguments->to_ns)
		argp_error(state, "--from must be before --to");
}

const struct command_form export_form = {
        .options = options,
        .doc = "Writes the history of a link or a port as CSV.",
        .check = check,
};

// ---- links

static void print_point(const struct kpi_query *query, const struct kpi_point *point) {
	char time[CSV_NUMBER_SIZE], value[CSV_NUMBER_SIZE];

	printf("%s,%s,", csv_from_time(point->ts_ns, time), csv_from_real(point->gbps, value));
	csv_write_text(stdout, query->link_id);
	printf(",%s\n", choice_word(&directions_choices, query->direction));
}

struct printing {
	const struct kpi_query *query;
	bool begun;
};

static int print_points(void *context, const struct kpi_point *points, size_t n) {
	struct printing *printing = context;

	if (!printing->begun)
		puts("timestamp_unix,value,link,direction");
	printing->begun = true;
	for (size_t i = 0; i < n; i++)
		print_point(printing->query, &points[i]);
	return 0;
}

static int export_link(struct ctl *ctl, const struct export_arguments *arguments, struct status *status) {
	struct kpi_query query;
	struct printing printing = {.query = &query};

	kpi_query_init(&query);
	query.link_id = arguments->link;
	query.direction = arguments->direction;
	query.kpi = arguments->kpi;
	query.from_ns = arguments->from_ns;
	query.to_ns = arguments->to_ns;
	query.level = arguments->level;
	query.value = arguments->kpi_value;
	if (arguments->step_seconds > 0)
		SET(&query, kpi_query, step_seconds, arguments->step_seconds);
	return kpi_pages(ctl, &query, print_points, &printing, status);
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
	query.host = arguments->port.host;
	query.name = arguments->port.name;
	query.counters = arguments->counters;
	query.n_counters = arguments->n_counters;
	query.from_ns = arguments->from_ns;
	query.to_ns = arguments->to_ns;
	query.level = arguments->level;
	query.value = arguments->port_value;
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
	struct export_arguments arguments = {
	        .kpi = 302,
	        .to_ns = ctl->now_ns + (LIMIT_FUTURE_SECONDS + 1) * NS_PER_SECOND,
	};
	int rc;

	options_parse(ctl, &export_form, argc, argv, &arguments);
	rc = arguments.link != NULL ? export_link(ctl, &arguments, status)
	                            : export_port(ctl, &arguments, status);
	free(arguments.counters);
	return rc;
}
