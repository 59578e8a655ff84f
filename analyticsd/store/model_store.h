// model_store.h: trained models in state.db. Same handle and thread as state.h.
// SPDX-License-Identifier: MIT
#pragma once

#include "bytes.h"
#include "state.h"

// What is kept: texts are ids, the rest encoded messages and the model as trained_to_bytes() gives it.
struct stored_model {
	const char *model_id, *link_id;
	enum directions direction;
	int64_t trained_ns, refits;
	struct bytes request; // train_request, to train it anew
	struct bytes summary; // trained_model
	struct bytes model;
};

// Replaces what has the same id. Returns 0, -ENOSPC when there are LIMIT_MODELS others, or another negative errno.
int model_store_put(struct state *, const struct stored_model *, struct status *status);

// Calls 'each' with the model of this id. Pointers live until it returns. Returns 0, -ENOENT, or what 'each'
// returned.
typedef int (*stored_model_fn)(void *context, const struct stored_model *model);
int model_store_get(struct state *, const char *model_id, stored_model_fn each, void *context,
                    struct status *status);

// The same for every model of a link, or of all (NULL), by id, without the models' bytes.
int model_store_each(struct state *, const char *link_id, stored_model_fn each, void *context,
                     struct status *status);

int model_store_drop(struct state *, const char *model_id, struct status *status); // 0 or -ENOENT
