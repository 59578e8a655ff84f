// forecast link ID | topology ID: what capacity will be needed, and where the answer comes from.
// SPDX-License-Identifier: MIT
#include "cells.h"
#include "commands.h"
#include "forecast_plot.h"
#include "options.h"
#include "plot.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ARRAY_SIZE(ARRAY) (sizeof(ARRAY) / sizeof((ARRAY)[0]))

enum forecast_object { OF_LINK, OF_TOPOLOGY };

static const char *const object_words[] = {[OF_LINK] = "link", [OF_TOPOLOGY] = "topology"};
static const struct choices objects = {"objects", object_words, ARRAY_SIZE(object_words)};

struct forecast_arguments {
	int object;
	const char *id;
	struct link_forecast_query query; // also holds what is asked of a topology
	const char *plot;                 // file to draw into, or NULL
};

#define QUERY(FIELD) TO_FIELD(forecast_arguments, query, link_forecast_query, FIELD)

static const struct command_option options[] = {
        {"window", 'w', "TIME", "length of the window, such as 7d (required)", VALUE_SECONDS,
         QUERY(forecast_window_seconds)},
        {"start", 0, "TIME", "start of the window (default: now)", VALUE_TIME, QUERY(start_ns)},
        {"as-of", 0, "TIME", "answer as at that moment", VALUE_TIME, QUERY(as_of_ns)},
        {"statistic", 's', "WORD", "peak (default), mean or last", VALUE_CHOICE, QUERY(statistic),
         .choices = &statistics_choices},
        {"quantile", 'q', "NUMBER", "0.5 to 0.999 (default: 0.95)", VALUE_REAL, QUERY(quantile), .min = 0.5,
         .max = 0.999},
        {"model", 'm', "NAME", "a model (default: auto)", VALUE_ID, QUERY(model)},
        {"direction", 'd', "WORD", "forward (default) or reverse, of a link", VALUE_CHOICE, QUERY(direction),
         .choices = &directions_choices},
        {"series", 'S', NULL, "also the band over the window", VALUE_FLAG, QUERY(series)},
        {"peak-resolution", 0, "TIME", "length of the means that the peak is of", VALUE_SECONDS,
         QUERY(peak_resolution_seconds)},
        {"strict-history", 0, NULL, "use only the history that the window asks for", VALUE_FLAG,
         QUERY(strict_history)},
        {"plot", 'o', "FILE.png|.svg", "draw the band of a link's forecast behind its history", VALUE_TEXT,
         TO(forecast_arguments, plot)},
        {0},
};

static const struct command_option arguments_of[] = {
        {"link|topology", 0, NULL, "what is forecast", VALUE_CHOICE, TO(forecast_arguments, object),
         .choices = &objects, .required = true},
        {"ID", 0, NULL, "of the link or topology", VALUE_ID, TO(forecast_arguments, id), .required = true},
        {0},
};

static void check(const void *values, struct argp_state *state) {
	const struct forecast_arguments *arguments = values;
	struct status status;

	if (arguments->query.forecast_window_seconds <= 0)
		argp_error(state, "--window is required, such as --window 7d");
	if (arguments->object == OF_TOPOLOGY && HAS(&arguments->query, link_forecast_query, direction))
		argp_error(state, "--direction: a topology's forecast has both");
	if (arguments->plot != NULL && arguments->object == OF_TOPOLOGY)
		argp_error(state, "--plot draws one link");
	if (arguments->plot != NULL && plot_check_path(arguments->plot, &status) < 0)
		argp_error(state, "--plot: %s", status.message);
}

const struct command_form forecast_form = {
        .options = options,
        .arguments = arguments_of,
        .doc = "Forecasts the used capacity of a link, or of each link of a topology. Capacities are Gbps; "
               "free "
               "is total less forecast less reserved.",
        .check = check,
};

// ---- tables

static int add_forecast(struct table *table, const struct link_forecast *forecast) {
	bool has_total = HAS(forecast, link_forecast, total_capacity_gbps);
	char total[CELL_SIZE], current[CELL_SIZE], later[CELL_SIZE], reserved[CELL_SIZE], room[CELL_SIZE];
	const char *cells[] = {
	        forecast->link_id,
	        choice_word(&directions_choices, forecast->direction),
	        cell_gbps(has_total, forecast->total_capacity_gbps, total),
	        cell_gbps(true, forecast->current_used_capacity_gbps, current),
	        cell_gbps(true, forecast->forecast_used_capacity_gbps, later),
	        cell_gbps(true, forecast->reserved_gbps, reserved),
	        cell_gbps(has_total,
	                  forecast->total_capacity_gbps - forecast->forecast_used_capacity_gbps -
	                          forecast->reserved_gbps,
	                  room),
	        choice_word(&states_choices, forecast->state),
	        forecast->model,
	        forecast->fallback_reason,
	};

	return table_add(table, cells);
}

static int print_forecasts(const struct link_forecast *forecasts, size_t n) {
	static const struct table_column columns[] = {
	        {"LINK", false},    {"DIRECTION", false}, {"TOTAL", true}, {"NOW", true},
	        {"FORECAST", true}, {"RESERVED", true},   {"FREE", true},  {"STATE", false},
	        {"MODEL", false},   {"FALLBACK", false},
	};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if ((rc = table_new(columns, ARRAY_SIZE(columns), &table)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		if ((rc = add_forecast(table, &forecasts[i])) < 0)
			return rc;
	}
	return cells_print(table, "links", n);
}

static int print_series(const struct link_forecast *forecast) {
	static const struct table_column columns[] = {
	        {"UNTIL", false}, {"MEDIAN", true}, {"LOWER", true}, {"UPPER", true}};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if ((rc = table_new(columns, ARRAY_SIZE(columns), &table)) < 0)
		return rc;
	for (size_t i = 0; i < forecast->n_series; i++) {
		const struct band_point *point = &forecast->series[i];
		char until[TIME_TEXT_SIZE], median[CELL_SIZE], lower[CELL_SIZE], upper[CELL_SIZE];
		const char *cells[] = {
		        text_from_time_ns(point->ts_ns, until), cell_gbps(true, point->median, median),
		        cell_gbps(true, point->lower, lower), cell_gbps(true, point->upper, upper)};

		if ((rc = table_add(table, cells)) < 0)
			return rc;
	}
	printf("\n%s %s\n", forecast->link_id, choice_word(&directions_choices, forecast->direction));
	return cells_print(table, "series", forecast->n_series);
}

static void print_history(const struct link_forecast *forecast) {
	char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE], text[DURATION_TEXT_SIZE];

	if (!HAS(forecast, link_forecast, history_from_ns) || !HAS(forecast, link_forecast, history_to_ns)) {
		printf("history      none\n");
		return;
	}
	printf("history      %s to %s, %" PRId64 " samples",
	       text_from_time_ns(forecast->history_from_ns, from),
	       text_from_time_ns(forecast->history_to_ns, to), forecast->samples);
	if (HAS(forecast, link_forecast, staleness_seconds))
		printf(", the last %s old", text_from_seconds(forecast->staleness_seconds, text));
	putchar('\n');
}

static void print_provenance(const struct link_forecast *forecast) {
	char step[DURATION_TEXT_SIZE], resolution[DURATION_TEXT_SIZE];

	printf("\nmodel        %s, step %s, peak of means over %s\n", forecast->model,
	       text_from_seconds(forecast->step_seconds, step),
	       text_from_seconds(forecast->peak_resolution_seconds, resolution));
	if (forecast->fallback_reason != NULL)
		printf("fallback     %s\n", forecast->fallback_reason);
	print_history(forecast);
	if (HAS(forecast, link_forecast, backtest_mase))
		printf("backtest     MASE %.3g\n", forecast->backtest_mase);
	printf("calibration  %" PRId64 " windows", forecast->calibration_windows);
	if (HAS(forecast, link_forecast, coverage))
		printf(", covered %.1f %%", 100 * forecast->coverage);
	putchar('\n');
}

// ---- asking

static int forecast_link(struct ctl *ctl, const struct forecast_arguments *arguments, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct link_forecast_query query = arguments->query;
	struct link_forecast forecast;
	int rc;

	query.link_id = arguments->id;
	query.series |= arguments->plot != NULL;
	if ((rc = ctl_call(ctl, OP_FORECAST_LINK, &query, &forecast, &document, status)) < 0 ||
	    (arguments->plot != NULL &&
	     (rc = forecast_plot(ctl, &query, &forecast, arguments->plot, status)) < 0))
		return rc;
	if (ctl->json)
		return ctl_print_json(&link_forecast_message, &forecast);
	if ((rc = print_forecasts(&forecast, 1)) < 0)
		return rc;
	print_provenance(&forecast);
	return arguments->query.series ? print_series(&forecast) : 0;
}

static void query_of_topology(const struct forecast_arguments *arguments,
                              struct topology_forecast_query *query) {
	const struct link_forecast_query *from = &arguments->query;

	topology_forecast_query_init(query);
	query->topology_id = arguments->id;
	query->forecast_window_seconds = from->forecast_window_seconds;
	query->statistic = from->statistic;
	query->quantile = from->quantile;
	query->model = from->model;
	query->series = from->series;
	query->strict_history = from->strict_history;
	if (HAS(from, link_forecast_query, as_of_ns))
		SET(query, topology_forecast_query, as_of_ns, from->as_of_ns);
	if (HAS(from, link_forecast_query, start_ns))
		SET(query, topology_forecast_query, start_ns, from->start_ns);
	if (HAS(from, link_forecast_query, peak_resolution_seconds))
		SET(query, topology_forecast_query, peak_resolution_seconds, from->peak_resolution_seconds);
}

struct forecasts {
	struct topology_forecast body;
	struct replies replies;
};

static void forecasts_fini(struct forecasts *forecasts) {
	free(forecasts->body.link_capacities);
	free(forecasts->body.reservations);
	replies_fini(&forecasts->replies);
}

static int append_reservations(struct topology_forecast *all, const struct topology_forecast *page) {
	int rc = array_grow((void **)&all->reservations, all->n_reservations, page->n_reservations,
	                    sizeof(*page->reservations));

	if (rc < 0)
		return rc;
	if (page->n_reservations > 0)
		memcpy(all->reservations + all->n_reservations, page->reservations,
		       page->n_reservations * sizeof(*page->reservations));
	all->n_reservations += page->n_reservations;
	return 0;
}

static int append_page(struct topology_forecast *all, const struct topology_forecast *page) {
	int rc = array_grow((void **)&all->link_capacities, all->n_link_capacities, page->n_link_capacities,
	                    sizeof(*page->link_capacities));

	if (rc < 0)
		return rc;
	if (page->n_link_capacities > 0)
		memcpy(all->link_capacities + all->n_link_capacities, page->link_capacities,
		       page->n_link_capacities * sizeof(*page->link_capacities));
	all->n_link_capacities += page->n_link_capacities;
	return append_reservations(all, page);
}

static int fetch_forecasts(struct ctl *ctl, struct topology_forecast_query *query,
                           struct forecasts *forecasts, struct status *status) {
	int rc;

	for (;;) {
		struct document *document = NULL;
		struct topology_forecast page;

		if ((rc = ctl_call(ctl, OP_FORECAST_TOPOLOGY, query, &page, &document, status)) < 0 ||
		    (rc = replies_keep(&forecasts->replies, document)) < 0)
			return rc;
		if (query->page > 0 && page.version != forecasts->body.version)
			return status_set(status, STATUS_ABORTED,
			                  "topology '%s' changed while it was forecast; ask again",
			                  query->topology_id);
		forecasts->body.version = page.version;
		if ((rc = append_page(&forecasts->body, &page)) < 0)
			return rc;
		if (!HAS(&page, topology_forecast, next_page))
			return 0;
		if ((rc = page_after(query->page, page.next_page, &query->page, status)) < 0)
			return rc;
	}
}

static int forecast_topology(struct ctl *ctl, const struct forecast_arguments *arguments,
                             struct status *status) {
	CLEANUP(forecasts_fini) struct forecasts forecasts = {0};
	struct topology_forecast_query query;
	int rc;

	query_of_topology(arguments, &query);
	if ((rc = fetch_forecasts(ctl, &query, &forecasts, status)) < 0)
		return rc;
	if (ctl->json)
		return ctl_print_json(&topology_forecast_message, &forecasts.body);
	rc = print_forecasts(forecasts.body.link_capacities, forecasts.body.n_link_capacities);
	for (size_t i = 0; rc == 0 && query.series && i < forecasts.body.n_link_capacities; i++)
		rc = print_series(&forecasts.body.link_capacities[i]);
	return rc;
}

int command_forecast(struct ctl *ctl, int argc, char **argv, struct status *status) {
	struct forecast_arguments arguments = {0};

	link_forecast_query_init(&arguments.query);
	options_parse(ctl, &forecast_form, argc, argv, &arguments);
	if (arguments.object == OF_LINK)
		return forecast_link(ctl, &arguments, status);
	return forecast_topology(ctl, &arguments, status);
}
