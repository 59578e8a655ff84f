// Tables by libsmartcols.
// SPDX-License-Identifier: MIT
#include "table.h"

#include <errno.h>
#include <libsmartcols.h>

struct table {
	struct libscols_table *lines;
	size_t n_columns;
};

int table_new(const struct table_column *columns, size_t n_columns, struct table **ret) {
	CLEANUP(table_freep) struct table *table = calloc(1, sizeof(*table));

	if (table == NULL)
		return -ENOMEM;
	table->n_columns = n_columns;
	table->lines = scols_new_table();
	if (table->lines == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n_columns; i++) {
		if (scols_table_new_column(table->lines, columns[i].name, 0,
		                           columns[i].right ? SCOLS_FL_RIGHT : 0) == NULL)
			return -ENOMEM;
	}
	*ret = table;
	table = NULL;
	return 0;
}

void table_free(struct table *table) {
	if (table == NULL)
		return;
	scols_unref_table(table->lines);
	free(table);
}

int table_add(struct table *table, const char *const *cells) {
	struct libscols_line *line = scols_table_new_line(table->lines, NULL);

	if (line == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < table->n_columns; i++) {
		if (cells[i] != NULL && scols_line_set_data(line, i, cells[i]) != 0)
			return -ENOMEM;
	}
	return 0;
}

int table_print(struct table *table, FILE *file) {
	int rc;

	scols_table_set_stream(table->lines, file);
	rc = scols_print_table(table->lines);
	return rc < 0 ? rc : 0;
}
