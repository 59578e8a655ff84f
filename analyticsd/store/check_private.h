// check_private.h: a check while it runs: what check.c and check_levels.c share.
// SPDX-License-Identifier: MIT
#pragma once

#include "history_private.h"
#include "upkeep.h"

struct check {
	const struct upkeep_watch *watch;
	int64_t done, total; // bytes
	bool gave_up;
	char **damaged; // series with damaged chunks, whose levels can't be compared
	size_t n_damaged;
	struct status *status;
};

// Tells of something that is damaged.
void check_find(struct check *, const char *format, ...) __attribute__((format(printf, 2, 3)));

// 0, or -ECANCELED when who asked for the check has given it up.
int check_go_on(struct check *);

// Has a series, as "port HOST NAME" or "link ID DIRECTION KPI", a chunk that is damaged?
bool check_is_damaged(const struct check *, const char *series);

// ---- check_levels.c

// Compares the levels of every series with its rows. Returns 0 or a negative errno.
int check_levels(struct check *, struct history *);
