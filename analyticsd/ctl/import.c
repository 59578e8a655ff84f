// import: a CSV file into the history of links (here) or of a port (import_port.c), all or nothing. The file is read
// twice: first every row is checked, and analyticsd is asked whether it would take each series; then the rows are sent,
// in requests that are parts of one upload.
// SPDX-License-Identifier: MIT
#include "clock.h"
#include "commands.h"
#include "import_port.h"
#include "import_report.h"
#include "kpifile.h"
#include "linkmap.h"
#include "options.h"
#include "progress.h"
#include "series.h"
#include "upload.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

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
	struct port_name port;  // with a name: the file is a port's
	int values;             // of portfile_values, or -1
};

static const char *const value_words[] = {[PORTFILE_COUNTERS] = "counters", [PORTFILE_COUNTS] = "counts"};
static const struct choices value_choices = {"values", value_words, 2};

static const struct command_option options[] = {
        {"link", 'l', "ID", "the link that the file is of (default: the file's column 'link')", VALUE_ID,
         TO(import_arguments, link)},
        {"direction", 'd', "WORD", "forward or reverse (default: the column 'direction', else forward)",
         VALUE_CHOICE, TO(import_arguments, direction), .choices = &directions_choices},
        {"map", 'm', "FILE.csv", "columns name,link,direction: what the names in column 'link' stand for",
         VALUE_TEXT, TO(import_arguments, map_path)},
        {"kpi", 'k', "NUMBER", "301 total, 302 used capacity (default)", VALUE_NUMBER,
         TO(import_arguments, kpi), .min = 301, .max = 302},
        {"port", 'p', "HOST/NAME", "the port whose counters the file has", VALUE_PORT,
         TO(import_arguments, port)},
        {"values", 0, "WORD",
         "with --port: counters (default), or counts: each number is what was counted since the row before",
         VALUE_CHOICE, TO(import_arguments, values), .choices = &value_choices},
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
	if (arguments->port.name != NULL && (arguments->link != NULL || arguments->map_path != NULL ||
	                                     arguments->direction >= 0 || arguments->column != NULL))
		argp_error(state, "--port: --link, --map, --direction and --column are of links");
	if (arguments->port.name == NULL && arguments->values >= 0)
		argp_error(state, "--values belongs to --port");
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
	bool planning; // first pass: rows are checked and requests counted, nothing is sent
	size_t n_parts;
	struct upload upload;
	size_t n_rows, n_sent, n_buffered;
	int64_t oldest_ns, newest_ns, shift_ns;
	struct kpi_appended appended; // what the last request says of all
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

// ---- requests

static int append(struct import *import, const struct series *series, const struct kpi_append *part,
                  struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct kpi_append request = *part;

	request.link_id = series->link;
	request.direction = series->direction;
	request.kpi = import->arguments->kpi;
	return ctl_call(import->ctl, OP_APPEND_KPI, &request, &import->appended, &document, status);
}

static int send_part(struct import *import, struct series *series, struct status *status) {
	struct kpi_append request = {.samples = series->points, .n_samples = series->n_points};
	int rc;

	if (upload_next(&import->upload)) {
		request.upload_id = import->upload.id;
		SET(&request, kpi_append, part, import->upload.part);
		SET(&request, kpi_append, parts, import->upload.parts);
	}
	if ((rc = append(import, series, &request, status)) < 0)
		return rc;
	import->n_sent += series->n_points;
	progress_update(&import->progress, clock_mono_ns(), import->n_sent, import->n_rows);
	return 0;
}

static int flush_series(struct import *import, struct series *series, struct status *status) {
	int rc = 0;

	if (series->n_points == 0)
		return 0;
	if (import->planning)
		import->n_parts++;
	else
		rc = send_part(import, series, status);
	import->n_buffered -= series->n_points;
	series->n_points = 0;
	return rc;
}

static int flush_all(struct import *import, struct status *status) {
	int rc;

	for (struct series *series = import->series.first; series != NULL; series = series->next) {
		if ((rc = flush_series(import, series, status)) < 0)
			return rc;
	}
	return 0;
}

static void note_time(struct import *import, int64_t ts_ns) {
	if (import->n_rows == 0 || ts_ns > import->newest_ns)
		import->newest_ns = ts_ns;
	if (import->n_rows == 0 || ts_ns < import->oldest_ns)
		import->oldest_ns = ts_ns;
	import->n_rows++;
}

// In both passes the same, so that the first one knows how many requests the second one takes.
static int take_row(void *context, const struct kpi_row *row, struct status *status) {
	struct import *import = context;
	struct kpi_point point = {row->ts_ns + import->shift_ns, row->value};
	struct series *series = NULL;
	int rc;

	if (!is_wanted(import, row))
		return 0;
	if ((rc = find_series(import, row, &series, status)) < 0)
		return rc;
	assert(series != NULL);
	if (import->planning) {
		note_time(import, row->ts_ns);
		series->n_points++;
	} else if ((rc = series_add_point(series, &point)) < 0) {
		return rc;
	}
	import->n_buffered++;
	if (series->n_points == LIMIT_KPI_SAMPLES)
		return flush_series(import, series, status);
	return import->n_buffered == BUFFERED_POINTS ? flush_all(import, status) : 0;
}

static int read_file(struct import *import, struct status *status) {
	const struct import_arguments *arguments = import->arguments;
	const char *column = arguments->column != NULL ? arguments->column : "value";
	int rc = kpifile_read(arguments->path, column, arguments->scale, take_row, import, status);

	return rc == 0 ? flush_all(import, status) : rc;
}

// An empty AppendKpi is answered as a full one would be, but changes nothing.
static int check_links(struct import *import, struct status *status) {
	const struct kpi_append nothing = {0};
	int rc;

	for (struct series *series = import->series.first; series != NULL; series = series->next) {
		if ((rc = append(import, series, &nothing, status)) < 0) {
			status_prefix(status, "%s: ", import->arguments->path);
			return rc;
		}
	}
	return 0;
}

static int check_file(struct import *import, struct status *status) {
	const struct import_arguments *arguments = import->arguments;
	int rc;

	import->planning = true;
	if ((rc = import_check_path(arguments->path, status)) < 0 || (rc = read_file(import, status)) < 0)
		return rc;
	import->planning = false;
	if (import->n_rows == 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: no row is in the range asked for",
		                  arguments->path);
	if (arguments->end_ns != END_AS_IS)
		import->shift_ns = arguments->end_ns - import->newest_ns;
	if ((rc = import_check_newest(import->ctl, arguments->path, import->newest_ns + import->shift_ns,
	                              status)) < 0)
		return rc;
	return check_links(import, status);
}

static int import_links(struct import *import, struct status *status) {
	struct import_report report;
	int rc;

	if (import->arguments->map_path != NULL &&
	    (rc = linkmap_read(import->arguments->map_path, &import->map, status)) < 0)
		return rc;
	if ((rc = check_file(import, status)) < 0 ||
	    (rc = upload_begin(&import->upload, import->n_parts, status)) < 0 ||
	    (rc = read_file(import, status)) < 0)
		return rc;
	progress_fini(&import->progress);
	report = (struct import_report){
	        .rows = (int64_t)import->n_rows,
	        .series = (int64_t)import->series.n,
	        .stored = import->appended.stored,
	        .known = import->appended.known,
	        .conflicting = import->appended.conflicting,
	        .from_ns = import->oldest_ns + import->shift_ns,
	        .to_ns = import->newest_ns + import->shift_ns,
	};
	return import_print(import->ctl, &report);
}

int command_import(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(import_fini) struct import import = {.ctl = ctl};
	struct import_arguments arguments = {.direction = -1,
	                                     .kpi = 302,
	                                     .scale = 1,
	                                     .end_ns = END_AS_IS,
	                                     .from_ns = INT64_MIN,
	                                     .to_ns = INT64_MAX,
	                                     .values = -1};

	options_parse(ctl, &import_form, argc, argv, &arguments);
	if (arguments.port.name != NULL) {
		const struct import_port of_port = {
		        .path = arguments.path,
		        .port = &arguments.port,
		        .options = {arguments.from_ns, arguments.to_ns, arguments.values},
		        .is_moved = arguments.end_ns != END_AS_IS,
		        .end_ns = arguments.end_ns};

		return import_port(ctl, &of_port, status);
	}
	import.arguments = &arguments;
	progress_init(&import.progress, clock_mono_ns());
	return import_links(&import, status);
}
