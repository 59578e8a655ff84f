// table.h: a table for people: aligned columns, cut to the terminal's width, no lines drawn.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stdio.h>

struct table;

struct table_column {
	const char *name;
	bool right; // numbers
};

// Returns 0 or -ENOMEM.
int table_new(const struct table_column *columns, size_t n_columns, struct table **ret);
void table_free(struct table *);
DEFINE_CLEANUP(struct table *, table_free)

// Adds a row of as many cells as there are columns; NULL is an empty cell. The texts are copied. 0 or
// -ENOMEM.
int table_add(struct table *, const char *const *cells);

int table_print(struct table *, FILE *file);
