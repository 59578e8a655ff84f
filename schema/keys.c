// Key files and CURVE options. Who may do what is the business of the ZAP handler (zap.c).
// SPDX-License-Identifier: MIT
#include "keys.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define KEY_LINE_SIZE    128
#define SERVER_VARIABLE  "LINKCAST_CURVE_SERVER"
#define KEY_VARIABLE     "LINKCAST_CURVE_KEY"
#define BINARY_KEY_SIZE  32
#define GROUP_AND_OTHERS (S_IRWXG | S_IRWXO)

static void close_file(FILE **file) {
	if (*file != NULL)
		fclose(*file);
}

bool key_is_valid(const char *text) {
	static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                               ".-:+=^!/*?&<>()[]{}@%$#";
	uint8_t binary[BINARY_KEY_SIZE];

	return strlen(text) == KEY_TEXT_SIZE - 1 && strspn(text, alphabet) == KEY_TEXT_SIZE - 1 &&
	       zmq_z85_decode(binary, text) != NULL;
}

void keypair_wipe(struct keypair *keys) {
	explicit_bzero(keys->secret, sizeof(keys->secret));
}

int keypair_new(struct keypair *ret, struct status *status) {
	if (zmq_curve_keypair(ret->public, ret->secret) == 0)
		return 0;
	return status_set(status, STATUS_UNIMPLEMENTED, "this libzmq makes no keys: %s", zmq_strerror(errno));
}

// ---- files

static int write_all(int fd, const struct keypair *keys) {
	char text[4 * KEY_LINE_SIZE];
	int size = snprintf(
	        text, sizeof(text),
	        "# Linkcast key. The public line may be shown to anybody, the secret one to nobody.\n"
	        "public = %s\nsecret = %s\n",
	        keys->public, keys->secret);
	ssize_t written = write(fd, text, (size_t)size);

	explicit_bzero(text, sizeof(text));
	if (written != size)
		return written < 0 ? -errno : -EIO;
	return fsync(fd) == 0 ? 0 : -errno;
}

int keypair_write(const struct keypair *keys, const char *path, struct status *status) {
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
	int rc;

	if (fd < 0 && errno == EEXIST)
		return status_set(status, STATUS_ALREADY_EXISTS,
		                  "%s is there already: keys are not overwritten", path);
	if (fd < 0)
		return status_set(status, STATUS_FAILED_PRECONDITION, "%s: %s", path, strerror(errno));
	rc = write_all(fd, keys);
	if (close(fd) != 0 && rc == 0)
		rc = -errno;
	if (rc < 0) {
		(void)unlink(path);
		return status_set(status, STATUS_FAILED_PRECONDITION, "%s: %s", path, strerror(-rc));
	}
	return 0;
}

static int refuse_open_mode(FILE *file, const char *path, struct status *status) {
	struct stat info;

	if (fstat(fileno(file), &info) < 0)
		return status_set(status, STATUS_FAILED_PRECONDITION, "%s: %s", path, strerror(errno));
	if ((info.st_mode & GROUP_AND_OTHERS) != 0)
		return status_set(status, STATUS_PERMISSION_DENIED,
		                  "%s: others may touch it (mode %03o): a key file must have mode 600", path,
		                  (unsigned)info.st_mode & 0777);
	return 0;
}

// "public = KEY": the key when the line has this name, else NULL. Changes the line.
static const char *value_of(char *line, const char *name) {
	size_t length = strlen(name);

	line += strspn(line, " \t");
	if (strncmp(line, name, length) != 0)
		return NULL;
	line += length;
	line += strspn(line, " \t");
	if (*line++ != '=')
		return NULL;
	line += strspn(line, " \t");
	line[strcspn(line, " \t\r\n")] = '\0';
	return line;
}

static void take_key(char *line, const char *name, char ret[static KEY_TEXT_SIZE]) {
	const char *value = value_of(line, name);

	if (value != NULL && key_is_valid(value))
		memcpy(ret, value, KEY_TEXT_SIZE);
}

static bool belongs_together(const struct keypair *keys) {
	char public[KEY_TEXT_SIZE];

	return zmq_curve_public(public, keys->secret) == 0 && strcmp(public, keys->public) == 0;
}

int keypair_read(const char *path, struct keypair *ret, struct status *status) {
	CLEANUP(close_file) FILE *file = fopen(path, "re");
	CLEANUP(keypair_wipe) struct keypair keys = {0};
	char line[KEY_LINE_SIZE];
	int rc;

	if (file == NULL)
		return status_set(status, STATUS_FAILED_PRECONDITION, "%s: %s", path, strerror(errno));
	if ((rc = refuse_open_mode(file, path, status)) < 0)
		return rc;
	setvbuf(file, NULL, _IONBF, 0); // no copy of the secret stays in a buffer
	while (fgets(line, sizeof(line), file) != NULL) {
		take_key(line, "public", keys.public);
		take_key(line, "secret", keys.secret);
	}
	explicit_bzero(line, sizeof(line));
	if (keys.public[0] == '\0' || keys.secret[0] == '\0')
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "%s: no key file: expected lines `public = KEY` and `secret = KEY`", path);
	if (!belongs_together(&keys))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "%s: its public key is not that of its secret key", path);
	*ret = keys;
	return 0;
}

int key_read_public(const char *given, char ret[static KEY_TEXT_SIZE], struct status *status) {
	CLEANUP(close_file) FILE *file = NULL;
	char line[KEY_LINE_SIZE], key[KEY_TEXT_SIZE] = "";

	if (key_is_valid(given)) {
		memcpy(ret, given, KEY_TEXT_SIZE);
		return 0;
	}
	file = fopen(given, "re");
	if (file == NULL)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "neither a public key nor a file that can be read (%s)", strerror(errno));
	while (key[0] == '\0' && fgets(line, sizeof(line), file) != NULL) {
		take_key(line, "public", key);
		line[strcspn(line, " \t\r\n")] = '\0';
		if (key[0] == '\0' && key_is_valid(line))
			memcpy(key, line, sizeof(key));
	}
	explicit_bzero(line, sizeof(line));
	if (key[0] == '\0')
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: no public key in it", given);
	memcpy(ret, key, sizeof(key));
	return 0;
}

// ---- sockets

static bool is_tcp(const char *endpoint) {
	return strncmp(endpoint, "tcp://", 6) == 0;
}

static int failed(const char *endpoint, struct status *status) {
	return status_set(status, STATUS_INTERNAL, "keys for %s: %s", endpoint, zmq_strerror(errno));
}

// What is set holds for the binds and connects that follow.
static int set_plain(void *socket, const char *endpoint, struct status *status) {
	const int no = 0;

	return zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &no, sizeof(no)) == 0 ? 0 : failed(endpoint, status);
}

int keys_before_bind(void *socket, const char *endpoint, const struct keypair *keys, const char *domain,
                     struct status *status) {
	const int yes = 1;

	if (keys == NULL || !is_tcp(endpoint))
		return set_plain(socket, endpoint, status);
	if (zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof(yes)) != 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->secret, KEY_TEXT_SIZE) != 0 ||
	    zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) != 0)
		return failed(endpoint, status);
	return 0;
}

int keys_before_connect(void *socket, const char *endpoint, const struct keypair *keys, const char *server,
                        struct status *status) {
	int rc;

	if ((rc = set_plain(socket, endpoint, status)) < 0 || keys == NULL || !is_tcp(endpoint))
		return rc;
	if (zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, keys->public, KEY_TEXT_SIZE) != 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys->secret, KEY_TEXT_SIZE) != 0 ||
	    zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server, KEY_TEXT_SIZE) != 0)
		return failed(endpoint, status);
	return 0;
}

static const char *variable(const char *name) {
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : NULL;
}

bool keys_in_environment(void) {
	return variable(SERVER_VARIABLE) != NULL;
}

int keys_before_connect_environment(void *socket, const char *endpoint, struct status *status) {
	const char *server = variable(SERVER_VARIABLE), *path = variable(KEY_VARIABLE);
	CLEANUP(keypair_wipe) struct keypair keys = {0};
	char server_key[KEY_TEXT_SIZE];
	int rc;

	if (!is_tcp(endpoint) || (server == NULL && path == NULL))
		return 0;
	if (server == NULL || path == NULL)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: it takes %s and %s, or neither",
		                  endpoint, SERVER_VARIABLE, KEY_VARIABLE);
	if ((rc = key_read_public(server, server_key, status)) < 0) {
		status_prefix(status, SERVER_VARIABLE ": ");
		return rc;
	}
	if ((rc = keypair_read(path, &keys, status)) < 0) {
		status_prefix(status, KEY_VARIABLE ": ");
		return rc;
	}
	return keys_before_connect(socket, endpoint, &keys, server_key, status);
}
