// A line that is written over.
// SPDX-License-Identifier: MIT
#include "progress.h"

#include "clock.h"

#include <stdio.h>
#include <unistd.h>

#define WIDTH 40

void progress_init(struct progress *progress, int64_t mono_ns) {
	*progress = (struct progress){.wanted = isatty(STDERR_FILENO), .start_ns = mono_ns, .percent = -1};
}

void progress_update(struct progress *progress, int64_t mono_ns, size_t done, size_t total) {
	static const char full[] = "########################################";
	int percent = total == 0 ? 100 : (int)(100.0 * (double)done / (double)total);

	if (!progress->wanted || percent == progress->percent || mono_ns - progress->start_ns < NS_PER_SECOND)
		return;
	progress->percent = percent;
	progress->shown = true;
	fprintf(stderr, "\r[%-*.*s] %3d %%", WIDTH, percent * WIDTH / 100, full, percent);
	fflush(stderr);
}

void progress_fini(struct progress *progress) {
	if (progress->shown)
		fprintf(stderr, "\r%*s\r", WIDTH + 10, "");
	progress->shown = false;
}
