// gate.h: the port lock. Ports belong to the host: what it does to them, it does inside the gate, and the
// sampler looks at a port only while nobody is inside.
//
// It is no mutex, because a guest must not add a way to hang: host calls never wait for each other, only for
// a sampler that is just reading, and for that at most GATE_PATIENCE_NS; the sampler gives way. Entering is
// safe in a signal handler and on any thread.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define GATE_PATIENCE_NS INT64_C(2000000000)

// Around each call that changes a port; may nest. errno is kept.
void gate_host_enter(void);
void gate_host_leave(void);

// What the host did, told while inside. Restart and reset begin a new epoch of the port's counters.
void gate_port_started(uint16_t port);
void gate_port_stopped(uint16_t port);
void gate_port_reset(uint16_t port);

// Are the host's calls seen at all? Without that, every port counts as started.
void gate_track(void);
bool gate_tracks(void);

struct gate_port {
	bool started;
	uint32_t resets; // differs when the counters began anew
};
struct gate_port gate_port(uint16_t port);

// Is no host call inside now?
bool gate_is_free(void);

// How often a host call has ended: differs when ports may have come or gone.
uint32_t gate_changes(void);

// One reader at a time. Waits until no host call is inside, at most 'wait_ns'; false when one still is.
bool gate_sampler_enter(int64_t wait_ns);

// False when the host lost patience and went on: what was read is worth nothing.
bool gate_sampler_leave(void);
