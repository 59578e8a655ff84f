// cores.h: threads of the plugin, kept off the forwarding cores.
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

// Notes the CPUs that the process may use. Call before EAL pins the main thread.
void cores_remember(void);

// Starts a thread on the process's CPUs less those of EAL's lcores; when that leaves none, less those of the
// worker lcores; when that leaves none either, on the main lcore's. It takes no signals, and threads
// that it starts itself (ZeroMQ's) inherit both. 'name' has at most 15 bytes. Returns 0 or -errno.
int cores_thread_create(const char *name, void *(*run)(void *), void *context, pthread_t *ret);

// ---- what EAL's lcores do

struct lcore;
struct lcore_list;

// Cycles of an lcore, as DPDK tells them from 23.03 on.
struct lcore_cycles {
	uint64_t total, busy;
};
typedef int (*lcore_usage_fn)(unsigned int lcore, struct lcore_cycles *ret);

// The host's own function, when it registered one: then busy shares can be told.
void cores_set_usage(lcore_usage_fn usage);

// Returns 0 or -ENOMEM.
int lcore_list_new(struct lcore_list **ret);
void lcore_list_free(struct lcore_list *);

// The lcores now, with their busy shares since the look before; valid until the next one.
struct lcore *lcore_list_look(struct lcore_list *, size_t *ret_n);
