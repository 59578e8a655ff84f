// pathcomp batch: a request a line in, an answer a line out, against one snapshot.
// SPDX-License-Identifier: MIT
#include "commands.h"

#include "answer.h"
#include "clock.h"
#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct batch_options {
	struct options options; // first: the children's parsers see it
	const char *path;
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
        .parser = parse_batch,
        .args_doc = "FILE",
        .doc = "Answers each line of FILE (- is the standard input), a request in JSON, by a line of JSON. "
               "Every request sees what the earlier ones took."
               "\vExit status: 0 all answered (blocked is an answer), 1 error, or a request was refused, "
               "2 wrong usage.",
        .children = batch_children,
};

// Puts the answer to one line, or why it has none, into 'ret'. Returns 0, 1 for a refusal, or -ENOMEM.
static int answer_line(struct snapshots *snapshots, const struct options *options, const char *line,
                       size_t size, size_t number, char **ret) {
	CLEANUP(document_closep) struct document *document = NULL;
	CLEANUP(answer_fini) struct answer answer = {0};
	struct path_query asked = {0}, query;
	struct status status = {0};
	const char *id = NULL;
	int rc;

	if ((rc = document_from_json(line, size, &document, &status)) < 0) {
		status_prefix(&status, "request %zu: ", number);
	} else if ((rc = document_read(document, &path_query_message, &asked, &status)) < 0) {
		struct reply_id head;

		// an id that can be read comes back, whatever else is wrong
		if (document_read(document, &reply_id_message, &head, NULL) == 0)
			id = head.id;
	} else {
		id = asked.id;
		query = answer_complete(&asked, options);
		rc = answer_compute(snapshots, &query, true, &answer, &status);
	}
	if (rc == -ENOMEM)
		return rc;
	if (rc == 0)
		return reply_to_json(&path_answer_message, id, &answer.message, false, ret);
	rc = reply_error_to_json(&status, id, ret);
	return rc < 0 ? rc : 1;
}

static bool is_blank(const char *line, size_t size) {
	return strspn(line, " \t\r\n") >= size;
}

// Returns how many requests were refused, or a negative errno.
static long run(struct snapshots *snapshots, const struct options *options, FILE *file) {
	CLEANUP(freep) char *line = NULL;
	size_t capacity = 0, number = 0;
	long n_refused = 0;
	ssize_t size;

	while (errno = 0, (size = getline(&line, &capacity, file)) >= 0) {
		CLEANUP(freep) char *text = NULL;
		int rc;

		number++;
		if (is_blank(line, (size_t)size))
			continue;
		if ((rc = answer_line(snapshots, options, line, (size_t)size, number, &text)) < 0)
			return rc;
		n_refused += rc;
		// at once: who asks over a pipe may wait for it
		if (puts(text) < 0 || fflush(stdout) != 0)
			return -EIO;
	}
	return ferror(file) ? -errno : n_refused;
}

int command_batch(int argc, char **argv) {
	CLEANUP(snapshots_fini) struct snapshots snapshots = {0};
	struct batch_options given = {0};
	struct status status = {.message = "out of memory"};
	long n_refused;
	FILE *file;

	options_init(&given.options, clock_real_ns());
	argp_parse(&batch_argp, argc, argv, 0, NULL, &given);
	snapshots.options = &given.options.origin;
	if (origin_open(&given.options.origin, &snapshots.origin, &status) < 0) {
		log_error("%s", status.message);
		return EXIT_ERROR;
	}
	file = strcmp(given.path, "-") == 0 ? stdin : fopen(given.path, "re");
	if (file == NULL) {
		log_error("%s: %s", given.path, strerror(errno));
		return EXIT_ERROR;
	}
	n_refused = run(&snapshots, &given.options, file);
	if (file != stdin)
		fclose(file);
	if (n_refused < 0)
		log_error("%s: %s", given.path, strerror((int)-n_refused));
	else if (n_refused > 0)
		log_error("%s: %ld requests were refused", given.path, n_refused);
	return n_refused == 0 ? EXIT_DONE : EXIT_ERROR;
}
