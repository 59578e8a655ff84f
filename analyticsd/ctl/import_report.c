// Checks and report of an import.
// SPDX-License-Identifier: MIT
#include "import_report.h"

#include "clock.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

int import_check_path(const char *path, struct status *status) {
	struct stat file;

	if (stat(path, &file) == 0 && !S_ISREG(file.st_mode))
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: not a regular file; it is read twice",
		                  path);
	return 0;
}

int import_check_newest(const struct ctl *ctl, const char *path, int64_t newest_ns, struct status *status) {
	char newest[TIME_TEXT_SIZE];

	if (newest_ns <= ctl->now_ns + LIMIT_FUTURE_SECONDS * NS_PER_SECOND)
		return 0;
	return status_set(status, STATUS_INVALID_ARGUMENT,
	                  "%s: the newest row, %s, is over %d s in the future", path,
	                  text_from_time_ns(newest_ns, newest), LIMIT_FUTURE_SECONDS);
}

int import_print(const struct ctl *ctl, const struct import_report *report) {
	char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];

	if (ctl->json)
		return ctl_print_json(&import_report_message, report);
	printf("%" PRId64 " rows of %" PRId64 " series, %s to %s: %" PRId64 " stored, %" PRId64
	       " known already, %" PRId64 " conflicting\n",
	       report->rows, report->series, text_from_time_ns(report->from_ns, from),
	       text_from_time_ns(report->to_ns, to), report->stored, report->known, report->conflicting);
	for (size_t i = 0; i < report->n_left_out; i++)
		printf("%s%s%s", i == 0 ? "columns without counters, left out: " : ", ", report->left_out[i],
		       i + 1 == report->n_left_out ? "\n" : "");
	return 0;
}
