// futex.h: waiting for a word to change, bounded, by calls that are safe in a signal handler. Threads of one process.
// SPDX-License-Identifier: MIT
#pragma once

#include "clock.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

// Returns at once when the word is not 'value', else after a wake, a signal, or 'wait_ns'.
static inline void futex_wait(_Atomic uint32_t *word, uint32_t value, int64_t wait_ns) {
	struct timespec wait = {wait_ns / NS_PER_SECOND, wait_ns % NS_PER_SECOND};

	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &wait, NULL, 0);
}

static inline void futex_wake(_Atomic uint32_t *word) {
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
