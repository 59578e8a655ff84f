// background.h: the use of a link without the traffic of admitted services, which is in its counters too, so
// that it isn't counted twice: what a service's own meter measured is subtracted from the time it held the
// link (metered), else what it held (assumed), or nothing (conservative).
// SPDX-License-Identifier: MIT
#pragma once

#include "worker.h"

// Corrects measured points in ascending time, each the mean of the interval since the one before; never below
// 0. 'known_ns': holds as was known then. Returns 0 or a negative errno.
int background_correct(struct worker *, const char *link_id, enum directions, int64_t known_ns,
                       struct kpi_point *points, size_t n, struct status *status);

// Current use (the mean of the last 60 s before 'at_ns', else the newest value) without the services' traffic.
// 'ret' is untouched when nothing was ever measured.
int background_current(struct worker *, const char *link_id, enum directions, int64_t at_ns, double *ret,
                       struct status *status);
