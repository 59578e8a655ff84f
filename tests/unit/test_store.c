// history.db and state.db: what goes in comes out, once, whole or not at all.
// SPDX-License-Identifier: MIT
#include "history.h"
#include "state.h"

#include "clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND NS_PER_SECOND

static char folder[64], history_path[96], state_path[96];
static struct status status;

static void setup(void) {
	strcpy(folder, "/tmp/linkcast-store-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(history_path, sizeof(history_path), "%s/history.db", folder);
	snprintf(state_path, sizeof(state_path), "%s/state.db", folder);
}

static void teardown(void) {
	static const char *const names[] = {"history.db", "state.db"};
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char path[128];

	for (size_t n = 0; n < 2; n++) {
		for (size_t s = 0; s < 3; s++) {
			snprintf(path, sizeof(path), "%s/%s%s", folder, names[n], suffixes[s]);
			unlink(path);
		}
	}
	rmdir(folder);
}

TestSuite(history, .init = setup, .fini = teardown);
TestSuite(state, .init = setup, .fini = teardown);

static const char *names[] = {"rx_packets", "tx_packets", "rx_bytes",  "tx_bytes", "rx_missed",
                              "rx_errors",  "tx_errors",  "rx_nombuf", "rx_q0",    "rx_q1"};

// Rows seq to seq + n - 1, a second apart; each value is its own.
static struct sample make_sample(uint64_t *rows, uint64_t seq, size_t n, size_t n_names) {
	struct sample sample = {.v = 1,
	                        .host = "h",
	                        .instance = UINT64_MAX >> 1,
	                        .port = 3,
	                        .name = "net_null0",
	                        .up = true,
	                        .names = names,
	                        .n_names = n_names,
	                        .rows = rows,
	                        .n_rows = n};

	for (size_t i = 0; i < n; i++) {
		uint64_t *row = rows + i * (2 + n_names);

		row[0] = seq + i;
		row[1] = (uint64_t)((int64_t)(seq + i) * SECOND);
		for (size_t c = 0; c < n_names; c++)
			row[2 + c] = UINT64_MAX - (seq + i) * 100 - c;
	}
	return sample;
}

static struct history *open_history(void) {
	struct history *history = NULL;

	cr_assert_eq(history_open(history_path, true, &history, &status), 0, "%s", status.message);
	return history;
}

static void add(struct history *history, const struct sample *sample, uint64_t rows, uint64_t duplicates) {
	struct sample_stored stored;

	cr_assert_eq(history_begin(history, &status), 0, "%s", status.message);
	cr_assert_eq(history_add_sample(history, sample, &stored, &status), 0, "%s", status.message);
	cr_assert_eq(history_commit(history, &status), 0);
	cr_assert_eq(stored.rows, rows);
	cr_assert_eq(stored.duplicates, duplicates);
}

static size_t read_rows(struct history *history, const struct port_range *range, uint64_t **rows,
                        int64_t *next_ns) {
	size_t n = 0;

	cr_assert_eq(history_port(history, range, rows, &n, next_ns, &status), 0, "%s", status.message);
	return n;
}

Test(history, counters_come_out_exactly_as_they_went_in) {
	uint64_t values[5 * 12], *rows;
	struct sample sample = make_sample(values, 1, 5, 10);
	struct history *history = open_history();
	struct port_range range = {"h",          "net_null0", names, 10,         0,
	                           100 * SECOND, 0,           100,   LEVEL_AUTO, PORT_LAST};
	int64_t next_ns;

	add(history, &sample, 5, 0);
	cr_assert_eq(read_rows(history, &range, &rows, &next_ns), 5);
	cr_assert_eq(next_ns, 0);
	for (size_t i = 0; i < 5; i++)
		cr_assert_arr_eq(rows + i * 11, values + i * 12 + 1, 11 * sizeof(uint64_t));
	free(rows);
	history_close(history);
}

Test(history, adding_the_same_sample_twice_is_reported_not_fatal) {
	uint64_t values[5 * 10];
	struct sample sample = make_sample(values, 1, 5, 8);
	struct history *history = open_history();

	add(history, &sample, 5, 0);
	add(history, &sample, 0, 5);
	history_close(history);
}

Test(history, a_range_is_half_open_and_pages_join_without_seam) {
	uint64_t values[10 * 10], *rows;
	struct sample sample = make_sample(values, 1, 10, 8);
	struct history *history = open_history();
	struct port_range range = {"h",        "net_null0", names, 8,          2 * SECOND,
	                           9 * SECOND, 0,           3,     LEVEL_AUTO, PORT_LAST};
	uint64_t expected = 2;

	add(history, &sample, 10, 0);
	for (int64_t next_ns = range.from_ns; next_ns != 0;) {
		range.from_ns = next_ns;
		size_t n = read_rows(history, &range, &rows, &next_ns);

		for (size_t i = 0; i < n; i++)
			cr_assert_eq(rows[i * 9], expected++ * (uint64_t)SECOND);
		free(rows);
	}
	cr_assert_eq(expected, 9, "rows 2 to 8");
	history_close(history);
}

Test(history, a_step_gives_its_last_row) {
	uint64_t values[10 * 10], *rows;
	struct sample sample = make_sample(values, 1, 10, 8);
	struct history *history = open_history();
	struct port_range range = {"h",          "net_null0", names, 1,          0,
	                           100 * SECOND, 4 * SECOND,  100,   LEVEL_AUTO, PORT_LAST};
	int64_t next_ns;

	add(history, &sample, 10, 0);
	cr_assert_eq(read_rows(history, &range, &rows, &next_ns), 3);
	cr_assert_eq(rows[0], 3 * SECOND);
	cr_assert_eq(rows[2], 7 * SECOND);
	cr_assert_eq(rows[4], 10 * SECOND);
	free(rows);
	history_close(history);
}

Test(history, a_port_that_was_never_heard_is_not_found) {
	struct history *history = open_history();
	struct port_range range = {"h", "other", names, 8, 0, 1, 0, 1, LEVEL_AUTO, PORT_LAST};
	uint64_t *rows;
	int64_t next_ns;
	size_t n;

	cr_assert_eq(history_port(history, &range, &rows, &n, &next_ns, &status), -ENOENT);
	cr_assert_eq(status.code, STATUS_NOT_FOUND);
	history_close(history);
}

Test(history, names_that_do_not_begin_with_the_basic_ones_are_refused) {
	uint64_t values[10];
	struct sample sample = make_sample(values, 1, 1, 8);
	const char *swapped[8];
	struct history *history = open_history();
	struct sample_stored stored;

	memcpy(swapped, names, sizeof(swapped));
	swapped[0] = names[1];
	swapped[1] = names[0];
	sample.names = swapped;
	history_begin(history, &status);
	cr_assert_eq(history_add_sample(history, &sample, &stored, &status), -EINVAL);
	history_close(history);
}

static struct kpi_appended append(struct history *history, const struct kpi_point *points, size_t n) {
	struct kpi_appended appended = {0};

	cr_assert_eq(history_begin(history, &status), 0);
	cr_assert_eq(history_add_kpi(history, "L", DIRECTION_FORWARD, 302, KPI_APPENDED, points, n, &appended,
	                             &status),
	             0, "%s", status.message);
	cr_assert_eq(history_commit(history, &status), 0);
	return appended;
}

Test(history, kpi_known_and_conflicting_points_are_told_apart_and_the_first_stays) {
	const struct kpi_point points[] = {{SECOND, 1}, {2 * SECOND, 2}},
	                       again[] = {{SECOND, 1}, {2 * SECOND, 3}, {3 * SECOND, 4}};
	struct history *history = open_history();
	struct kpi_range range = {"L", DIRECTION_FORWARD, 302, 0, 100 * SECOND, 0, 100, LEVEL_AUTO, KPI_MEAN};
	struct kpi_appended appended;
	struct kpi_point *read;
	int64_t next_ns;
	size_t n;

	appended = append(history, points, 2);
	cr_assert_eq(appended.stored, 2);
	appended = append(history, again, 3);
	cr_assert_eq(appended.stored, 1);
	cr_assert_eq(appended.known, 1);
	cr_assert_eq(appended.conflicting, 1);
	cr_assert_eq(history_kpi(history, &range, &read, &n, &next_ns, &status), 0);
	cr_assert_eq(n, 3);
	cr_assert_float_eq(read[1].gbps, 2, 0);
	free(read);
	history_close(history);
}

Test(history, kpi_steps_are_means_and_pages_join) {
	struct kpi_point points[10], *read;
	struct history *history = open_history();
	struct kpi_range range = {"L", DIRECTION_FORWARD, 302,     0, 100 * SECOND, 4 * SECOND,
	                          2,   LEVEL_AUTO,        KPI_MEAN};
	int64_t next_ns;
	size_t n;

	for (int i = 0; i < 10; i++)
		points[i] = (struct kpi_point){i * SECOND, i};
	append(history, points, 10);
	cr_assert_eq(history_kpi(history, &range, &read, &n, &next_ns, &status), 0);
	cr_assert_eq(n, 2);
	cr_assert_float_eq(read[0].gbps, 1.5, 1e-12);
	cr_assert_float_eq(read[1].gbps, 5.5, 1e-12);
	cr_assert_eq(next_ns, 8 * SECOND);
	free(read);
	range.from_ns = next_ns;
	cr_assert_eq(history_kpi(history, &range, &read, &n, &next_ns, &status), 0);
	cr_assert_eq(n, 1);
	cr_assert_float_eq(read[0].gbps, 8.5, 1e-12);
	cr_assert_eq(next_ns, 0);
	free(read);
	history_close(history);
}

Test(history, current_use_is_the_mean_of_the_last_minute_or_the_newest_value) {
	const struct kpi_point points[] = {{10 * SECOND, 1}, {100 * SECOND, 2}, {130 * SECOND, 4}};
	struct history *history = open_history();
	double current = -1;

	append(history, points, 3);
	cr_assert_eq(history_kpi_current(history, "L", DIRECTION_FORWARD, 131 * SECOND, &current, &status),
	             1);
	cr_assert_float_eq(current, 3, 1e-12);
	cr_assert_eq(history_kpi_current(history, "L", DIRECTION_FORWARD, 99 * SECOND, &current, &status), 1);
	cr_assert_float_eq(current, 1, 1e-12, "nothing stamped after the moment counts");
	cr_assert_eq(history_kpi_current(history, "L", DIRECTION_FORWARD, 9 * SECOND, &current, &status), 0);
	cr_assert_eq(history_kpi_current(history, "L", DIRECTION_REVERSE, 131 * SECOND, &current, &status),
	             0);
	history_close(history);
}

static int count_lost(void *context, const struct port_record *record) {
	*(uint64_t *)context += record->last_seq - record->rows;
	return 0;
}

Test(history, rows_that_never_came_show_as_lost) {
	uint64_t values[10 * 10], lost = 0;
	struct sample first = make_sample(values, 1, 3, 8);
	struct hello_port port = {.port = 3, .name = "net_null0", .first_seq = 1, .last_seq = 10};
	struct hello hello = {.v = 1,
	                      .host = "h",
	                      .instance = first.instance,
	                      .interval_ns = SECOND,
	                      .ports = &port,
	                      .n_ports = 1};
	struct history *history = open_history();

	add(history, &first, 3, 0);
	struct sample later = make_sample(values, 6, 2, 8);
	add(history, &later, 2, 0);
	cr_assert_eq(history_each_port(history, count_lost, &lost, &status), 0);
	cr_assert_eq(lost, 2, "rows 4 and 5");

	lost = 0;
	history_begin(history, &status);
	cr_assert_eq(history_add_hello(history, "h", first.instance, SECOND, &hello, &status), 0, "%s",
	             status.message);
	history_commit(history, &status);
	history_each_port(history, count_lost, &lost, &status);
	cr_assert_eq(lost, 5, "and 8 to 10, of which only hello knows");
	history_close(history);
}

Test(history, what_was_not_committed_is_gone_and_the_rest_is_whole) {
	uint64_t values[5 * 10], *rows;
	struct sample sample = make_sample(values, 1, 5, 8), more;
	struct history *history = open_history();
	struct port_range range = {"h",          "net_null0", names, 8,          0,
	                           100 * SECOND, 0,           100,   LEVEL_AUTO, PORT_LAST};
	struct sample_stored stored;
	int64_t next_ns;

	add(history, &sample, 5, 0);
	more = make_sample(values, 6, 5, 8);
	history_begin(history, &status);
	history_add_sample(history, &more, &stored, &status);
	history_close(history);

	history = open_history();
	cr_assert_eq(read_rows(history, &range, &rows, &next_ns), 5);
	free(rows);
	history_close(history);
}

Test(history, a_reader_beside_the_writer_sees_what_is_committed) {
	const struct kpi_point point = {SECOND, 1};
	struct history *writer = open_history(), *reader = NULL;
	double current;

	cr_assert_eq(history_open(history_path, false, &reader, &status), 0, "%s", status.message);
	append(writer, &point, 1);
	cr_assert_eq(history_kpi_current(reader, "L", DIRECTION_FORWARD, SECOND, &current, &status), 1);
	history_close(reader);
	history_close(writer);
}

static void set_version(const char *path, int version) {
	char sql[64];
	sqlite3 *db;

	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", version);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

Test(history, a_database_of_a_newer_release_is_refused_and_untouched) {
	struct history *history = open_history();

	history_close(history);
	set_version(history_path, 9999);
	history = NULL;
	cr_assert_eq(history_open(history_path, true, &history, &status), -ENOTSUP);
	cr_assert_not_null(strstr(status.message, "newer release"));
	cr_assert_null(history);
}

Test(history, a_file_that_is_no_database_is_refused) {
	struct history *history = NULL;
	FILE *file = fopen(history_path, "w");

	for (int i = 0; i < 1000; i++)
		fputs("this is not a database\n", file);
	fclose(file);
	cr_assert_lt(history_open(history_path, true, &history, &status), 0);
	cr_assert_not_null(strstr(status.message, "history.db"), "%s", status.message);
}

// ---- state

static struct node nodes[] = {{.id = "A"}, {.id = "B"}, {.id = "C"}};
static struct port_binding bindings[] = {{.host = "h", .name = "p0", .end = END_A}};

static struct link make_link(const char *id, const char *a, const char *z) {
	struct link link;

	link_init(&link);
	link.id = id;
	link.a = a;
	link.z = z;
	return link;
}

static int set_topology(struct state *state, const char *id, struct link *links, size_t n) {
	struct topology topology = {
	        .topology_id = id, .nodes = nodes, .n_nodes = 3, .links = links, .n_links = n};

	return state_set_topology(state, &topology, 1000, &status);
}

static struct state *open_state(void) {
	struct state *state = NULL;

	cr_assert_eq(state_open(state_path, true, &state, &status), 0, "%s", status.message);
	return state;
}

static int64_t version_of(struct state *state, const char *id) {
	struct topology_page page = {.version = -1};

	return state_topology(state, id, &page, &status) < 0 ? -1 : page.version;
}

static int copy_link(void *context, const struct link_record *record) {
	*(struct link_record *)context = *record;
	return 0;
}

static struct link_record get_link(struct state *state, const char *id) {
	struct link_record record = {.id = NULL};

	state_link(state, id, copy_link, &record, &status);
	return record;
}

Test(state, a_topology_is_replaced_as_a_whole_and_its_version_rises) {
	struct link links[] = {make_link("AB", "A", "B"), make_link("BC", "B", "C")};
	struct state *state = open_state();

	cr_assert_eq(set_topology(state, "t", links, 2), 0, "%s", status.message);
	cr_assert_eq(version_of(state, "t"), 1);
	cr_assert_eq(set_topology(state, "t", links, 1), 0);
	cr_assert_eq(version_of(state, "t"), 2);
	cr_assert_not_null(get_link(state, "AB").id);
	cr_assert_null(get_link(state, "BC").id, "a link of no topology is gone");
	state_close(state);
}

Test(state, a_link_in_two_topologies_has_the_same_ends) {
	struct link good = make_link("AB", "A", "B"), bad = make_link("AB", "B", "A");
	struct state *state = open_state();

	cr_assert_eq(set_topology(state, "t", &good, 1), 0);
	cr_assert_eq(set_topology(state, "u", &bad, 1), -EEXIST);
	cr_assert_not_null(strstr(status.message, "'AB'"));
	cr_assert_eq(version_of(state, "u"), -1, "nothing of it was stored");
	cr_assert_eq(set_topology(state, "u", &good, 1), 0);
	cr_assert_eq(version_of(state, "t"), 2, "it shares a link that was set");
	state_close(state);
}

Test(state, a_port_measures_one_link) {
	struct link links[] = {make_link("AB", "A", "B"), make_link("BC", "B", "C")};
	struct state *state = open_state();
	char link_id[LIMIT_ID_SIZE + 1];
	enum ends end;

	links[0].ports = links[1].ports = bindings;
	links[0].n_ports = 1;
	cr_assert_eq(set_topology(state, "t", links, 1), 0);
	links[0].n_ports = 0;
	links[1].n_ports = 1;
	cr_assert_eq(set_topology(state, "u", &links[1], 1), -EEXIST);
	cr_assert_eq(state_binding(state, "h", "p0", link_id, &end, &status), 1);
	cr_assert_str_eq(link_id, "AB");

	// a topology that shares the link and names no ports leaves the binding
	cr_assert_eq(set_topology(state, "u", &links[0], 1), 0, "%s", status.message);
	cr_assert_eq(state_binding(state, "h", "p0", link_id, &end, &status), 1);
	state_close(state);
}

Test(state, what_is_not_given_stays_as_it_was) {
	struct link link = make_link("AB", "A", "B");
	struct link_change change = {.link_id = "AB", .direction = DIRECTION_REVERSE};
	struct state *state = open_state();
	struct link_record record;

	SET(&link, link, total_capacity_gbps, 10);
	SET(&link, link, used_capacity_gbps, 1);
	set_topology(state, "t", &link, 1);
	SET(&change, link_change, used_capacity_gbps, 2);
	cr_assert_eq(state_set_link(state, &change, 2000, &status), 0);
	record = get_link(state, "AB");
	cr_assert_float_eq(record.total_gbps, 10, 0);
	cr_assert_eq(record.total_set_ns, 1000);
	cr_assert_float_eq(record.used_gbps[DIRECTION_FORWARD], 1, 0);
	cr_assert_float_eq(record.used_gbps[DIRECTION_REVERSE], 2, 0);
	cr_assert(record.admin_up);
	cr_assert_eq(version_of(state, "t"), 2);

	link = make_link("AB", "A", "B"); // without capacities
	set_topology(state, "t", &link, 1);
	cr_assert_float_eq(get_link(state, "AB").total_gbps, 10, 0);
	state_close(state);
}

Test(state, changing_an_unknown_link_or_topology_is_not_found) {
	struct link_change change = {.link_id = "AB"};
	struct state *state = open_state();

	cr_assert_eq(state_set_link(state, &change, 0, &status), -ENOENT);
	cr_assert_eq(state_delete_topology(state, "t", 0, &status), -ENOENT);
	cr_assert_not_null(strstr(status.message, "'t'"));
	state_close(state);
}

Test(state, versions_never_repeat_after_a_deletion) {
	struct link link = make_link("AB", "A", "B");
	struct state *state = open_state();

	set_topology(state, "t", &link, 1);
	cr_assert_eq(state_delete_topology(state, "t", 0, &status), 0);
	cr_assert_eq(version_of(state, "t"), -1);
	cr_assert_null(get_link(state, "AB").id);
	set_topology(state, "t", &link, 1);
	cr_assert_eq(version_of(state, "t"), 3);
	state_close(state);
}

static int append_part(void *context, const void *frame, size_t size) {
	strncat(context, frame, size);
	return 0;
}

Test(state, parts_of_an_upload_come_in_order_or_not_at_all) {
	struct upload_part part = {"u", 1, 2, "one", 3};
	struct state *state = open_state();
	char text[16] = "";

	cr_assert_eq(state_keep_part(state, &part, 0, &status), 0, "%s", status.message);
	part = (struct upload_part){"u", 3, 2, "three", 5};
	cr_assert_eq(state_keep_part(state, &part, 0, &status), -EBUSY);
	part = (struct upload_part){"u", 2, 2, "two", 3};
	cr_assert_eq(state_keep_part(state, &part, 0, &status), 0);
	cr_assert_eq(state_each_part(state, "u", append_part, text, &status), 0);
	cr_assert_str_eq(text, "onetwo");
	text[0] = '\0';
	cr_assert_eq(state_forget_upload(state, "u", &status), 0);
	cr_assert_eq(state_each_part(state, "u", append_part, text, &status), 0);
	cr_assert_str_eq(text, "");
	state_close(state);
}
