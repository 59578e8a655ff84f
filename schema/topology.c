// Consistency of a topology.
// SPDX-License-Identifier: MIT
#include "topology.h"

#include "cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Texts that stay where they are, by open addressing: a slot is a pointer, half of them at most are in use.
struct name_set {
	const char **slots;
	size_t mask;
};

static int name_set_init(struct name_set *set, size_t most) {
	size_t n = 16;

	while (n < 2 * most)
		n *= 2;
	set->slots = calloc(n, sizeof(*set->slots));
	set->mask = n - 1;
	return set->slots == NULL ? -ENOMEM : 0;
}

static void name_set_fini(struct name_set *set) {
	free(set->slots);
}

// FNV-1a, and the finalizer of MurmurHash3 so that the low bits depend on all (both in the public domain).
static uint64_t hash_of(const char *text) {
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
	return hash ^ hash >> 33;
}

// The slot where the text is, or would be.
static const char **name_set_slot(const struct name_set *set, const char *text) {
	size_t at = hash_of(text) & set->mask;

	while (set->slots[at] != NULL && strcmp(set->slots[at], text) != 0)
		at = (at + 1) & set->mask;
	return &set->slots[at];
}

static bool name_set_has(const struct name_set *set, const char *text) {
	return *name_set_slot(set, text) != NULL;
}

// Returns false when it was there already.
static bool name_set_add(struct name_set *set, const char *text) {
	const char **slot = name_set_slot(set, text);

	if (*slot != NULL)
		return false;
	*slot = text;
	return true;
}

// Either the first defect ends the check, or each is told.
struct check {
	struct status *status;
	topology_defect_fn each;
	void *context;
};

static int found(const struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int found(const struct check *check, const char *format, ...) {
	char text[STATUS_MESSAGE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (check->each == NULL)
		return status_set(check->status, STATUS_INVALID_ARGUMENT, "%s", text);
	check->each(check->context, text);
	return 0;
}

static int check_link(const struct topology *topology, size_t i, const struct name_set *nodes,
                      struct name_set *links, const struct check *check) {
	const struct link *link = &topology->links[i];
	const char *const ends[] = {link->a, link->z};

	int rc = 0;

	if (link->id == NULL) // what is wrong with it was told before
		return 0;
	if (!name_set_add(links, link->id))
		rc = found(check, "links[%zu]: id '%s' is there twice", i, link->id);
	for (size_t end = 0; end < 2 && rc == 0; end++) {
		if (ends[end] != NULL && !name_set_has(nodes, ends[end]))
			rc = found(check, "links[%zu] '%s': no node '%s'", i, link->id, ends[end]);
	}
	if (rc == 0 && link->a != NULL && link->z != NULL && strcmp(link->a, link->z) == 0)
		rc = found(check, "links[%zu] '%s': both ends are '%s'", i, link->id, link->a);
	return rc;
}

static int check_ports(const struct topology *topology, const struct check *check) {
	CLEANUP(name_set_fini) struct name_set bound = {0};
	CLEANUP(freep) char *keys = NULL;
	const size_t key_size = 2 * LIMIT_ID_SIZE + 2;
	size_t n = 0;
	int rc;

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
			if (!name_set_add(&bound, key) &&
			    (rc = found(check, "links[%zu] '%s': port %s %s is bound twice", i, link->id,
			                link->ports[p].host, link->ports[p].name)) < 0)
				return rc;
		}
	}
	return 0;
}

static int check_all(const struct topology *topology, const struct check *check) {
	CLEANUP(name_set_fini) struct name_set nodes = {0};
	CLEANUP(name_set_fini) struct name_set links = {0};
	int rc;

	if (topology->n_nodes == 0 && (rc = found(check, "nodes: a topology needs at least one")) < 0)
		return rc;
	if (name_set_init(&nodes, topology->n_nodes) < 0 || name_set_init(&links, topology->n_links) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < topology->n_nodes; i++) {
		if (topology->nodes[i].id != NULL && !name_set_add(&nodes, topology->nodes[i].id) &&
		    (rc = found(check, "nodes[%zu]: id '%s' is there twice", i, topology->nodes[i].id)) < 0)
			return rc;
	}
	for (size_t i = 0; i < topology->n_links; i++) {
		if ((rc = check_link(topology, i, &nodes, &links, check)) < 0)
			return rc;
	}
	return check_ports(topology, check);
}

int topology_check(const struct topology *topology, struct status *status) {
	return check_all(topology, &(struct check){.status = status});
}

int topology_check_each(const struct topology *topology, topology_defect_fn each, void *context) {
	return check_all(topology, &(struct check){.each = each, .context = context});
}
