// Log lines to stderr. Journald and a terminal both add what else is needed (time, unit).
// SPDX-License-Identifier: MIT
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warning", "info", "debug"};

static const char *log_program = "linkcast";
static _Atomic enum log_level log_threshold = LOG_LEVEL_INFO;

void log_init(const char *program, enum log_level level) {
	log_program = program;
	log_threshold = level;
}

void log_set_level(enum log_level level) {
	log_threshold = level;
}

int log_level_parse(const char *text, enum log_level *ret) {
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcmp(text, level_names[i]) == 0) {
			*ret = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_write(enum log_level level, const char *format, ...) {
	char line[1024];
	va_list arguments;
	int head, body;
	size_t size;

	if (level > log_threshold)
		return;

	head = snprintf(line, sizeof(line), "%s: %s: ", log_program, level_names[level]);
	if (head < 0 || (size_t)head >= sizeof(line))
		return;
	va_start(arguments, format);
	body = vsnprintf(line + head, sizeof(line) - (size_t)head, format, arguments);
	va_end(arguments);
	if (body < 0)
		return;

	size = (size_t)head + (size_t)body;
	if (size > sizeof(line) - 2)
		size = sizeof(line) - 2;
	line[size++] = '\n';
	if (write(STDERR_FILENO, line, size) < 0)
		return; // nowhere left to say so
}
