// One subject of the history benchmark a run, so that each has a process, files and CPU time of its own;
// bench_history.py runs them in turns and compares. Prints one JSON object.
//
//   bench_history ours|heap|keyed FILE HOURS     writes the workload, a transaction a second, then reads one counter
//   bench_history entropy HOURS                  what the workload's counters carry, order 0, of their differences
//   bench_history long FILE ROWS                 one port at 1 Hz, then one counter of all of it
//   bench_history recover FILE SECONDS           writes, dies without closing, and opens again
//   bench_history remote-write HOURS SECONDS     bodies of Prometheus remote write on stdout, each after its size
//   bench_history publish ENDPOINT SECONDS ROWS  sends the workload to a daemon, as fast as it takes it, ROWS a frame
//   bench_history stages FILE SECONDS ROWS       decodes and stores the same, each apart
//
// SPDX-License-Identifier: MIT
#include "bytes.h"
#include "clock.h"
#include "codec.h"
#include "history.h"
#include "history_workload.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define SEED   7
#define ROUNDS 51

static _Noreturn void fail(const char *what, const char *why) {
	fprintf(stderr, "bench_history: %s: %s\n", what, why);
	exit(1);
}

static double cpu_seconds(clockid_t clock) {
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare_reals(const void *a, const void *b) {
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double size_of(const char *path, const char *suffix) {
	char name[4096];
	struct stat file;

	snprintf(name, sizeof(name), "%s%s", path, suffix);
	return stat(name, &file) == 0 ? (double)file.st_size : 0;
}

// ---- subjects that write

struct subject {
	struct history *history;
	sqlite3 *db;
	sqlite3_stmt *begin, *insert, *commit;
};

static void must(int rc, const struct status *status) {
	if (rc < 0)
		fail("history", status->message);
}

static void sql(sqlite3 *db, const char *text) {
	if (sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail(text, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *text) {
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(db, text, -1, &statement, NULL) != SQLITE_OK)
		fail(text, sqlite3_errmsg(db));
	return statement;
}

static void run(sqlite3_stmt *statement) {
	if (sqlite3_step(statement) != SQLITE_DONE)
		fail("step", sqlite3_errmsg(sqlite3_db_handle(statement)));
	sqlite3_reset(statement);
}

// A wide row a sample: appended to a heap, or kept in the order of port and time.
static void open_sqlite(struct subject *subject, const char *path, bool keyed) {
	char columns[512] = "", create[1024], insert[1024] = "INSERT INTO sample VALUES (?, ?";

	for (int i = 0; i < WORKLOAD_COUNTERS; i++) {
		snprintf(columns + strlen(columns), 32, ", c%d INTEGER", i);
		strcat(insert, ", ?");
	}
	strcat(insert, ")");
	if (sqlite3_open(path, &subject->db) != SQLITE_OK)
		fail(path, sqlite3_errmsg(subject->db));
	sql(subject->db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
	snprintf(create, sizeof(create), "CREATE TABLE sample (port INTEGER, ts INTEGER%s%s", columns,
	         keyed ? ", PRIMARY KEY (port, ts)) WITHOUT ROWID" : ")");
	sql(subject->db, create);
	subject->begin = prepare(subject->db, "BEGIN");
	subject->insert = prepare(subject->db, insert);
	subject->commit = prepare(subject->db, "COMMIT");
}

static void open_ours(struct subject *subject, const char *path) {
	struct status status = {0};

	must(history_open(path, true, &subject->history, &status), &status);
}

// As a message that was read has them: with SQLite a port is its number.
static const char *port_name(size_t port) {
	static char names[WORKLOAD_PORTS][16];

	if (names[port][0] == '\0')
		snprintf(names[port], sizeof(names[port]), "port%zu", port);
	return names[port];
}

static void add_ours(struct subject *subject, const struct workload *workload, size_t n_ports) {
	struct status status = {0};
	struct sample_stored stored;

	must(history_begin(subject->history, &status), &status);
	for (size_t i = 0; i < n_ports; i++) {
		struct sample sample = {.v = 1,
		                        .host = "bench",
		                        .instance = 1,
		                        .port = (int64_t)i,
		                        .name = port_name(i),
		                        .speed_mbps = 10000,
		                        .up = true,
		                        .names = (const char **)workload_names,
		                        .n_names = WORKLOAD_COUNTERS,
		                        .rows = (uint64_t *)workload->ports[i].row,
		                        .n_rows = 1};

		must(history_add_sample(subject->history, &sample, &stored, &status), &status);
		if (stored.rows != 1)
			fail("history", "a row was there already");
	}
	must(history_commit(subject->history, &status), &status);
}

static void add_sqlite(struct subject *subject, const struct workload *workload) {
	run(subject->begin);
	for (size_t i = 0; i < WORKLOAD_PORTS; i++) {
		const uint64_t *row = workload->ports[i].row;

		sqlite3_bind_int64(subject->insert, 1, (int64_t)i);
		for (int c = 1; c < WORKLOAD_WIDTH; c++)
			sqlite3_bind_int64(subject->insert, 1 + c, (int64_t)row[c]);
		run(subject->insert);
	}
	run(subject->commit);
}

static void close_subject(struct subject *subject) {
	history_close(subject->history);
	sqlite3_finalize(subject->begin);
	sqlite3_finalize(subject->insert);
	sqlite3_finalize(subject->commit);
	sqlite3_close(subject->db);
}

// ---- reading one counter of one port

// The points of a range, and a sum so that nothing is left out.
static size_t read_ours(struct history *history, size_t port, int64_t from_ns, int64_t to_ns, uint64_t *sum) {
	const char *counters[] = {"rx_bytes"};
	char name[16];
	struct port_range range = {.host = "bench",
	                           .name = name,
	                           .counters = counters,
	                           .n_counters = 1,
	                           .from_ns = from_ns,
	                           .to_ns = to_ns,
	                           .limit = SIZE_MAX};
	struct status status = {0};
	uint64_t *rows;
	int64_t next_ns;
	size_t n;

	snprintf(name, sizeof(name), "port%zu", port);
	must(history_port(history, &range, &rows, &n, &next_ns, &status), &status);
	for (size_t i = 0; i < n; i++)
		*sum += rows[2 * i + 1];
	free(rows);
	return n;
}

static size_t read_sqlite(sqlite3_stmt *select, size_t port, int64_t from_ns, int64_t to_ns, uint64_t *sum) {
	size_t n = 0;

	sqlite3_bind_int64(select, 1, (int64_t)port);
	sqlite3_bind_int64(select, 2, from_ns);
	sqlite3_bind_int64(select, 3, to_ns);
	for (; sqlite3_step(select) == SQLITE_ROW; n++)
		*sum += (uint64_t)sqlite3_column_int64(select, 1);
	sqlite3_reset(select);
	return n;
}

static void time_reads(struct subject *subject, const char *path, int64_t to_ns, size_t wanted,
                       double *ret_ms) {
	double ms[ROUNDS];
	struct status status = {0};
	sqlite3_stmt *select = NULL;
	uint64_t sum = 0;

	if (subject->history != NULL) { // readers are other handles
		history_close(subject->history);
		must(history_open(path, false, &subject->history, &status), &status);
	} else {
		select = prepare(subject->db,
		                 "SELECT ts, c2 FROM sample WHERE port = ? AND ts >= ? AND ts < ?");
	}
	for (int i = 0; i < ROUNDS; i++) {
		int64_t start_ns = clock_mono_ns();
		size_t n = select == NULL ? read_ours(subject->history, 17, WORKLOAD_START_NS, to_ns, &sum)
		                          : read_sqlite(select, 17, WORKLOAD_START_NS, to_ns, &sum);

		ms[i] = (double)(clock_mono_ns() - start_ns) / 1e6;
		if (n != wanted)
			fail("read", "another number of points than were written");
	}
	sqlite3_finalize(select);
	qsort(ms, ROUNDS, sizeof(ms[0]), compare_reals);
	*ret_ms = ms[ROUNDS / 2];
}

static double number_of(const char *path, const char *text) {
	sqlite3_stmt *statement;
	sqlite3 *db;
	double number;

	if (sqlite3_open(path, &db) != SQLITE_OK)
		fail(path, sqlite3_errmsg(db));
	statement = prepare(db, text);
	sqlite3_step(statement);
	number = sqlite3_column_double(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return number;
}

// Of a value in a chunk of raw rows, its share of the time, seq and head included.
static double payload_of(const char *path) {
	return number_of(path, "SELECT total(length(data)) / total(n_rows) FROM chunk WHERE level = 1") /
	       WORKLOAD_COUNTERS;
}

// What the levels above raw add to that.
static double levels_of(const char *path) {
	return number_of(path, "SELECT total(length(data)) FROM chunk WHERE level > 1");
}

static int write_all(const char *kind, const char *path, double hours) {
	static struct workload workload;
	struct subject subject = {0};
	int64_t seconds = (int64_t)(hours * 3600), to_ns = WORKLOAD_START_NS + (seconds + 2) * NS_PER_SECOND;
	double values = (double)seconds * WORKLOAD_PORTS * WORKLOAD_COUNTERS, drawn = 0, begin, cpu, read_ms;

	workload_init(&workload, SEED);
	begin = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
	if (strcmp(kind, "ours") == 0)
		open_ours(&subject, path);
	else
		open_sqlite(&subject, path, strcmp(kind, "keyed") == 0);
	for (int64_t s = 0; s < seconds; s++) {
		double before = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);

		workload_step(&workload);
		drawn += cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - before;
		if (subject.history != NULL)
			add_ours(&subject, &workload, WORKLOAD_PORTS);
		else
			add_sqlite(&subject, &workload);
	}
	cpu = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - begin - drawn;
	time_reads(&subject, path, to_ns, (size_t)seconds, &read_ms);
	close_subject(&subject);
	printf("{\"values\": %.0f, \"cpu_s\": %.6f, \"bytes\": %.0f, \"read_ms\": %.4f", values, cpu,
	       size_of(path, "") + size_of(path, "-wal"), read_ms);
	if (strcmp(kind, "ours") == 0)
		printf(", \"payload_a_value\": %.5f, \"levels\": %.0f", payload_of(path), levels_of(path));
	puts("}");
	return 0;
}

// ---- entropy

static int compare_differences(const void *a, const void *b) {
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

// Bits of a difference, taken as drawn anew each time. A wide, smooth distribution is seen too rarely for a plain
// count: the low bits, which are as good as uniform, are counted whole, as many as leave 32 differences for each
// value that was seen of the rest. With the Miller-Madow correction (1955).
static double bits_of(int64_t *differences, size_t n) {
	qsort(differences, n, sizeof(*differences), compare_differences);
	for (int low = 0;; low++) {
		size_t kinds = 0, run = 0;
		double sum = 0;

		for (size_t i = 0; i < n; i++) {
			run++;
			if (i + 1 < n && differences[i] >> low == differences[i + 1] >> low)
				continue;
			sum -= (double)run / (double)n * log2((double)run / (double)n);
			kinds++;
			run = 0;
		}
		if (kinds <= 1 + n / 32)
			return sum + low + (double)(kinds - 1) / (2 * (double)n * M_LN2);
	}
}

static int measure_entropy(double hours) {
	static struct workload workload;
	size_t seconds = (size_t)(hours * 3600), n_columns = WORKLOAD_PORTS * (WORKLOAD_WIDTH - 1);
	int64_t *differences = malloc(n_columns * seconds * sizeof(*differences));
	double bits = 0;

	if (differences == NULL)
		fail("entropy", "out of memory");
	workload_init(&workload, SEED);
	for (size_t s = 0; s < seconds; s++) {
		static uint64_t before[WORKLOAD_PORTS][WORKLOAD_WIDTH];

		for (size_t p = 0; p < WORKLOAD_PORTS; p++)
			memcpy(before[p], workload.ports[p].row, sizeof(before[p]));
		workload_step(&workload);
		for (size_t p = 0; p < WORKLOAD_PORTS; p++) {
			for (size_t c = 1; c < WORKLOAD_WIDTH; c++)
				differences[(p * (WORKLOAD_WIDTH - 1) + c - 1) * seconds + s] =
				        (int64_t)(workload.ports[p].row[c] - before[p][c]);
		}
	}
	for (size_t i = 0; i < n_columns; i++)
		bits += bits_of(differences + i * seconds, seconds);
	free(differences);
	printf("{\"bytes_a_value\": %.5f}\n", bits / 8 / (WORKLOAD_PORTS * WORKLOAD_COUNTERS));
	return 0;
}

// ---- years of one port

static int write_long(const char *path, size_t n_rows) {
	enum { BATCH = 600 };
	static struct workload workload;
	static uint64_t rows[BATCH][WORKLOAD_WIDTH];
	struct workload_port *port = &workload.ports[0];
	struct subject subject = {0};
	struct status status = {0};
	struct sample_stored stored;
	struct sample sample = {.v = 1,
	                        .host = "bench",
	                        .instance = 1,
	                        .name = "port0",
	                        .speed_mbps = 10000,
	                        .up = true,
	                        .names = (const char **)workload_names,
	                        .n_names = WORKLOAD_COUNTERS,
	                        .rows = rows[0]};
	double ms[9], cpu_ms[9];
	uint64_t sum = 0;

	workload_init(&workload, SEED);
	while (port->packets == 0)
		*port = port[1 + (port - workload.ports)];
	open_ours(&subject, path);
	for (size_t done = 0; done < n_rows; done += sample.n_rows) {
		sample.n_rows = n_rows - done < BATCH ? n_rows - done : BATCH;
		for (size_t i = 0; i < sample.n_rows; i++) {
			workload_step_port(&workload, port);
			memcpy(rows[i], port->row, sizeof(rows[i]));
		}
		must(history_begin(subject.history, &status), &status);
		must(history_add_sample(subject.history, &sample, &stored, &status), &status);
		must(history_commit(subject.history, &status), &status);
	}
	history_close(subject.history);
	must(history_open(path, false, &subject.history, &status), &status);
	for (size_t i = 0; i < sizeof(ms) / sizeof(ms[0]); i++) {
		double begin = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
		int64_t start_ns = clock_mono_ns();

		if (read_ours(subject.history, 0, WORKLOAD_START_NS, INT64_MAX, &sum) != n_rows)
			fail("read", "another number of points than were written");
		ms[i] = (double)(clock_mono_ns() - start_ns) / 1e6;
		cpu_ms[i] = (cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - begin) * 1e3;
	}
	close_subject(&subject);
	qsort(ms, sizeof(ms) / sizeof(ms[0]), sizeof(ms[0]), compare_reals);
	qsort(cpu_ms, sizeof(cpu_ms) / sizeof(cpu_ms[0]), sizeof(cpu_ms[0]), compare_reals);
	printf("{\"points\": %zu, \"read_ms\": %.3f, \"read_cpu_ms\": %.3f, \"bytes\": %.0f}\n", n_rows,
	       ms[sizeof(ms) / sizeof(ms[0]) / 2], cpu_ms[sizeof(cpu_ms) / sizeof(cpu_ms[0]) / 2],
	       size_of(path, ""));
	return 0;
}

// ---- recovery

static void write_and_die(const char *path, int64_t seconds) {
	static struct workload workload;
	struct subject subject = {0};

	workload_init(&workload, SEED);
	open_ours(&subject, path);
	for (int64_t s = 0; s < seconds; s++) {
		workload_step(&workload);
		add_ours(&subject, &workload, WORKLOAD_PORTS);
	}
	_exit(0); // as a kill would: nothing is sealed, closed or moved out of the log
}

static int recover(const char *path, int64_t seconds) {
	struct status status = {0};
	struct history *history;
	double begin, cpu;
	int64_t start_ns;
	int child_status;
	pid_t child = fork();

	if (child == 0)
		write_and_die(path, seconds);
	if (child < 0 || waitpid(child, &child_status, 0) != child || child_status != 0)
		fail("recover", "the writer failed");
	begin = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
	start_ns = clock_mono_ns();
	must(history_open(path, true, &history, &status), &status);
	cpu = cpu_seconds(CLOCK_PROCESS_CPUTIME_ID) - begin;
	printf("{\"rows\": %" PRId64 ", \"cpu_s\": %.6f, \"wall_s\": %.6f}\n", seconds * WORKLOAD_PORTS, cpu,
	       (double)(clock_mono_ns() - start_ns) / 1e9);
	history_close(history);
	return 0;
}

// ---- Prometheus remote write: snappy (here: literals only, which is valid and cheapest to read) of protobuf

struct buffer {
	uint8_t *data;
	size_t size, capacity;
};

static void put(struct buffer *buffer, const void *data, size_t size) {
	if (buffer->size + size > buffer->capacity) {
		buffer->capacity = 2 * (buffer->size + size);
		buffer->data = realloc(buffer->data, buffer->capacity);
		if (buffer->data == NULL)
			fail("remote-write", "out of memory");
	}
	memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
}

static void put_varint(struct buffer *buffer, uint64_t value) {
	uint8_t byte;

	do {
		byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
		put(buffer, &byte, 1);
		value >>= 7;
	} while (value > 0);
}

// A field whose value is bytes: a text, or a message.
static void put_bytes(struct buffer *buffer, unsigned field, const void *data, size_t size) {
	put_varint(buffer, field << 3 | 2);
	put_varint(buffer, size);
	put(buffer, data, size);
}

static void put_label(struct buffer *buffer, const char *name, const char *value) {
	struct buffer label = {0};

	put_bytes(&label, 1, name, strlen(name));
	put_bytes(&label, 2, value, strlen(value));
	put_bytes(buffer, 1, label.data, label.size);
	free(label.data);
}

static void put_point(struct buffer *buffer, const uint64_t *row, size_t counter) {
	double value = (double)row[2 + counter];
	uint8_t point[24] = {0x09};
	struct buffer bytes = {point, 9, sizeof(point)};

	memcpy(point + 1, &value, sizeof(value));
	put_varint(&bytes, 2 << 3);
	put_varint(&bytes, row[1] / 1000000);
	put_bytes(buffer, 2, point, bytes.size);
}

// 'rows' holds 'n' seconds of all ports.
static void put_request(struct buffer *request, const uint64_t *rows, size_t n) {
	struct buffer series = {0};

	request->size = 0;
	for (size_t p = 0; p < WORKLOAD_PORTS; p++) {
		char name[16];

		snprintf(name, sizeof(name), "port%zu", p);
		for (size_t c = 0; c < WORKLOAD_COUNTERS; c++) {
			series.size = 0;
			put_label(&series, "__name__", workload_names[c]);
			put_label(&series, "host", "bench");
			put_label(&series, "port", name);
			for (size_t s = 0; s < n; s++)
				put_point(&series, rows + (s * WORKLOAD_PORTS + p) * WORKLOAD_WIDTH, c);
			put_bytes(request, 1, series.data, series.size);
		}
	}
	free(series.data);
}

static void write_snappy(const struct buffer *plain) {
	struct buffer body = {0};
	uint8_t tag[5] = {63 << 2}; // a literal whose length less one follows in four bytes
	uint32_t length = (uint32_t)plain->size - 1, size;

	put_varint(&body, plain->size);
	memcpy(tag + 1, &length, sizeof(length));
	put(&body, tag, sizeof(tag));
	put(&body, plain->data, plain->size);
	size = (uint32_t)body.size;
	if (fwrite(&size, sizeof(size), 1, stdout) != 1 || fwrite(body.data, body.size, 1, stdout) != 1)
		fail("remote-write", "stdout");
	free(body.data);
}

// The newest second is now, since a server takes no old ones.
static int remote_write(double hours, size_t batch) {
	static struct workload workload;
	size_t seconds = (size_t)(hours * 3600);
	uint64_t shift = (uint64_t)(clock_real_ns() - WORKLOAD_START_NS - (int64_t)seconds * NS_PER_SECOND);
	uint64_t *rows = malloc(batch * WORKLOAD_PORTS * WORKLOAD_WIDTH * sizeof(*rows));
	struct buffer request = {0};

	if (rows == NULL)
		fail("remote-write", "out of memory");
	workload_init(&workload, SEED);
	for (size_t s = 0; s < seconds; s++) {
		uint64_t *second = rows + s % batch * WORKLOAD_PORTS * WORKLOAD_WIDTH;

		workload_step(&workload);
		for (size_t p = 0; p < WORKLOAD_PORTS; p++) {
			memcpy(second + p * WORKLOAD_WIDTH, workload.ports[p].row,
			       sizeof(workload.ports[p].row));
			second[p * WORKLOAD_WIDTH + 1] += shift;
		}
		if (s % batch == batch - 1 || s == seconds - 1) {
			put_request(&request, rows, s % batch + 1);
			write_snappy(&request);
		}
	}
	free(request.data);
	free(rows);
	return 0;
}

// ---- the whole chain: frames as a publisher sends them

struct frames {
	struct bytes *frames; // of all ports, then of the next second(s)
	char (*topics)[32];
	size_t n;
};

// 'batch' rows a frame, 'seconds' of all ports.
static void make_frames(struct frames *frames, size_t seconds, size_t batch) {
	enum { MOST = 64 };
	static struct workload workload;
	static uint64_t rows[WORKLOAD_PORTS][MOST][WORKLOAD_WIDTH];
	uint64_t shift = (uint64_t)(clock_real_ns() - WORKLOAD_START_NS - (int64_t)seconds * NS_PER_SECOND);

	workload_init(&workload, SEED);
	*frames = (struct frames){calloc(seconds / batch * WORKLOAD_PORTS, sizeof(*frames->frames)),
	                          calloc(WORKLOAD_PORTS, sizeof(*frames->topics)), 0};
	if (frames->frames == NULL || frames->topics == NULL || batch > MOST)
		fail("frames", "too many");
	for (size_t s = 0; s < seconds / batch * batch; s++) {
		workload_step(&workload);
		for (size_t p = 0; p < WORKLOAD_PORTS; p++) {
			char name[16];
			struct sample sample = {.v = 1,
			                        .host = "bench",
			                        .instance = 1,
			                        .port = (int64_t)p,
			                        .name = name,
			                        .speed_mbps = 10000,
			                        .up = true,
			                        .names = (const char **)workload_names,
			                        .n_names = WORKLOAD_COUNTERS,
			                        .rows = rows[p][0],
			                        .n_rows = batch};

			memcpy(rows[p][s % batch], workload.ports[p].row, sizeof(rows[p][0]));
			rows[p][s % batch][1] += shift;
			snprintf(name, sizeof(name), "port%zu", p);
			snprintf(frames->topics[p], sizeof(frames->topics[p]), "sample/bench/%s/", name);
			if (s % batch == batch - 1 &&
			    message_encode(&sample_message, &sample, &frames->frames[frames->n++]) < 0)
				fail("frames", "out of memory");
		}
	}
}

static void free_frames(struct frames *frames) {
	for (size_t i = 0; i < frames->n; i++)
		bytes_fini(&frames->frames[i]);
	free(frames->frames);
	free(frames->topics);
}

// To a daemon that takes samples there, as fast as it takes them: nothing is dropped on this side.
static int publish(const char *endpoint, size_t seconds, size_t batch) {
	void *context = zmq_ctx_new(), *publisher = zmq_socket(context, ZMQ_XPUB);
	const int yes = 1, forever = -1;
	struct frames frames;
	char subscription[64];

	make_frames(&frames, seconds, batch);
	zmq_setsockopt(publisher, ZMQ_XPUB_NODROP, &yes, sizeof(yes));
	zmq_setsockopt(publisher, ZMQ_LINGER, &forever, sizeof(forever));
	if (zmq_connect(publisher, endpoint) != 0 ||
	    zmq_recv(publisher, subscription, sizeof(subscription), 0) < 1)
		fail(endpoint, zmq_strerror(errno));
	for (size_t i = 0; i < frames.n; i++) {
		const char *topic = frames.topics[i % WORKLOAD_PORTS];

		if (zmq_send(publisher, topic, strlen(topic), ZMQ_SNDMORE) < 0 ||
		    zmq_send(publisher, frames.frames[i].data, frames.frames[i].size, 0) < 0)
			fail(endpoint, zmq_strerror(errno));
	}
	zmq_close(publisher);
	zmq_ctx_term(context);
	printf("{\"rows\": %zu}\n", frames.n * batch);
	free_frames(&frames);
	return 0;
}

// Decoding and storing of the same frames, apart.
static int measure_stages(const char *path, size_t seconds, size_t batch) {
	double decode = 0, store = 0, begin;
	struct subject subject = {0};
	struct status status = {0};
	struct sample_stored stored;
	struct frames frames;

	make_frames(&frames, seconds, batch);
	open_ours(&subject, path);
	for (size_t i = 0; i < frames.n; i += WORKLOAD_PORTS) {
		struct document *documents[WORKLOAD_PORTS];
		struct sample samples[WORKLOAD_PORTS];

		begin = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
		for (size_t p = 0; p < WORKLOAD_PORTS; p++) {
			const struct bytes *frame = &frames.frames[i + p];

			must(document_from_msgpack(frame->data, frame->size, &documents[p], &status),
			     &status);
			must(document_read(documents[p], &sample_message, &samples[p], &status), &status);
		}
		decode += cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - begin;
		begin = cpu_seconds(CLOCK_THREAD_CPUTIME_ID);
		must(history_begin(subject.history, &status), &status);
		for (size_t p = 0; p < WORKLOAD_PORTS; p++)
			must(history_add_sample(subject.history, &samples[p], &stored, &status), &status);
		must(history_commit(subject.history, &status), &status);
		store += cpu_seconds(CLOCK_THREAD_CPUTIME_ID) - begin;
		for (size_t p = 0; p < WORKLOAD_PORTS; p++)
			document_close(documents[p]);
	}
	close_subject(&subject);
	printf("{\"values\": %zu, \"decode_s\": %.6f, \"store_s\": %.6f}\n",
	       frames.n * batch * WORKLOAD_COUNTERS, decode, store);
	free_frames(&frames);
	return 0;
}

int main(int argc, char **argv) {
	const char *mode = argc > 1 ? argv[1] : "";

	if (argc == 4 &&
	    (strcmp(mode, "ours") == 0 || strcmp(mode, "heap") == 0 || strcmp(mode, "keyed") == 0))
		return write_all(mode, argv[2], atof(argv[3]));
	if (argc == 3 && strcmp(mode, "entropy") == 0)
		return measure_entropy(atof(argv[2]));
	if (argc == 4 && strcmp(mode, "long") == 0)
		return write_long(argv[2], (size_t)atoll(argv[3]));
	if (argc == 4 && strcmp(mode, "recover") == 0)
		return recover(argv[2], atoll(argv[3]));
	if (argc == 4 && strcmp(mode, "remote-write") == 0)
		return remote_write(atof(argv[2]), (size_t)atoll(argv[3]));
	if (argc == 5 && strcmp(mode, "publish") == 0)
		return publish(argv[2], (size_t)atoll(argv[3]), (size_t)atoll(argv[4]));
	if (argc == 5 && strcmp(mode, "stages") == 0)
		return measure_stages(argv[2], (size_t)atoll(argv[3]), (size_t)atoll(argv[4]));
	fail("usage", "see the head of bench_history.c");
}
