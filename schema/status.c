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

int status_set(struct status *status, enum status_code code, const char *format, ...) {
	va_list arguments;

	if (status != NULL) {
		status->code = code;
		va_start(arguments, format);
		vsnprintf(status->message, sizeof(status->message), format, arguments);
		va_end(arguments);
	}
	return -errnos[code];
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
}
