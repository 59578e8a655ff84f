// Exact text of times and numbers.
// SPDX-License-Identifier: MIT
#include "csvtext.h"

#include "clock.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *csv_from_time(int64_t time_ns, char text[static CSV_NUMBER_SIZE]) {
	int64_t seconds = time_ns / NS_PER_SECOND, fraction = time_ns % NS_PER_SECOND;
	size_t used;

	if (time_ns < 0)
		return text_from_time_ns(time_ns, text); // Unix times before 1970 are not read
	if (fraction == 0) {
		snprintf(text, CSV_NUMBER_SIZE, "%" PRId64, seconds);
		return text;
	}
	snprintf(text, CSV_NUMBER_SIZE, "%" PRId64 ".%09" PRId64, seconds, fraction);
	for (used = strlen(text); text[used - 1] == '0'; used--)
		text[used - 1] = '\0';
	return text;
}

const char *csv_from_real(double value, char text[static CSV_NUMBER_SIZE]) {
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, CSV_NUMBER_SIZE, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return text;
}

void csv_write_text(FILE *file, const char *text) {
	if (strpbrk(text, ",\"\r\n") == NULL) {
		fputs(text, file);
		return;
	}
	putc('"', file);
	for (; *text != '\0'; text++) {
		if (*text == '"')
			putc('"', file);
		putc(*text, file);
	}
	putc('"', file);
}
