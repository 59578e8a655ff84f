// hex.h: bytes written as hex in a test, and a message decoded from them.
// SPDX-License-Identifier: MIT
#pragma once

#include "codec.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(ARRAY) (sizeof(ARRAY) / sizeof((ARRAY)[0]))

static inline int digit_value(int digit) {
	return isdigit(digit) ? digit - '0' : tolower(digit) - 'a' + 10;
}

// Hex digits, white space between them allowed.
static inline struct bytes bytes_from_hex(const char *hex) {
	struct bytes bytes = {calloc(strlen(hex) + 1, 1), 0};
	size_t digits = 0;

	cr_assert_not_null(bytes.data);
	for (; *hex != '\0'; hex++) {
		if (isspace((unsigned char)*hex))
			continue;
		cr_assert(isxdigit((unsigned char)*hex), "'%c' is no hex digit", *hex);
		bytes.data[digits / 2] |=
		        (uint8_t)(digit_value((unsigned char)*hex) << (digits % 2 == 0 ? 4 : 0));
		digits++;
	}
	bytes.size = digits / 2;
	return bytes;
}

static inline struct document *decode(struct bytes bytes) {
	struct document *document = NULL;
	struct status status = {0};
	int rc = document_from_msgpack(bytes.data, bytes.size, &document, &status);

	cr_assert_eq(rc, 0, "%s", status.message);
	return document;
}

static inline void read_as(struct document *document, const struct message *message, void *body) {
	struct status status = {0};
	int rc = document_read(document, message, body, &status);

	cr_assert_eq(rc, 0, "%s: %s", message->name, status.message);
}
