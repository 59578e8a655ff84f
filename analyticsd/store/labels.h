// labels.h: what happened to ports and links, as operators and test tools told (LabelEvent), and the model that was
// learnt from it, in state.db. Same handle and thread as state.h.
// SPDX-License-Identifier: MIT
#pragma once

#include "bytes.h"
#include "state.h"

// Adds a label; label_id is set. The same label again gives the id that it has. Returns 1 when it is new, 0 when it
// was there, -EEXIST when another label of the object overlaps it, or another negative errno.
int label_add(struct state *, struct event_label *, struct status *status);

// Returns 0, or -ENOENT.
int label_drop(struct state *, int64_t label_id, struct status *status);

// Labels as the query asks, newest first; strings live in the memory of the document.
int label_read(struct state *, const struct labels_query *, struct document *memory, struct label_list *ret,
               struct status *status);

// ---- the failure model

int failure_model_save(struct state *, int64_t now_ns, const struct bytes *model, struct status *status);
// The caller frees 'ret'. Returns 1, 0 when there is none, or a negative errno.
int failure_model_load(struct state *, int64_t *ret_made_ns, struct bytes *ret, struct status *status);
