// One request in, one reply out: decoding, the table of operations, and the operations of the service
// itself.
// SPDX-License-Identifier: MIT
#include "bindings.h"
#include "clock.h"
#include "ingest.h"
#include "log.h"
#include "worker.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const handler_fn handlers[N_OPS] = {
        [OP_PING] = handle_ping,
        [OP_SET_TOPOLOGY] = handle_set_topology,
        [OP_GET_TOPOLOGY] = handle_get_topology,
        [OP_DELETE_TOPOLOGY] = handle_delete_topology,
        [OP_LIST_TOPOLOGIES] = handle_list_topologies,
        [OP_SET_LINK] = handle_set_link,
        [OP_APPEND_KPI] = handle_append_kpi,
        [OP_QUERY_KPI] = handle_query_kpi,
        [OP_QUERY_PORT] = handle_query_port,
        [OP_FORECAST_LINK] = handle_forecast_link,
        [OP_FORECAST_TOPOLOGY] = handle_forecast_topology,
        [OP_LIST_SOURCES] = handle_list_sources,
        [OP_METRICS] = handle_metrics,
        [OP_HELLO] = handle_hello,
        [OP_RESERVE] = handle_reserve,
        [OP_RELEASE] = handle_release,
        [OP_LIST_SERVICES] = handle_list_services,
        [OP_LIST_ALERTS] = handle_list_alerts,
        [OP_ACK_ALERT] = handle_ack_alert,
        [OP_SILENCE_ALERTS] = handle_silence_alerts,
        [OP_END_SILENCE] = handle_end_silence,
        [OP_LABEL_EVENT] = handle_label_event,
        [OP_LIST_LABELS] = handle_list_labels,
        [OP_DROP_LABEL] = handle_drop_label,
        [OP_TRAIN] = handle_train,
        [OP_EVALUATE] = handle_evaluate,
        [OP_GET_JOB] = handle_get_job,
        [OP_LIST_MODELS] = handle_list_models,
        [OP_PREDICT] = handle_predict,
        [OP_DROP_MODEL] = handle_drop_model,
        [OP_APPEND_PORT] = handle_append_port,
        [OP_BACKUP] = handle_backup,
        [OP_CHECK] = handle_check,
        [OP_GET_UPKEEP] = handle_get_upkeep,
};

const char *call_text(struct call *call, const char *text) {
	size_t size = strlen(text) + 1;
	char *copy = document_alloc(call->document, size);

	return copy != NULL ? memcpy(copy, text, size) : NULL;
}

// What failed inside is the service's own fault: say so, unless the handler said better.
static void explain(int rc, struct status *status) {
	if (status->code == STATUS_OK)
		status_set(status, rc == -ENOMEM ? STATUS_RESOURCE_EXHAUSTED : STATUS_INTERNAL, "%s",
		           strerror(-rc));
	if (status->code == STATUS_INTERNAL)
		log_error("request failed: %s", status->message);
}

static int check_role(const struct call *call, const char *op, int role) {
	int rc = peer_check(&call->caller->peer, op, role, call->status);

	if (rc < 0)
		METRIC_ADD(call->worker->metrics, requests_denied, 1);
	return rc;
}

static void audit(const struct call *call, enum op op, const void *request, int rc) {
	peer_audit(&call->caller->peer, &requests[op], request, rc, call->status);
}

// ---- answering

// A publisher's answer to a question of ours; when it is fine there is nothing to say.
static int take_rows(struct call *call) {
	struct replay_rows rows;
	struct ingest_call ingest = {
	        .task = INGEST_ROWS,
	        .replayed = &rows,
	        .route = call->caller->route,
	        .route_size = call->caller->route_size,
	};
	int rc;

	if ((rc = check_role(call, "Rows", ROLE_PUBLISH)) < 0 ||
	    (rc = document_read(call->document, &replay_rows_message, &rows, call->status)) < 0)
		return rc;
	if ((rc = ingest_call(call->worker->ingest, &ingest)) < 0)
		*call->status = ingest.status;
	return rc;
}

static int dispatch(struct call *call, const struct request_head *head, struct bytes *ret) {
	enum publisher_op publisher_op;
	void *request, *reply;
	enum op op;
	int rc;

	if (publisher_op_find_answer(head->op, &publisher_op) == 0)
		return take_rows(call);
	if (op_find(head->op, &op) < 0)
		return status_set(call->status, STATUS_UNIMPLEMENTED, "no operation '%s'", head->op);
	if ((rc = check_role(call, head->op, requests[op].role)) < 0) {
		audit(call, op, NULL, rc);
		return rc;
	}
	request = document_alloc(call->document, requests[op].request->size);
	reply = document_alloc(call->document, requests[op].reply->size);
	if (request == NULL || reply == NULL)
		return -ENOMEM;
	message_init(requests[op].reply, reply);
	if ((rc = document_read(call->document, requests[op].request, request, call->status)) < 0)
		return rc;
	rc = handlers[op](call, request, reply);
	audit(call, op, request, rc);
	if (rc < 0 || (rc = reply_encode(requests[op].reply, head->id, reply, ret)) < 0)
		return rc;
	if (ret->size > LIMIT_FRAME_SIZE) {
		bytes_fini(ret);
		return status_set(call->status, STATUS_RESOURCE_EXHAUSTED,
		                  "the reply would be over %d bytes: ask for pages with `limit`",
		                  LIMIT_FRAME_SIZE);
	}
	return 0;
}

int worker_answer(struct worker *worker, const struct caller *caller, const void *frame, size_t size,
                  int64_t now_ns, struct bytes *ret) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct status status = {0};
	struct call call = {worker, NULL, frame, size, now_ns, &status, caller};
	struct request_head head = {0};
	int rc;

	METRIC_ADD(worker->metrics, requests, 1);
	rc = document_from_msgpack(frame, size, &document, &status);
	call.document = document;
	if (rc == 0)
		rc = document_read(document, &request_head_message, &head, &status);
	if (rc == 0)
		rc = dispatch(&call, &head, ret);
	if (rc == 0)
		return 0;
	METRIC_ADD(worker->metrics, requests_refused, 1);
	explain(rc, &status);
	return reply_encode_error(&status, head.id, ret);
}

// ---- the service itself

int handle_ping(struct call *call, const void *request, void *reply) {
	struct ping_reply *ping = reply;

	(void)request;
	ping->version = LINKCAST_VERSION;
	ping->uptime_seconds = (double)(clock_mono_ns() - call->worker->started_mono_ns) / 1e9;
	return 0;
}

// A database and what has not been moved into it yet.
static double database_size(const char *path) {
	char wal[PATH_MAX];
	struct stat info;
	double size = 0;

	snprintf(wal, sizeof(wal), "%s-wal", path);
	if (stat(path, &info) == 0)
		size += (double)info.st_size;
	if (stat(wal, &info) == 0)
		size += (double)info.st_size;
	return size;
}

int handle_metrics(struct call *call, const void *request, void *reply) {
	const struct worker *worker = call->worker;
	struct metrics *metrics = worker->metrics;
	const struct metric values[] = {
#define METRIC(NAME, UNIT, HELP) {0, #NAME, (double)atomic_load(&metrics->NAME), UNIT, HELP},
#include "metrics.def"
#undef METRIC
	        {0, "uptime", (double)(clock_mono_ns() - worker->started_mono_ns) / 1e9, "seconds",
	         "since the start"},
	        {0, "history_size", database_size(worker->options->history_path), "bytes", "of history.db"},
	        {0, "state_size", database_size(worker->options->state_path), "bytes", "of state.db"},
	};
	struct metric_list *list = reply;

	(void)request;
	list->metrics = document_alloc(call->document, sizeof(values));
	if (list->metrics == NULL)
		return -ENOMEM;
	memcpy(list->metrics, values, sizeof(values));
	list->n_metrics = sizeof(values) / sizeof(values[0]);
	return 0;
}

int handle_hello(struct call *call, const void *request, void *reply) {
	struct ingest_call ingest = {
	        .task = INGEST_HELLO,
	        .hello = request,
	        .route = call->caller->route,
	        .route_size = call->caller->route_size,
	};
	int rc = ingest_call(call->worker->ingest, &ingest);

	(void)reply;
	if (rc < 0)
		*call->status = ingest.status;
	return rc;
}

// ---- sources

#define LIVE_NS (15 * NS_PER_SECOND)

struct listing {
	struct call *call;
	struct source *sources;
	size_t n_sources, at; // 'at': the source whose ports are being read
	struct usage_binding *announced;
	size_t n_announced;
	size_t n; // counted so far
};

static int count_source(void *context, const struct source_record *record) {
	(void)record;
	((struct listing *)context)->n++;
	return 0;
}

static int add_source(void *context, const struct source_record *record) {
	struct listing *listing = context;
	int64_t live_ns =
	        3 * (int64_t)record->interval_ns > LIVE_NS ? 3 * (int64_t)record->interval_ns : LIVE_NS;

	if (listing->n_sources == listing->n)
		return 0; // heard since they were counted: the next list has it
	listing->sources[listing->n_sources++] = (struct source){
	        .host = call_text(listing->call, record->host),
	        .instance = record->instance,
	        .live = listing->call->now_ns - record->last_ns <= live_ns,
	        .last_ts_ns = record->last_ns,
	        .interval_ns = record->interval_ns,
	        .dropped = record->dropped,
	};
	return 0;
}

static int add_announced(void *context, const struct usage_binding *binding) {
	struct listing *listing = context;
	struct usage_binding *copy = &listing->announced[listing->n_announced++];

	copy->link_id = call_text(listing->call, binding->link_id);
	copy->host = call_text(listing->call, binding->host);
	copy->name = call_text(listing->call, binding->name);
	copy->end = binding->end;
	return copy->link_id != NULL && copy->host != NULL && copy->name != NULL ? 0 : -ENOMEM;
}

static int count_announced(void *context, const struct usage_binding *binding) {
	(void)binding;
	((struct listing *)context)->n++;
	return 0;
}

static int bind_source_port(struct listing *listing, const char *host, struct source_port *port) {
	char link_id[LIMIT_ID_SIZE + 1];
	enum ends end;
	int rc = state_binding(listing->call->worker->state, host, port->name, link_id, &end,
	                       listing->call->status);

	if (rc < 0)
		return rc;
	if (rc > 0) {
		port->link = call_text(listing->call, link_id);
		SET(port, source_port, end, end);
		return port->link != NULL ? 0 : -ENOMEM;
	}
	for (size_t i = 0; i < listing->n_announced; i++) {
		const struct usage_binding *binding = &listing->announced[i];

		if (strcmp(binding->host, host) == 0 && strcmp(binding->name, port->name) == 0) {
			port->link = binding->link_id;
			SET(port, source_port, end, binding->end);
		}
	}
	return 0;
}

static int add_port(void *context, const struct port_record *record) {
	struct listing *listing = context;
	struct source *source;
	struct source_port *port;

	// Both come in the order of hosts: go on to the source of this port.
	while (listing->at < listing->n_sources &&
	       strcmp(listing->sources[listing->at].host, record->host) < 0)
		listing->at++;
	if (listing->at == listing->n_sources ||
	    strcmp(listing->sources[listing->at].host, record->host) != 0)
		return 0;
	source = &listing->sources[listing->at];
	if ((source->n_ports & (source->n_ports + 1)) == 0) { // 0, 1, 3, 7, ...: full
		struct source_port *larger =
		        document_alloc(listing->call->document, 2 * (source->n_ports + 1) * sizeof(*larger));

		if (larger == NULL)
			return -ENOMEM;
		if (source->n_ports > 0)
			memcpy(larger, source->ports, source->n_ports * sizeof(*larger));
		source->ports = larger;
	}
	port = &source->ports[source->n_ports++];
	*port = (struct source_port){
	        .name = call_text(listing->call, record->name),
	        .port = record->port,
	        .up = record->up,
	        .speed_mbps = record->speed_mbps,
	        .last_ts_ns = record->last_ts_ns,
	        .last_seq = record->last_seq,
	        .rows = record->rows,
	        .lost = record->last_seq > record->rows ? record->last_seq - record->rows : 0,
	        .errors = record->errors,
	};
	SET(port, source_port, gone, record->gone);
	if (port->name == NULL)
		return -ENOMEM;
	if (!isnan(record->rx_gbps))
		SET(port, source_port, rx_gbps, record->rx_gbps);
	if (!isnan(record->tx_gbps))
		SET(port, source_port, tx_gbps, record->tx_gbps);
	return bind_source_port(listing, record->host, port);
}

static int list_announced(struct listing *listing) {
	CLEANUP(announcements_freep) struct announcements *announcements = NULL;
	int rc;

	if ((rc = announcements_new(listing->call->worker->history, &announcements, listing->call->status)) <
	            0 ||
	    (rc = announcements_each(announcements, count_announced, listing)) < 0)
		return rc;
	listing->announced =
	        document_alloc(listing->call->document, listing->n * sizeof(*listing->announced));
	if (listing->announced == NULL)
		return -ENOMEM;
	return announcements_each(announcements, add_announced, listing);
}

int handle_list_sources(struct call *call, const void *request, void *reply) {
	struct history *history = call->worker->history;
	struct listing listing = {.call = call};
	struct source_list *list = reply;
	int rc;

	(void)request;
	if ((rc = list_announced(&listing)) < 0)
		return rc;
	listing.n = 0;
	if ((rc = history_each_source(history, count_source, &listing, call->status)) < 0)
		return rc;
	listing.sources = document_alloc(call->document, listing.n * sizeof(*listing.sources));
	if (listing.sources == NULL)
		return -ENOMEM;
	if ((rc = history_each_source(history, add_source, &listing, call->status)) < 0 ||
	    (rc = history_each_port(history, add_port, &listing, call->status)) < 0)
		return rc;
	list->sources = listing.sources;
	list->n_sources = listing.n_sources;
	return 0;
}
