// How good the forecasts are on a CSV of `timestamp_unix,value[,link]`: rolling origins over each link, the
// error of the path against `last` and `seasonal` at the same moments, and how often the window stayed under
// the answer. Prints one row for each window length. Not a test: nothing here passes or fails.
// SPDX-License-Identifier: MIT
#include "forecast.h"

#include "cleanup.h"
#include "clock.h"
#include "csvfile.h"
#include "table.h"
#include "text.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WINDOWS = 16, MOST_QUANTILES = 3 };

static const double quantiles[MOST_QUANTILES] = {0.9, 0.95, 0.99};
static const char *const peers[] = {"last", "seasonal"};
enum { N_PEERS = sizeof(peers) / sizeof(peers[0]) };

struct options {
	const char *path;
	const char *model;
	double windows[MOST_WINDOWS];
	size_t n_windows;
	size_t origins; // of each link and window
	bool strict;
};

// ---- the data

struct traffic {
	char *name;
	struct kpi_point *points;
	size_t n, room;
};

struct traffics {
	struct traffic *at;
	size_t n;
	int time, value, link; // columns
};

static void links_fini(struct traffics *links) {
	for (size_t i = 0; i < links->n; i++) {
		free(links->at[i].name);
		free(links->at[i].points);
	}
	free(links->at);
}

static struct traffic *find_link(struct traffics *links, const char *name) {
	struct traffic *grown;

	if (links->n > 0 && strcmp(links->at[links->n - 1].name, name) == 0)
		return &links->at[links->n - 1];
	for (size_t i = 0; i < links->n; i++) {
		if (strcmp(links->at[i].name, name) == 0)
			return &links->at[i];
	}
	grown = realloc(links->at, (links->n + 1) * sizeof(*grown));
	if (grown == NULL)
		return NULL;
	links->at = grown;
	grown[links->n] = (struct traffic){.name = strdup(name)};
	return &grown[links->n++];
}

static int add_point(struct traffic *link, int64_t ts_ns, double value) {
	if (link->n == link->room) {
		size_t room = 2 * link->room + 1024;
		struct kpi_point *grown = realloc(link->points, room * sizeof(*grown));

		if (grown == NULL)
			return -ENOMEM;
		link->points = grown;
		link->room = room;
	}
	link->points[link->n++] = (struct kpi_point){ts_ns, value};
	return 0;
}

static int read_row(void *context, const struct csv_row *row) {
	struct traffics *links = context;
	int64_t ts_ns;
	double value;
	struct traffic *link;

	if (row->line == 1) {
		links->time = csv_column(row, "timestamp_unix");
		links->value = csv_column(row, "value");
		links->link = csv_column(row, "link");
		return links->time < 0 || links->value < 0 ? -EBADMSG : 0;
	}
	if (row->n_fields <= (size_t)links->time || row->n_fields <= (size_t)links->value)
		return -EBADMSG;
	if (text_to_time_ns(row->fields[links->time], 0, &ts_ns) < 0 ||
	    text_to_real(row->fields[links->value], &value) < 0)
		return -EBADMSG;
	link = find_link(links, links->link >= 0 ? row->fields[links->link] : "");
	return link == NULL ? -ENOMEM : add_point(link, ts_ns, fmax(value, 0));
}

// ---- the measurement

struct score {
	double log_peers[N_PEERS]; // of our error over the peer's, summed over links
	size_t links;
	size_t asked, covered[MOST_QUANTILES];
	double excess[MOST_QUANTILES]; // answer / truth, summed
	double cpu_seconds;
	size_t forecasts;
	size_t reasons;
};

struct truth {
	const struct kpi_point *points;
	size_t n;
};

static struct truth window_of(const struct traffic *link, int64_t from_ns, int64_t to_ns) {
	struct truth truth = {link->points, 0};

	while (truth.points < link->points + link->n && truth.points->ts_ns <= from_ns)
		truth.points++;
	while (truth.points + truth.n < link->points + link->n && truth.points[truth.n].ts_ns <= to_ns)
		truth.n++;
	return truth;
}

// Mean absolute distance of a median path from the points of its window.
static double path_error(const struct forecast *forecast, struct truth truth) {
	double sum = 0;
	size_t k = 0;

	for (size_t i = 0; i < truth.n; i++) {
		while (k + 1 < forecast->n_series && forecast->series[k].ts_ns < truth.points[i].ts_ns)
			k++;
		sum += fabs(forecast->series[k].median - truth.points[i].gbps);
	}
	return sum / (double)truth.n;
}

// The highest mean over 'resolution' seconds, counted from the start of the window.
static double peak_of(struct truth truth, int64_t from_ns, double resolution) {
	double peak = 0;

	for (size_t i = 0; i < truth.n;) {
		double bin = floor((double)(truth.points[i].ts_ns - from_ns - 1) / 1e9 / resolution);
		double sum = 0;
		size_t n = 0;

		while (i < truth.n &&
		       (double)(truth.points[i].ts_ns - from_ns - 1) / 1e9 < (bin + 1) * resolution) {
			sum += truth.points[i++].gbps;
			n++;
		}
		peak = fmax(peak, sum / (double)n);
	}
	return peak;
}

static double ask(const struct traffic *link, struct forecast_query *query, const char *model,
                  struct truth truth, struct score *score) {
	struct forecast forecast;
	double error;

	query->model = model;
	if (forecast_compute(link->points, link->n, query, &forecast) < 0)
		return NAN;
	error = path_error(&forecast, truth);
	if (score != NULL && forecast.fallback_reason[0] != '\0')
		score->reasons++;
	forecast_fini(&forecast);
	return error;
}

static void ask_peaks(const struct traffic *link, struct forecast_query *query, const char *model,
                      struct truth truth, struct score *score) {
	query->model = model;
	query->series = false;
	for (int i = 0; i < MOST_QUANTILES; i++) {
		int64_t before = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
		struct forecast forecast;
		double peak;

		query->quantile = quantiles[i];
		if (forecast_compute(link->points, link->n, query, &forecast) < 0)
			return;
		score->cpu_seconds += (double)(clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - before) / 1e9;
		score->forecasts++;
		peak = peak_of(truth, query->start_ns, forecast.peak_resolution_seconds);
		score->covered[i] += peak <= forecast.value_gbps;
		if (peak > 0)
			score->excess[i] += forecast.value_gbps / peak;
		forecast_fini(&forecast);
	}
	score->asked++;
}

// The last two fifths of a link are asked about, each time with all that came before.
static void measure_link(const struct traffic *link, double window, const struct options *options,
                         struct score *score) {
	int64_t window_ns = (int64_t)(window * 1e9), first_ns = link->points[0].ts_ns;
	int64_t last_ns = link->points[link->n - 1].ts_ns - window_ns;
	int64_t from_ns = first_ns + (last_ns + window_ns - first_ns) * 3 / 5;
	double own = 0, theirs[N_PEERS] = {0};
	size_t n = 0;

	for (size_t i = 0; i < options->origins && from_ns < last_ns; i++) {
		struct forecast_query query = {.quantile = 0.95,
		                               .series = true,
		                               .window_seconds = window,
		                               .statistic = STATISTIC_PEAK,
		                               .history_ratio = FORECAST_HISTORY_RATIO,
		                               .strict_history = options->strict};
		struct truth truth;

		query.now_ns = query.start_ns =
		        from_ns + (last_ns - from_ns) / (int64_t)options->origins * (int64_t)i;
		truth = window_of(link, query.now_ns, query.now_ns + window_ns);
		if (truth.n == 0)
			continue;
		own += ask(link, &query, options->model, truth, score);
		for (int k = 0; k < N_PEERS; k++)
			theirs[k] += ask(link, &query, peers[k], truth, NULL);
		ask_peaks(link, &query, options->model, truth, score);
		n++;
	}
	if (n == 0 || !(own > 0))
		return;
	score->links++;
	for (int k = 0; k < N_PEERS; k++)
		score->log_peers[k] += log(own / theirs[k]);
}

static int add_row(struct table *table, double window, const struct score *score) {
	char cells[10][32];
	const char *row[10];
	double links = (double)score->links, asked = (double)score->asked;

	text_from_seconds(window, cells[0]);
	snprintf(cells[1], sizeof(cells[1]), "%zu", score->asked);
	for (int k = 0; k < N_PEERS; k++)
		snprintf(cells[2 + k], sizeof(cells[0]), "%.3f", exp(score->log_peers[k] / links));
	for (int i = 0; i < MOST_QUANTILES; i++)
		snprintf(cells[4 + i], sizeof(cells[0]), "%.3f", (double)score->covered[i] / asked);
	snprintf(cells[7], sizeof(cells[7]), "%.2f", score->excess[1] / asked);
	snprintf(cells[8], sizeof(cells[8]), "%.2f", 1e3 * score->cpu_seconds / (double)score->forecasts);
	snprintf(cells[9], sizeof(cells[9]), "%zu", score->reasons);
	for (int i = 0; i < 10; i++)
		row[i] = cells[i];
	return table_add(table, row);
}

static int measure(const struct traffics *links, const struct options *options) {
	static const struct table_column columns[] = {
	        {"window", false}, {"windows", true},   {"error/last", true}, {"error/seasonal", true},
	        {"p90", true},     {"p95", true},       {"p99", true},        {"p95/truth", true},
	        {"CPU ms", true},  {"fallbacks", true},
	};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t w = 0; w < options->n_windows; w++) {
		struct score score = {0};

		for (size_t i = 0; i < links->n; i++)
			measure_link(&links->at[i], options->windows[w], options, &score);
		if (score.asked > 0 && (rc = add_row(table, options->windows[w], &score)) < 0)
			return rc;
	}
	return table_print(table, stdout);
}

// ---- the command

static error_t parse(int key, char *argument, struct argp_state *state) {
	struct options *options = state->input;
	uint64_t origins;

	switch (key) {
	case 'w':
		if (options->n_windows == MOST_WINDOWS ||
		    text_to_seconds(argument, &options->windows[options->n_windows]) < 0)
			argp_error(state, "not a window: %s", argument);
		options->n_windows++;
		return 0;
	case 'm':
		options->model = argument;
		return 0;
	case 'n':
		if (text_to_u64(argument, &origins) < 0 || origins == 0)
			argp_error(state, "not a number of origins: %s", argument);
		options->origins = origins;
		return 0;
	case 's':
		options->strict = true;
		return 0;
	case ARGP_KEY_ARG:
		if (options->path != NULL)
			argp_usage(state);
		options->path = argument;
		return 0;
	case ARGP_KEY_END:
		if (options->path == NULL)
			argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int main(int argc, char **argv) {
	static const struct argp_option described[] = {
	        {"window", 'w', "DURATION", 0, "a window to forecast; may be given again (1h and 1d)", 0},
	        {"model", 'm', "NAME", 0, "default: auto", 0},
	        {"origins", 'n', "N", 0, "moments of each link (12)", 0},
	        {"strict-history", 's', NULL, 0, "only ten windows of history", 0},
	        {0},
	};
	static const struct argp argp = {.options = described, .parser = parse, .args_doc = "CSV"};
	struct options options = {.model = "auto", .origins = 12};
	CLEANUP(links_fini) struct traffics links = {0};
	size_t line = 0;
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (options.n_windows == 0) {
		options.windows[options.n_windows++] = 3600;
		options.windows[options.n_windows++] = 86400;
	}
	rc = csv_read(options.path, read_row, &links, &line);
	if (rc == 0)
		rc = measure(&links, &options);
	if (rc < 0)
		fprintf(stderr, "%s: %s (line %zu)\n", options.path, strerror(-rc), line);
	return rc < 0;
}
