// Heads, columns and checksums.
// SPDX-License-Identifier: MIT
#define XXH_INLINE_ALL
#include "chunk.h"

#include "cleanup.h"
#include "bitpack.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define CHUNK_VERSION 1
#define CHECKSUM_SIZE 4

enum real_form { REAL_BITS, REAL_BPS };

void chunk_writer_fini(struct chunk_writer *writer) {
	free(writer->column);
	free(writer->out);
	free(writer->body);
	*writer = (struct chunk_writer){0};
}

static int grow(void **memory, size_t *size, size_t needed, size_t element) {
	void *moved;

	if (needed <= *size)
		return 0;
	needed += needed / 2;
	moved = reallocarray(*memory, needed, element);
	if (moved == NULL)
		return -ENOMEM;
	*memory = moved;
	*size = needed;
	return 0;
}

static void put_checksum(uint8_t *out, const uint8_t *bytes, size_t size) {
	uint32_t sum = htole32((uint32_t)XXH3_64bits(bytes, size));

	memcpy(out, &sum, CHECKSUM_SIZE);
}

static bool is_whole(const uint8_t *checksum, const uint8_t *bytes, size_t size) {
	uint8_t expected[CHECKSUM_SIZE];

	put_checksum(expected, bytes, size);
	return memcmp(expected, checksum, CHECKSUM_SIZE) == 0;
}

// ---- reals

static bool is_real(const struct chunk_kind *kind, size_t k) {
	if (kind->series != SERIES_LINK)
		return false;
	if (kind->level == LEVEL_RAW)
		return k == POINT_VALUE;
	return k >= POINT_STEP_LAST && k < POINT_STEP_WIDTH;
}

static enum real_form pack_reals(uint64_t *column, size_t n) {
	uint64_t bps;

	for (size_t i = 0; i < n; i++) {
		if (!bitpack_to_bps(column[i], &bps))
			return REAL_BITS;
	}
	for (size_t i = 0; i < n; i++)
		(void)bitpack_to_bps(column[i], &column[i]);
	return REAL_BPS;
}

static void unpack_reals(uint64_t *column, size_t n) {
	for (size_t i = 0; i < n; i++)
		column[i] = bitpack_from_bps(column[i]);
}

// ---- writing

// Rows of one series follow each other; of several, only what is mostly the same is like the row before.
static enum bitpack_form form_of(const struct chunk_kind *kind, size_t k, size_t n_columns) {
	if (!kind->mixed || k == n_columns - 1 || (kind->series == SERIES_PORT && k == ROW_INSTANCE))
		return BITPACK_DELTA;
	return BITPACK_PLAIN;
}

static int write_column(struct chunk_writer *writer, const struct chunk_kind *kind, size_t k, size_t n,
                        size_t n_columns, size_t *at) {
	bool real = is_real(kind, k);
	uint8_t *out;
	size_t size;

	if (grow((void **)&writer->body, &writer->body_size, *at + CHECKSUM_SIZE + 1 + bitpack_bound(n), 1) <
	    0)
		return -ENOMEM;
	out = writer->body + *at + CHECKSUM_SIZE;
	if (real)
		out[0] = (uint8_t)pack_reals(writer->column, n);
	size = real + bitpack_encode(writer->column, n, form_of(kind, k, n_columns), out + real);
	put_checksum(writer->body + *at, out, size);
	*at += CHECKSUM_SIZE + size;
	return 0;
}

int chunk_write(struct chunk_writer *writer, const struct chunk_kind *kind, const uint64_t *values, size_t n,
                size_t n_columns, size_t stride, const uint8_t **ret, size_t *ret_size) {
	uint8_t numbers[4 * 10];
	size_t at = 0, before, directory = 0, fixed, head;
	uint8_t *sizes;

	// the directory grows in front of the body in 'out', which then takes the whole
	if (grow((void **)&writer->column, &writer->column_n, n, sizeof(uint64_t)) < 0 ||
	    grow((void **)&writer->out, &writer->out_size, n_columns * 10, 1) < 0)
		return -ENOMEM;
	sizes = writer->out;
	for (size_t k = 0; k < n_columns; k++) {
		for (size_t i = 0; i < n; i++)
			writer->column[i] = values[i * stride + k];
		before = at;
		if (write_column(writer, kind, k, n, n_columns, &at) < 0)
			return -ENOMEM;
		directory += bitpack_put_number(at - before, sizes + directory);
	}
	fixed = bitpack_put_number(n, numbers);
	fixed += bitpack_put_number((uint64_t)kind->names_id, numbers + fixed);
	fixed += bitpack_put_number(n_columns, numbers + fixed);
	head = 3 + 4 + fixed + directory + CHECKSUM_SIZE;
	if (grow((void **)&writer->out, &writer->out_size, head + at, 1) < 0)
		return -ENOMEM;
	memmove(writer->out + 7 + fixed, writer->out, directory);
	writer->out[0] = CHUNK_VERSION;
	writer->out[1] = (uint8_t)(kind->series | kind->level << 1);
	writer->out[2] = kind->mixed;
	memcpy(writer->out + 3, &(uint32_t){htole32((uint32_t)head)}, 4);
	memcpy(writer->out + 7, numbers, fixed);
	put_checksum(writer->out + head - CHECKSUM_SIZE, writer->out, head - CHECKSUM_SIZE);
	memcpy(writer->out + head, writer->body, at);
	*ret = writer->out;
	*ret_size = head + at;
	return 0;
}

// ---- reading

static bool read_numbers(const uint8_t *bytes, size_t size, uint64_t *numbers, size_t n, size_t *at) {
	for (size_t i = 0; i < n; i++) {
		size_t read = bitpack_get_number(bytes + *at, size - *at, &numbers[i]);

		if (read == 0)
			return false;
		*at += read;
	}
	return true;
}

int chunk_read_head(const uint8_t *bytes, size_t size, struct chunk_head *ret) {
	uint64_t numbers[3], column;
	uint32_t head;
	size_t at = 7;

	if (size < 7)
		return 7;
	memcpy(&head, bytes + 3, sizeof(head));
	head = le32toh(head);
	if (bytes[0] != CHUNK_VERSION || head < 7 + 3 + CHECKSUM_SIZE || head > 32 + 10 * CHUNK_COLUMNS_MAX)
		return -EBADMSG;
	if (size < head)
		return (int)head;
	size = head - CHECKSUM_SIZE;
	if (!is_whole(bytes + size, bytes, size) || !read_numbers(bytes, size, numbers, 3, &at))
		return -EBADMSG;
	*ret = (struct chunk_head){
	        .kind = {.series = bytes[1] & 1,
	                 .level = (enum history_level)(bytes[1] >> 1),
	                 .names_id = (int64_t)numbers[1],
	                 .mixed = bytes[2] != 0},
	        .n_rows = numbers[0],
	        .n_columns = numbers[2],
	        .size = head,
	        .columns = bytes + at,
	        .total_size = head,
	};
	if (numbers[0] == 0 || numbers[0] > CHUNK_ROWS_MAX || numbers[2] < 2 ||
	    numbers[2] > CHUNK_COLUMNS_MAX || ret->kind.level < LEVEL_RAW || ret->kind.level >= N_LEVELS)
		return -EBADMSG;
	for (size_t k = 0; k < ret->n_columns; k++) {
		if (!read_numbers(bytes, size, &column, 1, &at) || column > UINT32_MAX)
			return -EBADMSG;
		ret->total_size += column;
	}
	return 0;
}

void chunk_column_place(const struct chunk_head *head, size_t k, size_t *ret_offset, size_t *ret_size) {
	const uint8_t *at = head->columns;
	uint64_t size = 0;

	*ret_offset = head->size;
	for (size_t i = 0; i <= k; i++) {
		*ret_offset += size;
		at += bitpack_get_number(at, 10, &size);
	}
	*ret_size = size;
}

int chunk_read_column(const struct chunk_head *head, size_t k, const uint8_t *bytes, size_t size,
                      uint64_t *values) {
	bool real = is_real(&head->kind, k);

	if (size < CHECKSUM_SIZE + (size_t)real + 1 ||
	    !is_whole(bytes, bytes + CHECKSUM_SIZE, size - CHECKSUM_SIZE))
		return -EBADMSG;
	bytes += CHECKSUM_SIZE;
	size -= CHECKSUM_SIZE;
	if (bitpack_decode(bytes + real, size - real, head->n_rows, values) != size - real)
		return -EBADMSG;
	if (real && bytes[0] == REAL_BPS)
		unpack_reals(values, head->n_rows);
	return 0;
}

int chunk_read_rows(const struct chunk_head *head, const uint8_t *bytes, size_t size, struct rows *ret) {
	CLEANUP(freep) uint64_t *column = NULL;
	const uint8_t *at = head->columns;
	size_t offset = head->size;
	uint64_t column_size;

	if (size < head->total_size || ret->width < head->n_columns)
		return -EBADMSG;
	column = reallocarray(NULL, head->n_rows, sizeof(*column));
	if (column == NULL || rows_reserve(ret, head->n_rows) < 0)
		return -ENOMEM;
	for (size_t k = 0; k < head->n_columns; k++) {
		uint64_t *out = rows_at(ret, ret->n) + k;

		at += bitpack_get_number(at, 10, &column_size);
		if (chunk_read_column(head, k, bytes + offset, column_size, column) < 0)
			return -EBADMSG;
		for (size_t i = 0; i < head->n_rows; i++, out += ret->width)
			*out = column[i];
		offset += column_size;
	}
	ret->n += head->n_rows;
	return 0;
}
