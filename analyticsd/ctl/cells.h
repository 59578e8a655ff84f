// cells.h: how values look in a table for people.
// SPDX-License-Identifier: MIT
#pragma once

#include "ctl.h"
#include "table.h"

#define CELL_SIZE 48

// "9.92", "0.00931"; NULL (an empty cell) when the value is not there.
const char *cell_gbps(bool present, double gbps, char text[static CELL_SIZE]);
const char *cell_real(bool present, double value, char text[static CELL_SIZE]);
const char *cell_number(int64_t value, char text[static CELL_SIZE]);
const char *cell_count(uint64_t value, char text[static CELL_SIZE]);

// "7 s ago", against the time the command was started.
const char *cell_age(const struct ctl *, int64_t time_ns, char text[static CELL_SIZE]);

// Prints a table under its title; nothing but "no <title>" when it has no rows.
int cells_print(struct table *, const char *title, size_t n_rows);
