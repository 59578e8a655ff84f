// model.h: what every forecasting model offers, and the table of them. A model works on a history's own
// units, knows no clock, and predicts the mean path only: the bands around it come from its measured errors
// (backtest.h, conformal.h) and are the same for all.
// SPDX-License-Identifier: MIT
#pragma once

#include "past.h"

// The fitted state is the model's own. It may be advanced: 'update' to step n and then to a later one gives
// the same as 'update' to the later one at once, which makes a backtest cost one pass over the history.
struct model {
	const char *name;
	const char *help;
	int variant; // where one file makes several models
	bool costly; // costs more than a forecast may take: `auto` leaves it out, who wants it names it

	// Steps of history below which the model has no answer. At least 1.
	size_t (*least)(const struct model *, const struct past *);

	// State that has seen nothing. Returns 0 or -ENOMEM.
	int (*create)(const struct model *, const struct past *, void **ret);
	void (*destroy)(void *fit);

	// Learns from the steps up to 'n' (not included) that it hasn't seen. Returns 0 or -ENOMEM.
	int (*update)(void *fit, const struct past *, size_t n);

	// The 'ahead' steps that follow those it has seen; looks at no step of 'history' beyond them.
	void (*predict)(const void *fit, const struct past *, size_t ahead, double *ret);
};

#define MODEL(SYMBOL) extern const struct model model_##SYMBOL;
#include "models.def"
#undef MODEL

// Every model, cheapest first.
extern const struct model *const model_table[];
extern const size_t model_table_size;

// The model of that name, or NULL.
const struct model *model_find(const char *name);

// The place of a model in the table; the table's size when it isn't there.
size_t model_index(const struct model *);

// For models that need a single step.
size_t model_least_one(const struct model *, const struct past *);
