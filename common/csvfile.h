// csvfile.h: the rows of a CSV file, one at a time, so that a file of any size takes little memory.
// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>

struct csv_row {
	size_t line; // of the file, from 1, where the row begins
	size_t n_fields;
	const char *const *fields; // NUL-terminated, without their quotes; valid during the call
};

// Called for each row, the first (usually names) too; blank lines are passed over. 0 goes on, a negative
// errno ends the reading and is returned.
typedef int (*csv_row_fn)(void *context, const struct csv_row *row);

// Reads the file at 'path'. Returns 0, what 'each' returned, -EBADMSG for broken quoting or a NUL byte
// (*ret_line tells where), -ENOMEM, or -errno of the file.
int csv_read(const char *path, csv_row_fn each, void *context, size_t *ret_line);

// The index of the column 'name' in a row of names, or -ENOENT.
int csv_column(const struct csv_row *names, const char *name);
