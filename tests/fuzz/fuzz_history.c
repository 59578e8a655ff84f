// Any bytes as a CSV file of history: refused with a reason that names the file, or a series of finite values.
// SPDX-License-Identifier: MIT
#include "fuzz.h"
#include "seriesfile.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct lagged_series series = {0};
	struct status status = {0};
	char path[64];
	struct seriesfile file = {.path = path, .column = "value"};
	int fd = memfd_create("history", MFD_CLOEXEC), rc;

	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = seriesfile_read(&file, &series, &status);
	close(fd);
	if (rc < 0) {
		FUZZ_CHECK(rc == -ENOMEM || strncmp(status.message, path, strlen(path)) == 0);
		return 0;
	}
	FUZZ_CHECK(series.n > 0 && series.n <= LAGGED_MOST_STEPS && series.known[0]);
	for (size_t t = 0; t < series.n; t++)
		FUZZ_CHECK(isfinite(series.values[t]));
	lagged_series_fini(&series);
	return 0;
}
