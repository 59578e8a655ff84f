// upload.h: a topology of any size into analyticsd, in as many requests as it takes, replaced by the last
// one.
// SPDX-License-Identifier: MIT
#pragma once

#include "ctl.h"

#define UPLOAD_PART_LINKS 20000
#define UPLOAD_PART_NODES 50000
#define UPLOAD_PART_SIZE  (LIMIT_FRAME_SIZE / 4) // bytes, so that a frame has room for the rest

// An upload of several requests: its id, and which part comes next.
struct upload {
	char id[17];
	int64_t part, parts;
};

// Returns 0, or a negative errno with 'status' when the service takes no so many parts.
int upload_begin(struct upload *, size_t parts, struct status *status);

// Goes on to the next part; false when the upload has one part only, which needs no id.
bool upload_next(struct upload *);

int upload_topology(struct ctl *, const struct topology *, struct topology_counts *ret,
                    struct status *status);
