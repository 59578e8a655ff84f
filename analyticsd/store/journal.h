// journal.h: what a commit added, as a record: each row as its differences to the row of the same series before. Records
// are read in the order in which they were written; a part of the journal begins with a record that needs none before
// it. Pure: no files.
//
// The writer and the reader keep the same for each column: its last value, the mean of its differences, and how far
// these are off. A row is what its columns are off by, in Golomb-Rice codes (R. F. Rice, "Some practical universal
// noiseless coding techniques", JPL 79-22, 1979) whose parameter follows the mean of the numbers before, as in JPEG-LS
// (Weinberger, Seroussi, Sapiro, IEEE Trans. Image Processing 9(8), 2000). Columns that always go on as before are one
// bit together.
//
//     record   its size without this number, the commit, how many series (LEB128); then bits, the lowest first
//     series   0: the one that followed last time, with as many rows; or 1, its number, how many rows, a bit: 1, its
//              set of names and its width if these are new to this part
//     row      the first of a part: numbers, the first columns as differences to the series before; the two that
//              follow: numbers, of the difference and of what it is off; all others: a bit, 1 if a calm column changed;
//              then a code for each column that is not calm, or for all
//     number   0; or 1, six bits of length, and the bits below the highest
//     code     (number >> width) ones, a zero, the low bits of the number; or 20 ones and a number
//
// Numbers that may be negative are zigzag. Of a point, Gbit/s are whole bit/s where that is exact, which a fourth column
// tells.
// SPDX-License-Identifier: MIT
#pragma once

#include "tail.h"

struct journal_series;

// Of a writer or of a reader.
struct journal {
	struct journal_series **series; // by number; NULL where there is none
	size_t n_series;
	uint64_t part;         // counts from 1
	int64_t first;         // series of the last record, -1: none
	uint64_t before[2][5]; // columns of the last first row, of ports and of links
	size_t n_fresh, n_all; // bits of this part: of rows that began it, and all
	uint8_t *out;
	size_t out_size;
};

void journal_fini(struct journal *);

// Begins a part: what is written or read next needs nothing before it.
void journal_begin(struct journal *);

// Is it time for a new part? One takes eight times what its first rows took.
bool journal_is_long(const struct journal *);

// Records of the rows that the open transaction of the tail has, one in most cases. '*ret' lives until the next call; without rows
// it has no bytes. Returns 0, or -ENOMEM, after which a part must begin.
int journal_write(struct journal *, const struct tail *, const uint8_t **ret, size_t *ret_size);

// Adds the rows of the record that 'bytes' begins with to the tail. Returns the bytes it has, 0 when they are not all
// here, -EBADMSG when it is damaged (rows before the damage were added), or -ENOMEM; after both a part must begin.
int64_t journal_read(struct journal *, struct tail *, const uint8_t *bytes, size_t size, int64_t *ret_id);
