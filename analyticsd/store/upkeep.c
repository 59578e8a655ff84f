// Copies of both files. The check is in check.c.
// SPDX-License-Identifier: MIT
#include "upkeep.h"

#include "backup.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER_MODE 0750

enum { STATE, HISTORY, N_FILES };

struct copies {
	struct backup *files[N_FILES];
};

static void copies_fini(struct copies *copies) {
	for (int i = 0; i < N_FILES; i++)
		backup_close(copies->files[i]);
}

static int64_t size_of(const char *path) {
	struct stat file;

	return stat(path, &file) == 0 ? file.st_size : 0;
}

static int open_copies(const char *const paths[N_FILES], const char *folder, struct copies *copies,
                       struct status *status) {
	static const char *const names[N_FILES] = {[STATE] = "state.db", [HISTORY] = "history.db"};
	char to[PATH_MAX];
	int rc;

	for (int i = 0; i < N_FILES; i++) {
		if ((size_t)snprintf(to, sizeof(to), "%s/%s", folder, names[i]) >= sizeof(to))
			return -ENAMETOOLONG;
		if ((rc = backup_open(paths[i], to, &copies->files[i], status)) < 0)
			return rc;
	}
	return 0;
}

int upkeep_backup(const struct upkeep_files *files, const char *folder, const struct upkeep_watch *watch,
                  struct status *status) {
	const char *const paths[N_FILES] = {[STATE] = files->state_path, [HISTORY] = files->history_path};
	int64_t before = 0, total = size_of(files->state_path) + size_of(files->history_path);
	CLEANUP(copies_fini) struct copies copies = {0};
	int rc;

	if (mkdir(folder, FOLDER_MODE) < 0 && errno != EEXIST) {
		rc = -errno;
		(void)status_set(status, STATUS_FAILED_PRECONDITION, "%s: %s", folder, strerror(errno));
		return rc;
	}
	if ((rc = open_copies(paths, folder, &copies, status)) < 0)
		return rc;
	for (int i = 0; i < N_FILES; i++) {
		struct backup *backup = copies.files[i];

		while ((rc = backup_step(backup, status)) > 0) {
			if (watch->progress != NULL &&
			    !watch->progress(watch->context, before + backup_done(backup), total))
				return -ECANCELED;
		}
		if (rc < 0)
			return rc;
		before += backup_size(backup);
	}
	for (int i = 0; i < N_FILES && rc == 0; i++)
		rc = backup_finish(copies.files[i], status);
	return rc;
}
