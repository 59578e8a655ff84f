// answer.h: from a request to its answer, the same for one request, a batch, and the service.
// SPDX-License-Identifier: MIT
#pragma once

#include "memory.h"
#include "options.h"
#include "snapshot.h"

struct answer {
	struct path_answer message; // points into the answer and its snapshot
	const struct path_query *query;
	struct snapshot *snapshot;
	struct outlook *outlook;
	struct pathcomp_room *room;
	struct pathcomp_conditions conditions;
	struct pathcomp_request request;
	struct pathcomp_paths paths; // when there are any
	struct pathcomp_block block; // otherwise
	struct memory memory;
};

// 'query' with what the options say where it is silent.
struct path_query answer_complete(const struct path_query *query, const struct options *);

// Answers a complete request. With 'take', later answers see less on the path (the pair; the first of
// several). Returns 0, also when blocked, or a negative errno with 'status'. End 'ret' with answer_fini().
int answer_compute(struct snapshots *, const struct path_query *, bool take, struct answer *ret,
                   struct status *status);
void answer_fini(struct answer *);

// The id of the node that an arc leaves or enters.
const char *answer_arc_from(const struct answer *, uint32_t arc);
const char *answer_arc_to(const struct answer *, uint32_t arc);

// ---- the steps, for whoever needs one of them

// Looks the request's names up. Returns 0, -ENOMEM, or -ENOENT or -EINVAL with 'status'.
int answer_find(struct answer *, const struct snapshot *, struct status *status);

// Searches in a room. Returns 0, 1 when blocked, or a negative errno with 'status'.
int answer_search(const struct answer *, const struct pathcomp_room *, const struct pathcomp_request *,
                  struct pathcomp_paths *ret, struct status *status);

// Puts the paths, or the block, into words. Return 0 or -ENOMEM.
int answer_tell_paths(struct answer *);
int answer_tell_block(struct answer *);

// Does the request exclude an arc, as a link, by one of its ends, or by a risk group?
bool answer_excludes(const struct answer *, uint32_t arc);

// What of an arc may be used, in bit/s: what is free within the share of its total that may be in use.
int64_t answer_usable_bps(const struct answer *, uint32_t arc);

// The least that must be added in all so that the request, with all its conditions, finds what it asks for; the caller
// ends 'ret'. Returns 0, 1 when nothing was found (also for large topologies), or -ENOMEM.
int answer_least_upgrade(const struct answer *, struct pathcomp_upgrade *ret);

// What would fit instead, into the message. Returns 0 or -ENOMEM; an offer that can't be made is left out.
int answer_offer(struct snapshots *, struct answer *);
