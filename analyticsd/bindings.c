// Bindings of ports to links, from both of their sources.
// SPDX-License-Identifier: MIT
#include "bindings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct announcement {
	char host[LIMIT_ID_SIZE + 1];
	char name[LIMIT_ID_SIZE + 1];
	char link_id[LIMIT_ID_SIZE + 1]; // "" when it announced none
	char key[2 * LIMIT_ID_SIZE + 2];
	UT_hash_handle hh;
};

struct announcements {
	struct announcement *head;
};

int announcements_note(struct announcements *announcements, const char *host, const char *name,
                       const char *link_id) {
	struct announcement *found;
	char key[2 * LIMIT_ID_SIZE + 2];
	const char *now = link_id != NULL ? link_id : "";

	snprintf(key, sizeof(key), "%s\n%s", host, name);
	HASH_FIND_STR(announcements->head, key, found);
	if (found == NULL) {
		found = calloc(1, sizeof(*found));
		if (found == NULL)
			return -ENOMEM;
		memcpy(found->key, key, sizeof(key));
		snprintf(found->host, sizeof(found->host), "%s", host);
		snprintf(found->name, sizeof(found->name), "%s", name);
		HASH_ADD_STR(announcements->head, key, found);
	}
	if (strcmp(found->link_id, now) == 0)
		return 0;
	snprintf(found->link_id, sizeof(found->link_id), "%s", now);
	return 1;
}

static int note_record(void *context, const struct port_record *record) {
	int rc = announcements_note(context, record->host, record->name, record->link);

	return rc < 0 ? rc : 0;
}

int announcements_new(struct history *history, struct announcements **ret, struct status *status) {
	CLEANUP(announcements_freep) struct announcements *announcements = calloc(1, sizeof(*announcements));
	int rc;

	if (announcements == NULL)
		return -ENOMEM;
	if ((rc = history_each_port(history, note_record, announcements, status)) < 0)
		return rc;
	*ret = announcements;
	announcements = NULL;
	return 0;
}

void announcements_free(struct announcements *announcements) {
	struct announcement *announcement, *next;

	if (announcements == NULL)
		return;
	HASH_ITER (hh, announcements->head, announcement, next) {
		HASH_DEL(announcements->head, announcement);
		free(announcement);
	}
	free(announcements);
}

static int compare(const void *a, const void *b) {
	const struct announcement *const *left = a, *const *right = b;
	int order = strcmp((*left)->link_id, (*right)->link_id);

	return order != 0 ? order : strcmp((*left)->key, (*right)->key);
}

int announcements_each(const struct announcements *announcements,
                       int (*each)(void *context, const struct usage_binding *), void *context) {
	size_t n = 0, n_all = HASH_COUNT(announcements->head);
	CLEANUP(freep) struct announcement **sorted = calloc(n_all + 1, sizeof(*sorted));
	const struct announcement *first = NULL; // port of the link at hand
	struct announcement *announcement, *next;
	int rc = 0;

	if (sorted == NULL)
		return -ENOMEM;
	HASH_ITER (hh, announcements->head, announcement, next) {
		if (announcement->link_id[0] != '\0')
			sorted[n++] = announcement;
	}
	qsort(sorted, n, sizeof(*sorted), compare);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (first == NULL || strcmp(first->link_id, sorted[i]->link_id) != 0)
			first = sorted[i];
		rc = each(context, &(struct usage_binding){
		                           .link_id = sorted[i]->link_id,
		                           .host = sorted[i]->host,
		                           .name = sorted[i]->name,
		                           .end = strcmp(first->host, sorted[i]->host) == 0 ? END_A : END_Z,
		                   });
	}
	return rc;
}

// ---- both together

struct collection {
	struct usage_binding *bindings;
	size_t n, capacity;
};

static void collection_fini(struct collection *collection) {
	for (size_t i = 0; i < collection->n; i++) {
		free((char *)collection->bindings[i].link_id);
		free((char *)collection->bindings[i].host);
		free((char *)collection->bindings[i].name);
	}
	free(collection->bindings);
}

static int collect(void *context, const struct usage_binding *binding) {
	struct collection *collection = context;
	struct usage_binding *copy;

	if (collection->n == collection->capacity) {
		size_t larger = collection->capacity > 0 ? 2 * collection->capacity : 64;
		void *moved = realloc(collection->bindings, larger * sizeof(*collection->bindings));

		if (moved == NULL)
			return -ENOMEM;
		collection->bindings = moved;
		collection->capacity = larger;
	}
	copy = &collection->bindings[collection->n++];
	*copy = (struct usage_binding){
	        .link_id = strdup(binding->link_id),
	        .host = strdup(binding->host),
	        .name = strdup(binding->name),
	        .end = binding->end,
	};
	return copy->link_id != NULL && copy->host != NULL && copy->name != NULL ? 0 : -ENOMEM;
}

// The topology's bindings are collected first, in the order of their links.
struct announced {
	struct collection *collection;
	size_t n_bound; // bindings of the topology
};

static int compare_link(const void *link_id, const void *binding) {
	return strcmp(link_id, ((const struct usage_binding *)binding)->link_id);
}

// A link that the topology binds is measured by the ports that it names and no others.
static int collect_announced(void *context, const struct usage_binding *binding) {
	struct announced *announced = context;
	const struct usage_binding *bound = announced->collection->bindings;

	if (announced->n_bound > 0 &&
	    bsearch(binding->link_id, bound, announced->n_bound, sizeof(*bound), compare_link) != NULL)
		return 0;
	return collect(announced->collection, binding);
}

static int collect_topology(void *context, const char *link_id, const struct port_binding *binding) {
	return collect(context, &(struct usage_binding){link_id, binding->host, binding->name,
	                                                (enum ends)binding->end});
}

// usage_bind() keeps the first binding of a port, so the topology's come first.
int bindings_load(struct state *state, const struct announcements *announcements, struct usage *usage,
                  struct status *status) {
	CLEANUP(collection_fini) struct collection collection = {0};
	struct announced announced = {.collection = &collection};
	int rc;

	if ((rc = state_each_binding(state, collect_topology, &collection, status)) < 0)
		return rc;
	announced.n_bound = collection.n;
	if ((rc = announcements_each(announcements, collect_announced, &announced)) < 0)
		return rc;
	return usage_bind(usage, collection.bindings, collection.n);
}
