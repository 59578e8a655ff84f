// batch.h: rows of one port that wait to be sent together.
// SPDX-License-Identifier: MIT
#pragma once

#include "columns.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_MAX_SIZE 65536 // bytes of values

// What a message says once for all its rows: when it changes, what waits goes first.
struct batch_head {
	uint32_t speed_mbps;
	bool up;
	uint64_t epoch;
	struct columns *columns; // names of the values; a batch with rows shares them
};

// Starts as zeroes.
struct batch {
	struct batch_head head;
	int64_t first_ns; // when the oldest row was added
	uint64_t *rows;   // [seq, ts_ns, value, ...]
	size_t n_rows;
	size_t width; // values in a row
	size_t capacity;
};

// Does a row with this head have to wait for the batch to go?
bool batch_excludes(const struct batch *, const struct batch_head *head, size_t width);

// Adds a row that the batch does not exclude. Returns 0 or -ENOMEM.
int batch_add(struct batch *, const struct batch_head *head, const uint64_t *row, size_t width,
              int64_t now_ns);

// Is it time to send, when the next row comes 'interval_ns' after 'now_ns', and none may wait for others longer
// than 'patience_ns'?
bool batch_is_due(const struct batch *, int64_t now_ns, int64_t interval_ns, int64_t patience_ns);

// Forgets the rows and keeps the memory.
void batch_clear(struct batch *);
void batch_fini(struct batch *);
