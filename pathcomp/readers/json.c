// Topologies in JSON: the message `topology`.
// SPDX-License-Identifier: MIT
#include "reader.h"

#include "topology.h"

#include <errno.h>
#include <stdio.h>

struct telling {
	const char *path;
	const struct reader_options *options;
	size_t n;
};

static void tell(void *context, const char *text) {
	struct telling *telling = context;
	char line[STATUS_MESSAGE_SIZE];

	snprintf(line, sizeof(line), "%.200s: %.300s", telling->path, text);
	telling->options->defect(telling->options->context, line);
	telling->n++;
}

// What can be told of a file with defects: nodes and links that have no id of their own are passed over.
static int check(struct telling *telling, const struct topology *topology, struct status *status) {
	int rc;

	if (telling->options->defect == NULL)
		return topology_check(topology, status);
	if (telling->n == 0 || topology->n_nodes > 0) {
		if ((rc = topology_check_each(topology, tell, telling)) < 0)
			return rc;
	}
	return telling->n == 0 ? 0 : status_set(status, STATUS_INVALID_ARGUMENT, "%zu defects", telling->n);
}

int reader_parse_json(const char *path, const char *text, size_t size, const struct reader_options *options,
                      struct topology *ret, struct document **ret_document, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct telling telling = {path, options, 0};
	struct status own = {0};
	struct topology topology;
	size_t n_defects;
	int rc;

	rc = document_read_json(text, size, &topology_message, &topology,
	                        options->defect != NULL ? tell : NULL, &telling, &n_defects, &document, &own);
	if (rc == 0)
		rc = check(&telling, &topology, &own);
	if (rc == -ENOMEM)
		return rc;
	if (rc < 0) {
		status_prefix(&own, "%s: ", path);
		return status_set(status, own.code, "%s", own.message);
	}

	*ret = topology;
	*ret_document = document;
	document = NULL;
	return 0;
}
