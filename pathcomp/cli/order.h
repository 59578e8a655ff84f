// order.h: a batch as a whole: in which order its requests are answered, so that most of them find room.
// SPDX-License-Identifier: MIT
#pragma once

#include "answer.h"

// One line of a batch.
struct batch_entry {
	struct document *document;
	struct path_query query; // complete
	const char *id;
	struct status status; // why it was refused, when rc < 0
	int rc;
	struct answer answer;
};

// Answers all entries whose rc is 0, in the order in which most were admitted of: as given; least demand first;
// least demand times hops first (hops of the shortest path alone). What is taken stays taken. Returns 0 or
// -ENOMEM.
int order_answer_best(struct snapshots *, struct batch_entry *entries, size_t n_entries);
