// Parsing and printing of durations, times and numbers; strict, so that a typing error is never a value.
// SPDX-License-Identifier: MIT
#include "text.h"

#include "clock.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int text_to_u64(const char *text, uint64_t *ret) {
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end != '\0')
		return -EINVAL;
	if (errno != 0)
		return -ERANGE;
	*ret = value;
	return 0;
}

int text_to_i64(const char *text, int64_t *ret) {
	long long value;
	char *end;

	if (!isdigit((unsigned char)text[text[0] == '-']))
		return -EINVAL;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (*end != '\0')
		return -EINVAL;
	if (errno != 0)
		return -ERANGE;
	*ret = value;
	return 0;
}

// strtod alone takes hexadecimal, "nan" and leading blanks: none of them is a number that somebody meant.
int text_to_real(const char *text, double *ret) {
	double value;
	char *end;

	if (text[0] == '\0' || text[strspn(text, "+-.0123456789eE")] != '\0')
		return -EINVAL;
	errno = 0;
	value = strtod(text, &end);
	if (end == text || *end != '\0')
		return -EINVAL;
	if (!isfinite(value))
		return -ERANGE;
	*ret = value;
	return 0;
}

static const struct unit {
	char suffix[4];
	char shown[4];
	double seconds;
} units[] = {
        {"us", "us", 1e-6}, {"ms", "ms", 1e-3}, {"s", "s", 1},      {"m", "min", 60},
        {"h", "h", 3600},   {"d", "d", 86400},  {"w", "w", 604800},
};

#define N_UNITS (sizeof(units) / sizeof(units[0]))

int text_to_seconds(const char *text, double *ret) {
	size_t digits = strspn(text, ".0123456789");
	char number[32];
	double value, scale = 1;
	int rc;

	if (digits == 0 || digits >= sizeof(number))
		return -EINVAL;
	if (text[digits] != '\0') {
		size_t i = 0;

		while (i < N_UNITS && strcmp(text + digits, units[i].suffix) != 0)
			i++;
		if (i == N_UNITS)
			return -EINVAL;
		scale = units[i].seconds;
	}
	memcpy(number, text, digits);
	number[digits] = '\0';
	if ((rc = text_to_real(number, &value)) < 0)
		return rc;
	*ret = value * scale;
	return 0;
}

// Days since 1970-01-01 of a Gregorian date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
static int64_t days_from_date(int64_t year, int64_t month, int64_t day) {
	int64_t era, year_of_era, day_of_year;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = year - era * 400;
	day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static int days_in_month(int year, int month) {
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

// Up to nine digits after the point; more would be finer than the clock.
static int parse_fraction(const char **text, int64_t *ret) {
	int64_t value = 0;
	int digits = 0;

	if (**text != '.') {
		*ret = 0;
		return 0;
	}
	for ((*text)++; isdigit((unsigned char)**text); (*text)++, digits++) {
		if (digits == 9)
			return -EINVAL;
		value = value * 10 + (**text - '0');
	}
	if (digits == 0)
		return -EINVAL;
	for (; digits < 9; digits++)
		value *= 10;
	*ret = value;
	return 0;
}

static int parse_rfc3339(const char *text, int64_t *ret) {
	int year, month, day, hour, minute, second, used = 0, offset = 0;
	int64_t fraction, seconds;

	if (sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &year, &month, &day, &hour, &minute, &second,
	           &used) != 6 ||
	    used != 19)
		return -EINVAL;
	text += used;
	if (year < 1678 || year > 2261 || month < 1 || month > 12 || day < 1 ||
	    day > days_in_month(year, month) || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
	    second < 0 || second > 60)
		return -EINVAL;
	if (parse_fraction(&text, &fraction) < 0)
		return -EINVAL;
	if (*text == '+' || *text == '-') {
		int hours, minutes;

		if (sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || used != 5 ||
		    text[6] != '\0' || hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
			return -EINVAL;
		offset = (hours * 60 + minutes) * (*text == '-' ? -60 : 60);
	} else if (strcasecmp(text, "z") != 0) {
		return -EINVAL;
	}
	seconds = days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset;
	*ret = seconds * NS_PER_SECOND + fraction;
	return 0;
}

// Nanoseconds have had so many digits since 1973.
#define NS_DIGITS 17

int text_to_time_ns(const char *text, int64_t now_ns, int64_t *ret) {
	size_t digits = strspn(text, "0123456789");
	double seconds;
	int64_t whole, fraction;
	const char *rest;
	int rc;

	if (strcmp(text, "now") == 0) {
		*ret = now_ns;
		return 0;
	}
	if (text[0] == '+' || text[0] == '-') {
		if ((rc = text_to_seconds(text + 1, &seconds)) < 0)
			return rc;
		if (seconds > 1e9)
			return -ERANGE;
		*ret = now_ns + (int64_t)llround((text[0] == '-' ? -seconds : seconds) * 1e9);
		return 0;
	}
	if (digits >= NS_DIGITS && text[digits] == '\0')
		return text_to_i64(text, ret);
	if (digits == 0 || digits > 11 || (text[digits] != '\0' && text[digits] != '.'))
		return parse_rfc3339(text, ret);

	whole = strtoll(text, NULL, 10);
	rest = text + digits;
	if (parse_fraction(&rest, &fraction) < 0 || *rest != '\0')
		return -EINVAL;
	if (whole > INT64_MAX / NS_PER_SECOND - 1)
		return -ERANGE;
	*ret = whole * NS_PER_SECOND + fraction;
	return 0;
}

const char *text_from_time_ns(int64_t time_ns, char text[static TIME_TEXT_SIZE]) {
	int64_t fraction = time_ns % NS_PER_SECOND;
	time_t seconds = (time_t)(time_ns / NS_PER_SECOND);
	struct tm tm;
	size_t used;

	if (fraction < 0) {
		fraction += NS_PER_SECOND;
		seconds--;
	}
	gmtime_r(&seconds, &tm);
	used = strftime(text, TIME_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	if (fraction == 0)
		snprintf(text + used, TIME_TEXT_SIZE - used, "Z");
	else if (fraction % 1000000 == 0)
		snprintf(text + used, TIME_TEXT_SIZE - used, ".%03" PRId64 "Z", fraction / 1000000);
	else if (fraction % 1000 == 0)
		snprintf(text + used, TIME_TEXT_SIZE - used, ".%06" PRId64 "Z", fraction / 1000);
	else
		snprintf(text + used, TIME_TEXT_SIZE - used, ".%09" PRId64 "Z", fraction);
	return text;
}

static bool divides_evenly(double seconds, const struct unit *unit) {
	double count = seconds / unit->seconds;

	return count >= 1 && count < 1000 && fabs(count - round(count)) <= 1e-9 * count;
}

const char *text_from_seconds(double seconds, char text[static DURATION_TEXT_SIZE]) {
	size_t i = N_UNITS - 1;

	while (i > 0 && !divides_evenly(seconds, &units[i]))
		i--;
	if (i == 0 && seconds != 0) {
		i = N_UNITS - 1;
		while (i > 0 && seconds < units[i].seconds)
			i--;
	}
	snprintf(text, DURATION_TEXT_SIZE, "%.3g %s", seconds / units[i].seconds, units[i].shown);
	return text;
}
