// evaluate: what a model is worth on data that it did not learn from, beside `last` and `seasonal`. The model is
// a file, one that analyticsd keeps, or one that is trained here and now on the older four fifths.
// SPDX-License-Identifier: MIT
#include "clock.h"
#include "commands.h"
#include "lagged_points.h"
#include "learning.h"
#include "plot.h"
#include "progress.h"
#include "text.h"
#include "trained_file.h"

#include <inttypes.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PLOTTED    1000
#define TITLE_SIZE 400

static const struct command_option options[] = {
        LEARN_OPTIONS,
        {"model-path", 'p', "FILE", "a trained model", VALUE_TEXT, TO(learn_arguments, model_path)},
        {"model-id", 0, "ID", "a trained model of analyticsd, on the history of its link since", VALUE_ID,
         TO(learn_arguments, model_id)},
        {"failures", 0, NULL, "instead: how well failures are told beforehand (--failures --help)",
         VALUE_FLAG, TO(learn_arguments, failures)},
        {"output-plot", 'o', "FILE.png|.svg", "draw the last predictions over what came", VALUE_TEXT,
         TO(learn_arguments, output)},
        {0},
};

static void check(const void *values, struct argp_state *state) {
	const struct learn_arguments *arguments = values;
	struct status status;

	if (arguments->model_id != NULL && (arguments->csv != NULL || arguments->link != NULL))
		argp_error(state, "--model-id: analyticsd knows whose history it is");
	if (arguments->model_id == NULL && (arguments->csv == NULL) == (arguments->link == NULL))
		argp_error(state, "one of --input-csv, --link and --model-id is required");
	if (arguments->model_id != NULL && (arguments->model_path != NULL || arguments->output != NULL))
		argp_error(state, "--model-path and --output-plot don't go with --model-id");
	if (arguments->output != NULL && plot_check_path(arguments->output, &status) < 0)
		argp_error(state, "--output-plot: %s", status.message);
	learn_check(arguments, state);
}

const struct command_form evaluate_form = {
        .options = options,
        .doc = "Predicts each step of data that the model did not learn from, and tells how far off it was, "
               "beside what was there last and a day before. Without a trained model, one is trained on the "
               "older four fifths of the history; with one, only what comes after its own history counts.",
        .check = check,
};

static int print(const struct ctl *ctl, const struct evaluation *evaluation) {
	char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];

	if (ctl->json)
		return ctl_print_json(&evaluation_message, evaluation);
	printf("%s of %s on %s to %s, which it did not learn from:\n", evaluation->model, evaluation->target,
	       text_from_time_ns(evaluation->from_ns, from), text_from_time_ns(evaluation->to_ns, to));
	return learn_print_scores(evaluation->horizons, evaluation->n_horizons);
}

// ---- in analyticsd

static int evaluate_there(const struct learn_arguments *arguments, struct status *status) {
	CLEANUP(document_closep) struct document *started_document = NULL, *document = NULL;
	struct horizon horizons[LEARNER_HORIZONS];
	struct evaluate_request request;
	struct train_request train;
	struct job_started started;
	struct job_view job;
	int rc;

	evaluate_request_init(&request);
	request.model_id = arguments->model_id;
	if (arguments->model_id == NULL) {
		learn_request(arguments, horizons, &train);
		request.train = &train;
	}
	if ((rc = ctl_call(arguments->ctl, OP_EVALUATE, &request, &started, &started_document, status)) < 0 ||
	    (rc = learn_wait(arguments->ctl, started.job_id, &job, &document, status)) < 0)
		return rc;
	if (job.evaluation == NULL)
		return status_set(status, STATUS_INTERNAL, "the job made no evaluation");
	return print(arguments->ctl, job.evaluation);
}

// ---- here

struct evaluating {
	const struct lagged_series *series;
	struct plot plot;
	struct progress progress;
	int64_t from_ns, to_ns; // of the steps that were predicted
	bool any;
};

static void evaluating_fini(struct evaluating *evaluating) {
	plot_fini(&evaluating->plot);
	progress_fini(&evaluating->progress);
}

static void note(void *context, const struct trained_point *point) {
	struct evaluating *evaluating = context;
	int64_t ts_ns = lagged_time_ns(evaluating->series, point->step);

	if (!evaluating->any || ts_ns < evaluating->from_ns)
		evaluating->from_ns = ts_ns;
	if (!evaluating->any || ts_ns > evaluating->to_ns)
		evaluating->to_ns = ts_ns;
	evaluating->any = true;
	if (point->horizon == 0 && evaluating->plot.capacity > 0)
		plot_add(&evaluating->plot, &(struct plot_point){ts_ns, point->truth, point->predicted,
		                                                 point->lower, point->upper});
}

static void show_progress(void *context, size_t done, size_t total) {
	progress_update(context, clock_mono_ns(), done, total);
}

// The first step of the series that the model did not see.
static int first_unseen(const struct trained *trained, const struct lagged_series *series, size_t *ret,
                        struct status *status) {
	size_t first = 0;

	if (fabs(trained->step_seconds - series->step_seconds) > 1e-3 * trained->step_seconds)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "the model has steps of %g s, the data of %g s: say --step",
		                  trained->step_seconds, series->step_seconds);
	while (first < series->n && lagged_time_ns(series, first) <= trained->to_ns &&
	       lagged_time_ns(series, first) >= trained->from_ns)
		first++;
	if (first == series->n)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "all of the data lies in the time that the model learnt from");
	*ret = first;
	return 0;
}

// What comes after the model's own history is predicted with that before it.
static int set_behind(const struct trained *trained, struct lagged_series *series, struct status *status) {
	struct lagged_series joined;
	size_t filled;
	int rc;

	if (lagged_time_ns(series, 0) <= trained->to_ns || trained->step_seconds != series->step_seconds)
		return 0;
	if ((rc = lagged_join(&trained->tail, series, &joined, &filled, status)) < 0)
		return rc;
	lagged_series_fini(series);
	*series = joined;
	return 0;
}

// From the file, or trained now.
static int get_model(const struct learn_arguments *arguments, struct lagged_series *series,
                     struct trained *ret, struct status *status) {
	CLEANUP(lagged_series_fini) struct lagged_series older = {0};
	int rc;

	if (arguments->model_path != NULL) {
		if ((rc = trained_load(arguments->model_path, ret, status)) < 0)
			return rc;
		return set_behind(ret, series, status);
	}
	if ((rc = trained_older(series, &older)) < 0)
		return rc;
	return learn_fit(arguments, &older, ret, status);
}

static int draw(const struct learn_arguments *arguments, const struct evaluating *evaluating,
                const struct trained *trained, struct status *status) {
	char title[TITLE_SIZE], ahead[DURATION_TEXT_SIZE];
	const struct plot_words words = {.title = title,
	                                 .y_axis = trained->target,
	                                 .actual = "actual",
	                                 .middle = "predicted",
	                                 .band = "90 % band"};

	snprintf(title, sizeof(title), "%s of %s, %s ahead", trained->name, trained->target,
	         text_from_seconds((double)trained->horizons[0].steps * trained->step_seconds, ahead));
	return plot_draw(&evaluating->plot, &words, arguments->output, status);
}

static int evaluate_here(const struct learn_arguments *arguments, struct status *status) {
	struct score scores[LEARNER_HORIZONS][N_CONTESTANTS];
	CLEANUP(lagged_series_fini) struct lagged_series series = {0};
	CLEANUP(trained_fini) struct trained trained = {0};
	CLEANUP(evaluating_fini) struct evaluating evaluating = {.series = &series};
	struct fit_watch watch = {show_progress, &evaluating.progress, NULL};
	struct evaluation evaluation;
	struct trained_view view;
	size_t first = 0;
	int rc;

	if ((rc = learn_history(arguments, &series, status)) < 0 ||
	    (rc = get_model(arguments, &series, &trained, status)) < 0 ||
	    (rc = first_unseen(&trained, &series, &first, status)) < 0)
		return rc;
	if (arguments->output != NULL && (rc = plot_init(&evaluating.plot, PLOTTED)) < 0)
		return rc;
	progress_init(&evaluating.progress, clock_mono_ns());
	rc = trained_evaluate(&trained, &series, first, &watch, note, &evaluating, scores);
	progress_fini(&evaluating.progress);
	if (rc == -ENODATA)
		return status_set(status, STATUS_FAILED_PRECONDITION,
		                  "%zu steps are too few to look back at and to predict", series.n - first);
	if (rc < 0)
		return rc;
	if (arguments->output != NULL && (rc = draw(arguments, &evaluating, &trained, status)) < 0)
		return rc;
	trained_view_evaluation(&trained, scores, evaluating.from_ns, evaluating.to_ns, &view, &evaluation);
	return print(arguments->ctl, &evaluation);
}

int command_evaluate(struct ctl *ctl, int argc, char **argv, struct status *status) {
	struct learn_arguments arguments = learn_defaults(ctl);
	bool here;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--failures") == 0)
			return command_evaluate_failures(ctl, argc, argv, status);
	}
	options_parse(ctl, &evaluate_form, argc, argv, &arguments);
	here = arguments.csv != NULL || arguments.model_path != NULL || arguments.output != NULL;
	return here ? evaluate_here(&arguments, status) : evaluate_there(&arguments, status);
}
