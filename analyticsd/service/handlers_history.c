// AppendKpi, QueryKpi, QueryPort.
// SPDX-License-Identifier: MIT
#include "clock.h"
#include "ingest.h"
#include "links.h"
#include "reserved.h"
#include "uploads.h"
#include "worker.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <string.h>

static int exists(void *context, const struct link_record *record) {
	(void)context;
	(void)record;
	return 0;
}

struct direction_check {
	enum directions direction;
	struct status *status;
};

static int has_direction(void *context, const struct link_record *record) {
	const struct direction_check *check = context;

	if (check->direction == DIRECTION_REVERSE && !record->bidirectional)
		return status_set(check->status, STATUS_INVALID_ARGUMENT,
		                  "direction: link '%s' is unidirectional", record->id);
	return 0;
}

// Stores what 'ingest' says of this request, or the upload that it completes, in one transaction.
static int append(struct call *call, const struct part_of_upload *part, enum op op,
                  struct ingest_call *ingest) {
	int rc = upload_keep(call, part);

	if (rc < 0 || rc == UPLOAD_WAITS)
		return rc < 0 ? rc : 0;
	if (rc == UPLOAD_COMPLETE)
		*ingest = (struct ingest_call){.task = INGEST_UPLOAD, .upload_id = part->upload_id, .op = op};
	rc = ingest_call(call->worker->ingest, ingest);
	if (rc < 0)
		*call->status = ingest->status;
	else
		cache_invalidate(call->worker->cache);
	return ingest->task == INGEST_UPLOAD ? upload_end(call, part->upload_id, rc) : rc;
}

static int check_kpi(struct call *call, const struct kpi_append *append) {
	struct direction_check check = {(enum directions)append->direction, call->status};
	int rc;

	if ((rc = link_find(call->worker, append->link_id, has_direction, &check, call->status)) < 0)
		return rc;
	for (size_t i = 0; i < append->n_samples; i++) {
		if (append->samples[i].ts_ns < 0)
			return status_set(call->status, STATUS_INVALID_ARGUMENT,
			                  "samples[%zu][0]: before 1970", i);
		if (append->samples[i].ts_ns > call->now_ns + LIMIT_FUTURE_SECONDS * NS_PER_SECOND)
			return status_set(call->status, STATUS_INVALID_ARGUMENT,
			                  "samples[%zu][0]: more than %d s in the future", i,
			                  LIMIT_FUTURE_SECONDS);
	}
	return 0;
}

int handle_append_kpi(struct call *call, const void *request, void *reply) {
	const struct kpi_append *kpi = request;
	const struct part_of_upload part = PART_OF_UPLOAD(kpi, kpi_append);
	struct ingest_call ingest = {.task = INGEST_APPEND_KPI, .append = kpi};
	int rc;

	if ((rc = check_kpi(call, kpi)) < 0 || (rc = append(call, &part, OP_APPEND_KPI, &ingest)) < 0)
		return rc;
	*(struct kpi_appended *)reply = ingest.appended.points;
	return 0;
}

int handle_append_port(struct call *call, const void *request, void *reply) {
	const struct port_append *port = request;
	const struct part_of_upload part = PART_OF_UPLOAD(port, port_append);
	struct ingest_call ingest = {.task = INGEST_APPEND_PORT, .sample = port->sample};
	struct port_appended *appended = reply;
	int rc;

	if ((rc = ingest_check_sample(port->sample, call->status)) < 0) {
		status_prefix(call->status, "sample.");
		return rc;
	}
	if ((rc = append(call, &part, OP_APPEND_PORT, &ingest)) < 0)
		return rc;
	appended->stored = (int64_t)ingest.appended.rows.rows;
	appended->known = (int64_t)ingest.appended.rows.duplicates;
	return 0;
}

// [from, to), begun where the page before ended. Returns -EINVAL when it is none.
static int check_range(struct call *call, int64_t *from_ns, int64_t to_ns, int64_t page) {
	if (to_ns < *from_ns)
		return status_set(call->status, STATUS_INVALID_ARGUMENT, "to_ns: before from_ns");
	if (page != 0)
		*from_ns = page;
	return 0;
}

static int64_t step_ns(double seconds) {
	return (int64_t)llround(seconds * 1e9);
}

// What the store allocated becomes the request's, so that the reply can point to it.
static int adopt(struct call *call, void *array, size_t size, void **ret) {
	void *copy = document_alloc(call->document, size);

	if (copy != NULL && size > 0)
		memcpy(copy, array, size);
	free(array);
	*ret = copy;
	return copy != NULL ? 0 : -ENOMEM;
}

// What admission took of the link: of the ledger, and never among what was measured.
static int query_admission(struct call *call, const struct kpi_query *query, int64_t from_ns,
                           struct kpi_series *series) {
	struct hold_query wanted = {
	        .link_id = query->link_id,
	        .direction = (enum directions)query->direction,
	        .from_ns = from_ns > INT64_MIN ? from_ns - 1 : from_ns,
	        .to_ns = query->to_ns,
	        .known_ns = call->now_ns,
	};
	struct reserved_range range = {
	        .from_ns = from_ns,
	        .to_ns = query->to_ns,
	        .step_ns = HAS(query, kpi_query, step_seconds) ? step_ns(query->step_seconds) : 0,
	        .now_ns = call->now_ns,
	        .limit = (size_t)query->limit,
	};
	CLEANUP(reserved_fini) struct reserved reserved = {0};
	CLEANUP(freep) struct hold *holds = NULL;
	struct kpi_point *points;
	int64_t next_ns;
	size_t n;
	int rc;

	if (query->kpi != KPI_LINK_USED_CAPACITY)
		return status_set(call->status, STATUS_INVALID_ARGUMENT,
		                  "origin: admission is of KPI 302 only");
	if (query->to_ns == from_ns)
		return 0;
	if ((rc = ledger_holds(call->worker->state, &wanted, &holds, &n, call->status)) < 0 ||
	    (rc = reserved_init(&reserved, holds, n, NULL, 0)) < 0 ||
	    (rc = reserved_points(&reserved, &range, &points, &series->n_samples, &next_ns)) < 0)
		return rc;
	if (next_ns != 0)
		SET(series, kpi_series, next_page, next_ns);
	return adopt(call, points, series->n_samples * sizeof(*points), (void **)&series->samples);
}

// The words of a query are those of the store.
static_assert((int)QUERY_LEVEL_HOUR == (int)LEVEL_HOUR && (int)N_query_levels == (int)N_LEVELS);
static_assert((int)KPI_VALUE_MEAN == (int)KPI_MEAN && (int)KPI_VALUE_COUNT == (int)KPI_COUNT);
static_assert((int)PORT_VALUE_LAST == (int)PORT_LAST && (int)PORT_VALUE_ROWS == (int)PORT_ROWS);

int handle_query_kpi(struct call *call, const void *request, void *reply) {
	const struct kpi_query *query = request;
	struct kpi_range range = {
	        .link_id = query->link_id,
	        .direction = (enum directions)query->direction,
	        .kpi = query->kpi,
	        .from_ns = query->from_ns,
	        .to_ns = query->to_ns,
	        .step_ns = HAS(query, kpi_query, step_seconds) ? step_ns(query->step_seconds) : 0,
	        .limit = (size_t)query->limit,
	        .level = (enum history_level)query->level,
	        .value = (enum kpi_value)query->value,
	};
	struct kpi_series *series = reply;
	struct kpi_point *points;
	int64_t next_ns;
	int rc;

	if ((rc = link_find(call->worker, query->link_id, exists, NULL, call->status)) < 0 ||
	    (rc = check_range(call, &range.from_ns, range.to_ns, query->page)) < 0)
		return rc;
	if (query->origin == KPI_ORIGIN_ADMISSION)
		return query_admission(call, query, range.from_ns, series);
	if ((rc = history_kpi(call->worker->history, &range, &points, &series->n_samples, &next_ns,
	                      call->status)) < 0)
		return rc;
	if (next_ns != 0)
		SET(series, kpi_series, next_page, next_ns);
	return adopt(call, points, series->n_samples * sizeof(*points), (void **)&series->samples);
}

int handle_query_port(struct call *call, const void *request, void *reply) {
	const struct port_query *query = request;
	bool chosen = query->n_counters > 0;
	struct port_range range = {
	        .host = query->host,
	        .name = query->name,
	        .counters = chosen ? query->counters : (const char **)history_basic_counters,
	        .n_counters = chosen ? query->n_counters : N_PORT_COUNTERS,
	        .from_ns = query->from_ns,
	        .to_ns = query->to_ns,
	        .step_ns = HAS(query, port_query, step_seconds) ? step_ns(query->step_seconds) : 0,
	        .limit = (size_t)query->limit,
	        .level = (enum history_level)query->level,
	        .value = (enum port_value)query->value,
	};
	struct port_series *series = reply;
	uint64_t *rows;
	int64_t next_ns;
	int rc;

	if ((rc = check_range(call, &range.from_ns, range.to_ns, query->page)) < 0 ||
	    (rc = history_port(call->worker->history, &range, &rows, &series->n_rows, &next_ns,
	                       call->status)) < 0)
		return rc;
	series->names = chosen ? query->counters : (const char **)history_basic_counters;
	series->n_names = range.n_counters;
	if (next_ns != 0)
		SET(series, port_series, next_page, next_ns);
	return adopt(call, rows, series->n_rows * (1 + range.n_counters) * sizeof(*rows),
	             (void **)&series->rows);
}
