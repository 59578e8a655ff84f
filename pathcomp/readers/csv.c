// Topologies in two CSV files: nodes (id,name,x,y) and links (id,src,dst,directed,capacity,cost,latency_us),
// columns in any order, further ones ignored. src and dst name the id of a node; the topology calls it by its
// name, or by its id where there is none. A capacity of 0 is one that isn't known.
// SPDX-License-Identifier: MIT
#include "builder.h"
#include "csvfile.h"

#include <errno.h>
#include <string.h>

#define US_PER_MS      1000.0
#define LATENCY_US_MAX 1e12

struct reading {
	struct builder builder;
	bool has_columns;
	int columns[8]; // where each of the wanted columns is, or -ENOENT
};

struct csv_field {
	const char *name;
	bool required;
};

enum { NODE_ID, NODE_NAME, NODE_X, NODE_Y, N_NODE_FIELDS };
static const struct csv_field node_fields[N_NODE_FIELDS] = {
        {"id", true}, {"name", false}, {"x", false}, {"y", false}};

enum { LINK_ID, LINK_SRC, LINK_DST, LINK_DIRECTED, LINK_CAPACITY, LINK_COST, LINK_LATENCY, N_LINK_FIELDS };
static const struct csv_field link_fields[N_LINK_FIELDS] = {
        {"id", true},        {"src", true},   {"dst", true},         {"directed", false},
        {"capacity", false}, {"cost", false}, {"latency_us", false},
};

static void reading_fini(struct reading *reading) {
	builder_fini(&reading->builder);
}

// ---- rows and their fields

// Without its columns nothing of a file can be read: this is never passed over.
static int take_columns(struct reading *reading, const struct csv_row *row, const struct csv_field *fields,
                        size_t n_fields) {
	for (size_t i = 0; i < n_fields; i++) {
		reading->columns[i] = csv_column(row, fields[i].name);
		if (reading->columns[i] < 0 && fields[i].required)
			return status_set(reading->builder.status, STATUS_INVALID_ARGUMENT,
			                  "%s:%zu: no column '%s'", reading->builder.path, row->line,
			                  fields[i].name);
	}
	reading->has_columns = true;
	return 0;
}

// A row must have all the columns that the first row names.
static bool has_all(const struct reading *reading, const struct csv_row *row, size_t n_fields) {
	for (size_t i = 0; i < n_fields; i++) {
		if (reading->columns[i] >= 0 && (size_t)reading->columns[i] >= row->n_fields)
			return false;
	}
	return true;
}

// "" where there is no such column.
static const char *field(const struct reading *reading, const struct csv_row *row, size_t i) {
	return reading->columns[i] < 0 ? "" : row->fields[reading->columns[i]];
}

static int take_real(struct reading *reading, const struct csv_row *row, const struct csv_field *fields,
                     size_t i, double least, double most, double *ret) {
	return builder_real(&reading->builder, fields[i].name, field(reading, row, i), least, most, ret);
}

static int add_node(struct reading *reading, const struct csv_row *row) {
	const char *id = field(reading, row, NODE_ID), *name = field(reading, row, NODE_NAME);
	struct node node;
	double x, y;
	int has_x, has_y;

	node_init(&node);
	has_x = take_real(reading, row, node_fields, NODE_X, -BUILDER_MAP_MAX, BUILDER_MAP_MAX, &x);
	if (has_x < 0)
		return has_x;
	has_y = take_real(reading, row, node_fields, NODE_Y, -BUILDER_MAP_MAX, BUILDER_MAP_MAX, &y);
	if (has_y < 0)
		return has_y;
	if (has_x == 0)
		SET(&node, node, x, x);
	if (has_y == 0)
		SET(&node, node, y, y);
	return builder_add_node(&reading->builder, id, name[0] == '\0' ? id : name, node);
}

static int take_directed(struct reading *reading, const struct csv_row *row, bool *ret_bidirectional) {
	const char *text = field(reading, row, LINK_DIRECTED);

	if (text[0] != '\0' && strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
		return builder_defect(&reading->builder, "directed: must be 0 or 1, not '%.100s'", text);
	*ret_bidirectional = strcmp(text, "1") != 0;
	return 0;
}

static int take_measures(struct reading *reading, const struct csv_row *row, struct link *link) {
	double capacity = 0, latency_us;
	int rc;

	if ((rc = take_real(reading, row, link_fields, LINK_CAPACITY, 0, BUILDER_CAPACITY_MAX, &capacity)) <
	            0 ||
	    (rc = take_real(reading, row, link_fields, LINK_COST, 0, BUILDER_COST_MAX, &link->cost)) < 0)
		return rc;
	if (capacity > 0)
		SET(link, link, total_capacity_gbps, capacity * reading->builder.options->capacity_scale);
	rc = take_real(reading, row, link_fields, LINK_LATENCY, 0, LATENCY_US_MAX, &latency_us);
	if (rc == 0)
		SET(link, link, latency_ms, latency_us / US_PER_MS);
	return rc < 0 ? rc : 0;
}

static int add_link(struct reading *reading, const struct csv_row *row) {
	struct link link;
	int rc;

	link_init(&link);
	if ((rc = take_directed(reading, row, &link.bidirectional)) < 0 ||
	    (rc = take_measures(reading, row, &link)) < 0)
		return rc;
	return builder_add_link(&reading->builder, field(reading, row, LINK_ID), false,
	                        field(reading, row, LINK_SRC), field(reading, row, LINK_DST), link);
}

// ---- files

static int take_row(struct reading *reading, const struct csv_row *row, const struct csv_field *fields,
                    size_t n_fields, int (*add)(struct reading *, const struct csv_row *)) {
	reading->builder.line = row->line;
	if (!reading->has_columns)
		return take_columns(reading, row, fields, n_fields);
	if (!has_all(reading, row, n_fields))
		return builder_defect(&reading->builder, "%zu fields, fewer than there are columns",
		                      row->n_fields);
	return add(reading, row);
}

static int node_row(void *context, const struct csv_row *row) {
	return take_row(context, row, node_fields, N_NODE_FIELDS, add_node);
}

static int link_row(void *context, const struct csv_row *row) {
	return take_row(context, row, link_fields, N_LINK_FIELDS, add_link);
}

static int read_file(struct reading *reading, const char *path, csv_row_fn each) {
	struct status *status = reading->builder.status;
	size_t line = 0;
	int rc;

	reading->builder.path = path;
	reading->has_columns = false;
	rc = csv_read(path, each, reading, &line);
	if (rc == 0 && !reading->has_columns)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: empty, not even names of columns",
		                  path);
	if (rc == -EBADMSG)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s:%zu: broken quoting, or a NUL byte",
		                  path, line);
	if (rc < 0 && rc != -ENOMEM && rc != -EINVAL)
		return status_set(status, rc == -ENOENT ? STATUS_NOT_FOUND : STATUS_FAILED_PRECONDITION,
		                  "%s: %s", path, strerror(-rc));
	return rc;
}

int reader_read_csv(const char *nodes_path, const char *links_path, const struct reader_options *options,
                    struct topology *ret, struct document **ret_document, struct status *status) {
	CLEANUP(reading_fini) struct reading reading = {0};
	int rc;

	if ((rc = builder_init(&reading.builder, nodes_path, options, status)) < 0 ||
	    (rc = read_file(&reading, nodes_path, node_row)) < 0 ||
	    (rc = read_file(&reading, links_path, link_row)) < 0)
		return rc;
	reading.builder.path = nodes_path;
	reading.builder.line = 0;
	return builder_finish(&reading.builder, NULL, ret, ret_document);
}
