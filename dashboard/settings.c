// One table of settings for options and environment.
// SPDX-License-Identifier: MIT
#include "settings.h"

#include "text.h"

#include <ctype.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_FILE_SIZE (1 << 20)
#define TOKEN_LEAST      16
#define CONNECTIONS      512
#define RATE             50.0

// ---- the table

static int copy(char *to, size_t size, const char *value) {
	if (value[0] == '\0' || strlen(value) >= size)
		return -EINVAL;
	strcpy(to, value);
	return 0;
}

// ADDRESS:PORT, [ADDRESS]:PORT
static int set_listen(struct settings *settings, const char *value) {
	const char *colon = strrchr(value, ':');
	char address[SETTINGS_ADDRESS_SIZE];
	size_t length;
	uint64_t port;

	if (colon == NULL || text_to_u64(colon + 1, &port) < 0 || port > UINT16_MAX)
		return -EINVAL;
	length = (size_t)(colon - value);
	if (length > 2 && value[0] == '[' && value[length - 1] == ']') {
		value++;
		length -= 2;
	}
	if (length == 0 || length >= sizeof(address))
		return -EINVAL;
	memcpy(address, value, length);
	address[length] = '\0';
	settings->port = (uint16_t)port;
	return copy(settings->address, sizeof(settings->address), address);
}

static int set_api(struct settings *settings, const char *value) {
	return endpoint_set(ENDPOINT_API, value, settings->api, NULL);
}

static int set_path(struct settings *settings, const char *value) {
	return endpoint_set(ENDPOINT_PATH, value, settings->path, NULL);
}

static int set_events(struct settings *settings, const char *value) {
	return endpoint_set(ENDPOINT_EVENTS, value, settings->events, NULL);
}

static int set_page(struct settings *settings, const char *value) {
	return copy(settings->page, sizeof(settings->page), value);
}

static int set_host(struct settings *settings, const char *value) {
	if (settings->n_hosts == GUARD_HOSTS ||
	    copy(settings->hosts[settings->n_hosts], SETTINGS_ADDRESS_SIZE, value) < 0)
		return -EINVAL;
	settings->n_hosts++;
	return 0;
}

static void clear_hosts(struct settings *settings) {
	settings->n_hosts = 0;
}

static int set_token(struct settings *settings, const char *value) {
	return copy(settings->token_file, sizeof(settings->token_file), value);
}

static int set_certificate(struct settings *settings, const char *value) {
	return copy(settings->certificate_file, sizeof(settings->certificate_file), value);
}

static int set_key(struct settings *settings, const char *value) {
	return copy(settings->key_file, sizeof(settings->key_file), value);
}

static int set_role(struct settings *settings, const char *value) {
	int role;

	if (choice_find(&roles_choices, value, &role) < 0)
		return -EINVAL;
	settings->roles |= 1U << role;
	return 0;
}

static void clear_roles(struct settings *settings) {
	settings->roles = 0;
}

static int set_connections(struct settings *settings, const char *value) {
	uint64_t n;

	if (text_to_u64(value, &n) < 0 || n < 4 || n > 65536)
		return -EINVAL;
	settings->connections = (unsigned)n;
	return 0;
}

static int set_rate(struct settings *settings, const char *value) {
	double rate;

	if (text_to_real(value, &rate) < 0 || rate < 0 || rate > 1e6)
		return -EINVAL;
	settings->rate = rate;
	return 0;
}

static int set_horizon(struct settings *settings, const char *value) {
	double seconds;

	if (settings->observer.n_horizons == OBSERVER_HORIZONS || text_to_seconds(value, &seconds) < 0 ||
	    seconds < 1 || seconds > 1e9)
		return -EINVAL;
	settings->observer.horizons[settings->observer.n_horizons++] = seconds;
	return 0;
}

static void clear_horizons(struct settings *settings) {
	settings->observer.n_horizons = 0;
}

static int set_quantile(struct settings *settings, const char *value) {
	double quantile;

	if (text_to_real(value, &quantile) < 0 || quantile < 0.5 || quantile > 0.999)
		return -EINVAL;
	settings->observer.quantile = quantile;
	return 0;
}

static int set_log(struct settings *settings, const char *value) {
	return log_level_parse(value, &settings->log);
}

const struct setting settings_table[] = {
        {"listen", "ADDRESS:PORT", "where to answer (default 127.0.0.1:5580); port 0: any free one", false,
         set_listen, NULL},
        {"api", "ENDPOINT", "where analyticsd answers (default $LINKCAST_API)", false, set_api, NULL},
        {"events", "ENDPOINT", "where analyticsd publishes (default $LINKCAST_EVENTS)", false, set_events,
         NULL},
        {"path", "ENDPOINT", "where pathcomp serve answers (default $LINKCAST_PATH)", false, set_path, NULL},
        {"page", "DIR", "files of the page (default: beside the program, else as installed)", false, set_page,
         NULL},
        {"host", "NAME", "answer to this name in Host, too; may be given again", true, set_host, clear_hosts},
        {"token", "FILE", "file with the token that every request must bring", false, set_token, NULL},
        {"certificate", "FILE", "certificate chain (PEM): HTTPS", false, set_certificate, NULL},
        {"key", "FILE", "its private key (PEM)", false, set_key, NULL},
        {"role", "ROLE",
         "pass on requests of this role: read, admit, admin, publish; may be given again (default read and "
         "admit)",
         true, set_role, clear_roles},
        {"connections", "N", "at most so many at a time (default 512)", false, set_connections, NULL},
        {"rate", "N", "requests per second and address; 0: no limit (default 50)", false, set_rate, NULL},
        {"horizon", "TIME", "forecast peaks in /metrics; may be given again (default 1h and 12h)", true,
         set_horizon, clear_horizons},
        {"quantile", "Q", "of these forecasts (default 0.95)", false, set_quantile, NULL},
        {"log", "LEVEL", "error, warning, info (default) or debug", false, set_log, NULL},
        {NULL, NULL, NULL, false, NULL, NULL},
};

// ---- reading

// Beside the program in a build folder, else where it is installed.
static void default_page(char page[static PATH_MAX]) {
	ssize_t length = readlink("/proc/self/exe", page, PATH_MAX - 32);
	char *slash;

	if (length > 0) {
		page[length] = '\0';
		slash = strrchr(page, '/');
		strcpy(slash, "/page");
		if (access(page, R_OK) == 0)
			return;
	}
	snprintf(page, PATH_MAX, "%s", PAGE_FOLDER);
}

void settings_init(struct settings *settings) {
	*settings = (struct settings){
	        .address = "127.0.0.1",
	        .port = 5580,
	        .roles = 1U << ROLE_READ | 1U << ROLE_ADMIT,
	        .connections = CONNECTIONS,
	        .rate = RATE,
	        .observer = {.horizons = {3600, 43200}, .n_horizons = 2, .quantile = 0.95},
	        .log = LOG_LEVEL_INFO,
	};
	default_page(settings->page);
}

void settings_fini(struct settings *settings) {
	explicit_bzero(settings->token, sizeof(settings->token));
	if (settings->key != NULL)
		explicit_bzero(settings->key, strlen(settings->key));
	free(settings->certificate);
	free(settings->key);
	settings->certificate = settings->key = NULL;
}

int settings_set(struct settings *settings, const struct setting *setting, const char *value,
                 struct status *status) {
	if (setting->set(settings, value) < 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s '%.200s': expected %s: %s",
		                  setting->name, value, setting->argument, setting->help);
	return 0;
}

static int set_list(struct settings *settings, const struct setting *setting, const char *value,
                    struct status *status) {
	char list[4096];
	char *rest = list, *word;

	if (strlen(value) >= sizeof(list))
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: too long", setting->name);
	strcpy(list, value);
	setting->clear(settings);
	while ((word = strsep(&rest, ", ")) != NULL) {
		if (word[0] != '\0' && settings_set(settings, setting, word, status) < 0)
			return -EINVAL;
	}
	return 0;
}

int settings_environment(struct settings *settings, struct status *status) {
	for (const struct setting *setting = settings_table; setting->name != NULL; setting++) {
		char variable[64];
		const char *value;
		int rc;

		snprintf(variable, sizeof(variable), "LINKCAST_DASHBOARD_%s", setting->name);
		for (char *at = variable; *at != '\0'; at++)
			*at = (char)toupper((unsigned char)*at);
		value = getenv(variable);
		if (value == NULL || value[0] == '\0')
			continue;
		rc = setting->is_list ? set_list(settings, setting, value, status)
		                      : settings_set(settings, setting, value, status);
		if (rc < 0) {
			status_prefix(status, "%s: ", variable);
			return rc;
		}
	}
	return 0;
}

// A whole text file. A secret one is refused when others may touch it.
static int read_text(const char *path, bool secret, char **ret, struct status *status) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat info;
	char *text = NULL;
	ssize_t n = -1;

	if (fd < 0)
		return status_set(status, STATUS_UNAVAILABLE, "%s: %s", path, strerror(errno));
	if (fstat(fd, &info) == 0 && info.st_size <= SECRET_FILE_SIZE &&
	    (text = calloc(1, SECRET_FILE_SIZE + 1)) != NULL)
		n = read(fd, text, SECRET_FILE_SIZE);
	close(fd);
	if (n < 0 || (secret && (info.st_mode & 077) != 0)) {
		free(text);
		return n < 0 ? status_set(status, STATUS_UNAVAILABLE, "%s: it cannot be read", path)
		             : status_set(status, STATUS_PERMISSION_DENIED,
		                          "%s: group or others may touch it (chmod 600)", path);
	}
	*ret = text;
	return 0;
}

static int read_token(struct settings *settings, struct status *status) {
	char *text = NULL;
	int rc = read_text(settings->token_file, true, &text, status);
	size_t length;

	if (rc < 0)
		return rc;
	assert(text != NULL);
	length = strcspn(text, "\r\n");
	if (length < TOKEN_LEAST || length >= sizeof(settings->token))
		rc = status_set(status, STATUS_INVALID_ARGUMENT, "%s: a token has %d to %zu characters",
		                settings->token_file, TOKEN_LEAST, sizeof(settings->token) - 1);
	else
		memcpy(settings->token, text, length);
	explicit_bzero(text, length);
	free(text);
	return rc;
}

int settings_finish(struct settings *settings, struct status *status) {
	bool has_certificate = settings->certificate_file[0] != '\0', has_key = settings->key_file[0] != '\0';
	bool has_token = settings->token_file[0] != '\0';
	int rc;

	if (has_certificate != has_key)
		return status_set(status, STATUS_INVALID_ARGUMENT, "certificate and key: both or none");
	if (!guard_is_loopback(settings->address) && (!has_token || !has_certificate))
		return status_set(
		        status, STATUS_INVALID_ARGUMENT,
		        "%s is reached from other machines: that takes --token, --certificate and --key",
		        settings->address);
	if (has_token && (rc = read_token(settings, status)) < 0)
		return rc;
	if (has_certificate &&
	    ((rc = read_text(settings->certificate_file, false, &settings->certificate, status)) < 0 ||
	     (rc = read_text(settings->key_file, true, &settings->key, status)) < 0))
		return rc;
	return 0;
}

void settings_options(const struct settings *settings, struct gateway_options *ret) {
	*ret = (struct gateway_options){
	        .address = settings->address,
	        .port = settings->port,
	        .api = settings->api,
	        .path = settings->path,
	        .events = settings->events,
	        .page = settings->page,
	        .certificate = settings->certificate,
	        .key = settings->key,
	        .guard = {.tls = settings->certificate != NULL,
	                  .token = settings->token[0] != '\0' ? settings->token : NULL},
	        .roles = settings->roles,
	        .connections = settings->connections,
	        .rate = settings->rate,
	        .observer = settings->observer,
	};
	for (size_t i = 0; i < settings->n_hosts; i++)
		ret->guard.hosts[ret->guard.n_hosts++] = settings->hosts[i];
	// the address itself is a name, too: clients write [::1], the option does not
	if (ret->guard.n_hosts < GUARD_HOSTS && !guard_is_loopback(settings->address))
		ret->guard.hosts[ret->guard.n_hosts++] = settings->address;
}
