// kpi_pages.h: all points of a link's series, page after page.
// SPDX-License-Identifier: MIT
#pragma once

#include "ctl.h"

// The points of one page, ascending. Returns 0 or a negative errno, which ends it.
typedef int (*kpi_page_fn)(void *context, const struct kpi_point *points, size_t n);

// Asks for 'query' from its first page on; 'take' gets each, also one without points. Returns 0 or a negative errno with
// 'status'.
int kpi_pages(struct ctl *, const struct kpi_query *query, kpi_page_fn take, void *context,
              struct status *status);
