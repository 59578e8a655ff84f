// gaps.c against a plain array of flags, and its edges.
// SPDX-License-Identifier: MIT
#include "gaps.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define N_ROWS 600

enum row { MISSING, HERE, GONE };

// Every range ascending, apart, and just what the flags say.
static void compare(const struct gaps *gaps, const enum row *rows, uint64_t last_seq) {
	size_t i = 0;

	cr_assert_eq(gaps->last_seq, last_seq);
	for (uint64_t seq = 1; seq <= last_seq; seq++) {
		bool in_gap;

		while (i < gaps->n && gaps->list[i].to_seq < seq)
			i++;
		in_gap = i < gaps->n && gaps->list[i].from_seq <= seq;
		cr_assert_eq(in_gap, rows[seq] != HERE, "row %d", (int)seq);
		if (in_gap)
			cr_assert_eq(gaps->list[i].gone, rows[seq] == GONE, "row %d", (int)seq);
	}
	for (i = 1; i < gaps->n; i++)
		cr_assert_gt(gaps->list[i].from_seq, gaps->list[i - 1].to_seq);
}

static void fill(struct gaps *gaps, enum row *rows, uint64_t *last_seq, uint64_t seq) {
	int expected = seq > *last_seq || rows[seq] != HERE;

	cr_assert_eq(gaps_fill(gaps, seq), expected);
	rows[seq] = HERE;
	if (seq > *last_seq)
		*last_seq = seq;
}

static void give_up(struct gaps *gaps, enum row *rows, uint64_t last_seq, uint64_t from, uint64_t to) {
	uint64_t n = 0, expected = 0;

	for (uint64_t seq = from; seq <= to && seq <= last_seq; seq++) {
		expected += rows[seq] == MISSING;
		if (rows[seq] == MISSING)
			rows[seq] = GONE;
	}
	cr_assert_eq(gaps_give_up(gaps, from, to, &n), 0);
	cr_assert_eq(n, expected);
}

Test(gaps, any_order_of_changes_agrees_with_a_list_of_rows) {
	for (unsigned seed = 1; seed <= 60; seed++) {
		enum row rows[N_ROWS + 1] = {MISSING};
		struct gaps gaps = {0};
		uint64_t last_seq = 0;

		srand(seed);
		for (int step = 0; step < 300; step++) {
			uint64_t seq = 1 + (uint64_t)rand() % N_ROWS, length = (uint64_t)rand() % 40;

			if (rand() % 8 == 0) {
				cr_assert_eq(gaps_extend(&gaps, seq), seq > last_seq);
				last_seq = seq > last_seq ? seq : last_seq;
			} else if (rand() % 6 == 0) {
				give_up(&gaps, rows, last_seq, seq, seq + length);
			} else {
				fill(&gaps, rows, &last_seq, seq);
			}
			compare(&gaps, rows, last_seq);
		}
		gaps_fini(&gaps);
	}
}

Test(gaps, rows_in_order_leave_no_gap_and_take_no_memory) {
	struct gaps gaps = {0};

	for (uint64_t seq = 1; seq <= 1000; seq++)
		cr_assert_eq(gaps_fill(&gaps, seq), 1);
	cr_assert_eq(gaps.n, 0);
	cr_assert_null(gaps.list);
	cr_assert_eq(gaps_fill(&gaps, 1000), 0);
	cr_assert_eq(gaps_fill(&gaps, 1), 0);
	cr_assert_null(gaps_open(&gaps));
}

Test(gaps, the_number_of_ranges_is_bounded_and_no_missing_row_is_forgotten) {
	struct gaps gaps = {0};

	for (uint64_t seq = 2; seq <= 4000; seq += 2)
		cr_assert_eq(gaps_fill(&gaps, seq), 1);
	cr_assert_leq(gaps.n, MAX_GAPS);
	for (uint64_t seq = 1; seq <= 4000; seq += 2)
		cr_assert_eq(gaps_fill(&gaps, seq), 1, "row %d", (int)seq);
	// rows between gaps that became one are taken for missing once more: at the old end only
	cr_assert(gaps.n == 0 || gaps.list[gaps.n - 1].to_seq < 4000 - 2 * (MAX_GAPS - 1));
	cr_assert_eq(gaps_fill(&gaps, 4000), 0);
	gaps_fini(&gaps);
}

Test(gaps, the_largest_numbers_do_not_wrap) {
	struct gaps gaps = {0};
	uint64_t n = 0;

	cr_assert_eq(gaps_fill(&gaps, UINT64_MAX), 1);
	cr_assert_eq(gaps_fill(&gaps, UINT64_MAX), 0);
	cr_assert_eq(gaps_extend(&gaps, UINT64_MAX), 0);
	cr_assert_eq(gaps_fill(&gaps, 1), 1);
	cr_assert_eq(gaps_give_up(&gaps, 1, UINT64_MAX, &n), 0);
	cr_assert_eq(n, UINT64_MAX - 2);
	cr_assert_null(gaps_open(&gaps));
	gaps_fini(&gaps);
}
