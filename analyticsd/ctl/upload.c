// SetTopology in parts: nodes first, because links name them.
// SPDX-License-Identifier: MIT
#include "upload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

struct plan {
	struct topology *parts; // nodes and links point into the whole
	size_t n;
	size_t size; // of the last part so far, bytes
};

static void plan_fini(struct plan *plan) {
	free(plan->parts);
}

static int begin_part(struct plan *plan, const struct topology *whole) {
	int rc = array_grow((void **)&plan->parts, plan->n, 1, sizeof(*plan->parts));

	if (rc < 0)
		return rc;
	topology_init(&plan->parts[plan->n]);
	plan->parts[plan->n].topology_id = whole->topology_id;
	plan->n++;
	plan->size = 0;
	return 0;
}

// The part that the next element of 'message' goes to, with room for it.
static int next_part(struct plan *plan, const struct topology *whole, const struct message *message,
                     const void *element, struct topology **ret) {
	CLEANUP(bytes_fini) struct bytes encoded = {0};
	struct topology *part = &plan->parts[plan->n - 1];
	int rc;

	if ((rc = message_encode(message, element, &encoded)) < 0)
		return rc;
	if (plan->size > 0 && (plan->size + encoded.size > UPLOAD_PART_SIZE ||
	                       part->n_links >= UPLOAD_PART_LINKS || part->n_nodes >= UPLOAD_PART_NODES)) {
		if ((rc = begin_part(plan, whole)) < 0)
			return rc;
		part = &plan->parts[plan->n - 1];
	}
	plan->size += encoded.size;
	*ret = part;
	return 0;
}

static int make_plan(const struct topology *whole, struct plan *plan) {
	struct topology *part;
	int rc;

	if ((rc = begin_part(plan, whole)) < 0)
		return rc;
	for (size_t i = 0; i < whole->n_nodes; i++) {
		if ((rc = next_part(plan, whole, &node_message, &whole->nodes[i], &part)) < 0)
			return rc;
		if (part->n_nodes++ == 0)
			part->nodes = &whole->nodes[i];
	}
	for (size_t i = 0; i < whole->n_links; i++) {
		if ((rc = next_part(plan, whole, &link_message, &whole->links[i], &part)) < 0)
			return rc;
		if (part->n_links++ == 0)
			part->links = &whole->links[i];
	}
	return 0;
}

static int send_part(struct ctl *ctl, const struct topology *part, struct topology_counts *ret,
                     struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;

	return ctl_call(ctl, OP_SET_TOPOLOGY, part, ret, &document, status);
}

int upload_begin(struct upload *upload, size_t parts, struct status *status) {
	uint64_t random;

	if (parts > LIMIT_UPLOAD_PARTS)
		return status_set(status, STATUS_RESOURCE_EXHAUSTED, "%zu parts, at most %d", parts,
		                  LIMIT_UPLOAD_PARTS);
	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -errno;
	*upload = (struct upload){.parts = (int64_t)parts};
	snprintf(upload->id, sizeof(upload->id), "%016" PRIx64, random);
	return 0;
}

bool upload_next(struct upload *upload) {
	upload->part++;
	return upload->parts > 1;
}

int upload_topology(struct ctl *ctl, const struct topology *whole, struct topology_counts *ret,
                    struct status *status) {
	CLEANUP(plan_fini) struct plan plan = {0};
	struct upload upload;
	int rc;

	if ((rc = make_plan(whole, &plan)) < 0 || (rc = upload_begin(&upload, plan.n, status)) < 0)
		return rc;
	while (upload.part < upload.parts) {
		struct topology *part = &plan.parts[upload.part];

		if (upload_next(&upload)) {
			part->upload_id = upload.id;
			SET(part, topology, part, upload.part);
			SET(part, topology, parts, upload.parts);
		}
		if ((rc = send_part(ctl, part, ret, status)) < 0)
			return rc;
	}
	return 0;
}
