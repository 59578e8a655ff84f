// A table by host and name.
// SPDX-License-Identifier: MIT
#include "port_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Keys are short: a call costs more than it compares.
static int compare_keys(const void *a, const void *b, size_t size) {
	const char *left = a, *right = b;
	size_t i = 0;

	while (i < size && left[i] == right[i])
		i++;
	return i < size;
}
#undef HASH_KEYCMP
#define HASH_KEYCMP(A, B, SIZE) compare_keys(A, B, SIZE)

#define KEY_SIZE (2 * LIMIT_ID_SIZE + 2)

void port_state_free(struct port_state *state) {
	free(state->instances);
	free(state->link);
	free(state);
}

void history_forget_ports(struct history *history) {
	struct port_state *state, *next;

	HASH_ITER (hh, history->ports, state, next) {
		HASH_DEL(history->ports, state);
		port_state_free(state);
	}
}

static size_t make_key(char key[static KEY_SIZE], const char *host, const char *name) {
	size_t host_size = strnlen(host, LIMIT_ID_SIZE), name_size = strnlen(name, LIMIT_ID_SIZE);

	memcpy(key, host, host_size);
	key[host_size] = '\n';
	memcpy(key + host_size + 1, name, name_size);
	key[host_size + 1 + name_size] = '\0';
	return host_size + 1 + name_size;
}

struct port_state *port_state_find(struct port_state *table, const char *host, const char *name) {
	char key[KEY_SIZE];
	size_t size = make_key(key, host, name);
	struct port_state *state;

	HASH_FIND(hh, table, key, size, state);
	return state;
}

struct port_state *port_state_new(const char *host, const char *name) {
	char key[KEY_SIZE];
	size_t size = make_key(key, host, name);
	struct port_state *state = calloc(1, sizeof(*state) + size + 1);

	if (state != NULL)
		memcpy(state->key, key, size);
	return state;
}

void port_state_add(struct port_state **table, struct port_state *state) {
	HASH_ADD(hh, *table, key, strlen(state->key), state);
}

int port_state_note(struct port_state *state, uint64_t instance, uint64_t seq) {
	struct instance_state *moved;

	for (size_t i = 0; i < state->n_instances; i++) {
		if (state->instances[i].instance != instance)
			continue;
		if (seq > state->instances[i].newest_seq)
			state->instances[i].newest_seq = seq;
		return (int)i;
	}
	moved = reallocarray(state->instances, state->n_instances + 1, sizeof(*moved));
	if (moved == NULL)
		return -ENOMEM;
	state->instances = moved;
	moved[state->n_instances] = (struct instance_state){instance, seq};
	return (int)state->n_instances++;
}
