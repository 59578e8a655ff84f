// teacher.h: the thread that trains failure prediction: on the stored history of all ports, with the failures found in it
// and the events that were labelled. It runs seldom and with low priority; what it learnt is in state.db and goes to the
// detector.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "metrics.h"
#include "settings.h"

struct teacher;

// 'context' is the process's ZeroMQ context; the detector runs already. Returns 0 or a negative errno with 'status'.
int teacher_start(const struct alert_settings *, const char *history_path, const char *state_path,
                  void *context, struct metrics *, struct teacher **ret, struct status *status);

// Before the detector ends; gives up a training. NULL is fine.
void teacher_stop(struct teacher *);
DEFINE_CLEANUP(struct teacher *, teacher_stop)
