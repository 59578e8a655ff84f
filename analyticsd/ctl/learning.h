// learning.h: what train and evaluate have in common: their options, the history that they work on, jobs of the
// daemon, and how scores are shown.
// SPDX-License-Identifier: MIT
#pragma once

#include "ctl.h"
#include "options.h"
#include "trained_view.h"

struct learn_arguments {
	struct ctl *ctl;
	const char *csv, *link; // one of them
	int direction;
	const char *series; // of the file
	const char *model, *model_id, *model_path, *column;
	int64_t lags, window, trees, seed, threads;
	const char *horizons; // "1,3600"
	double step_seconds;
	int64_t from_ns, to_ns; // of the link's history
	const char *output;     // model or plot
	bool failures;
};

// Their defaults.
struct learn_arguments learn_defaults(struct ctl *);

// Rows of an option table for members of struct learn_arguments.
#define LEARN_OPTIONS                                                                                        \
	{"input-csv", 'i',                                                                                   \
	 "FILE",      "history: columns timestamp or timestamp_unix, and the target's",                      \
	 VALUE_TEXT,  TO(learn_arguments, csv)},                                                             \
	        {"link",   'l',                                                                              \
	         "ID",     "history: the used capacity of a link, in analyticsd",                            \
	         VALUE_ID, TO(learn_arguments, link)},                                                       \
	        {"direction",                                                                                \
	         'd',                                                                                        \
	         "WORD",                                                                                     \
	         "forward (default) or reverse, of the link",                                                \
	         VALUE_CHOICE,                                                                               \
	         TO(learn_arguments, direction),                                                             \
	         .choices = &directions_choices},                                                            \
	        {"model",  'm',                                                                              \
	         "NAME",   "forest, boost (default), or another model",                                      \
	         VALUE_ID, TO(learn_arguments, model)},                                                      \
	        {"target-col", 'c',                                                                          \
	         "NAME",       "column that is forecast (default: rx_packets)",                              \
	         VALUE_TEXT,   TO(learn_arguments, column)},                                                 \
	        {"series",   0,                                                                              \
	         "NAME",     "only rows with this in the column 'link'",                                     \
	         VALUE_TEXT, TO(learn_arguments, series)},                                                   \
	        {"lags",       0,                                                                            \
	         "NUMBER",     "forest, boost: latest values that are looked at (default: 5)",               \
	         VALUE_NUMBER, TO(learn_arguments, lags),                                                    \
	         .min = 1,     .max = LAGGED_MOST_LAGS},                                                     \
	        {"window-size", 'w',                                                                         \
	         "NUMBER",      "forest, boost: steps whose mean and deviation are looked at (default: 10)", \
	         VALUE_NUMBER,  TO(learn_arguments, window),                                                 \
	         .min = 1,      .max = LAGGED_MOST_WINDOW},                                                  \
	        {"horizon",          'H',                                                                    \
	         "STEPS[,STEPS...]", "how far ahead (default: 1)",                                           \
	         VALUE_TEXT,         TO(learn_arguments, horizons)},                                         \
	        {"trees",      0,                                                                            \
	         "NUMBER",     "forest, boost (default: 100)",                                               \
	         VALUE_NUMBER, TO(learn_arguments, trees),                                                   \
	         .min = 1,     .max = ENSEMBLE_MOST_TREES},                                                  \
	        {"seed",       'r',                                                                          \
	         "NUMBER",     "the same seed gives the same model (default: 1)",                            \
	         VALUE_NUMBER, TO(learn_arguments, seed),                                                    \
	         .min = 0,     .max = 9e15},                                                                 \
	        {"threads",    'j',                                                                          \
	         "NUMBER",     "with --input-csv (default: one for each processor)",                         \
	         VALUE_NUMBER, TO(learn_arguments, threads),                                                 \
	         .min = 1,     .max = 64},                                                                   \
	{                                                                                                    \
		"step", 's', "TIME", "means of so long (default: the spacing of the values)", VALUE_SECONDS, \
		        TO(learn_arguments, step_seconds)                                                    \
	}

// Options that only argp can still refuse: one history, a known model, horizons that ascend.
void learn_check(const struct learn_arguments *, struct argp_state *);

// The history that was asked for: from the file, or from analyticsd page by page.
int learn_history(const struct learn_arguments *, struct lagged_series *ret, struct status *status);

struct trained_options learn_options(const struct learn_arguments *);
void learn_request(const struct learn_arguments *, struct horizon horizons[static LEARNER_HORIZONS],
                   struct train_request *ret);

// Fits, with a bar on a terminal, and says why where it can't.
int learn_fit(const struct learn_arguments *, const struct lagged_series *, struct trained *ret,
              struct status *status);

// Waits for a job, with a bar on a terminal. 'ret' points into '*ret_document'. Returns 0, or a negative errno
// with 'status' when it failed.
int learn_wait(struct ctl *, const char *job_id, struct job_view *ret, struct document **ret_document,
               struct status *status);

// Tables for people.
int learn_print_model(const struct trained_model *);
int learn_print_scores(const struct horizon_scores *, size_t n);
