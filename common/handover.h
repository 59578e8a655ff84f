// handover.h: tells TSan that memory passes from one thread to another by a way that it can't see (a pointer sent
// through libzmq, which is not instrumented). Nothing in other builds.
// SPDX-License-Identifier: MIT
#pragma once

#ifdef __SANITIZE_THREAD__
void __tsan_acquire(void *);
void __tsan_release(void *);
#define HANDOVER_GIVE(POINTER) __tsan_release(POINTER)
#define HANDOVER_TAKE(POINTER) __tsan_acquire(POINTER)
#else
#define HANDOVER_GIVE(POINTER) ((void)(POINTER))
#define HANDOVER_TAKE(POINTER) ((void)(POINTER))
#endif
