// tail.h: rows that are not sealed yet, by series, in memory. The writer adds rows to an open transaction, which is
// committed or rolled back as the file's; what is read from the file (journal.h) is committed. Pure: no files.
//
// A series is a number: its id in `port` or `kpi_series`, times two, plus its kind.
// SPDX-License-Identifier: MIT
#pragma once

#include "chunk.h"

static inline int64_t series_number(enum series_kind kind, int64_t id) {
	return id * 2 + kind;
}

static inline enum series_kind series_kind(int64_t series) {
	return (enum series_kind)(series & 1);
}

static inline int64_t series_id(int64_t series) {
	return series / 2;
}

// Rows of one series in the order of their arrival. A row has one column more than its width: the commit it came
// with.
struct open_series {
	int64_t series, names_id;
	struct rows rows;
	size_t n_committed; // rows behind these are of the open transaction
	bool in_order;      // by time
	bool touched;
	int64_t sealed_id; // rows of commits up to this one are sealed: they are not restored
	int64_t newest_ns; // of the rows; INT64_MIN without any
	int64_t opened_ns; // when its first row was noticed to be waiting; 0: not yet
	// what sealing knows (seal.c)
	bool sealed_known;
	int64_t sealed_ns;      // time of the newest sealed row, INT64_MIN without any
	struct rows sealed_row; // that row, if any
	int64_t sealed_names_id;
	unsigned small[N_LEVELS]; // small chunks at the end
};

struct tail {
	struct open_series **series; // by number; NULL where there is none
	size_t n_series;
	struct open_series **touched; // those with rows of the open transaction
	size_t n_touched, touched_capacity;
	size_t n_waiting; // series with rows
	size_t size;      // bytes of all rows
	int64_t id;       // of the open transaction, or the next one
};

void tail_fini(struct tail *);

// The rows of a series, or NULL.
struct open_series *tail_find(const struct tail *, int64_t series);

// The same, made when it is new. NULL without memory.
struct open_series *tail_get(struct tail *, int64_t series);

// Adds a row of 'width' columns to the open transaction; all rows of a series have one width and one set of names.
// Returns 0 or -ENOMEM.
int tail_add(struct tail *, struct open_series *, size_t width, const uint64_t *row);

// Takes rows away: all of a series (they are sealed), or, from one on, those that are not to be. Returns whether one of
// these was committed.
void tail_clear(struct tail *, struct open_series *);
bool tail_remove(struct tail *, struct open_series *, size_t from,
                 bool (*is_to_go)(const void *context, const uint64_t *row), const void *context);

// The transaction was committed, or taken back.
void tail_commit(struct tail *);
void tail_rollback(struct tail *);

// Adds a row that was committed with 'id', which is behind those before. Returns 0 or -ENOMEM.
int tail_restore(struct tail *, struct open_series *, size_t width, const uint64_t *row, int64_t id);

// Forgets rows of commits before 'id': of all series, or of one.
void tail_trim(struct tail *, int64_t id);
void tail_trim_series(struct tail *, struct open_series *, int64_t id);

// The first commit that has a row here, or INT64_MAX.
int64_t tail_first(const struct tail *);

static inline size_t open_width(const struct open_series *open) {
	return open->rows.width - 1;
}

static inline int64_t open_commit(const struct open_series *open, size_t i) {
	return (int64_t)rows_at(&open->rows, i)[open->rows.width - 1];
}
