// Topologies in JSON: the message `topology`.
// SPDX-License-Identifier: MIT
#include "reader.h"

#include "topology.h"

#include <errno.h>

int reader_parse_json(const char *path, const char *text, size_t size, struct topology *ret,
                      struct document **ret_document, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct status own = {0};
	struct topology topology;
	int rc;

	rc = document_from_json(text, size, &document, &own);
	if (rc == 0)
		rc = document_read(document, &topology_message, &topology, &own);
	if (rc == 0)
		rc = topology_check(&topology, &own);
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
