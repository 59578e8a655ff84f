// The allow-list and the ZAP handler (ZeroMQ RFC 27). The user id that it gives a client is "roles name"; libzmq
// keeps it with each message.
// SPDX-License-Identifier: MIT
#include "zap.h"

#include "clock.h"
#include "log.h"
#include "same_file.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#define ZAP_ENDPOINT    "inproc://zeromq.zap.01"
#define ZAP_FRAMES      8 // version, request, domain, address, identity, mechanism, credentials; one to spare
#define BINARY_KEY_SIZE 32
#define LIST_LINE_SIZE  512
#define REFUSAL_PACE_NS NS_PER_SECOND

// ---- the allow-list

struct allowed {
	char key[KEY_TEXT_SIZE];
	struct peer peer;
};

struct allow_list {
	struct allowed *allowed;
	size_t n;
	struct stat info; // of the file as it was read
};

void allow_list_free(struct allow_list *list) {
	if (list == NULL)
		return;
	free(list->allowed);
	free(list);
}

bool allow_list_find(const struct allow_list *list, const char *key, struct peer *ret) {
	for (size_t i = 0; i < list->n; i++) {
		if (strcmp(list->allowed[i].key, key) == 0) {
			*ret = list->allowed[i].peer;
			return true;
		}
	}
	return false;
}

// Takes the next word of a line, or returns NULL at its end.
static char *next_word(char **rest) {
	char *word;

	do
		word = strsep(rest, " \t\r\n");
	while (word != NULL && word[0] == '\0');
	return word;
}

static bool is_name(const char *text) {
	for (const char *at = text; *at != '\0'; at++) {
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			return false;
	}
	return text[0] != '\0' && strlen(text) < PEER_NAME_SIZE;
}

static int add_line(struct allow_list *list, char *line, struct status *status) {
	struct allowed entry = {0}, *moved;
	char *key = next_word(&line), *roles = NULL, *name = NULL;
	struct peer other;

	if (key == NULL || key[0] == '#')
		return 0;
	if ((roles = next_word(&line)) != NULL)
		name = next_word(&line);
	if (name == NULL || next_word(&line) != NULL)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "expected `PUBLIC-KEY role[,role...] name`");
	if (!key_is_valid(key))
		return status_set(status, STATUS_INVALID_ARGUMENT, "not a public key in Z85");
	if (roles_parse(roles, &entry.peer.roles) < 0)
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "%.40s: roles are publish, read, admit and admin, with commas between",
		                  roles);
	if (!is_name(name))
		return status_set(status, STATUS_INVALID_ARGUMENT, "a name has 1 to %d characters",
		                  PEER_NAME_SIZE - 1);
	if (allow_list_find(list, key, &other))
		return status_set(status, STATUS_INVALID_ARGUMENT, "the key of '%s' again", other.name);
	memcpy(entry.key, key, sizeof(entry.key));
	strcpy(entry.peer.name, name);

	moved = reallocarray(list->allowed, list->n + 1, sizeof(*moved));
	if (moved == NULL)
		return -ENOMEM;
	list->allowed = moved;
	list->allowed[list->n++] = entry;
	return 0;
}

static int read_lines(struct allow_list *list, FILE *file, const char *path, struct status *status) {
	char line[LIST_LINE_SIZE];
	int rc;

	for (int number = 1; fgets(line, sizeof(line), file) != NULL; number++) {
		if ((rc = add_line(list, line, status)) < 0) {
			status_prefix(status, "%s, line %d: ", path, number);
			return rc;
		}
	}
	return ferror(file) ? status_set(status, STATUS_UNAVAILABLE, "%s: %s", path, strerror(errno)) : 0;
}

int allow_list_read(const char *path, struct allow_list **ret, struct status *status) {
	CLEANUP(allow_list_freep) struct allow_list *list = calloc(1, sizeof(*list));
	FILE *file = list != NULL ? fopen(path, "re") : NULL;
	int rc;

	if (list == NULL)
		return -ENOMEM;
	if (file == NULL || fstat(fileno(file), &list->info) < 0)
		rc = status_set(status, STATUS_FAILED_PRECONDITION, "%s: %s", path, strerror(errno));
	else if ((list->info.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		rc = status_set(status, STATUS_PERMISSION_DENIED,
		                "%s: others may write it (mode %03o), and so let themselves in", path,
		                (unsigned)list->info.st_mode & 0777);
	else
		rc = read_lines(list, file, path, status);
	if (file != NULL)
		fclose(file);
	if (rc < 0)
		return rc;
	*ret = list;
	list = NULL;
	return 0;
}

// ---- the handler

struct zap {
	const char *path;
	void *socket;
	int stop_fd;
	struct allow_list *list;
	struct stat bad;      // a changed list that could not be read is complained of once
	int64_t said_mono_ns; // when a refusal was last logged: who is refused comes again and again
	pthread_t thread;
};

// A list that became bad is no reason to let nobody in any more: the last good one stays.
static void read_again(struct zap *zap) {
	struct allow_list *list = NULL;
	struct status status = {.message = "out of memory"};
	struct stat now = {0};

	(void)stat(zap->path, &now);
	if (same_file(&now, &zap->list->info) || same_file(&now, &zap->bad))
		return;
	if (allow_list_read(zap->path, &list, &status) < 0) {
		zap->bad = now;
		log_error("the allow-list stays as it was: %s", status.message);
		return;
	}
	allow_list_free(zap->list);
	zap->list = list;
	log_info("read %s again: %zu keys", zap->path, list->n);
}

struct question {
	char frames[ZAP_FRAMES][256];
	size_t sizes[ZAP_FRAMES];
	size_t n;
};

static int take_question(void *socket, struct question *question) {
	bool more = true;
	zmq_msg_t frame;

	for (question->n = 0; more; question->n++) {
		size_t i = question->n < ZAP_FRAMES ? question->n : ZAP_FRAMES - 1;

		zmq_msg_init(&frame);
		if (zmq_msg_recv(&frame, socket, question->n == 0 ? ZMQ_DONTWAIT : 0) < 0) {
			zmq_msg_close(&frame);
			return -errno;
		}
		more = zmq_msg_more(&frame) != 0;
		question->sizes[i] = zmq_msg_size(&frame);
		if (question->sizes[i] >= sizeof(question->frames[i]))
			question->sizes[i] = 0;
		memcpy(question->frames[i], zmq_msg_data(&frame), question->sizes[i]);
		question->frames[i][question->sizes[i]] = '\0';
		zmq_msg_close(&frame);
	}
	return 0;
}

// Which role does the socket take?
static int role_of(const char *domain) {
	if (strcmp(domain, ZAP_SAMPLES) == 0)
		return ROLE_PUBLISH;
	return strcmp(domain, ZAP_EVENTS) == 0 ? ROLE_READ : ROLE_ANY;
}

// Only CURVE proves a key; anything else is nobody.
static bool identify(const struct zap *zap, const struct question *question, struct peer *ret) {
	char key[KEY_TEXT_SIZE];

	if (question->n != 7 || strcmp(question->frames[5], "CURVE") != 0 ||
	    question->sizes[6] != BINARY_KEY_SIZE)
		return false;
	zmq_z85_encode(key, (const uint8_t *)question->frames[6], BINARY_KEY_SIZE);
	return allow_list_find(zap->list, key, ret);
}

static void say_refusal(struct zap *zap, const char *name, bool known, const struct question *question) {
	int64_t now_ns = clock_mono_ns();

	if (zap->said_mono_ns != 0 && now_ns - zap->said_mono_ns < REFUSAL_PACE_NS)
		return;
	zap->said_mono_ns = now_ns;
	log_warning("refused %s at %s from %s%s", known ? name : "a key that is not in the list",
	            question->frames[2], question->frames[3], known ? ": its key has not the role" : "");
}

static void answer(struct zap *zap, const struct question *question) {
	char user_id[PEER_TEXT_SIZE] = "";
	struct peer peer = {0};
	bool known = identify(zap, question, &peer);
	bool allowed = known && peer_may(&peer, role_of(question->frames[2]));

	if (allowed)
		peer_write(&peer, user_id);
	else
		say_refusal(zap, peer.name, known, question);
	zmq_send(zap->socket, "1.0", 3, ZMQ_SNDMORE);
	zmq_send(zap->socket, question->frames[1], question->sizes[1], ZMQ_SNDMORE);
	zmq_send(zap->socket, allowed ? "200" : "400", 3, ZMQ_SNDMORE);
	zmq_send(zap->socket, allowed ? "OK" : "not allowed", allowed ? 2 : 11, ZMQ_SNDMORE);
	zmq_send(zap->socket, user_id, strlen(user_id), ZMQ_SNDMORE);
	zmq_send(zap->socket, "", 0, 0);
}

static void *run(void *argument) {
	struct zap *zap = argument;
	struct question question;
	zmq_pollitem_t items[] = {
	        {.socket = zap->socket, .events = ZMQ_POLLIN},
	        {.fd = zap->stop_fd, .events = ZMQ_POLLIN},
	};

	pthread_setname_np(pthread_self(), "linkcast-zap");
	while ((items[1].revents & ZMQ_POLLIN) == 0) {
		if (zmq_poll(items, 2, -1) < 0) {
			items[1].revents = 0;
			continue;
		}
		if ((items[0].revents & ZMQ_POLLIN) == 0 || take_question(zap->socket, &question) < 0)
			continue;
		read_again(zap);
		answer(zap, &question);
	}
	return NULL;
}

static void zap_free(struct zap *zap) {
	if (zap->socket != NULL)
		zmq_close(zap->socket);
	if (zap->stop_fd >= 0)
		close(zap->stop_fd);
	allow_list_free(zap->list);
	free(zap);
}
DEFINE_CLEANUP(struct zap *, zap_free)

int zap_start(const char *allow_list_path, void *context, struct zap **ret, struct status *status) {
	CLEANUP(zap_freep) struct zap *zap = calloc(1, sizeof(*zap));
	const int no_linger = 0;
	int rc;

	if (zap == NULL)
		return -ENOMEM;
	zap->path = allow_list_path;
	zap->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (zap->stop_fd < 0)
		return -errno;
	if ((rc = allow_list_read(allow_list_path, &zap->list, status)) < 0)
		return rc;
	zap->socket = zmq_socket(context, ZMQ_REP);
	if (zap->socket == NULL ||
	    zmq_setsockopt(zap->socket, ZMQ_LINGER, &no_linger, sizeof(no_linger)) != 0 ||
	    zmq_bind(zap->socket, ZAP_ENDPOINT) != 0)
		return status_set(status, STATUS_INTERNAL, "%s: %s", ZAP_ENDPOINT, zmq_strerror(errno));
	rc = pthread_create(&zap->thread, NULL, run, zap);
	if (rc != 0)
		return -rc;
	*ret = zap;
	zap = NULL;
	return 0;
}

void zap_stop(struct zap *zap) {
	if (zap == NULL)
		return;
	eventfd_write(zap->stop_fd, 1);
	pthread_join(zap->thread, NULL);
	zap_free(zap);
}
