// Any text as the alerts file: refused with a reason that names the file, or settings that are all within their bounds.
// SPDX-License-Identifier: MIT
#include "fuzz.h"
#include "settings.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static bool is_within(double value, double min, double max) {
	return isfinite(value) && value >= min && value <= max;
}

static void check_action(const struct action *action) {
	FUZZ_CHECK(action->name != NULL && action->name[0] != '\0');
	FUZZ_CHECK((action->program != NULL) != (action->url != NULL));
	FUZZ_CHECK(action->program == NULL || action->program[0] == '/');
	FUZZ_CHECK(action->arguments[0] == action->program);
	FUZZ_CHECK(action->n_arguments >= 0 && action->n_arguments <= MOST_ARGUMENTS);
	for (int i = 1; i <= action->n_arguments; i++)
		FUZZ_CHECK(action->arguments[i] != NULL);
	FUZZ_CHECK(action->arguments[action->n_arguments + 1] == NULL);
	FUZZ_CHECK(is_within(action->timeout_seconds, 0.001, 86400));
	FUZZ_CHECK(action->retries >= 0 && action->retries <= 100);
}

static void check(const struct alert_settings *settings) {
	FUZZ_CHECK(is_within(settings->false_alarms_per_week, 1e-6, 1e4));
	FUZZ_CHECK(is_within(settings->horizon_seconds, 10, 7 * 86400));
	FUZZ_CHECK(is_within(settings->probability, 0.01, 1));
	FUZZ_CHECK(is_within(settings->utilization, 0.01, 10));
	FUZZ_CHECK(is_within(settings->quantile, 0.5, 0.999));
	FUZZ_CHECK(is_within(settings->outlook_seconds, 1, 86400));
	FUZZ_CHECK(is_within(settings->retrain_seconds, 10, INFINITY));
	FUZZ_CHECK(is_within(settings->warm_up_seconds, 0, 7 * 86400));
	FUZZ_CHECK(is_within(settings->reopen_seconds, 0, 7 * 86400));
	FUZZ_CHECK(settings->parallel_actions >= 1 && settings->parallel_actions <= 64);
	for (int i = 0; i < N_RULES; i++) {
		FUZZ_CHECK(is_within(settings->rules[i].raise_seconds, 0, 7 * 86400));
		FUZZ_CHECK(is_within(settings->rules[i].clear_seconds, 0, 7 * 86400));
		FUZZ_CHECK((unsigned)settings->rules[i].severity < N_severities);
	}
	FUZZ_CHECK(settings->n_actions <= MOST_ACTIONS);
	for (size_t i = 0; i < settings->n_actions; i++)
		check_action(&settings->actions[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	CLEANUP(alert_settings_freep) struct alert_settings *settings = NULL;
	struct status status = {0};
	char path[64];
	int fd, rc;

	fd = memfd_create("alerts", MFD_CLOEXEC);
	FUZZ_CHECK(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = alert_settings_read(path, &settings, &status);
	FUZZ_CHECK(rc == 0 || rc == -ENOMEM || rc == -EINVAL);
	if (rc == 0)
		check(settings);
	else if (rc == -EINVAL)
		FUZZ_CHECK(strncmp(status.message, path, strlen(path)) == 0);
	close(fd);
	return 0;
}
