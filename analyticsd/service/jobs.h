// jobs.h: what takes longer than a request may: training and evaluating, one after the other on a thread of its own
// that gives way to all others. It also trains models anew that have drifted. Any thread may call.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "codec.h"
#include "message.h"
#include "status.h"

enum { JOBS_KEPT = 256, JOBS_WAITING = 64 };

struct jobs;

// Starts the thread. Returns 0 or a negative errno with 'status'.
int jobs_start(const char *history_path, const char *state_path, struct jobs **ret, struct status *status);

// Gives up the job at hand, forgets those that wait, ends the thread. NULL is fine.
void jobs_stop(struct jobs *);
DEFINE_CLEANUP(struct jobs *, jobs_stop)

// Queue a job; its id is copied to 'ret_id'. Return 0, -EBUSY when JOBS_WAITING wait already, or another negative
// errno with 'status'.
int jobs_train(struct jobs *, const struct train_request *, int64_t now_ns,
               char ret_id[static LIMIT_ID_SIZE + 1], struct status *status);
int jobs_evaluate(struct jobs *, const struct evaluate_request *, int64_t now_ns,
                  char ret_id[static LIMIT_ID_SIZE + 1], struct status *status);

// How far a job is. 'memory' takes what 'ret' points to. Returns 0, -ENOENT, or another negative errno.
int jobs_get(struct jobs *, const char *job_id, struct document *memory, struct job_view *ret,
             struct status *status);
