// train: a model from a CSV file or a link's history, into a file or into analyticsd.
// SPDX-License-Identifier: MIT
#include "commands.h"
#include "learning.h"
#include "trained_file.h"

#include <stdio.h>
#include <sys/stat.h>

static const struct command_option options[] = {
        LEARN_OPTIONS,
        {"output-model", 'o', "FILE", "where the model goes; needed with --input-csv", VALUE_TEXT,
         TO(learn_arguments, output)},
        {"model-id", 0, "ID", "name in analyticsd (default: LINK/DIRECTION/MODEL)", VALUE_ID,
         TO(learn_arguments, model_id)},
        {0},
};

static void check(const void *values, struct argp_state *state) {
	const struct learn_arguments *arguments = values;

	if ((arguments->csv == NULL) == (arguments->link == NULL))
		argp_error(state, "one of --input-csv and --link is required");
	if (arguments->csv != NULL && arguments->output == NULL)
		argp_error(state, "--output-model is required with --input-csv");
	if (arguments->model_id != NULL && arguments->output != NULL)
		argp_error(state, "--model-id names a model in analyticsd: --output-model is a file");
	learn_check(arguments, state);
}

const struct command_form train_form = {
        .options = options,
        .doc = "Trains a model on the older four fifths of a history and scores it on the rest. With --link, "
               "analyticsd trains and keeps it, unless --output-model asks for a file.",
        .check = check,
};

static int print(const struct learn_arguments *arguments, const struct trained_model *model) {
	if (arguments->ctl->json)
		return ctl_print_json(&trained_model_message, model);
	return learn_print_model(model);
}

static int train_here(const struct learn_arguments *arguments, struct status *status) {
	CLEANUP(lagged_series_fini) struct lagged_series series = {0};
	CLEANUP(trained_fini) struct trained trained = {0};
	struct trained_model message;
	struct trained_view view;
	struct stat file = {0};
	int rc;

	if ((rc = learn_history(arguments, &series, status)) < 0 ||
	    (rc = learn_fit(arguments, &series, &trained, status)) < 0 ||
	    (rc = trained_save(&trained, arguments->output, status)) < 0)
		return rc;
	(void)stat(arguments->output, &file);
	trained_view_model(&trained, (size_t)file.st_size, &view, &message);
	return print(arguments, &message);
}

static int train_there(const struct learn_arguments *arguments, struct status *status) {
	CLEANUP(document_closep) struct document *started_document = NULL, *document = NULL;
	struct horizon horizons[LEARNER_HORIZONS];
	struct train_request request;
	struct job_started started;
	struct job_view job;
	int rc;

	learn_request(arguments, horizons, &request);
	if ((rc = ctl_call(arguments->ctl, OP_TRAIN, &request, &started, &started_document, status)) < 0 ||
	    (rc = learn_wait(arguments->ctl, started.job_id, &job, &document, status)) < 0)
		return rc;
	if (job.model == NULL)
		return status_set(status, STATUS_INTERNAL, "the job made no model");
	if (!arguments->ctl->json)
		printf("%s: ", job.model->model_id);
	return print(arguments, job.model);
}

int command_train(struct ctl *ctl, int argc, char **argv, struct status *status) {
	struct learn_arguments arguments = learn_defaults(ctl);

	options_parse(ctl, &train_form, argc, argv, &arguments);
	return arguments.output != NULL ? train_here(&arguments, status) : train_there(&arguments, status);
}
