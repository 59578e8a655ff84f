// Topologies in two CSV files: nodes (id,name,x,y) and links (id,src,dst,directed,capacity,cost,latency_us),
// columns in any order, further ones ignored. src and dst name the id of a node; the topology calls it by its
// name, or by its id where there is none. A capacity of 0 is one that isn't known.
// SPDX-License-Identifier: MIT
#include "reader.h"

#include "csvfile.h"
#include "text.h"
#include "topology.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

#define US_PER_MS 1000.0

// What the messages allow, in the units of the file.
#define CAPACITY_MAX   1e18
#define COST_MAX       1e9
#define LATENCY_US_MAX 1e12
#define MAP_MAX        1e12

struct csv_name {
	char *text;
	size_t index; // of the node
	UT_hash_handle hh;
};

struct reading {
	const struct reader_options *options;
	struct status *status;
	struct document *document;
	const char *path; // of the file being read
	size_t line;      // of the row being read
	bool has_columns;
	int columns[8]; // where each of the wanted columns is, or -ENOENT
	struct csv_name *ids, *names, *links;
	struct node *nodes;
	size_t n_nodes, nodes_capacity;
	struct link *link_list;
	size_t n_links, links_capacity;
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

static void names_free(struct csv_name **head) {
	struct csv_name *name, *next;

	HASH_ITER (hh, *head, name, next) {
		HASH_DEL(*head, name);
		free(name->text);
		free(name);
	}
}

static void reading_fini(struct reading *reading) {
	names_free(&reading->ids);
	names_free(&reading->names);
	names_free(&reading->links);
	free(reading->nodes);
	free(reading->link_list);
	document_close(reading->document);
}

static const struct csv_name *name_find(struct csv_name *head, const char *text) {
	struct csv_name *name;

	HASH_FIND_STR(head, text, name);
	return name;
}

static int name_add(struct csv_name **head, const char *text, size_t index) {
	struct csv_name *name = calloc(1, sizeof(*name));

	if (name == NULL || (name->text = strdup(text)) == NULL) {
		free(name);
		return -ENOMEM;
	}
	name->index = index;
	HASH_ADD_KEYPTR(hh, *head, name->text, strlen(name->text), name);
	return 0;
}

// The topology outlives the file: its texts are the document's.
static const char *keep(struct reading *reading, const char *text) {
	char *copy = document_alloc(reading->document, strlen(text) + 1);

	return copy == NULL ? NULL : strcpy(copy, text);
}

static int bad_row(const struct reading *reading, const char *what, const char *text) {
	return status_set(reading->status, STATUS_INVALID_ARGUMENT, "%s:%zu: %s '%.200s'", reading->path,
	                  reading->line, what, text);
}

static void warn(const struct reading *reading, const char *was, const char *is) {
	char text[STATUS_MESSAGE_SIZE];

	if (reading->options->warn == NULL)
		return;
	snprintf(text, sizeof(text), "%.200s:%zu: name '%.100s' is there before: called '%.120s'",
	         reading->path, reading->line, was, is);
	reading->options->warn(reading->options->context, text);
}

// ---- rows and their fields

static int take_columns(struct reading *reading, const struct csv_row *row, const struct csv_field *fields,
                        size_t n_fields) {
	for (size_t i = 0; i < n_fields; i++) {
		reading->columns[i] = csv_column(row, fields[i].name);
		if (reading->columns[i] < 0 && fields[i].required)
			return bad_row(reading, "no column", fields[i].name);
	}
	reading->has_columns = true;
	return 0;
}

// A row must have all the columns that the first row names.
static int check_row(const struct reading *reading, const struct csv_row *row, size_t n_fields) {
	for (size_t i = 0; i < n_fields; i++) {
		if (reading->columns[i] >= 0 && (size_t)reading->columns[i] >= row->n_fields)
			return status_set(reading->status, STATUS_INVALID_ARGUMENT,
			                  "%s:%zu: %zu fields, fewer than there are columns", reading->path,
			                  reading->line, row->n_fields);
	}
	return 0;
}

// "" where there is no such column.
static const char *field(const struct reading *reading, const struct csv_row *row, size_t i) {
	return reading->columns[i] < 0 ? "" : row->fields[reading->columns[i]];
}

// Returns 0, 1 when the field is empty, or -EINVAL with the status.
static int take_real(const struct reading *reading, const struct csv_row *row, const struct csv_field *fields,
                     size_t i, double least, double most, double *ret) {
	const char *text = field(reading, row, i);
	char what[96];

	if (text[0] == '\0')
		return 1;
	if (text_to_real(text, ret) == 0 && *ret >= least && *ret <= most)
		return 0;
	snprintf(what, sizeof(what), "%s: must be a number from %g to %g, not", fields[i].name, least, most);
	return bad_row(reading, what, text);
}

// Room for one more element of an array.
static int grow(void **array, size_t n, size_t *capacity, size_t element_size, size_t most) {
	size_t larger = *capacity > 0 ? 2 * *capacity : 64;
	void *moved;

	if (n >= most)
		return -E2BIG;
	if (n < *capacity)
		return 0;
	moved = realloc(*array, larger * element_size);
	if (moved == NULL)
		return -ENOMEM;
	*array = moved;
	*capacity = larger;
	return 0;
}

static int too_many(const struct reading *reading, int rc, const char *what) {
	return rc == -E2BIG ? bad_row(reading, "more rows than a topology can have", what) : rc;
}

// ---- nodes

// A name that is there already gets the first suffix that is free.
static int choose_name(struct reading *reading, const char *wanted, const char **ret) {
	char name[LIMIT_ID_SIZE + 24];

	snprintf(name, sizeof(name), "%.*s", LIMIT_ID_SIZE, wanted);
	for (size_t n = 2; name_find(reading->names, name) != NULL; n++)
		snprintf(name, sizeof(name), "%.*s#%zu", LIMIT_ID_SIZE, wanted, n);
	if (!id_is_valid(name))
		return bad_row(reading,
		               "not a name (1 to 255 bytes of UTF-8, no control characters):", wanted);
	if (strcmp(name, wanted) != 0)
		warn(reading, wanted, name);
	*ret = keep(reading, name);
	return *ret == NULL ? -ENOMEM : name_add(&reading->names, name, reading->n_nodes);
}

static int add_node(struct reading *reading, const struct csv_row *row) {
	const char *id = field(reading, row, NODE_ID), *name = field(reading, row, NODE_NAME);
	struct node node;
	double x, y;
	int rc, has_x, has_y;

	node_init(&node);
	if (id[0] == '\0' || name_find(reading->ids, id) != NULL)
		return bad_row(reading, id[0] == '\0' ? "no id" : "this node id is there before:", id);
	has_x = take_real(reading, row, node_fields, NODE_X, -MAP_MAX, MAP_MAX, &x);
	has_y = take_real(reading, row, node_fields, NODE_Y, -MAP_MAX, MAP_MAX, &y);
	if (has_x < 0 || has_y < 0)
		return -EINVAL;
	if (has_x == 0)
		SET(&node, node, x, x);
	if (has_y == 0)
		SET(&node, node, y, y);
	if ((rc = choose_name(reading, name[0] == '\0' ? id : name, &node.id)) < 0 ||
	    (rc = name_add(&reading->ids, id, reading->n_nodes)) < 0)
		return rc;
	rc = grow((void **)&reading->nodes, reading->n_nodes, &reading->nodes_capacity, sizeof(node),
	          LIMIT_NODES);
	if (rc < 0)
		return too_many(reading, rc, "nodes");
	reading->nodes[reading->n_nodes++] = node;
	return 0;
}

// ---- links

static int take_end(const struct reading *reading, const struct csv_row *row, size_t i, const char **ret) {
	const struct csv_name *node = name_find(reading->ids, field(reading, row, i));

	if (node == NULL)
		return bad_row(reading, i == LINK_SRC ? "src: no node" : "dst: no node",
		               field(reading, row, i));
	*ret = reading->nodes[node->index].id;
	return 0;
}

static int take_directed(const struct reading *reading, const struct csv_row *row, bool *ret_bidirectional) {
	const char *text = field(reading, row, LINK_DIRECTED);

	if (text[0] != '\0' && strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
		return bad_row(reading, "directed: must be 0 or 1, not", text);
	*ret_bidirectional = strcmp(text, "1") != 0;
	return 0;
}

static int take_measures(const struct reading *reading, const struct csv_row *row, struct link *link) {
	double capacity = 0, latency_us;
	int rc;

	if (take_real(reading, row, link_fields, LINK_CAPACITY, 0, CAPACITY_MAX, &capacity) < 0 ||
	    take_real(reading, row, link_fields, LINK_COST, 0, COST_MAX, &link->cost) < 0)
		return -EINVAL;
	if (capacity > 0)
		SET(link, link, total_capacity_gbps, capacity * reading->options->capacity_scale);
	rc = take_real(reading, row, link_fields, LINK_LATENCY, 0, LATENCY_US_MAX, &latency_us);
	if (rc == 0)
		SET(link, link, latency_ms, latency_us / US_PER_MS);
	return rc < 0 ? rc : 0;
}

static int add_link(struct reading *reading, const struct csv_row *row) {
	const char *id = field(reading, row, LINK_ID);
	struct link link;
	int rc;

	link_init(&link);
	if (!id_is_valid(id))
		return bad_row(reading, "not an id (1 to 255 bytes of UTF-8, no control characters):", id);
	if (name_find(reading->links, id) != NULL)
		return bad_row(reading, "this link id is there before:", id);
	if ((rc = take_end(reading, row, LINK_SRC, &link.a)) < 0 ||
	    (rc = take_end(reading, row, LINK_DST, &link.z)) < 0 ||
	    (rc = take_directed(reading, row, &link.bidirectional)) < 0 ||
	    (rc = take_measures(reading, row, &link)) < 0)
		return rc;
	if (strcmp(link.a, link.z) == 0)
		return bad_row(reading, "src and dst are the same node", link.a);
	if ((rc = name_add(&reading->links, id, reading->n_links)) < 0)
		return rc;
	link.id = keep(reading, id);
	if (link.id == NULL)
		return -ENOMEM;
	rc = grow((void **)&reading->link_list, reading->n_links, &reading->links_capacity, sizeof(link),
	          LIMIT_LINKS);
	if (rc < 0)
		return too_many(reading, rc, "links");
	reading->link_list[reading->n_links++] = link;
	return 0;
}

// ---- files

static int take_row(struct reading *reading, const struct csv_row *row, const struct csv_field *fields,
                    size_t n_fields, int (*add)(struct reading *, const struct csv_row *)) {
	int rc;

	reading->line = row->line;
	if (!reading->has_columns)
		return take_columns(reading, row, fields, n_fields);
	if ((rc = check_row(reading, row, n_fields)) < 0)
		return rc;
	return add(reading, row);
}

static int node_row(void *context, const struct csv_row *row) {
	return take_row(context, row, node_fields, N_NODE_FIELDS, add_node);
}

static int link_row(void *context, const struct csv_row *row) {
	return take_row(context, row, link_fields, N_LINK_FIELDS, add_link);
}

static int read_file(struct reading *reading, const char *path, csv_row_fn each) {
	struct status *status = reading->status;
	size_t line = 0;
	int rc;

	reading->path = path;
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

static int keep_lists(struct reading *reading, struct topology *topology) {
	topology_init(topology);
	topology->nodes = document_alloc(reading->document, reading->n_nodes * sizeof(*topology->nodes));
	topology->links = document_alloc(reading->document, reading->n_links * sizeof(*topology->links));
	if (topology->nodes == NULL || topology->links == NULL)
		return -ENOMEM;
	topology->n_nodes = reading->n_nodes;
	topology->n_links = reading->n_links;
	if (reading->n_nodes > 0)
		memcpy(topology->nodes, reading->nodes, reading->n_nodes * sizeof(*topology->nodes));
	if (reading->n_links > 0)
		memcpy(topology->links, reading->link_list, reading->n_links * sizeof(*topology->links));
	return 0;
}

int reader_read_csv(const char *nodes_path, const char *links_path, const struct reader_options *options,
                    struct topology *ret, struct document **ret_document, struct status *status) {
	CLEANUP(reading_fini) struct reading reading = {.options = options, .status = status};
	struct topology topology;
	int rc;

	// An empty document is memory for what is built here.
	if ((rc = document_from_json("{}", 2, &reading.document, status)) < 0)
		return rc;
	if ((rc = read_file(&reading, nodes_path, node_row)) < 0 ||
	    (rc = read_file(&reading, links_path, link_row)) < 0 ||
	    (rc = keep_lists(&reading, &topology)) < 0)
		return rc;
	if ((rc = topology_check(&topology, status)) < 0) {
		if (rc != -ENOMEM && status != NULL)
			status_prefix(status, "%s: ", nodes_path);
		return rc;
	}
	*ret = topology;
	*ret_document = reading.document;
	reading.document = NULL;
	return 0;
}
