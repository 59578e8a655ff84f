// progress.h: a bar on a terminal's stderr for work that takes over a second; silent elsewhere.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	bool wanted, shown;
	int64_t start_ns;
	int percent;
};

void progress_init(struct progress *, int64_t mono_ns);
void progress_update(struct progress *, int64_t mono_ns, size_t done, size_t total);
void progress_fini(struct progress *); // leaves nothing on the screen
