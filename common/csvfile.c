// CSV (RFC 4180) by libcsv in strict mode.
// SPDX-License-Identifier: MIT
#include "csvfile.h"

#include "cleanup.h"

#include <csv.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct reading {
	csv_row_fn each;
	void *context;
	int rc;
	size_t line;     // where the parser is
	size_t row_line; // where the row began
	char *text;      // fields of the row, each with its NUL
	size_t text_size, text_capacity;
	size_t *offsets; // of each field in 'text'
	const char **fields;
	size_t n_fields, capacity;
};

static void reading_fini(struct reading *reading) {
	free(reading->text);
	free(reading->offsets);
	free(reading->fields);
}

static int grow(void **array, size_t *capacity, size_t wanted, size_t element_size) {
	size_t larger = *capacity > 0 ? *capacity : 16;
	void *moved;

	while (larger < wanted)
		larger *= 2;
	if (larger == *capacity)
		return 0;
	moved = realloc(*array, larger * element_size);
	if (moved == NULL)
		return -ENOMEM;
	*array = moved;
	*capacity = larger;
	return 0;
}

static int reserve_fields(struct reading *reading, size_t wanted) {
	size_t capacity = reading->capacity;

	if (grow((void **)&reading->fields, &capacity, wanted, sizeof(*reading->fields)) < 0)
		return -ENOMEM;
	return grow((void **)&reading->offsets, &reading->capacity, wanted, sizeof(*reading->offsets));
}

static void on_field(void *data, size_t size, void *context) {
	struct reading *reading = context;

	if (reading->rc < 0)
		return;
	if (memchr(data, '\0', size) != NULL) {
		reading->rc = -EBADMSG;
		return;
	}
	if (reserve_fields(reading, reading->n_fields + 1) < 0 ||
	    grow((void **)&reading->text, &reading->text_capacity, reading->text_size + size + 1, 1) < 0) {
		reading->rc = -ENOMEM;
		return;
	}
	if (reading->n_fields == 0)
		reading->row_line = reading->line;
	reading->offsets[reading->n_fields++] = reading->text_size;
	memcpy(reading->text + reading->text_size, data, size);
	reading->text[reading->text_size + size] = '\0';
	reading->text_size += size + 1;
}

static void on_row(int end, void *context) {
	struct reading *reading = context;
	struct csv_row row = {reading->row_line, reading->n_fields, reading->fields};

	(void)end;
	if (reading->rc < 0)
		return;
	for (size_t i = 0; i < reading->n_fields; i++)
		reading->fields[i] = reading->text + reading->offsets[i];
	reading->rc = reading->each(reading->context, &row);
	reading->n_fields = 0;
	reading->text_size = 0;
}

// libcsv tells no positions, so it is fed a line at a time and the lines are counted here.
static int feed(FILE *file, struct csv_parser *parser, struct reading *reading) {
	CLEANUP(freep) char *line = NULL;
	size_t capacity = 0;
	ssize_t size;

	while ((size = getline(&line, &capacity, file)) >= 0) {
		reading->line++;
		if (csv_parse(parser, line, (size_t)size, on_field, on_row, reading) != (size_t)size)
			return csv_error(parser) == CSV_ENOMEM ? -ENOMEM : -EBADMSG;
		if (reading->rc < 0)
			return reading->rc;
	}
	if (ferror(file))
		return -EIO;
	if (csv_fini(parser, on_field, on_row, reading) != 0)
		return -EBADMSG;
	return reading->rc;
}

int csv_read(const char *path, csv_row_fn each, void *context, size_t *ret_line) {
	CLEANUP(reading_fini) struct reading reading = {.each = each, .context = context};
	struct csv_parser parser;
	FILE *file;
	int rc;

	file = fopen(path, "re");
	if (file == NULL)
		return -errno;
	if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
		fclose(file);
		return -ENOMEM;
	}
	rc = feed(file, &parser, &reading);
	*ret_line = reading.line;
	csv_free(&parser);
	fclose(file);
	return rc;
}

int csv_column(const struct csv_row *names, const char *name) {
	for (size_t i = 0; i < names->n_fields; i++) {
		if (strcmp(names->fields[i], name) == 0)
			return (int)i;
	}
	return -ENOENT;
}
