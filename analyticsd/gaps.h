// gaps.h: which rows of a port and instance are missing: a set of ranges of seq. Pure. Rows count from 1; all
// beyond last_seq are not published yet, as far as is known.
//
// The set is bounded: beyond MAX_GAPS the two oldest become one, and rows between them are then taken for missing
// once more (history drops what it has).
// SPDX-License-Identifier: MIT
#pragma once

#include "history.h"

#define MAX_GAPS 256

// Zero it before use; only the list is on the heap.
struct gaps {
	uint64_t last_seq; // newest row that is known to exist
	struct seq_gap *list;
	size_t n, capacity;
	bool changed; // since its owner cleared this
};

void gaps_fini(struct gaps *);

// Puts a gap behind the ones that are there, as they were stored. Returns 0 or -ENOMEM.
int gaps_add(struct gaps *, const struct seq_gap *gap);

// Rows up to 'seq' were published: those that are news are missing. Returns 1 when there were any, 0, or -ENOMEM.
int gaps_extend(struct gaps *, uint64_t seq);

// A row arrived; rows that it shows to be missing are noted. Returns 1, 0 when it was there already, or -ENOMEM.
int gaps_fill(struct gaps *, uint64_t seq);

// Missing rows from 'from_seq' to 'to_seq' will never come (if one does nevertheless, it fills its place). 'ret'
// gets how many they are. Returns 0 or -ENOMEM.
int gaps_give_up(struct gaps *, uint64_t from_seq, uint64_t to_seq, uint64_t *ret);

// The oldest rows that are missing and may still come, or NULL.
const struct seq_gap *gaps_open(const struct gaps *);
