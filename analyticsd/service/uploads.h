// uploads.h: requests that come in parts, because one frame is too small for them. The parts wait in state.db; the
// request that brings the last one works on all of them.
// SPDX-License-Identifier: MIT
#pragma once

#include "worker.h"

// What a request says of the upload that it is a part of.
struct part_of_upload {
	const char *upload_id; // NULL: not given
	bool has_part, has_parts;
	int64_t part, parts;
};
#define PART_OF_UPLOAD(BODY, MESSAGE)                                                                        \
	((struct part_of_upload) {                                                                           \
		(BODY)->upload_id, HAS(BODY, MESSAGE, part), HAS(BODY, MESSAGE, parts), (BODY)->part,        \
		        (BODY)->parts                                                                        \
	})

enum upload_progress {
	UPLOAD_NONE,     // the request is whole
	UPLOAD_WAITS,    // it is kept, others must follow
	UPLOAD_COMPLETE, // it was the last one: state_each_part(), then state_forget_upload()
};

// Keeps the request if it is a part. Returns an upload_progress, or a negative errno with the call's status.
int upload_keep(struct call *, const struct part_of_upload *);

// Ends an upload that was worked on with this result, which is returned: what didn't fit is not tried again.
int upload_end(struct call *, const char *upload_id, int rc);
