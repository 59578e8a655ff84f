// history_chunk_put.h: rows of a series on their way into chunks, for the files that seal. All within a transaction.
// SPDX-License-Identifier: MIT
#pragma once

#include "clock.h"
#include "history_private.h"

#define DENSE_NS (NS_PER_SECOND / 3 * 2) // rows closer than this, on average, are rolled up to seconds

// ---- rows of several sets of names, in order

struct entry {
	const uint64_t *row;
	int64_t names_id;
	size_t width;
	bool is_new;
};

struct entries {
	struct entry *list;
	size_t n, capacity;
	struct rows pools[64];
	size_t n_pools;
	bool ports;
};

void entries_fini(struct entries *);

// Rows [from, to), which must live as long as the entries. Returns 0 or -ENOMEM.
int entries_add(struct entries *, const struct rows *rows, size_t from, size_t to, size_t width,
                int64_t names_id, bool is_new);

// Reads a chunk whose rows then live as long as 'entries'. Returns 0, 1 when it is damaged and stays where it is, or a
// negative errno.
int entries_add_chunk(struct history *, int64_t series, const struct chunk_ref *, struct entries *,
                      struct status *);

void entries_sort(struct entries *);

// ---- chunks

enum density { SPARSE, DENSE, BY_TIME };

static inline bool is_dense(const uint64_t *first, const uint64_t *last, size_t n) {
	return n > 1 && (last[ROW_TS] - first[ROW_TS]) / (n - 1) < DENSE_NS;
}

// One chunk of 'n' rows in order.
int history_put_chunk(struct history *, int64_t series, enum history_level, int64_t names_id,
                      const uint64_t *values, size_t n, size_t width, size_t stride, enum density,
                      struct status *);

// Entries in order become chunks: one for each run of the same names, none too long.
int history_put_entries(struct history *, int64_t series, enum history_level, const struct entries *,
                        enum density, struct status *);
int history_drop_chunk(struct history *, const struct chunk_ref *, struct status *);

// Rows of an open series that follow what is sealed, from the one with index 'from' on, with their levels.
int history_append_rows(struct history *, struct open_series *, const struct rows *, size_t from,
                        size_t width, struct status *);

// ---- history_late.c

// The same for rows of which some belong before what is sealed.
int history_insert_rows(struct history *, struct open_series *, const struct rows *, size_t width,
                        struct status *);
