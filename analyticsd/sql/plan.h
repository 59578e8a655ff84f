// plan.h: which part of a virtual table a query wants, so that only that is read: what xBestIndex finds out goes to
// xFilter as a text of column and operator for each argument. SQLite tests every row again by itself: a plan may give
// more than was asked for, never less.
// SPDX-License-Identifier: MIT
#pragma once

#include "db.h"

#include <stdbool.h>
#include <stdint.h>

enum column_role {
	ROLE_PLAIN,  // nothing to gain
	ROLE_KEY,    // equality chooses series
	ROLE_NS,     // time in nanoseconds
	ROLE_SECOND, // the same in whole seconds, rounded down
	ROLE_CHOICE, // hidden: equality says how to read; it is not a property of rows
};

#define PLAN_COLUMNS 32 // at most

struct plan_column {
	const char *name; // as declared, with its type
	enum column_role role;
};

struct plan {
	const char *equal[PLAN_COLUMNS]; // text of keys and choices, or NULL; valid during xFilter
	int64_t from_ns, to_ns;          // [from, to)
};

// Of xBestIndex. 'columns' are in the order of their declaration; 'n_keys' of them name one series.
int plan_choose(sqlite3_index_info *, const struct plan_column *columns, int n_columns, int n_keys);

// Of xFilter.
void plan_read(const char *text, int n_values, sqlite3_value **values, const struct plan_column *columns,
               struct plan *ret);
