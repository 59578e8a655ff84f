// A disk that is full or fails, at every single write, sync and truncation of whatever history does with its files: what
// was acknowledged is there and right, what was not is not there by half, the error says on which file, what is whole
// is served meanwhile, and the same is done again without a fuss once the disk is well.
//
// Each scenario is a folder of files that were made on a good disk, and an act that is tried on a copy of it, with the
// first write failing, with the second, and so on until there are no more.
// SPDX-License-Identifier: MIT
#include "bitpack.h"
#include "faulty_vfs.h"
#include "history_writer.h"
#include "state.h"
#include "upkeep.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECOND     NS_PER_SECOND
#define N_POINTS   600
#define N_PARTS    3
#define PART_ROWS  400
#define PART_SIZE  9000
#define WRITES_MAX 20000 // of one act

static char folder[64], history_path[96], state_path[96], copy_path[96];
static struct status status;
static int n_reports;

// ---- files

static const char *const file_names[] = {"history.db", "history.db-wal", "state.db", "state.db-wal"};

static void copy_file(const char *from, const char *to) {
	int in = open(from, O_RDONLY | O_CLOEXEC), out;
	static char bytes[1 << 16];
	ssize_t n;

	unlink(to);
	if (in < 0)
		return;
	out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	cr_assert_geq(out, 0);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		cr_assert_eq(write(out, bytes, (size_t)n), n);
	close(in);
	close(out);
}

static void copy_files(const char *from, const char *to) {
	for (size_t i = 0; i < sizeof(file_names) / sizeof(file_names[0]); i++) {
		char a[128], b[128];

		snprintf(a, sizeof(a), "%s%s/%s", folder, from, file_names[i]);
		snprintf(b, sizeof(b), "%s%s/%s", folder, to, file_names[i]);
		copy_file(a, b);
	}
}

static void remove_in(const char *part, const char *name) {
	char path[128];

	snprintf(path, sizeof(path), "%s%s%s%s", folder, part, name[0] != '\0' ? "/" : "", name);
	if (unlink(path) < 0)
		rmdir(path);
}

static void remove_copy(void) {
	remove_in("/copy", "history.db");
	remove_in("/copy", "state.db");
	remove_in("/copy", "");
}

static void setup(void) {
	char base[80];

	strcpy(folder, "/tmp/linkcast-disk-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(base, sizeof(base), "%s/base", folder);
	cr_assert_eq(mkdir(base, 0700), 0);
	snprintf(history_path, sizeof(history_path), "%s/history.db", folder);
	snprintf(state_path, sizeof(state_path), "%s/state.db", folder);
	snprintf(copy_path, sizeof(copy_path), "%s/copy", folder);
	faulty_install();
}

static void teardown(void) {
	static const char *const also[] = {"history.db-shm", "state.db-shm"};

	remove_copy();
	for (size_t i = 0; i < sizeof(file_names) / sizeof(file_names[0]); i++) {
		remove_in("/base", file_names[i]);
		remove_in("", file_names[i]);
	}
	for (size_t i = 0; i < sizeof(also) / sizeof(also[0]); i++)
		remove_in("", also[i]);
	remove_in("/base", "");
	rmdir(folder);
}

TestSuite(disk, .init = setup, .fini = teardown, .timeout = 280);

static void execute(const char *sql) {
	char *error = NULL;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(history_path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &error), SQLITE_OK, "%s", error);
	sqlite3_close(db);
}

// ---- what a scenario is

struct world {
	const struct scenario *scenario;
	struct history *history;
	uint64_t seq; // the newest that was acknowledged
	int64_t n;    // what scenario->count() must say
};

struct scenario {
	struct history_options options;
	bool is_open; // the act is done with history open
	void (*prepare)(struct world *);
	int (*act)(struct world *);         // may be called again after it failed
	int64_t (*count)(const char *path); // what is there; -1: something that is not right
	int64_t n_before, n_after;
};

static int open_history(struct world *world) {
	struct history_options options = world->scenario->options;

	options.write = true;
	return history_open_with(history_path, &options, &world->history, &status);
}

static void close_history(struct world *world) {
	history_close(world->history);
	world->history = NULL;
}

// ---- what is there

// How many rows p0 has; -1 when one is not as it was written, or not in the order of time.
static int read_rows(struct history *reader, int64_t from_ns, int64_t *ret) {
	struct port_range range = {.host = "h",
	                           .name = "p0",
	                           .counters = writer_names(),
	                           .n_counters = WRITER_COUNTERS,
	                           .from_ns = from_ns,
	                           .to_ns = INT64_MAX,
	                           .limit = SIZE_MAX};
	CLEANUP(freep) uint64_t *rows = NULL;
	uint64_t before = 0;
	int64_t next_ns;
	size_t n = 0;
	int rc;

	*ret = -1;
	if ((rc = history_port(reader, &range, &rows, &n, &next_ns, &status)) < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		const uint64_t *row = rows + i * (1 + WRITER_COUNTERS);
		uint64_t seq = (row[0] - (uint64_t)WRITER_START_NS) / NS_PER_SECOND;

		if (row[0] != (uint64_t)writer_ts_ns(seq) || seq <= before)
			return 0;
		for (size_t k = 0; k < WRITER_COUNTERS; k++) {
			if (row[1 + k] != writer_value(0, seq, k))
				return 0;
		}
		before = seq;
	}
	*ret = (int64_t)n;
	return 0;
}

static int64_t count_rows_from(const char *path, int64_t from_ns) {
	CLEANUP(history_closep) struct history *reader = NULL;
	int64_t n;

	cr_assert_eq(history_open(path, false, &reader, &status), 0, "%s", status.message);
	cr_assert_eq(read_rows(reader, from_ns, &n), 0, "%s", status.message);
	return n;
}

static int64_t count_rows(const char *path) {
	return count_rows_from(path, INT64_MIN);
}

static void find_damage(void *context, const char *text) {
	(void)context;
	cr_assert_fail("%s", text);
}

static void check_files(void) {
	const struct upkeep_files files = {history_path, state_path};

	cr_assert_eq(upkeep_check(&files, &(struct upkeep_watch){.finding = find_damage}, &status), 0, "%s",
	             status.message);
}

// ---- trying

struct kind {
	int result;
	bool for_good; // until it is told to end
};

static const struct kind kinds[] = {{SQLITE_FULL, true}, {SQLITE_IOERR_WRITE, false}};

static bool try(const struct scenario *scenario, const struct kind *kind, long nth) {
	struct world world = {.scenario = scenario, .n = scenario->n_before};
	bool has_failed;
	int rc;

	copy_files("/base", "");
	remove_in("", "history.db-shm");
	remove_in("", "state.db-shm");
	if (scenario->is_open)
		cr_assert_eq(open_history(&world), 0, "%s", status.message);
	status.message[0] = '\0';
	faulty_fail(nth, kind->result, kind->for_good);
	rc = scenario->act(&world);
	has_failed = faulty_has_failed();
	if (rc < 0) {
		cr_assert(has_failed, "write %ld: %s", nth, status.message);
		cr_assert_not_null(strstr(status.message, folder), "write %ld: %s", nth, status.message);
		if (world.history != NULL)
			cr_assert_eq(scenario->count(history_path), world.n, "write %ld, meanwhile", nth);
	}
	faulty_fail(0, SQLITE_OK, false);
	if (rc < 0)
		cr_assert_eq(scenario->act(&world), 0, "write %ld, again: %s", nth, status.message);
	cr_assert_eq(scenario->count(history_path), scenario->n_after, "write %ld", nth);
	close_history(&world);
	cr_assert_eq(scenario->count(history_path), scenario->n_after, "write %ld, at the end", nth);
	check_files();
	return has_failed;
}

static void try_each_write(const struct scenario *scenario, long n_least) {
	struct world world = {.scenario = scenario};
	struct state *state = NULL;

	if (scenario->prepare != NULL)
		scenario->prepare(&world);
	cr_assert_eq(state_open(state_path, true, &state, &status), 0, "%s", status.message);
	copy_files("", "/base"); // with the logs, as they are while they are open
	state_close(state);
	close_history(&world);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		long nth = 1;

		while (try(scenario, &kinds[i], nth))
			cr_assert_lt(nth++, WRITES_MAX);
		cr_assert_gt(nth, n_least, "only %ld writes", nth - 1);
	}
}

// ---- commits, which seal as they go; and the levels above

#define PER_COMMIT 6

static int commit(struct world *world) {
	uint64_t seq = world->seq;
	int rc;

	if ((rc = history_begin(world->history, &status)) < 0)
		return rc;
	for (int i = 0; i < PER_COMMIT && rc == 0; i++)
		rc = writer_add(world->history, ++seq, &status);
	if (rc == 0)
		rc = history_commit(world->history, &status);
	if (rc < 0) {
		history_rollback(world->history);
		return rc;
	}
	world->seq = seq;
	world->n += PER_COMMIT;
	return 0;
}

static void commit_some(struct world *world, int n) {
	cr_assert_eq(open_history(world), 0, "%s", status.message);
	for (int i = 0; i < n; i++)
		cr_assert_eq(commit(world), 0, "%s", status.message);
}

static void prepare_commits(struct world *world) {
	commit_some(world, 20);
}

static int commit_on(struct world *world) {
	world->seq = (uint64_t)world->n;
	while (world->n < 35 * PER_COMMIT) {
		int rc = commit(world);

		if (rc < 0)
			return rc;
	}
	return 0;
}

Test(disk, commits_and_sealing) {
	try_each_write(&(struct scenario){.options = {.memory = 20000},
	                                  .is_open = true,
	                                  .prepare = prepare_commits,
	                                  .act = commit_on,
	                                  .count = count_rows,
	                                  .n_before = 20 * PER_COMMIT,
	                                  .n_after = 35 * PER_COMMIT},
	               60);
}

Test(disk, commits_that_are_synced) {
	try_each_write(&(struct scenario){.options = {.memory = 20000, .full_sync = true},
	                                  .is_open = true,
	                                  .prepare = prepare_commits,
	                                  .act = commit_on,
	                                  .count = count_rows,
	                                  .n_before = 20 * PER_COMMIT,
	                                  .n_after = 35 * PER_COMMIT},
	               75);
}

// ---- rows that come late are merged into chunks

#define LATE_FROM 200
#define LATE_TO   260

static void prepare_late(struct world *world) {
	cr_assert_eq(open_history(world), 0, "%s", status.message);
	cr_assert_eq(history_begin(world->history, &status), 0);
	for (uint64_t seq = 1; seq <= 900; seq++) {
		if (seq < LATE_FROM || seq >= LATE_TO)
			cr_assert_eq(writer_add(world->history, seq, &status), 0);
	}
	cr_assert_eq(history_commit(world->history, &status), 0);
	cr_assert_eq(history_seal(world->history, &status), 0);
}

static int add_late(struct world *world) {
	int rc = 0;

	if (world->n < 900) {
		if ((rc = history_begin(world->history, &status)) < 0)
			return rc;
		for (uint64_t seq = LATE_FROM; seq < LATE_TO && rc == 0; seq++)
			rc = writer_add(world->history, seq, &status);
		if (rc == 0)
			rc = history_commit(world->history, &status);
		if (rc < 0) {
			history_rollback(world->history);
			return rc;
		}
		world->n = 900;
	}
	return history_seal(world->history, &status);
}

Test(disk, rows_that_come_late) {
	try_each_write(&(struct scenario){.is_open = true,
	                                  .prepare = prepare_late,
	                                  .act = add_late,
	                                  .count = count_rows,
	                                  .n_before = 900 - (LATE_TO - LATE_FROM),
	                                  .n_after = 900},
	               30);
}

// ---- points of a link are derived anew

// 1: all as they were, 2: all anew
static int64_t count_points(const char *path) {
	const struct kpi_range range = {
	        .link_id = "L", .kpi = 302, .from_ns = INT64_MIN, .to_ns = INT64_MAX, .limit = SIZE_MAX};
	CLEANUP(history_closep) struct history *reader = NULL;
	CLEANUP(freep) struct kpi_point *points = NULL;
	int64_t next_ns, n_new = 0;
	size_t n;

	cr_assert_eq(history_open(path, false, &reader, &status), 0, "%s", status.message);
	cr_assert_eq(history_kpi(reader, &range, &points, &n, &next_ns, &status), 0, "%s", status.message);
	if (n != N_POINTS)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (points[i].ts_ns != (int64_t)(i + 1) * SECOND)
			return -1;
		n_new += points[i].gbps == (double)i + 0.5;
		if (points[i].gbps != (double)i && points[i].gbps != (double)i + 0.5)
			return -1;
	}
	return n_new == 0 ? 1 : n_new == N_POINTS / 3 ? 2 : -1;
}

static int add_points(struct history *history, size_t from, size_t to, double more) {
	struct kpi_point points[N_POINTS];

	for (size_t i = from; i < to; i++)
		points[i - from] = (struct kpi_point){(int64_t)(i + 1) * SECOND, (double)i + more};
	return history_add_kpi(history, "L", DIRECTION_FORWARD, 302, KPI_MEASURED, points, to - from, NULL,
	                       &status);
}

static void prepare_points(struct world *world) {
	cr_assert_eq(open_history(world), 0, "%s", status.message);
	cr_assert_eq(history_begin(world->history, &status), 0);
	cr_assert_eq(add_points(world->history, 0, N_POINTS, 0), 0);
	cr_assert_eq(history_commit(world->history, &status), 0);
	cr_assert_eq(history_seal(world->history, &status), 0);
}

static int derive_anew(struct world *world) {
	int rc;

	if ((rc = history_begin(world->history, &status)) < 0)
		return rc;
	if ((rc = history_drop_measured(world->history, "L", DIRECTION_FORWARD, N_POINTS / 3 * SECOND,
	                                N_POINTS / 3 * 2 * SECOND, &status)) == 0 &&
	    (rc = add_points(world->history, N_POINTS / 3, N_POINTS / 3 * 2, 0.5)) == 0)
		rc = history_commit(world->history, &status);
	if (rc < 0) {
		history_rollback(world->history);
		return rc;
	}
	world->n = 2;
	return 0;
}

Test(disk, points_that_are_derived_anew) {
	try_each_write(&(struct scenario){.is_open = true,
	                                  .prepare = prepare_points,
	                                  .act = derive_anew,
	                                  .count = count_points,
	                                  .n_before = 1,
	                                  .n_after = 2},
	               3);
}

// ---- retention, and pages that are given back

#define KEPT 200

static int64_t count_kept(const char *path) {
	return count_rows_from(path, writer_ts_ns(1800 - KEPT + 1));
}

static void prepare_old(struct world *world) {
	cr_assert_eq(open_history(world), 0, "%s", status.message);
	for (uint64_t seq = 1; seq <= 1800;) {
		cr_assert_eq(history_begin(world->history, &status), 0);
		for (int i = 0; i < 60; i++)
			cr_assert_eq(writer_add(world->history, seq++, &status), 0);
		cr_assert_eq(history_commit(world->history, &status), 0);
		cr_assert_eq(history_seal(world->history, &status), 0);
	}
}

static int maintain(struct world *world) {
	int rc;

	for (int i = 0; (rc = history_maintain(world->history, writer_ts_ns(1800), &status)) > 0; i++)
		cr_assert_lt(i, 1000);
	return rc;
}

#define KEEP                                                                                                 \
	{ [LEVEL_RAW] = KEPT * SECOND, [LEVEL_SECOND] = KEPT * SECOND, [LEVEL_MINUTE] = 2 * KEPT * SECOND }

Test(disk, retention) {
	try_each_write(&(struct scenario){.options = {.keep_ns = KEEP},
	                                  .is_open = true,
	                                  .prepare = prepare_old,
	                                  .act = maintain,
	                                  .count = count_kept,
	                                  .n_before = KEPT,
	                                  .n_after = KEPT},
	               20);
}

// Free pages in front of what is kept: it has to move for the file to shrink.
static void prepare_free_pages(struct world *world) {
	cr_assert_eq(open_history(world), 0, "%s", status.message);
	close_history(world);
	execute("CREATE TABLE filler (data BLOB)");
	for (int i = 0; i < 6; i++)
		execute("INSERT INTO filler VALUES (zeroblob(1000000))");
	prepare_old(world);
	close_history(world);
	execute("DROP TABLE filler");
}

static int give_pages_back(struct world *world) {
	struct stat file;
	int rc;

	if (world->history == NULL && (rc = open_history(world)) < 0)
		return rc;
	if ((rc = maintain(world)) < 0)
		return rc;
	close_history(world);
	if ((rc = open_history(world)) < 0)
		return rc;
	cr_assert_eq(stat(history_path, &file), 0);
	cr_assert(faulty_has_failed() || file.st_size < 5800000, "%ld", (long)file.st_size);
	return 0;
}

Test(disk, pages_that_are_given_back) {
	try_each_write(&(struct scenario){.prepare = prepare_free_pages,
	                                  .act = give_pages_back,
	                                  .count = count_rows,
	                                  .n_before = 1800,
	                                  .n_after = 1800},
	               20);
}

// ---- opening: a new file, one of an earlier release, one whose log has to be taken in

static int64_t count_new(const char *path) {
	(void)path; // that it opens is all
	return 0;
}

static int make_new(struct world *world) {
	return open_history(world);
}

Test(disk, a_new_file) {
	try_each_write(&(struct scenario){.act = make_new, .count = count_new}, 20);
}

static void prepare_version_1(struct world *world) {
	FILE *file = fopen(HISTORY_DATA_DIR "/version1.sql", "r");
	static char sql[1 << 16];

	(void)world;
	cr_assert_not_null(file);
	cr_assert_gt(fread(sql, 1, sizeof(sql) - 1, file), 0);
	fclose(file);
	execute(sql);
}

static int64_t count_old(const char *path) {
	const char *const counters[] = {"rx_nombuf"};
	const struct port_range range = {.host = "h",
	                                 .name = "p0",
	                                 .counters = counters,
	                                 .n_counters = 1,
	                                 .from_ns = INT64_MIN,
	                                 .to_ns = INT64_MAX,
	                                 .limit = SIZE_MAX};
	CLEANUP(history_closep) struct history *reader = NULL;
	CLEANUP(freep) uint64_t *rows = NULL;
	int64_t next_ns;
	size_t n;

	cr_assert_eq(history_open(path, false, &reader, &status), 0, "%s", status.message);
	cr_assert_eq(history_port(reader, &range, &rows, &n, &next_ns, &status), 0, "%s", status.message);
	return (int64_t)n;
}

Test(disk, an_upgrade) {
	try_each_write(&(struct scenario){.prepare = prepare_version_1,
	                                  .act = make_new,
	                                  .count = count_old,
	                                  .n_before = 0,
	                                  .n_after = 3},
	               25);
}

static int reopen(struct world *world) {
	int rc;

	close_history(world); // moves the log into the file, or leaves it
	rc = open_history(world);
	world->seq = (uint64_t)world->n;
	return rc < 0 || world->n > 20 * PER_COMMIT ? rc : commit(world);
}

Test(disk, a_checkpoint) {
	try_each_write(&(struct scenario){.is_open = true,
	                                  .prepare = prepare_commits,
	                                  .act = reopen,
	                                  .count = count_rows,
	                                  .n_before = 20 * PER_COMMIT,
	                                  .n_after = 21 * PER_COMMIT},
	               15);
}

// ---- a copy

static int copy_all(struct world *world) {
	const struct upkeep_files files = {history_path, state_path};
	char partial[128];
	int rc;

	remove_copy();
	rc = upkeep_backup(&files, copy_path, &(struct upkeep_watch){0}, &status);
	for (size_t i = 0; i < 2; i++) {
		snprintf(partial, sizeof(partial), "%s/%s.partial", copy_path,
		         i == 0 ? "history.db" : "state.db");
		cr_assert_neq(access(partial, F_OK), 0, "%s is left", partial);
	}
	snprintf(partial, sizeof(partial), "%s/history.db", copy_path);
	if (rc == 0)
		cr_assert_eq(count_rows(partial), world->n);
	return rc;
}

Test(disk, a_copy) {
	try_each_write(&(struct scenario){.is_open = true,
	                                  .prepare = prepare_commits,
	                                  .act = copy_all,
	                                  .count = count_rows,
	                                  .n_before = 20 * PER_COMMIT,
	                                  .n_after = 20 * PER_COMMIT},
	               20);
}

// ---- an import: its parts wait in state.db, then all is stored in one transaction

// Rows of p0 before those of the base, of which p1 has none.
static int add_part(void *context, const void *frame, size_t size) {
	struct world *world = context;
	const uint64_t *first = frame;
	CLEANUP(freep) uint64_t *rows = calloc(PART_ROWS * (2 + WRITER_COUNTERS), sizeof(*rows));
	struct sample sample = {.v = 1,
	                        .host = "h",
	                        .instance = 1,
	                        .name = "p0",
	                        .up = true,
	                        .names = (const char **)(uintptr_t)writer_names(),
	                        .n_names = WRITER_COUNTERS,
	                        .rows = rows,
	                        .n_rows = PART_ROWS};
	struct sample_stored stored;

	cr_assert_eq(size, PART_SIZE);
	for (uint64_t i = 0; i < PART_ROWS; i++) {
		uint64_t *row = rows + i * (2 + WRITER_COUNTERS);

		row[0] = *first + i;
		row[1] = (uint64_t)writer_ts_ns(*first + i);
		for (size_t k = 0; k < WRITER_COUNTERS; k++)
			row[2 + k] = writer_value(0, *first + i, k);
	}
	return history_add_recorded(world->history, &sample, &stored, &status);
}

static int keep_parts(struct state *state) {
	CLEANUP(freep) uint64_t *frame = calloc(1, PART_SIZE);
	int rc = 0;

	for (uint64_t i = 0; i < N_PARTS && rc == 0; i++) {
		const struct upload_part part = {.upload_id = "u",
		                                 .part = (int64_t)i + 1,
		                                 .parts = N_PARTS,
		                                 .frame = frame,
		                                 .size = PART_SIZE};

		*frame = 1 + i * PART_ROWS;
		rc = state_keep_part(state, &part, SECOND, &status);
	}
	return rc;
}

static int import(struct world *world) {
	CLEANUP(state_closep) struct state *state = NULL;
	int rc;

	if ((rc = state_open(state_path, true, &state, &status)) < 0 || (rc = keep_parts(state)) < 0 ||
	    (rc = history_begin(world->history, &status)) < 0)
		return rc;
	if ((rc = state_each_part(state, "u", add_part, world, &status)) == 0)
		rc = history_commit(world->history, &status);
	if (rc < 0) {
		history_rollback(world->history);
		return rc;
	}
	world->n = world->scenario->n_after;
	return state_forget_upload(state, "u", &status);
}

static void prepare_newer_rows(struct world *world) {
	cr_assert_eq(open_history(world), 0, "%s", status.message);
	world->seq = 10 * N_PARTS * PART_ROWS;
	for (int i = 0; i < 20; i++)
		cr_assert_eq(commit(world), 0, "%s", status.message);
}

Test(disk, an_import_is_all_or_nothing) {
	try_each_write(&(struct scenario){.options = {.memory = 50000},
	                                  .is_open = true,
	                                  .prepare = prepare_newer_rows,
	                                  .act = import,
	                                  .count = count_rows,
	                                  .n_before = 20 * PER_COMMIT,
	                                  .n_after = 20 * PER_COMMIT + N_PARTS * PART_ROWS},
	               60);
}

// ---- reading

static void note_report(void *context, const char *text) {
	(void)context;
	cr_assert_not_null(strstr(text, "chunk "), "%s", text);
	n_reports++;
}

// A read that fails is an error that names the file, or a chunk that is said and left out; all other rows are right. The
// same handle reads all of it afterwards.
Test(disk, reads_that_fail) {
	const struct history_options options = {.report = note_report};
	struct world world = {.scenario = &(struct scenario){.count = NULL}};
	bool has_failed = true;
	long nth = 0;

	prepare_old(&world);
	close_history(&world);
	while (has_failed) {
		CLEANUP(history_closep) struct history *reader = NULL;
		int64_t n;
		int rc;

		n_reports = 0;
		faulty_fail_read(++nth);
		rc = history_open_with(history_path, &options, &reader, &status);
		if (rc == 0)
			rc = read_rows(reader, INT64_MIN, &n);
		has_failed = faulty_has_failed();
		faulty_fail_read(0);
		cr_assert(rc == 0 || (has_failed && strstr(status.message, folder) != NULL), "read %ld: %s",
		          nth, status.message);
		cr_assert(rc < 0 || (n_reports == 0 ? n == 1800 : has_failed && n >= 0 && n < 1800),
		          "read %ld: %lld rows", nth, (long long)n);
		if (reader == NULL)
			continue;
		cr_assert_eq(read_rows(reader, INT64_MIN, &n), 0, "read %ld: %s", nth, status.message);
		cr_assert_eq(n, 1800, "read %ld: %lld rows afterwards", nth, (long long)n);
	}
	cr_assert_gt(nth, 20);
}
