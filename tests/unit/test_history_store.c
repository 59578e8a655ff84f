// What history keeps: levels, retention, damage, older files, memory.
// SPDX-License-Identifier: MIT
#include "bitpack.h"
#include "history_private.h"
#include "history_writer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#define SECOND   NS_PER_SECOND
#define DAY      (86400 * SECOND)
#define TAIL_SEQ 213 // no port begins a period within 180 rows

static char folder[64], path[96];
static struct status status;
static struct history *history;
static int n_reports;
static char reported[STATUS_MESSAGE_SIZE];

static void setup(void) {
	strcpy(folder, "/tmp/linkcast-keep-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/history.db", folder);
}

static void teardown(void) {
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char name[128];

	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
	rmdir(folder);
}

TestSuite(keep, .init = setup, .fini = teardown);

static void note_report(void *context, const char *text) {
	(void)context;
	n_reports++;
	snprintf(reported, sizeof(reported), "%s", text);
}

static void open_history(struct history_options options) {
	options.write = true;
	options.report = note_report;
	cr_assert_eq(history_open_with(path, &options, &history, &status), 0, "%s", status.message);
}

static void write_rows(uint64_t from_seq, uint64_t to_seq, uint64_t per_commit) {
	for (uint64_t seq = from_seq; seq <= to_seq;) {
		cr_assert_eq(history_begin(history, &status), 0, "%s", status.message);
		for (uint64_t i = 0; i < per_commit && seq <= to_seq; i++)
			cr_assert_eq(writer_add(history, seq++, &status), 0, "%s", status.message);
		cr_assert_eq(history_commit(history, &status), 0, "%s", status.message);
	}
}

static size_t count(enum history_level level, int64_t step_ns, enum port_value value, uint64_t *ret_sum) {
	const char *counter = "rx_packets";
	struct port_range range = {.host = "h",
	                           .name = "p0",
	                           .counters = &counter,
	                           .n_counters = 1,
	                           .from_ns = INT64_MIN,
	                           .to_ns = INT64_MAX,
	                           .step_ns = step_ns,
	                           .limit = SIZE_MAX,
	                           .level = level,
	                           .value = value};
	uint64_t *rows = NULL, sum = 0;
	int64_t next_ns;
	size_t n = 0;

	cr_assert_eq(history_port(history, &range, &rows, &n, &next_ns, &status), 0, "%s", status.message);
	for (size_t i = 0; i < n; i++)
		sum += rows[2 * i + 1];
	free(rows);
	if (ret_sum != NULL)
		*ret_sum = sum;
	return n;
}

static void maintain_all(int64_t now_ns) {
	int rc, n = 0;

	while ((rc = history_maintain(history, now_ns, &status)) > 0)
		cr_assert_lt(n++, 10000);
	cr_assert_eq(rc, 0, "%s", status.message);
}

static int64_t scalar(const char *sql) {
	sqlite3_stmt *statement;
	sqlite3 *db;
	int64_t value;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK, "%s", sql);
	cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return value;
}

static void execute(const char *sql) {
	char *error = NULL;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &error), SQLITE_OK, "%s", error);
	sqlite3_close(db);
}

// ---- levels and retention

Test(keep, every_level_has_all_rows_counted) {
	uint64_t rows;

	open_history((struct history_options){0});
	write_rows(1, 7300, 50);
	for (int sealed = 0; sealed < 2; sealed++) {
		cr_assert_eq(count(LEVEL_RAW, 0, PORT_ROWS, &rows), 7300);
		cr_assert_eq(rows, 7300);
		cr_assert_eq(count(LEVEL_MINUTE, 0, PORT_ROWS, &rows), 123, "minutes that are begun");
		cr_assert_eq(rows, 7300);
		cr_assert_eq(count(LEVEL_HOUR, 0, PORT_ROWS, &rows), 3);
		cr_assert_eq(rows, 7300);
		cr_assert_eq(history_seal(history, &status), 0, "%s", status.message);
	}
	history_close(history);
}

// As when xstats are switched on: a publisher's rows get other names from one to the next.
Test(keep, a_rate_reaches_over_a_change_of_names) {
	static const char *const one[] = {"rx_q1"}, *const two[] = {"rx_q0", "rx_q1"};
	const struct {
		const char *const *more;
		size_t n;
		uint64_t values[2];
	} rows[] = {{NULL, 0, {0}}, {one, 1, {7}}, {two, 2, {1000, 307}}, {NULL, 0, {0}}};
	enum { N = sizeof(rows) / sizeof(rows[0]) };
	const char *counters[] = {"rx_packets", "rx_q1"};
	struct port_range range = {.host = "h",
	                           .name = "p0",
	                           .counters = counters,
	                           .n_counters = 1,
	                           .from_ns = 0,
	                           .to_ns = INT64_MAX,
	                           .limit = 10,
	                           .value = PORT_MAX_RATE};
	int64_t next_ns;

	open_history((struct history_options){0});
	for (size_t i = 0; i < N; i++) {
		const char *names[N_PORT_COUNTERS + 2];
		uint64_t row[2 + N_PORT_COUNTERS + 2] = {i + 1, (i + 1) * SECOND, i * 50};
		struct sample sample = {.host = "h",
		                        .instance = 1,
		                        .name = "p0",
		                        .names = names,
		                        .n_names = N_PORT_COUNTERS + rows[i].n,
		                        .rows = row,
		                        .n_rows = 1};
		struct sample_stored stored;

		memcpy(names, history_basic_counters, sizeof(history_basic_counters[0]) * N_PORT_COUNTERS);
		for (size_t k = 0; k < rows[i].n; k++) {
			names[N_PORT_COUNTERS + k] = rows[i].more[k];
			row[2 + N_PORT_COUNTERS + k] = rows[i].values[k];
		}
		cr_assert_eq(history_begin(history, &status), 0);
		cr_assert_eq(history_add_sample(history, &sample, &stored, &status), 0, "%s", status.message);
		cr_assert_eq(history_commit(history, &status), 0);
	}
	for (int sealed = 0; sealed < 2; sealed++) {
		uint64_t *rates = NULL;
		size_t n = 0;

		range.n_counters = 1;
		range.level = LEVEL_RAW;
		cr_assert_eq(history_port(history, &range, &rates, &n, &next_ns, &status), 0);
		cr_assert_eq(n, N);
		cr_assert_eq(rates[1], 0, "the first has none");
		for (size_t i = 1; i < N; i++)
			cr_assert_eq(rates[2 * i + 1], 50, "row %zu", i);
		free(rates);
		range.n_counters = 2;
		cr_assert_eq(history_port(history, &range, &rates, &n, &next_ns, &status), 0);
		cr_assert_eq(n, 2);
		cr_assert_eq(rates[2], 0, "it is new here");
		cr_assert_eq(rates[5], 300, "and has another place here");
		free(rates);
		range.n_counters = 1;
		range.level = LEVEL_MINUTE;
		cr_assert_eq(history_port(history, &range, &rates, &n, &next_ns, &status), 0);
		cr_assert_eq(n, 1);
		cr_assert_eq(rates[1], 50);
		free(rates);
		cr_assert_eq(history_seal(history, &status), 0, "%s", status.message);
	}
	history_close(history);
}

Test(keep, levels_are_dropped_apart_and_the_next_one_answers) {
	const int64_t newest_ns = writer_ts_ns(20000);
	uint64_t rows;

	open_history((struct history_options){
	        .keep_ns = {[LEVEL_SECOND] = 7200 * SECOND, [LEVEL_RAW] = 3600 * SECOND}});
	write_rows(1, 20000, 100);
	cr_assert_eq(history_seal(history, &status), 0);
	maintain_all(newest_ns);
	cr_assert_lt(count(LEVEL_RAW, 0, PORT_LAST, NULL), 8300,
	             "raw rows a second apart are kept like seconds");
	cr_assert_gt(count(LEVEL_RAW, 0, PORT_LAST, NULL), 7200, "and where they are gone, minutes answer");
	cr_assert_eq(count(LEVEL_MINUTE, 0, PORT_ROWS, &rows), 334);
	cr_assert_eq(rows, 20000);
	cr_assert_leq(scalar("SELECT sum(n_rows) FROM chunk WHERE level = 1 AND series = 2"), 7800);
	history_close(history);
}

Test(keep, how_long_may_change_while_the_writer_works) {
	const int64_t keep_ns[N_LEVELS] = {[LEVEL_SECOND] = 7200 * SECOND, [LEVEL_RAW] = 3600 * SECOND};

	open_history((struct history_options){0});
	write_rows(1, 20000, 100);
	cr_assert_eq(history_seal(history, &status), 0);
	maintain_all(writer_ts_ns(20000));
	cr_assert_eq(count(LEVEL_RAW, 0, PORT_LAST, NULL), 20000);
	history_set_keep(history, keep_ns);
	maintain_all(writer_ts_ns(20000));
	cr_assert_lt(count(LEVEL_RAW, 0, PORT_LAST, NULL), 8300);
	cr_assert_eq(count(LEVEL_HOUR, 0, PORT_LAST, NULL), 6, "what is not named has its default");
	history_close(history);
}

Test(keep, an_old_series_is_not_wiped_and_one_stamp_from_the_future_wipes_nothing) {
	const struct kpi_point future = {writer_ts_ns(1000) + 10000 * DAY, 1};

	open_history((struct history_options){0});
	write_rows(1, 1000, 100);
	cr_assert_eq(history_begin(history, &status), 0);
	for (int i = 0; i < 1000; i++)
		history_add_kpi(history, "L", DIRECTION_FORWARD, 302, KPI_APPENDED,
		                &(struct kpi_point){writer_ts_ns((uint64_t)i), i}, 1, NULL, &status);
	history_add_kpi(history, "L", DIRECTION_FORWARD, 302, KPI_APPENDED, &future, 1, NULL, &status);
	cr_assert_eq(history_commit(history, &status), 0);
	cr_assert_eq(history_seal(history, &status), 0);
	maintain_all(writer_ts_ns(1000) +
	             4000 * DAY); // ten years later: counted back from the port's newest row
	cr_assert_eq(count(LEVEL_RAW, 0, PORT_LAST, NULL), 1000);
	maintain_all(writer_ts_ns(1000)); // and here from now, not from the stamp
	cr_assert_eq(scalar("SELECT sum(n_rows) FROM chunk WHERE level = 1 AND series = 3"), 1001);
	history_close(history);
}

Test(keep, the_file_shrinks_when_rows_are_dropped) {
	int64_t pages;

	open_history((struct history_options){.keep_ns = {[LEVEL_SECOND] = 3600 * SECOND,
	                                                  [LEVEL_RAW] = 3600 * SECOND,
	                                                  [LEVEL_MINUTE] = 3600 * SECOND}});
	write_rows(1, 200000, 4000);
	pages = scalar("PRAGMA page_count");
	maintain_all(writer_ts_ns(200000));
	cr_assert_lt(scalar("PRAGMA page_count"), pages * 3 / 4);
	cr_assert_eq(count(LEVEL_HOUR, 0, PORT_LAST, NULL), 56);
	history_close(history);
}

Test(keep, open_rows_fit_into_the_memory_that_is_given) {
	open_history((struct history_options){.memory = 100000});
	for (int round = 0; round < 20; round++) {
		write_rows((uint64_t)round * 400 + 1, (uint64_t)round * 400 + 400, 400);
		cr_assert_leq(history->tail.size, 100000);
	}
	cr_assert_eq(writer_check(history, INT64_MIN), 8000);
	history_close(history);
}

// Whatever it is asked for: rows of p1 and p2 leave it, too, when they are sealed.
Test(keep, a_reader_holds_no_more_than_the_writer) {
	const struct history_options options = {.memory = 60000};
	struct history *reader = NULL, *late = NULL;
	size_t most = 0;

	open_history((struct history_options){.memory = 60000});
	cr_assert_eq(history_open_with(path, &options, &reader, &status), 0, "%s", status.message);
	for (uint64_t round = 0; round < 300; round++) {
		struct port_newest newest;

		write_rows(round * 20 + 1, round * 20 + 20, 1);
		cr_assert_eq(history_port_newest(reader, "h", "p0", INT64_MAX, &newest, &status), 1);
		cr_assert_eq(newest.ts_ns, writer_ts_ns(round * 20 + 20));
		most = reader->tail.size > most ? reader->tail.size : most;
	}
	cr_assert_leq(most, 60000 + 84 * WRITER_PORTS * 200, "%zu bytes",
	              most); // and what came since it looked
	cr_assert_eq(writer_check(reader, INT64_MIN), 6000);
	cr_assert_eq(history_open_with(path, &options, &late, &status), 0, "%s", status.message);
	cr_assert_eq(writer_check(late, INT64_MIN), 6000);
	cr_assert_leq(late->tail.size, history->tail.size);
	history_close(late);
	history_close(reader);
	history_close(history);
}

Test(keep, rows_that_stopped_coming_are_sealed_and_the_tail_is_emptied) {
	open_history((struct history_options){0});
	write_rows(1, 100, 10);
	maintain_all(1000 * SECOND);
	cr_assert_gt(history->tail.size, 0);
	maintain_all(1901 * SECOND);
	cr_assert_eq(history->tail.size, 0);
	write_rows(101, 101, 1);
	cr_assert_eq(writer_check(history, INT64_MIN), 101);
	history_close(history);
}

Test(keep, the_tail_writes_over_what_is_sealed) {
	int64_t pages;

	open_history((struct history_options){0});
	write_rows(1, 3000, 1);
	pages = scalar("SELECT count(*) FROM tail");
	write_rows(3001, 12000, 1);
	cr_assert_leq(scalar("SELECT count(*) FROM tail"), pages + pages / 2);
	cr_assert_eq(scalar("SELECT count(*) FROM tail WHERE length(data) ="
	                    " (SELECT page_size - 39 FROM pragma_page_size)"),
	             scalar("SELECT count(*) FROM tail"));
	history_close(history);
	open_history((struct history_options){0});
	cr_assert_eq(writer_check(history, INT64_MIN), 12000);
	history_close(history);
}

Test(keep, a_tail_that_was_long_gets_shorter) {
	const char *name = "p";
	uint64_t row[2 + N_PORT_COUNTERS] = {0};
	struct sample_stored stored;
	int64_t pages;

	open_history((struct history_options){0});
	srandom(5);
	for (uint64_t seq = 1; seq <= 3000; seq++) {
		struct sample sample = {.v = 1,
		                        .host = "h",
		                        .instance = 1,
		                        .name = name,
		                        .names = (const char **)(uintptr_t)writer_names(),
		                        .n_names = N_PORT_COUNTERS,
		                        .rows = row,
		                        .n_rows = 1};

		row[0] = seq;
		row[1] = seq * SECOND / 10;
		for (size_t k = 2; k < 2 + N_PORT_COUNTERS; k++)
			row[k] = (uint64_t)random() << 32 ^ (uint64_t)random(); // as long as numbers are
		cr_assert_eq(history_begin(history, &status), 0);
		cr_assert_eq(history_add_sample(history, &sample, &stored, &status), 0);
		cr_assert_eq(history_commit(history, &status), 0);
	}
	pages = scalar("SELECT count(*) FROM tail");
	cr_assert_geq(pages, 50);
	cr_assert_eq(history_seal(history, &status), 0);
	write_rows(1, 2000, 1);
	maintain_all(writer_ts_ns(2000));
	cr_assert_leq(scalar("SELECT count(*) FROM tail"), 64 + pages / 4);
	cr_assert_eq(writer_check(history, INT64_MIN), 2000);
	history_close(history);
}

// ---- damage

Test(keep, a_damaged_chunk_is_said_left_where_it_is_and_the_rest_served) {
	open_history((struct history_options){0});
	write_rows(1, 3000, 100);
	cr_assert_eq(history_seal(history, &status), 0);
	history_close(history);
	execute("UPDATE chunk SET data = CAST(substr(data, 1, length(data) / 2) || x'00112233' ||"
	        " substr(data, length(data) / 2 + 5) AS BLOB) WHERE chunk_id ="
	        " (SELECT min(chunk_id) + 20 FROM chunk WHERE series = 2 AND level = 1)"
	        " OR chunk_id = (SELECT max(chunk_id) FROM chunk WHERE series = 2 AND level = 1)");
	open_history((struct history_options){0});
	n_reports = 0;
	cr_assert_lt(writer_check(history, INT64_MIN), 3000, "something is missing");
	cr_assert_geq(n_reports, 1);
	cr_assert_not_null(strstr(reported, "damaged"), "%s", reported);
	write_rows(3001, 4000, 100);
	cr_assert_eq(history_seal(history, &status), 0, "%s", status.message);
	cr_assert_gt(count(LEVEL_RAW, 0, PORT_LAST, NULL), 1900);
	history_close(history);
}

// Overwrites four bytes of the tail's page at a place.
static void damage_page(int64_t place) {
	char sql[200];

	snprintf(sql, sizeof(sql),
	         "UPDATE tail SET data = CAST(substr(data, 1, 100) || x'ffffffff' || substr(data, 105) AS "
	         "BLOB)"
	         " WHERE place = %" PRId64,
	         place);
	execute(sql);
}

Test(keep, a_damaged_page_of_the_tail_is_set_aside_and_costs_one_part) {
	uint64_t n;

	for (uint64_t part = 0; part < 6; part++) { // each writer begins one
		open_history((struct history_options){0});
		write_rows(TAIL_SEQ + part * 30, TAIL_SEQ + part * 30 + 29, 1);
		cr_assert_eq(scalar("SELECT count(*) FROM chunk"), 0);
		history_close(history);
	}
	cr_assert_geq(scalar("SELECT count(*) FROM tail"), 6);
	damage_page(3);
	n_reports = 0;
	open_history((struct history_options){0});
	cr_assert_eq(n_reports, 1);
	cr_assert_not_null(strstr(reported, "page 3 of the tail is damaged: rows from commit"), "%s",
	                   reported);
	cr_assert_not_null(strstr(reported, " to "), "those behind are there: %s", reported);
	n = count(LEVEL_RAW, 0, PORT_LAST, NULL);
	cr_assert_geq(n, 150);
	cr_assert_lt(n, 180);
	write_rows(501, 600, 1);
	cr_assert_eq(history_seal(history, &status), 0);
	write_rows(601, 601, 1);
	cr_assert_eq(count(LEVEL_RAW, 0, PORT_LAST, NULL), n + 101);
	cr_assert_eq(scalar("SELECT count(*) FROM tail WHERE place = -1"), 1,
	             "nothing that is damaged is deleted");
	history_close(history);
	n_reports = 0;
	open_history((struct history_options){0});
	cr_assert_eq(count(LEVEL_RAW, 0, PORT_LAST, NULL), n + 101);
	history_close(history);
}

Test(keep, a_tail_whose_newest_page_is_damaged_says_so_and_goes_on) {
	uint64_t n;

	open_history((struct history_options){0});
	write_rows(1, 300, 1);
	history_close(history);
	damage_page(scalar("SELECT count(*) FROM tail"));
	n_reports = 0;
	open_history((struct history_options){0});
	cr_assert_eq(n_reports, 1);
	cr_assert_not_null(strstr(reported, " on that were not sealed are missing"), "%s", reported);
	n = count(LEVEL_RAW, 0, PORT_LAST, NULL);
	cr_assert_gt(n, 0);
	cr_assert_lt(n, 300);
	write_rows(301, 400, 1);
	history_close(history);
	n_reports = 0;
	open_history((struct history_options){0});
	cr_assert_eq(n_reports, 1, "until they would be sealed they are missed");
	cr_assert_eq(count(LEVEL_RAW, 0, PORT_LAST, NULL), n + 100);
	history_close(history);
}

Test(keep, a_reader_follows_a_writer_through_restarts_and_rollbacks) {
	struct history *reader;

	open_history((struct history_options){0});
	write_rows(1, 1, 1);
	cr_assert_eq(history_open(path, false, &reader, &status), 0);
	for (uint64_t seq = 2; seq <= 2500; seq++) {
		if (seq % 400 == 0) {
			history_close(history);
			open_history((struct history_options){0});
		}
		if (seq % 150 == 0) {
			cr_assert_eq(history_begin(history, &status), 0);
			cr_assert_eq(writer_add(history, seq, &status), 0);
			history_rollback(history);
		}
		write_rows(seq, seq, 1);
		if (seq % 7 == 0 || seq > 2490)
			cr_assert_eq(writer_check(reader, INT64_MIN), (int64_t)seq);
	}
	history_close(reader);
	history_close(history);
}

static int collect_report(void *context, const struct chunk_report *report) {
	struct chunk_report *damaged = context;

	if (report->rc < 0)
		*damaged = *report;
	return 0;
}

Test(keep, every_chunk_can_be_looked_at) {
	struct chunk_report damaged = {0};

	open_history((struct history_options){0});
	write_rows(1, 3000, 100);
	cr_assert_eq(history_seal(history, &status), 0);
	cr_assert_eq(history_each_chunk(history, collect_report, &damaged, &status), 0);
	cr_assert_eq(damaged.rc, 0, "%s", damaged.what);
	history_close(history);
	execute("UPDATE chunk SET n_rows = n_rows + 1 WHERE chunk_id = 2");
	open_history((struct history_options){0});
	cr_assert_eq(history_each_chunk(history, collect_report, &damaged, &status), 0);
	cr_assert_eq(damaged.rc, -EBADMSG);
	cr_assert_eq(damaged.chunk_id, 2);
	history_close(history);
}

// ---- older files

// Opens a file of an older version, after 'change' was made.
static void upgrade_damaged(int version, const char *change) {
	char name[300], *sql;
	FILE *file;
	long size;

	snprintf(name, sizeof(name), "%s/version%d.sql", HISTORY_DATA_DIR, version);
	file = fopen(name, "r");
	cr_assert_not_null(file, "%s", name);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	sql = calloc(1, (size_t)size + 1);
	cr_assert_eq(fread(sql, 1, (size_t)size, file), (size_t)size);
	fclose(file);
	execute(sql);
	free(sql);
	cr_assert_eq(scalar("PRAGMA user_version"), version);
	execute(change);
	open_history((struct history_options){0});
}

static void upgrade(int version) {
	upgrade_damaged(version, "");
}

static int find_p0(void *context, const struct port_record *record) {
	if (strcmp(record->name, "p0") == 0)
		*(struct port_record *)context = *record;
	return 0;
}

static void check_upgraded(void) {
	const char *const counters[] = {"rx_nombuf", "rx_q1"};
	struct port_range range = {.host = "h",
	                           .name = "p0",
	                           .counters = counters,
	                           .n_counters = 1,
	                           .from_ns = INT64_MIN,
	                           .to_ns = INT64_MAX,
	                           .limit = SIZE_MAX};
	struct kpi_range points = {
	        .link_id = "L", .kpi = 302, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .limit = SIZE_MAX};
	struct kpi_point *point = NULL;
	struct port_record p0 = {0};
	uint64_t *rows = NULL;
	int64_t next_ns;
	size_t n = 0;

	cr_assert_eq(history_port(history, &range, &rows, &n, &next_ns, &status), 0, "%s", status.message);
	cr_assert_eq(n, 3);
	cr_assert_eq(rows[5], (uint64_t)-8);
	free(rows);
	range.n_counters = 2;
	cr_assert_eq(history_port(history, &range, &rows, &n, &next_ns, &status), 0, "%s", status.message);
	cr_assert_eq(n, 2, "the first row has no rx_q1");
	cr_assert_eq(rows[2], UINT64_MAX - 3);
	free(rows);
	cr_assert_eq(history_kpi(history, &points, &point, &n, &next_ns, &status), 0);
	cr_assert_eq(n, 4);
	cr_assert_eq(point[1].gbps, 1.0 / 3);
	free(point);
	cr_assert_eq(history_each_port(history, find_p0, &p0, &status), 0);
	cr_assert_eq(p0.rows, 3);
	cr_assert_eq(p0.last_seq, 10);
	cr_assert_eq(scalar("SELECT count(*) FROM port_instance WHERE n_rows = 0"), 0);
	cr_assert_eq(scalar("SELECT count(*) FROM port_gap"), 3);
	cr_assert_eq(scalar("SELECT count(*) FROM sqlite_schema WHERE name IN ('port_sample', 'kpi_sample')"),
	             0);
	history_close(history);
}

Test(keep, a_file_of_version_1_has_all_it_had) {
	upgrade(1);
	check_upgraded();
}

Test(keep, a_file_of_version_2_has_all_it_had) {
	upgrade(2);
	check_upgraded();
}

Test(keep, a_file_of_version_3_has_all_it_had) {
	upgrade(3);
	cr_assert_eq(scalar("SELECT sum(n_rows) FROM chunk WHERE level = 1 AND series = 4"), 20);
	cr_assert_eq(scalar("SELECT count(*) FROM tail WHERE place = -1000"), 1, "what was damaged is kept");
	cr_assert_eq(scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'tail_of_version_3'"), 0);
	check_upgraded();
}

Test(keep, a_damaged_commit_of_version_3_is_kept) {
	upgrade_damaged(
	        3, "UPDATE tail SET data = CAST(x'ffffffff' || substr(data, 5) AS BLOB) WHERE tail_id = 5");
	cr_assert_eq(scalar("SELECT sum(n_rows) FROM chunk WHERE level = 1 AND series = 4"), 19);
	cr_assert_eq(scalar("SELECT count(*) FROM tail WHERE place = -5"), 1);
	check_upgraded();
}

Test(keep, a_commit_is_synced_when_that_is_asked_for) {
	open_history((struct history_options){.full_sync = true});
	sqlite3_stmt *statement;

	cr_assert_eq(sqlite3_prepare_v2(history->db, "PRAGMA synchronous", -1, &statement, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
	cr_assert_eq(sqlite3_column_int(statement, 0), 2);
	sqlite3_finalize(statement);
	history_close(history);
}

// ---- chunks

#define CHUNK_TEST_ROWS 600

// Rows whose counters after the first are the one before it plus 'more' of what random() says. Returns the chunk's bytes.
static size_t write_like(size_t n, long more, struct rows *ret) {
	enum { WIDTH = ROW_COUNTERS + 8 };
	const struct chunk_kind kind = {.series = SERIES_PORT, .level = LEVEL_RAW};
	CLEANUP(chunk_writer_fini) struct chunk_writer writer = {0};
	uint64_t row[WIDTH] = {0};
	struct rows rows = {.width = WIDTH};
	struct chunk_head head;
	const uint8_t *chunk;
	size_t size;

	srandom(9);
	for (size_t i = 0; i < n; i++) {
		uint64_t counted = 1000000 + (uint64_t)random() % 100000;

		row[ROW_TS] += NS_PER_SECOND;
		row[ROW_SEQ]++;
		for (size_t k = ROW_COUNTERS; k < WIDTH; k++)
			row[k] += counted + (k > ROW_COUNTERS ? (uint64_t)(random() % more) : 0);
		cr_assert_eq(rows_add(&rows, row, 1), 0);
	}
	cr_assert_eq(chunk_write(&writer, &kind, rows.values, n, WIDTH, WIDTH, &chunk, &size), 0);
	cr_assert_eq(chunk_read_head(chunk, size, &head), 0);
	ret->width = WIDTH;
	cr_assert_eq(chunk_read_rows(&head, chunk, size, ret), 0);
	cr_assert_eq(ret->n, n);
	cr_assert_arr_eq(ret->values, rows.values, n * WIDTH * sizeof(uint64_t));
	rows_fini(&rows);
	return size;
}

Test(chunk, counters_that_count_the_same_are_kept_once) {
	CLEANUP(rows_fini) struct rows same = {0}, near = {0}, few = {0};
	size_t one = CHUNK_TEST_ROWS * 17 / 8; // bits of one counter's noise

	cr_assert_leq(write_like(CHUNK_TEST_ROWS, 1, &same), one + 250);
	cr_assert_leq(write_like(CHUNK_TEST_ROWS, 4, &near), one + 7 * CHUNK_TEST_ROWS * 2 / 8 + 500);
	cr_assert_leq(write_like(20, 1, &few), 20 * 17 / 8 + 200);
}

Test(chunk, a_bit_that_changed_anywhere_is_noticed) {
	const struct chunk_kind kind = {.series = SERIES_PORT, .level = LEVEL_MINUTE};
	uint64_t values[100][STEP_VALUES + 4] = {0};

	for (uint64_t i = 0; i < 100; i++) {
		for (uint64_t k = 0; k < STEP_VALUES + 4; k++)
			values[i][k] = (i + 1) * (k + 1) * 1000 + (uint64_t)random() % 50;
	}
	for (size_t n = 10; n <= 100; n += 90) { // with one checksum, and with one for each column
		CLEANUP(chunk_writer_fini) struct chunk_writer writer = {0};
		const uint8_t *chunk;
		uint8_t *copy;
		size_t size;

		cr_assert_eq(chunk_write(&writer, &kind, values[0], n, STEP_VALUES + 4, STEP_VALUES + 4,
		                         &chunk, &size),
		             0);
		copy = malloc(size);
		for (size_t bit = 0; bit < 8 * size; bit++) {
			CLEANUP(rows_fini) struct rows rows = {.width = STEP_VALUES + 4};
			struct chunk_head head;

			memcpy(copy, chunk, size);
			copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
			cr_assert(chunk_read_head(copy, size, &head) != 0 ||
			                  chunk_read_rows(&head, copy, size, &rows) == -EBADMSG,
			          "bit %zu of %zu", bit, 8 * size);
		}
		free(copy);
	}
}

// ---- the codec's numbers

Test(bitpack, a_constant_counter_takes_a_few_bytes_and_a_regular_one_no_more) {
	uint64_t values[600];
	uint8_t out[8 * 600 + 200];

	for (int i = 0; i < 600; i++)
		values[i] = UINT64_MAX - 7;
	cr_assert_leq(bitpack_encode(values, 600, BITPACK_DELTA, out), 12);
	for (int i = 0; i < 600; i++)
		values[i] = (uint64_t)i * 1000000000;
	cr_assert_leq(bitpack_encode(values, 600, BITPACK_DELTA, out), 12);
}

Test(bitpack, one_far_difference_in_a_block_does_not_widen_the_others) {
	uint64_t values[128 * 4 + 1] = {0};
	uint8_t out[8 * 600 + 200];

	srandom(1);
	for (int i = 1; i < 128 * 4 + 1; i++)
		values[i] = values[i - 1] + (i % 128 == 50   ? UINT64_C(1) << 50
		                             : i % 128 == 90 ? 0
		                                             : 1000000 + (uint64_t)random() % 256);
	cr_assert_leq(bitpack_encode(values, 128 * 4 + 1, BITPACK_DELTA, out), 128 * 4 + 4 * 40);
}

Test(bitpack, reals_keep_their_order_and_every_bit) {
	const double reals[] = {-INFINITY, -1e300, -1, -1e-310, -0.0, 0.0, 5e-324, 0.1, 1, 1e300, INFINITY};
	uint64_t before = 0, again, bits;

	for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]); i++) {
		double back = bitpack_to_real(bitpack_from_real(reals[i]));

		cr_assert(i == 0 || bitpack_from_real(reals[i]) > before);
		before = bitpack_from_real(reals[i]);
		memcpy(&again, &back, sizeof(again));
		memcpy(&bits, &reals[i], sizeof(bits));
		cr_assert_eq(again, bits);
	}
}
