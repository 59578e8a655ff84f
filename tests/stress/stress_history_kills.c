// A writer that is killed at any moment, again and again: every row whose commit was acknowledged is there and right, no
// part of a commit is, and the writer goes on behind it. usage: stress_history_kills [KILLS [SEED]]
// SPDX-License-Identifier: MIT
#include "history_writer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS_DEFAULT 1000
#define CHECK_ALL     50     // kills after which all rows are read, not only the last ones
#define MEMORY        200000 // little, so that much is sealed

struct shared {
	volatile uint64_t acknowledged; // newest seq whose commit returned
	volatile uint64_t begun;        // newest seq that was given
};

static char path[64];

// Everything is kept: many kills write more than the two weeks that raw rows at 1 Hz stay.
static struct history *open_or_exit(bool write) {
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

// Never returns: it is killed.
static void write_on(struct shared *shared, unsigned seed) {
	struct history *history = open_or_exit(true);
	struct status status;

	srandom(seed);
	for (uint64_t seq = shared->acknowledged + 1;;) {
		if (history_begin(history, &status) < 0)
			_exit(3);
		for (long n = random() % 40; n >= 0; n--, seq++) {
			shared->begun = seq;
			if (writer_add(history, seq, &status) < 0)
				_exit(4);
		}
		if (history_commit(history, &status) < 0)
			_exit(5);
		shared->acknowledged = seq - 1;
		if (random() % 30 == 0 && history_maintain(history, writer_ts_ns(seq), &status) < 0)
			_exit(6);
	}
}

// What is there after a kill: all that was acknowledged, at most one commit more, which then counts, too.
static int check(struct shared *shared, bool all) {
	struct history *history = open_or_exit(false);
	uint64_t from = all || shared->acknowledged < 2000 ? 0 : shared->acknowledged - 2000;
	int64_t n = writer_check(history, from == 0 ? INT64_MIN : writer_ts_ns(from));
	uint64_t last = from + (uint64_t)n - (from > 0);

	history_close(history);
	if (n < 0)
		return -1;
	if (last < shared->acknowledged || last > shared->begun) {
		fprintf(stderr, "rows up to %llu; acknowledged %llu, begun %llu\n", (unsigned long long)last,
		        (unsigned long long)shared->acknowledged, (unsigned long long)shared->begun);
		return -1;
	}
	shared->acknowledged = last;
	return 0;
}

static int run_once(struct shared *shared, unsigned seed) {
	const struct timespec pause = {.tv_nsec = 200000 + random() % 12000000}; // the random moment
	int how;
	pid_t child = fork();

	if (child < 0)
		return -errno;
	if (child == 0)
		write_on(shared, seed);
	nanosleep(&pause, NULL);
	kill(child, SIGKILL);
	waitpid(child, &how, 0);
	if (!WIFSIGNALED(how)) {
		fprintf(stderr, "the writer ended by itself: %d\n", WEXITSTATUS(how));
		return -1;
	}
	return 0;
}

static void remove_files(void) {
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char name[80];

	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
		unlink(name);
	}
}

int main(int argc, char **argv) {
	int n = argc > 1 ? atoi(argv[1]) : KILLS_DEFAULT, rc = 0;
	unsigned seed = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
	struct shared *shared =
	        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (shared == MAP_FAILED)
		return EXIT_FAILURE;
	snprintf(path, sizeof(path), "/tmp/linkcast-kills-%d.db", (int)getpid());
	srandom(seed);
	history_close(open_or_exit(true));
	for (int i = 0; i < n && rc == 0; i++) {
		if ((rc = run_once(shared, seed + (unsigned)i)) == 0)
			rc = check(shared, i % CHECK_ALL == CHECK_ALL - 1 || i == n - 1);
	}
	printf("%d kills, %llu rows of %d ports%s\n", n, (unsigned long long)shared->acknowledged,
	       WRITER_PORTS, rc == 0 ? "" : ": FAILED");
	if (rc == 0)
		remove_files();
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
