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

#define VERSION_MAX   2
#define CHECKSUM_SIZE 4
#define FIXED_SIZE    7  // of a head, up to its size
#define FEW_ROWS      64 // fewer have one checksum
#define STEPS_MOST    24 // rows that show which columns are like each other
#define STEPS_LEAST   6
#define GAIN          4 // times that differences must be closer together
#define NOISE         8 // closer together than this is close enough

enum chunk_flag { FLAG_MIXED = 1, FLAG_WHOLE = 2, FLAG_REFERENCES = 4, FLAGS = 7 };

enum real_form { REAL_BITS, REAL_BPS };

void chunk_writer_fini(struct chunk_writer *writer) {
	free(writer->steps);
	free(writer->references);
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

// Of a head, and of the columns behind it if they have none of their own.
static uint32_t head_checksum(const uint8_t *bytes, size_t head, size_t columns, uint8_t flags) {
	XXH64_hash_t sum = XXH3_64bits(bytes, head - CHECKSUM_SIZE);

	if ((flags & FLAG_WHOLE) != 0)
		sum = XXH3_64bits_withSeed(bytes + head, columns, sum);
	return htole32((uint32_t)sum);
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

static bool is_counter(const struct chunk_kind *kind, size_t k) {
	return kind->series == SERIES_PORT &&
	       k >= (size_t)(kind->level == LEVEL_RAW ? ROW_COUNTERS : STEP_VALUES);
}

// How far apart these are, as signed numbers, at most 'limit'.
static uint64_t spread(const uint64_t *a, const uint64_t *b, size_t n, uint64_t limit) {
	int64_t least = INT64_MAX, most = INT64_MIN;

	for (size_t i = 0; i < n; i++) {
		int64_t number = (int64_t)(a[i] - (b != NULL ? b[i] : 0));

		least = number < least ? number : least;
		most = number > most ? number : most;
		if ((uint64_t)most - (uint64_t)least >= limit)
			return limit;
	}
	return (uint64_t)most - (uint64_t)least;
}

// The earlier column whose steps are most like those of column 'k', or 'k'.
static size_t find_like(const struct chunk_writer *writer, size_t first, size_t k, size_t n) {
	const uint64_t *steps = writer->steps + k * STEPS_MOST;
	uint64_t least = spread(steps, NULL, n, UINT64_MAX) / GAIN;
	size_t found = k;

	if (least < NOISE)
		return k;
	for (size_t other = first; other < k; other++) {
		uint64_t apart;

		if (writer->references[other] != other)
			continue;
		apart = spread(steps, writer->steps + other * STEPS_MOST, n, least);
		if (apart < least) {
			least = apart;
			found = other;
		}
	}
	return found;
}

// By some rows of each column, which other one it is packed after.
static int choose_references(struct chunk_writer *writer, const struct chunk_kind *kind,
                             const uint64_t *values, size_t n, size_t n_columns, size_t stride) {
	size_t n_steps = n - 1 < STEPS_MOST ? n - 1 : STEPS_MOST, first = 0;

	if (grow((void **)&writer->steps, &writer->steps_n, n_columns * STEPS_MOST, sizeof(uint64_t)) < 0 ||
	    grow((void **)&writer->references, &writer->references_n, n_columns, sizeof(size_t)) < 0)
		return -ENOMEM;
	for (size_t k = 0; k < n_columns; k++)
		writer->references[k] = k;
	if (n_steps < STEPS_LEAST || kind->mixed || kind->series != SERIES_PORT)
		return 0;
	while (!is_counter(kind, first))
		first++;
	for (size_t s = 0; s < n_steps; s++) {
		const uint64_t *row = values + (1 + s * (n - 1) / n_steps) * stride;

		for (size_t k = first; k < n_columns; k++)
			writer->steps[k * STEPS_MOST + s] = row[k] - row[k - stride];
	}
	for (size_t k = first + 1; k < n_columns; k++)
		writer->references[k] = find_like(writer, first, k, n_steps);
	return 0;
}

static size_t put_column(struct chunk_writer *writer, const struct chunk_kind *kind, size_t k, size_t n,
                         size_t n_columns, uint8_t *out) {
	size_t checksum = n < FEW_ROWS ? 0 : CHECKSUM_SIZE, size;
	bool real = is_real(kind, k);
	uint8_t *body = out + checksum;

	if (real)
		body[0] = (uint8_t)pack_reals(writer->column, n);
	size = real + bitpack_encode(writer->column, n, form_of(kind, k, n_columns), body + real);
	if (checksum > 0)
		put_checksum(out, body, size);
	return checksum + size;
}

static int write_column(struct chunk_writer *writer, const struct chunk_kind *kind, const uint64_t *values,
                        size_t k, size_t n, size_t n_columns, size_t stride, size_t *at) {
	size_t bound = CHECKSUM_SIZE + 1 + bitpack_bound(n), other = writer->references[k], size, own;

	if (grow((void **)&writer->body, &writer->body_size, *at + 2 * bound, 1) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		writer->column[i] = values[i * stride + k];
	size = own = put_column(writer, kind, k, n, n_columns, writer->body + *at);
	if (other != k) { // if it is shorter
		for (size_t i = 0; i < n; i++)
			writer->column[i] = values[i * stride + k] - values[i * stride + other];
		size = put_column(writer, kind, k, n, n_columns, writer->body + *at + own);
		if (size < own)
			memmove(writer->body + *at, writer->body + *at + own, size);
		else
			writer->references[k] = k;
	}
	*at += size < own ? size : own;
	return 0;
}

static size_t put_references(const struct chunk_writer *writer, size_t n_columns, uint8_t *out) {
	bool are_any = false;
	size_t size = 0;

	for (size_t k = 0; k < n_columns; k++)
		are_any |= writer->references[k] != k;
	for (size_t k = 0; k < n_columns && are_any; k++)
		size += bitpack_put_number(writer->references[k] == k ? 0 : writer->references[k] + 1,
		                           out + size);
	return size;
}

int chunk_write(struct chunk_writer *writer, const struct chunk_kind *kind, const uint64_t *values, size_t n,
                size_t n_columns, size_t stride, const uint8_t **ret, size_t *ret_size) {
	uint8_t numbers[4 * 10], flags = kind->mixed ? FLAG_MIXED : 0;
	size_t at = 0, before, directory = 0, references, fixed, head;
	uint32_t sum;

	// the directory grows in front of the body in 'out', which then takes the whole
	if (grow((void **)&writer->column, &writer->column_n, n, sizeof(uint64_t)) < 0 ||
	    grow((void **)&writer->out, &writer->out_size, n_columns * 2 * 10, 1) < 0 ||
	    choose_references(writer, kind, values, n, n_columns, stride) < 0)
		return -ENOMEM;
	for (size_t k = 0; k < n_columns; k++) {
		before = at;
		if (write_column(writer, kind, values, k, n, n_columns, stride, &at) < 0)
			return -ENOMEM;
		directory += bitpack_put_number(at - before, writer->out + directory);
	}
	references = put_references(writer, n_columns, writer->out + directory);
	directory += references;
	flags |= (uint8_t)((references > 0 ? FLAG_REFERENCES : 0) | (n < FEW_ROWS ? FLAG_WHOLE : 0));
	fixed = bitpack_put_number(n, numbers);
	fixed += bitpack_put_number((uint64_t)kind->names_id, numbers + fixed);
	fixed += bitpack_put_number(n_columns, numbers + fixed);
	head = FIXED_SIZE + fixed + directory + CHECKSUM_SIZE;
	if (grow((void **)&writer->out, &writer->out_size, head + at, 1) < 0)
		return -ENOMEM;
	memmove(writer->out + FIXED_SIZE + fixed, writer->out, directory);
	writer->out[0] = flags > FLAG_MIXED ? 2 : 1;
	writer->out[1] = (uint8_t)(kind->series | kind->level << 1);
	writer->out[2] = flags;
	memcpy(writer->out + 3, &(uint32_t){htole32((uint32_t)head)}, 4);
	memcpy(writer->out + FIXED_SIZE, numbers, fixed);
	memcpy(writer->out + head, writer->body, at);
	sum = head_checksum(writer->out, head, at, flags);
	memcpy(writer->out + head - CHECKSUM_SIZE, &sum, CHECKSUM_SIZE);
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

// Sizes and references. Returns whether they can be.
static bool read_directory(const uint8_t *bytes, size_t size, size_t at, struct chunk_head *head) {
	uint64_t number;
	size_t other;

	head->columns = bytes + at;
	for (size_t k = 0; k < head->n_columns; k++) {
		if (!read_numbers(bytes, size, &number, 1, &at) || number > UINT32_MAX)
			return false;
		head->total_size += number;
	}
	if ((bytes[2] & FLAG_REFERENCES) == 0)
		return true;
	head->references = bytes + at;
	for (size_t k = 0; k < head->n_columns; k++) {
		if (!read_numbers(bytes, size, &number, 1, &at) || number > k ||
		    (number > 0 && chunk_has_reference(head, number - 1, &other)))
			return false;
	}
	return true;
}

int chunk_read_head(const uint8_t *bytes, size_t size, struct chunk_head *ret) {
	uint64_t numbers[3];
	uint32_t head, sum;
	size_t at = FIXED_SIZE;

	if (size < FIXED_SIZE)
		return FIXED_SIZE;
	memcpy(&head, bytes + 3, sizeof(head));
	head = le32toh(head);
	if (bytes[0] == 0 || bytes[0] > VERSION_MAX || bytes[2] > (bytes[0] == 1 ? FLAG_MIXED : FLAGS) ||
	    head < FIXED_SIZE + 3 + CHECKSUM_SIZE || head > 32 + 20 * CHUNK_COLUMNS_MAX)
		return -EBADMSG;
	if (size < head)
		return (int)head;
	if (!read_numbers(bytes, head - CHECKSUM_SIZE, numbers, 3, &at))
		return -EBADMSG;
	*ret = (struct chunk_head){
	        .kind = {.series = bytes[1] & 1,
	                 .level = (enum history_level)(bytes[1] >> 1),
	                 .names_id = (int64_t)numbers[1],
	                 .mixed = (bytes[2] & FLAG_MIXED) != 0},
	        .n_rows = numbers[0],
	        .n_columns = numbers[2],
	        .size = head,
	        .is_whole = (bytes[2] & FLAG_WHOLE) != 0,
	        .total_size = head,
	};
	if (numbers[0] == 0 || numbers[0] > CHUNK_ROWS_MAX || numbers[2] < 2 ||
	    numbers[2] > CHUNK_COLUMNS_MAX || ret->kind.level < LEVEL_RAW || ret->kind.level >= N_LEVELS ||
	    !read_directory(bytes, head - CHECKSUM_SIZE, at, ret))
		return -EBADMSG;
	if (ret->is_whole && size < ret->total_size)
		return ret->total_size > INT32_MAX ? -EBADMSG : (int)ret->total_size;
	sum = head_checksum(bytes, head, ret->total_size - head, bytes[2]);
	return memcmp(bytes + head - CHECKSUM_SIZE, &sum, CHECKSUM_SIZE) == 0 ? 0 : -EBADMSG;
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

bool chunk_has_reference(const struct chunk_head *head, size_t k, size_t *ret) {
	const uint8_t *at = head->references;
	uint64_t number = 0;

	for (size_t i = 0; at != NULL && i <= k; i++)
		at += bitpack_get_number(at, 10, &number);
	*ret = number - 1;
	return number > 0;
}

int chunk_read_column(const struct chunk_head *head, size_t k, const uint8_t *bytes, size_t size,
                      uint64_t *values) {
	size_t checksum = head->is_whole ? 0 : CHECKSUM_SIZE;
	bool real = is_real(&head->kind, k);

	if (size < checksum + (size_t)real + 1 ||
	    (checksum > 0 && !is_whole(bytes, bytes + checksum, size - checksum)))
		return -EBADMSG;
	bytes += checksum;
	size -= checksum;
	if (bitpack_decode(bytes + real, size - real, head->n_rows, values) != size - real)
		return -EBADMSG;
	if (real && bytes[0] == REAL_BPS)
		unpack_reals(values, head->n_rows);
	return 0;
}

// Reads column 'k' of all rows.
static int read_values(const struct chunk_head *head, size_t k, const uint8_t *bytes, size_t size,
                       uint64_t *column, struct rows *ret) {
	uint64_t *out = rows_at(ret, ret->n);
	size_t other;

	if (chunk_read_column(head, k, bytes, size, column) < 0)
		return -EBADMSG;
	if (chunk_has_reference(head, k, &other)) {
		for (size_t i = 0; i < head->n_rows; i++)
			column[i] += out[i * ret->width + other];
	}
	for (size_t i = 0; i < head->n_rows; i++)
		out[i * ret->width + k] = column[i];
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
		at += bitpack_get_number(at, 10, &column_size);
		if (read_values(head, k, bytes + offset, column_size, column, ret) < 0)
			return -EBADMSG;
		offset += column_size;
	}
	ret->n += head->n_rows;
	return 0;
}
