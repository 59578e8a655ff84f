// answer.h: from a request to its answer, the same for one request and for a batch.
// SPDX-License-Identifier: MIT
#pragma once

#include "options.h"
#include "snapshot.h"

struct answer {
	struct path_answer message; // points into the answer and its snapshot
	const struct path_query *query;
	const struct snapshot *snapshot;
	const struct outlook *outlook;
	const struct pathcomp_room *room;
	struct pathcomp_path path;   // when there is one
	struct pathcomp_block block; // otherwise
	void *lists[4];
};

// 'query' with what the options say where it is silent.
struct path_query answer_complete(const struct path_query *query, const struct options *);

// Answers a complete request. With 'take', later answers see less on the path. Returns 0, also when blocked,
// or a negative errno with 'status'. End 'ret' with answer_fini().
int answer_compute(struct snapshots *, const struct path_query *, bool take, struct answer *ret,
                   struct status *status);
void answer_fini(struct answer *);

// The id of the node that an arc leaves or enters.
const char *answer_arc_from(const struct answer *, uint32_t arc);
const char *answer_arc_to(const struct answer *, uint32_t arc);
