// faulty_vfs.h: SQLite's file system with a disk that fails: a write that is refused, and a loss of power that keeps any
// part, in any order, of what was not synced. One at a time in a process; the default while it is installed.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>

void faulty_install(void);

// The 'nth' write, truncation or sync from here on (1: the next) fails, a write after half of its bytes; with 'for_good'
// all later ones do, too. 'result' is SQLITE_FULL, or any error: it then says which call failed. 0: none.
void faulty_fail(long nth, int result, bool for_good);

// The 'nth' read from here on fails. 0: none.
void faulty_fail_read(long nth);

// Has it failed?
bool faulty_has_failed(void);

// The power goes at the 'nth' write or sync from here on.
void faulty_lose_power(long nth);

// What is on disk then, chosen by random(): writes the files that were open as they would be found.
void faulty_put_back(void);
