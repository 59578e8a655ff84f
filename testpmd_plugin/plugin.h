// plugin.h: what the plugin can be told to do. Any thread of the host; nothing waits longer than a few
// seconds.
// SPDX-License-Identifier: MIT
#pragma once

#include "session.h"
#include "settings.h"
#include "status.h"

// Publishes to 'endpoint' ("@..." binds; NULL is the default). Returns 0, -EBUSY when it does already, or
// another negative errno with 'status'.
int plugin_start(const char *endpoint, struct status *status);

// -EBUSY when nothing is published; -ETIMEDOUT when the sampler hangs in a driver, and is left there.
int plugin_stop(struct status *status);

// Settings hold at once and for later starts. 'set' is one of settings.h; the link "-" is none.
int plugin_set(int (*set)(struct settings *, const char *, struct status *), const char *text,
               struct status *status);
int plugin_set_link(const char *port, const char *link, struct status *status);

void plugin_settings(struct settings *ret);

// The name by which this process publishes.
int plugin_host(char text[static LIMIT_ID_SIZE + 1], struct status *status);

// The name of the port with the number 'text'. Returns 0, or a negative errno with 'status'.
int plugin_port(const char *text, uint16_t *ret_port, char name[static PORT_NAME_SIZE],
                struct status *status);

// Returns 0, -ENOENT when nothing is published, or -ENOMEM; free the view with session_view_fini().
int plugin_look(struct session_view *ret);
