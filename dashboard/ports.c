// One entry for each (host, port name).
// SPDX-License-Identifier: MIT
#include "ports.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct entry {
	struct port_state state;
	char *key; // host, a line break (no id holds one), name
	UT_hash_handle hh;
};

struct ports {
	struct entry *entries;
};

int ports_new(struct ports **ret) {
	struct ports *ports = calloc(1, sizeof(*ports));

	if (ports == NULL)
		return -ENOMEM;
	*ret = ports;
	return 0;
}

static void free_row(struct port_state *state) {
	for (size_t i = 0; i < state->n_names; i++)
		free(state->names[i]);
	free(state->names);
	free(state->values);
	free(state->link);
	state->names = NULL;
	state->values = NULL;
	state->link = NULL;
	state->n_names = 0;
}

static void remove_entry(struct ports *ports, struct entry *entry) {
	HASH_DEL(ports->entries, entry);
	free_row(&entry->state);
	free(entry->state.host);
	free(entry->state.name);
	free(entry->key);
	free(entry);
}

void ports_free(struct ports *ports) {
	struct entry *entry, *next;

	if (ports == NULL)
		return;
	HASH_ITER (hh, ports->entries, entry, next)
		remove_entry(ports, entry);
	free(ports);
}

static struct entry *find_or_add(struct ports *ports, const struct sample *sample) {
	CLEANUP(freep) char *key = NULL;
	struct entry *entry = NULL;

	if (asprintf(&key, "%s\n%s", sample->host, sample->name) < 0) {
		key = NULL;
		return NULL;
	}
	HASH_FIND_STR(ports->entries, key, entry);
	if (entry != NULL)
		return entry;
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	entry->state.host = strdup(sample->host);
	entry->state.name = strdup(sample->name);
	entry->key = key;
	if (entry->state.host == NULL || entry->state.name == NULL) {
		free(entry->state.host);
		free(entry->state.name);
		free(entry);
		return NULL;
	}
	key = NULL;
	HASH_ADD_KEYPTR(hh, ports->entries, entry->key, strlen(entry->key), entry);
	return entry;
}

static bool names_are(const struct port_state *state, const struct sample *sample) {
	if (state->n_names != sample->n_names)
		return false;
	for (size_t i = 0; i < sample->n_names; i++) {
		if (strcmp(state->names[i], sample->names[i]) != 0)
			return false;
	}
	return true;
}

static int set_names(struct port_state *state, const struct sample *sample) {
	free_row(state);
	state->names = calloc(sample->n_names + 1, sizeof(*state->names));
	state->values = calloc(sample->n_names + 1, sizeof(*state->values));
	if (state->names == NULL || state->values == NULL)
		return -ENOMEM;
	for (; state->n_names < sample->n_names; state->n_names++) {
		state->names[state->n_names] = strdup(sample->names[state->n_names]);
		if (state->names[state->n_names] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int set_link(struct port_state *state, const char *link) {
	char *copy = link != NULL ? strdup(link) : NULL;

	if (link != NULL && copy == NULL)
		return -ENOMEM;
	free(state->link);
	state->link = copy;
	return 0;
}

int ports_take(struct ports *ports, const struct sample *sample, int64_t now_ns) {
	size_t width = 2 + sample->n_names; // seq, ts_ns, values
	struct entry *entry;
	int rc;

	if (sample->n_rows == 0)
		return 0;
	if (HASH_COUNT(ports->entries) >= PORTS_MOST)
		return -EMFILE;
	entry = find_or_add(ports, sample);
	if (entry == NULL)
		return -ENOMEM;
	if (!names_are(&entry->state, sample) && (rc = set_names(&entry->state, sample)) < 0)
		return rc;
	if ((rc = set_link(&entry->state, sample->link)) < 0)
		return rc;
	memcpy(entry->state.values, sample->rows + (sample->n_rows - 1) * width + 2,
	       sample->n_names * sizeof(*sample->rows));
	entry->state.up = sample->up;
	entry->state.speed_mbps = sample->speed_mbps;
	entry->state.heard_ns = now_ns;
	return 0;
}

static int by_key(const struct entry *a, const struct entry *b) {
	return strcmp(a->key, b->key);
}

int ports_list(struct ports *ports, int64_t now_ns, const struct port_state ***ret, size_t *ret_n) {
	const struct port_state **list;
	struct entry *entry, *next;
	size_t n = 0;

	HASH_ITER (hh, ports->entries, entry, next) {
		if (now_ns - entry->state.heard_ns > PORTS_KEPT_NS)
			remove_entry(ports, entry);
	}
	HASH_SORT(ports->entries, by_key);
	list = calloc(HASH_COUNT(ports->entries) + 1, sizeof(*list));
	if (list == NULL)
		return -ENOMEM;
	HASH_ITER (hh, ports->entries, entry, next)
		list[n++] = &entry->state;
	*ret = list;
	*ret_n = n;
	return 0;
}
