// Shared by train and evaluate.
// SPDX-License-Identifier: MIT
#include "learning.h"

#include "cells.h"
#include "clock.h"
#include "kpi_pages.h"
#include "progress.h"
#include "seriesfile.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_COLUMN "rx_packets"
#define POLL_NS        (100 * NS_PER_MS)
#define ARRAY_SIZE(A)  (sizeof(A) / sizeof((A)[0]))

struct learn_arguments learn_defaults(struct ctl *ctl) {
	struct trained_options defaults = trained_defaults("boost");

	return (struct learn_arguments){.ctl = ctl,
	                                .model = "boost",
	                                .column = DEFAULT_COLUMN,
	                                .lags = defaults.n_lags,
	                                .window = defaults.window,
	                                .horizons = "1",
	                                .seed = 1,
	                                .from_ns = INT64_MIN,
	                                .to_ns = INT64_MAX};
}

// Numbers between commas, ascending. Returns how many, or 0.
static size_t read_horizons(const char *text, size_t ret[static LEARNER_HORIZONS]) {
	size_t n = 0;

	for (;;) {
		size_t size = strcspn(text, ",");
		uint64_t steps = 0;
		char number[24];

		snprintf(number, sizeof(number), "%.*s", (int)size, text);
		if (size >= sizeof(number) || n == LEARNER_HORIZONS || text_to_u64(number, &steps) < 0 ||
		    steps < 1 || steps > LAGGED_MOST_HORIZON || (n > 0 && steps <= ret[n - 1]))
			return 0;
		ret[n++] = (size_t)steps;
		if (text[size] == '\0')
			return n;
		text += size + 1;
	}
}

void learn_check(const struct learn_arguments *arguments, struct argp_state *state) {
	size_t horizons[LEARNER_HORIZONS];

	if (!trained_name_is_known(arguments->model))
		argp_error(state, "--model: there is no '%s'", arguments->model);
	if (read_horizons(arguments->horizons, horizons) == 0)
		argp_error(state, "--horizon: '%s' is not 1 to %d ascending numbers of steps between commas",
		           arguments->horizons, LEARNER_HORIZONS);
	if (arguments->series != NULL && arguments->csv == NULL)
		argp_error(state, "--series belongs to --input-csv");
}

// ---- the history

struct gathered {
	struct kpi_point *points;
	size_t n;
};

static void gathered_fini(struct gathered *gathered) {
	free(gathered->points);
}

static int take_points(void *context, const struct kpi_point *points, size_t n) {
	struct gathered *gathered = context;

	if (n == 0)
		return 0;
	if (array_grow((void **)&gathered->points, gathered->n, n, sizeof(*points)) < 0)
		return -ENOMEM;
	memcpy(gathered->points + gathered->n, points, n * sizeof(*points));
	gathered->n += n;
	return 0;
}

static int gather(const struct learn_arguments *arguments, struct lagged_series *ret, struct status *status) {
	CLEANUP(gathered_fini) struct gathered gathered = {0};
	struct kpi_query query;
	int rc;

	kpi_query_init(&query);
	query.link_id = arguments->link;
	query.direction = arguments->direction;
	query.kpi = 302;
	query.from_ns = arguments->from_ns;
	query.to_ns = arguments->to_ns < INT64_MAX
	                      ? arguments->to_ns
	                      : arguments->ctl->now_ns + (LIMIT_FUTURE_SECONDS + 1) * NS_PER_SECOND;
	if ((rc = kpi_pages(arguments->ctl, &query, take_points, &gathered, status)) < 0)
		return rc;
	if (gathered.n == 0)
		return status_set(status, STATUS_FAILED_PRECONDITION, "%s: no history", arguments->link);
	if ((rc = lagged_from_points(gathered.points, gathered.n, arguments->step_seconds, ret, status)) < 0)
		status_prefix(status, "%s: ", arguments->link);
	return rc;
}

int learn_history(const struct learn_arguments *arguments, struct lagged_series *ret, struct status *status) {
	struct seriesfile file = {.path = arguments->csv,
	                          .column = arguments->column,
	                          .link = arguments->series,
	                          .step_seconds = arguments->step_seconds};

	return arguments->csv != NULL ? seriesfile_read(&file, ret, status) : gather(arguments, ret, status);
}

// ---- fitting

struct trained_options learn_options(const struct learn_arguments *arguments) {
	struct trained_options options = trained_defaults(arguments->model);
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	options.target = arguments->link != NULL     ? arguments->link
	                 : arguments->series != NULL ? arguments->series
	                                             : arguments->column;
	options.n_lags = (uint32_t)arguments->lags;
	options.window = (uint32_t)arguments->window;
	options.n_horizons = read_horizons(arguments->horizons, options.horizons);
	options.n_trees = (size_t)arguments->trees;
	options.seed = (uint64_t)arguments->seed;
	options.n_threads = arguments->threads > 0 ? (int)arguments->threads
	                    : processors > 0       ? (int)processors
	                                           : 1;
	return options;
}

void learn_request(const struct learn_arguments *arguments, struct horizon horizons[static LEARNER_HORIZONS],
                   struct train_request *ret) {
	size_t steps[LEARNER_HORIZONS];

	train_request_init(ret);
	ret->link_id = arguments->link;
	ret->direction = arguments->direction;
	ret->model = arguments->model;
	ret->model_id = arguments->model_id;
	ret->lags = arguments->lags;
	ret->window = arguments->window;
	ret->seed = (uint64_t)arguments->seed;
	ret->n_horizons = read_horizons(arguments->horizons, steps);
	ret->horizons = horizons;
	for (size_t k = 0; k < ret->n_horizons; k++)
		horizons[k] = (struct horizon){.steps = (int64_t)steps[k]};
	if (arguments->trees > 0)
		SET(ret, train_request, trees, arguments->trees);
	if (arguments->step_seconds > 0)
		SET(ret, train_request, step_seconds, arguments->step_seconds);
}

static void show_progress(void *context, size_t done, size_t total) {
	progress_update(context, clock_mono_ns(), done, total);
}

static int explain(const struct learn_arguments *arguments, const struct lagged_series *series, int rc,
                   struct status *status) {
	if (rc == -ENODATA)
		return status_set(status, STATUS_FAILED_PRECONDITION,
		                  "%s: %zu steps of %g s are too few for %" PRId64 " lags and horizon %s",
		                  arguments->csv != NULL ? arguments->csv : arguments->link, series->n,
		                  series->step_seconds, arguments->lags, arguments->horizons);
	return rc;
}

int learn_fit(const struct learn_arguments *arguments, const struct lagged_series *series,
              struct trained *ret, struct status *status) {
	struct trained_options options = learn_options(arguments);
	struct progress progress;
	struct fit_watch watch = {show_progress, &progress, NULL};
	int rc;

	progress_init(&progress, clock_mono_ns());
	rc = trained_fit(series, &options, &watch, ret);
	progress_fini(&progress);
	return explain(arguments, series, rc, status);
}

// ---- jobs

int learn_wait(struct ctl *ctl, const char *job_id, struct job_view *ret, struct document **ret_document,
               struct status *status) {
	const struct timespec pause = {.tv_nsec = POLL_NS};
	const struct job_query query = {.job_id = job_id};
	struct progress progress;
	int rc;

	progress_init(&progress, clock_mono_ns());
	for (;;) {
		CLEANUP(document_closep) struct document *document = NULL;

		if ((rc = ctl_call(ctl, OP_GET_JOB, &query, ret, &document, status)) < 0)
			break;
		progress_update(&progress, clock_mono_ns(), (size_t)(1000 * ret->progress), 1000);
		if (ret->state == JOB_STATE_DONE) {
			*ret_document = document;
			document = NULL;
			break;
		}
		if (ret->state == JOB_STATE_FAILED || ret->state == JOB_STATE_CANCELLED) {
			rc = status_set(status, STATUS_FAILED_PRECONDITION, "%s",
			                ret->reason != NULL ? ret->reason : "the job was cancelled");
			break;
		}
		nanosleep(&pause, NULL);
	}
	progress_fini(&progress);
	return rc;
}

// ---- tables

static int add_score(struct table *table, const struct horizon_scores *horizon, const char *name,
                     const struct model_score *score) {
	char ahead[DURATION_TEXT_SIZE], steps[CELL_SIZE], n[CELL_SIZE], mae[CELL_SIZE], rmse[CELL_SIZE],
	        mase[CELL_SIZE], smape[CELL_SIZE], pinball[CELL_SIZE], coverage[CELL_SIZE];
	const char *cells[10];

	if (score == NULL)
		return 0;
	cells[0] = cell_number(horizon->steps, steps);
	cells[1] = text_from_seconds(horizon->seconds, ahead);
	cells[2] = name;
	cells[3] = cell_number(score->n, n);
	cells[4] = cell_real(true, score->mae, mae);
	cells[5] = cell_real(true, score->rmse, rmse);
	cells[6] = cell_real(true, score->mase, mase);
	cells[7] = cell_real(true, score->smape, smape);
	cells[8] = cell_real(HAS(score, model_score, pinball), score->pinball, pinball);
	cells[9] = cell_real(HAS(score, model_score, coverage), score->coverage, coverage);
	return table_add(table, cells);
}

int learn_print_scores(const struct horizon_scores *horizons, size_t n) {
	static const struct table_column columns[] = {
	        {"STEPS", true},   {"AHEAD", true},       {"MODEL", false}, {"VALUES", true},
	        {"MAE", true},     {"RMSE", true},        {"MASE", true},   {"SMAPE", true},
	        {"PINBALL", true}, {"IN 90 % BAND", true}};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if ((rc = table_new(columns, ARRAY_SIZE(columns), &table)) < 0)
		return rc;
	for (size_t k = 0; k < n; k++) {
		if ((rc = add_score(table, &horizons[k], contestant_names[CONTESTANT_MODEL],
		                    horizons[k].model)) < 0 ||
		    (rc = add_score(table, &horizons[k], contestant_names[CONTESTANT_LAST],
		                    horizons[k].last)) < 0 ||
		    (rc = add_score(table, &horizons[k], contestant_names[CONTESTANT_SEASONAL],
		                    horizons[k].seasonal)) < 0)
			return rc;
	}
	return cells_print(table, "scores", n);
}

int learn_print_model(const struct trained_model *model) {
	char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE], step[DURATION_TEXT_SIZE];

	printf("%s of %s: %" PRId64 " steps of %s, %s to %s", model->model, model->target, model->samples,
	       text_from_seconds(model->step_seconds, step), text_from_time_ns(model->from_ns, from),
	       text_from_time_ns(model->to_ns, to));
	if (HAS(model, trained_model, trees))
		printf("; %" PRId64 " lags, window %" PRId64 ", %" PRId64 " trees", model->lags,
		       model->window, model->trees);
	printf(", %" PRIu64 " bytes\nOn the youngest fifth, which it did not learn from:\n", model->bytes);
	return learn_print_scores(model->horizons, model->n_horizons);
}
