// Records of commits: reading. Any bytes are fine as input.
// SPDX-License-Identifier: MIT
#include "journal_private.h"

#include "bitpack.h"
#include "cleanup.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_MAX (1 << 24) // a number beyond is damage

static void columns_to_point(uint64_t columns[static LINK_COLUMNS]) {
	if (columns[POINT_WIDTH] != 0)
		columns[POINT_VALUE] = bitpack_from_bps(columns[POINT_VALUE]);
}

struct bit_source {
	const uint8_t *in; // with 8 bytes more than there are bits
	size_t at, end;    // bits
};

static inline uint64_t look(const struct bit_source *source) {
	uint64_t word;

	memcpy(&word, source->in + source->at / 8, sizeof(word));
	return le64toh(word) >> source->at % 8;
}

// 'n' bits, PUT_BITS_MAX at most. Behind the end they are 0; who reads on finds 'at' there.
static inline uint64_t take(struct bit_source *source, unsigned n) {
	uint64_t bits;

	if (source->at > source->end)
		return 0;
	bits = look(source) & ((UINT64_C(1) << n) - 1);
	source->at += n;
	return bits;
}

static uint64_t take_number(struct bit_source *source) {
	uint64_t number = 0;
	unsigned n, low = 0;

	if (take(source, 1) == 0)
		return 0;
	n = (unsigned)take(source, 6);
	if (n > PUT_BITS_MAX)
		number = take(source, low = 8);
	number |= take(source, n - low) << low;
	return number | UINT64_C(1) << n;
}

static inline uint64_t take_code(struct bit_source *source, struct column *column) {
	unsigned width = column->width, ones;
	uint64_t number, value;

	if (source->at > source->end)
		return column->last;
	number = look(source);
	ones = number == UINT64_MAX ? FAR : (unsigned)__builtin_ctzll(~number);
	if (ones < FAR) {
		source->at += ones + 1 + width;
		number = (uint64_t)ones << width | (number >> (ones + 1) & ((UINT64_C(1) << width) - 1));
		value = expected(column) + unzigzag(number);
		note_near(column, value, number);
	} else {
		source->at += FAR;
		value = expected(column) + unzigzag(take_number(source));
		note_far(column, value);
	}
	return value;
}

static void take_learning(struct bit_source *source, struct journal_series *series, uint64_t *before,
                          uint64_t *row) {
	for (size_t k = 0; k < series->width; k++) {
		struct column *column = &series->columns[k];
		uint64_t number = take_number(source);

		if (series->n_seen > 0)
			row[k] = (series->n_seen == 1 ? column->last : expected(column)) + unzigzag(number);
		else
			row[k] = k < N_BEFORE ? before[k] + unzigzag(number) : number;
		note_learnt(column, series->n_seen, row[k], number);
		if (series->n_seen == 0 && k < N_BEFORE)
			before[k] = row[k];
	}
}

static void take_row(struct bit_source *source, struct journal_series *series, uint64_t *row) {
	struct column *columns = series->columns;
	bool changed = take(source, 1) != 0;

	for (size_t k = 0; k < series->width; k++) {
		if (!changed && columns[k].calm == CALM)
			row[k] = columns[k].last = expected(&columns[k]);
		else
			row[k] = take_code(source, &columns[k]);
	}
}

struct reading {
	struct journal *journal;
	struct tail *tail;
	struct bit_source source;
	int64_t id, before;
	size_t n_values;
};

static bool is_width(int64_t series, uint64_t width) {
	return series_kind(series) == SERIES_LINK
	               ? width == LINK_COLUMNS
	               : width >= ROW_COUNTERS && width <= ROW_COUNTERS + LIMIT_NAMES;
}

// The series that is next, and its rows. NULL: not what was written, or no memory.
static struct journal_series *take_series(struct reading *reading, int64_t *ret_number, int *rc) {
	struct journal *journal = reading->journal;
	struct journal_series *before = journal_find(journal, reading->before), *series;
	struct bit_source *source = &reading->source;
	int64_t number = before != NULL ? before->next : journal->first;
	bool is_other = take(source, 1) != 0;
	uint64_t n_rows = 0, names_id, width;

	*rc = -EBADMSG;
	if (is_other) {
		number = (int64_t)take_number(source);
		n_rows = take_number(source);
	}
	if (number < 0 || number > SERIES_MAX || n_rows > VALUES_MAX)
		return NULL;
	series = journal_find(journal, number);
	if (is_other && take(source, 1) != 0) {
		names_id = take_number(source);
		width = take_number(source);
		if (!is_width(number, width))
			return NULL;
		series = journal_renew(journal, number, (int64_t)names_id, width);
		*rc = series == NULL ? -ENOMEM : *rc;
	}
	if (series == NULL)
		return NULL;
	if (is_other)
		series->n_rows = n_rows;
	before = journal_find(journal, reading->before); // it may be the one that was renewed
	if (before != NULL)
		before->next = number;
	else
		journal->first = number;
	reading->before = *ret_number = number;
	return series;
}

static int take_rows(struct reading *reading) {
	struct bit_source *source = &reading->source;
	struct journal_series *series;
	int64_t number;
	int rc;

	series = take_series(reading, &number, &rc);
	if (series == NULL)
		return rc;
	uint64_t row[series->width];
	const bool is_link = series_kind(number) == SERIES_LINK;
	const size_t width = is_link ? POINT_WIDTH : series->width;
	struct open_series *open = tail_get(reading->tail, number);

	if (open == NULL)
		return -ENOMEM;
	reading->n_values += series->n_rows * series->width;
	if (reading->n_values > VALUES_MAX)
		return -EBADMSG;
	// other names come only when the rows before were sealed
	if (open->rows.n > 0 && (open->names_id != series->names_id || open_width(open) != width))
		tail_clear(reading->tail, open);
	open->names_id = series->names_id;
	for (size_t i = 0; i < series->n_rows; i++) {
		if (series->n_seen < LEARNING) {
			take_learning(source, series, reading->journal->before[series_kind(number)], row);
			series->n_seen++;
		} else {
			take_row(source, series, row);
		}
		if (source->at > source->end)
			return -EBADMSG;
		if (is_link)
			columns_to_point(row);
		if (tail_restore(reading->tail, open, width, row, reading->id) < 0)
			return -ENOMEM;
	}
	return 0;
}

// Reads a record that is whole.
static int read_record(struct reading *reading, const uint8_t *bytes, size_t size) {
	CLEANUP(freep) uint8_t *copy = malloc(size + 2 * sizeof(uint64_t));
	uint64_t id, n_series;
	size_t at, read;
	int rc = 0;

	at = bitpack_get_number(bytes, size, &id);
	read = bitpack_get_number(bytes + at, size - at, &n_series);
	if (at == 0 || read == 0 || id > INT64_MAX)
		return -EBADMSG;
	if (copy == NULL)
		return -ENOMEM;
	at += read;
	memcpy(copy, bytes + at, size - at);
	memset(copy + size - at, 0, 2 * sizeof(uint64_t));
	reading->source = (struct bit_source){.in = copy, .end = 8 * (size - at)};
	reading->id = (int64_t)id;
	for (uint64_t i = 0; i < n_series && rc == 0; i++)
		rc = reading->source.at >= reading->source.end ? -EBADMSG : take_rows(reading);
	return rc;
}

int64_t journal_read(struct journal *journal, struct tail *tail, const uint8_t *bytes, size_t size,
                     int64_t *ret_id) {
	struct reading reading = {.journal = journal, .tail = tail, .before = -1};
	uint64_t record;
	size_t at = bitpack_get_number(bytes, size, &record);
	int rc;

	if (at == 0)
		return size < HEAD_SIZE / 3 ? 0 : -EBADMSG;
	if (record > size - at)
		return record > INT32_MAX ? -EBADMSG : 0;
	rc = read_record(&reading, bytes + at, record);
	if (rc < 0)
		return rc;
	*ret_id = reading.id;
	return (int64_t)(at + record);
}
