// alert_log.h: alerts, what was done about them, and maintenance times, in state.db. An alert is about one thing (an
// object, its direction where one is meant, a rule): at most one of it is active, which the database itself
// holds to. Same handle and thread as state.h.
//
// Strings of what is read live in the memory of the document that the caller gives.
// SPDX-License-Identifier: MIT
#pragma once

#include "state.h"

#define ALERT_KEPT_NS (90 * 86400 * INT64_C(1000000000)) // an alert that cleared so long ago is forgotten

// Notes an alert; alert->state, occurrences, raised_ns and changed_ns are set here, alert_id too. One that cleared
// at or after 'reopen_ns' is the same again. Returns 1 when it was raised, 2 when reopened, 0 when it is active
// already (alert_id is then its id, nothing changes), or a negative errno.
int alert_log_raise(struct state *, struct alert *, int64_t now_ns, int64_t reopen_ns, struct status *status);

// Replaces what an active alert says (severity, text, values); who acknowledged it stays.
int alert_log_update(struct state *, const struct alert *, struct status *status);

// Returns 1, 0 when it is not active, or a negative errno.
int alert_log_clear(struct state *, int64_t alert_id, int64_t now_ns, struct status *status);

// Acknowledges, or takes it back. Returns 0, -ENOENT, or another negative errno.
int alert_log_ack(struct state *, const struct alert_ack *, const char *by, int64_t now_ns,
                  struct status *status);

// Whether it was silenced when it was raised.
int alert_log_set_silenced(struct state *, int64_t alert_id, bool silenced, struct status *status);

// One alert, with its actions. Returns 0, -ENOENT, or another negative errno.
int alert_log_get(struct state *, int64_t alert_id, struct document *memory, struct alert *ret,
                  struct status *status);

// The alerts that the query asks for, with their actions, newest first.
int alert_log_list(struct state *, const struct alerts_query *, struct document *memory,
                   struct alert_list *ret, struct status *status);

// Every active alert; 'each' may end the walk with a negative errno.
int alert_log_each_active(struct state *, int (*each)(void *context, const struct alert *), void *context,
                          struct status *status);

// ---- maintenance times

// Adds one; 'silence_id' is set. Those that ended long ago are forgotten.
int silence_add(struct state *, struct silence *, int64_t now_ns, struct status *status);
// Ends one at 'now_ns'. Returns 0, or -ENOENT when there is none or it is over.
int silence_end(struct state *, int64_t silence_id, int64_t now_ns, struct status *status);
// Those that are not over at 'now_ns'.
int silence_list(struct state *, int64_t now_ns, struct document *memory, struct silence **ret, size_t *ret_n,
                 struct status *status);

// ---- actions

struct action_record {
	int64_t number, alert_id;
	const char *action;
	enum alert_changes change;
	enum action_states state;
	int64_t attempts, queued_ns, started_ns, finished_ns; // 0: not yet
	const char *result;                                   // or NULL
	const char *body;                                     // JSON that it gets
};

// Notes that an action waits; 'number' is set.
int action_log_add(struct state *, struct action_record *, struct status *status);
// Replaces state, attempts, times and result.
int action_log_set(struct state *, const struct action_record *, struct status *status);
// Every action that has not finished; 'each' may end the walk with a negative errno.
int action_log_each_open(struct state *, int (*each)(void *context, const struct action_record *),
                         void *context, struct status *status);
