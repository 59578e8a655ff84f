// writer.h: where the walk over a message's fields writes to: codec.c (MessagePack) and json.c (JSON)
// implement it.
// SPDX-License-Identifier: MIT
#pragma once

#include "message.h"

struct writer {
	void (*map)(struct writer *, size_t n_pairs); // then, n times, key and value
	void (*array)(struct writer *, size_t n_elements);
	void (*end)(struct writer *); // of a map or array
	void (*key)(struct writer *, const char *);
	void (*text)(struct writer *, const char *);
	void (*flag)(struct writer *, bool);
	void (*number)(struct writer *, int64_t); // small: a number in JSON
	void (*time)(struct writer *, int64_t);   // 64 bits: a decimal string in JSON
	void (*count)(struct writer *, uint64_t); // 64 bits: a decimal string in JSON
	void (*real)(struct writer *, double);
	// Optional. Writes a list by itself (true), or leaves it to the walk over its elements (false).
	bool (*list)(struct writer *, const struct field *);
};

struct part {
	const struct message *message;
	const void *body;
};

// Writes the fields of all parts as one map.
void write_parts(struct writer *, const struct part *parts, size_t n_parts);
