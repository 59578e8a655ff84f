// linkmap.h: which link and direction a series of a CSV file is of: columns `name`, `link`, `direction`.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "status.h"

struct linkmap;

// No name, and no link and direction, may be there twice. Returns 0, or a negative errno with 'status' (file
// and line).
int linkmap_read(const char *path, struct linkmap **ret, struct status *status);
void linkmap_free(struct linkmap *);
DEFINE_CLEANUP(struct linkmap *, linkmap_free)

// 'ret_link' lives as long as the map. Returns 0 or -ENOENT.
int linkmap_find(const struct linkmap *, const char *name, const char **ret_link, int *ret_direction);
