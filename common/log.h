// log.h: one line on stderr: what failed, on what, why. Only main functions, event loops and the plugin log.
// SPDX-License-Identifier: MIT
#pragma once

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

// 'program' starts each line and must outlive the process's logging. Default level: info.
void log_init(const char *program, enum log_level level);

// Any thread, at any time.
void log_set_level(enum log_level level);

// "error", "warning", "info" or "debug"; returns 0 or -EINVAL. 'ret' is untouched on failure.
int log_level_parse(const char *text, enum log_level *ret);

// Any thread; a line is written with one write(2), so lines never mix.
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)
