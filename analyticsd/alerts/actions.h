// actions.h: what is done about alerts, on a thread of its own: programs and webhooks, so many at once, each with a
// time limit; nothing of it holds up whoever asks. What was asked for is in state.db before it is done: after a
// restart what waited is done, webhooks that were under way are tried again (X-Linkcast-Delivery tells), programs that
// were running are not run a second time.
// SPDX-License-Identifier: MIT
#pragma once

#include "alert_log.h"
#include "cleanup.h"
#include "metrics.h"
#include "settings.h"

struct actions;

// 'settings' must stay. Returns 0 or a negative errno with 'status'.
int actions_start(const struct alert_settings *settings, const char *state_path, struct metrics *,
                  struct actions **ret, struct status *status);

// Programs that still run are killed, and marked as interrupted. NULL is fine.
void actions_stop(struct actions *);
DEFINE_CLEANUP(struct actions *, actions_stop)

// Hands over what was noted by action_log_add(). Never waits. Returns 0, -ENOBUFS when too much waits, or -ENOMEM.
// Any thread.
int actions_submit(struct actions *, const struct action_record *);
