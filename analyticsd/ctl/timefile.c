// Rows of a CSV file with their times; every fault with its line.
// SPDX-License-Identifier: MIT
#include "timefile.h"

#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct reading {
	const char *path;
	const struct timefile_reader *reader;
	struct status *status;
	bool has_names, told; // 'told': the reason of the failure is in 'status'
	size_t n_columns, n_rows;
	int time; // column
};

static const char *const time_columns[] = {"timestamp_unix", "timestamp"};

static int fail(struct reading *reading, size_t line, const char *what, const char *text) {
	reading->told = true;
	if (text == NULL)
		return status_set(reading->status, STATUS_INVALID_ARGUMENT, "%s:%zu: %s", reading->path, line,
		                  what);
	return status_set(reading->status, STATUS_INVALID_ARGUMENT, "%s:%zu: '%.80s' %s", reading->path, line,
	                  text, what);
}

// What the reader said of this line.
static int tell(struct reading *reading, size_t line, int rc) {
	if (rc >= 0)
		return rc;
	reading->told = true;
	if (reading->status->message[0] != '\0')
		status_prefix(reading->status, "%s:%zu: ", reading->path, line);
	return rc;
}

int timefile_is_time(const char *name) {
	return strcmp(name, time_columns[0]) == 0 || strcmp(name, time_columns[1]) == 0;
}

static int read_names(struct reading *reading, const struct csv_row *row) {
	static const char mark[] = "\xef\xbb\xbf"; // some programs begin UTF-8 files with it
	const char *fields[TIMEFILE_COLUMNS];
	struct csv_row names = {row->line, row->n_fields, fields};

	if (row->n_fields > TIMEFILE_COLUMNS)
		return fail(reading, row->line, "more than 256 columns", NULL);
	memcpy(fields, row->fields, row->n_fields * sizeof(fields[0]));
	if (strncmp(fields[0], mark, strlen(mark)) == 0)
		fields[0] += strlen(mark);
	reading->has_names = true;
	reading->n_columns = row->n_fields;
	reading->time = csv_column(&names, time_columns[0]);
	if (reading->time < 0)
		reading->time = csv_column(&names, time_columns[1]);
	if (reading->time < 0)
		return fail(reading, row->line, "no column 'timestamp_unix' or 'timestamp'", NULL);
	return tell(reading, row->line,
	            reading->reader->names(reading->reader->context, &names, reading->status));
}

// Also "now" and "+6h" are times where people type them, but not in a file.
static int read_time(const char *text, int64_t *ret) {
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	return text_to_time_ns(text, 0, ret);
}

static int on_row(void *context, const struct csv_row *row) {
	struct reading *reading = context;
	int64_t ts_ns;

	if (!reading->has_names)
		return read_names(reading, row);
	if (row->n_fields != reading->n_columns)
		return fail(reading, row->line, "another number of fields than there are columns", NULL);
	if (read_time(row->fields[reading->time], &ts_ns) < 0)
		return fail(reading, row->line, "is no time", row->fields[reading->time]);
	reading->n_rows++;
	return tell(reading, row->line,
	            reading->reader->row(reading->reader->context, ts_ns, row, reading->status));
}

int timefile_read(const char *path, const struct timefile_reader *reader, struct status *status) {
	struct reading reading = {.path = path, .reader = reader, .status = status};
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
