// rebuild.h: used capacity of a link derived anew from stored rows, around rows that came late. What was derived
// without them (a gap left out, or the other end's count in its place) is replaced, so no time has two points.
// SPDX-License-Identifier: MIT
#pragma once

#include "history.h"
#include "rates.h"

struct late_rows {
	const char *host, *name;
	int64_t from_ns, to_ns; // of the first and the last of them
	int64_t interval_ns;    // between the rows of the port
};

// Within a transaction that has the rows. 'usage' tells the bindings; it is not changed. Returns 1 when the port is
// bound to a link, 0, or a negative errno with 'status'.
int rebuild_usage(struct history *, const struct usage *, enum accounting, const struct late_rows *,
                  struct status *status);

// What rates.h wants of a stored row.
struct port_reading stored_reading(const struct stored_row *);
