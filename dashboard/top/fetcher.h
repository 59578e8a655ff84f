// fetcher.h: a thread that takes snapshots, so that the screen never waits for the network.
// SPDX-License-Identifier: MIT
#pragma once

#include "snapshot.h"

struct fetcher;

// Begins to ask 'endpoint' each 'interval_ms', and at once when the wish changes. Returns 0 or a negative errno with
// 'status'.
int fetcher_start(const char *endpoint, int interval_ms, const struct snapshot_wish *, struct fetcher **ret,
                  struct status *status);
void fetcher_stop(struct fetcher *); // NULL is fine
DEFINE_CLEANUP(struct fetcher *, fetcher_stop)

void fetcher_wish(struct fetcher *, const struct snapshot_wish *);

// The newest snapshot, now the caller's, or NULL when there is none since the last call. Never waits for the network.
struct snapshot *fetcher_take(struct fetcher *);

// Readable when there is one to take.
int fetcher_fd(const struct fetcher *);
