// evaluate --failures: how well failures are told beforehand, on files with labels, beside naive rules. Needs no daemon:
// the tests and the training are the daemon's own (detect/).
//
// A file is one port: columns of counts of a second with the names of counters, and `up`, `latency`, `label` (normal,
// degrading, failed) and `fault`, as `simulate --profile failure` writes them; or a time and a value, and a column that is
// not 0 where something was wrong.
// SPDX-License-Identifier: MIT
#include "cells.h"
#include "clock.h"
#include "commands.h"
#include "options.h"
#include "text.h"
#include "timefile.h"
#include "trial.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRAINING_SHARE 0.6 // of a file, when none is given to learn from

struct evaluate_arguments {
	bool failures;
	const char **tests, **trainings;
	size_t n_tests, n_trainings;
	const char *value_column, *label_column, *leave_out;
	double horizon, warning, probability, false_alarms;
	int64_t seed;
};

static const struct command_option options[] = {
        {"failures", 0, NULL, "judge failure prediction, not forecasts", VALUE_FLAG,
         TO(evaluate_arguments, failures)},
        {"input-csv", 'i', "FILE", "a port to try it on; may be given again", VALUE_TEXT,
         TO_LIST(evaluate_arguments, tests, n_tests)},
        {"train-csv", 0, "FILE",
         "a port to learn from; may be given again (default: the first 60 % of each file)", VALUE_TEXT,
         TO_LIST(evaluate_arguments, trainings, n_trainings)},
        {"target-col", 0, "NAME", "of a series that is no port's (default: value)", VALUE_TEXT,
         TO(evaluate_arguments, value_column)},
        {"label-col", 0, "NAME", "what was true (default: label, else anomaly_window)", VALUE_TEXT,
         TO(evaluate_arguments, label_column)},
        {"leave-out", 0, "FAULT", "a kind of fault that is not learnt", VALUE_TEXT,
         TO(evaluate_arguments, leave_out)},
        {"horizon", 0, "TIME", "of the predictor (default: 15m)", VALUE_SECONDS,
         TO(evaluate_arguments, horizon)},
        {"warning-window", 0, "TIME",
         "before a failure without known first signs, in which an alarm is right (default: 1h)",
         VALUE_SECONDS, TO(evaluate_arguments, warning)},
        {"probability", 0, "P", "from which on a predicted failure is an alarm (default: 0.5)", VALUE_REAL,
         TO(evaluate_arguments, probability), 0.01, 1},
        {"false-alarms", 0, "NUMBER", "a week, that the tests of a port are set to (default: 1)", VALUE_REAL,
         TO(evaluate_arguments, false_alarms), 1e-6, 1e6},
        {"seed", 'r', "NUMBER", "of the training (default: 1)", VALUE_NUMBER, TO(evaluate_arguments, seed), 0,
         9e18},
        {0},
};

static void check(const void *values, struct argp_state *state) {
	const struct evaluate_arguments *arguments = values;

	if (arguments->n_tests == 0)
		argp_error(state, "--input-csv is required");
}

const struct command_form evaluate_failures_form = {
        .options = options,
        .doc = "Tells how many failures of labelled data were told of before they began, how long before, "
               "and how many "
               "alarms were false, beside naive rules. Nothing is tried on what was learnt from.",
        .check = check,
};

// ---- a file

enum use { LEARN, TEST, SPLIT_LEARN, SPLIT_TEST };

enum column {
	COLUMN_UP = N_PORT_COUNTERS,
	COLUMN_LATENCY,
	COLUMN_LABEL,
	COLUMN_FAULT,
	COLUMN_VALUE,
	N_COLUMNS
};

struct series {
	const struct evaluate_arguments *arguments;
	struct trial *trial;
	enum use use;
	int columns[N_COLUMNS]; // or a negative errno
	int64_t last_ns, split_ns;
	bool was_up;
};

static int find_columns(void *context, const struct csv_row *names, struct status *status) {
	struct series *series = context;
	const struct evaluate_arguments *arguments = series->arguments;

	for (int i = 0; i < N_PORT_COUNTERS; i++)
		series->columns[i] = csv_column(names, port_counters[i].name);
	series->columns[COLUMN_UP] = csv_column(names, "up");
	series->columns[COLUMN_LATENCY] = csv_column(names, "latency");
	series->columns[COLUMN_FAULT] = csv_column(names, "fault");
	series->columns[COLUMN_VALUE] = csv_column(names, arguments->value_column);
	series->columns[COLUMN_LABEL] =
	        csv_column(names, arguments->label_column != NULL ? arguments->label_column : "label");
	if (series->columns[COLUMN_LABEL] < 0 && arguments->label_column == NULL)
		series->columns[COLUMN_LABEL] = csv_column(names, "anomaly_window");
	if (series->columns[COLUMN_LABEL] < 0)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "no column tells what was true (--label-col)");
	if (series->columns[COUNTER_rx_packets] < 0 && series->columns[COLUMN_VALUE] < 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "neither rx_packets nor a column '%s'",
		                  arguments->value_column);
	return 0;
}

static const char *field(const struct series *series, const struct csv_row *row, int column) {
	int at = series->columns[column];

	return at >= 0 && (size_t)at < row->n_fields ? row->fields[at] : NULL;
}

static int read_number(const struct series *series, const struct csv_row *row, int column, double fallback,
                       double *ret, struct status *status) {
	const char *text = field(series, row, column);

	*ret = fallback;
	if (text == NULL || text[0] == '\0')
		return 0;
	if (text_to_real(text, ret) < 0 || *ret < 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "'%s': not a number of 0 or more", text);
	return 0;
}

static void read_truth(const struct series *series, const struct csv_row *row, struct trial_row *ret) {
	const char *label = field(series, row, COLUMN_LABEL);
	double number;

	ret->kind = field(series, row, COLUMN_FAULT);
	if (label == NULL)
		return;
	ret->degrading = strcmp(label, "degrading") == 0;
	ret->failed = strcmp(label, "failed") == 0 || (text_to_real(label, &number) == 0 && number != 0);
}

// Counts are of one second, however far the rows are apart.
static int read_row(struct series *series, const struct csv_row *row, struct trial_row *ret,
                    struct status *status) {
	struct observation *o = &ret->observation;
	double up;
	int rc;

	for (int i = 0; i < N_PORT_COUNTERS; i++) {
		if ((rc = read_number(series, row, i, 0, &o->counters[i], status)) < 0)
			return rc;
		o->counters[i] *= o->seconds;
	}
	if ((rc = read_number(series, row, COLUMN_UP, 1, &up, status)) < 0 ||
	    (rc = read_number(series, row, COLUMN_LATENCY, NAN, &o->latency_ms, status)) < 0)
		return rc;
	o->up = up != 0;
	o->speed_bps = NAN;
	o->n_down = series->was_up && !o->up;
	series->was_up = o->up;
	ret->value = NAN;
	if (series->columns[COUNTER_rx_packets] < 0) {
		if ((rc = read_number(series, row, COLUMN_VALUE, 0, &ret->value, status)) < 0)
			return rc;
		o->counters[COUNTER_rx_packets] = ret->value * o->seconds;
	}
	return 0;
}

static int take_row(void *context, int64_t ts_ns, const struct csv_row *row, struct status *status) {
	struct series *series = context;
	struct trial_row taken = {.observation = {.ts_ns = ts_ns}};
	int64_t last_ns = series->last_ns;
	int rc;

	series->last_ns = ts_ns;
	if (last_ns == INT64_MIN)
		return 0; // how long the first one took isn't known
	if (ts_ns <= last_ns)
		return status_set(status, STATUS_INVALID_ARGUMENT, "times must go up");
	taken.observation.seconds = (double)(ts_ns - last_ns) / (double)NS_PER_SECOND;
	if ((rc = read_row(series, row, &taken, status)) < 0)
		return rc;
	read_truth(series, row, &taken);
	switch (series->use) {
	case LEARN:
		return trial_learn(series->trial, &taken, series->arguments->leave_out);
	case TEST:
		return trial_test(series->trial, &taken, true);
	case SPLIT_LEARN:
		return ts_ns < series->split_ns
		               ? trial_learn(series->trial, &taken, series->arguments->leave_out)
		               : 0;
	default:
		return trial_test(series->trial, &taken, ts_ns >= series->split_ns);
	}
}

static int read_file(const struct evaluate_arguments *arguments, struct trial *trial, const char *path,
                     enum use use, int64_t split_ns, struct status *status) {
	struct series series = {.arguments = arguments,
	                        .trial = trial,
	                        .use = use,
	                        .last_ns = INT64_MIN,
	                        .split_ns = split_ns,
	                        .was_up = true};
	struct timefile_reader reader = {find_columns, take_row, &series};
	int rc;

	if ((rc = trial_next_port(trial)) < 0)
		return rc;
	return timefile_read(path, &reader, status);
}

// ---- the span of a file, to divide it

struct span {
	int64_t first_ns, last_ns;
	bool is_port;
};

static int look_for_port(void *context, const struct csv_row *names, struct status *status) {
	(void)status;
	((struct span *)context)->is_port = csv_column(names, port_counters[COUNTER_rx_packets].name) >= 0;
	return 0;
}

static int widen(void *context, int64_t ts_ns, const struct csv_row *row, struct status *status) {
	struct span *span = context;

	(void)row;
	(void)status;
	if (span->first_ns == 0)
		span->first_ns = ts_ns;
	span->last_ns = ts_ns;
	return 0;
}

static int find_split(const char *path, int64_t *ret, struct status *status) {
	struct span span = {0};
	struct timefile_reader reader = {look_for_port, widen, &span};
	int rc = timefile_read(path, &reader, status);

	// a series that is no port's has nothing to train: all of it is tried
	*ret = !span.is_port
	               ? INT64_MIN
	               : span.first_ns + (int64_t)((double)(span.last_ns - span.first_ns) * TRAINING_SHARE);
	return rc;
}

// ---- learning and trying

static int learn(const struct evaluate_arguments *arguments, struct trial *trial, int64_t *splits,
                 struct status *status) {
	int rc = 0;

	for (size_t i = 0; i < arguments->n_trainings && rc == 0; i++)
		rc = read_file(arguments, trial, arguments->trainings[i], LEARN, 0, status);
	for (size_t i = 0; i < arguments->n_tests && arguments->n_trainings == 0 && rc == 0; i++) {
		rc = find_split(arguments->tests[i], &splits[i], status);
		if (rc == 0)
			rc = read_file(arguments, trial, arguments->tests[i], SPLIT_LEARN, splits[i], status);
	}
	if (rc < 0)
		return rc;
	rc = trial_train(trial);
	return rc == -ENODATA ? 0 : rc; // the tests need no training
}

static int try_all(const struct evaluate_arguments *arguments, struct trial *trial, const int64_t *splits,
                   struct status *status) {
	int rc = 0;

	for (size_t i = 0; i < arguments->n_tests && rc == 0; i++)
		rc = read_file(arguments, trial, arguments->tests[i],
		               arguments->n_trainings > 0 ? TEST : SPLIT_TEST, splits[i], status);
	return rc;
}

// ---- telling

#define SET_IF(BODY, MESSAGE, FIELD, VALUE)                                                                  \
	do {                                                                                                 \
		double set_if_value = (VALUE);                                                               \
		if (isfinite(set_if_value))                                                                  \
			SET(BODY, MESSAGE, FIELD, set_if_value);                                             \
	} while (0)

static void fill_score(const struct trial_result *result, struct failure_score *ret) {
	failure_score_init(ret);
	ret->method = result->name;
	ret->threshold = result->threshold;
	ret->events = (int64_t)result->events;
	ret->warned = (int64_t)result->warned;
	ret->found = (int64_t)result->found;
	ret->alarms = (int64_t)result->alarms;
	ret->pr_auc = result->pr_auc;
	SET_IF(ret, failure_score, precision, result->precision);
	SET_IF(ret, failure_score, recall, result->recall);
	SET_IF(ret, failure_score, false_alarms_per_day, result->false_per_day);
	SET_IF(ret, failure_score, median_lead_seconds, result->lead_seconds);
	SET_IF(ret, failure_score, median_lead_share, result->lead_share);
	SET_IF(ret, failure_score, budget_threshold, result->budget_threshold);
	SET_IF(ret, failure_score, budget_recall, result->budget_recall);
	SET_IF(ret, failure_score, budget_lead_share, result->budget_lead_share);
}

static int print_scores(const struct failure_evaluation *evaluation) {
	static const struct table_column columns[] = {
	        {"METHOD", false},
	        {"EVENTS", true},
	        {"WARNED", true},
	        {"FOUND", true},
	        {"PRECISION", true},
	        {"RECALL", true},
	        {"FALSE/DAY", true},
	        {"LEAD", true},
	        {"OF SIGNS", true},
	        {"PR-AUC", true},
	        {"RECALL AT 1 FALSE/WEEK", true},
	};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t i = 0; i < evaluation->n_scores; i++) {
		const struct failure_score *score = &evaluation->scores[i];
		char text[10][CELL_SIZE], lead[DURATION_TEXT_SIZE];
		const char *cells[] = {
		        score->method,
		        cell_number(score->events, text[0]),
		        cell_number(score->warned, text[1]),
		        cell_number(score->found, text[2]),
		        cell_real(HAS(score, failure_score, precision), score->precision, text[3]),
		        cell_real(HAS(score, failure_score, recall), score->recall, text[4]),
		        cell_real(HAS(score, failure_score, false_alarms_per_day),
		                  score->false_alarms_per_day, text[5]),
		        HAS(score, failure_score, median_lead_seconds)
		                ? text_from_seconds(round(score->median_lead_seconds), lead)
		                : NULL,
		        cell_real(HAS(score, failure_score, median_lead_share), score->median_lead_share,
		                  text[6]),
		        cell_real(true, score->pr_auc, text[7]),
		        cell_real(HAS(score, failure_score, budget_recall), score->budget_recall, text[8]),
		};

		if ((rc = table_add(table, cells)) < 0)
			return rc;
	}
	return cells_print(table, "methods", evaluation->n_scores);
}

static int print_kinds(const struct failure_evaluation *evaluation) {
	static const struct table_column columns[] = {{"FAULT", false},
	                                              {"EVENTS", true},
	                                              {"WARNED", true},
	                                              {"FOUND", true},
	                                              {"LEAD OF SIGNS", true}};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if (evaluation->n_kinds == 0)
		return 0;
	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t i = 0; i < evaluation->n_kinds; i++) {
		const struct failure_kind *kind = &evaluation->kinds[i];
		char text[4][CELL_SIZE];
		const char *cells[] = {
		        kind->kind,
		        cell_number(kind->events, text[0]),
		        cell_number(kind->warned, text[1]),
		        cell_number(kind->found, text[2]),
		        cell_real(HAS(kind, failure_kind, median_lead_share), kind->median_lead_share,
		                  text[3]),
		};

		if ((rc = table_add(table, cells)) < 0)
			return rc;
	}
	putchar('\n');
	return cells_print(table, "faults, by all together", evaluation->n_kinds);
}

static int print_all(const struct ctl *ctl, const struct failure_evaluation *evaluation) {
	int rc;

	if (ctl->json)
		return ctl_print_json(&failure_evaluation_message, evaluation);
	if (evaluation->trained_failures > 0)
		printf("trained on %lld failures; ", (long long)evaluation->trained_failures);
	else
		printf("too few failures to train on: the tests alone; ");
	printf("tried on %.3g port-weeks without any\n\n", evaluation->well_weeks);
	if ((rc = print_scores(evaluation)) < 0)
		return rc;
	return print_kinds(evaluation);
}

static int tell(const struct ctl *ctl, struct trial *trial) {
	const struct foresight *foresight = trial_foresight(trial);
	CLEANUP(freep) struct trial_kind *kinds = NULL;
	CLEANUP(freep) struct failure_kind *told = NULL;
	struct trial_result results[N_METHODS];
	struct failure_score scores[N_METHODS];
	struct failure_evaluation evaluation;
	size_t n_kinds;
	int rc;

	if ((rc = trial_results(trial, results)) < 0 || (rc = trial_kinds(trial, &kinds, &n_kinds)) < 0)
		return rc;
	told = calloc(n_kinds + 1, sizeof(*told));
	if (told == NULL)
		return -ENOMEM;
	failure_evaluation_init(&evaluation);
	evaluation.well_weeks = trial_weeks(trial);
	evaluation.scores = scores;
	evaluation.kinds = told;
	if (foresight != NULL) {
		evaluation.trained_failures = (int64_t)foresight_report(foresight)->failures;
		SET_IF(&evaluation, failure_evaluation, brier, foresight_report(foresight)->brier);
		SET_IF(&evaluation, failure_evaluation, brier_climate,
		       foresight_report(foresight)->brier_climate);
	}
	for (int m = 0; m < N_METHODS; m++) {
		if (results[m].has_scores)
			fill_score(&results[m], &scores[evaluation.n_scores++]);
	}
	for (size_t i = 0; i < n_kinds; i++) {
		struct failure_kind *kind = &told[evaluation.n_kinds++];

		failure_kind_init(kind);
		kind->kind = kinds[i].name;
		kind->events = (int64_t)kinds[i].events;
		kind->warned = (int64_t)kinds[i].warned;
		kind->found = (int64_t)kinds[i].found;
		SET_IF(kind, failure_kind, median_lead_share, kinds[i].lead_share);
	}
	return print_all(ctl, &evaluation);
}

static void arguments_fini(struct evaluate_arguments *arguments) {
	free(arguments->tests);
	free(arguments->trainings);
}

int command_evaluate_failures(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(arguments_fini)
	struct evaluate_arguments arguments = {
	        .value_column = "value",
	        .horizon = FORESIGHT_HORIZON_SECONDS,
	        .warning = 3600,
	        .probability = 0.5,
	        .false_alarms = 1,
	        .seed = 1,
	};
	CLEANUP(trial_freep) struct trial *trial = NULL;
	CLEANUP(freep) int64_t *splits = NULL;
	int rc;

	options_parse(ctl, &evaluate_failures_form, argc, argv, &arguments);
	splits = calloc(arguments.n_tests + 1, sizeof(*splits));
	if (splits == NULL)
		return -ENOMEM;
	if ((rc = trial_new(
	             &(struct trial_options){
	                     .horizon_seconds = arguments.horizon,
	                     .warning_seconds = arguments.warning,
	                     .probability = arguments.probability,
	                     .false_alarms_per_week = arguments.false_alarms,
	                     .seed = (uint64_t)arguments.seed,
	             },
	             &trial)) < 0 ||
	    (rc = learn(&arguments, trial, splits, status)) < 0 ||
	    (rc = try_all(&arguments, trial, splits, status)) < 0)
		return rc;
	return tell(ctl, trial);
}
