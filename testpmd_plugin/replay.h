// replay.h: the rows that were published last, as they went out, for those who missed them. Bounded by memory
// in all: the oldest message goes first, whichever port it is of. One thread at a time.
// SPDX-License-Identifier: MIT
#pragma once

#include "bytes.h"
#include "cleanup.h"

#include <stdbool.h>
#include <stdint.h>

struct replay;

struct replay_state {
	size_t size;  // memory taken
	size_t limit; // that it may take
	uint64_t rows;
};

// Holds at most 'limit' bytes; 0 holds nothing. Returns 0 or -ENOMEM.
int replay_new(size_t limit, struct replay **ret);
void replay_free(struct replay *);
DEFINE_CLEANUP(struct replay *, replay_free)

void replay_set_limit(struct replay *, size_t limit);
void replay_state(const struct replay *, struct replay_state *ret);

// Keeps a copy of an encoded sample with the rows from 'first_seq' to 'last_seq' of a port. A port whose seq
// goes back begins anew. Returns 0, -ENOSPC when it is larger than the limit, or -ENOMEM.
int replay_add(struct replay *, const char *port, uint64_t first_seq, uint64_t last_seq,
               const struct bytes *sample);

// The oldest row of the port that is held. Returns 0 or -ENOENT.
int replay_first(const struct replay *, const char *port, uint64_t *ret_seq);

struct replay_find {
	struct bytes *samples; // whole messages lie in the ring: valid until it changes
	size_t n;
	uint64_t n_rows;
	struct bytes trimmed[2]; // those that were cut to the range
	bool has_gone;
	uint64_t gone_to_seq;
	bool more;
};

// What is held of the rows from 'from_seq' to 'to_seq', without a hole, as messages of at most 'limit' bytes
// in all (one alone may be larger). 'published_seq' is the last row that was ever handed to the ring or lost:
// what is above is still to come, and not gone. Returns 0 or -ENOMEM; free it with replay_find_fini().
int replay_find(const struct replay *, const char *port, uint64_t from_seq, uint64_t to_seq,
                uint64_t published_seq, size_t limit, struct replay_find *ret);
void replay_find_fini(struct replay_find *);
