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

static int bad_interval(const char *text, struct status *status) {
	return status_set(status, STATUS_INVALID_ARGUMENT,
	                  "interval '%.100s': expected 100us to 60s, or milliseconds", text);
}

int settings_set_interval(struct settings *settings, const char *text, struct status *status) {
	bool plain = text[strspn(text, ".0123456789")] == '\0';
	double seconds;
	int64_t interval_ns;

	if (text_to_seconds(text, &seconds) < 0)
		return bad_interval(text, status);
	if (plain)
		seconds /= 1000;
	if (!(seconds < 1e6))
		return bad_interval(text, status);
	interval_ns = llround(seconds * 1e9);
	if (interval_ns < INTERVAL_MIN_NS || interval_ns > INTERVAL_MAX_NS)
		return bad_interval(text, status);
	settings->interval_ns = interval_ns;
	return 0;
}

int settings_set_link(struct settings *settings, const char *port_name, const char *link,
                      struct status *status) {
	struct link_setting *setting = settings->links;
	struct link_setting *end = settings->links + settings->n_links;

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

static int take_interval(struct settings *settings, struct status *status) {
	const char *text = getenv("LINKCAST_INTERVAL_MS");
	int rc;

	if (text == NULL || text[0] == '\0')
		return 0;
	if ((rc = settings_set_interval(settings, text, status)) < 0 && status != NULL)
		status_prefix(status, "LINKCAST_INTERVAL_MS: ");
	return rc;
}

int settings_init(struct settings *settings, struct status *status) {
	int rc, rc_interval;

	memset(settings, 0, sizeof(*settings));
	settings->interval_ns = INTERVAL_DEFAULT_NS;
	rc = settings_set_samples(settings, NULL, status);
	if (rc == 0)
		rc = settings_set_server(settings, NULL, status);
	rc_interval = take_interval(settings, rc < 0 ? NULL : status);
	return rc < 0 ? rc : rc_interval;
}
