// Counters of a CSV file, in two passes: what its columns are shows only at its end.
// SPDX-License-Identifier: MIT
#include "portfile.h"

#include "ctl.h"
#include "text.h"
#include "timefile.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FALLS_IN_TEN  1 // of ten rows that a port's resets might explain
#define FNV_BASIS     UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME     UINT64_C(0x100000001b3)
#define MIN_FOR_FALLS 10

static void digest(uint64_t *state, const void *data, size_t size) { // FNV-1a
	for (size_t i = 0; i < size; i++)
		*state = (*state ^ ((const uint8_t *)data)[i]) * FNV_PRIME;
}

void portfile_close(struct portfile *file) {
	if (file == NULL)
		return;
	for (size_t i = N_PORT_COUNTERS; i < file->n_names; i++)
		free((char *)file->names[i]);
	for (size_t i = 0; i < file->n_left_out; i++)
		free((char *)file->left_out[i]);
	free(file->names);
	free(file->columns);
	free(file->left_out);
	free(file);
}

static bool is_in_range(const struct portfile_options *options, int64_t ts_ns) {
	return ts_ns >= options->from_ns && ts_ns < options->to_ns;
}

// ---- first pass

struct column {
	char *name;
	int counter; // of the basic ones, or -1
	bool is_time, is_text;
	uint64_t last;
};

struct scan {
	struct portfile *file;
	struct column columns[TIMEFILE_COLUMNS];
	size_t n_columns;
	size_t n_falls; // rows with a basic counter that is less than before
};

static void scan_fini(struct scan *scan) {
	for (size_t i = 0; i < scan->n_columns; i++)
		free(scan->columns[i].name);
}

static int find_counter(const char *name) {
	for (int i = 0; i < N_PORT_COUNTERS; i++) {
		if (strcmp(port_counters[i].name, name) == 0)
			return i;
	}
	return -1;
}

static int scan_names(void *context, const struct csv_row *names, struct status *status) {
	struct scan *scan = context;
	bool has_counter = false;

	for (size_t i = 0; i < names->n_fields; i++) {
		struct column *column = &scan->columns[i];
		const char *name = names->fields[i];

		if (csv_column(names, name) != (int)i)
			return status_set(status, STATUS_INVALID_ARGUMENT, "two columns '%.80s'", name);
		*column = (struct column){.name = strdup(name),
		                          .counter = find_counter(name),
		                          .is_time = timefile_is_time(name),
		                          .is_text = !id_is_valid(name)};
		if (column->name == NULL)
			return -ENOMEM;
		scan->n_columns++;
		has_counter |= column->counter >= 0;
	}
	if (!has_counter)
		return status_set(status, STATUS_INVALID_ARGUMENT, "no column of a counter, such as '%s'",
		                  port_counters[0].name);
	return 0;
}

static int scan_value(struct scan *scan, struct column *column, const char *text, bool *falls,
                      struct status *status) {
	uint64_t value;

	if (column->is_time || column->is_text)
		return 0;
	if (text_to_u64(text, &value) < 0) {
		if (column->counter >= 0)
			return status_set(status, STATUS_INVALID_ARGUMENT, "%s: '%.80s' is no counter",
			                  column->name, text);
		column->is_text = true;
		return 0;
	}
	*falls |= column->counter >= 0 && value < column->last;
	column->last = value;
	digest(&scan->file->digest, &value, sizeof(value));
	return 0;
}

static int scan_row(void *context, int64_t ts_ns, const struct csv_row *row, struct status *status) {
	struct scan *scan = context;
	struct portfile *file = scan->file;
	bool falls = false;
	int rc;

	if (!is_in_range(&file->options, ts_ns))
		return 0;
	if (file->n_rows > 0 && ts_ns < file->newest_ns)
		return status_set(status, STATUS_INVALID_ARGUMENT, "the time goes back");
	digest(&file->digest, &ts_ns, sizeof(ts_ns));
	for (size_t i = 0; i < scan->n_columns; i++) {
		if ((rc = scan_value(scan, &scan->columns[i], row->fields[i], &falls, status)) < 0)
			return rc;
	}
	if (file->n_rows == 0)
		file->oldest_ns = ts_ns;
	file->newest_ns = ts_ns;
	scan->n_falls += falls && file->n_rows > 0;
	file->n_rows++;
	return 0;
}

// The columns that stay become names; their texts go over to the file.
static int settle(struct scan *scan) {
	struct portfile *file = scan->file;

	file->names = calloc(N_PORT_COUNTERS + scan->n_columns, sizeof(*file->names));
	file->columns = calloc(N_PORT_COUNTERS + scan->n_columns, sizeof(*file->columns));
	file->left_out = calloc(scan->n_columns, sizeof(*file->left_out));
	if (file->names == NULL || file->columns == NULL || file->left_out == NULL)
		return -ENOMEM;
	for (file->n_names = 0; file->n_names < N_PORT_COUNTERS; file->n_names++) {
		file->names[file->n_names] = port_counters[file->n_names].name;
		file->columns[file->n_names] = -1;
	}
	for (size_t i = 0; i < scan->n_columns; i++) {
		struct column *column = &scan->columns[i];

		if (column->counter >= 0) {
			file->columns[column->counter] = (int)i;
		} else if (column->is_text && id_is_valid(column->name)) {
			file->left_out[file->n_left_out++] = column->name;
			column->name = NULL;
		} else if (!column->is_time && !column->is_text) {
			file->columns[file->n_names] = (int)i;
			file->names[file->n_names++] = column->name;
			column->name = NULL;
		}
	}
	for (size_t i = 0; i < file->n_names; i++)
		digest(&file->digest, file->names[i], strlen(file->names[i]) + 1);
	return 0;
}

int portfile_open(const char *path, const struct portfile_options *options, struct portfile **ret,
                  struct status *status) {
	CLEANUP(portfile_closep) struct portfile *file = calloc(1, sizeof(*file));
	CLEANUP(scan_fini) struct scan scan = {.file = file};
	const struct timefile_reader reader = {scan_names, scan_row, &scan};
	int rc;

	if (file == NULL)
		return -ENOMEM;
	file->path = path;
	file->options = *options;
	file->digest = FNV_BASIS;
	if ((rc = timefile_read(path, &reader, status)) < 0 || (rc = settle(&scan)) < 0)
		return rc;
	if (file->n_rows == 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: no row is in the range asked for",
		                  path);
	if (options->values < 0 && file->n_rows >= MIN_FOR_FALLS &&
	    10 * scan.n_falls > FALLS_IN_TEN * file->n_rows)
		return status_set(
		        status, STATUS_INVALID_ARGUMENT,
		        "%s: numbers fall in %zu of %zu rows: say --values counts when each is what was "
		        "counted since the row before, --values counters when not",
		        path, scan.n_falls, file->n_rows);
	*ret = file;
	file = NULL;
	return 0;
}

// ---- second pass

struct delivery {
	const struct portfile *file;
	uint64_t values[N_PORT_COUNTERS + TIMEFILE_COLUMNS];
	int (*each)(void *context, int64_t ts_ns, const uint64_t *values, struct status *status);
	void *context;
};

static int pass_names(void *context, const struct csv_row *names, struct status *status) {
	(void)context;
	(void)names;
	(void)status;
	return 0;
}

static int deliver_row(void *context, int64_t ts_ns, const struct csv_row *row, struct status *status) {
	struct delivery *delivery = context;
	const struct portfile *file = delivery->file;

	if (!is_in_range(&file->options, ts_ns))
		return 0;
	for (size_t i = 0; i < file->n_names; i++) {
		uint64_t value = 0;

		if (file->columns[i] >= 0 && ((size_t)file->columns[i] >= row->n_fields ||
		                              text_to_u64(row->fields[file->columns[i]], &value) < 0))
			return status_set(status, STATUS_ABORTED, "the file changed while it was read");
		delivery->values[i] =
		        file->options.values == PORTFILE_COUNTS ? delivery->values[i] + value : value;
	}
	return delivery->each(delivery->context, ts_ns, delivery->values, status);
}

int portfile_each(const struct portfile *file,
                  int (*each)(void *context, int64_t ts_ns, const uint64_t *values, struct status *status),
                  void *context, struct status *status) {
	struct delivery delivery = {.file = file, .each = each, .context = context};
	const struct timefile_reader reader = {pass_names, deliver_row, &delivery};

	assert(file->n_names <= N_PORT_COUNTERS + TIMEFILE_COLUMNS);
	return timefile_read(file->path, &reader, status);
}
