// Records of commits. Coder and decoder share what they learn; all else is one function for each direction.
// SPDX-License-Identifier: MIT
#include "journal.h"

#include "bitpack.h"
#include "cleanup.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEARNING     3  // rows of a series that begin a part
#define FAR          20 // ones that stand for a number in full
#define WIDTH_MAX    32 // of the low bits of a code
#define CALM         8  // rows without a change that make a column calm
#define SIZE_MAX_OFF (UINT64_C(1) << 44)
#define PUT_BITS_MAX 56        // at once
#define VALUE_SIZE   12        // bytes of a value, at most
#define LINK_COLUMNS 4         // of a point: its own, and whether it is whole bit/s
#define SERIES_MAX   (1 << 24) // a number beyond is damage
#define VALUES_MAX   (1 << 24) // of one record
#define PART_LONG    8         // times what its first rows took
#define HEAD_SIZE    30        // three LEB128 numbers, at most
#define N_BEFORE     5

static_assert(N_BEFORE == ROW_COUNTERS && LINK_COLUMNS <= N_BEFORE);

struct column {
	uint64_t last;
	uint64_t mean; // of differences, in sixteenths
	uint64_t off;  // mean of the numbers, in sixteenths
	uint8_t width, calm;
	bool far; // the number before was
};

struct journal_series {
	uint64_t part; // in which it was seen last
	int64_t names_id, next;
	size_t width, n_rows, n_seen;
	struct column columns[];
};

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

static struct journal_series *find(const struct journal *journal, int64_t series) {
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
static struct journal_series *renew(struct journal *journal, int64_t number, int64_t names_id, size_t width) {
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

static void columns_to_point(uint64_t columns[static LINK_COLUMNS]) {
	if (columns[POINT_WIDTH] != 0)
		columns[POINT_VALUE] = bitpack_from_bps(columns[POINT_VALUE]);
}

// ---- what is learnt of a column

static uint64_t zigzag(uint64_t number) {
	return number << 1 ^ -(number >> 63);
}

static uint64_t unzigzag(uint64_t number) {
	return number >> 1 ^ -(number & 1);
}

static unsigned length_of(uint64_t number) {
	return number == 0 ? 0 : 64 - (unsigned)__builtin_clzll(number);
}

static uint64_t half_down(uint64_t number, unsigned bits) {
	return (uint64_t)((int64_t)number >> bits);
}

static uint64_t expected(const struct column *column) {
	return column->last + half_down(column->mean + 8, 4);
}

// The low bits that make codes shortest: as many as the mean's, times ln 2.
static void choose_width(struct column *column) {
	unsigned width = length_of(column->off * 11 >> 8);

	column->width = (uint8_t)(width < WIDTH_MAX ? width : WIDTH_MAX);
}

static void note_near(struct column *column, uint64_t value, uint64_t number) {
	uint64_t difference = value - column->last;

	column->last = value;
	column->mean += half_down((difference << 4) - column->mean, 3);
	column->off += number - (column->off >> 4);
	column->calm = number != 0 ? 0 : column->calm < CALM ? column->calm + 1 : CALM;
	column->far = false;
	choose_width(column);
}

// One number that is far off changes little; the second says that there is a new mean.
static void note_far(struct column *column, uint64_t value) {
	uint64_t difference = value - column->last;

	column->last = value;
	if (column->far)
		column->mean = difference << 4;
	column->off = 4 * column->off + 16 < SIZE_MAX_OFF ? 4 * column->off + 16 : SIZE_MAX_OFF;
	column->calm = 0;
	column->far = true;
	choose_width(column);
}

// The rows that begin: a value, a difference, and what the next one is off.
static void note_learnt(struct column *column, size_t n_seen, uint64_t value, uint64_t number) {
	uint64_t difference = value - column->last;

	column->last = value;
	if (n_seen == 0) {
		*column = (struct column){.last = value};
	} else if (n_seen == 1) {
		column->mean = difference << 4;
	} else {
		column->off = number < SIZE_MAX_OFF >> 4 ? number << 4 : SIZE_MAX_OFF;
		choose_width(column);
	}
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
	struct journal_series *series = find(journal, open->series);
	struct journal_series *before = find(journal, record->before);
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
			series = renew(journal, open->series, open->names_id, width);
			if (series == NULL)
				return NULL;
		}
	}
	before = find(journal, record->before); // it may be the one that was renewed
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

// ---- reading

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
	struct journal_series *before = find(journal, reading->before), *series;
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
	series = find(journal, number);
	if (is_other && take(source, 1) != 0) {
		names_id = take_number(source);
		width = take_number(source);
		if (!is_width(number, width))
			return NULL;
		series = renew(journal, number, (int64_t)names_id, width);
		*rc = series == NULL ? -ENOMEM : *rc;
	}
	if (series == NULL)
		return NULL;
	if (is_other)
		series->n_rows = n_rows;
	before = find(journal, reading->before); // it may be the one that was renewed
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
