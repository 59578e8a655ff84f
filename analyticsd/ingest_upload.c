// Uploads into history. What may be stored was decided when the requests came.
// SPDX-License-Identifier: MIT
#include "ingest_upload.h"

#include "clock.h"
#include "codec.h"
#include "rebuild.h"

#include <errno.h>
#include <string.h>

#define DERIVED_AT_ONCE_NS (14 * 86400 * NS_PER_SECOND) // rebuild.c refuses spans that no clock would have

static int derive(const struct upload_target *target, const struct sample *sample, struct status *status) {
	const size_t width = 2 + sample->n_names;
	int64_t from_ns = INT64_MAX, to_ns = INT64_MIN;
	int rc = 0;

	for (size_t i = 0; i < sample->n_rows; i++) {
		int64_t ts_ns = (int64_t)sample->rows[i * width + 1];

		from_ns = ts_ns < from_ns ? ts_ns : from_ns;
		to_ns = ts_ns > to_ns ? ts_ns : to_ns;
	}
	for (int64_t at_ns = from_ns; rc >= 0 && at_ns <= to_ns; at_ns += DERIVED_AT_ONCE_NS) {
		bool is_last = to_ns - at_ns < DERIVED_AT_ONCE_NS;
		struct late_rows late = {.host = sample->host,
		                         .name = sample->name,
		                         .from_ns = at_ns,
		                         .to_ns = is_last ? to_ns : at_ns + DERIVED_AT_ONCE_NS};

		if (sample->n_rows > 1)
			late.interval_ns = (to_ns - from_ns) / (int64_t)(sample->n_rows - 1);
		rc = rebuild_usage(target->history, target->usage, target->accounting, &late, status);
	}
	return rc < 0 ? rc : 0;
}

struct host_search {
	const struct sample *sample;
	bool is_heard;
};

static int look_for_host(void *context, const struct source_record *record) {
	struct host_search *search = context;

	search->is_heard |= strcmp(record->host, search->sample->host) == 0 &&
	                    record->instance != search->sample->instance;
	return 0;
}

// A host that nobody publishes for shows by what was recorded of it; where somebody does, by that.
static int note_source(const struct upload_target *target, const struct sample *sample,
                       struct status *status) {
	const uint64_t *last = sample->rows + (sample->n_rows - 1) * (2 + sample->n_names);
	struct host_search search = {.sample = sample};
	int rc = history_each_source(target->history, look_for_host, &search, status);

	if (rc < 0 || search.is_heard)
		return rc;
	return history_add_hello(target->history, sample->host, sample->instance, (int64_t)last[1], NULL,
	                         status);
}

int upload_add_rows(const struct upload_target *target, const struct sample *sample,
                    struct upload_result *ret, struct status *status) {
	struct sample_stored stored;
	int rc;

	if (sample->n_rows == 0)
		return 0;
	if ((rc = history_add_recorded(target->history, sample, &stored, status)) < 0 ||
	    (rc = note_source(target, sample, status)) < 0)
		return rc;
	ret->rows.rows += stored.rows;
	ret->rows.duplicates += stored.duplicates;
	return stored.rows > 0 ? derive(target, sample, status) : 0;
}

int upload_add_points(const struct upload_target *target, const struct kpi_append *append,
                      struct upload_result *ret, struct status *status) {
	return history_add_kpi(target->history, append->link_id, append->direction, append->kpi, KPI_APPENDED,
	                       append->samples, append->n_samples, &ret->points, status);
}

struct addition {
	const struct upload_target *target;
	enum op op;
	struct upload_result *ret;
	struct status *status;
};

static int add_part(void *context, const void *frame, size_t size) {
	CLEANUP(document_closep) struct document *document = NULL;
	const struct addition *addition = context;
	struct port_append port;
	struct kpi_append kpi;
	int rc;

	if ((rc = document_from_msgpack(frame, size, &document, addition->status)) < 0)
		return rc;
	switch (addition->op) {
	case OP_APPEND_PORT:
		if ((rc = document_read(document, &port_append_message, &port, addition->status)) < 0)
			return rc;
		return upload_add_rows(addition->target, port.sample, addition->ret, addition->status);
	case OP_APPEND_KPI:
		if ((rc = document_read(document, &kpi_append_message, &kpi, addition->status)) < 0)
			return rc;
		return upload_add_points(addition->target, &kpi, addition->ret, addition->status);
	default:
		return -EINVAL;
	}
}

int upload_add_parts(const struct upload_target *target, enum op op, const char *upload_id,
                     struct upload_result *ret, struct status *status) {
	struct addition addition = {target, op, ret, status};

	return state_each_part(target->state, upload_id, add_part, &addition, status);
}
