// Rows of a CSV file as samples. What they are of, and whether they may be stored, is the caller's.
// SPDX-License-Identifier: MIT
#include "kpifile.h"

#include "csvfile.h"
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#define MAX_COLUMNS 256

struct reading {
	const char *path;
	const char *value_column;
	double scale;
	kpi_row_fn each;
	void *context;
	struct status *status;
	bool has_names, told; // 'told': the reason of the failure is in 'status'
	size_t n_columns, n_rows;
	int time, value, link, direction; // columns
};

static int fail(struct reading *reading, size_t line, const char *what, const char *text) {
	reading->told = true;
	if (text == NULL)
		return status_set(reading->status, STATUS_INVALID_ARGUMENT, "%s:%zu: %s", reading->path, line,
		                  what);
	return status_set(reading->status, STATUS_INVALID_ARGUMENT, "%s:%zu: '%.80s' %s", reading->path, line,
	                  text, what);
}

static int no_column(struct reading *reading, size_t line, const char *name) {
	reading->told = true;
	return status_set(reading->status, STATUS_INVALID_ARGUMENT, "%s:%zu: no column '%s'", reading->path,
	                  line, name);
}

static int read_names(struct reading *reading, const struct csv_row *row) {
	static const char mark[] = "\xef\xbb\xbf"; // some programs begin UTF-8 files with it
	const char *fields[MAX_COLUMNS];
	struct csv_row names = {row->line, row->n_fields, fields};

	memcpy(fields, row->fields, row->n_fields * sizeof(fields[0]));
	if (strncmp(fields[0], mark, strlen(mark)) == 0)
		fields[0] += strlen(mark);
	reading->has_names = true;
	reading->n_columns = row->n_fields;
	reading->time = csv_column(&names, "timestamp_unix");
	if (reading->time < 0)
		reading->time = csv_column(&names, "timestamp");
	reading->value = csv_column(&names, reading->value_column);
	reading->link = csv_column(&names, "link");
	reading->direction = csv_column(&names, "direction");
	if (reading->time < 0)
		return no_column(reading, row->line, "timestamp_unix' or 'timestamp");
	if (reading->value < 0)
		return no_column(reading, row->line, reading->value_column);
	return 0;
}

// Also "now" and "+6h" are times where people type them, but not in a file.
static int read_time(const char *text, int64_t *ret) {
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	return text_to_time_ns(text, 0, ret);
}

static int on_row(void *context, const struct csv_row *row) {
	struct reading *reading = context;
	struct kpi_row kpi = {.line = row->line};
	int rc;

	if (!reading->has_names)
		return row->n_fields > MAX_COLUMNS ? fail(reading, row->line, "more than 256 columns", NULL)
		                                   : read_names(reading, row);
	if (row->n_fields != reading->n_columns)
		return fail(reading, row->line, "another number of fields than there are columns", NULL);
	if (read_time(row->fields[reading->time], &kpi.ts_ns) < 0)
		return fail(reading, row->line, "is no time", row->fields[reading->time]);
	if (text_to_real(row->fields[reading->value], &kpi.value) < 0)
		return fail(reading, row->line, "is no number", row->fields[reading->value]);
	kpi.value *= reading->scale;
	if (kpi.value < 0 || !isfinite(kpi.value))
		return fail(reading, row->line, "is no capacity: it must be finite, and not negative",
		            row->fields[reading->value]);
	kpi.link = reading->link < 0 ? NULL : row->fields[reading->link];
	kpi.direction = reading->direction < 0 ? NULL : row->fields[reading->direction];
	reading->n_rows++;
	if ((rc = reading->each(reading->context, &kpi, reading->status)) < 0) {
		reading->told = true;
		if (reading->status->message[0] != '\0')
			status_prefix(reading->status, "%s:%zu: ", reading->path, row->line);
	}
	return rc;
}

int kpifile_read(const char *path, const char *value_column, double scale, kpi_row_fn each, void *context,
                 struct status *status) {
	struct reading reading = {.path = path,
	                          .value_column = value_column,
	                          .scale = scale,
	                          .each = each,
	                          .context = context,
	                          .status = status};
	size_t line = 0;
	int rc = csv_read(path, on_row, &reading, &line);

	if (rc < 0 && reading.told)
		return rc;
	if (rc == -EBADMSG)
		return fail(&reading, line, "broken quotes, or a NUL byte", NULL);
	if (rc < 0) {
		(void)status_set(status, STATUS_INVALID_ARGUMENT, "%s: %s", path, strerror(-rc));
		return rc;
	}
	if (reading.n_rows == 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: no rows", path);
	return 0;
}
