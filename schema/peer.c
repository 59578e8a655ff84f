// Peers as texts, and the lines that they leave. The user id that the ZAP handler gives a client is "roles name".
// SPDX-License-Identifier: MIT
#include "peer.h"

#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ALL_ROLES ((1U << N_roles) - 1)

int roles_parse(const char *text, unsigned *ret) {
	char list[64], *rest = list, *word;
	unsigned roles = 0;
	int role;

	if (snprintf(list, sizeof(list), "%s", text) >= (int)sizeof(list))
		return -EINVAL;
	while ((word = strsep(&rest, ",")) != NULL) {
		if (choice_find(&roles_choices, word, &role) < 0)
			return -EINVAL;
		roles |= 1U << role;
	}
	*ret = roles;
	return 0;
}

bool peer_may(const struct peer *peer, int role) {
	return role == ROLE_ANY ? peer->roles != 0 : (peer->roles & 1U << role) != 0;
}

void peer_read(const char *user_id, size_t size, struct peer *ret) {
	char text[PEER_TEXT_SIZE], *name = text;
	const char *roles;

	*ret = (struct peer){.name = "local", .roles = ALL_ROLES};
	if (size == 0)
		return;
	ret->roles = 0;
	strcpy(ret->name, "?");
	if (size >= sizeof(text))
		return;
	memcpy(text, user_id, size);
	text[size] = '\0';
	roles = strsep(&name, " ");
	if (name == NULL || strlen(name) >= sizeof(ret->name) || roles_parse(roles, &ret->roles) < 0)
		return;
	strcpy(ret->name, name);
}

void peer_write(const struct peer *peer, char text[static PEER_TEXT_SIZE]) {
	size_t used = 0;

	for (int role = 0; role < N_roles; role++) {
		if (peer_may(peer, role))
			used += (size_t)snprintf(text + used, PEER_TEXT_SIZE - used, "%s%s",
			                         used > 0 ? "," : "", choice_word(&roles_choices, role));
	}
	snprintf(text + used, PEER_TEXT_SIZE - used, " %s", peer->name);
}

int peer_check(const struct peer *peer, const char *op, int role, struct status *status) {
	if (peer_may(peer, role))
		return 0;
	return status_set(status, STATUS_PERMISSION_DENIED, "%s takes a key with the role %s; '%s' has not",
	                  op, role == ROLE_ANY ? "of anything" : choice_word(&roles_choices, role),
	                  peer->name);
}

// ---- the audit: who changed what

#define AUDIT_SIZE 512

// "topology_id=admin link_id=AB": the ids in a request and the messages in it, as far as they fit.
static void name_objects(const struct message *message, const void *body, char text[static AUDIT_SIZE]) {
	for (size_t i = 0; i < message->n_fields; i++) {
		size_t used = strlen(text);
		const char *id; // or a message
		int size;

		if (message->fields[i].kind != FIELD_ID && message->fields[i].kind != FIELD_ONE)
			continue;
		memcpy(&id, (const char *)body + message->fields[i].offset, sizeof(id));
		if (id == NULL)
			continue;
		if (message->fields[i].kind == FIELD_ONE) {
			name_objects(message->fields[i].element, id, text);
			continue;
		}
		size = snprintf(text + used, AUDIT_SIZE - used, " %s=%s", message->fields[i].name, id);
		if (used + (size_t)size >= AUDIT_SIZE)
			return;
	}
}

void peer_audit(const struct peer *peer, const struct request_info *request, const void *body, int rc,
                const struct status *status) {
	char objects[AUDIT_SIZE] = "";

	if (request->role != ROLE_ADMIT && request->role != ROLE_ADMIN)
		return;
	if (body != NULL)
		name_objects(request->request, body, objects);
	if (rc < 0)
		log_info("audit: %s: %s%s: %s: %s", peer->name, request->name, objects,
		         status->code == STATUS_OK ? "INTERNAL" : status_name(status->code), status->message);
	else
		log_info("audit: %s: %s%s: done", peer->name, request->name, objects);
}
