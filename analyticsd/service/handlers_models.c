// Train, Evaluate, GetJob, ListModels, Predict, DropModel. What takes long is a job; Predict reads one model and the
// newest history and answers at once.
// SPDX-License-Identifier: MIT
#include "jobs.h"
#include "training.h"
#include "worker.h"

#include <errno.h>
#include <string.h>

static int tell_job(struct call *call, const char *id, struct job_started *reply) {
	reply->job_id = call_text(call, id);
	return reply->job_id != NULL ? 0 : -ENOMEM;
}

int handle_train(struct call *call, const void *request, void *reply) {
	char id[LIMIT_ID_SIZE + 1];
	int rc = jobs_train(call->worker->jobs, request, call->now_ns, id, call->status);

	return rc < 0 ? rc : tell_job(call, id, reply);
}

int handle_evaluate(struct call *call, const void *request, void *reply) {
	char id[LIMIT_ID_SIZE + 1];
	int rc = jobs_evaluate(call->worker->jobs, request, call->now_ns, id, call->status);

	return rc < 0 ? rc : tell_job(call, id, reply);
}

int handle_get_job(struct call *call, const void *request, void *reply) {
	const struct job_query *query = request;

	return jobs_get(call->worker->jobs, query->job_id, call->document, reply, call->status);
}

struct listing {
	struct call *call;
	struct trained_model_list *list;
};

static int add_model(void *context, const struct stored_model *model) {
	struct listing *listing = context;
	struct call *call = listing->call;
	struct trained_model *ret = &listing->list->models[listing->list->n_models];
	struct document *document = NULL;
	int rc;

	if (listing->list->n_models == LIMIT_MODELS)
		return 0;
	if ((rc = document_from_msgpack(model->summary.data, model->summary.size, &document, call->status)) <
	            0 ||
	    (rc = document_adopt(call->document, document)) < 0 ||
	    (rc = document_read(document, &trained_model_message, ret, call->status)) < 0)
		return rc;
	listing->list->n_models++;
	return 0;
}

int handle_list_models(struct call *call, const void *request, void *reply) {
	const struct models_query *query = request;
	struct listing listing = {call, reply};

	listing.list->models = document_alloc(call->document, LIMIT_MODELS * sizeof(*listing.list->models));
	if (listing.list->models == NULL)
		return -ENOMEM;
	return model_store_each(call->worker->state, query->link_id, add_model, &listing, call->status);
}

int handle_predict(struct call *call, const void *request, void *reply) {
	const struct training training = {call->worker->history, call->worker->state, NULL, call->now_ns};

	return training_predict(&training, request, call->document, reply, call->status);
}

int handle_drop_model(struct call *call, const void *request, void *reply) {
	(void)reply;
	return model_store_drop(call->worker->state, ((const struct model_drop *)request)->model_id,
	                        call->status);
}
