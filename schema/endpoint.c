// Default endpoints and safe binding. Keys (CURVE) are the business of keys.c.
// SPDX-License-Identifier: MIT
#include "endpoint.h"

#include "lock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

static const struct {
	const char *name;
	const char *variable;
} endpoints[N_ENDPOINTS] = {
        [ENDPOINT_SAMPLES] = {"samples", "LINKCAST_SAMPLES"},
        [ENDPOINT_API] = {"api", "LINKCAST_API"},
        [ENDPOINT_EVENTS] = {"events", "LINKCAST_EVENTS"},
        [ENDPOINT_PATH] = {"path", "LINKCAST_PATH"},
};

const char *endpoint_default(enum endpoint endpoint, char text[static ENDPOINT_SIZE]) {
	static const char system_folder[] = "/run/linkcast";
	const char *variable = getenv(endpoints[endpoint].variable);
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	bool system_wide = access(system_folder, W_OK) == 0 || (geteuid() == 0 && errno == ENOENT);

	if (variable != NULL && variable[0] != '\0')
		snprintf(text, ENDPOINT_SIZE, "%s", variable);
	else if (system_wide || runtime == NULL || runtime[0] == '\0')
		snprintf(text, ENDPOINT_SIZE, "ipc://%s/%s", system_folder, endpoints[endpoint].name);
	else
		snprintf(text, ENDPOINT_SIZE, "ipc://%s/linkcast/%s", runtime, endpoints[endpoint].name);
	return text;
}

int endpoint_set(enum endpoint endpoint, const char *given, char text[static ENDPOINT_SIZE],
                 struct status *status) {
	char fallback[ENDPOINT_SIZE];

	if (given == NULL || given[0] == '\0')
		given = endpoint_default(endpoint, fallback);
	// 107 bytes: sun_path, less its NUL
	if (strncmp(given, "ipc://", 6) == 0
	            ? strlen(given) == 6 || strlen(given) > 6 + 107
	            : strncmp(given, "tcp://", 6) != 0 || strrchr(given, ':') == given + 3 ||
	                      strlen(given) >= ENDPOINT_SIZE)
		return status_set(
		        status, STATUS_INVALID_ARGUMENT,
		        "endpoint '%.200s': expected ipc://PATH (at most 107 bytes) or tcp://HOST:PORT",
		        given);
	snprintf(text, ENDPOINT_SIZE, "%s", given);
	return 0;
}

bool endpoint_is_local(const char *endpoint) {
	static const char *const local[] = {"ipc://", "tcp://localhost:", "tcp://[::1]:", "tcp://lo:"};
	static const char loopback[] = "tcp://127.";

	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
		if (strncmp(endpoint, local[i], strlen(local[i])) == 0)
			return true;
	}
	if (strncmp(endpoint, loopback, strlen(loopback)) != 0)
		return false;
	endpoint += strlen(loopback); // an address, and not a name that begins like one
	return endpoint[strspn(endpoint, "0123456789.")] == ':';
}

// Makes the last folder of a socket's path; what is above it is the system's.
static int make_folder(const char *path) {
	char folder[ENDPOINT_SIZE];
	char *slash;

	snprintf(folder, sizeof(folder), "%s", path);
	slash = strrchr(folder, '/');
	if (slash == NULL || slash == folder)
		return 0;
	*slash = '\0';
	if (mkdir(folder, 0770) < 0)
		return errno == EEXIST ? 0 : -errno;
	return chmod(folder, 02770) < 0 ? -errno : 0;
}

static int bind_ipc(void *socket, const char *endpoint, int *ret_lock, struct status *status) {
	const char *path = endpoint + strlen("ipc://");
	char lock_path[ENDPOINT_SIZE + 8];
	int lock, rc;

	if ((rc = make_folder(path)) < 0)
		return status_set(status, STATUS_UNAVAILABLE, "%s: cannot make its folder: %s", endpoint,
		                  strerror(-rc));
	snprintf(lock_path, sizeof(lock_path), "%s.lock", path);
	lock = lock_take(lock_path);
	if (lock == -EBUSY)
		return status_set(status, STATUS_FAILED_PRECONDITION, "%s is held by another process",
		                  endpoint);
	if (lock < 0)
		return status_set(status, STATUS_UNAVAILABLE, "%s: %s", lock_path, strerror(-lock));
	if (zmq_bind(socket, endpoint) != 0 || chmod(path, 0660) != 0) {
		rc = errno;
		close(lock);
		return status_set(status, STATUS_UNAVAILABLE, "cannot bind %s: %s", endpoint,
		                  zmq_strerror(rc));
	}
	*ret_lock = lock;
	return 0;
}

int endpoint_bind(void *socket, const char *endpoint, bool insecure, int *ret_lock, struct status *status) {
	if (strncmp(endpoint, "ipc://", 6) == 0)
		return bind_ipc(socket, endpoint, ret_lock, status);
	if (!insecure && !endpoint_is_local(endpoint))
		return status_set(status, STATUS_PERMISSION_DENIED,
		                  "%s is not a loopback address: it takes keys, or --insecure", endpoint);
	if (zmq_bind(socket, endpoint) != 0) {
		if (errno == EADDRINUSE)
			return status_set(status, STATUS_FAILED_PRECONDITION, "%s is held by another process",
			                  endpoint);
		return status_set(status, STATUS_UNAVAILABLE, "cannot bind %s: %s", endpoint,
		                  zmq_strerror(errno));
	}
	*ret_lock = -1;
	return 0;
}
