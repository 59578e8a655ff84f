// outlook.h: the thread that looks at the forecasts of all links now and then: which will reach a share of its capacity,
// and when; which are outside the band that was forecast for now. It asks the daemon's own API, like any client, and
// tells the detector.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "settings.h"

struct outlook;

// 'context' is the process's ZeroMQ context; service and detector run already. Returns 0 or a negative errno.
int outlook_start(const struct alert_settings *, void *context, struct outlook **ret);

// Before the service and the detector end. NULL is fine.
void outlook_stop(struct outlook *);
DEFINE_CLEANUP(struct outlook *, outlook_stop)
