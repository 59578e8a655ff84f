// Reads the rows into samples, which then go onto steps.
// SPDX-License-Identifier: MIT
#include "seriesfile.h"

#include "ctl.h"
#include "text.h"
#include "timefile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reading {
	const struct seriesfile *file;
	int value, link;  // columns
	char *first_link; // when all rows must be of one
	struct kpi_point *points;
	size_t n, capacity;
};

static void reading_fini(struct reading *reading) {
	free(reading->first_link);
	free(reading->points);
}

static int read_names(void *context, const struct csv_row *names, struct status *status) {
	struct reading *reading = context;

	reading->value = csv_column(names, reading->file->column);
	reading->link = csv_column(names, "link");
	if (reading->value < 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "no column '%s'", reading->file->column);
	if (reading->link < 0 && reading->file->link != NULL)
		return status_set(status, STATUS_INVALID_ARGUMENT, "no column 'link'");
	return 0;
}

// Is the row of the series that is wanted? Returns 1, 0, or a negative errno.
static int is_wanted(struct reading *reading, const struct csv_row *row, struct status *status) {
	const char *link = reading->link < 0 ? "" : row->fields[reading->link];

	if (reading->file->link != NULL)
		return strcmp(link, reading->file->link) == 0;
	if (reading->first_link == NULL && (reading->first_link = strdup(link)) == NULL)
		return -ENOMEM;
	if (strcmp(link, reading->first_link) != 0)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "the file holds '%.80s' and '%.80s': say --series NAME",
		                  reading->first_link, link);
	return 1;
}

static int read_row(void *context, int64_t ts_ns, const struct csv_row *row, struct status *status) {
	struct reading *reading = context;
	const char *text = row->fields[reading->value];
	struct kpi_point point = {.ts_ns = ts_ns};
	int rc = is_wanted(reading, row, status);

	if (rc <= 0 || text[0] == '\0' || strcasecmp(text, "nan") == 0)
		return rc < 0 ? rc : 0;
	if (text_to_real(text, &point.gbps) < 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "'%.80s' is no number", text);
	if (reading->n == reading->capacity) {
		size_t more = reading->capacity > 0 ? reading->capacity / 2 + 1 : 1024;

		if (array_grow((void **)&reading->points, reading->capacity, more, sizeof(point)) < 0)
			return -ENOMEM;
		reading->capacity += more;
	}
	reading->points[reading->n++] = point;
	return 0;
}

static int by_time(const void *a, const void *b) {
	const struct kpi_point *one = a, *other = b;

	return (one->ts_ns > other->ts_ns) - (one->ts_ns < other->ts_ns);
}

static bool is_sorted(const struct reading *reading) {
	for (size_t i = 1; i < reading->n; i++) {
		if (reading->points[i].ts_ns < reading->points[i - 1].ts_ns)
			return false;
	}
	return true;
}

int seriesfile_read(const struct seriesfile *file, struct lagged_series *ret, struct status *status) {
	CLEANUP(reading_fini) struct reading reading = {.file = file};
	const struct timefile_reader reader = {read_names, read_row, &reading};
	int rc;

	if ((rc = timefile_read(file->path, &reader, status)) < 0)
		return rc;
	if (reading.n == 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: no values of %s", file->path,
		                  file->link != NULL ? file->link : file->column);
	if (!is_sorted(&reading))
		qsort(reading.points, reading.n, sizeof(*reading.points), by_time);
	if ((rc = lagged_from_points(reading.points, reading.n, file->step_seconds, ret, status)) < 0)
		status_prefix(status, "%s: ", file->path);
	return rc;
}
