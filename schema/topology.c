// Consistency of a topology.
// SPDX-License-Identifier: MIT
#include "topology.h"

#include "cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct name {
	const char *text;
	UT_hash_handle hh;
};

struct name_set {
	struct name *head;
	struct name *slots; // one for each name that may come
	size_t used;
};

static int name_set_init(struct name_set *set, size_t capacity) {
	set->slots = calloc(capacity + 1, sizeof(*set->slots));
	return set->slots == NULL ? -ENOMEM : 0;
}

static void name_set_fini(struct name_set *set) {
	HASH_CLEAR(hh, set->head);
	free(set->slots);
}

static bool name_set_has(const struct name_set *set, const char *text) {
	struct name *found;

	HASH_FIND_STR(set->head, text, found);
	return found != NULL;
}

// Returns false when it was there already.
static bool name_set_add(struct name_set *set, const char *text) {
	struct name *name = &set->slots[set->used];

	if (name_set_has(set, text))
		return false;
	name->text = text;
	HASH_ADD_KEYPTR(hh, set->head, name->text, strlen(name->text), name);
	set->used++;
	return true;
}

static int check_link(const struct topology *topology, size_t i, const struct name_set *nodes,
                      struct name_set *links, struct status *status) {
	const struct link *link = &topology->links[i];
	const char *const ends[] = {link->a, link->z};

	if (!name_set_add(links, link->id))
		return status_set(status, STATUS_INVALID_ARGUMENT, "links[%zu]: id '%s' is there twice", i,
		                  link->id);
	for (size_t end = 0; end < 2; end++) {
		if (!name_set_has(nodes, ends[end]))
			return status_set(status, STATUS_INVALID_ARGUMENT, "links[%zu] '%s': no node '%s'", i,
			                  link->id, ends[end]);
	}
	if (strcmp(link->a, link->z) == 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "links[%zu] '%s': both ends are '%s'", i,
		                  link->id, link->a);
	return 0;
}

static int check_ports(const struct topology *topology, struct status *status) {
	CLEANUP(name_set_fini) struct name_set bound = {0};
	CLEANUP(freep) char *keys = NULL;
	const size_t key_size = 2 * LIMIT_ID_SIZE + 2;
	size_t n = 0;

	for (size_t i = 0; i < topology->n_links; i++)
		n += topology->links[i].n_ports;
	keys = malloc(n * key_size + 1);
	if (keys == NULL || name_set_init(&bound, n) < 0)
		return -ENOMEM;
	n = 0;
	for (size_t i = 0; i < topology->n_links; i++) {
		const struct link *link = &topology->links[i];

		for (size_t p = 0; p < link->n_ports; p++) {
			char *key = keys + n++ * key_size;

			// ids hold no control characters, so a newline keeps host and name apart
			snprintf(key, key_size, "%s\n%s", link->ports[p].host, link->ports[p].name);
			if (!name_set_add(&bound, key))
				return status_set(status, STATUS_INVALID_ARGUMENT,
				                  "links[%zu] '%s': port %s %s is bound twice", i, link->id,
				                  link->ports[p].host, link->ports[p].name);
		}
	}
	return 0;
}

int topology_check(const struct topology *topology, struct status *status) {
	CLEANUP(name_set_fini) struct name_set nodes = {0};
	CLEANUP(name_set_fini) struct name_set links = {0};
	int rc;

	if (topology->n_nodes == 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "nodes: a topology needs at least one");
	if (name_set_init(&nodes, topology->n_nodes) < 0 || name_set_init(&links, topology->n_links) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < topology->n_nodes; i++) {
		if (!name_set_add(&nodes, topology->nodes[i].id))
			return status_set(status, STATUS_INVALID_ARGUMENT,
			                  "nodes[%zu]: id '%s' is there twice", i, topology->nodes[i].id);
	}
	for (size_t i = 0; i < topology->n_links; i++) {
		if ((rc = check_link(topology, i, &nodes, &links, status)) < 0)
			return rc;
	}
	return check_ports(topology, status);
}
