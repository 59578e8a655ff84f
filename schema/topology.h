// topology.h: what a topology must keep to beyond the kinds of its fields. Files and requests are held to
// the same.
// SPDX-License-Identifier: MIT
#pragma once

#include "message.h"
#include "status.h"

// At least one node; node and link ids unique; both ends of each link known and different; no port bound
// twice. Returns 0, -EINVAL with the first defect in 'status' ("links[3] 'x': ..."), or -ENOMEM.
int topology_check(const struct topology *, struct status *status);

// Tells every defect, in the same words; what has no id, or a link no end (NULL), is passed over. Returns 0 or -ENOMEM.
typedef void (*topology_defect_fn)(void *context, const char *text);
int topology_check_each(const struct topology *, topology_defect_fn, void *context);
