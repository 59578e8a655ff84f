// xstats.h: a driver's own statistics of a port. Calls look at the port: inside the gate only.
// SPDX-License-Identifier: MIT
#pragma once

#include "columns.h"

#include <stdbool.h>
#include <stdint.h>

// Starts as zeroes.
struct xstats {
	uint64_t *ids; // of what is read
	size_t n;
	int n_driver; // that the driver has, when the ids were read
};

// Asks the driver for its names and adds those that are not among the columns yet. Returns 0, -ENOTSUP when the
// process or the port has none, -EAGAIN when the driver changed its mind meanwhile, -ENOSPC, or -ENOMEM.
int xstats_load(struct xstats *, uint16_t port, struct columns *columns);
void xstats_fini(struct xstats *);

// Are there other ones than at xstats_load()?
bool xstats_have_changed(const struct xstats *, uint16_t port);

// Reads 'n' values. Returns 0, or -EAGAIN when the driver does not have them any more.
int xstats_read(const struct xstats *, uint16_t port, uint64_t *ret);
