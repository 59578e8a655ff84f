// history_scan.h: a series while it is read: what history_scan.c and history_rates.c share.
// SPDX-License-Identifier: MIT
#pragma once

#include "history_private.h"

struct scanner {
	struct history *history;
	const struct scan *scan;
	struct status *status;
	int64_t from_ns, to_ns; // of the level that is scanned
	size_t n;               // columns that are wanted, without time and number of rows
	struct chunk_bytes head_bytes, bytes;
	uint64_t *values; // of a batch: time, number of rows, the columns
	size_t values_rows;
	const uint64_t **columns;
	size_t n_after;   // rows of the chunks that follow
	struct rows late; // of the tail: time, then the columns; sorted
	size_t next_late;
	struct rows before; // the raw row before, for rates
	int64_t before_names_id;
};

static inline uint64_t *scanner_column(struct scanner *scanner, size_t k) {
	return scanner->values + k * scanner->values_rows;
}

// Place for a batch of 'n' rows. Returns 0 or -ENOMEM.
int scanner_make_batch(struct scanner *, size_t n);

// Where the wanted columns are in rows with these names. Returns 1, 0 when one is not there, or a negative errno.
int scanner_find_places(struct scanner *, enum history_level, int64_t names_id, size_t width, size_t *places);

// Gives rows [from, to) of the batch; 'steps': with the number of rows that each stands for. Returns what the scan's
// each() does.
int scanner_give(struct scanner *, size_t from, size_t to, bool steps);

// ---- history_rates.c: all return 0, 1 when each() ended it, or a negative errno

// Raw rows of the scan's range with the rate of each counter to the row before; 'open' may be NULL.
int scanner_rates(struct scanner *, const struct open_series *open);
// The same for one chunk that is read by itself.
int scanner_rates_of_chunk(struct scanner *, const struct chunk_ref *);
