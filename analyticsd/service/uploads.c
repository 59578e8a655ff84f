// Parts of uploads, for the requests that take them.
// SPDX-License-Identifier: MIT
#include "uploads.h"

int upload_keep(struct call *call, const struct part_of_upload *part) {
	const struct upload_part kept = {part->upload_id, part->part, part->parts, call->frame, call->size};
	int rc;

	if (part->upload_id == NULL && !part->has_part && !part->has_parts)
		return UPLOAD_NONE;
	if (part->upload_id == NULL || !part->has_part || !part->has_parts || part->part > part->parts)
		return status_set(call->status, STATUS_INVALID_ARGUMENT,
		                  "part: an upload needs upload_id, part and parts, with part at most parts");
	if ((rc = state_keep_part(call->worker->state, &kept, call->now_ns, call->status)) < 0)
		return rc;
	return part->part < part->parts ? UPLOAD_WAITS : UPLOAD_COMPLETE;
}

int upload_end(struct call *call, const char *upload_id, int rc) {
	int forgot = state_forget_upload(call->worker->state, upload_id, rc < 0 ? NULL : call->status);

	return rc < 0 ? rc : forgot;
}
