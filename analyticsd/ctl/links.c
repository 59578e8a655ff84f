// links: every link of every topology once, a row for each direction.
// SPDX-License-Identifier: MIT
#include "arguments.h"
#include "cells.h"
#include "commands.h"
#include "view.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct collection {
	struct link_list list;
	struct view *views; // what the list points into
	size_t n_views;
	void *ids; // tsearch(3): the ids in the list
};

static void keep(void *id) {
	(void)id; // a reply's
}

static int compare_ids(const void *a, const void *b) {
	return strcmp(a, b);
}

static void collection_fini(struct collection *collection) {
	tdestroy(collection->ids, keep);
	for (size_t i = 0; i < collection->n_views; i++)
		view_fini(&collection->views[i]);
	free(collection->views);
	free(collection->list.links);
}

static int add_link(struct collection *collection, const struct link_view *link) {
	if (tfind(link->id, &collection->ids, compare_ids) != NULL)
		return 0;
	if (tsearch(link->id, &collection->ids, compare_ids) == NULL)
		return -ENOMEM;
	collection->list.links[collection->list.n_links++] = *link;
	return 0;
}

static int add_view(struct collection *collection, const struct topology_view *view) {
	int rc;

	if ((rc = array_grow((void **)&collection->list.links, collection->list.n_links, view->n_links,
	                     sizeof(*view->links))) < 0)
		return rc;
	for (size_t i = 0; i < view->n_links; i++) {
		if ((rc = add_link(collection, &view->links[i])) < 0)
			return rc;
	}
	return 0;
}

static int collect(struct ctl *ctl, struct collection *collection, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct topology_list list;
	struct empty nothing = {0};
	int rc;

	if ((rc = ctl_call(ctl, OP_LIST_TOPOLOGIES, &nothing, &list, &document, status)) < 0)
		return rc;
	collection->views = calloc(list.n_topologies + 1, sizeof(*collection->views));
	if (collection->views == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < list.n_topologies; i++) {
		struct view *view = &collection->views[collection->n_views];

		rc = view_fetch(ctl, list.topologies[i].topology_id, view, status);
		if (rc == -ENOENT)
			continue; // deleted since it was listed
		if (rc < 0)
			return rc;
		collection->n_views++;
		if ((rc = add_view(collection, &view->body)) < 0)
			return rc;
	}
	return 0;
}

static int add_direction(struct table *table, const struct link_view *link, int direction) {
	bool reverse = direction == DIRECTION_REVERSE;
	bool has_total = HAS(link, link_view, total_capacity_gbps);
	bool has_used = reverse ? HAS(link, link_view, used_capacity_reverse_gbps)
	                        : HAS(link, link_view, used_capacity_gbps);
	double used = reverse ? link->used_capacity_reverse_gbps : link->used_capacity_gbps;
	char ends[2 * LIMIT_ID_SIZE + 8], total_text[CELL_SIZE], used_text[CELL_SIZE], free_text[CELL_SIZE];
	const char *cells[] = {
	        link->id,
	        ends,
	        choice_word(&directions_choices, direction),
	        cell_gbps(has_total, link->total_capacity_gbps, total_text),
	        cell_gbps(has_used, used, used_text),
	        cell_gbps(has_total && has_used, link->total_capacity_gbps - used, free_text),
	        choice_word(&states_choices, link->state),
	};

	snprintf(ends, sizeof(ends), "%s→%s", reverse ? link->z : link->a, reverse ? link->a : link->z);
	return table_add(table, cells);
}

static int print_links(const struct link_list *list) {
	static const struct table_column columns[] = {
	        {"LINK", false}, {"ENDS", false}, {"DIRECTION", false}, {"TOTAL", true},
	        {"USED", true},  {"FREE", true},  {"STATE", false},
	};
	CLEANUP(table_freep) struct table *table = NULL;
	int rc;

	if ((rc = table_new(columns, sizeof(columns) / sizeof(columns[0]), &table)) < 0)
		return rc;
	for (size_t i = 0; i < list->n_links; i++) {
		const struct link_view *link = &list->links[i];

		if ((rc = add_direction(table, link, DIRECTION_FORWARD)) < 0)
			return rc;
		if (link->bidirectional && (rc = add_direction(table, link, DIRECTION_REVERSE)) < 0)
			return rc;
	}
	return cells_print(table, "links", list->n_links);
}

int command_links(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(collection_fini) struct collection collection = {0};
	int rc;

	arguments_none(
	        ctl, argc, argv,
	        "Lists the links of all topologies. Capacities are Gbps, used is the mean of the last 60 s.");
	if ((rc = collect(ctl, &collection, status)) < 0)
		return rc;
	if (ctl->json)
		return ctl_print_json(&link_list_message, &collection.list);
	return print_links(&collection.list);
}
