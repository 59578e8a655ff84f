// ListAlerts, AckAlert, SilenceAlerts, EndSilence, LabelEvent, ListLabels, DropLabel. Raising and clearing is the
// detector's, which looks at the maintenance times in state.db itself.
// SPDX-License-Identifier: MIT
#include "alert_event.h"
#include "alert_log.h"
#include "clock.h"
#include "ingest.h"
#include "labels.h"
#include "links.h"
#include "worker.h"

#include <errno.h>
#include <string.h>

// ---- alerts

int handle_list_alerts(struct call *call, const void *request, void *reply) {
	const struct alerts_query *query = request;
	struct state *state = call->worker->state;
	struct alert_list *list = reply;
	int rc;

	if (HAS(query, alerts_query, alert_id)) {
		list->alerts = document_alloc(call->document, sizeof(*list->alerts));
		if (list->alerts == NULL)
			return -ENOMEM;
		list->n_alerts = 1;
		rc = alert_log_get(state, query->alert_id, call->document, list->alerts, call->status);
	} else {
		rc = alert_log_list(state, query, call->document, list, call->status);
	}
	if (rc < 0)
		return rc;
	return silence_list(state, call->now_ns, call->document, &list->silences, &list->n_silences,
	                    call->status);
}

int handle_ack_alert(struct call *call, const void *request, void *reply) {
	const struct alert_ack *ack = request;
	struct state *state = call->worker->state;
	int rc;

	if ((rc = alert_log_ack(state, ack, call->caller->peer.name, call->now_ns, call->status)) < 0 ||
	    (rc = alert_log_get(state, ack->alert_id, call->document, reply, call->status)) < 0)
		return rc;
	(void)alert_event_publish(call->worker->ingest, ALERT_CHANGE_ACKNOWLEDGED, call->now_ns, reply);
	return 0;
}

int handle_silence_alerts(struct call *call, const void *request, void *reply) {
	const struct silence_request *asked = request;
	struct silence *silence = reply;

	silence->object = asked->object;
	silence->rule = asked->rule;
	silence->reason = asked->reason;
	silence->by = call->caller->peer.name;
	silence->from_ns = HAS(asked, silence_request, from_ns) ? asked->from_ns : call->now_ns;
	silence->until_ns = asked->until_ns;
	if (silence->until_ns <= silence->from_ns)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "until_ns: not after from_ns");
	if (silence->until_ns <= call->now_ns)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "until_ns: in the past");
	return silence_add(call->worker->state, silence, call->now_ns, call->status);
}

int handle_end_silence(struct call *call, const void *request, void *reply) {
	(void)reply;
	return silence_end(call->worker->state, ((const struct silence_end *)request)->silence_id,
	                   call->now_ns, call->status);
}

// ---- labels

static int link_exists(void *context, const struct link_record *record) {
	(void)context;
	(void)record;
	return 0;
}

// What happened before anything was measured can't be learnt from. Returns 1, 0, or a negative errno.
static int was_measured(struct call *call, const struct label_event *event) {
	struct history *history = call->worker->history;
	struct kpi_newest newest;
	struct port_newest row;
	int rc;

	if (event->link_id == NULL)
		return history_port_newest(history, event->host, event->name, event->from_ns, &row,
		                           call->status);
	for (int direction = 0; direction < N_directions; direction++) {
		rc = history_kpi_newest(history, event->link_id, (enum directions)direction,
		                        KPI_LINK_USED_CAPACITY, event->from_ns, &newest, call->status);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int check_object(struct call *call, const struct label_event *event) {
	struct port_newest row;
	int rc;

	if ((event->host == NULL) != (event->name == NULL) ||
	    (event->host == NULL) == (event->link_id == NULL))
		return status_set(call->status, STATUS_INVALID_ARGUMENT,
		                  "host: a port (host and name) or a link (link_id) is labelled");
	if (event->link_id != NULL)
		return link_find(call->worker, event->link_id, link_exists, NULL, call->status);
	rc = history_port_newest(call->worker->history, event->host, event->name, INT64_MAX, &row,
	                         call->status);
	if (rc == 0)
		return status_set(call->status, STATUS_NOT_FOUND, "port %s %s was never heard", event->host,
		                  event->name);
	return rc < 0 ? rc : 0;
}

static int check_label(struct call *call, const struct label_event *event) {
	const int64_t latest_ns = call->now_ns + LIMIT_FUTURE_SECONDS * NS_PER_SECOND;
	int rc;

	if ((rc = check_object(call, event)) < 0)
		return rc;
	if (event->to_ns <= event->from_ns)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "to_ns: not after from_ns");
	if (event->to_ns > latest_ns)
		return status_set(call->status, STATUS_INVALID_ARGUMENT,
		                  "to_ns: more than %d s in the future", LIMIT_FUTURE_SECONDS);
	if (HAS(event, label_event, degraded_from_ns) && event->degraded_from_ns > event->from_ns)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "degraded_from_ns: after from_ns");
	if ((rc = was_measured(call, event)) == 0)
		return status_set(call->status, STATUS_INVALID_ARGUMENT,
		                  "from_ns: before the history of the %s",
		                  event->link_id != NULL ? "link" : "port");
	return rc < 0 ? rc : 0;
}

int handle_label_event(struct call *call, const void *request, void *reply) {
	const struct label_event *event = request;
	struct event_label *label = reply;
	int rc;

	if ((rc = check_label(call, event)) < 0)
		return rc;
	label->host = event->host;
	label->name = event->name;
	label->link_id = event->link_id;
	label->event = event->event;
	label->failure = event->failure;
	label->from_ns = event->from_ns;
	label->to_ns = event->to_ns;
	label->note = event->note;
	label->by = call->caller->peer.name;
	if (HAS(event, label_event, degraded_from_ns))
		SET(label, event_label, degraded_from_ns, event->degraded_from_ns);
	rc = label_add(call->worker->state, label, call->status);
	return rc < 0 ? rc : 0;
}

int handle_list_labels(struct call *call, const void *request, void *reply) {
	return label_read(call->worker->state, request, call->document, reply, call->status);
}

int handle_drop_label(struct call *call, const void *request, void *reply) {
	(void)reply;
	return label_drop(call->worker->state, ((const struct label_drop *)request)->label_id, call->status);
}
