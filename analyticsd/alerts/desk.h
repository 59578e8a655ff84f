// desk.h: where alerts are raised and cleared: from scores to state.db, to the events socket and to actions. One alert a
// thing (object, direction, rule), whatever is told how often; what is raised in maintenance or beyond the rate is
// stored and told of as soon as that is over, if it is still there. One thread, which owns it.
// SPDX-License-Identifier: MIT
#pragma once

#include "actions.h"
#include "cleanup.h"
#include "metrics.h"
#include "settings.h"
#include "state.h"

struct desk;

// What is looked at.
struct desk_object {
	enum alert_kinds kind;
	const char *host, *name; // of a port
	const char *link_id;     // of a link; of a port: that it is bound to, or NULL
	int direction;           // of a link, -1 where none is meant
};

// What is wrong with it. Numbers may be NAN.
struct desk_finding {
	const char *text;
	double value, threshold, probability;
	int64_t expected_ns; // 0: not known
	const struct alert_factor *factors;
	size_t n_factors;
};

// Takes up the alerts that are active. 'settings', 'actions' (may be NULL: nothing is done) and 'ingest' (the thread's own
// caller) must stay. Returns 0 or a negative errno with 'status'.
int desk_new(const struct alert_settings *settings, const char *state_path, struct actions *actions,
             void *ingest, struct metrics *, struct desk **ret, struct status *status);
void desk_free(struct desk *);
DEFINE_CLEANUP(struct desk *, desk_free)

// A rule's score for an object. 'tell' is asked for the finding when the alert is raised or told anew; it fills 'ret'
// whose strings must live until the next call.
typedef void (*desk_tell_fn)(void *context, struct desk_finding *ret);
// Returns true while the desk keeps anything about it: a score below 1 need not be told of otherwise.
bool desk_score(struct desk *, const struct desk_object *, enum rule, double score, int64_t now_ns,
                desk_tell_fn tell, void *context);

// Is an alert about this active?
bool desk_is_active(const struct desk *, const struct desk_object *, enum rule);

// Things that were not scored since 'since_mono_ns' are gone: their alerts of this kind are cleared.
void desk_forget(struct desk *, enum alert_kinds, int64_t since_mono_ns, int64_t now_ns);

// Once a second: maintenance that ended, alerts that were held back.
void desk_tick(struct desk *, int64_t now_ns);
