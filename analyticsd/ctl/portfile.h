// portfile.h: a CSV file of one port's counters: a time (timefile.h), columns of whole numbers with the names of
// counters. The basic eight come first, 0 where the file has none; other columns of whole numbers follow under their
// own names; columns that hold anything else are left out.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "status.h"

#include <stddef.h>
#include <stdint.h>

// Is a number the state of a counter, or what was counted since the row before?
enum portfile_values { PORTFILE_COUNTERS, PORTFILE_COUNTS };

struct portfile_options {
	int64_t from_ns, to_ns; // rows of [from, to), by the file's times
	int values;             // or -1: counters, refused when they fall as counts do
};

struct portfile {
	const char *path;
	struct portfile_options options;
	const char **names; // of counters
	size_t n_names;
	int *columns; // of each name in the file, or -1
	const char **left_out;
	size_t n_left_out;
	size_t n_rows; // in range
	int64_t oldest_ns, newest_ns;
	uint64_t digest; // of names, times and values
};

// Reads the whole file once and checks it; times must not go back. 'path' must live as long as '*ret'. Returns 0 or a
// negative errno with 'status'.
int portfile_open(const char *path, const struct portfile_options *, struct portfile **ret,
                  struct status *status);
void portfile_close(struct portfile *);
DEFINE_CLEANUP(struct portfile *, portfile_close)

// Reads it again: 'values' are counters, one for each name, valid during the call. 'each' may end it with a negative
// errno. A file that changed in between fails or brings other rows than were checked.
int portfile_each(const struct portfile *,
                  int (*each)(void *context, int64_t ts_ns, const uint64_t *values, struct status *status),
                  void *context, struct status *status);
