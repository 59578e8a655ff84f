// Rows of a CSV file as samples. What they are of, and whether they may be stored, is the caller's.
// SPDX-License-Identifier: MIT
#include "kpifile.h"

#include "text.h"
#include "timefile.h"

#include <math.h>

struct reading {
	const char *value_column;
	double scale;
	kpi_row_fn each;
	void *context;
	int value, link, direction; // columns
};

static int read_names(void *context, const struct csv_row *names, struct status *status) {
	struct reading *reading = context;

	reading->value = csv_column(names, reading->value_column);
	reading->link = csv_column(names, "link");
	reading->direction = csv_column(names, "direction");
	if (reading->value < 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "no column '%s'", reading->value_column);
	return 0;
}

static int read_row(void *context, int64_t ts_ns, const struct csv_row *row, struct status *status) {
	struct reading *reading = context;
	const char *value = row->fields[reading->value];
	struct kpi_row kpi = {
	        .line = row->line,
	        .ts_ns = ts_ns,
	        .link = reading->link < 0 ? NULL : row->fields[reading->link],
	        .direction = reading->direction < 0 ? NULL : row->fields[reading->direction],
	};

	if (text_to_real(value, &kpi.value) < 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "'%.80s' is no number", value);
	kpi.value *= reading->scale;
	if (kpi.value < 0 || !isfinite(kpi.value))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "'%.80s' is no capacity: it must be finite, and not negative", value);
	return reading->each(reading->context, &kpi, status);
}

int kpifile_read(const char *path, const char *value_column, double scale, kpi_row_fn each, void *context,
                 struct status *status) {
	struct reading reading = {
	        .value_column = value_column, .scale = scale, .each = each, .context = context};
	const struct timefile_reader reader = {read_names, read_row, &reading};

	return timefile_read(path, &reader, status);
}
