// text.h: durations, times and numbers as people type and read them.
// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TIME_TEXT_SIZE     36 // 2026-11-21T23:40:48.123456789Z and its NUL
#define DURATION_TEXT_SIZE 24

// A whole decimal number with nothing around it. Return 0, -EINVAL, or -ERANGE; 'ret' untouched on failure.
int text_to_u64(const char *text, uint64_t *ret);
int text_to_i64(const char *text, int64_t *ret);

// A finite number. Returns 0, -EINVAL (also for nan and inf), or -ERANGE.
int text_to_real(const char *text, double *ret);

// "90s", "15m", "6h", "7d", "2w", "100us", "250ms", or plain seconds ("0.5"). Not negative.
int text_to_seconds(const char *text, double *ret);

// RFC 3339 ("2026-11-21T23:40:48Z", offsets and fractions too), "now", "+6h" or "-6h" from 'now_ns', a Unix
// time in seconds (up to 11 digits, fractions allowed) or in nanoseconds (17 digits or more); what lies
// between, as milliseconds do, is refused.
int text_to_time_ns(const char *text, int64_t now_ns, int64_t *ret);

// RFC 3339 in UTC, with as many digits of the fraction as it has (0, 3, 6 or 9).
const char *text_from_time_ns(int64_t time_ns, char text[static TIME_TEXT_SIZE]);

// "90 s", "15 min", "6 h", "7 d": the largest unit that divides evenly, or three digits of the largest.
const char *text_from_seconds(double seconds, char text[static DURATION_TEXT_SIZE]);
