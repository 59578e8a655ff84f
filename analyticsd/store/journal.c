// Records of commits: series, and writing. journal_read.c is the way back.
// SPDX-License-Identifier: MIT
#include "journal_private.h"

#include "bitpack.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_SIZE 12 // bytes of a value, at most
#define PART_LONG  8  // times what its first rows took

void journal_fini(struct journal *journal) {
	for (size_t i = 0; i < journal->n_series; i++)
		free(journal->series[i]);
	free(journal->series);
	free(journal->out);
	*journal = (struct journal){0};
}

void journal_begin(struct journal *journal) {
	journal->part++;
	journal->first = -1;
	memset(journal->before, 0, sizeof(journal->before));
	journal->n_fresh = journal->n_all = 0;
}

bool journal_is_long(const struct journal *journal) {
	return journal->n_all > PART_LONG * journal->n_fresh;
}

// ---- series

struct journal_series *journal_find(const struct journal *journal, int64_t series) {
	struct journal_series *found =
	        series >= 0 && (size_t)series < journal->n_series ? journal->series[series] : NULL;

	return found != NULL && found->part == journal->part ? found : NULL;
}

static int make_place(struct journal *journal, size_t series) {
	size_t n = series + series / 2 + 64;
	struct journal_series **moved;

	if (series < journal->n_series)
		return 0;
	moved = reallocarray(journal->series, n, sizeof(struct journal_series *));
	if (moved == NULL)
		return -ENOMEM;
	memset(moved + journal->n_series, 0, (n - journal->n_series) * sizeof(struct journal_series *));
	journal->series = moved;
	journal->n_series = n;
	return 0;
}

// A series that is new to this part, or has other columns than before.
struct journal_series *journal_renew(struct journal *journal, int64_t number, int64_t names_id,
                                     size_t width) {
	struct journal_series *series;

	if (make_place(journal, (size_t)number) < 0)
		return NULL;
	series = journal->series[number];
	if (series == NULL || series->width != width) {
		struct journal_series *moved =
		        realloc(series, sizeof(*series) + width * sizeof(struct column));

		if (moved == NULL)
			return NULL;
		journal->series[number] = series = moved;
	}
	*series = (struct journal_series){
	        .part = journal->part, .names_id = names_id, .next = -1, .width = width};
	return series;
}

static size_t columns_of(int64_t series, size_t width) {
	return series_kind(series) == SERIES_LINK ? LINK_COLUMNS : width;
}

// A point with whole bit/s where these are exact.
static void point_to_columns(const uint64_t *row, uint64_t columns[static LINK_COLUMNS]) {
	memcpy(columns, row, POINT_WIDTH * sizeof(*row));
	columns[POINT_WIDTH] = bitpack_to_bps(row[POINT_VALUE], &columns[POINT_VALUE]);
}

// ---- writing

struct bits {
	uint64_t word;
	unsigned filled; // of the word; below 8 between calls
	uint8_t *out;
};

static inline void put(struct bits *bits, uint64_t number, unsigned n) {
	uint64_t stored;

	bits->word |= number << bits->filled;
	bits->filled += n;
	stored = htole64(bits->word);
	memcpy(bits->out, &stored, sizeof(stored));
	bits->out += bits->filled >> 3;
	bits->word >>= bits->filled & 56;
	bits->filled &= 7;
}

static void put_number(struct bits *bits, uint64_t number) {
	unsigned n = length_of(number);

	if (n == 0) {
		put(bits, 0, 1);
		return;
	}
	put(bits, 1 | (n - 1) << 1, 7);
	if (--n > PUT_BITS_MAX) {
		put(bits, number & 0xff, 8);
		number >>= 8;
		n -= 8;
	}
	put(bits, number & ((UINT64_C(1) << n) - 1), n);
}

static inline void put_code(struct bits *bits, struct column *column, uint64_t value, uint64_t number) {
	unsigned width = column->width;
	uint64_t ones = number >> width;

	if (ones < FAR) {
		uint64_t low = number & ((UINT64_C(1) << width) - 1);

		put(bits, ((UINT64_C(1) << ones) - 1) | low << (ones + 1), (unsigned)ones + 1 + width);
		note_near(column, value, number);
	} else {
		put(bits, (UINT64_C(1) << FAR) - 1, FAR);
		put_number(bits, number);
		note_far(column, value);
	}
}

static void put_learning(struct bits *bits, struct journal_series *series, const uint64_t *row,
                         uint64_t *before) {
	for (size_t k = 0; k < series->width; k++) {
		struct column *column = &series->columns[k];
		uint64_t number;

		if (series->n_seen > 0)
			number = zigzag(row[k] - (series->n_seen == 1 ? column->last : expected(column)));
		else
			number = k < N_BEFORE ? zigzag(row[k] - before[k]) : row[k];
		put_number(bits, number);
		note_learnt(column, series->n_seen, row[k], number);
		if (series->n_seen == 0 && k < N_BEFORE)
			before[k] = row[k];
	}
}

static void put_row(struct bits *bits, struct journal_series *series, const uint64_t *row) {
	struct column *columns = series->columns;
	uint64_t numbers[series->width], changed = 0;

	for (size_t k = 0; k < series->width; k++) {
		numbers[k] = zigzag(row[k] - expected(&columns[k]));
		changed |= columns[k].calm == CALM ? numbers[k] : 0;
	}
	put(bits, changed != 0, 1);
	for (size_t k = 0; k < series->width; k++) {
		if (changed == 0 && columns[k].calm == CALM)
			columns[k].last = row[k];
		else
			put_code(bits, &columns[k], row[k], numbers[k]);
	}
}

struct record {
	struct journal *journal;
	size_t at; // of the record in 'out'
	struct bits bits;
	int64_t before;
	size_t n_series, n_values;
};

// Makes place in 'out'.
static int reserve(struct record *record, size_t size) {
	struct journal *journal = record->journal;
	size_t used = (size_t)(record->bits.out - journal->out), needed = used + size + 2 * sizeof(uint64_t);
	uint8_t *moved;

	if (journal->out != NULL && needed <= journal->out_size)
		return 0;
	needed += needed / 2;
	moved = realloc(journal->out, needed);
	if (moved == NULL)
		return -ENOMEM;
	record->bits.out = moved + used;
	journal->out = moved;
	journal->out_size = needed;
	return 0;
}

static size_t bits_of(const struct record *record) {
	return (size_t)(record->bits.out - record->journal->out) * 8 + record->bits.filled;
}

static struct journal_series *put_series(struct record *record, const struct open_series *open, size_t n) {
	struct journal *journal = record->journal;
	struct journal_series *series = journal_find(journal, open->series);
	struct journal_series *before = journal_find(journal, record->before);
	size_t width = columns_of(open->series, open_width(open));
	bool is_same = series != NULL && series->width == width && series->names_id == open->names_id;

	if (is_same && series->n_rows == n &&
	    open->series == (before != NULL ? before->next : journal->first)) {
		put(&record->bits, 0, 1);
	} else {
		put(&record->bits, 1, 1);
		put_number(&record->bits, (uint64_t)open->series);
		put_number(&record->bits, n);
		put(&record->bits, !is_same, 1);
		if (!is_same) {
			put_number(&record->bits, (uint64_t)open->names_id);
			put_number(&record->bits, width);
			series = journal_renew(journal, open->series, open->names_id, width);
			if (series == NULL)
				return NULL;
		}
	}
	before = journal_find(journal, record->before); // it may be the one that was renewed
	if (before != NULL)
		before->next = open->series;
	else
		journal->first = open->series;
	series->n_rows = n;
	record->before = open->series;
	record->n_series++;
	return series;
}

static int put_rows(struct record *record, const struct open_series *open, size_t from, size_t n) {
	struct journal *journal = record->journal;
	struct journal_series *series;
	uint64_t columns[LINK_COLUMNS];
	size_t start = bits_of(record), fresh = start;

	if (reserve(record, 64) < 0 || (series = put_series(record, open, n)) == NULL)
		return -ENOMEM;
	for (size_t i = from; i < from + n; i++) {
		const uint64_t *row = rows_at(&open->rows, i);

		if (reserve(record, series->width * VALUE_SIZE + 1) < 0)
			return -ENOMEM;
		if (series_kind(open->series) == SERIES_LINK) {
			point_to_columns(row, columns);
			row = columns;
		}
		if (series->n_seen < LEARNING) {
			put_learning(&record->bits, series, row, journal->before[series_kind(open->series)]);
			series->n_seen++;
			fresh = bits_of(record);
		} else {
			put_row(&record->bits, series, row);
		}
	}
	record->n_values += n * series->width;
	journal->n_fresh += fresh - start;
	journal->n_all += bits_of(record) - start;
	return 0;
}

// What comes before the bits is known when they are there.
static int finish(struct record *record, int64_t id) {
	struct journal *journal = record->journal;
	uint8_t numbers[HEAD_SIZE], *start;
	size_t n, size, before;

	if (reserve(record, HEAD_SIZE) < 0)
		return -ENOMEM;
	record->bits.out += record->bits.filled > 0;
	start = journal->out + record->at;
	size = (size_t)(record->bits.out - start);
	n = bitpack_put_number((uint64_t)id, numbers);
	n += bitpack_put_number(record->n_series, numbers + n);
	before = bitpack_put_number(n + size, numbers + n);
	memmove(start + before + n, start, size);
	memcpy(start, numbers + n, before);
	memcpy(start + before, numbers, n);
	record->at += before + n + size;
	record->bits = (struct bits){.out = journal->out + record->at};
	record->n_series = record->n_values = 0;
	record->before = -1;
	return 0;
}

int journal_write(struct journal *journal, const struct tail *tail, const uint8_t **ret, size_t *ret_size) {
	struct record record = {.journal = journal, .bits = {.out = journal->out}, .before = -1};

	for (size_t i = 0; i < tail->n_touched; i++) {
		const struct open_series *open = tail->touched[i];
		size_t most = VALUES_MAX / 2 / (columns_of(open->series, open_width(open)) + 1), n;

		for (size_t at = open->n_committed; at < open->rows.n; at += n) {
			n = open->rows.n - at < most ? open->rows.n - at : most;
			if (put_rows(&record, open, at, n) < 0 ||
			    (record.n_values > VALUES_MAX / 2 && finish(&record, tail->id) < 0))
				return -ENOMEM;
		}
	}
	if (record.n_series > 0 && finish(&record, tail->id) < 0)
		return -ENOMEM;
	*ret = journal->out;
	*ret_size = record.at;
	return 0;
}
