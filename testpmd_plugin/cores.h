// cores.h: threads of the plugin, kept off the forwarding cores.
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

// Notes the CPUs that the process may use. Call before EAL pins the main thread.
void cores_remember(void);

// Starts a thread on the process's CPUs less those of EAL's lcores; when that leaves none, less those of the
// worker lcores; when that leaves none either, on the main lcore's. It takes no signals, and threads
// that it starts itself (ZeroMQ's) inherit both. 'name' has at most 15 bytes. Returns 0 or -errno.
int cores_thread_create(const char *name, void *(*run)(void *), void *context, pthread_t *ret);
