// kpifile.h: a CSV file of KPI samples, row by row. Names of columns come first: the time is in
// `timestamp_unix` or `timestamp` (Unix seconds, nanoseconds, or RFC 3339), the value in a column of choice;
// `link` and `direction` may be there.
// SPDX-License-Identifier: MIT
#pragma once

#include "status.h"

#include <stddef.h>
#include <stdint.h>

struct kpi_row {
	size_t line;
	const char *link;      // as in the file; NULL without such a column
	const char *direction; // as in the file; NULL without such a column
	int64_t ts_ns;
	double value; // scaled; finite and not negative
};

// 0 goes on, a negative errno with 'status' ends the reading.
typedef int (*kpi_row_fn)(void *context, const struct kpi_row *row, struct status *status);

// Returns 0, or a negative errno with 'status', whose message begins with the file, and the line where there
// is one.
int kpifile_read(const char *path, const char *value_column, double scale, kpi_row_fn each, void *context,
                 struct status *status);
