// Names are kept in hash tables; lists grow and move into the document at the end.
// SPDX-License-Identifier: MIT
#include "builder.h"

#include "text.h"
#include "topology.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>

struct builder_name {
	char *text;
	size_t index; // of the node
	UT_hash_handle hh;
};

static void names_free(struct builder_name **head) {
	struct builder_name *name, *next;

	HASH_ITER (hh, *head, name, next) {
		HASH_DEL(*head, name);
		free(name->text);
		free(name);
	}
}

static const struct builder_name *name_find(struct builder_name *head, const char *text) {
	struct builder_name *name;

	HASH_FIND_STR(head, text, name);
	return name;
}

static int name_add(struct builder_name **head, const char *text, size_t index) {
	struct builder_name *name = calloc(1, sizeof(*name));

	if (name == NULL || (name->text = strdup(text)) == NULL) {
		free(name);
		return -ENOMEM;
	}
	name->index = index;
	HASH_ADD_KEYPTR(hh, *head, name->text, strlen(name->text), name);
	return 0;
}

int builder_init(struct builder *builder, const char *path, const struct reader_options *options,
                 struct status *status) {
	*builder = (struct builder){.options = options, .status = status, .path = path};
	// An empty document is memory for what is built here.
	return document_from_json("{}", 2, &builder->document, status);
}

void builder_fini(struct builder *builder) {
	names_free(&builder->keys);
	names_free(&builder->names);
	names_free(&builder->link_ids);
	free(builder->nodes);
	free(builder->links);
	document_close(builder->document);
}

// ---- what is wrong, and where

static void say(const struct builder *builder, char text[static STATUS_MESSAGE_SIZE], const char *format,
                va_list arguments) {
	int used = builder->line > 0
	                   ? snprintf(text, STATUS_MESSAGE_SIZE, "%.200s:%zu: ", builder->path, builder->line)
	                   : snprintf(text, STATUS_MESSAGE_SIZE, "%.200s: ", builder->path);

	vsnprintf(text + used, STATUS_MESSAGE_SIZE - (size_t)used, format, arguments);
}

int builder_defect(struct builder *builder, const char *format, ...) {
	char text[STATUS_MESSAGE_SIZE];
	va_list arguments;

	va_start(arguments, format);
	say(builder, text, format, arguments);
	va_end(arguments);
	if (builder->options->defect == NULL)
		return status_set(builder->status, STATUS_INVALID_ARGUMENT, "%s", text);
	builder->options->defect(builder->options->context, text);
	builder->n_defects++;
	return 0;
}

void builder_warn(const struct builder *builder, const char *format, ...) {
	char text[STATUS_MESSAGE_SIZE];
	va_list arguments;

	if (builder->options->warn == NULL)
		return;
	va_start(arguments, format);
	say(builder, text, format, arguments);
	va_end(arguments);
	builder->options->warn(builder->options->context, text);
}

int builder_real(struct builder *builder, const char *what, const char *text, double least, double most,
                 double *ret) {
	double value;
	int rc;

	if (text == NULL || text[0] == '\0')
		return 1;
	if (text_to_real(text, &value) == 0 && value >= least && value <= most) {
		*ret = value;
		return 0;
	}
	rc = builder_defect(builder, "%s: must be a number from %g to %g, not '%.100s'", what, least, most,
	                    text);
	return rc < 0 ? rc : 1;
}

// ---- elements

// Room for one more element of an array.
static int grow(struct builder *builder, void **array, size_t n, size_t *capacity, size_t element_size,
                size_t most) {
	size_t larger = *capacity > 0 ? 2 * *capacity : 64;
	void *moved;

	if (n >= most)
		return status_set(builder->status, STATUS_INVALID_ARGUMENT,
		                  "%.200s:%zu: more than the %zu that a topology can have", builder->path,
		                  builder->line, most);
	if (n < *capacity)
		return 0;
	moved = realloc(*array, larger * element_size);
	if (moved == NULL)
		return -ENOMEM;
	*array = moved;
	*capacity = larger;
	return 0;
}

// The topology outlives the file: its texts are the document's.
static const char *keep(struct builder *builder, const char *text) {
	char *copy = document_alloc(builder->document, strlen(text) + 1);

	return copy == NULL ? NULL : strcpy(copy, text);
}

struct choice {
	char text[LIMIT_ID_SIZE + 24];
};

// A name that is there already gets the first suffix that is free.
static void choose_name(const struct builder *builder, struct builder_name *taken, const char *wanted,
                        struct choice *ret) {
	snprintf(ret->text, sizeof(ret->text), "%.*s", LIMIT_ID_SIZE, wanted);
	for (size_t n = 2; name_find(taken, ret->text) != NULL; n++)
		snprintf(ret->text, sizeof(ret->text), "%.*s#%zu", LIMIT_ID_SIZE, wanted, n);
	if (strcmp(ret->text, wanted) != 0 && id_is_valid(ret->text))
		builder_warn(builder, "name '%.100s' is there before: called '%.120s'", wanted, ret->text);
}

int builder_add_node(struct builder *builder, const char *key, const char *name, struct node node) {
	struct choice choice;
	int rc;

	if (key[0] == '\0')
		return builder_defect(builder, "no id");
	if (name_find(builder->keys, key) != NULL)
		return builder_defect(builder, "this node id is there before: '%.200s'", key);
	choose_name(builder, builder->names, name, &choice);
	if (!id_is_valid(choice.text))
		return builder_defect(builder,
		                      "not a name (1 to 255 bytes of UTF-8, no control characters): '%.200s'",
		                      name);
	rc = grow(builder, (void **)&builder->nodes, builder->n_nodes, &builder->nodes_capacity, sizeof(node),
	          LIMIT_NODES);
	if (rc < 0 || (rc = name_add(&builder->keys, key, builder->n_nodes)) < 0 ||
	    (rc = name_add(&builder->names, choice.text, builder->n_nodes)) < 0)
		return rc;
	node.id = keep(builder, choice.text);
	builder->nodes[builder->n_nodes++] = node;
	return node.id == NULL ? -ENOMEM : 0;
}

int builder_add_link(struct builder *builder, const char *id, bool mend, const char *a_key, const char *z_key,
                     struct link link) {
	const struct builder_name *a = name_find(builder->keys, a_key), *z = name_find(builder->keys, z_key);
	struct choice choice;
	int rc;

	if (a == NULL || z == NULL)
		return builder_defect(builder, "%s: no node '%.200s'", a == NULL ? "src" : "dst",
		                      a == NULL ? a_key : z_key);
	if (a == z)
		return builder_defect(builder, "src and dst are the same node '%.200s'",
		                      builder->nodes[a->index].id);
	if (!mend && name_find(builder->link_ids, id) != NULL)
		return builder_defect(builder, "this link id is there before: '%.200s'", id);
	choose_name(builder, builder->link_ids, id, &choice);
	if (!id_is_valid(choice.text))
		return builder_defect(
		        builder, "not an id (1 to 255 bytes of UTF-8, no control characters): '%.200s'", id);
	rc = grow(builder, (void **)&builder->links, builder->n_links, &builder->links_capacity, sizeof(link),
	          LIMIT_LINKS);
	if (rc < 0 || (rc = name_add(&builder->link_ids, choice.text, builder->n_links)) < 0)
		return rc;
	link.a = builder->nodes[a->index].id;
	link.z = builder->nodes[z->index].id;
	link.id = keep(builder, choice.text);
	builder->links[builder->n_links++] = link;
	return link.id == NULL ? -ENOMEM : 0;
}

// ---- the end

static int keep_lists(struct builder *builder, struct topology *topology) {
	topology->nodes = document_alloc(builder->document, builder->n_nodes * sizeof(*topology->nodes));
	topology->links = document_alloc(builder->document, builder->n_links * sizeof(*topology->links));
	if (topology->nodes == NULL || topology->links == NULL)
		return -ENOMEM;
	topology->n_nodes = builder->n_nodes;
	topology->n_links = builder->n_links;
	if (builder->n_nodes > 0)
		memcpy(topology->nodes, builder->nodes, builder->n_nodes * sizeof(*topology->nodes));
	if (builder->n_links > 0)
		memcpy(topology->links, builder->links, builder->n_links * sizeof(*topology->links));
	return 0;
}

int builder_finish(struct builder *builder, const char *topology_id, struct topology *ret,
                   struct document **ret_document) {
	struct topology topology;
	int rc;

	topology_init(&topology);
	if (builder->n_defects > 0)
		return status_set(builder->status, STATUS_INVALID_ARGUMENT, "%.200s: %zu defects",
		                  builder->path, builder->n_defects);
	if ((rc = keep_lists(builder, &topology)) < 0)
		return rc;
	if (topology_id != NULL && (topology.topology_id = keep(builder, topology_id)) == NULL)
		return -ENOMEM;
	if ((rc = topology_check(&topology, builder->status)) < 0) {
		if (rc != -ENOMEM && builder->status != NULL)
			status_prefix(builder->status, "%s: ", builder->path);
		return rc;
	}
	*ret = topology;
	*ret_document = builder->document;
	builder->document = NULL;
	return 0;
}
