// predict: what comes next, from a JSON object of the newest values, or from the history that analyticsd has.
// SPDX-License-Identifier: MIT
#include "cells.h"
#include "clock.h"
#include "commands.h"
#include "lagged_points.h"
#include "options.h"
#include "text.h"
#include "trained_file.h"
#include "trained_view.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_METRICS_BYTES (64L << 20)

struct predict_arguments {
	const char *model_path, *model_id, *metrics;
};

static const struct command_option options[] = {
        {"model-path", 'p', "FILE", "a trained model", VALUE_TEXT, TO(predict_arguments, model_path)},
        {"model-id", 0, "ID", "a trained model of analyticsd", VALUE_ID, TO(predict_arguments, model_id)},
        {"metrics", 'i', "FILE.json",
         "the newest values: {\"<target>\": number or [oldest, ..., newest], \"timestamp\"?: of the newest}",
         VALUE_TEXT, TO(predict_arguments, metrics)},
        {0},
};

static void check(const void *values, struct argp_state *state) {
	const struct predict_arguments *arguments = values;

	if ((arguments->model_path == NULL) == (arguments->model_id == NULL))
		argp_error(state, "one of --model-path and --model-id is required");
}

const struct command_form predict_form = {
        .options = options,
        .doc = "Predicts what comes after the newest values. Values are one step of the model apart; those "
               "before them come from the history that is kept with the model. Without --metrics, that "
               "history is all; analyticsd takes the history of the model's link.",
        .check = check,
};

// ---- the JSON file

struct metrics {
	struct kpi_point *points;
	size_t n;
};

static void metrics_fini(struct metrics *metrics) {
	free(metrics->points);
}

static int read_file(const char *path, char **ret, size_t *ret_size, struct status *status) {
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t size = 0, room = 0;
	int rc = 0;

	if (file == NULL)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: %s", path, strerror(errno));
	while (rc == 0 && !feof(file)) {
		if (size > MOST_METRICS_BYTES)
			rc = status_set(status, STATUS_INVALID_ARGUMENT, "%s: over %ld bytes", path,
			                MOST_METRICS_BYTES);
		else if ((rc = array_grow((void **)&text, room, 65536, 1)) == 0)
			size += fread(text + size, 1, (room += 65536) - size, file);
		if (rc == 0 && ferror(file))
			rc = status_set(status, STATUS_INVALID_ARGUMENT, "%s: %s", path, strerror(errno));
	}
	fclose(file);
	if (rc < 0) {
		free(text);
		return rc;
	}
	*ret = text;
	*ret_size = size;
	return 0;
}

// A timestamp in seconds or, where it is longer, in nanoseconds, as in the files of history.
static int64_t to_time_ns(double timestamp) {
	return fabs(timestamp) < 1e14 ? (int64_t)llround(timestamp * (double)NS_PER_SECOND)
	                              : (int64_t)timestamp;
}

// The values of the target, each a step after the one before. Without a timestamp the first one follows 'after_ns'.
static int read_values(struct document *document, const char *target, double step_seconds, int64_t after_ns,
                       struct metrics *ret, struct status *status) {
	CLEANUP(freep) double *values = NULL, *timestamp = NULL;
	size_t n = 0, n_timestamps = 0;
	int64_t newest_ns;
	int rc;

	if ((rc = document_numbers(document, target, &values, &n, status)) < 0 ||
	    (rc = document_numbers(document, "timestamp", &timestamp, &n_timestamps, status)) < 0)
		return rc;
	if (n == 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: no number", target);
	if (n_timestamps > 1 || (n_timestamps == 1 && fabs(timestamp[0]) > 9e18))
		return status_set(status, STATUS_INVALID_ARGUMENT, "timestamp: not one time");
	newest_ns = n_timestamps == 1
	                    ? to_time_ns(timestamp[0])
	                    : after_ns + (int64_t)((double)n * step_seconds * (double)NS_PER_SECOND);
	ret->points = calloc(n, sizeof(*ret->points));
	if (ret->points == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		double before = (double)(n - 1 - i) * step_seconds * (double)NS_PER_SECOND;

		ret->points[i] = (struct kpi_point){newest_ns - (int64_t)llround(before), values[i]};
	}
	ret->n = n;
	return 0;
}

static int read_metrics(const char *path, const char *target, double step_seconds, int64_t after_ns,
                        struct metrics *ret, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	CLEANUP(freep) char *text = NULL;
	size_t size = 0;
	int rc;

	if ((rc = read_file(path, &text, &size, status)) < 0)
		return rc;
	if ((rc = document_from_json(text, size, &document, status)) < 0 ||
	    (rc = read_values(document, target, step_seconds, after_ns, ret, status)) < 0)
		status_prefix(status, "%s: ", path);
	return rc;
}

// ---- the answer

static int print(const struct ctl *ctl, const struct prediction_list *list) {
	static const struct table_column columns[] = {
	        {"TIME", false}, {"AHEAD", true}, {"PREDICTED", true}, {"LOWER", true}, {"UPPER", true}};
	CLEANUP(table_freep) struct table *table = NULL;
	char newest[TIME_TEXT_SIZE];
	int rc;

	if (ctl->json)
		return ctl_print_json(&prediction_list_message, list);
	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t i = 0; i < list->n_predictions; i++) {
		const struct prediction *prediction = &list->predictions[i];
		char time[TIME_TEXT_SIZE], ahead[DURATION_TEXT_SIZE], value[CELL_SIZE], lower[CELL_SIZE],
		        upper[CELL_SIZE];
		const char *cells[] = {text_from_time_ns(prediction->ts_ns, time),
		                       text_from_seconds(prediction->seconds, ahead),
		                       cell_real(true, prediction->value, value),
		                       cell_real(true, prediction->lower, lower),
		                       cell_real(true, prediction->upper, upper)};

		if ((rc = table_add(table, cells)) < 0)
			return rc;
	}
	printf("%s of %s after %s", list->model, list->target, text_from_time_ns(list->newest_ns, newest));
	if (list->filled > 0)
		printf(" (%" PRId64 " steps before were not known)", list->filled);
	putchar('\n');
	return cells_print(table, "predictions", list->n_predictions);
}

static int predict_here(struct ctl *ctl, const struct predict_arguments *arguments, struct status *status) {
	CLEANUP(lagged_series_fini) struct lagged_series joined = {0};
	CLEANUP(metrics_fini) struct metrics metrics = {0};
	CLEANUP(trained_fini) struct trained trained = {0};
	struct prediction predictions[LEARNER_HORIZONS];
	struct trained_point points[LEARNER_HORIZONS];
	const struct lagged_series *series = &trained.tail;
	struct prediction_list list;
	size_t filled = 0;
	int rc;

	if ((rc = trained_load(arguments->model_path, &trained, status)) < 0)
		return rc;
	if (arguments->metrics != NULL) {
		if ((rc = read_metrics(arguments->metrics, trained.target, trained.step_seconds,
		                       trained.to_ns, &metrics, status)) < 0 ||
		    (rc = lagged_continue(&trained.tail, metrics.points, metrics.n, &joined, &filled,
		                          status)) < 0)
			return rc;
		series = &joined;
	}
	rc = trained_predict(&trained, series, points);
	if (rc == -ENODATA)
		return status_set(status, STATUS_FAILED_PRECONDITION,
		                  "%zu values are too few: the model looks back further", series->n);
	if (rc < 0)
		return rc;
	trained_view_predictions(&trained, series, filled, points, predictions, &list);
	return print(ctl, &list);
}

// analyticsd knows the target and the steps; it is asked for them first.
static int find_model(struct ctl *ctl, const char *model_id, struct trained_model *ret,
                      struct document **ret_document, struct status *status) {
	struct models_query query;
	struct trained_model_list list;
	int rc;

	models_query_init(&query);
	if ((rc = ctl_call(ctl, OP_LIST_MODELS, &query, &list, ret_document, status)) < 0)
		return rc;
	for (size_t i = 0; i < list.n_models; i++) {
		if (list.models[i].model_id != NULL && strcmp(list.models[i].model_id, model_id) == 0) {
			*ret = list.models[i];
			return 0;
		}
	}
	return status_set(status, STATUS_NOT_FOUND, "model_id: no model '%s'", model_id);
}

static int predict_there(struct ctl *ctl, const struct predict_arguments *arguments, struct status *status) {
	CLEANUP(document_closep) struct document *models = NULL, *document = NULL;
	CLEANUP(metrics_fini) struct metrics metrics = {0};
	struct predict_request request;
	struct prediction_list list;
	struct trained_model model = {0};
	int rc;

	predict_request_init(&request);
	request.model_id = arguments->model_id;
	if (arguments->metrics != NULL) {
		if ((rc = find_model(ctl, arguments->model_id, &model, &models, status)) < 0 ||
		    (rc = read_metrics(arguments->metrics, model.target, model.step_seconds, model.to_ns,
		                       &metrics, status)) < 0)
			return rc;
		SET(&request, predict_request, samples, metrics.points);
		request.n_samples = metrics.n;
	}
	if ((rc = ctl_call(ctl, OP_PREDICT, &request, &list, &document, status)) < 0)
		return rc;
	return print(ctl, &list);
}

int command_predict(struct ctl *ctl, int argc, char **argv, struct status *status) {
	struct predict_arguments arguments = {0};

	options_parse(ctl, &predict_form, argc, argv, &arguments);
	return arguments.model_path != NULL ? predict_here(ctl, &arguments, status)
	                                    : predict_there(ctl, &arguments, status);
}
