// bench_learners: what forest and boosting cost on lags of one series, and how good they are. Reads a CSV with
// a column of values, fits on the first 80 %, tells CPU seconds, peak memory, size, errors on the rest, and the
// time of one row predicted with its features updated. One line of key=value pairs; bench_learners.py sets it
// beside the peers.
// SPDX-License-Identifier: MIT
#include "clock.h"
#include "csvfile.h"
#include "learner.h"
#include "text.h"
#include "trained_file.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define START_NS (INT64_C(1704067200) * NS_PER_SECOND) // a Monday, as `analyticsctl simulate` begins

struct reading {
	struct lagged_series *series;
	const char *column_name;
	int column;
};

static int on_row(void *context, const struct csv_row *row) {
	struct reading *reading = context;
	double value;

	if (row->line == 1)
		return (reading->column = csv_column(row, reading->column_name)) < 0 ? -EINVAL : 0;
	if (text_to_real(row->fields[reading->column], &value) < 0)
		return -EINVAL;
	return lagged_series_add(reading->series, value);
}

static double cpu_seconds(void) {
	return (double)clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
}

static void test(const struct learner *learner, const struct lagged_series *series, size_t n_train) {
	struct lagged_bytes bytes = {0};

	if (lagged_bytes_update(&bytes, &learner->bins, series) < 0)
		exit(1);
	for (size_t k = 0; k < learner->n_horizons; k++) {
		double absolute = 0, squares = 0;
		size_t ahead = learner->horizons[k].steps, n = 0;
		int64_t start = clock_mono_ns();

		for (size_t t = n_train; t + ahead <= series->n; t++, n++) {
			double error = series->values[t + ahead - 1] -
			               learner_predict(learner, series, &bytes, t, k);

			absolute += fabs(error);
			squares += error * error;
		}
		printf(" h%zu_mae=%.1f h%zu_rmse=%.1f h%zu_us=%.2f", ahead, absolute / (double)n, ahead,
		       sqrt(squares / (double)n), ahead, (double)(clock_mono_ns() - start) / 1e3 / (double)n);
	}
	lagged_bytes_fini(&bytes);
}

// As it is live: a value arrives, is added, and the next is predicted.
static void time_rows(const struct learner *learner, const struct lagged_series *series, size_t n_train) {
	struct lagged_series live;
	struct lagged_bytes bytes = {0};
	double sum = 0;
	int64_t start;
	size_t n = 0;

	lagged_series_init(&live, series->start_ns, series->step_seconds);
	for (size_t t = 0; t < n_train; t++)
		(void)lagged_series_add(&live, series->values[t]);
	(void)lagged_bytes_update(&bytes, &learner->bins, &live);
	start = clock_mono_ns();
	for (size_t t = n_train; t < series->n && n < 50000; t++, n++) {
		(void)lagged_series_add(&live, series->values[t]);
		(void)lagged_bytes_update(&bytes, &learner->bins, &live);
		sum += learner_predict(learner, &live, &bytes, live.n, 0);
	}
	printf(" live_us=%.2f check=%.0f", (double)(clock_mono_ns() - start) / 1e3 / (double)n, sum);
	lagged_bytes_fini(&bytes);
	lagged_series_fini(&live);
}

// What the model takes as a file, without the history that is kept with it.
static size_t size_of(const struct learner *learner, const struct learner_options *options) {
	struct trained trained = {.name = "forest",
	                          .step_seconds = options->shape.step_seconds,
	                          .n_horizons = learner->n_horizons,
	                          .is_learner = true,
	                          .learner = *learner};
	struct bytes bytes = {0};

	if (trained_to_bytes(&trained, &bytes) < 0)
		return 0;
	free(bytes.data);
	return bytes.size;
}

struct arguments {
	const char *path, *column;
	struct learner_options options;
	struct ensemble_options given; // 0: not given
	int patience;                  // -1: not given
};

static const struct argp_option argp_options[] = {
        {"model", 'm', "NAME", 0, "forest or boost (default)", 0},
        {"column", 'c', "NAME", 0, "of the values (default: rx_packets)", 0},
        {"lags", 'l', "NUMBER", 0, "(default: 300)", 0},
        {"window", 'w', "NUMBER", 0, "(default: 300)", 0},
        {"horizon", 'h', "NUMBER", 0, "steps; can be given more than once", 0},
        {"trees", 't', "NUMBER", 0, "(default: the model's)", 0},
        {"share", 's', "NUMBER", 0, "of the rows for each tree", 0},
        {"threads", 'j', "NUMBER", 0, "(default: 1)", 0},
        {"plain", 'p', NULL, 0, "only the demo's features: lags, mean, deviation, hour, weekday", 0},
        {"patience", 'P', "NUMBER", 0, "boosting: trees without help before it ends; 0: never", 0},
        {"least-rows", 'r', "NUMBER", 0, "in a leaf", 0},
        {"no-linear", 'n', NULL, 0, "boosting starts from the mean, not from a regression", 0},
        {0},
};

static error_t parse(int key, char *text, struct argp_state *state) {
	struct arguments *arguments = state->input;
	struct learner_options *options = &arguments->options;

	switch (key) {
	case 'm':
		options->ensemble = strcmp(text, "forest") == 0 ? forest_defaults : boost_defaults;
		return 0;
	case 'c':
		arguments->column = text;
		return 0;
	case 'l':
		options->shape.n_lags = (uint32_t)atoi(text);
		return 0;
	case 'w':
		options->shape.window = (uint32_t)atoi(text);
		return 0;
	case 'h':
		if (options->n_horizons < LEARNER_HORIZONS)
			options->horizons[options->n_horizons++] = (size_t)atoll(text);
		return 0;
	case 't':
		arguments->given.n_trees = (size_t)atoi(text);
		return 0;
	case 's':
		arguments->given.share = atof(text);
		return 0;
	case 'j':
		arguments->given.n_threads = atoi(text);
		return 0;
	case 'p':
		options->shape.seasons = false;
		return 0;
	case 'P':
		arguments->patience = atoi(text);
		return 0;
	case 'r':
		arguments->given.least_rows = (size_t)atoi(text);
		return 0;
	case 'n':
		options->linear = false;
		return 0;
	case ARGP_KEY_ARG:
		arguments->path = text;
		return 0;
	case ARGP_KEY_END:
		if (arguments->path == NULL)
			argp_usage(state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static void settle(struct arguments *arguments) {
	struct learner_options *options = &arguments->options;
	const struct ensemble_options *given = &arguments->given;

	options->linear &= options->ensemble.boosted;
	options->ensemble.n_threads = given->n_threads > 0 ? given->n_threads : 1;
	if (given->n_trees > 0)
		options->ensemble.n_trees = given->n_trees;
	if (given->share > 0)
		options->ensemble.share = given->share;
	if (given->least_rows > 0)
		options->ensemble.least_rows = given->least_rows;
	if (arguments->patience >= 0)
		options->ensemble.patience = (size_t)arguments->patience;
	if (options->n_horizons == 0)
		options->horizons[options->n_horizons++] = 1;
}

int main(int argc, char **argv) {
	static const struct argp argp = {argp_options, parse, "FILE.csv", NULL, NULL, NULL, NULL};
	struct arguments arguments = {
	        .column = "rx_packets",
	        .patience = -1,
	        .options = {.shape = {300, 300, 1, true, false}, .ensemble = boost_defaults, .linear = true}};
	struct lagged_series series;
	struct reading reading = {.series = &series};
	struct learner learner;
	struct rusage usage;
	size_t line = 0, n_train;
	double cpu;
	int rc;

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	settle(&arguments);
	reading.column_name = arguments.column;
	lagged_series_init(&series, START_NS, arguments.options.shape.step_seconds);
	if ((rc = csv_read(arguments.path, on_row, &reading, &line)) < 0) {
		fprintf(stderr, "%s:%zu: %s\n", arguments.path, line, strerror(-rc));
		return 1;
	}
	n_train = series.n * 8 / 10;
	cpu = cpu_seconds();
	if ((rc = learner_fit(&series, n_train, &arguments.options, NULL, &learner)) < 0) {
		fprintf(stderr, "fit: %s\n", strerror(-rc));
		return 1;
	}
	cpu = cpu_seconds() - cpu;
	getrusage(RUSAGE_SELF, &usage);
	printf("rows=%zu features=%zu trees=%zu cpu=%.2f peak_mb=%.1f bytes=%zu",
	       n_train - arguments.options.shape.n_lags - arguments.options.horizons[0] + 1,
	       lagged_features(&arguments.options.shape), learner.horizons[0].ensemble.n_trees, cpu,
	       (double)usage.ru_maxrss / 1024, size_of(&learner, &arguments.options));
	test(&learner, &series, n_train);
	time_rows(&learner, &series, n_train);
	putchar('\n');
	learner_fini(&learner);
	lagged_series_fini(&series);
	return 0;
}
