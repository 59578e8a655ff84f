// Names of series to links.
// SPDX-License-Identifier: MIT
#include "linkmap.h"

#include "codec.h"
#include "csvfile.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct mapping {
	char *name;
	char *link;
	int direction;
};

struct linkmap {
	void *by_name;   // tsearch(3): every mapping
	void *by_target; // the same
};

struct reading {
	const char *path;
	struct linkmap *map;
	struct status *status;
	int name, link, direction; // columns; -1 before the first row
	size_t n_columns;
};

static void mapping_free(void *pointer) {
	struct mapping *mapping = pointer;

	free(mapping->name);
	free(mapping->link);
	free(mapping);
}

static void keep(void *mapping) {
	(void)mapping; // the other tree's
}

void linkmap_free(struct linkmap *map) {
	if (map == NULL)
		return;
	tdestroy(map->by_target, keep);
	tdestroy(map->by_name, mapping_free);
	free(map);
}

static int compare_names(const void *a, const void *b) {
	return strcmp(((const struct mapping *)a)->name, ((const struct mapping *)b)->name);
}

static int compare_targets(const void *a, const void *b) {
	const struct mapping *one = a, *other = b;

	if (one->direction != other->direction)
		return one->direction - other->direction;
	return strcmp(one->link, other->link);
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

static struct mapping *mapping_new(const char *name, const char *link, int direction) {
	struct mapping *mapping = calloc(1, sizeof(*mapping));

	if (mapping == NULL)
		return NULL;
	mapping->direction = direction;
	mapping->name = strdup(name);
	mapping->link = strdup(link);
	if (mapping->name == NULL || mapping->link == NULL) {
		mapping_free(mapping);
		return NULL;
	}
	return mapping;
}

// Takes over 'mapping'. Returns 0, or a negative errno with 'status'.
static int insert(struct reading *reading, size_t line, struct mapping *mapping) {
	struct linkmap *map = reading->map;
	const char *fault = NULL;

	if (tfind(mapping, &map->by_name, compare_names) != NULL)
		fault = "name: is there twice";
	else if (tfind(mapping, &map->by_target, compare_targets) != NULL)
		fault = "this link and direction have another name already";
	if (fault != NULL || tsearch(mapping, &map->by_name, compare_names) == NULL) {
		mapping_free(mapping);
		return fault != NULL ? fail(reading, line, fault) : -ENOMEM;
	}
	return tsearch(mapping, &map->by_target, compare_targets) == NULL ? -ENOMEM : 0;
}

static int add_mapping(struct reading *reading, const struct csv_row *row) {
	const char *link = row->fields[reading->link];
	struct mapping *mapping;
	int direction;

	if (!id_is_valid(link))
		return fail(reading, row->line, "link: not an id");
	if (choice_find(&directions_choices, row->fields[reading->direction], &direction) < 0)
		return fail(reading, row->line, "direction: neither forward nor reverse");
	mapping = mapping_new(row->fields[reading->name], link, direction);
	return mapping == NULL ? -ENOMEM : insert(reading, row->line, mapping);
}

static int on_row(void *context, const struct csv_row *row) {
	struct reading *reading = context;

	if (reading->n_columns == 0)
		return read_names(reading, row);
	if (row->n_fields != reading->n_columns)
		return fail(reading, row->line, "another number of fields than there are columns");
	return add_mapping(reading, row);
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
	const struct mapping wanted = {.name = (char *)name};
	struct mapping *const *found = tfind(&wanted, &map->by_name, compare_names);

	if (found == NULL)
		return -ENOENT;
	*ret_link = (*found)->link;
	*ret_direction = (*found)->direction;
	return 0;
}
