// upkeep.h: what is done with the files of history and state as a whole, while others read and write them: a copy, and
// a check. Both see each file as it was at one moment. Any thread; in steps, so that they can be given up and told of.
// SPDX-License-Identifier: MIT
#pragma once

#include "status.h"

#include <stdbool.h>
#include <stdint.h>

struct upkeep_files {
	const char *history_path, *state_path;
};

struct upkeep_watch {
	// 'done' of about 'total' bytes; false gives up (-ECANCELED). NULL is fine.
	bool (*progress)(void *context, int64_t done, int64_t total);
	// Of a check: something is damaged; 'text' tells what and where.
	void (*finding)(void *context, const char *text);
	void *context;
};

// Writes history.db and state.db into 'folder', which is made when it isn't there. A file appears under its name when
// it is whole and on disk; one that is there already is left alone (-EEXIST). Returns 0 or a negative errno with
// 'status'.
int upkeep_backup(const struct upkeep_files *, const char *folder, const struct upkeep_watch *,
                  struct status *status);

// Reads everything: pages and indexes of both files, every chunk and its checksums, the tail, levels against the rows
// that they were made of. Returns 0, with or without findings, or a negative errno with 'status' when it could not be
// done.
int upkeep_check(const struct upkeep_files *, const struct upkeep_watch *, struct status *status);
