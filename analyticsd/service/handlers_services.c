// Reserve, Release, ListServices, and the end of services by time. What is decided is in admission.c, what is kept in
// store/ledger.c; here are the transaction, the answer, and telling others: each change is published and leaves a
// line in the log.
// SPDX-License-Identifier: MIT
#include "admission.h"
#include "ingest.h"
#include "log.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ROUTE_SIZE 400 // of the log's line; a longer route is cut

// ---- telling others

static void tell_route(const struct service_view *service, char text[static ROUTE_SIZE]) {
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < service->n_links && used + 1 < ROUTE_SIZE; i++)
		used += (size_t)snprintf(text + used, ROUTE_SIZE - used, "%s%s%s", i > 0 ? "," : "",
		                         service->links[i].direction == DIRECTION_REVERSE ? "~" : "",
		                         service->links[i].link_id);
}

static void audit(enum service_changes change, const struct service_view *service) {
	char route[ROUTE_SIZE], start[TIME_TEXT_SIZE], end[TIME_TEXT_SIZE] = "open";

	tell_route(service, route);
	if (HAS(service, service_view, end_ns))
		text_from_time_ns(service->end_ns, end);
	log_info("audit: service %s %s: version %lld, request %s, %.9g Gbps on %s, %s to %s",
	         service->service_id, choice_word(&service_changes_choices, change),
	         (long long)service->version, service->request_id, service->gbps, route,
	         text_from_time_ns(service->start_ns, start), end);
}

static void publish(struct worker *worker, enum service_changes change, int64_t now_ns,
                    struct service_view *service) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	char topic[TOPIC_SIZE];
	struct ingest_call ingest = {.task = INGEST_PUBLISH, .topic = topic, .frame = &frame};
	struct service_event event = {
	        .service_id = service->service_id,
	        .change = change,
	        .ts_ns = now_ns,
	        .service = service,
	};

	if (message_encode(&service_event_message, &event, &frame) < 0)
		return;
	snprintf(topic, sizeof(topic), "service/%s/", service->service_id);
	(void)ingest_call(worker->ingest, &ingest);
}

static void count(struct metrics *metrics, enum service_changes change) {
	switch (change) {
	case SERVICE_CHANGE_ADMITTED:
	case SERVICE_CHANGE_CHANGED:
		METRIC_ADD(metrics, services_admitted, 1);
		break;
	case SERVICE_CHANGE_RELEASED:
		METRIC_ADD(metrics, services_released, 1);
		break;
	case SERVICE_CHANGE_EXPIRED:
		METRIC_ADD(metrics, services_expired, 1);
		break;
	case N_service_changes:
		break;
	}
}

static void tell(struct worker *worker, enum service_changes change, int64_t now_ns,
                 struct service_view *service) {
	count(worker->metrics, change);
	audit(change, service);
	publish(worker, change, now_ns, service);
}

// ---- Reserve

// What makes two requests the same: all but that the one may only have asked.
static int content_of(const struct reserve_request *request, struct bytes *ret) {
	struct reserve_request content = *request;

	content.dry_run = false;
	return message_encode(&reserve_request_message, &content, ret);
}

// Answers as before. Returns 1, 0 when this request id is new, or a negative errno.
static int answer_again(struct call *call, const struct reserve_request *request, const struct bytes *content,
                        struct reserve_reply *reply) {
	CLEANUP(bytes_fini) struct bytes before = {0};
	CLEANUP(bytes_fini) struct bytes answer = {0};
	struct document *document;
	int rc;

	rc = ledger_find_admission(call->worker->state, request->request_id, &before, &answer, call->status);
	if (rc <= 0)
		return rc;
	if (before.size != content->size || memcmp(before.data, content->data, content->size) != 0)
		return status_set(call->status, STATUS_ALREADY_EXISTS,
		                  "request_id '%s' was used for another request", request->request_id);
	if ((rc = document_from_msgpack(answer.data, answer.size, &document, call->status)) < 0 ||
	    (rc = document_adopt(call->document, document)) < 0 ||
	    (rc = document_read(document, &reserve_reply_message, reply, call->status)) < 0)
		return rc;
	return 1;
}

static int fill_reply(const struct admission *admission, struct reserve_reply *reply) {
	const struct admission_evidence *evidence = &admission->evidence;
	const struct reserve_request *request = admission->request;

	reply->service_id = request->service_id;
	reply->ledger_version = evidence->ledger_version;
	reply->topology_version = evidence->topology_version;
	reply->dry_run = request->dry_run;
	reply->gbps = request->gbps;
	reply->start_ns = admission->start_ns;
	if (admission->end_ns != LEDGER_OPEN)
		SET(reply, reserve_reply, end_ns, admission->end_ns);
	reply->traffic = request->traffic;
	reply->links = document_alloc(admission->call->document, evidence->n_links * sizeof(*reply->links));
	if (reply->links == NULL)
		return -ENOMEM;
	memcpy(reply->links, evidence->links, evidence->n_links * sizeof(*reply->links));
	reply->n_links = evidence->n_links;
	for (size_t i = 0; i < reply->n_links; i++)
		reply->links[i].n_series = 0;
	return 0;
}

// Writes service and answer.
static int admit(const struct admission *admission, const struct bytes *content,
                 struct reserve_reply *reply) {
	CLEANUP(bytes_fini) struct bytes evidence = {0};
	CLEANUP(bytes_fini) struct bytes answer = {0};
	struct call *call = admission->call;
	struct ledger_entry entry = {admission->request, call->now_ns, admission->start_ns, admission->end_ns,
	                             &evidence};
	struct ledger_admitted admitted;
	int rc;

	if ((rc = message_encode(&admission_evidence_message, &admission->evidence, &evidence)) < 0 ||
	    (rc = ledger_admit(call->worker->state, &entry, &admitted, call->status)) < 0)
		return rc;
	reply->version = admitted.version;
	reply->ledger_version = admitted.ledger_version;
	reply->service_id = call_text(call, admitted.service_id);
	if (reply->service_id == NULL)
		return -ENOMEM;
	if ((rc = message_encode(&reserve_reply_message, reply, &answer)) < 0)
		return rc;
	return ledger_keep_admission(call->worker->state, admission->request->request_id, admitted.service_id,
	                             call->now_ns, content, &answer, call->status);
}

// In one transaction; another client may have sent the same request meanwhile. Returns 1 when it was answered
// before.
static int decide(struct admission *admission, const struct bytes *content, struct reserve_reply *reply) {
	const struct reserve_request *request = admission->request;
	struct call *call = admission->call;
	bool again = false;
	int rc;

	if ((rc = ledger_begin(call->worker->state, !request->dry_run, call->status)) < 0)
		return rc;
	if (!request->dry_run) {
		rc = answer_again(call, request, content, reply);
		again = rc > 0;
	}
	if (rc == 0 && (rc = admission_check(admission)) == 0 && (rc = fill_reply(admission, reply)) == 0 &&
	    !request->dry_run)
		rc = admit(admission, content, reply);
	if (rc == -EAGAIN)
		METRIC_ADD(call->worker->metrics, services_refused, 1);
	if ((rc = ledger_end(call->worker->state, rc > 0 ? 0 : rc, call->status)) < 0)
		return rc;
	return again;
}

static void tell_of(struct call *call, const struct reserve_reply *reply) {
	struct service_view service;

	if (ledger_service(call->worker->state, reply->service_id, false, call->now_ns, call->document,
	                   &service, call->status) == 0)
		tell(call->worker, reply->version == 1 ? SERVICE_CHANGE_ADMITTED : SERVICE_CHANGE_CHANGED,
		     call->now_ns, &service);
}

int handle_reserve(struct call *call, const void *request, void *reply) {
	const struct reserve_request *wanted = request;
	CLEANUP(bytes_fini) struct bytes content = {0};
	struct admission admission;
	int rc;

	if ((rc = content_of(wanted, &content)) < 0)
		return rc;
	if (!wanted->dry_run && (rc = answer_again(call, wanted, &content, reply)) != 0)
		return rc < 0 ? rc : 0;
	if ((rc = admission_begin(&admission, call, wanted)) < 0 ||
	    (rc = admission_forecast(&admission)) < 0 || (rc = decide(&admission, &content, reply)) < 0)
		return rc;
	if (rc == 0 && !wanted->dry_run)
		tell_of(call, reply);
	return 0;
}

// ---- Release and ListServices

int handle_release(struct call *call, const void *request, void *reply) {
	const struct release_request *wanted = request;
	struct state *state = call->worker->state;
	int rc, released;

	if ((rc = ledger_begin(state, true, call->status)) < 0)
		return rc;
	released = ledger_release(state, wanted->service_id,
	                          HAS(wanted, release_request, version) ? wanted->version : 0, call->now_ns,
	                          call->status);
	if ((rc = ledger_end(state, released > 0 ? 0 : released, call->status)) < 0 ||
	    (rc = ledger_service(state, wanted->service_id, false, call->now_ns, call->document, reply,
	                         call->status)) < 0)
		return rc;
	if (released > 0)
		tell(call->worker, SERVICE_CHANGE_RELEASED, call->now_ns, reply);
	return 0;
}

// One service, with its decisions where they are asked for.
static int list_one(struct call *call, const struct services_query *query, const char *service_id,
                    struct service_list *ret) {
	const struct decisions_query decisions = {service_id, query->request_id, query->page, query->limit};
	struct state *state = call->worker->state;
	struct service_view *view = document_alloc(call->document, sizeof(*view));
	int64_t next = 0;
	int rc;

	if (view == NULL)
		return -ENOMEM;
	if ((rc = ledger_service(state, service_id, query->evidence, call->now_ns, call->document, view,
	                         call->status)) < 0 ||
	    (query->decisions && (rc = ledger_decisions(state, &decisions, call->document, &view->decisions,
	                                                &view->n_decisions, &next, call->status)) < 0))
		return rc;
	if (next != 0)
		SET(ret, service_list, next_page, next);
	ret->services = view;
	ret->n_services = 1;
	return 0;
}

static int list(struct call *call, const struct services_query *query, struct service_list *ret) {
	struct state *state = call->worker->state;
	const char *service_id = query->service_id;
	int rc;

	if (query->decisions && query->service_id == NULL && query->request_id == NULL)
		return status_set(call->status, STATUS_INVALID_ARGUMENT,
		                  "decisions: needs service_id or request_id");
	if ((rc = ledger_version(state, &ret->ledger_version, call->status)) < 0)
		return rc;
	if (query->request_id != NULL) {
		rc = ledger_service_of(state, query->request_id, call->document, &service_id, call->status);
		if (rc <= 0 || (query->service_id != NULL && strcmp(service_id, query->service_id) != 0))
			return rc < 0 ? rc : 0;
	}
	return service_id == NULL
	               ? ledger_services(state, query, call->now_ns, call->document, ret, call->status)
	               : list_one(call, query, service_id, ret);
}

int handle_list_services(struct call *call, const void *request, void *reply) {
	int rc;

	if ((rc = ledger_begin(call->worker->state, false, call->status)) < 0)
		return rc;
	rc = list(call, request, reply);
	return ledger_end(call->worker->state, rc, call->status);
}

// ---- expiry

void worker_note_expiry(struct worker *worker, int64_t now_ns) {
	CLEANUP(document_closep) struct document *memory = NULL;
	struct service_list expired = {0};
	struct status status = {0};

	if (document_from_json("{}", 2, &memory, &status) < 0 ||
	    ledger_take_expired(worker->state, now_ns, memory, &expired, &status) < 0)
		return; // the next look finds them
	for (size_t i = 0; i < expired.n_services; i++)
		tell(worker, SERVICE_CHANGE_EXPIRED, now_ns, &expired.services[i]);
}
