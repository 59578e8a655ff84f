// Any bytes at the door: refused with a reason, or read as what they say they are. What was read can be
// encoded, and that reads as the same again. Input that starts with '{' is JSON, all else MessagePack.
// SPDX-License-Identifier: MIT
#include "codec.h"

#include "fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Encoding must be a fixed point: encode(decode(encode(body))) == encode(body).
static void check_round_trip(const struct message *message, const void *body) {
	CLEANUP(document_closep) struct document *document = NULL;
	CLEANUP(bytes_fini) struct bytes first = {0};
	CLEANUP(bytes_fini) struct bytes second = {0};
	CLEANUP(freep) void *again = malloc(message->size);
	struct status status;

	FUZZ_CHECK(again != NULL && message_encode(message, body, &first) == 0);
	FUZZ_CHECK(document_from_msgpack(first.data, first.size, &document, &status) == 0);
	FUZZ_CHECK(document_read(document, message, again, &status) == 0);
	FUZZ_CHECK(message_encode(message, again, &second) == 0);
	FUZZ_CHECK(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
}

static void check_json(const struct message *message, const void *body) {
	CLEANUP(document_closep) struct document *document = NULL;
	CLEANUP(freep) char *text = NULL;
	struct status status;

	FUZZ_CHECK(message_to_json(message, body, false, &text) == 0);
	FUZZ_CHECK(document_from_json(text, strlen(text), &document, &status) == 0);
}

static void try_message(struct document *document, const struct message *message) {
	CLEANUP(freep) void *body = malloc(message->size);
	struct status status = {0};
	int rc;

	FUZZ_CHECK(body != NULL);
	rc = document_read(document, message, body, &status);
	if (rc < 0) {
		FUZZ_CHECK(rc == -EINVAL && status.code == STATUS_INVALID_ARGUMENT);
		FUZZ_CHECK(status.message[0] != '\0');
		return;
	}
	check_round_trip(message, body);
	check_json(message, body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct status status = {0};
	int rc = size > 0 && data[0] == '{' ? document_from_json((const char *)data, size, &document, &status)
	                                    : document_from_msgpack(data, size, &document, &status);

	if (rc < 0) {
		FUZZ_CHECK(rc == -EINVAL && status.message[0] != '\0');
		return 0;
	}
	for (size_t i = 0; i < n_messages; i++)
		try_message(document, messages[i]);
	return 0;
}
