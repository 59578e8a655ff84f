// The walk over MessagePack's bytes before they are unpacked: every count is held against the bytes that are left,
// because a 5-byte array32 header alone makes msgpack-c allocate 128 GiB.
// SPDX-License-Identifier: MIT
#include "frame.h"

#include "message.h"

#include <errno.h>

struct cursor {
	const uint8_t *at;
	size_t left;
};

static int take(struct cursor *cursor, size_t size) {
	if (size > cursor->left)
		return -EBADMSG;
	cursor->at += size;
	cursor->left -= size;
	return 0;
}

static int take_length(struct cursor *cursor, size_t width, size_t *ret) {
	const uint8_t *at = cursor->at;

	if (take(cursor, width) < 0)
		return -EBADMSG;
	*ret = 0;
	for (size_t i = 0; i < width; i++)
		*ret = *ret << 8 | at[i];
	return 0;
}

// Reads the head of one element: skips its payload and tells how many elements are inside it.
static int take_element(struct cursor *cursor, size_t *ret_inside) {
	// Payload of 0xc0 to 0xdf: fixed sizes, or the width of a length that counts bytes, elements or
	// pairs.
	static const struct {
		uint8_t fixed, width, extra;
		enum { PLAIN, BYTES, ELEMENTS, PAIRS, BAD } kind;
	} heads[32] = {
	        {0, 0, 0, PLAIN},    {0, 0, 0, BAD},      {0, 0, 0, PLAIN}, {0, 0, 0, PLAIN},
	        {0, 1, 0, BYTES},    {0, 2, 0, BYTES},    {0, 4, 0, BYTES}, {0, 1, 1, BYTES},
	        {0, 2, 1, BYTES},    {0, 4, 1, BYTES},    {4, 0, 0, PLAIN}, {8, 0, 0, PLAIN},
	        {1, 0, 0, PLAIN},    {2, 0, 0, PLAIN},    {4, 0, 0, PLAIN}, {8, 0, 0, PLAIN},
	        {1, 0, 0, PLAIN},    {2, 0, 0, PLAIN},    {4, 0, 0, PLAIN}, {8, 0, 0, PLAIN},
	        {2, 0, 0, PLAIN},    {3, 0, 0, PLAIN},    {5, 0, 0, PLAIN}, {9, 0, 0, PLAIN},
	        {17, 0, 0, PLAIN},   {0, 1, 0, BYTES},    {0, 2, 0, BYTES}, {0, 4, 0, BYTES},
	        {0, 2, 0, ELEMENTS}, {0, 4, 0, ELEMENTS}, {0, 2, 0, PAIRS}, {0, 4, 0, PAIRS},
	};
	uint8_t head;
	size_t length = 0;

	*ret_inside = 0;
	if (cursor->left == 0)
		return -EBADMSG;
	head = *cursor->at;
	(void)take(cursor, 1);
	if (head < 0x80 || head >= 0xe0)
		return 0;
	if (head < 0x90) {
		*ret_inside = 2 * (size_t)(head & 0x0f);
		return 0;
	}
	if (head < 0xa0) {
		*ret_inside = head & 0x0f;
		return 0;
	}
	if (head < 0xc0)
		return take(cursor, head & 0x1f);

	head &= 0x1f;
	if (take_length(cursor, heads[head].width, &length) < 0)
		return -EBADMSG;
	switch (heads[head].kind) {
	case PLAIN:
		return take(cursor, heads[head].fixed);
	case BYTES:
		return take(cursor, length + heads[head].extra);
	case ELEMENTS:
		*ret_inside = length;
		return 0;
	case PAIRS:
		*ret_inside = 2 * length;
		return 0;
	case BAD:
		break;
	}
	return -EBADMSG;
}

// Every element takes at least one byte, so counts that fit in the bytes bound what unpacking allocates.
int frame_check(const uint8_t *data, size_t size, struct status *status) {
	struct cursor cursor = {data, size};
	size_t open[LIMIT_NESTING + 1] = {1}; // elements still to come at each level
	size_t depth = 0, inside;

	if (size > LIMIT_FRAME_SIZE)
		return status_set(status, STATUS_INVALID_ARGUMENT, "frame of %zu bytes: at most %d", size,
		                  LIMIT_FRAME_SIZE);
	for (;;) {
		while (open[depth] == 0) {
			if (depth == 0) {
				if (cursor.left > 0)
					return status_set(status, STATUS_INVALID_ARGUMENT,
					                  "%zu bytes behind the message", cursor.left);
				return 0;
			}
			depth--;
		}
		open[depth]--;
		if (take_element(&cursor, &inside) < 0)
			return status_set(status, STATUS_INVALID_ARGUMENT,
			                  "not MessagePack, or cut short at byte %zu", size - cursor.left);
		if (inside == 0)
			continue;
		if (inside > cursor.left)
			return status_set(status, STATUS_INVALID_ARGUMENT,
			                  "%zu elements announced at byte %zu, %zu bytes left", inside,
			                  size - cursor.left, cursor.left);
		if (depth == LIMIT_NESTING)
			return status_set(status, STATUS_INVALID_ARGUMENT, "nested deeper than %d",
			                  LIMIT_NESTING);
		open[++depth] = inside;
	}
}
