// timefile.h: a CSV file whose rows have a time, row by row. Names of columns come first; the time is in
// `timestamp_unix` or `timestamp` (Unix seconds, nanoseconds, or RFC 3339). What the other columns mean is the
// reader's.
// SPDX-License-Identifier: MIT
#pragma once

#include "csvfile.h"
#include "status.h"

#include <stdint.h>

#define TIMEFILE_COLUMNS 256 // at most

// Both return 0 to go on, or a negative errno with 'status', whose message is told with file and line.
struct timefile_reader {
	int (*names)(void *context, const struct csv_row *names, struct status *status);
	int (*row)(void *context, int64_t ts_ns, const struct csv_row *row, struct status *status);
	void *context;
};

// Returns 0, or a negative errno with 'status', whose message begins with the file, and the line where there
// is one.
int timefile_read(const char *path, const struct timefile_reader *, struct status *status);

// Is it one of the columns that the time may be in?
int timefile_is_time(const char *name);
