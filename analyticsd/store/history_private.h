// history_private.h: the handle that history.c (tables, writing) and history_read.c share.
// SPDX-License-Identifier: MIT
#pragma once

#include "db.h"
#include "history.h"

struct history {
	sqlite3 *db;
	// statements, each prepared at its first use
	sqlite3_stmt *find_port, *note_port, *note_rows, *note_names, *insert_row, *note_source,
	        *note_hello_port;
	sqlite3_stmt *find_series, *make_series, *insert_point, *read_point;
	sqlite3_stmt *read_kpi, *newest_kpi, *mean_kpi, *read_port, *newest_row, *each_port, *each_port_of,
	        *each_source;
	sqlite3_stmt *read_instance, *read_gaps, *drop_gaps, *insert_gap, *read_rows, *each_last_row,
	        *drop_measured, *note_last_seq;
	// the newest set of names beyond the basic ones, so that a sample needs no look-up
	char *names;
	int64_t names_id;
};

// Both return 1 with the id, 0 when there is none, or a negative errno.
int history_find_port(struct history *, const char *host, const char *name, int64_t *ret,
                      struct status *status);
int history_find_series(struct history *, const char *link_id, enum directions, int64_t kpi, int64_t *ret,
                        struct status *status);
