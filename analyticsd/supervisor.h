// supervisor.h: what the main thread does while the daemon works: takes signals, and tells the service manager that the
// API answers.
// SPDX-License-Identifier: MIT
#pragma once

#include "status.h"

#include <signal.h>

// Says that the daemon is ready, then waits until SIGTERM or SIGINT of 'signals' (which are blocked in all threads) and
// returns it. SIGHUP calls 'reload'. With a watchdog, the API is asked several times in each of its periods, over the
// process's own 'context', and the manager hears of us only when it answered.
int supervise(void *context, const sigset_t *signals, void (*reload)(void *), void *reload_context);
