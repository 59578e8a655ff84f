// What other threads ask of the ingest thread: a queue of pointers to calls.
// SPDX-License-Identifier: MIT
#include "handover.h"
#include "ingest_private.h"

#include <errno.h>
#include <zmq.h>

// ---- answers to questions: all of one, or nothing of it

static int check_answer(struct ingest *ingest, const struct ingest_call *call, struct replay_port **ret,
                        struct status *status) {
	const struct replay_rows *rows = call->replayed;
	int rc;

	for (size_t i = 0; i < rows->n_samples; i++) {
		if ((rc = ingest_check_sample(&rows->samples[i], status)) < 0) {
			status_prefix(status, "samples[%zu].", i);
			return rc;
		}
	}
	return replay_check(ingest->replay, call->route, call->route_size, rows, ret, status);
}

static int take_answer(struct ingest *ingest, struct ingest_call *call) {
	const struct replay_rows *rows = call->replayed;
	struct replay_port *port = NULL;
	uint64_t n, n_all = 0;
	int rc;

	if ((rc = check_answer(ingest, call, &port, &call->status)) < 0) {
		METRIC_ADD(ingest->metrics, frames_refused, 1);
		return rc;
	}
	rc = ingest_begin(ingest, &call->status);
	for (size_t i = 0; i < rows->n_samples && rc == 0; i++, n_all += n) {
		n = 0;
		rc = ingest_take_sample(ingest, &rows->samples[i], REPLAYED, &n, &call->status);
	}
	if (rc == 0)
		rc = replay_settle(ingest->replay, port, rows, n_all, clock_mono_ns(), &call->status);
	if (rc < 0) {
		ingest_complain(ingest, &call->status);
		ingest_abandon(ingest);
	}
	return rc;
}

// ---- calls

static int add_uploaded(struct ingest *ingest, struct ingest_call *call) {
	const struct upload_target target = {ingest->history, ingest->state, ingest->usage,
	                                     ingest->accounting};

	switch (call->task) {
	case INGEST_APPEND_KPI:
		return upload_add_points(&target, call->append, &call->appended, &call->status);
	case INGEST_APPEND_PORT:
		return upload_add_rows(&target, call->sample, &call->appended, &call->status);
	default:
		return upload_add_parts(&target, call->op, call->upload_id, &call->appended, &call->status);
	}
}

static int append(struct ingest *ingest, struct ingest_call *call) {
	const struct upload_result *appended = &call->appended;
	int rc;

	// What came before must not be lost when this can't be stored: it is committed apart.
	if ((rc = ingest_commit(ingest, &call->status)) < 0 || (rc = ingest_begin(ingest, &call->status)) < 0)
		return rc;
	if ((rc = add_uploaded(ingest, call)) < 0) {
		ingest_abandon(ingest);
		return rc;
	}
	if ((rc = ingest_commit(ingest, &call->status)) < 0)
		return rc;
	METRIC_ADD(ingest->metrics, kpi_points_stored, (uint64_t)appended->points.stored);
	METRIC_ADD(ingest->metrics, kpi_points_known, (uint64_t)appended->points.known);
	METRIC_ADD(ingest->metrics, kpi_points_conflicting, (uint64_t)appended->points.conflicting);
	METRIC_ADD(ingest->metrics, rows_stored, appended->rows.rows);
	METRIC_ADD(ingest->metrics, rows_duplicate, appended->rows.duplicates);
	return 0;
}

static void serve_call(struct ingest *ingest, struct ingest_call *call) {
	switch (call->task) {
	case INGEST_APPEND_KPI:
	case INGEST_APPEND_PORT:
	case INGEST_UPLOAD:
		call->rc = append(ingest, call);
		break;
	case INGEST_HELLO:
		call->rc =
		        ingest_take_hello(ingest, call->hello, call->route, call->route_size, &call->status);
		break;
	case INGEST_ROWS:
		call->rc = take_answer(ingest, call);
		break;
	case INGEST_BIND:
		call->rc = ingest_rebind(ingest, &call->status);
		break;
	case INGEST_PUBLISH:
		ingest_publish(ingest, call->topic, call->frame->data, call->frame->size);
		call->rc = 0;
		break;
	case INGEST_DETECT:
		call->rc = ingest_sockets_detect(&ingest->sockets, call->detects);
		break;
	case INGEST_KEEP:
		history_set_keep(ingest->history, call->keep_ns);
		call->rc = 0;
		break;
	}
}

// A call travels as a pointer: its owner waits for the answer, so it lives until then.
void ingest_take_calls(struct ingest *ingest) {
	for (;;) {
		struct ingest_call *call = NULL;
		zmq_msg_t caller;

		zmq_msg_init(&caller);
		if (zmq_msg_recv(&caller, ingest->sockets.calls, ZMQ_DONTWAIT) < 0 ||
		    zmq_recv(ingest->sockets.calls, &call, sizeof(call), 0) != sizeof(call)) {
			zmq_msg_close(&caller);
			return;
		}
		HANDOVER_TAKE(call);
		serve_call(ingest, call);
		HANDOVER_GIVE(call);
		zmq_msg_send(&caller, ingest->sockets.calls, ZMQ_SNDMORE);
		zmq_send(ingest->sockets.calls, "", 0, 0);
	}
}

void *ingest_caller(void *context) {
	void *caller = zmq_socket(context, ZMQ_DEALER);
	const int no_linger = 0;

	if (caller == NULL)
		return NULL;
	zmq_setsockopt(caller, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	if (zmq_connect(caller, INGEST_QUEUE) == 0)
		return caller;
	zmq_close(caller);
	return NULL;
}

int ingest_call(void *caller, struct ingest_call *call) {
	char answer;
	int rc;

	HANDOVER_GIVE(call);
	if (zmq_send(caller, &call, sizeof(call), 0) < 0)
		return status_set(&call->status, STATUS_INTERNAL, "ingest queue: %s", zmq_strerror(errno));
	do
		rc = zmq_recv(caller, &answer, sizeof(answer), 0);
	while (rc < 0 && errno == EINTR);
	HANDOVER_TAKE(call);
	return call->rc;
}
