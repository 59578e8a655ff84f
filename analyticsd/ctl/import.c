// import: a CSV file into the history of links, all or nothing. The file is read twice: first every row is
// checked, and analyticsd is asked whether it would take each series; then the rows are sent.
// SPDX-License-Identifier: MIT
#include "clock.h"
#include "commands.h"
#include "kpifile.h"
#include "linkmap.h"
#include "options.h"
#include "progress.h"
#include "series.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define END_AS_IS       INT64_MIN
#define BUFFERED_POINTS 1000000 // of all series together, so that many interleaved series take little memory

struct import_arguments {
	const char *path;
	const char *link;
	int direction; // -1: not given
	int64_t kpi;
	const char *column;
	const char *map_path;
	double scale;
	int64_t end_ns;         // END_AS_IS: times stay
	int64_t from_ns, to_ns; // of the file's own times
};

static const struct command_option options[] = {
        {"link", 'l', "ID", "the link that the file is of (default: the file's column 'link')", VALUE_ID,
         TO(import_arguments, link)},
        {"direction", 'd', "WORD", "forward or reverse (default: the column 'direction', else forward)",
         VALUE_CHOICE, TO(import_arguments, direction), .choices = &directions_choices},
        {"map", 'm', "FILE.csv", "columns name,link,direction: what the names in column 'link' stand for",
         VALUE_TEXT, TO(import_arguments, map_path)},
        {"kpi", 'k', "NUMBER", "301 total, 302 used capacity (default)", VALUE_NUMBER,
         TO(import_arguments, kpi), .min = 301, .max = 302},
        {"column", 'c', "NAME", "column of the values (default: value)", VALUE_TEXT,
         TO(import_arguments, column)},
        {"scale", 0, "NUMBER", "values times this are Gbps (default: 1)", VALUE_REAL,
         TO(import_arguments, scale), .min = 1e-30, .max = 1e30},
        {"end", 0, "TIME", "move all times so that the newest is TIME, such as now", VALUE_TIME,
         TO(import_arguments, end_ns)},
        {"from", 0, "TIME", "leave out what is before, by the file's times", VALUE_TIME,
         TO(import_arguments, from_ns)},
        {"to", 0, "TIME", "leave out what is not before, by the file's times", VALUE_TIME,
         TO(import_arguments, to_ns)},
        {0},
};

static const struct command_option arguments_of[] = {
        {"FILE.csv", 0, NULL, "with the names of its columns in the first row", VALUE_TEXT,
         TO(import_arguments, path), .required = true},
        {0},
};

static void check(const void *values, struct argp_state *state) {
	const struct import_arguments *arguments = values;

	if (arguments->link != NULL && arguments->map_path != NULL)
		argp_error(state, "--map names the links: --link can't be given too");
	if (arguments->direction >= 0 && arguments->map_path != NULL)
		argp_error(state, "--map names the directions: --direction can't be given too");
	if (arguments->from_ns >= arguments->to_ns)
		argp_error(state, "--from must be before --to");
}

const struct command_form import_form = {
        .options = options,
        .arguments = arguments_of,
        .doc = "Adds a CSV file to the history of links. Columns: timestamp_unix or timestamp, value, and, "
               "for "
               "several links in a file, link and direction. A file with a broken row is refused as a whole.",
        .check = check,
};

// ---- what is imported

struct import {
	struct ctl *ctl;
	const struct import_arguments *arguments;
	struct linkmap *map;
	struct series_set series;
	size_t n_rows, n_sent, n_buffered;
	int64_t oldest_ns, newest_ns, shift_ns;
	struct import_report report;
	struct progress progress;
};

static void import_fini(struct import *import) {
	series_set_fini(&import->series);
	linkmap_free(import->map);
	progress_fini(&import->progress);
}

static bool is_wanted(const struct import *import, const struct kpi_row *row) {
	return row->ts_ns >= import->arguments->from_ns && row->ts_ns < import->arguments->to_ns;
}

// The link and direction that a row's series stands for.
static int resolve(const struct import *import, const struct kpi_row *row, const char **ret_link,
                   int *ret_direction, struct status *status) {
	const struct import_arguments *arguments = import->arguments;

	if (import->map != NULL) {
		if (row->link == NULL)
			return status_set(status, STATUS_INVALID_ARGUMENT, "--map needs a column 'link'");
		if (linkmap_find(import->map, row->link, ret_link, ret_direction) < 0)
			return status_set(status, STATUS_INVALID_ARGUMENT, "'%.80s' is not in %s", row->link,
			                  arguments->map_path);
		return 0;
	}
	*ret_link = arguments->link != NULL ? arguments->link : row->link;
	if (*ret_link == NULL)
		return status_set(status, STATUS_INVALID_ARGUMENT, "no column 'link': say --link ID");
	if (!id_is_valid(*ret_link))
		return status_set(status, STATUS_INVALID_ARGUMENT, "'%.80s' is no link's id", *ret_link);
	*ret_direction = DIRECTION_FORWARD;
	if (arguments->direction >= 0)
		*ret_direction = arguments->direction;
	else if (row->direction != NULL &&
	         choice_find(&directions_choices, row->direction, ret_direction) < 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "'%.80s' is neither forward nor reverse",
		                  row->direction);
	return 0;
}

// With --link, all rows are of one link: a second series in one direction would only conflict with the first.
static int check_alone(const struct import *import, int direction, struct status *status) {
	for (const struct series *series = import->series.first; series != NULL; series = series->next) {
		if (series->direction == direction)
			return status_set(status, STATUS_INVALID_ARGUMENT,
			                  "another series than in the rows before, but --link names one");
	}
	return 0;
}

static int add_series(struct import *import, const char *key, const struct kpi_row *row, struct series **ret,
                      struct status *status) {
	const char *link;
	int direction, rc;

	if ((rc = resolve(import, row, &link, &direction, status)) < 0)
		return rc;
	if (import->arguments->link != NULL && (rc = check_alone(import, direction, status)) < 0)
		return rc;
	return series_add(&import->series, key, link, direction, ret);
}

static int find_series(struct import *import, const struct kpi_row *row, struct series **ret,
                       struct status *status) {
	bool by_direction = row->direction != NULL && import->map == NULL && import->arguments->direction < 0;
	char key[1024];
	int size = snprintf(key, sizeof(key), "%s\n%s", row->link != NULL ? row->link : "",
	                    by_direction ? row->direction : "");

	if (size < 0 || (size_t)size >= sizeof(key))
		return status_set(status, STATUS_INVALID_ARGUMENT, "a name of over 1000 bytes");
	*ret = series_find(&import->series, key);
	return *ret != NULL ? 0 : add_series(import, key, row, ret, status);
}

// ---- first pass: check

static int check_row(void *context, const struct kpi_row *row, struct status *status) {
	struct import *import = context;
	struct series *series;
	int rc;

	if (!is_wanted(import, row))
		return 0;
	if ((rc = find_series(import, row, &series, status)) < 0)
		return rc;
	if (import->n_rows == 0 || row->ts_ns > import->newest_ns)
		import->newest_ns = row->ts_ns;
	if (import->n_rows == 0 || row->ts_ns < import->oldest_ns)
		import->oldest_ns = row->ts_ns;
	import->n_rows++;
	return 0;
}

static int append(struct import *import, const struct series *series, struct kpi_point *points, size_t n,
                  struct kpi_appended *ret, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct kpi_append request = {.link_id = series->link,
	                             .direction = series->direction,
	                             .kpi = import->arguments->kpi,
	                             .samples = points,
	                             .n_samples = n};

	return ctl_call(import->ctl, OP_APPEND_KPI, &request, ret, &document, status);
}

// An empty AppendKpi is answered as a full one would be, but changes nothing.
static int check_links(struct import *import, struct status *status) {
	struct kpi_appended ignored;
	int rc;

	for (struct series *series = import->series.first; series != NULL; series = series->next) {
		if ((rc = append(import, series, NULL, 0, &ignored, status)) < 0) {
			status_prefix(status, "%s: ", import->arguments->path);
			return rc;
		}
	}
	return 0;
}

static int check_times(const struct import *import, struct status *status) {
	char newest[TIME_TEXT_SIZE];
	int64_t latest = import->ctl->now_ns + LIMIT_FUTURE_SECONDS * NS_PER_SECOND;

	if (import->newest_ns + import->shift_ns <= latest)
		return 0;
	return status_set(status, STATUS_INVALID_ARGUMENT, "the newest row, %s, is over %d s in the future",
	                  text_from_time_ns(import->newest_ns + import->shift_ns, newest),
	                  LIMIT_FUTURE_SECONDS);
}

static int check_file(struct import *import, struct status *status) {
	const struct import_arguments *arguments = import->arguments;
	struct stat file;
	int rc;

	if (stat(arguments->path, &file) == 0 && !S_ISREG(file.st_mode))
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: not a regular file; it is read twice",
		                  arguments->path);
	if ((rc = kpifile_read(arguments->path, arguments->column, arguments->scale, check_row, import,
	                       status)) < 0)
		return rc;
	if (import->n_rows == 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: no row is in the range asked for",
		                  arguments->path);
	if (arguments->end_ns != END_AS_IS)
		import->shift_ns = arguments->end_ns - import->newest_ns;
	rc = check_times(import, status);
	if (rc < 0)
		status_prefix(status, "%s: ", arguments->path);
	return rc < 0 ? rc : check_links(import, status);
}

// ---- second pass: send

static int flush_series(struct import *import, struct series *series, struct status *status) {
	struct kpi_appended appended;
	int rc;

	if (series->n_points == 0)
		return 0;
	if ((rc = append(import, series, series->points, series->n_points, &appended, status)) < 0)
		return rc;
	import->report.stored += appended.stored;
	import->report.known += appended.known;
	import->report.conflicting += appended.conflicting;
	import->n_sent += series->n_points;
	import->n_buffered -= series->n_points;
	series->n_points = 0;
	progress_update(&import->progress, clock_mono_ns(), import->n_sent, import->n_rows);
	return 0;
}

static int flush_all(struct import *import, struct status *status) {
	int rc;

	for (struct series *series = import->series.first; series != NULL; series = series->next) {
		if ((rc = flush_series(import, series, status)) < 0)
			return rc;
	}
	return 0;
}

static int send_row(void *context, const struct kpi_row *row, struct status *status) {
	struct import *import = context;
	struct series *series;
	struct kpi_point point;
	int rc;

	if (!is_wanted(import, row))
		return 0;
	point = (struct kpi_point){row->ts_ns + import->shift_ns, row->value};
	if ((rc = find_series(import, row, &series, status)) < 0 ||
	    (rc = series_add_point(series, &point)) < 0)
		return rc;
	import->n_buffered++;
	if (series->n_points == LIMIT_KPI_SAMPLES)
		return flush_series(import, series, status);
	return import->n_buffered == BUFFERED_POINTS ? flush_all(import, status) : 0;
}

static int send_file(struct import *import, struct status *status) {
	const struct import_arguments *arguments = import->arguments;
	int rc = kpifile_read(arguments->path, arguments->column, arguments->scale, send_row, import, status);

	if (rc == 0)
		rc = flush_all(import, status);
	if (rc < 0 && status->message[0] != '\0')
		status_prefix(status, "stopped after %zu of %zu rows: ", import->n_sent, import->n_rows);
	return rc;
}

static int print_report(const struct import *import) {
	const struct import_report *report = &import->report;
	char from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];

	if (import->ctl->json)
		return ctl_print_json(&import_report_message, report);
	printf("%" PRId64 " rows of %" PRId64 " series, %s to %s: %" PRId64 " stored, %" PRId64
	       " known already, %" PRId64 " conflicting\n",
	       report->rows, report->series, text_from_time_ns(report->from_ns, from),
	       text_from_time_ns(report->to_ns, to), report->stored, report->known, report->conflicting);
	return 0;
}

static int run(struct import *import, struct status *status) {
	int rc;

	if (import->arguments->map_path != NULL &&
	    (rc = linkmap_read(import->arguments->map_path, &import->map, status)) < 0)
		return rc;
	if ((rc = check_file(import, status)) < 0)
		return rc;
	import->report.rows = (int64_t)import->n_rows;
	import->report.series = (int64_t)import->series.n;
	import->report.from_ns = import->oldest_ns + import->shift_ns;
	import->report.to_ns = import->newest_ns + import->shift_ns;
	if ((rc = send_file(import, status)) < 0)
		return rc;
	progress_fini(&import->progress);
	return print_report(import);
}

int command_import(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(import_fini) struct import import = {.ctl = ctl};
	struct import_arguments arguments = {.direction = -1,
	                                     .kpi = 302,
	                                     .column = "value",
	                                     .scale = 1,
	                                     .end_ns = END_AS_IS,
	                                     .from_ns = INT64_MIN,
	                                     .to_ns = INT64_MAX};

	options_parse(ctl, &import_form, argc, argv, &arguments);
	import.arguments = &arguments;
	progress_init(&import.progress, clock_mono_ns());
	return run(&import, status);
}
