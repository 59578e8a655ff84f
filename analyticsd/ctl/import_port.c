// Rows of a port's file, in as many requests as it takes; the last one stores them all.
// SPDX-License-Identifier: MIT
#include "import_port.h"

#include "clock.h"
#include "import_report.h"
#include "progress.h"
#include "upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PART_VALUES 200000 // of a request: under 2 MiB

struct sending {
	struct ctl *ctl;
	const struct portfile *file;
	struct sample sample; // 'rows' with room for 'part_rows'
	size_t part_rows;
	int64_t shift_ns;
	uint64_t seq;
	struct upload upload;
	struct port_appended appended;
	struct progress progress;
};

static int send_part(struct sending *sending, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct port_append request = {.sample = &sending->sample};
	int rc;

	if (upload_next(&sending->upload)) {
		request.upload_id = sending->upload.id;
		SET(&request, port_append, part, sending->upload.part);
		SET(&request, port_append, parts, sending->upload.parts);
	}
	if ((rc = ctl_call(sending->ctl, OP_APPEND_PORT, &request, &sending->appended, &document, status)) <
	    0)
		return rc;
	sending->sample.n_rows = 0;
	progress_update(&sending->progress, clock_mono_ns(), sending->seq, sending->file->n_rows);
	return 0;
}

static int take_row(void *context, int64_t ts_ns, const uint64_t *values, struct status *status) {
	struct sending *sending = context;
	struct sample *sample = &sending->sample;
	uint64_t *row = sample->rows + sample->n_rows * (2 + sample->n_names);

	if (sending->seq == sending->file->n_rows)
		return status_set(status, STATUS_ABORTED, "the file grew while it was read");
	row[0] = ++sending->seq;
	row[1] = (uint64_t)(ts_ns + sending->shift_ns);
	memcpy(row + 2, values, sample->n_names * sizeof(*row));
	sample->n_rows++;
	if (sample->n_rows == sending->part_rows || sending->seq == sending->file->n_rows)
		return send_part(sending, status);
	return 0;
}

// The same file at the same time is the same instance, so that its rows are known when they come again.
static uint64_t instance_of(const struct portfile *file, int64_t shift_ns) {
	uint64_t mixed = (file->digest ^ (uint64_t)shift_ns) * UINT64_C(0x9E3779B97F4A7C15);

	return ((mixed ^ (mixed >> 29)) & INT64_MAX) | 1;
}

static int send_file(struct sending *sending, struct status *status) {
	const struct portfile *file = sending->file;
	size_t width = 2 + file->n_names;
	CLEANUP(freep) uint64_t *rows = NULL;
	int rc;

	sending->part_rows = PART_VALUES / width;
	rows = calloc(sending->part_rows * width, sizeof(*rows));
	if (rows == NULL)
		return -ENOMEM;
	sending->sample.rows = rows;
	if ((rc = upload_begin(&sending->upload, (file->n_rows + sending->part_rows - 1) / sending->part_rows,
	                       status)) < 0)
		return rc;
	rc = portfile_each(file, take_row, sending, status);
	if (rc == 0 && sending->seq < file->n_rows)
		rc = status_set(status, STATUS_ABORTED, "%s: the file shrank while it was read", file->path);
	progress_fini(&sending->progress);
	return rc;
}

int import_port(struct ctl *ctl, const struct import_port *import, struct status *status) {
	CLEANUP(portfile_closep) struct portfile *file = NULL;
	struct sending sending = {.ctl = ctl};
	struct import_report report = {.series = 1};
	int rc;

	if ((rc = import_check_path(import->path, status)) < 0 ||
	    (rc = portfile_open(import->path, &import->options, &file, status)) < 0)
		return rc;
	if (import->is_moved)
		sending.shift_ns = import->end_ns - file->newest_ns;
	if ((rc = import_check_newest(ctl, import->path, file->newest_ns + sending.shift_ns, status)) < 0)
		return rc;
	sending.file = file;
	sending.sample = (struct sample){.v = 1,
	                                 .host = import->port->host,
	                                 .name = import->port->name,
	                                 .instance = instance_of(file, sending.shift_ns),
	                                 .up = true,
	                                 .names = file->names,
	                                 .n_names = file->n_names};
	progress_init(&sending.progress, clock_mono_ns());
	if ((rc = send_file(&sending, status)) < 0)
		return rc;
	report.rows = (int64_t)file->n_rows;
	report.stored = sending.appended.stored;
	report.known = sending.appended.known;
	report.from_ns = file->oldest_ns + sending.shift_ns;
	report.to_ns = file->newest_ns + sending.shift_ns;
	report.left_out = file->left_out;
	report.n_left_out = file->n_left_out;
	return import_print(ctl, &report);
}
