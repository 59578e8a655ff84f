// upkeeps.h: backups and checks that somebody asked for: one at a time, in a thread of its own that works on the files
// through handles of its own, so that neither requests nor ingest wait for it. Any thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "message.h"
#include "status.h"
#include "upkeep.h"

struct upkeeps;

// 'files' must stay. Returns 0 or -ENOMEM.
int upkeeps_new(const struct upkeep_files *files, struct upkeeps **ret);

// Gives up what is being done, and waits for it. NULL is fine.
void upkeeps_free(struct upkeeps *);

// Begins a backup into 'folder', or a check. Returns 0 with its number, -EBUSY when another one is at work, or another
// negative errno with 'status'.
int upkeeps_start(struct upkeeps *, enum upkeep_kinds, const char *folder, int64_t *ret_id,
                  struct status *status);

// How far it is; once it has failed, its error with 'status'. 'ret' points into 'document'. -ENOENT for another number
// than the newest.
struct document;
int upkeeps_look(struct upkeeps *, int64_t id, struct document *document, struct upkeep_state *ret,
                 struct status *status);
