// What services hold: as steps over time, in state.db, and taken out of what was measured.
// SPDX-License-Identifier: MIT
#include "background.h"
#include "ledger.h"
#include "reserved.h"
#include "service.h"

#include "clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SECOND NS_PER_SECOND
#define GBPS   INT64_C(1000000000)

// ---- reserved: a function of time

static struct reserved sum_of(const struct hold *holds, size_t n) {
	struct reserved reserved;

	cr_assert_eq(reserved_init(&reserved, holds, n, NULL, 0), 0);
	return reserved;
}

Test(reserved, holds_count_from_their_start_up_to_but_not_at_their_end) {
	const struct hold holds[] = {{.bps = 3, .from_ns = 10, .to_ns = 20},
	                             {.bps = 4, .from_ns = 20, .to_ns = 30}};
	struct reserved reserved = sum_of(holds, 2);
	int64_t at_ns;

	cr_assert_eq(reserved_most(&reserved, 0, 10, NULL), 0);
	cr_assert_eq(reserved_most(&reserved, 0, 11, &at_ns), 3);
	cr_assert_eq(at_ns, 10);
	cr_assert_eq(reserved_most(&reserved, 15, 25, &at_ns), 4, "one after the other: never both");
	cr_assert_eq(at_ns, 20);
	cr_assert_eq(reserved_most(&reserved, 30, 1000, NULL), 0);
	reserved_fini(&reserved);
}

Test(reserved, many_small_holds_sum_up_exactly) {
	struct hold holds[10];
	struct reserved reserved;

	for (size_t i = 0; i < 10; i++)
		holds[i] = (struct hold){.bps = ledger_bps(0.1), .from_ns = (int64_t)i, .to_ns = LEDGER_OPEN};
	reserved = sum_of(holds, 10);
	cr_assert_eq(reserved_most(&reserved, 0, LEDGER_OPEN, NULL), ledger_bps(1));
	reserved_fini(&reserved);
}

Test(reserved, most_and_mean_agree_with_looking_at_each_moment) {
	uint32_t random = 1;

	for (int round = 0; round < 200; round++) {
		struct hold holds[8];
		struct reserved reserved;
		int64_t from = 5, to = 25, most = 0;
		double sum = 0;

		for (size_t i = 0; i < 8; i++) {
			int64_t start = (random = random * 1664525 + 1013904223) >> 27;

			holds[i] = (struct hold){.bps = 1 + (int64_t)i * GBPS, .from_ns = start};
			holds[i].to_ns = start + ((random = random * 1664525 + 1013904223) >> 28);
		}
		for (int64_t t = from; t < to; t++) {
			int64_t held = 0;

			for (size_t i = 0; i < 8; i++)
				held += holds[i].from_ns <= t && t < holds[i].to_ns ? holds[i].bps : 0;
			most = held > most ? held : most;
			sum += (double)held;
		}
		reserved = sum_of(holds, 8);
		cr_assert_eq(reserved_most(&reserved, from, to, NULL), most);
		cr_assert_float_eq(reserved_mean(&reserved, from, to), sum / 20, 1);
		reserved_fini(&reserved);
	}
}

Test(reserved, as_a_series_each_point_ends_what_was_held_before_it) {
	const struct hold holds[] = {{.bps = 2 * GBPS, .from_ns = 10 * SECOND, .to_ns = 20 * SECOND}};
	struct reserved reserved = sum_of(holds, 1);
	struct reserved_range range = {
	        .from_ns = 0, .to_ns = 100 * SECOND, .now_ns = 15 * SECOND, .limit = 10};
	struct kpi_point *points;
	int64_t next_ns;
	size_t n;

	cr_assert_eq(reserved_points(&reserved, &range, &points, &n, &next_ns), 0);
	cr_assert_eq(n, 2);
	cr_assert_eq(points[0].ts_ns, 10 * SECOND);
	cr_assert_float_eq(points[0].gbps, 0, 0);
	cr_assert_eq(points[1].ts_ns, 20 * SECOND);
	cr_assert_float_eq(points[1].gbps, 2, 0);
	free(points);

	range.limit = 1;
	cr_assert_eq(reserved_points(&reserved, &range, &points, &n, &next_ns), 0);
	cr_assert_eq(n, 1);
	cr_assert_eq(next_ns, 20 * SECOND);
	free(points);

	range = (struct reserved_range){.to_ns = 100 * SECOND, .step_ns = 8 * SECOND, .limit = 10};
	cr_assert_eq(reserved_points(&reserved, &range, &points, &n, &next_ns), 0);
	cr_assert_eq(n, 2);
	cr_assert_eq(points[0].ts_ns, 8 * SECOND);
	cr_assert_float_eq(points[0].gbps, 1.5, 1e-9);
	cr_assert_float_eq(points[1].gbps, 1, 1e-9);
	free(points);
	reserved_fini(&reserved);
}

// ---- the ledger

static char folder[64], history_path[96], state_path[96];
static struct status status;
static struct state *state;
static struct document *memory;

static void open_state(void) {
	cr_assert_eq(state_open(state_path, true, &state, &status), 0, "%s", status.message);
}

static void setup(void) {
	strcpy(folder, "/tmp/linkcast-ledger-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(history_path, sizeof(history_path), "%s/history.db", folder);
	snprintf(state_path, sizeof(state_path), "%s/state.db", folder);
	open_state();
	cr_assert_eq(document_from_json("{}", 2, &memory, &status), 0);
}

static void teardown(void) {
	static const char *const names[] = {"history.db", "state.db"};
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char path[128];

	state_close(state);
	document_close(memory);
	for (size_t n = 0; n < 2; n++) {
		for (size_t s = 0; s < 3; s++) {
			snprintf(path, sizeof(path), "%s/%s%s", folder, names[n], suffixes[s]);
			unlink(path);
		}
	}
	rmdir(folder);
}

TestSuite(ledger, .init = setup, .fini = teardown);
TestSuite(background, .init = setup, .fini = teardown);

static struct reserve_request make_request(const char *request_id, struct link_direction *links, size_t n) {
	struct reserve_request request;

	reserve_request_init(&request);
	request.request_id = request_id;
	request.links = links;
	request.n_links = n;
	request.gbps = 2;
	return request;
}

// Admits at 'now' for [start, end).
static struct ledger_admitted admit(const struct reserve_request *request, int64_t now, int64_t start,
                                    int64_t end) {
	CLEANUP(bytes_fini) struct bytes evidence = {0};
	struct ledger_entry entry = {request, now, start, end, &evidence};
	struct admission_evidence empty;
	struct ledger_admitted admitted;

	admission_evidence_init(&empty);
	cr_assert_eq(message_encode(&admission_evidence_message, &empty, &evidence), 0);
	cr_assert_eq(ledger_begin(state, true, &status), 0);
	cr_assert_eq(ledger_end(state, ledger_admit(state, &entry, &admitted, &status), &status), 0, "%s",
	             status.message);
	return admitted;
}

// Most that is held on AB forward in [from, to), as was known at 'known'.
static int64_t held(int64_t from, int64_t to, int64_t known) {
	struct hold_query query = {.link_id = "AB", .from_ns = from, .to_ns = to, .known_ns = known};
	struct reserved reserved;
	struct hold *holds;
	int64_t most;
	size_t n;

	cr_assert_eq(ledger_holds(state, &query, &holds, &n, &status), 0, "%s", status.message);
	reserved = sum_of(holds, n);
	most = reserved_most(&reserved, from, to, NULL);
	reserved_fini(&reserved);
	free(holds);
	return most;
}

static struct service_view view_of(const char *service_id, int64_t now) {
	struct service_view view;

	cr_assert_eq(ledger_service(state, service_id, false, now, memory, &view, &status), 0, "%s",
	             status.message);
	return view;
}

static int release(const char *service_id, int64_t version, int64_t now) {
	int released, rc;

	cr_assert_eq(ledger_begin(state, true, &status), 0);
	released = ledger_release(state, service_id, version, now, &status);
	rc = ledger_end(state, released > 0 ? 0 : released, &status);
	return rc < 0 ? rc : released;
}

Test(ledger, a_service_begins_and_ends_by_the_clock_alone_and_survives_a_restart) {
	struct link_direction links[] = {{.link_id = "AB"},
	                                 {.link_id = "BC", .direction = DIRECTION_REVERSE}};
	struct reserve_request request = make_request("r1", links, 2);
	struct ledger_admitted admitted = admit(&request, 5, 10, 20);
	struct service_view view;

	cr_assert_str_eq(admitted.service_id, "svc-1");
	cr_assert_eq(admitted.version, 1);
	cr_assert_eq(admitted.ledger_version, 1);
	state_close(state);
	open_state();
	cr_assert_eq(view_of("svc-1", 9).state, SERVICE_SCHEDULED);
	cr_assert_eq(view_of("svc-1", 10).state, SERVICE_ACTIVE);
	cr_assert_eq(view_of("svc-1", 20).state, SERVICE_EXPIRED);
	view = view_of("svc-1", 10);
	cr_assert_eq(view.n_links, 2);
	cr_assert_str_eq(view.links[1].link_id, "BC");
	cr_assert_eq(view.links[1].direction, DIRECTION_REVERSE);
	cr_assert_eq(held(0, 10, 9), 0);
	cr_assert_eq(held(0, 11, 9), 2 * GBPS);
	cr_assert_eq(held(20, 100, 9), 0);
}

Test(ledger, a_release_frees_the_rest_and_leaves_the_past) {
	struct link_direction links[] = {{.link_id = "AB"}};
	struct reserve_request request = make_request("r1", links, 1);

	admit(&request, 10, 10, LEDGER_OPEN);
	cr_assert_eq(release("svc-1", 2, 50), -EAGAIN, "another version");
	cr_assert_eq(release("svc-1", 1, 50), 1);
	cr_assert_eq(release("svc-1", 1, 60), 0, "once");
	cr_assert_eq(release("nope", 0, 60), -ENOENT);
	cr_assert_eq(view_of("svc-1", 60).state, SERVICE_RELEASED);
	cr_assert_eq(held(50, 1000, 60), 0);
	cr_assert_eq(held(10, 50, 60), 2 * GBPS);
	cr_assert_eq(held(50, 1000, 49), 2 * GBPS, "before the release nobody knew of it");
	cr_assert_eq(held(10, 1000, 9), 0, "before the admission neither");
}

Test(ledger, a_change_closes_what_was_held_and_keeps_the_start) {
	struct link_direction links[] = {{.link_id = "AB"}}, others[] = {{.link_id = "BC"}};
	struct reserve_request request = make_request("r1", links, 1);
	struct ledger_admitted changed;
	struct service_view view;

	admit(&request, 10, 10, 100);
	request = make_request("r2", links, 1);
	request.service_id = "svc-1";
	request.gbps = 5;
	changed = admit(&request, 40, 40, 200);
	cr_assert_str_eq(changed.service_id, "svc-1");
	cr_assert_eq(changed.version, 2);
	cr_assert_eq(held(10, 40, 50), 2 * GBPS);
	cr_assert_eq(held(10, 200, 50), 5 * GBPS);
	view = view_of("svc-1", 50);
	cr_assert_eq(view.start_ns, 10);
	cr_assert_eq(view.end_ns, 200);
	cr_assert_eq(view.changed_ns, 40);
	cr_assert_str_eq(view.request_id, "r2");

	request = make_request("r3", others, 1);
	request.service_id = "svc-1";
	admit(&request, 60, 70, 80);
	cr_assert_eq(held(60, 200, 60), 0, "another route, and later");
	cr_assert_eq(view_of("svc-1", 60).start_ns, 70);
}

Test(ledger, the_holds_of_a_service_that_is_changed_can_be_left_out) {
	struct link_direction links[] = {{.link_id = "AB"}};
	struct reserve_request request = make_request("r1", links, 1);
	struct hold_query query = {
	        .link_id = "AB", .to_ns = 100, .known_ns = 100, .without_service = "svc-1"};
	struct hold *holds;
	size_t n;

	admit(&request, 10, 10, 100);
	request.request_id = "r2";
	admit(&request, 10, 10, 100);
	cr_assert_eq(ledger_holds(state, &query, &holds, &n, &status), 0);
	cr_assert_eq(n, 1);
	cr_assert_eq(holds[0].service, 2);
	free(holds);
}

Test(ledger, an_end_by_time_is_given_out_once) {
	struct link_direction links[] = {{.link_id = "AB"}};
	struct reserve_request request = make_request("r1", links, 1);
	struct service_list list = {0}, again = {0};

	admit(&request, 10, 10, 20);
	request.request_id = "r2";
	admit(&request, 10, 10, 30);
	cr_assert_eq(ledger_take_expired(state, 19, memory, &list, &status), 0);
	cr_assert_eq(list.n_services, 0);
	cr_assert_eq(ledger_take_expired(state, 20, memory, &list, &status), 0);
	cr_assert_eq(list.n_services, 1);
	cr_assert_str_eq(list.services[0].service_id, "svc-1");
	cr_assert_eq(ledger_take_expired(state, 25, memory, &again, &status), 0);
	cr_assert_eq(again.n_services, 0);
}

Test(ledger, lists_are_filtered_and_come_in_pages) {
	struct link_direction links[] = {{.link_id = "AB"}}, others[] = {{.link_id = "BC"}};
	struct services_query query;
	struct service_list list = {0}, rest = {0};

	for (int i = 0; i < 5; i++) {
		struct reserve_request request = make_request("r", i % 2 == 0 ? links : others, 1);

		admit(&request, 10, 10, 20 + i);
	}
	services_query_init(&query);
	query.link_id = "AB";
	query.limit = 2;
	cr_assert_eq(ledger_services(state, &query, 10, memory, &list, &status), 0);
	cr_assert_eq(list.n_services, 2);
	cr_assert_str_eq(list.services[1].service_id, "svc-3");
	query.page = list.next_page;
	cr_assert_eq(ledger_services(state, &query, 10, memory, &rest, &status), 0);
	cr_assert_eq(rest.n_services, 1);
	cr_assert_not(HAS(&rest, service_list, next_page));

	services_query_init(&query);
	SET(&query, services_query, state, SERVICE_EXPIRED);
	cr_assert_eq(ledger_services(state, &query, 22, memory, &list, &status), 0);
	cr_assert_eq(list.n_services, 3);
}

Test(ledger, an_answer_is_kept_with_its_request) {
	uint8_t asked[] = {1, 2}, answered[] = {3};
	struct bytes content = {asked, 2}, reply = {answered, 1}, found_content, found_reply;

	cr_assert_eq(ledger_find_admission(state, "r", &found_content, &found_reply, &status), 0);
	cr_assert_eq(ledger_keep_admission(state, "r", "svc-1", 1, &content, &reply, &status), 0);
	cr_assert_eq(ledger_find_admission(state, "r", &found_content, &found_reply, &status), 1);
	cr_assert_arr_eq(found_content.data, asked, 2);
	cr_assert_arr_eq(found_reply.data, answered, 1);
	cr_assert_lt(ledger_keep_admission(state, "r", "svc-1", 1, &content, &reply, &status), 0, "once");
	bytes_fini(&found_content);
	bytes_fini(&found_reply);
}

static bool is_known(const char *request_id) {
	struct bytes content = {0}, reply = {0};
	int rc = ledger_find_admission(state, request_id, &content, &reply, &status);

	cr_assert_geq(rc, 0);
	bytes_fini(&content);
	bytes_fini(&reply);
	return rc == 1;
}

Test(ledger, answers_are_forgotten_after_their_time) {
	const int64_t kept_ns = LEDGER_ANSWERS_SECONDS * NS_PER_SECOND, now_ns = 2 * kept_ns;
	uint8_t asked[] = {1};
	struct bytes content = {asked, 1};

	cr_assert_eq(ledger_keep_admission(state, "old", "svc-1", now_ns - kept_ns - 1, &content, &content,
	                                   &status),
	             0);
	cr_assert_eq(
	        ledger_keep_admission(state, "young", "svc-1", now_ns - kept_ns, &content, &content, &status),
	        0);
	cr_assert_eq(ledger_keep_admission(state, "new", "svc-1", now_ns, &content, &content, &status), 0);
	cr_assert_not(is_known("old"));
	cr_assert(is_known("young") && is_known("new"));
}

Test(ledger, each_answer_about_a_service_stays_while_it_has_not_ended) {
	const int64_t now_ns = 2 * LEDGER_ANSWERS_SECONDS * NS_PER_SECOND;
	struct link_direction links[] = {{.link_id = "AB"}};
	struct reserve_request first = make_request("first", links, 1),
	                       change = make_request("change", links, 1);
	uint8_t asked[] = {1};
	struct bytes content = {asked, 1};
	struct ledger_admitted admitted = admit(&first, 1, 2, INT64_MAX);

	cr_assert_eq(
	        ledger_keep_admission(state, "first", admitted.service_id, 1, &content, &content, &status),
	        0);
	change.service_id = admitted.service_id;
	admit(&change, 3, 4, INT64_MAX);
	cr_assert_eq(
	        ledger_keep_admission(state, "change", admitted.service_id, 3, &content, &content, &status),
	        0);
	cr_assert_eq(ledger_keep_admission(state, "other", "svc-other", now_ns, &content, &content, &status),
	             0);
	cr_assert(is_known("first") && is_known("change"), "asked again they would be admitted twice");
}

// ---- topologies whose links are held

static int set_topology(const char *topology_id, bool with_link, bool bidirectional, int64_t now) {
	struct node nodes[] = {{.id = "A"}, {.id = "B"}};
	struct link link;
	struct topology topology = {.topology_id = topology_id,
	                            .nodes = nodes,
	                            .n_nodes = 2,
	                            .links = &link,
	                            .n_links = with_link};

	link_init(&link);
	link.id = "AB";
	link.a = "A";
	link.z = "B";
	link.bidirectional = bidirectional;
	return state_set_topology(state, &topology, now, &status);
}

Test(ledger, a_link_that_is_held_stays_until_it_is_free) {
	struct link_direction links[] = {{.link_id = "AB", .direction = DIRECTION_REVERSE}};
	struct reserve_request request = make_request("r1", links, 1);

	cr_assert_eq(set_topology("t", true, true, 0), 0);
	cr_assert_eq(set_topology("u", true, true, 0), 0);
	admit(&request, 10, 50, 60);
	cr_assert_eq(state_delete_topology(state, "t", 11, &status), -EBUSY);
	cr_assert_eq(status.code, STATUS_FAILED_PRECONDITION);
	cr_assert_not_null(strstr(status.message, "'AB'"));
	cr_assert_eq(set_topology("t", false, true, 11), 0, "it is still in u");
	cr_assert_eq(set_topology("u", false, true, 11), -EBUSY);
	cr_assert_eq(set_topology("u", true, false, 11), -EBUSY, "reverse would go");
	cr_assert_eq(set_topology("u", true, true, 11), 0);
	cr_assert_eq(state_delete_topology(state, "u", 60, &status), 0, "%s", status.message);
}

// Makes 'state_path' what an older release left there, with topology t in it.
static void make_version(int version) {
	char path[512], sql[16384];
	FILE *file;
	sqlite3 *db;
	size_t size;

	state_close(state);
	state = NULL;
	cr_assert_eq(unlink(state_path), 0);
	snprintf(path, sizeof(path), "%s/state-%d.sql", RELEASED_SCHEMAS, version);
	cr_assert_not_null(file = fopen(path, "r"), "%s", path);
	size = fread(sql, 1, sizeof(sql) - 1, file);
	cr_assert(size > 0 && size < sizeof(sql) - 1);
	sql[size] = '\0';
	fclose(file);
	cr_assert_eq(sqlite3_open(state_path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	sqlite3_close(db);
}

Test(ledger, the_state_of_each_release_is_taken_over) {
	static const struct {
		int release;
		int64_t ledger_version;
	} cases[] = {{1, 0}, {2, 0}, {6, 3}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct topology_page page;
		int64_t version = -1;

		make_version(cases[i].release);
		open_state();
		cr_assert_eq(ledger_version(state, &version, &status), 0, "%s", status.message);
		cr_assert_eq(version, cases[i].ledger_version);
		cr_assert_eq(state_topology(state, "t", &page, &status), 0, "%s", status.message);
		cr_assert_eq(page.n_links, 1);
	}
}

Test(ledger, the_last_evidence_of_a_service_of_an_older_release_becomes_its_decision) {
	const struct decisions_query query = {.service_id = "svc-1", .limit = 10};
	struct service_decision *decisions;
	struct service_view view;
	int64_t next = -1;
	size_t n = 0;

	make_version(6);
	open_state();
	cr_assert_eq(ledger_decisions(state, &query, memory, &decisions, &n, &next, &status), 0, "%s",
	             status.message);
	cr_assert_eq(n, 1);
	cr_assert_eq(next, 0);
	cr_assert_eq(decisions[0].version, 2);
	cr_assert_eq(decisions[0].verdict, SERVICE_CHANGE_CHANGED);
	cr_assert_str_eq(decisions[0].request_id, "change");
	cr_assert_float_eq(decisions[0].gbps, 3, 0);
	cr_assert_eq(decisions[0].evidence->n_links, 1);
	cr_assert_eq(ledger_service(state, "svc-1", true, 1, memory, &view, &status), 0, "%s",
	             status.message);
	cr_assert_eq(view.evidence->decided_ns, decisions[0].decided_ns);
	cr_assert_str_eq(view.from, "A");
}

// ---- what each version was decided from

static size_t decisions_of(const char *service_id, const char *request_id, int64_t after, int64_t limit,
                           int64_t *ret_next) {
	const struct decisions_query query = {service_id, request_id, after, limit};
	struct service_decision *decisions;
	size_t n = 0;

	cr_assert_eq(ledger_decisions(state, &query, memory, &decisions, &n, ret_next, &status), 0, "%s",
	             status.message);
	for (size_t i = 0; i < n; i++)
		cr_assert_gt(decisions[i].version, i == 0 ? after : decisions[i - 1].version);
	return n;
}

Test(ledger, each_decision_about_a_service_stays_until_long_after_its_end) {
	const int64_t kept_ns = LEDGER_ANSWERS_SECONDS * NS_PER_SECOND, end_ns = 5 * kept_ns;
	struct link_direction links[] = {{.link_id = "AB"}};
	struct reserve_request first = make_request("first", links, 1),
	                       other = make_request("other", links, 1);
	struct bytes nothing = {(uint8_t[]){0}, 1};
	struct ledger_admitted admitted = admit(&first, 10, 10, end_ns);
	const char *found;
	int64_t next;

	for (int i = 0; i < 4; i++) {
		char request_id[8];
		struct reserve_request change;

		snprintf(request_id, sizeof(request_id), "c%d", i);
		change = make_request(request_id, links, 1);
		change.service_id = admitted.service_id;
		admit(&change, 11 + i, 11 + i, end_ns);
	}
	cr_assert_eq(decisions_of("svc-1", NULL, 0, 10, &next), 5);
	cr_assert_eq(next, 0);
	cr_assert_eq(decisions_of("svc-1", NULL, 0, 3, &next), 3);
	cr_assert_eq(next, 3);
	cr_assert_eq(decisions_of("svc-1", NULL, next, 3, &next), 2);
	cr_assert_eq(next, 0);
	cr_assert_eq(decisions_of("svc-1", "c2", 0, 10, &next), 1);
	cr_assert_eq(ledger_service_of(state, "first", memory, &found, &status), 1);
	cr_assert_str_eq(found, "svc-1");
	cr_assert_eq(ledger_service_of(state, "never", memory, &found, &status), 0);

	admit(&other, 20, 20, INT64_MAX);
	cr_assert_eq(
	        ledger_keep_admission(state, "x", "svc-2", end_ns + kept_ns, &nothing, &nothing, &status), 0);
	cr_assert_eq(decisions_of("svc-1", NULL, 0, 10, &next), 5, "30 days have not passed");
	cr_assert_eq(
	        ledger_keep_admission(state, "y", "svc-2", end_ns + 2 * kept_ns, &nothing, &nothing, &status),
	        0);
	cr_assert_eq(decisions_of("svc-1", NULL, 0, 10, &next), 0);
	cr_assert_eq(decisions_of("svc-2", NULL, 0, 10, &next), 1, "it has no end");
}

// ---- background: measured less the services' own traffic

static struct history *history;
static struct kpi_point points[10];

static void open_history(void) {
	cr_assert_eq(history_open(history_path, true, &history, &status), 0, "%s", status.message);
}

// A point each 10 s from 10 s on, all of 5 Gbps.
static struct service_options options;

static void correct(void) {
	struct worker worker = {.state = state, .history = history, .options = &options};

	for (int i = 0; i < 10; i++)
		points[i] = (struct kpi_point){(i + 1) * 10 * SECOND, 5};
	cr_assert_eq(background_correct(&worker, "AB", DIRECTION_FORWARD, 1000 * SECOND, points, 10, &status),
	             0, "%s", status.message);
}

// One service of 2 Gbps on AB from 25 s to 65 s.
static void admit_one(enum traffic_modes traffic, struct meter *meter) {
	struct link_direction links[] = {{.link_id = "AB"}};
	struct reserve_request request = make_request("r", links, 1);

	request.traffic = traffic;
	request.meter = meter;
	admit(&request, 25 * SECOND, 25 * SECOND, 65 * SECOND);
}

Test(background, what_is_assumed_to_be_sent_is_taken_out_while_it_is_held) {
	open_history();
	admit_one(TRAFFIC_ASSUMED, NULL);
	correct();
	cr_assert_float_eq(points[1].gbps, 5, 1e-12);
	cr_assert_float_eq(points[2].gbps, 4, 1e-12, "half of (20 s, 30 s]");
	for (int i = 3; i < 6; i++)
		cr_assert_float_eq(points[i].gbps, 3, 1e-12);
	cr_assert_float_eq(points[6].gbps, 4, 1e-12, "half of (60 s, 70 s]");
	cr_assert_float_eq(points[7].gbps, 5, 1e-12);
	history_close(history);
}

Test(background, it_never_falls_below_nothing) {
	open_history();
	for (int i = 0; i < 3; i++)
		admit_one(TRAFFIC_ASSUMED, NULL);
	correct();
	cr_assert_float_eq(points[3].gbps, 0, 0);
	history_close(history);
}

Test(background, conservative_takes_nothing_out) {
	open_history();
	admit_one(TRAFFIC_CONSERVATIVE, NULL);
	correct();
	for (int i = 0; i < 10; i++)
		cr_assert_float_eq(points[i].gbps, 5, 0);
	history_close(history);
}

Test(background, what_a_series_measured_is_taken_out_once_however_many_name_it) {
	struct meter meter;
	struct kpi_point metered[10];

	meter_init(&meter);
	meter.link_id = "access";
	for (int i = 0; i < 10; i++)
		metered[i] = (struct kpi_point){(i + 1) * 10 * SECOND, 0.5};
	open_history();
	cr_assert_eq(history_begin(history, &status), 0);
	cr_assert_eq(history_add_kpi(history, "access", DIRECTION_FORWARD, KPI_LINK_USED_CAPACITY,
	                             KPI_APPENDED, metered, 10, NULL, &status),
	             0);
	cr_assert_eq(history_commit(history, &status), 0);
	admit_one(TRAFFIC_METERED, &meter);
	admit_one(TRAFFIC_METERED, &meter);
	correct();
	cr_assert_float_eq(points[1].gbps, 5, 1e-12, "not yet");
	cr_assert_float_eq(points[2].gbps, 4.75, 1e-12);
	cr_assert_float_eq(points[4].gbps, 4.5, 1e-12, "not the 2 that it may send");
	cr_assert_float_eq(points[8].gbps, 5, 1e-12);
	history_close(history);
}

// tx_bytes of 1 Gbps in frames of 1250 bytes, which begin anew after 40 s.
static void add_port_history(void) {
	static const char *names[] = {"rx_packets", "tx_packets", "rx_bytes",  "tx_bytes",
	                              "rx_missed",  "rx_errors",  "tx_errors", "rx_nombuf"};
	uint64_t rows[10][10] = {{0}};
	struct sample sample = {.v = 1,
	                        .host = "h",
	                        .instance = 1,
	                        .name = "p",
	                        .up = true,
	                        .names = names,
	                        .n_names = 8,
	                        .rows = rows[0],
	                        .n_rows = 10};
	struct sample_stored stored;

	for (uint64_t i = 0; i < 10; i++) {
		rows[i][0] = i + 1;
		rows[i][1] = (i + 1) * 10 * SECOND;
		rows[i][2 + COUNTER_tx_bytes] = (i < 4 ? i + 100 : i - 4) * 10 * 125000000;
		rows[i][2 + COUNTER_tx_packets] = rows[i][2 + COUNTER_tx_bytes] / 1250;
	}
	cr_assert_eq(history_begin(history, &status), 0);
	cr_assert_eq(history_add_sample(history, &sample, &stored, &status), 0, "%s", status.message);
	cr_assert_eq(history_commit(history, &status), 0);
}

Test(background, what_a_port_counted_is_taken_out_and_a_reset_takes_nothing) {
	struct meter meter;

	meter_init(&meter);
	meter.host = "h";
	meter.name = "p";
	open_history();
	add_port_history();
	admit_one(TRAFFIC_METERED, &meter);
	correct();
	cr_assert_float_eq(points[3].gbps, 4, 1e-9);
	cr_assert_float_eq(points[4].gbps, 5, 1e-9, "between 40 s and 50 s the counter fell");
	cr_assert_float_eq(points[5].gbps, 4, 1e-9);
	history_close(history);
}

Test(background, a_port_is_counted_as_its_link_is) {
	struct meter meter;

	meter_init(&meter);
	meter.host = "h";
	meter.name = "p";
	options.accounting = ACCOUNTING_L1;
	open_history();
	add_port_history();
	admit_one(TRAFFIC_METERED, &meter);
	correct();
	cr_assert_float_eq(points[3].gbps, 5 - 1.0 * (1250 + ETHERNET_OVERHEAD) / 1250, 1e-9);
	history_close(history);
}

Test(background, a_meter_that_was_never_heard_takes_nothing_out) {
	struct meter meter;

	meter_init(&meter);
	meter.host = "nobody";
	meter.name = "p";
	open_history();
	admit_one(TRAFFIC_METERED, &meter);
	correct();
	cr_assert_float_eq(points[4].gbps, 5, 0);
	history_close(history);
}
