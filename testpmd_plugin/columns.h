// columns.h: the names of a row's values. What was read under one set of names keeps it, while the port may
// already have another. One thread at a time.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"

#include <stddef.h>

struct columns;

// The basic counters of a port. Returns 0 or -ENOMEM.
int columns_new(struct columns **ret);

// Another owner of the same names, until each has said columns_free().
struct columns *columns_share(struct columns *);
void columns_free(struct columns *);
DEFINE_CLEANUP(struct columns *, columns_free)

// Adds a name behind the others, as long as the columns have one owner. Returns 0, 1 when the name is there
// already or is no good id (it is left out then), -ENOSPC when there are LIMIT_NAMES, or -ENOMEM.
int columns_add(struct columns *, const char *name);

const char *const *columns_names(const struct columns *, size_t *ret_n);
