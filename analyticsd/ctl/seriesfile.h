// seriesfile.h: one column of a CSV file as a series on equal steps.
// SPDX-License-Identifier: MIT
#pragma once

#include "lagged_points.h"

struct seriesfile {
	const char *path;
	const char *column;
	const char *link;    // rows of this link in the column 'link'; NULL: all, which must then be of one
	double step_seconds; // 0: the rows' spacing
};

// Rows may come in any order, but no two at one time; a value that is empty or "nan" was not measured. Returns 0,
// a negative errno with 'status', whose message begins with the file, or -ENOMEM; the caller ends 'ret' with
// lagged_series_fini().
int seriesfile_read(const struct seriesfile *, struct lagged_series *ret, struct status *status);
