// host.h: how the plugin reaches the process that loaded it: its prompt, and its calls that change ports.
// SPDX-License-Identifier: MIT
#pragma once

#include "settings.h"

#include <stdint.h>

struct cmdline_inst;

struct host_events {
	void (*port_started)(void);         // the first port: EAL is up and there is something to sample
	void (*port_ending)(uint16_t port); // its counters go away or begin anew: now they can still be read
	void (*leaving)(void);              // EAL goes down: after this nothing of DPDK may be touched
};

enum host_entry {
	HOST_ENTRY_NONE,       // no prompt was found: autostart only
	HOST_ENTRY_EXPORTED,   // testpmd_add_driver_commands()
	HOST_ENTRY_REDIRECTED, // the host's imports of cmdline_stdin_new() and its kin
};

// Puts the commands (an array that ends with NULL; it must stay) into the prompt and the port lock around the
// host's calls. Once, from the constructor. Returns 0, or a negative errno when the host could not be
// changed as a whole: what works, works.
int host_attach(struct cmdline_inst *const *commands, const struct host_events *events);

enum host_entry host_entry(void);
const char *host_entry_text(enum host_entry);

// DPDK keeps the layout of its structures from each November's release to the next. Returns 0, or -EINVAL with 'status'
// when this process has another layout than the plugin was compiled for: then nothing may be read.
int host_check_release(struct status *status);

// EAL's --file-prefix, or NULL when not known.
const char *host_file_prefix(void);
