// import_report.h: what importing links and importing ports have in common.
// SPDX-License-Identifier: MIT
#pragma once

#include "ctl.h"

// The file is read twice: a pipe is refused. Returns 0 or a negative errno with 'status'.
int import_check_path(const char *path, struct status *status);

// Times over LIMIT_FUTURE_SECONDS ahead are refused.
int import_check_newest(const struct ctl *, const char *path, int64_t newest_ns, struct status *status);

int import_print(const struct ctl *, const struct import_report *);
