// models: the trained models that analyticsd keeps.
// SPDX-License-Identifier: MIT
#include "cells.h"
#include "commands.h"
#include "options.h"
#include "text.h"

#include <stdio.h>

struct models_arguments {
	const char *link, *drop;
};

static const struct command_option options[] = {
        {"link", 'l', "ID", "only those of this link", VALUE_ID, TO(models_arguments, link)},
        {"drop", 0, "ID", "forget this model", VALUE_ID, TO(models_arguments, drop)},
        {0},
};

const struct command_form models_form = {
        .options = options,
        .doc = "Lists the trained models that analyticsd keeps, with their error one step ahead on what they "
               "did not learn from.",
};

static int add_model(const struct ctl *ctl, struct table *table, const struct trained_model *model) {
	const struct horizon_scores *first = model->n_horizons > 0 ? &model->horizons[0] : NULL;
	bool scored = first != NULL && first->model != NULL;
	char to[TIME_TEXT_SIZE], step[DURATION_TEXT_SIZE], horizons[CELL_SIZE], mae[CELL_SIZE],
	        mase[CELL_SIZE], age[CELL_SIZE], bytes[CELL_SIZE], refits[CELL_SIZE];
	const char *cells[] = {
	        model->model_id,
	        model->model,
	        text_from_seconds(model->step_seconds, step),
	        cell_number((int64_t)model->n_horizons, horizons),
	        text_from_time_ns(model->to_ns, to),
	        cell_real(scored, scored ? first->model->mae : 0, mae),
	        cell_real(scored, scored ? first->model->mase : 0, mase),
	        cell_count(model->bytes, bytes),
	        HAS(model, trained_model, trained_ns) ? cell_age(ctl, model->trained_ns, age) : NULL,
	        cell_number(model->refits, refits),
	};

	return table_add(table, cells);
}

static int list(struct ctl *ctl, const struct models_arguments *arguments, struct status *status) {
	static const struct table_column columns[] = {
	        {"ID", false}, {"MODEL", false}, {"STEP", true},  {"HORIZONS", true}, {"LEARNT UNTIL", false},
	        {"MAE", true}, {"MASE", true},   {"BYTES", true}, {"TRAINED", false}, {"REFITS", true}};
	CLEANUP(document_closep) struct document *document = NULL;
	CLEANUP(table_freep) struct table *table = NULL;
	struct trained_model_list models;
	struct models_query query;
	int rc;

	models_query_init(&query);
	query.link_id = arguments->link;
	if ((rc = ctl_call(ctl, OP_LIST_MODELS, &query, &models, &document, status)) < 0)
		return rc;
	if (ctl->json)
		return ctl_print_json(&trained_model_list_message, &models);
	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t i = 0; i < models.n_models; i++) {
		if ((rc = add_model(ctl, table, &models.models[i])) < 0)
			return rc;
	}
	return cells_print(table, "models", models.n_models);
}

static int drop(struct ctl *ctl, const char *model_id, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	const struct model_drop request = {.model_id = model_id};
	struct empty nothing;

	return ctl_call(ctl, OP_DROP_MODEL, &request, &nothing, &document, status);
}

int command_models(struct ctl *ctl, int argc, char **argv, struct status *status) {
	struct models_arguments arguments = {0};

	options_parse(ctl, &models_form, argc, argv, &arguments);
	return arguments.drop != NULL ? drop(ctl, arguments.drop, status) : list(ctl, &arguments, status);
}
