// Durations, times and numbers as people type them.
// SPDX-License-Identifier: MIT
#include "text.h"

#include "clock.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>

struct duration_case {
	char text[16];
	double seconds; // negative: refused
};

ParameterizedTestParameters(text, durations_read_with_and_without_units) {
	static struct duration_case cases[] = {
	        {"90s", 90},     {"15m", 900},    {"6h", 21600}, {"7d", 604800}, {"2w", 1209600},
	        {"100us", 1e-4}, {"250ms", 0.25}, {"0.5", 0.5},  {"0", 0},       {"", -1},
	        {"-1s", -1},     {"1x", -1},      {"s", -1},     {"1s ", -1},    {"1e3", -1},
	        {"nan", -1},     {"inf", -1},     {"1..2", -1},
	};
	return cr_make_param_array(struct duration_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct duration_case *c, text, durations_read_with_and_without_units) {
	double seconds = -1;
	int rc = text_to_seconds(c->text, &seconds);

	if (c->seconds < 0) {
		cr_assert_lt(rc, 0, "'%s' was taken as %g", c->text, seconds);
		cr_assert_eq(seconds, -1, "'ret' was touched");
	} else {
		cr_assert_eq(rc, 0, "'%s' was refused", c->text);
		cr_assert_float_eq(seconds, c->seconds, 1e-12);
	}
}

struct time_case {
	char text[40];
	int64_t time_ns; // INT64_MIN: refused
};

ParameterizedTestParameters(text, times_read_in_every_documented_form) {
	static struct time_case cases[] = {
	        {"2004-03-01T00:00:00Z", 1078099200 * NS_PER_SECOND},
	        {"2004-03-01T01:00:00+01:00", 1078099200 * NS_PER_SECOND},
	        {"2004-02-29T23:59:59.5Z", 1078099200 * NS_PER_SECOND - 500 * NS_PER_MS},
	        {"1078099200", 1078099200 * NS_PER_SECOND},
	        {"1078099200.25", 1078099200 * NS_PER_SECOND + 250 * NS_PER_MS},
	        {"1078099200123456789", INT64_C(1078099200123456789)},
	        {"now", 1000},
	        {"+6h", 1000 + 21600 * NS_PER_SECOND},
	        {"-90s", 1000 - 90 * NS_PER_SECOND},
	        {"1078099200123", INT64_MIN}, // milliseconds
	        {"1078099200123456", INT64_MIN},
	        {"2003-02-29T00:00:00Z", INT64_MIN},
	        {"2004-13-01T00:00:00Z", INT64_MIN},
	        {"2004-03-01T24:00:00Z", INT64_MIN},
	        {"2004-03-01T00:00:00", INT64_MIN},
	        {"2004-03-01", INT64_MIN},
	        {"yesterday", INT64_MIN},
	        {"", INT64_MIN},
	        {"+", INT64_MIN},
	        {"99999999999999999999", INT64_MIN},
	};
	return cr_make_param_array(struct time_case, cases, sizeof(cases) / sizeof(cases[0]));
}

ParameterizedTest(struct time_case *c, text, times_read_in_every_documented_form) {
	int64_t time_ns = INT64_MIN;
	int rc = text_to_time_ns(c->text, 1000, &time_ns);

	cr_assert_eq(rc < 0, c->time_ns == INT64_MIN, "'%s': rc %d", c->text, rc);
	cr_assert_eq(time_ns, c->time_ns, "'%s' gave %ld", c->text, (long)time_ns);
}

Test(text, a_printed_time_reads_back_as_itself) {
	const int64_t times[] = {
	        0, 1078099200 * NS_PER_SECOND, INT64_C(1795304448123456789), 1000, -NS_PER_SECOND, 1};
	char text[TIME_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		int64_t again = -1;

		cr_assert_eq(text_to_time_ns(text_from_time_ns(times[i], text), 0, &again), 0, "%s", text);
		cr_assert_eq(again, times[i], "%s", text);
	}
}

Test(text, durations_print_in_their_largest_even_unit) {
	char text[DURATION_TEXT_SIZE];

	cr_assert_str_eq(text_from_seconds(604800, text), "1 w");
	cr_assert_str_eq(text_from_seconds(86400, text), "1 d");
	cr_assert_str_eq(text_from_seconds(5400, text), "90 min");
	cr_assert_str_eq(text_from_seconds(90, text), "90 s");
	cr_assert_str_eq(text_from_seconds(0.25, text), "250 ms");
	cr_assert_str_eq(text_from_seconds(90.5, text), "1.51 min");
}

Test(text, numbers_are_whole_or_refused) {
	uint64_t u = 7;
	int64_t i = 7;
	double d = 7;

	cr_assert_eq(text_to_u64("18446744073709551615", &u), 0);
	cr_assert_eq(u, UINT64_MAX);
	cr_assert_eq(text_to_u64("18446744073709551616", &u), -ERANGE);
	cr_assert_eq(text_to_u64("-1", &u), -EINVAL);
	cr_assert_eq(text_to_u64("0x10", &u), -EINVAL);
	cr_assert_eq(text_to_i64("-5", &i), 0);
	cr_assert_eq(i, -5);
	cr_assert_eq(text_to_i64("5 ", &i), -EINVAL);
	cr_assert_eq(text_to_real("1e400", &d), -ERANGE);
	cr_assert_eq(text_to_real("nan", &d), -EINVAL);
	cr_assert_eq(text_to_real("0x1p3", &d), -EINVAL);
	cr_assert_eq(text_to_real("-2.5e3", &d), 0);
	cr_assert_float_eq(d, -2500, 0);
}
