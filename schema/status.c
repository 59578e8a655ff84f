// Failures with a canonical code and a message for people.
// SPDX-License-Identifier: MIT
#include "status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	const char *help;
} codes[] = {
#define STATUS(NAME, HELP) {#NAME, HELP},
#include "status.def"
#undef STATUS
};

static const int errnos[N_STATUS_CODES] = {
        [STATUS_INVALID_ARGUMENT] = EINVAL,
        [STATUS_NOT_FOUND] = ENOENT,
        [STATUS_FAILED_PRECONDITION] = EBUSY,
        [STATUS_ALREADY_EXISTS] = EEXIST,
        [STATUS_ABORTED] = EAGAIN,
        [STATUS_RESOURCE_EXHAUSTED] = ENOBUFS,
        [STATUS_UNAVAILABLE] = EHOSTUNREACH,
        [STATUS_DEADLINE_EXCEEDED] = ETIMEDOUT,
        [STATUS_PERMISSION_DENIED] = EACCES,
        [STATUS_UNIMPLEMENTED] = ENOSYS,
        [STATUS_INTERNAL] = EIO,
};

const char *status_name(enum status_code code) {
	return code < N_STATUS_CODES ? codes[code].name : "INTERNAL";
}

const char *status_help(enum status_code code) {
	return codes[code].help;
}

enum status_code status_from_name(const char *name) {
	for (int code = 0; code < N_STATUS_CODES; code++) {
		if (strcmp(name, codes[code].name) == 0)
			return (enum status_code)code;
	}
	return STATUS_INTERNAL;
}

// A message that was cut to fit must not end in the middle of a character: it goes into a reply as UTF-8.
static void trim_to_character(char *text) {
	size_t size = strlen(text), start = size;

	while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start == 0)
		return;
	start--;
	if (((unsigned char)text[start] >= 0xf0 && size - start < 4) ||
	    ((unsigned char)text[start] >= 0xe0 && size - start < 3) ||
	    ((unsigned char)text[start] >= 0xc0 && size - start < 2))
		text[start] = '\0';
}

int status_set(struct status *status, enum status_code code, const char *format, ...) {
	va_list arguments;

	if (status != NULL) {
		status->code = code;
		status->link_id[0] = '\0';
		va_start(arguments, format);
		vsnprintf(status->message, sizeof(status->message), format, arguments);
		va_end(arguments);
		trim_to_character(status->message);
	}
	return -errnos[code];
}

void status_name_link(struct status *status, const char *link_id, int direction) {
	if (status == NULL || link_id == NULL)
		return;
	snprintf(status->link_id, sizeof(status->link_id), "%s", link_id);
	status->direction = direction;
}

void status_prefix(struct status *status, const char *format, ...) {
	char text[2 * STATUS_MESSAGE_SIZE];
	va_list arguments;
	int used;

	va_start(arguments, format);
	used = vsnprintf(text, STATUS_MESSAGE_SIZE, format, arguments);
	va_end(arguments);
	if (used < 0 || used >= STATUS_MESSAGE_SIZE)
		return;
	snprintf(text + used, sizeof(text) - (size_t)used, "%s", status->message);
	snprintf(status->message, sizeof(status->message), "%.*s", STATUS_MESSAGE_SIZE - 1, text);
	trim_to_character(status->message);
}
