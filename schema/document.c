// A parsed map, its memory, and what texts it may hold. MessagePack's bytes were looked at by frame.c when msgpack-c
// builds the tree; JSON makes the same tree (json.c).
// SPDX-License-Identifier: MIT
#include "document.h"

#include "frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int document_new(struct document **ret) {
	struct document *document = calloc(1, sizeof(*document));

	if (document == NULL)
		return -ENOMEM;
	if (!msgpack_zone_init(&document->zone, MSGPACK_ZONE_CHUNK_SIZE)) {
		free(document);
		return -ENOMEM;
	}
	*ret = document;
	return 0;
}

void document_close(struct document *document) {
	if (document == NULL)
		return;
	msgpack_zone_destroy(&document->zone);
	free(document);
}

void *document_alloc(struct document *document, size_t size) {
	return msgpack_zone_malloc(&document->zone, size > 0 ? size : 1);
}

static void close_adopted(void *other) {
	document_close(other);
}

int document_adopt(struct document *document, struct document *other) {
	if (msgpack_zone_push_finalizer(&document->zone, close_adopted, other))
		return 0;
	document_close(other);
	return -ENOMEM;
}

int document_from_msgpack(const void *data, size_t size, struct document **ret, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	msgpack_unpack_return result;
	size_t offset = 0;
	char *copy;
	int rc;

	if ((rc = frame_check(data, size, status)) < 0)
		return rc;
	if ((rc = document_new(&document)) < 0)
		return rc;
	// Strings of the tree point into the bytes that were unpacked, so those are the document's own.
	copy = document_alloc(document, size);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, data, size);
	result = msgpack_unpack(copy, size, &offset, &document->zone, &document->root);
	if (result == MSGPACK_UNPACK_NOMEM_ERROR)
		return -ENOMEM;
	if (result != MSGPACK_UNPACK_SUCCESS && result != MSGPACK_UNPACK_EXTRA_BYTES)
		return status_set(status, STATUS_INVALID_ARGUMENT, "not MessagePack");
	if (document->root.type != MSGPACK_OBJECT_MAP)
		return status_set(status, STATUS_INVALID_ARGUMENT, "not a map");

	*ret = document;
	document = NULL;
	return 0;
}

// ---- texts

// Length of the UTF-8 sequence at 'text', 0 when it is none (RFC 3629: shortest form, no surrogates).
static size_t utf8_length(const uint8_t *text, size_t left, uint32_t *ret) {
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = text[0] < 0x80       ? 1
	                : text[0] >> 5 == 6  ? 2
	                : text[0] >> 4 == 14 ? 3
	                : text[0] >> 3 == 30 ? 4
	                                     : 0;
	uint32_t code;

	if (length == 0 || length > left)
		return 0;
	code = length == 1 ? text[0] : text[0] & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if (text[i] >> 6 != 2)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret = code;
	return length;
}

const char *text_fault(const char *text, size_t size, bool is_id) {
	if (is_id && size == 0)
		return "must not be empty";
	if (size > (is_id ? (size_t)LIMIT_ID_SIZE : (size_t)LIMIT_TEXT_SIZE))
		return is_id ? "longer than 255 bytes" : "longer than 65536 bytes";
	for (size_t at = 0; at < size;) {
		uint32_t code = 0;
		size_t length = utf8_length((const uint8_t *)text + at, size - at, &code);

		if (length == 0 || code == 0)
			return "not UTF-8 text";
		if (is_id && (code < 0x20 || (code >= 0x7f && code <= 0x9f)))
			return "holds a control character";
		at += length;
	}
	return NULL;
}

bool id_is_valid(const char *id) {
	return text_fault(id, strlen(id), true) == NULL;
}
