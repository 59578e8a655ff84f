// direct.h: forest and boosting as models of the table: one ensemble for each of a few distances ahead, up to the
// furthest that is asked for; a step in between is said from as much earlier as its distance is shorter than theirs.
// SPDX-License-Identifier: MIT
#pragma once

#include "ensemble.h"
#include "model.h"

struct direct_kind {
	struct ensemble_options ensemble;
	bool linear; // starts from a regression
};

// What forest.c and boost.c put into their line of the table.
size_t direct_least(const struct model *, const struct past *);
int direct_create(const struct direct_kind *, const struct past *, void **ret);
void direct_destroy(void *fit);
int direct_update(void *fit, const struct past *, size_t n);
void direct_predict(const void *fit, const struct past *, size_t ahead, double *ret);
