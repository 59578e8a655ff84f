// History on a disk that loses power: what was acknowledged is there, in whole commits, and it goes on. (What is full or
// fails is in test_history_disk.c.)
// SPDX-License-Identifier: MIT
#include "faulty_vfs.h"
#include "history_writer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

#define N_COMMITS  60
#define PER_COMMIT 6
#define MEMORY     20000 // little: rows are sealed every few commits
#define N_OUTAGES  250

static char folder[64], path[96];
static struct status status;

static void remove_files(void) {
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char name[128];

	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

static void setup(void) {
	strcpy(folder, "/tmp/linkcast-faults-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/history.db", folder);
	faulty_install();
}

static void teardown(void) {
	remove_files();
	rmdir(folder);
}

TestSuite(faults, .init = setup, .fini = teardown, .timeout = 120);

static int open_history(bool full_sync, struct history **ret) {
	const struct history_options options = {.write = true, .memory = MEMORY, .full_sync = full_sync};

	return history_open_with(path, &options, ret, &status);
}

// Commits rows behind 'last'; what fails is taken back. Returns the last row that was acknowledged.
static uint64_t write_commit(struct history *history, uint64_t last) {
	uint64_t seq = last;
	int rc;

	if (history_begin(history, &status) < 0)
		return last;
	rc = 0;
	for (int i = 0; i < PER_COMMIT && rc == 0; i++)
		rc = writer_add(history, ++seq, &status);
	if (rc == 0)
		rc = history_commit(history, &status);
	if (rc == 0)
		return seq;
	cr_assert_neq(status.message[0], '\0');
	history_rollback(history);
	return last;
}

static void check_all(uint64_t last) {
	struct history *reader = NULL;

	cr_assert_eq(history_open(path, false, &reader, &status), 0, "%s", status.message);
	cr_assert_eq(writer_check(reader, INT64_MIN), (int64_t)last);
	history_close(reader);
}

static void check_integrity(void) {
	sqlite3_stmt *statement;
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &statement, NULL), SQLITE_OK);
	cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
	cr_assert_str_eq((const char *)sqlite3_column_text(statement, 0), "ok");
	sqlite3_finalize(statement);
	sqlite3_close(db);
}

// Power goes at a random write. With 'full_sync' all that was acknowledged is there, else all up to some commit.
static void lose_power(bool full_sync) {
	for (unsigned seed = 1; seed <= N_OUTAGES; seed++) {
		struct history *history = NULL, *reader = NULL;
		uint64_t last = 0;
		int64_t n = 0;

		srandom(seed);
		faulty_lose_power(1 + random() % 400);
		if (open_history(full_sync, &history) == 0) {
			for (int i = 0; i < N_COMMITS; i++) {
				last = write_commit(history, last);
				if (random() % 20 == 0)
					(void)history_maintain(history, writer_ts_ns(last), &status);
			}
		}
		history_close(history);
		faulty_put_back();

		cr_assert_eq(open_history(full_sync, &history), 0, "seed %u: %s", seed, status.message);
		cr_assert_eq(history_open(path, false, &reader, &status), 0, "%s", status.message);
		n = writer_check(reader, INT64_MIN);
		cr_assert_geq(n, 0, "seed %u", seed);
		cr_assert_eq(n % PER_COMMIT, 0, "seed %u: a part of a commit", seed);
		if (full_sync)
			cr_assert_geq(n, (int64_t)last, "seed %u: %lld rows, acknowledged %llu", seed,
			              (long long)n, (unsigned long long)last);
		history_close(reader);
		cr_assert_eq(write_commit(history, (uint64_t)n), (uint64_t)n + PER_COMMIT, "it goes on");
		history_close(history);
		check_all((uint64_t)n + PER_COMMIT);
		check_integrity();
		remove_files();
		faulty_put_back();
		remove_files();
	}
}

Test(faults, a_loss_of_power_keeps_every_synced_commit) {
	lose_power(true);
}

Test(faults, a_loss_of_power_leaves_whole_commits_in_order) {
	lose_power(false);
}
