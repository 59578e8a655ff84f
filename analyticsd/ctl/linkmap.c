// Names of series to links.
// SPDX-License-Identifier: MIT
#include "linkmap.h"

#include "codec.h"
#include "csvfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry {
	char *name;
	char *link;
	char *target; // link and direction
	int direction;
	UT_hash_handle by_name, by_target;
};

struct linkmap {
	struct entry *names;
	struct entry *targets;
};

struct reading {
	const char *path;
	struct linkmap *map;
	struct status *status;
	int name, link, direction; // columns; -1 before the first row
	size_t n_columns;
};

static void entry_free(struct entry *entry) {
	if (entry == NULL)
		return;
	free(entry->name);
	free(entry->link);
	free(entry->target);
	free(entry);
}
DEFINE_CLEANUP(struct entry *, entry_free)

void linkmap_free(struct linkmap *map) {
	struct entry *entry, *next;

	if (map == NULL)
		return;
	HASH_CLEAR(by_target, map->targets);
	HASH_ITER (by_name, map->names, entry, next) {
		HASH_DELETE(by_name, map->names, entry);
		entry_free(entry);
	}
	free(map);
}

static int fail(struct reading *reading, size_t line, const char *what) {
	return status_set(reading->status, STATUS_INVALID_ARGUMENT, "%s:%zu: %s", reading->path, line, what);
}

static int read_names(struct reading *reading, const struct csv_row *row) {
	reading->n_columns = row->n_fields;
	reading->name = csv_column(row, "name");
	reading->link = csv_column(row, "link");
	reading->direction = csv_column(row, "direction");
	if (reading->name < 0 || reading->link < 0 || reading->direction < 0)
		return fail(reading, row->line, "the columns must be name, link and direction");
	return 0;
}

static int add_entry(struct reading *reading, const struct csv_row *row) {
	CLEANUP(entry_freep) struct entry *entry = calloc(1, sizeof(*entry));
	const char *name = row->fields[reading->name], *link = row->fields[reading->link];
	struct entry *found;

	if (entry == NULL || (entry->name = strdup(name)) == NULL || (entry->link = strdup(link)) == NULL)
		return -ENOMEM;
	if (!id_is_valid(link))
		return fail(reading, row->line, "link: not an id");
	if (choice_find(&directions_choices, row->fields[reading->direction], &entry->direction) < 0)
		return fail(reading, row->line, "direction: neither forward nor reverse");
	if (asprintf(&entry->target, "%s\n%d", link, entry->direction) < 0) {
		entry->target = NULL;
		return -ENOMEM;
	}
	HASH_FIND(by_name, reading->map->names, name, strlen(name), found);
	if (found != NULL)
		return fail(reading, row->line, "name: is there twice");
	HASH_FIND(by_target, reading->map->targets, entry->target, strlen(entry->target), found);
	if (found != NULL)
		return fail(reading, row->line, "this link and direction have another name already");
	HASH_ADD_KEYPTR(by_name, reading->map->names, entry->name, strlen(entry->name), entry);
	HASH_ADD_KEYPTR(by_target, reading->map->targets, entry->target, strlen(entry->target), entry);
	entry = NULL;
	return 0;
}

static int on_row(void *context, const struct csv_row *row) {
	struct reading *reading = context;

	if (reading->n_columns == 0)
		return read_names(reading, row);
	if (row->n_fields != reading->n_columns)
		return fail(reading, row->line, "another number of fields than there are columns");
	return add_entry(reading, row);
}

int linkmap_read(const char *path, struct linkmap **ret, struct status *status) {
	CLEANUP(linkmap_freep) struct linkmap *map = calloc(1, sizeof(*map));
	struct reading reading = {.path = path, .map = map, .status = status};
	size_t line = 0;
	int rc;

	if (map == NULL)
		return -ENOMEM;
	rc = csv_read(path, on_row, &reading, &line);
	if (rc == -EBADMSG)
		return fail(&reading, line, "broken quotes, or a NUL byte");
	if (rc < 0) {
		if (status->message[0] == '\0')
			(void)status_set(status, STATUS_INVALID_ARGUMENT, "%s: %s", path, strerror(-rc));
		return rc;
	}
	*ret = map;
	map = NULL;
	return 0;
}

int linkmap_find(const struct linkmap *map, const char *name, const char **ret_link, int *ret_direction) {
	struct entry *found;

	HASH_FIND(by_name, map->names, name, strlen(name), found);
	if (found == NULL)
		return -ENOENT;
	*ret_link = found->link;
	*ret_direction = found->direction;
	return 0;
}
