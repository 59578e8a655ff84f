// Asking analyticsd, and the memory of what it answered.
// SPDX-License-Identifier: MIT
#include "ctl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void ctl_fini(struct ctl *ctl) {
	client_close(ctl->client);
}

// Is somebody there? Asked with a short patience, by a connection of its own.
static int probe(const char *endpoint, struct status *status) {
	CLEANUP(client_closep) struct client *client = NULL;
	CLEANUP(document_closep) struct document *document = NULL;
	struct empty nothing = {0};
	struct ping_reply reply;
	int rc;

	if ((rc = client_open(endpoint, CLIENT_TIMEOUT_MS, &client, status)) < 0)
		return rc;
	return client_call(client, OP_PING, &nothing, &reply, &document, status);
}

int ctl_call(struct ctl *ctl, enum op op, const void *request, void *reply, struct document **ret_document,
             struct status *status) {
	int rc;

	if (ctl->client == NULL) {
		if ((rc = probe(ctl->api, status)) < 0)
			return rc;
		if ((rc = client_open(ctl->api, CTL_TIMEOUT_MS, &ctl->client, status)) < 0)
			return rc;
	}
	return client_call(ctl->client, op, request, reply, ret_document, status);
}

int ctl_print_json(const struct message *message, const void *body) {
	CLEANUP(freep) char *text = NULL;
	int rc;

	if ((rc = message_to_json(message, body, true, &text)) < 0)
		return rc;
	puts(text);
	return 0;
}

int replies_keep(struct replies *replies, struct document *document) {
	struct document **moved = realloc(replies->documents, (replies->n + 1) * sizeof(struct document *));

	if (moved == NULL) {
		document_close(document);
		return -ENOMEM;
	}
	replies->documents = moved;
	replies->documents[replies->n++] = document;
	return 0;
}

void replies_fini(struct replies *replies) {
	for (size_t i = 0; i < replies->n; i++)
		document_close(replies->documents[i]);
	free(replies->documents);
	*replies = (struct replies){0};
}

int array_grow(void **array, size_t n, size_t n_more, size_t element_size) {
	void *moved = realloc(*array, (n + n_more) * element_size + 1);

	if (moved == NULL)
		return -ENOMEM;
	*array = moved;
	return 0;
}

int page_after(int64_t page, int64_t next, int64_t *ret, struct status *status) {
	if (next <= page) {
		(void)status_set(status, STATUS_INTERNAL,
		                 "page %" PRId64 " of a reply is followed by page %" PRId64, page, next);
		return -EBADMSG;
	}
	*ret = next;
	return 0;
}
