// pathcomp batch: a request a line in, an answer a line out, against one snapshot.
// SPDX-License-Identifier: MIT
#include "commands.h"

#include "answer.h"
#include "clock.h"
#include "log.h"
#include "order.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct batch_options {
	struct options options; // first: the children's parsers see it
	const char *path;
	bool best;
};

enum { OPT_ORDER = 0x700 };

static const struct argp_option batch_options[] = {
        {"order", OPT_ORDER, "ORDER", 0,
         "given (default): each request is answered when it is read; best: all are read first and answered "
         "in the "
         "order in which most find room, of: as given, least demand first, least demand times hops first",
         0},
        {0},
};

static const struct argp_child batch_children[] = {
        {&options_source_argp, 0, "Where topology and forecasts come from:", 1},
        {&options_request_argp, 0, "What counts where a request doesn't say:", 2},
        {0},
};

static error_t parse_batch(int key, char *argument, struct argp_state *state) {
	struct batch_options *given = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		for (int i = 0; i < 2; i++)
			state->child_inputs[i] = state->input;
		return 0;
	case OPT_ORDER:
		given->best = strcmp(argument, "best") == 0;
		if (!given->best && strcmp(argument, "given") != 0)
			argp_error(state, "--order '%s': must be given or best", argument);
		return 0;
	case ARGP_KEY_ARG:
		if (given->path != NULL)
			argp_error(state, "one FILE, not '%s', too", argument);
		given->path = argument;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "FILE is missing (- is the standard input)");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp batch_argp = {
        .options = batch_options,
        .parser = parse_batch,
        .args_doc = "FILE",
        .doc = "Answers each line of FILE (- is the standard input), a request in JSON, by a line of JSON, "
               "in "
               "the order of the lines. Every request sees what the earlier ones took."
               "\vExit status: 0 all answered (blocked is an answer), 1 error, or a request was refused, "
               "2 wrong usage.",
        .children = batch_children,
};

static void entry_fini(struct batch_entry *entry) {
	answer_fini(&entry->answer);
	document_close(entry->document);
	*entry = (struct batch_entry){0};
}

// Reads a request. Returns 0 (with the entry's rc), or -ENOMEM.
static int entry_read(struct batch_entry *entry, const struct options *options, const char *line, size_t size,
                      size_t number) {
	struct path_query asked;
	struct reply_id head;

	entry->rc = document_from_json(line, size, &entry->document, &entry->status);
	if (entry->rc < 0) {
		status_prefix(&entry->status, "request %zu: ", number);
		return entry->rc == -ENOMEM ? -ENOMEM : 0;
	}
	// an id that can be read comes back, whatever else is wrong
	if (document_read(entry->document, &reply_id_message, &head, NULL) == 0)
		entry->id = head.id;
	entry->rc = document_read(entry->document, &path_query_message, &asked, &entry->status);
	if (entry->rc == 0)
		entry->query = answer_complete(&asked, options);
	return entry->rc == -ENOMEM ? -ENOMEM : 0;
}

// At once: who asks over a pipe may wait for it.
static int entry_print(const struct batch_entry *entry) {
	CLEANUP(freep) char *text = NULL;
	int rc = entry->rc < 0 ? reply_error_to_json(&entry->status, entry->id, &text)
	                       : reply_to_json(&path_answer_message, entry->id, &entry->answer.message, false,
	                                       &text);

	if (rc < 0)
		return rc;
	return puts(text) < 0 || fflush(stdout) != 0 ? -EIO : 0;
}

static bool is_blank(const char *line, size_t size) {
	return strspn(line, " \t\r\n") >= size;
}

// All lines, or each as it comes.
struct batch {
	struct snapshots snapshots;
	const struct batch_options *given;
	struct batch_entry *entries;
	size_t n, capacity;
	long n_refused;
};

static void batch_fini(struct batch *batch) {
	for (size_t i = 0; i < batch->n; i++)
		entry_fini(&batch->entries[i]);
	free(batch->entries);
	snapshots_fini(&batch->snapshots);
}

static int keep(struct batch *batch, const struct batch_entry *entry) {
	if (batch->n == batch->capacity) {
		size_t capacity = 2 * batch->capacity + 64;
		struct batch_entry *moved = realloc(batch->entries, capacity * sizeof(*moved));

		if (moved == NULL)
			return -ENOMEM;
		batch->entries = moved;
		batch->capacity = capacity;
	}
	batch->entries[batch->n++] = *entry;
	return 0;
}

static int take_line(struct batch *batch, const char *line, size_t size, size_t number) {
	struct batch_entry entry = {0};
	int rc = entry_read(&entry, &batch->given->options, line, size, number);

	if (rc == 0 && batch->given->best) {
		if ((rc = keep(batch, &entry)) < 0)
			entry_fini(&entry);
		return rc;
	}
	if (rc == 0 && entry.rc == 0)
		entry.rc =
		        answer_compute(&batch->snapshots, &entry.query, true, &entry.answer, &entry.status);
	if (rc == 0)
		rc = entry_print(&entry);
	batch->n_refused += entry.rc < 0;
	entry_fini(&entry);
	return rc;
}

// The conditions of an answer are in it, so entries stay where they are from here on.
static int answer_all(struct batch *batch) {
	int rc = order_answer_best(&batch->snapshots, batch->entries, batch->n);

	for (size_t i = 0; i < batch->n && rc == 0; i++) {
		rc = entry_print(&batch->entries[i]);
		batch->n_refused += batch->entries[i].rc < 0;
	}
	return rc;
}

static int run(struct batch *batch, FILE *file) {
	CLEANUP(freep) char *line = NULL;
	size_t capacity = 0, number = 0;
	ssize_t size;
	int rc;

	while (errno = 0, (size = getline(&line, &capacity, file)) >= 0) {
		number++;
		if (is_blank(line, (size_t)size))
			continue;
		if ((rc = take_line(batch, line, (size_t)size, number)) < 0)
			return rc;
	}
	if (ferror(file))
		return -errno;
	return batch->given->best ? answer_all(batch) : 0;
}

int command_batch(int argc, char **argv) {
	struct batch_options given = {0};
	CLEANUP(batch_fini) struct batch batch = {.given = &given};
	struct status status = {.message = "out of memory"};
	FILE *file;
	int rc;

	options_init(&given.options, clock_real_ns());
	argp_parse(&batch_argp, argc, argv, 0, NULL, &given);
	batch.snapshots.options = &given.options.origin;
	if (origin_open(&given.options.origin, &batch.snapshots.origin, &status) < 0) {
		log_error("%s", status.message);
		return EXIT_ERROR;
	}
	file = strcmp(given.path, "-") == 0 ? stdin : fopen(given.path, "re");
	if (file == NULL) {
		log_error("%s: %s", given.path, strerror(errno));
		return EXIT_ERROR;
	}
	rc = run(&batch, file);
	if (file != stdin)
		fclose(file);
	if (rc < 0)
		log_error("%s: %s", given.path, strerror(-rc));
	else if (batch.n_refused > 0)
		log_error("%s: %ld requests were refused", given.path, batch.n_refused);
	return rc < 0 || batch.n_refused > 0 ? EXIT_ERROR : EXIT_DONE;
}
