// chunk.h: rows as bytes that speak for themselves: what they are, which names their counters have, and each
// column packed (bitpack.h) under a checksum of its own, so that one column is read without the others and damage
// is found where it is. Counters often count the same (those of a port and of its only queue, packets and unicast
// packets): a column may be packed as its difference to another one. Chunks of few rows, which are read as a whole,
// have one checksum. Pure.
//
//     version (1 or 2), kind and level, flags (1 byte each); the head's size (4 bytes)
//     rows, names, columns; each column's size (LEB128)
//     with flag 4: for each column 0, or the number, from 1, of an earlier one that is to be added (LEB128), which
//     has none itself
//     checksum of all before (4 bytes), with flag 2 of all else: the head ends here
//     each column: without flag 2 checksum of its bytes (4 bytes), for reals one byte of form, bitpack.h's bytes
//
// Flag 1: a row is not like the one before it. Version 1 has no other flag.
// Checksums are the low half of XXH3 (64 bits; https://github.com/Cyan4973/xxHash), little endian.
// SPDX-License-Identifier: MIT
#pragma once

#include "bytes.h"
#include "history.h"
#include "rows.h"

#define CHUNK_ROWS        4096      // of a sealed chunk, at most
#define CHUNK_ROWS_MAX    (1 << 22) // of any
#define CHUNK_COLUMNS_MAX (2 * (LIMIT_NAMES + ROW_COUNTERS) + 1)
#define CHUNK_HEAD_GUESS  256 // bytes that mostly hold the head

struct chunk_kind {
	enum series_kind series;
	enum history_level level;
	int64_t names_id; // of the counters beyond the basic ones; 0: none
	bool mixed;       // a row is not like the one before it
};

// Packs rows; keeps its memory for the next.
struct chunk_writer {
	uint64_t *steps; // of some rows, by column
	size_t steps_n;
	size_t *references; // by column; the column less 1 is its own
	size_t references_n;
	uint64_t *column;
	size_t column_n;
	uint8_t *out;
	size_t out_size;
	uint8_t *body;
	size_t body_size;
};

void chunk_writer_fini(struct chunk_writer *);

// 'n' rows (n > 0) of 'n_columns' columns, each 'stride' values behind the one before. '*ret' lives until the next
// call. Returns 0 or -ENOMEM.
int chunk_write(struct chunk_writer *, const struct chunk_kind *, const uint64_t *values, size_t n,
                size_t n_columns, size_t stride, const uint8_t **ret, size_t *ret_size);

struct chunk_head {
	struct chunk_kind kind;
	size_t n_rows, n_columns;
	size_t size;               // of the head; columns follow
	bool is_whole;             // one checksum, which was right
	const uint8_t *columns;    // their sizes, in the bytes that were given
	const uint8_t *references; // or NULL
	size_t total_size;         // of the chunk
};

// Returns 0, the bytes that are needed when there are too few, or -EBADMSG when this is no head, or a damaged one.
int chunk_read_head(const uint8_t *bytes, size_t size, struct chunk_head *ret);

// Where column 'k' is in the chunk.
void chunk_column_place(const struct chunk_head *, size_t k, size_t *ret_offset, size_t *ret_size);

// Does a column hold differences to another? Returns whether, and that column, which is read by itself and added.
bool chunk_has_reference(const struct chunk_head *, size_t k, size_t *ret);

// Reads a column from its bytes: what is packed there. Returns 0 or -EBADMSG.
int chunk_read_column(const struct chunk_head *, size_t k, const uint8_t *bytes, size_t size,
                      uint64_t *values);

// Reads a whole chunk and adds its rows to 'ret', whose width is at least its columns. Returns 0, -EBADMSG or -ENOMEM.
int chunk_read_rows(const struct chunk_head *, const uint8_t *bytes, size_t size, struct rows *ret);
