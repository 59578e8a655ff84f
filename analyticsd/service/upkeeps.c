// One thread at a time; what it tells stands under a lock.
// SPDX-License-Identifier: MIT
#include "upkeeps.h"

#include "cleanup.h"
#include "codec.h"
#include "log.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define LESS_URGENT 10 // nice(2) of the thread

struct upkeeps {
	const struct upkeep_files *files;
	pthread_mutex_t lock;
	pthread_t thread;
	bool has_thread; // to be joined
	bool stopping;
	// of the newest one
	int64_t id; // 0: none yet
	enum upkeep_kinds kind;
	char folder[PATH_MAX];
	bool finished;
	int64_t done, total;
	char *findings[LIMIT_FINDINGS];
	size_t n_findings, n_more; // kept, and beyond these
	int rc;
	struct status status;
};

int upkeeps_new(const struct upkeep_files *files, struct upkeeps **ret) {
	struct upkeeps *upkeeps = calloc(1, sizeof(*upkeeps));

	if (upkeeps == NULL)
		return -ENOMEM;
	upkeeps->files = files;
	pthread_mutex_init(&upkeeps->lock, NULL);
	*ret = upkeeps;
	return 0;
}

static void drop_findings(struct upkeeps *upkeeps) {
	for (size_t i = 0; i < upkeeps->n_findings; i++)
		free(upkeeps->findings[i]);
	upkeeps->n_findings = upkeeps->n_more = 0;
}

static void join(struct upkeeps *upkeeps) {
	if (upkeeps->has_thread)
		pthread_join(upkeeps->thread, NULL);
	upkeeps->has_thread = false;
}

void upkeeps_free(struct upkeeps *upkeeps) {
	if (upkeeps == NULL)
		return;
	pthread_mutex_lock(&upkeeps->lock);
	upkeeps->stopping = true;
	pthread_mutex_unlock(&upkeeps->lock);
	join(upkeeps);
	drop_findings(upkeeps);
	pthread_mutex_destroy(&upkeeps->lock);
	free(upkeeps);
}

// ---- the thread

static bool note_progress(void *context, int64_t done, int64_t total) {
	struct upkeeps *upkeeps = context;
	bool goes_on;

	pthread_mutex_lock(&upkeeps->lock);
	upkeeps->done = done;
	upkeeps->total = total;
	goes_on = !upkeeps->stopping;
	pthread_mutex_unlock(&upkeeps->lock);
	return goes_on;
}

static void note_finding(void *context, const char *text) {
	struct upkeeps *upkeeps = context;
	char *copy = strdup(text);

	log_error("check: %s", text);
	pthread_mutex_lock(&upkeeps->lock);
	if (copy != NULL && upkeeps->n_findings < LIMIT_FINDINGS) {
		upkeeps->findings[upkeeps->n_findings++] = copy;
		copy = NULL;
	} else {
		upkeeps->n_more++;
	}
	pthread_mutex_unlock(&upkeeps->lock);
	free(copy);
}

static void *work(void *context) {
	struct upkeeps *upkeeps = context;
	const struct upkeep_watch watch = {note_progress, note_finding, upkeeps};
	struct status status = {.message = ""};
	int rc;

	pthread_setname_np(pthread_self(), "linkcast-upkeep");
	(void)setpriority(PRIO_PROCESS, 0, LESS_URGENT); // of this thread alone, on Linux
	rc = upkeeps->kind == UPKEEP_BACKUP ? upkeep_backup(upkeeps->files, upkeeps->folder, &watch, &status)
	                                    : upkeep_check(upkeeps->files, &watch, &status);
	if (rc == 0 && upkeeps->kind == UPKEEP_BACKUP)
		log_info("backup in %s", upkeeps->folder);
	pthread_mutex_lock(&upkeeps->lock);
	if (rc < 0 && status.message[0] == '\0')
		(void)status_set(&status, rc == -ECANCELED ? STATUS_ABORTED : STATUS_INTERNAL, "%s",
		                 strerror(-rc));
	upkeeps->rc = rc;
	upkeeps->status = status;
	upkeeps->finished = true;
	pthread_mutex_unlock(&upkeeps->lock);
	return NULL;
}

// ---- what others ask

static int start(struct upkeeps *upkeeps, enum upkeep_kinds kind, const char *folder, struct status *status) {
	int rc;

	if (upkeeps->id != 0 && !upkeeps->finished)
		return status_set(status, STATUS_UNAVAILABLE, "a %s is being made",
		                  choice_word(&upkeep_kinds_choices, upkeeps->kind));
	join(upkeeps); // it has finished
	drop_findings(upkeeps);
	snprintf(upkeeps->folder, sizeof(upkeeps->folder), "%s", folder != NULL ? folder : "");
	upkeeps->kind = kind;
	upkeeps->done = upkeeps->total = 0;
	upkeeps->finished = false;
	upkeeps->id++;
	rc = -pthread_create(&upkeeps->thread, NULL, work, upkeeps);
	upkeeps->has_thread = rc == 0;
	upkeeps->finished = rc < 0;
	return rc;
}

int upkeeps_start(struct upkeeps *upkeeps, enum upkeep_kinds kind, const char *folder, int64_t *ret_id,
                  struct status *status) {
	int rc;

	if (folder != NULL && (folder[0] != '/' || strlen(folder) >= sizeof(upkeeps->folder)))
		return status_set(status, STATUS_INVALID_ARGUMENT, "folder: '%.200s' is no absolute path",
		                  folder);
	pthread_mutex_lock(&upkeeps->lock);
	rc = start(upkeeps, kind, folder, status);
	*ret_id = upkeeps->id;
	pthread_mutex_unlock(&upkeeps->lock);
	return rc;
}

static int copy_findings(const struct upkeeps *upkeeps, struct document *document, struct upkeep_state *ret) {
	ret->findings = document_alloc(document, upkeeps->n_findings * sizeof(*ret->findings));
	if (ret->findings == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < upkeeps->n_findings; i++) {
		size_t size = strlen(upkeeps->findings[i]) + 1;
		char *copy = document_alloc(document, size);

		if (copy == NULL)
			return -ENOMEM;
		memcpy(copy, upkeeps->findings[i], size);
		ret->findings[ret->n_findings++] = (struct finding){.what = copy};
	}
	return 0;
}

static int look(const struct upkeeps *upkeeps, int64_t id, struct document *document,
                struct upkeep_state *ret, struct status *status) {
	if (id != upkeeps->id || id == 0)
		return status_set(status, STATUS_NOT_FOUND, "upkeep %d is not known", (int)id);
	if (upkeeps->finished && upkeeps->rc < 0) {
		*status = upkeeps->status;
		return upkeeps->rc;
	}
	ret->upkeep_id = id;
	ret->kind = (int)upkeeps->kind;
	ret->finished = upkeeps->finished;
	ret->done_bytes = (uint64_t)upkeeps->done;
	ret->total_bytes = (uint64_t)upkeeps->total;
	ret->n_more = (int64_t)upkeeps->n_more;
	return copy_findings(upkeeps, document, ret);
}

int upkeeps_look(struct upkeeps *upkeeps, int64_t id, struct document *document, struct upkeep_state *ret,
                 struct status *status) {
	int rc;

	pthread_mutex_lock(&upkeeps->lock);
	rc = look(upkeeps, id, document, ret, status);
	pthread_mutex_unlock(&upkeeps->lock);
	return rc;
}
