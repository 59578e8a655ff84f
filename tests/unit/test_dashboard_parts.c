// The parts of the gateway that need no socket: who may ask, how often, the ring of events, the table of routes.
// SPDX-License-Identifier: MIT
#include "api.h"
#include "clock.h"
#include "guard.h"
#include "rate.h"
#include "routes.h"
#include "streams.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- guard

struct guard_row {
	char host[40], origin[40], site[16], authorization[64];
	int verdict;
	bool is_public;
};

ParameterizedTestParameters(guard, hosts_origins_and_tokens) {
	static struct guard_row rows[] = {
	        {"localhost", "", "", "Bearer a-token-of-length", 0, false},
	        {"LOCALHOST:80", "http://localhost:80", "", "bearer a-token-of-length", 0, false},
	        {"named.example:5580", "https://named.example:5580", "same-origin",
	         "Bearer a-token-of-length", 0, false},
	        {"localhost", "", "", "", 401, false},
	        {"localhost", "", "", "", 0, true},
	        {"localhost", "", "", "Bearer a-token-of-lengt", 401, false},
	        {"localhost", "", "", "Bearer a-token-of-lengthh", 401, false},
	        {"localhost", "", "", "Bearer a-token-of-lengtha-token-of-length", 401, false},
	        {"localhost", "", "", "Bearer ", 401, false},
	        {"named.example.evil", "", "", "Bearer a-token-of-length", 403, false},
	        {"localhost", "http://localhost.evil", "", "Bearer a-token-of-length", 403, false},
	        {"localhost", "file://localhost", "", "Bearer a-token-of-length", 403, false},
	        {"localhost", "", "cross-site", "Bearer a-token-of-length", 403, false},
	        {"localhost", "", "same-site", "Bearer a-token-of-length", 403, false},
	        {"localhost", "", "cross-site", "", 0, true},
	        {"[::1", "", "", "Bearer a-token-of-length", 400, false},
	        {"", "", "", "", 400, true},
	};

	return cr_make_param_array(struct guard_row, rows, sizeof(rows) / sizeof(rows[0]));
}

static const char *or_null(const char *text) {
	return text[0] != '\0' ? text : NULL;
}

ParameterizedTest(struct guard_row *row, guard, hosts_origins_and_tokens) {
	const struct guard guard = {.token = "a-token-of-length", .hosts = {"named.example"}, .n_hosts = 1};
	const struct guard_request request = {or_null(row->host), or_null(row->origin), or_null(row->site),
	                                      or_null(row->authorization), row->is_public};
	struct status status;

	cr_assert_eq(guard_check(&guard, &request, &status), row->verdict, "%s %s %s %s", row->host,
	             row->origin, row->site, row->authorization);
}

// ---- rate

Test(rate, what_was_saved_may_be_spent_and_no_more) {
	static struct rate rate;
	int64_t now_ns = 1;
	int given = 0;

	rate_init(&rate, 10);
	for (int i = 0; i < 100; i++)
		given += rate_take(&rate, 7, now_ns);
	cr_assert_eq(given, 40);
	cr_assert(rate_take(&rate, 8, now_ns), "another address has its own");
	now_ns += NS_PER_SECOND / 2;
	for (given = 0; rate_take(&rate, 7, now_ns); given++)
		continue;
	cr_assert_eq(given, 5);
	rate_init(&rate, 0);
	for (int i = 0; i < 100; i++)
		cr_assert(rate_take(&rate, 7, now_ns));
}

// ---- streams

static int woken, dropped;

static void wake(void *owner) {
	(void)owner;
	woken++;
}

static void drop(void *owner) {
	(void)owner;
	dropped++;
}

static struct streams *new_streams(size_t events, size_t bytes) {
	const struct streams_limits limits = {events, bytes, 4};
	struct streams *streams;

	cr_assert_eq(streams_new(&limits, 0x1f, &streams), 0);
	return streams;
}

static struct stream *open_stream(struct streams *streams, const char *prefix, int64_t every_ns,
                                  const char *last_id) {
	const struct stream_options options = {
	        .prefixes = {prefix}, .n_prefixes = prefix != NULL, .every_ns = every_ns, .last_id = last_id};
	struct stream *stream;

	cr_assert_eq(stream_open(streams, &options, NULL, 0, &stream), 0);
	return stream;
}

// All that can be read now, in pieces of 'piece' bytes.
static char *read_all(struct stream *stream, size_t piece, int64_t now_ns) {
	char *text = calloc(1, 1 << 20);
	size_t used = 0;
	ssize_t n;

	while ((n = stream_read(stream, text + used, piece, now_ns)) > 0)
		used += (size_t)n;
	return text;
}

static size_t count(const char *text, const char *part) {
	size_t n = 0;

	for (; (text = strstr(text, part)) != NULL; text++)
		n++;
	return n;
}

Test(streams, whatever_the_pieces_the_text_is_the_same) {
	struct streams *streams = new_streams(64, 1 << 20);
	char *whole = NULL;

	for (size_t piece = 1; piece < 200; piece += 7) {
		struct stream *stream = open_stream(streams, NULL, 0, "1f-0");
		char *text;

		if (whole == NULL) {
			for (int i = 0; i < 20; i++)
				cr_assert_eq(streams_publish(streams, "link/a/", "{\"x\":1}"), 0);
		}
		text = read_all(stream, piece, 1);
		cr_assert_eq(count(text, "event: link\ndata: {\"x\":1}\n\n"), 20);
		cr_assert(whole == NULL || strcmp(whole, text) == 0);
		free(whole);
		whole = text;
		stream_close(stream);
	}
	free(whole);
	streams_free(streams);
}

Test(streams, a_topic_is_chosen_by_its_beginning) {
	struct streams *streams = new_streams(64, 1 << 20);
	struct stream *stream = open_stream(streams, "link/a", 0, NULL);
	char *text;

	streams_publish(streams, "link/b/", "{}");
	streams_publish(streams, "link/ab/", "{}");
	streams_publish(streams, "sample/link/a/", "{}");
	text = read_all(stream, 4096, 1);
	cr_assert_eq(count(text, "data: {}"), 1);
	cr_assert(strstr(text, "id: 1f-2\n") != NULL);
	free(text);
	cr_assert_not(streams_wants(streams, "sample/x/"));
	cr_assert(streams_wants(streams, "link/abc/"));
	stream_close(stream);
	streams_free(streams);
}

Test(streams, one_that_falls_behind_is_dropped_once_and_the_others_go_on) {
	struct streams *streams = new_streams(8, 1 << 20);
	struct stream *slow = open_stream(streams, NULL, 0, NULL),
	              *quick = open_stream(streams, NULL, 0, NULL);
	char buffer[16];
	size_t seen = 0;

	woken = dropped = 0;
	cr_assert_eq(stream_read(slow, buffer, sizeof(buffer), 1), sizeof(buffer));
	for (int i = 0; i < 20; i++) {
		char *text;

		streams_publish(streams, "link/a/", "{}");
		text = read_all(quick, 4096, 1);
		seen += count(text, "data: {}");
		free(text);
		streams_wake(streams, 1, wake, drop);
	}
	cr_assert_eq(seen, 20);
	cr_assert_eq(dropped, 1);
	cr_assert_eq(streams_dropped(streams), 1);
	cr_assert_eq(stream_read(slow, buffer, sizeof(buffer), 1), -EPIPE);
	stream_close(slow);
	stream_close(quick);
	streams_free(streams);
}

Test(streams, the_ring_holds_no_more_bytes_than_it_may) {
	struct streams *streams = new_streams(1000, 500);
	struct stream *stream = open_stream(streams, NULL, 0, NULL);
	char *text;

	for (int i = 0; i < 100; i++)
		streams_publish(streams, "link/a/", "{\"some\":\"text of some length\"}");
	stream_close(stream);
	stream = open_stream(streams, NULL, 0, "1f-1");
	text = read_all(stream, 4096, 1);
	cr_assert(strstr(text, "\"missed\":true") != NULL);
	free(text);
	stream_close(stream);
	streams_free(streams);
}

Test(streams, every_sends_the_newest_of_each_topic_when_it_is_due) {
	struct streams *streams = new_streams(64, 1 << 20);
	struct stream *stream = open_stream(streams, NULL, NS_PER_SECOND, NULL);
	char *text = read_all(stream, 4096, 1);

	free(text);
	woken = 0;
	for (int i = 0; i < 10; i++) {
		streams_publish(streams, "link/a/", i < 9 ? "{\"old\":1}" : "{\"new\":1}");
		streams_publish(streams, "link/b/", i < 9 ? "{\"old\":1}" : "{\"new\":1}");
	}
	cr_assert_eq(streams_wake(streams, 2, wake, drop), NS_PER_SECOND);
	cr_assert_eq(woken, 0);
	streams_wake(streams, NS_PER_SECOND, wake, drop);
	cr_assert_eq(woken, 1);
	text = read_all(stream, 4096, NS_PER_SECOND);
	cr_assert_eq(count(text, "new"), 2);
	cr_assert_eq(count(text, "old"), 0);
	free(text);
	stream_close(stream);
	streams_free(streams);
}

Test(streams, a_place_is_found_again_only_where_nothing_was_left_out) {
	struct streams *streams = new_streams(64, 1 << 20);
	static const struct {
		const char *last_id;
		bool missed;
	} cases[] = {{"1f-2", false}, {"1f-1", true},     {"1f-3", true},
	             {"20-2", true},  {"nonsense", true}, {"1f-2x", true}};
	struct stream *stream = open_stream(streams, NULL, 0, NULL);

	streams_publish(streams, "link/a/", "{}");
	stream_close(stream);
	cr_assert_not(streams_wants(streams, "link/a/")); // an event that nobody read came before the second
	streams_publish(streams, "link/a/", "{}");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text;

		stream = open_stream(streams, NULL, 0, cases[i].last_id);
		text = read_all(stream, 4096, 1);
		cr_assert_eq(strstr(text, "\"missed\":true") != NULL, cases[i].missed, "%s",
		             cases[i].last_id);
		free(text);
		stream_close(stream);
	}
	streams_free(streams);
}

Test(streams, silence_is_broken_by_a_comment) {
	struct streams *streams = new_streams(8, 1 << 20);
	struct stream *stream = open_stream(streams, NULL, 0, NULL);
	char *text = read_all(stream, 4096, 1);

	free(text);
	woken = 0;
	cr_assert_eq(streams_wake(streams, 2, wake, drop), STREAM_PING_NS + 1);
	streams_wake(streams, STREAM_PING_NS + 1, wake, drop);
	cr_assert_eq(woken, 1);
	text = read_all(stream, 4096, STREAM_PING_NS + 1);
	cr_assert_str_eq(text, ": ping\n\n");
	free(text);
	stream_close(stream);
	streams_free(streams);
}

// ---- routes

Test(routes, each_request_has_one_name_and_reading_alone_takes_get) {
	for (size_t i = 0; i < n_routes; i++) {
		cr_assert_eq(route_find(routes[i].name), &routes[i], "%s is there twice", routes[i].name);
		cr_assert_eq(route_only_reads(&routes[i]),
		             routes[i].role == ROLE_ANY || routes[i].role == ROLE_READ);
	}
	cr_assert_not_null(route_find("predict"));
	cr_assert_null(route_find(""));
	cr_assert_null(route_find("Ping/"));
}

Test(routes, the_id_of_a_client_stays_here_and_the_rest_goes_on) {
	static const char json[] =
	        "{\"id\":\"mine\",\"link_id\":\"l\",\"from_ns\":\"9223372036854775807\",\"to_ns\":\"-1\"}";
	CLEANUP(document_closep) struct document *document = NULL;
	CLEANUP(bytes_fini) struct bytes frame = {0};
	CLEANUP(freep) char *id = NULL;
	struct kpi_query query;
	struct reply_id head;
	struct status status;

	cr_assert_eq(api_encode(route_find("QueryKpi"), json, strlen(json), &frame, &id, &status), 0);
	cr_assert_str_eq(id, "mine");
	cr_assert_eq(document_from_msgpack(frame.data, frame.size, &document, &status), 0);
	cr_assert_eq(document_read(document, &kpi_query_message, &query, &status), 0);
	cr_assert_eq(document_read(document, &reply_id_message, &head, &status), 0);
	cr_assert_eq(query.from_ns, INT64_MAX);
	cr_assert_null(head.id);
}
