// backup, check: of what the daemon keeps, by the daemon; or, with --data, of files, whether a daemon runs or not.
// SPDX-License-Identifier: MIT
#include "upkeep.h"

#include "clock.h"
#include "commands.h"
#include "options.h"
#include "progress.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS 50000000 // between questions how far it is

struct upkeep_arguments {
	const char *folder; // of a backup
	const char *data;   // NULL: the daemon's
};

#define DATA_OPTION(WHAT)                                                                                    \
	{                                                                                                    \
		"data", 'd', "DIR", WHAT " the files in DIR, without asking the daemon", VALUE_TEXT,         \
		        TO(upkeep_arguments, data)                                                           \
	}

const struct command_form backup_form = {
        .options = (const struct command_option[]){DATA_OPTION("copy"), {0}},
        .arguments =
                (const struct command_option[]){{"DIR", 0, NULL,
                                                 "for history.db and state.db; made when it isn't "
                                                 "there",
                                                 VALUE_TEXT, TO(upkeep_arguments, folder), .required = true},
                                                {0}},
        .doc = "Copies history and state as they are at one moment, while the daemon works on. Without "
               "--data the "
               "daemon writes the copy, so DIR is on its machine. To restore: stop the daemon, put the two "
               "files into "
               "its data folder without the -wal and -shm files that are there, start it.",
};

const struct command_form check_form = {
        .options = (const struct command_option[]){DATA_OPTION("check"), {0}},
        .doc = "Reads everything that is stored: pages, indexes, chunks and their checksums, levels against "
               "their rows. "
               "Prints what is damaged and where; the exit status is then 1.",
};

struct upkeep_run {
	struct ctl *ctl;
	struct upkeep_state state;
	struct finding *findings; // of files
	struct document *document;
	struct progress progress;
};

static void run_fini(struct upkeep_run *run) {
	for (size_t i = 0; run->findings != NULL && i < run->state.n_findings; i++)
		free((char *)run->findings[i].what);
	free(run->findings);
	document_close(run->document);
	progress_fini(&run->progress);
}

// ---- by the daemon

static int ask(struct upkeep_run *run, enum op op, const void *request, struct status *status) {
	struct document *document = NULL;
	int rc = ctl_call(run->ctl, op, request, &run->state, &document, status);

	if (rc < 0)
		return rc;
	document_close(run->document);
	run->document = document;
	progress_update(&run->progress, clock_mono_ns(), run->state.done_bytes, run->state.total_bytes);
	return 0;
}

static int by_daemon(struct upkeep_run *run, enum op op, const void *request, struct status *status) {
	const struct timespec pause = {.tv_nsec = LOOK_NS};
	struct upkeep_query query = {0};
	int rc;

	if ((rc = ask(run, op, request, status)) < 0)
		return rc;
	query.upkeep_id = run->state.upkeep_id;
	while (!run->state.finished) {
		nanosleep(&pause, NULL);
		if ((rc = ask(run, OP_GET_UPKEEP, &query, status)) < 0)
			return rc;
	}
	return 0;
}

// ---- on files

static bool note_progress(void *context, int64_t done, int64_t total) {
	struct upkeep_run *run = context;

	run->state.done_bytes = (uint64_t)done;
	run->state.total_bytes = (uint64_t)total;
	progress_update(&run->progress, clock_mono_ns(), (size_t)done, (size_t)total);
	return true;
}

static void note_finding(void *context, const char *text) {
	struct upkeep_run *run = context;
	char *copy = strdup(text);

	if (copy == NULL ||
	    array_grow((void **)&run->findings, run->state.n_findings, 1, sizeof(*run->findings)) < 0) {
		free(copy);
		run->state.n_more++;
		return;
	}
	run->findings[run->state.n_findings++] = (struct finding){.what = copy};
	run->state.findings = run->findings;
}

static int on_files(struct upkeep_run *run, enum upkeep_kinds kind, const struct upkeep_arguments *arguments,
                    struct status *status) {
	const struct upkeep_watch watch = {note_progress, note_finding, run};
	char history[PATH_MAX], state[PATH_MAX];
	const struct upkeep_files files = {history, state};

	if ((size_t)snprintf(history, sizeof(history), "%s/history.db", arguments->data) >= sizeof(history) ||
	    (size_t)snprintf(state, sizeof(state), "%s/state.db", arguments->data) >= sizeof(state))
		return status_set(status, STATUS_INVALID_ARGUMENT, "%.200s...: too long", arguments->data);
	run->state = (struct upkeep_state){.upkeep_id = 1, .kind = (int)kind, .finished = true};
	return kind == UPKEEP_BACKUP ? upkeep_backup(&files, arguments->folder, &watch, status)
	                             : upkeep_check(&files, &watch, status);
}

// ---- commands

// The daemon's working folder is another one.
static int make_absolute(const char *folder, char ret[static PATH_MAX], struct status *status) {
	char here[PATH_MAX];
	int size;

	if (folder[0] == '/')
		size = snprintf(ret, PATH_MAX, "%s", folder);
	else if (getcwd(here, sizeof(here)) != NULL)
		size = snprintf(ret, PATH_MAX, "%s/%s", here, folder);
	else
		return -errno;
	return size < PATH_MAX ? 0
	                       : status_set(status, STATUS_INVALID_ARGUMENT, "%.200s...: too long", folder);
}

int command_backup(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(run_fini) struct upkeep_run run = {.ctl = ctl};
	struct upkeep_arguments arguments = {0};
	struct backup_request request = {0};
	char folder[PATH_MAX];
	int rc;

	options_parse(ctl, &backup_form, argc, argv, &arguments);
	if ((rc = make_absolute(arguments.folder, folder, status)) < 0)
		return rc;
	request.folder = folder;
	progress_init(&run.progress, clock_mono_ns());
	rc = arguments.data != NULL ? on_files(&run, UPKEEP_BACKUP, &arguments, status)
	                            : by_daemon(&run, OP_BACKUP, &request, status);
	progress_fini(&run.progress);
	if (rc < 0)
		return rc;
	if (ctl->json)
		return ctl_print_json(&upkeep_state_message, &run.state);
	printf("history.db and state.db are in %s\n", folder);
	return 0;
}

int command_check(struct ctl *ctl, int argc, char **argv, struct status *status) {
	CLEANUP(run_fini) struct upkeep_run run = {.ctl = ctl};
	struct upkeep_arguments arguments = {0};
	struct empty nothing = {0};
	int64_t n_findings;
	int rc;

	options_parse(ctl, &check_form, argc, argv, &arguments);
	progress_init(&run.progress, clock_mono_ns());
	rc = arguments.data != NULL ? on_files(&run, UPKEEP_CHECK, &arguments, status)
	                            : by_daemon(&run, OP_CHECK, &nothing, status);
	progress_fini(&run.progress);
	if (rc < 0)
		return rc;
	n_findings = (int64_t)run.state.n_findings + run.state.n_more;
	if (ctl->json && (rc = ctl_print_json(&upkeep_state_message, &run.state)) < 0)
		return rc;
	for (size_t i = 0; !ctl->json && i < run.state.n_findings; i++)
		puts(run.state.findings[i].what);
	if (n_findings > 0)
		return status_set(status, STATUS_INTERNAL, "%" PRId64 " damaged places", n_findings);
	if (!ctl->json)
		puts("everything that is stored is whole");
	return 0;
}
