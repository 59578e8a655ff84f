// pairs.h: links that are measured at both ends: does what one end sends arrive at the other? Pure. One thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "message.h"
#include "observe.h"

struct pairs;

int pairs_new(double false_alarms_per_week, struct pairs **ret);
void pairs_free(struct pairs *);
DEFINE_CLEANUP(struct pairs *, pairs_free)

// What passed a port at an end of a link. Returns 0 or -ENOMEM.
int pairs_add(struct pairs *, const char *link_id, enum ends, const struct observation *);

#define PAIRS_SECONDS 10.0 // between judgements: much longer than the ends' clocks and intervals may be apart

// Judges every link of which both ends were heard for PAIRS_SECONDS. 'each' gets the score (at 1 it is an alarm, at the
// stated rate) and what was seen last.
void pairs_judge(struct pairs *,
                 void (*each)(void *context, const char *link_id, double score, const char *text),
                 void *context);
