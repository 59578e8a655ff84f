// The replay ring and the columns of rows: what is kept, found, cut and forgotten.
// SPDX-License-Identifier: MIT
#include "codec.h"
#include "columns.h"
#include "replay.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB   ((size_t)1 << 20)
#define WIDTH (2 + N_PORT_COUNTERS)

// A sample of the rows first to last, each of which tells its seq in every value.
static struct bytes make_sample(const char *port, uint64_t first, uint64_t last) {
	const char *names[N_PORT_COUNTERS];
	struct bytes frame = {0};
	struct sample sample;

	sample_init(&sample);
	for (size_t i = 0; i < N_PORT_COUNTERS; i++)
		names[i] = port_counters[i].name;
	sample.v = 1;
	sample.host = "h";
	sample.instance = 7;
	sample.name = port;
	sample.names = names;
	sample.n_names = N_PORT_COUNTERS;
	sample.n_rows = last - first + 1;
	sample.rows = calloc(sample.n_rows, WIDTH * sizeof(*sample.rows));
	cr_assert_not_null(sample.rows);
	for (size_t i = 0; i < sample.n_rows * WIDTH; i++)
		sample.rows[i] = first + i / WIDTH;
	cr_assert_eq(message_encode(&sample_message, &sample, &frame), 0);
	free(sample.rows);
	return frame;
}

static int add(struct replay *replay, const char *port, uint64_t first, uint64_t last) {
	struct bytes frame = make_sample(port, first, last);
	int rc = replay_add(replay, port, first, last, &frame);

	bytes_fini(&frame);
	return rc;
}

static struct replay *make_ring(size_t limit) {
	struct replay *replay = NULL;

	cr_assert_eq(replay_new(limit, &replay), 0);
	return replay;
}

static uint64_t take_rows(const struct bytes *frame, uint64_t seq) {
	struct document *document = NULL;
	struct status status = {0};
	struct sample sample;

	cr_assert_eq(document_from_msgpack(frame->data, frame->size, &document, &status), 0, "%s",
	             status.message);
	cr_assert_eq(document_read(document, &sample_message, &sample, &status), 0, "%s", status.message);
	cr_assert_gt(sample.n_rows, 0);
	for (size_t i = 0; i < sample.n_rows * WIDTH; i++)
		cr_assert_eq(sample.rows[i], seq + i / WIDTH);
	seq += sample.n_rows;
	document_close(document);
	return seq;
}

// The answer holds just the rows first to last (none when first > last), and tells what is gone.
static bool assert_found(const struct replay *replay, const char *port, uint64_t from, uint64_t to,
                         uint64_t published, uint64_t first, uint64_t last, uint64_t gone_to) {
	struct replay_find find;
	uint64_t seq = first;
	bool more;

	cr_assert_eq(replay_find(replay, port, from, to, published, MIB, &find), 0);
	for (size_t i = 0; i < find.n; i++)
		seq = take_rows(&find.samples[i], seq);
	cr_assert_eq(seq, first > last ? first : last + 1, "up to %lu", seq);
	cr_assert_eq(find.n_rows, first > last ? 0 : last - first + 1);
	cr_assert_eq(find.has_gone, gone_to > 0);
	if (gone_to > 0)
		cr_assert_eq(find.gone_to_seq, gone_to);
	more = find.more;
	replay_find_fini(&find);
	return more;
}

Test(replay, any_range_comes_back_as_just_its_rows) {
	struct replay *replay = make_ring(MIB);

	cr_assert_eq(add(replay, "p", 1, 10), 0);
	cr_assert_eq(add(replay, "p", 11, 11), 0);
	cr_assert_eq(add(replay, "p", 12, 30), 0);
	for (uint64_t from = 1; from <= 30; from++) {
		for (uint64_t to = from; to <= 30; to++)
			cr_assert_not(assert_found(replay, "p", from, to, 30, from, to, 0));
	}
	replay_free(replay);
}

Test(replay, rows_that_are_still_to_come_are_not_gone) {
	struct replay *replay = make_ring(MIB);

	cr_assert_eq(add(replay, "p", 1, 10), 0);
	cr_assert_not(assert_found(replay, "p", 5, 100, 10, 5, 10, 0));
	cr_assert_not(assert_found(replay, "p", 11, 100, 10, 1, 0, 0));
	cr_assert_not(assert_found(replay, "p", 9, 3, 10, 1, 0, 0), "a range that ends before it begins");
	replay_free(replay);
}

Test(replay, a_port_that_was_never_there_brings_nothing_ever) {
	struct replay *replay = make_ring(MIB);

	cr_assert_not(assert_found(replay, "nobody", 3, 9, UINT64_MAX, 1, 0, 9));
	replay_free(replay);
}

Test(replay, the_oldest_goes_when_memory_ends_and_what_is_gone_is_told) {
	struct replay *replay = make_ring(100000);
	struct replay_state state;
	uint64_t first = 0, other = 0;

	for (uint64_t i = 0; i < 2000; i++) {
		cr_assert_eq(add(replay, "a", 5 * i + 1, 5 * i + 5), 0);
		cr_assert_eq(add(replay, "b", i + 1, i + 1), 0);
		replay_state(replay, &state);
		cr_assert_leq(state.size, state.limit);
	}
	cr_assert_eq(replay_first(replay, "a", &first), 0);
	cr_assert_eq(replay_first(replay, "b", &other), 0);
	cr_assert(first > 9000 && first <= 10000, "%lu", first);
	cr_assert_eq((first - 1) / 5 + 1, other, "both ports go by age: %lu and %lu", first, other);
	cr_assert_eq(state.rows, 10000 - first + 1 + 2000 - other + 1);
	cr_assert_not(assert_found(replay, "a", 1, 10000, 10000, first, 10000, first - 1));
	cr_assert_not(assert_found(replay, "a", 1, 7, 10000, 1, 0, 7));
	replay_free(replay);
}

Test(replay, a_hole_ends_an_answer_and_is_gone_in_the_next) {
	struct replay *replay = make_ring(MIB);

	cr_assert_eq(add(replay, "p", 1, 10), 0);
	cr_assert_eq(add(replay, "p", 16, 20), 0);
	cr_assert(assert_found(replay, "p", 4, 20, 20, 4, 10, 0), "more is behind the hole");
	cr_assert_not(assert_found(replay, "p", 11, 20, 20, 16, 20, 15));
	cr_assert_not(assert_found(replay, "p", 11, 14, 20, 1, 0, 14));
	replay_free(replay);
}

Test(replay, a_long_range_comes_in_parts_that_join) {
	struct replay *replay = make_ring(8 * MIB);
	uint64_t seq = 1;
	size_t parts = 0;
	bool more = true;

	for (uint64_t i = 0; i < 1000; i++)
		cr_assert_eq(add(replay, "p", 10 * i + 1, 10 * i + 10), 0);
	for (; more; parts++) {
		struct replay_find find;
		size_t size = 0;

		cr_assert_eq(replay_find(replay, "p", seq, 9999, 10000, 50000, &find), 0);
		for (size_t i = 0; i < find.n; i++) {
			seq = take_rows(&find.samples[i], seq);
			size += find.samples[i].size;
		}
		cr_assert_leq(size, 50000);
		more = find.more;
		replay_find_fini(&find);
	}
	cr_assert_eq(seq, 10000);
	cr_assert_gt(parts, 3);
	replay_free(replay);
}

Test(replay, a_port_whose_seq_goes_back_begins_anew) {
	struct replay *replay = make_ring(MIB);
	uint64_t first;

	cr_assert_eq(add(replay, "p", 1, 100), 0);
	cr_assert_eq(add(replay, "q", 1, 1), 0);
	cr_assert_eq(add(replay, "p", 1, 3), 0);
	cr_assert_not(assert_found(replay, "p", 1, 100, 3, 1, 3, 0));
	replay_set_limit(replay, 0);
	cr_assert_eq(replay_first(replay, "p", &first), -ENOENT);
	cr_assert_eq(replay_first(replay, "q", &first), -ENOENT);
	cr_assert_eq(add(replay, "p", 4, 4), -ENOSPC);
	replay_free(replay);
}

Test(replay, many_ports_share_one_limit_and_leave_nothing_behind) {
	struct replay *replay = make_ring(200000);
	struct replay_state state;
	char name[32];

	for (uint64_t i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "p%lu", i * 7919 % 3000);
		cr_assert_eq(add(replay, name, 1, 1), 0);
	}
	replay_set_limit(replay, 0);
	replay_state(replay, &state);
	cr_assert_eq(state.size, 0, "%zu bytes", state.size);
	cr_assert_eq(state.rows, 0);
	replay_free(replay);
	replay_free(NULL);
}

Test(replay, an_answer_around_encoded_samples_is_what_the_plain_encoder_makes) {
	struct bytes sample = make_sample("p", 1, 3), twice[2] = {sample, sample}, got = {0}, wanted = {0};
	struct document *document = NULL;
	struct sample read[2];
	struct replay_rows rows;

	cr_assert_eq(document_from_msgpack(sample.data, sample.size, &document, NULL), 0);
	cr_assert_eq(document_read(document, &sample_message, &read[0], NULL), 0);
	read[1] = read[0];
	replay_rows_init(&rows);
	rows.ref = 9;
	rows.more = true;
	SET(&rows, replay_rows, gone_to_seq, 5);
	cr_assert_eq(replay_rows_encode(&rows, twice, 2, &got), 0);
	rows.samples = read;
	rows.n_samples = 2;
	cr_assert_eq(publisher_answer_encode(PUBLISHER_OP_REPLAY, &rows, &wanted), 0);
	cr_assert_eq(got.size, wanted.size);
	cr_assert_eq(memcmp(got.data, wanted.data, got.size), 0);
	document_close(document);
	bytes_fini(&got);
	bytes_fini(&wanted);
	bytes_fini(&sample);
}

// ---- columns

Test(columns, the_basic_eight_come_first_and_no_name_twice) {
	struct columns *columns = NULL;
	const char *const *names;
	size_t n;

	cr_assert_eq(columns_new(&columns), 0);
	cr_assert_eq(columns_add(columns, "rx_errors"), 1);
	cr_assert_eq(columns_add(columns, "rx_q0_packets"), 0);
	cr_assert_eq(columns_add(columns, "rx_q0_packets"), 1);
	cr_assert_eq(columns_add(columns, ""), 1);
	cr_assert_eq(columns_add(columns, "bad\nname"), 1);
	cr_assert_eq(columns_add(columns, "\xff"), 1);
	names = columns_names(columns, &n);
	cr_assert_eq(n, N_PORT_COUNTERS + 1);
	cr_assert_str_eq(names[0], "rx_packets");
	cr_assert_str_eq(names[N_PORT_COUNTERS], "rx_q0_packets");
	columns_free(columns);
}

Test(columns, there_are_no_more_than_a_sample_may_have) {
	struct columns *columns = NULL;
	char name[32];
	size_t n;

	cr_assert_eq(columns_new(&columns), 0);
	for (size_t i = N_PORT_COUNTERS; i < LIMIT_NAMES; i++) {
		snprintf(name, sizeof(name), "x%zu", i);
		cr_assert_eq(columns_add(columns, name), 0);
	}
	cr_assert_eq(columns_add(columns, "one more"), -ENOSPC);
	cr_assert_eq(columns_add(columns, "x100"), 1);
	(void)columns_names(columns, &n);
	cr_assert_eq(n, (size_t)LIMIT_NAMES);
	columns_free(columns);
}

Test(columns, they_live_as_long_as_their_last_owner) {
	struct columns *columns = NULL, *shared;
	size_t n;

	cr_assert_eq(columns_new(&columns), 0);
	shared = columns_share(columns);
	columns_free(columns);
	cr_assert_str_eq(columns_names(shared, &n)[0], "rx_packets");
	columns_free(shared);
	columns_free(NULL);
	cr_assert_null(columns_share(NULL));
}
