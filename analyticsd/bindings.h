// bindings.h: which port measures which end of which link: what the topology says, else what `analytics set
// link` said.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "history.h"
#include "rates.h"
#include "state.h"

// The links that ports announced in their samples.
struct announcements;

// Begins with what history remembers. Returns 0 or a negative errno with 'status'.
int announcements_new(struct history *, struct announcements **ret, struct status *status);
void announcements_free(struct announcements *);
DEFINE_CLEANUP(struct announcements *, announcements_free)

// Notes what a sample says of its port ('link_id' may be NULL). Returns 1 when that is news, 0, or -ENOMEM.
int announcements_note(struct announcements *, const char *host, const char *name, const char *link_id);

// Calls 'each' for every announced binding in the order of link, host and name. `set link` names no end: the
// ports of the first host are taken for end a, those of others for end z.
int announcements_each(const struct announcements *, int (*each)(void *context, const struct usage_binding *),
                       void *context);

// Brings 'usage' to what the topologies and the announcements say now; a topology wins over an announcement.
int bindings_load(struct state *, const struct announcements *, struct usage *, struct status *status);
