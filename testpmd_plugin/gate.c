// The port lock: a count of host calls on one side, a sequence number (odd while reading) on the other, each
// side announcing itself before it looks at the other. Waiting is by futex, so that it is bounded and needs
// no state that a signal handler could find half-changed.
// SPDX-License-Identifier: MIT
#include "gate.h"

#include "clock.h"
#include "futex.h"

#include <errno.h>
#include <stdatomic.h>

static _Atomic uint32_t hosts;    // host calls inside
static _Atomic uint32_t readings; // odd: the sampler reads
static _Atomic uint32_t given_up; // the reading that the host no longer waits for
static _Atomic uint32_t changes;
static _Atomic bool tracked;
static _Atomic uint32_t ports[UINT16_MAX + 1]; // bit 0: started; above: resets

#define PORT_STARTED 1U
#define PORT_RESET   2U

void gate_host_enter(void) {
	int64_t deadline_ns, left_ns;
	uint32_t reading;
	int saved_errno = errno;

	atomic_fetch_add(&hosts, 1);
	deadline_ns = clock_mono_ns() + GATE_PATIENCE_NS;
	while (reading = atomic_load(&readings), reading % 2 == 1 && reading != atomic_load(&given_up)) {
		left_ns = deadline_ns - clock_mono_ns();
		if (left_ns > 0)
			futex_wait(&readings, reading, left_ns);
		else
			atomic_store(&given_up, reading);
	}
	errno = saved_errno;
}

void gate_host_leave(void) {
	int saved_errno = errno;

	atomic_fetch_add(&changes, 1);
	atomic_fetch_sub(&hosts, 1);
	futex_wake(&hosts);
	errno = saved_errno;
}

void gate_port_started(uint16_t port) {
	atomic_fetch_add(&ports[port], PORT_RESET);
	atomic_fetch_or(&ports[port], PORT_STARTED);
}

void gate_port_stopped(uint16_t port) {
	atomic_fetch_and(&ports[port], ~PORT_STARTED);
}

void gate_port_reset(uint16_t port) {
	atomic_fetch_add(&ports[port], PORT_RESET);
}

void gate_track(void) {
	atomic_store(&tracked, true);
}

bool gate_tracks(void) {
	return atomic_load(&tracked);
}

struct gate_port gate_port(uint16_t port) {
	uint32_t state = atomic_load(&ports[port]);

	return (struct gate_port){(state & PORT_STARTED) != 0 || !gate_tracks(), state / PORT_RESET};
}

bool gate_is_free(void) {
	return atomic_load(&hosts) == 0;
}

uint32_t gate_changes(void) {
	return atomic_load(&changes);
}

bool gate_sampler_enter(int64_t wait_ns) {
	int64_t deadline_ns = 0; // from the first time that somebody was inside

	for (;;) {
		int64_t now_ns, left_ns;
		uint32_t inside;

		atomic_fetch_add(&readings, 1);
		inside = atomic_load(&hosts);
		if (inside == 0)
			return true;
		atomic_fetch_add(&readings, 1);
		futex_wake(&readings);
		now_ns = clock_mono_ns();
		deadline_ns = deadline_ns != 0 ? deadline_ns : now_ns + wait_ns;
		left_ns = deadline_ns - now_ns;
		if (left_ns <= 0)
			return false;
		futex_wait(&hosts, inside, left_ns);
	}
}

bool gate_sampler_leave(void) {
	uint32_t reading = atomic_fetch_add(&readings, 1);

	if (atomic_load(&hosts) > 0)
		futex_wake(&readings);
	return reading != atomic_load(&given_up);
}
