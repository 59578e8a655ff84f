// training.h: trained models of links: from stored history to a model in state.db, and what such a model says and is
// worth now. History is the used capacity as it was measured, with the traffic of admitted services.
// SPDX-License-Identifier: MIT
#pragma once

#include "history.h"
#include "model_store.h"
#include "trained_view.h"

// What the work is done with; one thread.
struct training {
	struct history *history; // reads
	struct state *state;     // reads and writes
	const struct fit_watch *watch;
	int64_t now_ns;
};

// The request's own faults, that no history changes. Returns 0 or -EINVAL with 'status'.
int training_check(const struct train_request *, struct status *status);

// Trains as asked and keeps the model, replacing what is there, with 'refits' noted. 'ret' is the encoded
// trained_model message, for the caller to free. Returns 0 or a negative errno with 'status'.
int training_train(const struct training *, const struct train_request *, const char *model_id,
                   int64_t refits, struct bytes *ret, struct status *status);

// As the request asks; 'ret' is the encoded evaluation message.
int training_evaluate(const struct training *, const struct evaluate_request *, struct bytes *ret,
                      struct status *status);

// What a kept model says of the steps after its newest values. 'memory' takes what 'ret' points to.
int training_predict(const struct training *, const struct predict_request *, struct document *memory,
                     struct prediction_list *ret, struct status *status);

// Did a kept model go wrong since it was trained: do far more of the values that came since lie outside the band
// that one of a hundred should lie outside of? Returns 1, 0 (also when too few came), or a negative errno.
int training_has_drifted(const struct training *, const char *model_id, struct status *status);
