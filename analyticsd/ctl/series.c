// Series by name. Only this file knows how they are found.
// SPDX-License-Identifier: MIT
#include "series.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b) {
	return strcmp(((const struct series *)a)->key, ((const struct series *)b)->key);
}

static void series_free(struct series *series) {
	free(series->key);
	free(series->link);
	free(series->points);
	free(series);
}

static struct series *series_new(const char *key, const char *link, int direction) {
	struct series *series = calloc(1, sizeof(*series));

	if (series == NULL)
		return NULL;
	series->direction = direction;
	series->key = strdup(key);
	series->link = strdup(link);
	if (series->key == NULL || series->link == NULL) {
		series_free(series);
		return NULL;
	}
	return series;
}

struct series *series_find(const struct series_set *set, const char *key) {
	const struct series wanted = {.key = (char *)key};
	struct series *const *found = tfind(&wanted, &set->tree, compare);

	return found == NULL ? NULL : *found;
}

int series_add(struct series_set *set, const char *key, const char *link, int direction,
               struct series **ret) {
	struct series *series = series_new(key, link, direction);

	if (series == NULL)
		return -ENOMEM;
	if (tsearch(series, &set->tree, compare) == NULL) {
		series_free(series);
		return -ENOMEM;
	}
	if (set->last == NULL)
		set->first = series;
	else
		set->last->next = series;
	set->last = series;
	set->n++;
	*ret = series;
	return 0;
}

int series_add_point(struct series *series, const struct kpi_point *point) {
	size_t larger = series->capacity > 0 ? 2 * series->capacity : 1024;
	struct kpi_point *moved;

	if (series->n_points == series->capacity) {
		moved = realloc(series->points, larger * sizeof(*moved));
		if (moved == NULL)
			return -ENOMEM;
		series->points = moved;
		series->capacity = larger;
	}
	series->points[series->n_points++] = *point;
	return 0;
}

static void keep(void *series) {
	(void)series; // the list frees it
}

void series_set_fini(struct series_set *set) {
	struct series *next;

	tdestroy(set->tree, keep);
	for (struct series *series = set->first; series != NULL; series = next) {
		next = series->next;
		series_free(series);
	}
	*set = (struct series_set){0};
}
