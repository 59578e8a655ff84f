// Host, Origin and token. What is compared are the texts that the browser sends; nothing is resolved.
// SPDX-License-Identifier: MIT
#include "guard.h"

#include <string.h>
#include <strings.h>

enum { REFUSED_BAD = 400, REFUSED_TOKEN = 401, REFUSED_FORBIDDEN = 403 };

static const char *const loopback_names[] = {"localhost", "127.0.0.1", "[::1]"};

// The length of a Host's name without its port; 0 when it has not this form.
static size_t name_length(const char *host) {
	const char *end = host[0] == '[' ? strchr(host, ']') : NULL;
	size_t length = end != NULL ? (size_t)(end + 1 - host) : strcspn(host, ":");
	const char *port = host + length;

	if (host[0] == '[' && end == NULL)
		return 0;
	if (*port == ':' && strspn(port + 1, "0123456789") != strlen(port + 1))
		return 0;
	return *port == ':' || *port == '\0' ? length : 0;
}

static bool is_name(const char *host, size_t length, const char *name) {
	return strlen(name) == length && strncasecmp(host, name, length) == 0;
}

// Any port: an ssh tunnel brings the browser's own.
static bool host_is_ours(const struct guard *guard, const char *host) {
	size_t length = name_length(host);

	for (size_t i = 0; i < sizeof(loopback_names) / sizeof(loopback_names[0]); i++) {
		if (is_name(host, length, loopback_names[i]))
			return true;
	}
	for (size_t i = 0; i < guard->n_hosts; i++) {
		if (is_name(host, length, guard->hosts[i]))
			return true;
	}
	return false;
}

// A reverse proxy may end TLS, so the scheme is either; "null" is nobody's.
static bool origin_is_host(const char *origin, const char *host) {
	if (strncmp(origin, "http://", 7) == 0)
		return strcasecmp(origin + 7, host) == 0;
	return strncmp(origin, "https://", 8) == 0 && strcasecmp(origin + 8, host) == 0;
}

// Takes as long whatever the first difference.
static bool token_is(const char *given, const char *token) {
	size_t given_length = strlen(given), length = strlen(token);
	unsigned char difference = given_length != length;

	for (size_t i = 0; i < length; i++)
		difference |= (unsigned char)(token[i] ^ given[given_length > 0 ? i % given_length : 0]);
	return difference == 0;
}

static bool is_authorized(const struct guard *guard, const struct guard_request *request) {
	static const char scheme[] = "Bearer ";
	const char *given = request->authorization;

	if (guard->token == NULL || request->is_public)
		return true;
	return given != NULL && strncasecmp(given, scheme, strlen(scheme)) == 0 &&
	       token_is(given + strlen(scheme), guard->token);
}

int guard_check(const struct guard *guard, const struct guard_request *request, struct status *status) {
	if (request->host == NULL || name_length(request->host) == 0) {
		status_set(status, STATUS_INVALID_ARGUMENT, "a Host header is needed");
		return REFUSED_BAD;
	}
	if (!host_is_ours(guard, request->host)) {
		status_set(status, STATUS_PERMISSION_DENIED,
		           "this gateway does not answer as host '%.100s' (--host names it)", request->host);
		return REFUSED_FORBIDDEN;
	}
	if (request->origin != NULL && !origin_is_host(request->origin, request->host)) {
		status_set(status, STATUS_PERMISSION_DENIED, "no requests from origin '%.100s'",
		           request->origin);
		return REFUSED_FORBIDDEN;
	}
	// a link on another site may lead to the page, its scripts may ask nothing
	if (request->fetch_site != NULL && !request->is_public &&
	    (strcasecmp(request->fetch_site, "cross-site") == 0 ||
	     strcasecmp(request->fetch_site, "same-site") == 0)) {
		status_set(status, STATUS_PERMISSION_DENIED, "no requests from other sites");
		return REFUSED_FORBIDDEN;
	}
	if (!is_authorized(guard, request)) {
		status_set(status, STATUS_PERMISSION_DENIED,
		           "a token is needed: Authorization: Bearer TOKEN");
		return REFUSED_TOKEN;
	}
	return 0;
}

bool guard_is_loopback(const char *address) {
	return strcmp(address, "localhost") == 0 || strcmp(address, "::1") == 0 ||
	       strncmp(address, "127.", 4) == 0;
}
