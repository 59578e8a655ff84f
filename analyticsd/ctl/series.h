// series.h: the series of an imported file: each of one link and direction, with the points not sent yet.
// SPDX-License-Identifier: MIT
#pragma once

#include "message.h"

#include <stddef.h>

struct series {
	char *key; // what the file calls it
	char *link;
	int direction;
	struct kpi_point *points;
	size_t n_points, capacity;
	struct series *next; // in the order they were added
};

struct series_set {
	struct series *first, *last;
	size_t n;
	void *tree; // tsearch(3), for series_find()
};

// NULL when there is none.
struct series *series_find(const struct series_set *, const char *key);

// Copies both texts. Returns 0 or -ENOMEM.
int series_add(struct series_set *, const char *key, const char *link, int direction, struct series **ret);

// Returns 0 or -ENOMEM.
int series_add_point(struct series *, const struct kpi_point *point);

void series_set_fini(struct series_set *);
