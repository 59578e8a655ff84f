// The journal of commits: what was written comes out again, whatever it is, and what cannot be read says so.
// SPDX-License-Identifier: MIT
#include "bitpack.h"
#include "bytes.h"
#include "journal.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_SERIES  12
#define WIDTH_MAX (ROW_COUNTERS + 20)

static struct journal writer, reader;
static struct tail written, read_back;
static struct bytes bytes;

static void teardown(void) {
	journal_fini(&writer);
	journal_fini(&reader);
	tail_fini(&written);
	tail_fini(&read_back);
	bytes_fini(&bytes);
}

static void setup(void) {
	srandom(7);
	written.id = 1;
	journal_begin(&writer);
	journal_begin(&reader);
}

TestSuite(journal, .init = setup, .fini = teardown);

static uint64_t draw(void) {
	uint64_t number = (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();

	return number >> random() % 64;
}

static void begin_part(void) {
	journal_begin(&writer);
	journal_begin(&reader);
}

// Writes what the open transaction has and reads it again. Returns the bytes it took.
static size_t pass(void) {
	const uint8_t *records;
	size_t size;
	int64_t id;

	cr_assert_eq(journal_write(&writer, &written, &records, &size), 0);
	cr_assert_eq(bytes_append(&bytes, records, size), 0);
	for (size_t at = 0; at < size;) {
		int64_t n = journal_read(&reader, &read_back, records + at, size - at, &id);

		cr_assert_gt(n, 0, "at %zu of %zu", at, size);
		cr_assert_eq(id, written.id);
		at += (size_t)n;
	}
	tail_commit(&written);
	return size;
}

static void compare(void) {
	for (size_t s = 0; s < written.n_series; s++) {
		const struct open_series *open = written.series[s], *other;

		if (open == NULL || open->rows.n == 0)
			continue;
		other = tail_find(&read_back, (int64_t)s);
		cr_assert_not_null(other);
		cr_assert_eq(other->rows.n, open->rows.n, "series %zu", s);
		cr_assert_eq(other->names_id, open->names_id);
		cr_assert_eq(other->rows.width, open->rows.width);
		cr_assert_arr_eq(other->rows.values, open->rows.values,
		                 open->rows.n * open->rows.width * sizeof(uint64_t));
	}
}

// A row that goes on as a counter does, or anything.
static void next_row(uint64_t *row, size_t width, int64_t series) {
	for (size_t k = 0; k < width; k++) {
		switch (random() % 40) {
		case 0:
			row[k] = draw();
			break;
		case 1:
			row[k] = UINT64_MAX;
			break;
		case 2:
			row[k] = 0;
			break;
		default:
			row[k] += k % 3 == 0 ? 0 : k % 3 == 1 ? 1000 : (uint64_t)random() % 5000;
		}
	}
	if (series_kind(series) == SERIES_LINK && random() % 4 > 0)
		row[POINT_VALUE] = bitpack_from_real((double)(random() % 1000000000) / 1e9);
}

Test(journal, whatever_rows_a_commit_has_they_come_out_again) {
	static uint64_t rows[N_SERIES][WIDTH_MAX];
	size_t widths[N_SERIES];

	for (int s = 0; s < N_SERIES; s++)
		widths[s] = series_kind(s) == SERIES_LINK ? POINT_WIDTH : ROW_COUNTERS + 1 + (size_t)s;
	for (int commit = 0; commit < 3000; commit++) {
		for (int64_t s = 0; s < N_SERIES; s++) {
			struct open_series *open = tail_get(&written, s);

			if (random() % 10 == 0)
				continue;
			if (random() % 200 == 0 &&
			    series_kind(s) == SERIES_PORT) { // other names: sealed before
				tail_clear(&written, open);
				tail_clear(&read_back, tail_get(&read_back, s));
				open->names_id = random() % 3;
				widths[s] = ROW_COUNTERS + 1 + (size_t)random() % 20;
			}
			for (long n = random() % 50 == 0 ? random() % 100 : 1; n > 0; n--) {
				next_row(rows[s], widths[s], s);
				cr_assert_eq(tail_add(&written, open, widths[s], rows[s]), 0);
			}
		}
		if (commit % 500 == 499)
			begin_part();
		(void)pass();
		if (commit % 100 == 99)
			compare();
	}
}

Test(journal, what_goes_on_as_before_takes_two_bits_a_row) {
	uint64_t row[ROW_COUNTERS + 30] = {0};
	struct open_series *open[4];

	for (int64_t s = 0; s < 4; s++)
		open[s] = tail_get(&written, 2 * s);
	for (int commit = 0; commit < 100; commit++) {
		size_t size;

		for (size_t k = 0; k < sizeof(row) / sizeof(row[0]); k++)
			row[k] += k * 1000000007;
		for (int s = 0; s < 4; s++)
			cr_assert_eq(tail_add(&written, open[s], sizeof(row) / sizeof(row[0]), row), 0);
		size = pass();
		if (commit > 20)
			cr_assert_leq(size, 4, "commit %d: %zu", commit, size);
	}
	compare();
}

Test(journal, noise_takes_little_more_than_it_has) {
	enum { COUNTERS = 16, COMMITS = 1000 };
	uint64_t row[ROW_COUNTERS + COUNTERS] = {0};
	size_t size = 0;

	for (int commit = 0; commit < COMMITS; commit++) {
		for (size_t k = ROW_COUNTERS; k < ROW_COUNTERS + COUNTERS; k++)
			row[k] += 1000000 + (uint64_t)random() % 4096;
		cr_assert_eq(tail_add(&written, tail_get(&written, 2), ROW_COUNTERS + COUNTERS, row), 0);
		size += pass();
	}
	cr_assert_leq(size, COMMITS * (5 + COUNTERS * 13 / 8), "%zu", size); // 12 bits of noise
	compare();
}

Test(journal, one_far_value_does_not_spoil_those_behind) {
	uint64_t row[ROW_COUNTERS + 1] = {0};
	size_t usual = 0;

	for (int commit = 0; commit < 300; commit++) {
		size_t size;

		row[ROW_COUNTERS] += 1000000 + (uint64_t)random() % 256;
		if (commit == 200)
			row[ROW_COUNTERS] = 5; // began anew
		cr_assert_eq(tail_add(&written, tail_get(&written, 2), ROW_COUNTERS + 1, row), 0);
		size = pass();
		if (commit == 199)
			usual = size;
		if (commit > 201)
			cr_assert_leq(size, usual + 2, "commit %d", commit);
	}
	compare();
}

Test(journal, a_part_begins_with_rows_that_need_none_before) {
	uint64_t row[ROW_COUNTERS + 3] = {1, 2, 3, 4, 5, 6, 7, 8};
	size_t n = 0;

	for (int commit = 0; commit < 2000; commit++) {
		row[ROW_COUNTERS] += (uint64_t)random() % 1000;
		if (journal_is_long(&writer)) {
			n++;
			begin_part();
			journal_fini(&reader); // as one that comes only now
			journal_begin(&reader);
		}
		cr_assert_eq(tail_add(&written, tail_get(&written, 2), ROW_COUNTERS + 3, row), 0);
		(void)pass();
	}
	cr_assert_geq(n, 5);
	cr_assert_leq(n, 100);
	compare();
}

Test(journal, a_record_that_is_cut_is_waited_for_and_other_bytes_are_refused) {
	uint64_t row[ROW_COUNTERS + 8] = {0};
	int64_t id;

	for (int commit = 0; commit < 20; commit++) {
		for (size_t k = 0; k < ROW_COUNTERS + 8; k++)
			row[k] += draw();
		cr_assert_eq(tail_add(&written, tail_get(&written, 2), ROW_COUNTERS + 8, row), 0);
	}
	(void)pass();
	journal_begin(&reader);
	for (size_t size = 0; size < bytes.size; size++)
		cr_assert_eq(journal_read(&reader, &read_back, bytes.data, size, &id), 0, "at %zu", size);
	for (int i = 0; i < 2000; i++) {
		uint8_t *copy = malloc(bytes.size);
		int64_t rc;

		memcpy(copy, bytes.data, bytes.size);
		copy[(size_t)random() % bytes.size] ^= (uint8_t)(1 << random() % 8);
		journal_begin(&reader);
		rc = journal_read(&reader, &read_back, copy, bytes.size, &id);
		cr_assert(rc == -EBADMSG || rc >= 0);
		free(copy);
	}
}

Test(journal, a_transaction_without_rows_has_no_record) {
	const uint8_t *records;
	size_t size = 1;

	cr_assert_eq(journal_write(&writer, &written, &records, &size), 0);
	cr_assert_eq(size, 0);
}
