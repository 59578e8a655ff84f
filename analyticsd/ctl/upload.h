// upload.h: a topology of any size into analyticsd, in as many requests as it takes, replaced by the last
// one.
// SPDX-License-Identifier: MIT
#pragma once

#include "ctl.h"

#define UPLOAD_PART_LINKS 20000
#define UPLOAD_PART_NODES 50000
#define UPLOAD_PART_SIZE  (LIMIT_FRAME_SIZE / 4) // bytes, so that a frame has room for the rest

int upload_topology(struct ctl *, const struct topology *, struct topology_counts *ret,
                    struct status *status);
