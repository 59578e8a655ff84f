// Names of counters beyond the basic ones, kept once as lines of text, and the counters of a row by them.
// SPDX-License-Identifier: MIT
#include "history_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void history_forget_names(struct history *history) {
	for (size_t i = 0; i < history->n_name_sets; i++) {
		free(history->name_sets[i]->text);
		free(history->name_sets[i]->copy);
		free(history->name_sets[i]->names);
		free(history->name_sets[i]);
	}
	free(history->name_sets);
	history->name_sets = NULL;
	history->n_name_sets = 0;
}

static int keep_names(struct history *history, int64_t names_id, const char *text,
                      const struct name_set **ret) {
	struct name_set **sets =
	        reallocarray(history->name_sets, history->n_name_sets + 1, sizeof(struct name_set *));
	struct name_set *set = calloc(1, sizeof(*set));
	char *rest, *line;
	size_t n = 0;

	if (sets != NULL)
		history->name_sets = sets;
	if (sets == NULL || set == NULL) {
		free(set);
		return -ENOMEM;
	}
	sets[history->n_name_sets++] = set;
	set->names_id = -1; // until it is whole
	for (const char *at = text; *at != '\0'; at++)
		n += *at == '\n';
	set->text = strdup(text);
	rest = set->copy = strdup(text);
	set->names = reallocarray(NULL, n + 1, sizeof(*set->names));
	if (set->text == NULL || set->copy == NULL || set->names == NULL)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n")) != NULL && *line != '\0')
		set->names[set->n++] = line;
	set->names_id = names_id;
	*ret = set;
	return 0;
}

int history_names(struct history *history, int64_t names_id, const struct name_set **ret,
                  struct status *status) {
	const char *text = "";
	int rc;

	for (size_t i = 0; i < history->n_name_sets; i++) {
		if (history->name_sets[i]->names_id == names_id) {
			*ret = history->name_sets[i];
			return 0;
		}
	}
	if (names_id == 0)
		return keep_names(history, 0, "", ret);
	if ((rc = db_prepare(history->db, "SELECT names FROM name_set WHERE names_id = ?",
	                     &history->read_names, status)) < 0 ||
	    (rc = db_bind(history->read_names, "i", names_id)) < 0 ||
	    (rc = db_next(history->read_names, status)) < 0)
		return rc;
	if (rc > 0)
		text = (const char *)sqlite3_column_text(history->read_names, 0);
	rc = keep_names(history, names_id, text, ret);
	sqlite3_reset(history->read_names);
	return rc;
}

static int join_names(const struct sample *sample, char **ret) {
	size_t size = 1;
	char *text, *at;

	for (size_t i = N_PORT_COUNTERS; i < sample->n_names; i++)
		size += strlen(sample->names[i]) + 1;
	text = at = malloc(size);
	if (text == NULL)
		return -ENOMEM;
	for (size_t i = N_PORT_COUNTERS; i < sample->n_names; i++)
		at += sprintf(at, "%s\n", sample->names[i]);
	*at = '\0';
	*ret = text;
	return 0;
}

int history_find_names(struct history *history, const struct sample *sample, const struct name_set **ret,
                       struct status *status) {
	CLEANUP(freep) char *text = NULL;
	int64_t names_id;
	int rc;

	if (sample->n_names == N_PORT_COUNTERS)
		return history_names(history, 0, ret, status);
	if ((rc = join_names(sample, &text)) < 0 ||
	    (rc = db_prepare(history->db,
	                     "INSERT INTO name_set (names) VALUES (?) ON CONFLICT (names)"
	                     " DO UPDATE SET names = excluded.names RETURNING names_id",
	                     &history->note_names, status)) < 0 ||
	    (rc = db_bind(history->note_names, "t", text)) < 0 ||
	    (rc = db_next(history->note_names, status)) < 0)
		return rc;
	names_id = sqlite3_column_int64(history->note_names, 0);
	sqlite3_reset(history->note_names);
	return history_names(history, names_id, ret, status);
}

int history_find_name(const struct name_set *set, const char *name) {
	for (int i = 0; i < N_PORT_COUNTERS; i++) {
		if (strcmp(name, port_counters[i].name) == 0)
			return i;
	}
	for (size_t i = 0; i < set->n; i++) {
		if (strcmp(name, set->names[i]) == 0)
			return (int)(N_PORT_COUNTERS + i);
	}
	return -1;
}

int history_row_before(struct history *history, int64_t series, const struct rows *last,
                       int64_t last_names_id, const uint64_t *row, int64_t names_id, size_t width,
                       struct rows *renamed, const uint64_t **ret, struct status *status) {
	const struct name_set *old_set, *set;
	uint64_t *values;
	int rc, at;

	*ret = NULL;
	if (last->n == 0 || series_kind(series) != SERIES_PORT)
		return 0;
	if (last_names_id == names_id && last->width == width) {
		*ret = last->values;
		return 0;
	}
	if ((rc = history_names(history, last_names_id, &old_set, status)) < 0 ||
	    (rc = history_names(history, names_id, &set, status)) < 0)
		return rc;
	rows_fini(renamed);
	renamed->width = width;
	if (rows_add(renamed, row, 1) < 0)
		return -ENOMEM;
	values = renamed->values;
	memcpy(values, last->values, (ROW_COUNTERS + N_PORT_COUNTERS) * sizeof(*values));
	for (size_t i = 0; i < set->n && ROW_COUNTERS + N_PORT_COUNTERS + i < width; i++) {
		at = history_find_name(old_set, set->names[i]);
		if (at >= 0 && ROW_COUNTERS + (size_t)at < last->width)
			values[ROW_COUNTERS + N_PORT_COUNTERS + i] = last->values[ROW_COUNTERS + (size_t)at];
	}
	*ret = values;
	return 0;
}
