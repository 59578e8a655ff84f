// notify.h: telling the service manager how we are: the datagrams of sd_notify(3), to $NOTIFY_SOCKET.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdint.h>

// Sends a state ("READY=1", "WATCHDOG=1", ...). Returns 1 when it was sent, 0 when nobody wants to know, or a negative
// errno.
int notify_manager(const char *state);

// How often, in nanoseconds, the manager wants to hear WATCHDOG=1 at least; 0: never.
int64_t notify_watchdog_ns(void);
