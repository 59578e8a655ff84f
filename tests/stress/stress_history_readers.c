// Two readers beside a writer, each with its own handle and thread: whatever moment they look at, every port has the same
// whole rows from the first on, and never fewer than before. usage: stress_history_readers [SECONDS]
// SPDX-License-Identifier: MIT
#include "history_writer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#define SECONDS_DEFAULT 3
#define N_READERS       2
#define MEMORY          300000
#define LOOK_BACK       3000 // rows that a reader reads, mostly

static char path[64];
static atomic_bool ending, failed;
static _Atomic uint64_t acknowledged;

static struct history *open_history(bool write) {
	const struct history_options options = {
	        .write = write, .memory = MEMORY, .keep_ns[LEVEL_RAW] = HISTORY_FOREVER};
	struct history *history = NULL;
	struct status status = {.message = ""};

	if (history_open_with(path, &options, &history, &status) < 0) {
		fprintf(stderr, "cannot open: %s\n", status.message);
		exit(EXIT_FAILURE);
	}
	return history;
}

static void *read_on(void *argument) {
	struct history *history = open_history(false);
	uint64_t n_reads = 0, seen = 0;
	struct status status;

	(void)argument;
	while (!ending && !failed) {
		uint64_t least = acknowledged,
		         from = least > LOOK_BACK && n_reads % 50 != 0 ? least - LOOK_BACK : 0;
		int64_t n;

		if (history_read_begin(history, &status) < 0) {
			failed = true;
			break;
		}
		n = writer_check(history, from == 0 ? INT64_MIN : writer_ts_ns(from));
		history_read_end(history);
		if (n < 0 || from + (uint64_t)n < least || from + (uint64_t)n + 1 < seen)
			failed = true;
		seen = from + (uint64_t)n;
		n_reads++;
	}
	history_close(history);
	return (void *)(uintptr_t)n_reads;
}

static void write_on(int64_t end_ns) {
	struct history *history = open_history(true);
	struct status status = {.message = ""};
	int rc = 0;

	for (uint64_t seq = 1; clock_mono_ns() < end_ns && rc >= 0 && !failed;) {
		if ((rc = history_begin(history, &status)) < 0)
			break;
		for (int i = 0; i < 20 && rc >= 0; i++, seq++)
			rc = writer_add(history, seq, &status);
		if (rc >= 0)
			rc = history_commit(history, &status);
		acknowledged = seq - 1;
		if (seq % 2000 == 1 && rc >= 0)
			rc = history_maintain(history, writer_ts_ns(seq), &status);
	}
	if (rc < 0) {
		fprintf(stderr, "writer: %s\n", status.message);
		failed = true;
	}
	history_close(history);
}

int main(int argc, char **argv) {
	int64_t end_ns = clock_mono_ns() + (argc > 1 ? atoi(argv[1]) : SECONDS_DEFAULT) * NS_PER_SECOND;
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	pthread_t readers[N_READERS];
	uint64_t n_reads = 0;
	char name[80];

	snprintf(path, sizeof(path), "/tmp/linkcast-readers-%d.db", (int)getpid());
	history_close(open_history(true));
	for (int i = 0; i < N_READERS; i++)
		pthread_create(&readers[i], NULL, read_on, NULL);
	write_on(end_ns);
	ending = true;
	for (int i = 0; i < N_READERS; i++) {
		void *n;

		pthread_join(readers[i], &n);
		n_reads += (uintptr_t)n;
	}
	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
	printf("%llu rows of %d ports written, read %llu times%s\n", (unsigned long long)acknowledged,
	       WRITER_PORTS, (unsigned long long)n_reads, failed ? ": FAILED" : "");
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
