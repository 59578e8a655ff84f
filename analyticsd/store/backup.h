// backup.h: a copy of one database as it is at one moment, page by page, while others write.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "status.h"

#include <stdint.h>

struct backup;

// Begins to copy the database at 'from' to 'to', which must not exist yet (-EEXIST). Returns 0 or a negative errno with
// 'status'.
int backup_open(const char *from, const char *to, struct backup **ret, struct status *status);

// What was not finished is removed. NULL is fine.
void backup_close(struct backup *);
DEFINE_CLEANUP(struct backup *, backup_close)

// Copies some pages more. Returns 1, 0 when all are copied, or a negative errno with 'status'.
int backup_step(struct backup *, struct status *status);

int64_t backup_done(const struct backup *); // bytes so far
int64_t backup_size(const struct backup *); // bytes in all; known after the first step

// Brings the copy to disk and gives it its name. Returns 0, -EEXIST, or another negative errno with 'status'.
int backup_finish(struct backup *, struct status *status);
