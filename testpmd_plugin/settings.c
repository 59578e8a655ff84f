// Checking of what people set; nothing here starts or stops anything.
// SPDX-License-Identifier: MIT
#include "settings.h"

#include "codec.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int settings_set_samples(struct settings *settings, const char *text, struct status *status) {
	bool bind = text != NULL && text[0] == '@';
	int rc = endpoint_set(ENDPOINT_SAMPLES, bind ? text + 1 : text, settings->samples, status);

	if (rc == 0)
		settings->bind = bind;
	return rc;
}

int settings_set_server(struct settings *settings, const char *text, struct status *status) {
	return endpoint_set(ENDPOINT_API, text, settings->server, status);
}

// Times of people: a plain number is milliseconds.
static int read_time(const char *text, int64_t *ret_ns) {
	bool plain = text[strspn(text, ".0123456789")] == '\0';
	double seconds;

	if (text_to_seconds(text, &seconds) < 0)
		return -EINVAL;
	if (plain)
		seconds /= 1000;
	if (!(seconds < 1e6))
		return -EINVAL;
	*ret_ns = llround(seconds * 1e9);
	return 0;
}

static int bad_interval(const char *text, struct status *status) {
	return status_set(status, STATUS_INVALID_ARGUMENT,
	                  "interval '%.100s': expected 100us to 60s, or milliseconds", text);
}

int settings_set_interval(struct settings *settings, const char *text, struct status *status) {
	int64_t interval_ns;

	if (read_time(text, &interval_ns) < 0 || interval_ns < INTERVAL_MIN_NS ||
	    interval_ns > INTERVAL_MAX_NS)
		return bad_interval(text, status);
	settings->interval_ns = interval_ns;
	return 0;
}

int settings_set_batch(struct settings *settings, const char *text, struct status *status) {
	int64_t batch_ns;

	if (read_time(text, &batch_ns) < 0 || batch_ns > BATCH_MAX_NS)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "batch '%.100s': expected 0 to 1s, or milliseconds", text);
	settings->batch_ns = batch_ns;
	return 0;
}

int settings_set_xstats(struct settings *settings, const char *text, struct status *status) {
	bool on = strcmp(text, "on") == 0;

	if (!on && strcmp(text, "off") != 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "xstats '%.100s': expected on or off",
		                  text);
	settings->xstats = on;
	return 0;
}

int settings_set_replay(struct settings *settings, const char *text, struct status *status) {
	static const struct {
		const char *unit;
		unsigned int shift;
	} units[] = {{"", 20}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
	size_t n_digits = strspn(text, "0123456789");
	char digits[24];
	uint64_t number;

	snprintf(digits, sizeof(digits), "%.*s", (int)(n_digits < 20 ? n_digits : 20), text);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(text + n_digits, units[i].unit) != 0)
			continue;
		if (text_to_u64(digits, &number) < 0 || number > REPLAY_MAX_SIZE >> units[i].shift)
			break;
		settings->replay_size = (size_t)number << units[i].shift;
		return 0;
	}
	return status_set(
	        status, STATUS_INVALID_ARGUMENT,
	        "replay '%.100s': expected a size as 64MiB or 512KiB, at most 1024GiB; 0 holds nothing",
	        text);
}

static int unset_link(struct settings *settings, const char *port_name, struct status *status) {
	for (size_t i = 0; i < settings->n_links; i++) {
		if (strcmp(settings->links[i].port_name, port_name) != 0)
			continue;
		settings->links[i] = settings->links[--settings->n_links];
		return 0;
	}
	return status_set(status, STATUS_NOT_FOUND, "%s has no link", port_name);
}

int settings_set_link(struct settings *settings, const char *port_name, const char *link,
                      struct status *status) {
	struct link_setting *setting = settings->links;
	struct link_setting *end = settings->links + settings->n_links;

	if (strcmp(link, "-") == 0)
		return unset_link(settings, port_name, status);
	if (!id_is_valid(link))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "link '%.100s': expected 1 to %d bytes of UTF-8 without control characters",
		                  link, LIMIT_ID_SIZE);
	while (setting < end && strcmp(setting->port_name, port_name) != 0)
		setting++;
	if (setting == end) {
		if (settings->n_links == SETTINGS_MAX_LINKS)
			return status_set(status, STATUS_RESOURCE_EXHAUSTED, "%d ports have a link already",
			                  SETTINGS_MAX_LINKS);
		settings->n_links++;
	}
	snprintf(setting->port_name, sizeof(setting->port_name), "%s", port_name);
	snprintf(setting->link, sizeof(setting->link), "%s", link);
	return 0;
}

const char *settings_link(const struct settings *settings, const char *port_name) {
	for (size_t i = 0; i < settings->n_links; i++) {
		if (strcmp(settings->links[i].port_name, port_name) == 0)
			return settings->links[i].link;
	}
	return NULL;
}

int settings_host(const char *file_prefix, char text[static LIMIT_ID_SIZE + 1], struct status *status) {
	const char *given = getenv("LINKCAST_HOST");
	char name[LIMIT_ID_SIZE + 1] = "localhost";
	bool prefixed = file_prefix != NULL && file_prefix[0] != '\0' && strcmp(file_prefix, "rte") != 0;
	char host[2 * LIMIT_ID_SIZE + 2];
	int size;

	if (given != NULL && given[0] != '\0') {
		size = snprintf(host, sizeof(host), "%s", given);
	} else {
		if (gethostname(name, sizeof(name) - 1) < 0)
			return status_set(status, STATUS_INTERNAL, "host name: %s", strerror(errno));
		size = snprintf(host, sizeof(host), "%s%s%s", name, prefixed ? "/" : "",
		                prefixed ? file_prefix : "");
	}
	if (size < 0 || (size_t)size >= sizeof(host) || !id_is_valid(host))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "host name '%.100s' is no good id (LINKCAST_HOST sets another)", host);
	snprintf(text, LIMIT_ID_SIZE + 1, "%.*s", LIMIT_ID_SIZE, host);
	return 0;
}

// The first complaint is the one that is told.
static int take_variable(struct settings *settings, const char *name,
                         int (*set)(struct settings *, const char *, struct status *), int rc_before,
                         struct status *status) {
	const char *text = getenv(name);
	int rc;

	if (text == NULL || text[0] == '\0')
		return rc_before;
	rc = set(settings, text, rc_before < 0 ? NULL : status);
	if (rc < 0 && rc_before == 0 && status != NULL)
		status_prefix(status, "%s: ", name);
	return rc_before < 0 ? rc_before : rc;
}

int settings_init(struct settings *settings, struct status *status) {
	static const struct {
		const char *name;
		int (*set)(struct settings *, const char *, struct status *);
	} variables[] = {
	        {"LINKCAST_INTERVAL_MS", settings_set_interval},
	        {"LINKCAST_BATCH_MS", settings_set_batch},
	        {"LINKCAST_REPLAY_MIB", settings_set_replay},
	        {"LINKCAST_XSTATS", settings_set_xstats},
	};
	int rc;

	memset(settings, 0, sizeof(*settings));
	settings->interval_ns = INTERVAL_DEFAULT_NS;
	settings->batch_ns = BATCH_DEFAULT_NS;
	settings->replay_size = REPLAY_DEFAULT_SIZE;
	rc = settings_set_samples(settings, NULL, status);
	if (rc == 0)
		rc = settings_set_server(settings, NULL, status);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		rc = take_variable(settings, variables[i].name, variables[i].set, rc, status);
	return rc;
}
