// builder.h: a topology that a reader puts together element by element. It minds what all formats must: ids
// good and unique, ends that are there, counts within the limits, and where in the file a defect is.
// SPDX-License-Identifier: MIT
#pragma once

#include "reader.h"

#include <stdbool.h>
#include <stddef.h>

// What the messages allow, in any unit that a file may have.
#define BUILDER_CAPACITY_MAX 1e18
#define BUILDER_COST_MAX     1e9
#define BUILDER_MAP_MAX      1e12

struct builder_name;

struct builder {
	const struct reader_options *options;
	struct status *status;
	struct document *document;
	const char *path; // of the file being read
	size_t line;      // that is being read
	size_t n_defects; // told, when all are wanted
	struct builder_name *keys, *names, *link_ids;
	struct node *nodes;
	size_t n_nodes, nodes_capacity;
	struct link *links;
	size_t n_links, links_capacity;
};

int builder_init(struct builder *, const char *path, const struct reader_options *, struct status *);
void builder_fini(struct builder *);

// A defect at the line being read. Returns 0 when all defects are wanted (it was told), else -EINVAL with the
// status.
int builder_defect(struct builder *, const char *format, ...) __attribute__((format(printf, 2, 3)));

// What was mended.
void builder_warn(const struct builder *, const char *format, ...) __attribute__((format(printf, 2, 3)));

// A node; 'key' is what links call it in the file, 'name' becomes its id, with a suffix when that is taken.
// Return 0, -ENOMEM, or as builder_defect().
int builder_add_node(struct builder *, const char *key, const char *name, struct node node);

// A link between two keys. When 'mend', an id that is taken gets a suffix, else it is a defect.
int builder_add_link(struct builder *, const char *id, bool mend, const char *a_key, const char *z_key,
                     struct link link);

// A number within bounds; empty is none. Returns 0, 1 when there is none (also after a defect that was told),
// or -EINVAL with the status.
int builder_real(struct builder *, const char *what, const char *text, double least, double most,
                 double *ret);

// Checks and hands over. Returns 0, -ENOMEM or -EINVAL with the status (also when defects were told).
int builder_finish(struct builder *, const char *topology_id, struct topology *ret,
                   struct document **ret_document);
