// history_writer.h: rows whose values follow from their seq, so that who reads them can tell whether they are right.
// SPDX-License-Identifier: MIT
#pragma once

#include "clock.h"
#include "history.h"

#include <stdio.h>
#include <string.h>

#define WRITER_PORTS    3
#define WRITER_INSTANCE 77
#define WRITER_START_NS (1700000000 * NS_PER_SECOND)
#define WRITER_COUNTERS N_PORT_COUNTERS

static inline const char *const *writer_names(void) {
	static const char *const names[] = {
#define COUNTER(NAME, UNIT, HELP) #NAME,
#include "port_sample.def"
#undef COUNTER
	};

	return names;
}

static inline int64_t writer_ts_ns(uint64_t seq) {
	return WRITER_START_NS + (int64_t)seq * NS_PER_SECOND + (int64_t)(seq * UINT64_C(7919) % 100000);
}

static inline uint64_t writer_value(int port, uint64_t seq, size_t counter) {
	uint64_t noise = (seq + (uint64_t)port) * UINT64_C(0x9e3779b97f4a7c15) >> 50;

	return counter >= 4 ? seq / 100 : (seq * 20000 + noise) * (counter + 1) + (uint64_t)port;
}

// Adds row 'seq' of every port to the open transaction. Returns 0 or a negative errno.
static inline int writer_add(struct history *history, uint64_t seq, struct status *status) {
	for (int port = 0; port < WRITER_PORTS; port++) {
		uint64_t row[2 + WRITER_COUNTERS] = {seq, (uint64_t)writer_ts_ns(seq)};
		char name[16];
		struct sample sample = {
		        .v = 1,
		        .host = "h",
		        .instance = WRITER_INSTANCE,
		        .port = port,
		        .name = name,
		        .up = true,
		        .names = (const char **)(uintptr_t)writer_names(),
		        .n_names = WRITER_COUNTERS,
		        .rows = row,
		        .n_rows = 1,
		};
		struct sample_stored stored;
		int rc;

		snprintf(name, sizeof(name), "p%d", port);
		for (size_t i = 0; i < WRITER_COUNTERS; i++)
			row[2 + i] = writer_value(port, seq, i);
		if ((rc = history_add_sample(history, &sample, &stored, status)) < 0)
			return rc;
	}
	return 0;
}

// Are the rows of every port those from 1 on, without a hole, each as it was written? Returns how many each port has, or
// says what is wrong and returns -1.
static inline int64_t writer_check(struct history *history, int64_t from_ns) {
	struct status status = {.message = ""};
	int64_t n_first = -1;

	for (int port = 0; port < WRITER_PORTS; port++) {
		struct port_range range = {
		        .host = "h",
		        .counters = writer_names(),
		        .n_counters = WRITER_COUNTERS,
		        .from_ns = from_ns,
		        .to_ns = INT64_MAX,
		        .limit = SIZE_MAX,
		};
		uint64_t *rows = NULL, first = 0;
		int64_t next_ns, wrong = -1;
		char name[16];
		size_t n = 0;
		int rc;

		snprintf(name, sizeof(name), "p%d", port);
		range.name = name;
		rc = history_port(history, &range, &rows, &n, &next_ns, &status);
		if (rc < 0 && status.code != STATUS_NOT_FOUND) {
			fprintf(stderr, "%s: %s\n", name, status.message);
			return -1;
		}
		if (n > 0) // the seq that its time tells
			first = (rows[0] - (uint64_t)WRITER_START_NS) / NS_PER_SECOND;
		for (size_t i = 0; i < n && wrong < 0; i++) {
			const uint64_t *row = rows + i * (1 + WRITER_COUNTERS);

			if (row[0] != (uint64_t)writer_ts_ns(first + i))
				wrong = (int64_t)i;
			for (size_t k = 0; k < WRITER_COUNTERS; k++) {
				if (row[1 + k] != writer_value(port, first + i, k))
					wrong = (int64_t)i;
			}
		}
		free(rows);
		if (wrong >= 0 || (n > 0 && from_ns <= writer_ts_ns(1) && first != 1)) {
			fprintf(stderr, "%s: row %lld after seq %llu is not what was written\n", name,
			        (long long)wrong, (unsigned long long)first);
			return -1;
		}
		if (n_first >= 0 && n_first != (int64_t)n) {
			fprintf(stderr, "%s: %zu rows, but p0 has %lld\n", name, n, (long long)n_first);
			return -1;
		}
		n_first = (int64_t)n;
	}
	return n_first;
}
