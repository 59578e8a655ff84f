// chunk.h: rows as bytes that speak for themselves: what they are, which names their counters have, and each
// column packed (bitpack.h) under a checksum of its own, so that one column is read without the others and damage
// is found where it is. Chunks are what is sealed; the tail's rows are written in the same form. Pure.
//
//     version, kind and level, order (1 byte each); the head's size (4 bytes)
//     rows, names, columns; each column's size (LEB128)
//     checksum of all before (4 bytes): the head ends here
//     each column: checksum of its bytes (4 bytes), for reals one byte of form, bitpack.h's bytes
//
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
	size_t size;            // of the head; columns follow
	const uint8_t *columns; // their sizes, in the bytes that were given
	size_t total_size;      // of the chunk
};

// Returns 0, the bytes that are needed when there are too few, or -EBADMSG when this is no head, or a damaged one.
int chunk_read_head(const uint8_t *bytes, size_t size, struct chunk_head *ret);

// Where column 'k' is in the chunk.
void chunk_column_place(const struct chunk_head *, size_t k, size_t *ret_offset, size_t *ret_size);

// Reads a column from its bytes. Returns 0 or -EBADMSG.
int chunk_read_column(const struct chunk_head *, size_t k, const uint8_t *bytes, size_t size,
                      uint64_t *values);

// Reads a whole chunk and adds its rows to 'ret', whose width is at least its columns. Returns 0, -EBADMSG or -ENOMEM.
int chunk_read_rows(const struct chunk_head *, const uint8_t *bytes, size_t size, struct rows *ret);
