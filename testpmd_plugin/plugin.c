// The object that a DPDK process loads: registers itself with the host, holds the settings and the session,
// decides and logs. The constructor runs inside EAL's start, when nothing of DPDK works yet: it only
// registers.
// SPDX-License-Identifier: MIT
#include "plugin.h"

#include "clock.h"
#include "cores.h"
#include "host.h"
#include "log.h"
#include "prompt.h"
#include "sampler.h"
#include "telemetry.h"
#include "text.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
	pthread_mutex_t lock; // of all below; held while a session starts or stops
	struct settings settings;
	struct session *session;
	bool hangs; // the session was told to stop and could not
	pid_t pid;  // a forked child has no session
} plugin = {.lock = PTHREAD_MUTEX_INITIALIZER};

// Bounded, since a host that is leaving must not wait for a prompt that is being served.
static bool lock_plugin(void) {
	int64_t deadline_ns = clock_mono_ns() + 2 * SESSION_PATIENCE_NS;
	struct timespec deadline = {deadline_ns / NS_PER_SECOND, deadline_ns % NS_PER_SECOND};

	return pthread_mutex_clocklock(&plugin.lock, CLOCK_MONOTONIC, &deadline) == 0;
}

static void unlock_plugin(void) {
	pthread_mutex_unlock(&plugin.lock);
}

static int in_use(struct status *status) {
	return status_set(status, STATUS_DEADLINE_EXCEEDED, "another thread is at it; try again");
}

// A session that hung may have come back since.
static int clear_hanging(struct status *status) {
	if (!plugin.hangs)
		return 0;
	if (session_stop(plugin.session) < 0)
		return status_set(status, STATUS_DEADLINE_EXCEEDED,
		                  "the sampler that was stopped still hangs in a driver");
	plugin.session = NULL;
	plugin.hangs = false;
	return 0;
}

static int start(const char *endpoint, struct status *status) {
	char host[LIMIT_ID_SIZE + 1];
	int rc;

	if ((rc = host_check_release(status)) < 0 || (rc = clear_hanging(status)) < 0)
		return rc;
	if (plugin.session != NULL)
		return status_set(status, STATUS_FAILED_PRECONDITION, "publishing to %s%s already",
		                  plugin.settings.bind ? "@" : "", plugin.settings.samples);
	if ((rc = settings_set_samples(&plugin.settings, endpoint, status)) < 0 ||
	    (rc = plugin_host(host, status)) < 0)
		return rc;
	plugin.pid = getpid();
	return session_start(&plugin.settings, host, &plugin.session, status);
}

int plugin_start(const char *endpoint, struct status *status) {
	int rc;

	if (!lock_plugin())
		return in_use(status);
	rc = start(endpoint, status);
	unlock_plugin();
	return rc;
}

static int stop(struct status *status) {
	if (plugin.session == NULL || plugin.hangs)
		return status_set(status, STATUS_FAILED_PRECONDITION, "not publishing");
	if (session_stop(plugin.session) < 0) {
		plugin.hangs = true;
		return status_set(status, STATUS_DEADLINE_EXCEEDED,
		                  "the sampler hangs in a driver; it ends when the driver returns");
	}
	plugin.session = NULL;
	return 0;
}

int plugin_stop(struct status *status) {
	int rc;

	if (!lock_plugin())
		return in_use(status);
	rc = stop(status);
	unlock_plugin();
	return rc;
}

// ---- settings

static int changed(int rc) {
	if (rc == 0 && plugin.session != NULL)
		session_configure(plugin.session, &plugin.settings);
	unlock_plugin();
	return rc;
}

int plugin_set(int (*set)(struct settings *, const char *, struct status *), const char *text,
               struct status *status) {
	if (!lock_plugin())
		return in_use(status);
	return changed(set(&plugin.settings, text, status));
}

int plugin_set_link(const char *port, const char *link, struct status *status) {
	char name[PORT_NAME_SIZE];
	uint16_t number;
	int rc;

	if ((rc = plugin_port(port, &number, name, status)) < 0)
		return rc;
	if (!lock_plugin())
		return in_use(status);
	return changed(settings_set_link(&plugin.settings, name, link, status));
}

void plugin_settings(struct settings *ret) {
	bool locked = lock_plugin();

	*ret = plugin.settings;
	if (locked)
		unlock_plugin();
}

int plugin_host(char text[static LIMIT_ID_SIZE + 1], struct status *status) {
	return settings_host(host_file_prefix(), text, status);
}

int plugin_port(const char *text, uint16_t *ret_port, char name[static PORT_NAME_SIZE],
                struct status *status) {
	uint64_t number;

	if (text_to_u64(text, &number) < 0 || number > UINT16_MAX)
		return status_set(status, STATUS_INVALID_ARGUMENT, "port '%.40s': expected a port number",
		                  text);
	if (sampler_port_name((uint16_t)number, name) < 0)
		return status_set(status, STATUS_NOT_FOUND, "port %s does not exist", text);
	*ret_port = (uint16_t)number;
	return 0;
}

int plugin_look(struct session_view *ret) {
	int rc = -ENOENT;

	if (!lock_plugin())
		return rc;
	if (plugin.session != NULL)
		rc = session_look(plugin.session, ret);
	unlock_plugin();
	return rc;
}

// ---- with the host

static void autostart(void) {
	const char *endpoint = getenv("LINKCAST_AUTOSTART");
	struct status status;

	if (endpoint == NULL || endpoint[0] == '\0')
		return;
	if (plugin_start(endpoint, &status) < 0)
		log_error("LINKCAST_AUTOSTART: %s", status.message);
	else
		log_info("publishing to %s", endpoint);
}

// Whoever holds the lock starts or ends a session, or was interrupted by the signal that this is called from.
static void take_last_row(uint16_t port) {
	if (pthread_mutex_trylock(&plugin.lock) != 0)
		return;
	if (plugin.session != NULL && !plugin.hangs && plugin.pid == getpid())
		session_take_last_row(plugin.session, port);
	unlock_plugin();
}

static void leave(void) {
	struct status status;

	if (plugin.session == NULL || plugin.pid != getpid())
		return;
	if (plugin_stop(&status) == -ETIMEDOUT)
		log_warning("at exit: %s", status.message);
}

static void __attribute__((constructor)) load(void) {
	static const struct host_events events = {
	        .port_started = autostart, .port_ending = take_last_row, .leaving = leave};
	struct status status;
	int rc;

	log_init("linkcast", LOG_LEVEL_INFO);
	cores_remember();
	if (settings_init(&plugin.settings, &status) < 0)
		log_error("%s", status.message);
	telemetry_register();
	if ((rc = host_attach(prompt_commands(), &events)) < 0)
		log_error("not all of the host could be reached: %s", strerror(-rc));
}

// A host that ends without rte_eal_cleanup() takes the memory away under the sampler.
static void __attribute__((destructor)) unload(void) {
	leave();
}
