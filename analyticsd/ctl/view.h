// view.h: a whole topology as analyticsd sees it now, its pages put together.
// SPDX-License-Identifier: MIT
#pragma once

#include "ctl.h"

struct view {
	struct topology_view body; // without next_page
	struct replies replies;
};

// Asks again from the start when the topology changes between two pages. Returns 0, or a negative errno with
// 'status': -EAGAIN when it never stood still.
int view_fetch(struct ctl *, const char *topology_id, struct view *ret, struct status *status);
void view_fini(struct view *);
