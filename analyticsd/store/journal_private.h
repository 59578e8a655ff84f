// journal_private.h: what writer and reader of the journal share: what they learn of each column.
// SPDX-License-Identifier: MIT
#pragma once

#include "journal.h"

#include <assert.h>

#define LEARNING     3  // rows of a series that begin a part
#define FAR          20 // ones that stand for a number in full
#define WIDTH_MAX    32 // of the low bits of a code
#define CALM         8  // rows without a change that make a column calm
#define SIZE_MAX_OFF (UINT64_C(1) << 44)
#define PUT_BITS_MAX 56        // at once
#define LINK_COLUMNS 4         // of a point: its own, and whether it is whole bit/s
#define VALUES_MAX   (1 << 24) // of one record
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

// A series of this part, or NULL.
struct journal_series *journal_find(const struct journal *, int64_t series);
// One that is new to this part, or has other columns than before. NULL without memory.
struct journal_series *journal_renew(struct journal *, int64_t series, int64_t names_id, size_t width);

// ---- what is learnt of a column

static inline uint64_t zigzag(uint64_t number) {
	return number << 1 ^ -(number >> 63);
}

static inline uint64_t unzigzag(uint64_t number) {
	return number >> 1 ^ -(number & 1);
}

static inline unsigned length_of(uint64_t number) {
	return number == 0 ? 0 : 64 - (unsigned)__builtin_clzll(number);
}

static inline uint64_t half_down(uint64_t number, unsigned bits) {
	return (uint64_t)((int64_t)number >> bits);
}

static inline uint64_t expected(const struct column *column) {
	return column->last + half_down(column->mean + 8, 4);
}

// The low bits that make codes shortest: as many as the mean's, times ln 2.
static inline void choose_width(struct column *column) {
	unsigned width = length_of(column->off * 11 >> 8);

	column->width = (uint8_t)(width < WIDTH_MAX ? width : WIDTH_MAX);
}

static inline void note_near(struct column *column, uint64_t value, uint64_t number) {
	uint64_t difference = value - column->last;

	column->last = value;
	column->mean += half_down((difference << 4) - column->mean, 3);
	column->off += number - (column->off >> 4);
	column->calm = number != 0 ? 0 : column->calm < CALM ? column->calm + 1 : CALM;
	column->far = false;
	choose_width(column);
}

// One number that is far off changes little; the second says that there is a new mean.
static inline void note_far(struct column *column, uint64_t value) {
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
static inline void note_learnt(struct column *column, size_t n_seen, uint64_t value, uint64_t number) {
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
