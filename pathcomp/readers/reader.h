// reader.h: topologies from files. Each format is one function in the table of reader.c.
// SPDX-License-Identifier: MIT
#pragma once

#include "codec.h"

struct reader_options {
	double capacity_scale; // Gbps in a capacity of 1, for formats that have no unit of their own
	// Told about what was mended: "nodes.csv:7: name 'Athens' is there before: called 'Athens#2'". May be
	// NULL.
	void (*warn)(void *context, const char *text);
	// Told each defect, where all are wanted: reading then goes on as far as it can and fails at the end.
	// NULL: the first defect ends it.
	void (*defect)(void *context, const char *text);
	void *context;
};

// "Gbps", "Mbps", "kbps", "bps", "Tbps" (any case). Returns 0 or -EINVAL.
int reader_unit_scale(const char *unit, double *ret);

// Reads the topology at 'path' and checks it: JSON; GraphML, when the path ends in .graphml; SNDlib's native
// format, when it ends in .txt; or CSV, when it ends in links.csv or nodes.csv (the other of the two is beside
// it) or is a folder that holds both. 'ret_document' is the memory of 'ret'; the
// caller closes it. Returns 0, -ENOMEM, or another negative errno with 'status', which names the file and the
// line or element.
int reader_read(const char *path, const struct reader_options *, struct topology *ret,
                struct document **ret_document, struct status *status);

// One format each. 'path' only names the source in messages.
int reader_parse_json(const char *path, const char *text, size_t size, const struct reader_options *,
                      struct topology *ret, struct document **ret_document, struct status *status);
int reader_parse_graphml(const char *path, const char *text, size_t size, const struct reader_options *,
                         struct topology *ret, struct document **ret_document, struct status *status);
int reader_parse_sndlib(const char *path, const char *text, size_t size, const struct reader_options *,
                        struct topology *ret, struct document **ret_document, struct status *status);
int reader_read_csv(const char *nodes_path, const char *links_path, const struct reader_options *,
                    struct topology *ret, struct document **ret_document, struct status *status);
