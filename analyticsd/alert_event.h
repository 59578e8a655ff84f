// alert_event.h: telling others that an alert changed.
// SPDX-License-Identifier: MIT
#pragma once

#include "message.h"

// Publishes the change; 'ingest' is the thread's own caller (ingest_caller()). Returns 0 or a negative errno.
int alert_event_publish(void *ingest, enum alert_changes change, int64_t now_ns, struct alert *alert);
