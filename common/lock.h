// lock.h: one holder at a time of a path, across processes; the kernel lets go of it when the holder dies.
// SPDX-License-Identifier: MIT
#pragma once

// Locks 'path', a file that is made when missing and stays. Returns a descriptor (closing it unlocks), -EBUSY
// when another live process holds it, or -errno.
int lock_take(const char *path);
