// Numbers and times for tables.
// SPDX-License-Identifier: MIT
#include "cells.h"

#include "clock.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>

const char *cell_gbps(bool present, double gbps, char text[static CELL_SIZE]) {
	if (!present)
		return NULL;
	snprintf(text, CELL_SIZE, fabs(gbps) >= 1000 ? "%.0f" : "%.4g", gbps);
	return text;
}

const char *cell_real(bool present, double value, char text[static CELL_SIZE]) {
	if (!present)
		return NULL;
	snprintf(text, CELL_SIZE, "%.6g", value);
	return text;
}

const char *cell_number(int64_t value, char text[static CELL_SIZE]) {
	snprintf(text, CELL_SIZE, "%" PRId64, value);
	return text;
}

const char *cell_count(uint64_t value, char text[static CELL_SIZE]) {
	snprintf(text, CELL_SIZE, "%" PRIu64, value);
	return text;
}

const char *cell_age(const struct ctl *ctl, int64_t time_ns, char text[static CELL_SIZE]) {
	char duration[DURATION_TEXT_SIZE];
	double seconds = round((double)(ctl->now_ns - time_ns) / (double)NS_PER_SECOND);

	if (time_ns == 0)
		return "never";
	if (seconds <= 0)
		return "now";
	snprintf(text, CELL_SIZE, "%s ago", text_from_seconds(seconds, duration));
	return text;
}

int cells_print(struct table *table, const char *title, size_t n_rows) {
	if (n_rows == 0) {
		printf("no %s\n", title);
		return 0;
	}
	return table_print(table, stdout);
}
