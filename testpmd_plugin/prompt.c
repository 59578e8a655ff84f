// The prompt: one table is parser, completion, help and dispatch. Words in capitals are arguments, all of
// them plain words, so that the commands themselves say what they expected; a line that fits no command is
// taken too, to answer with those that come near.
// SPDX-License-Identifier: MIT
#include "prompt.h"

#include "forecast.h"
#include "plugin.h"
#include "show.h"
#include "text.h"

#include <cmdline_parse.h>
#include <cmdline_parse_string.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#pragma weak cmdline_token_string_ops

#define PROGRAM   "analytics"
#define MAX_WORDS 6 // of a line, with the first

// 'words' follow "analytics"; NULL where the line is shorter.
struct command {
	const char *pattern;
	const char *help;
	int (*run)(char *const words[], FILE *out, struct status *status);
};

// ---- what the commands do

static int run_start(char *const words[], FILE *out, struct status *status) {
	struct settings settings;
	int rc = plugin_start(words[1], status);

	if (rc < 0)
		return rc;
	plugin_settings(&settings);
	fprintf(out, "publishing to %s%s\n", settings.bind ? "@" : "", settings.samples);
	return 0;
}

static int run_stop(char *const words[], FILE *out, struct status *status) {
	int rc = plugin_stop(status);

	(void)words;
	if (rc == 0)
		fprintf(out, "stopped\n");
	return rc;
}

static int run_set_interval(char *const words[], FILE *out, struct status *status) {
	(void)out;
	return plugin_set(settings_set_interval, words[2], status);
}

static int run_set_batch(char *const words[], FILE *out, struct status *status) {
	(void)out;
	return plugin_set(settings_set_batch, words[2], status);
}

static int run_set_xstats(char *const words[], FILE *out, struct status *status) {
	(void)out;
	return plugin_set(settings_set_xstats, words[2], status);
}

static int run_set_replay(char *const words[], FILE *out, struct status *status) {
	(void)out;
	return plugin_set(settings_set_replay, words[2], status);
}

static int run_set_server(char *const words[], FILE *out, struct status *status) {
	(void)out;
	return plugin_set(settings_set_server, words[2], status);
}

static int run_set_link(char *const words[], FILE *out, struct status *status) {
	(void)out;
	return plugin_set_link(words[2], words[3], status);
}

static int run_show_status(char *const words[], FILE *out, struct status *status) {
	(void)words;
	return show_status(out, status);
}

static int run_show_ports(char *const words[], FILE *out, struct status *status) {
	(void)words;
	return show_ports(out, status);
}

static int run_show_config(char *const words[], FILE *out, struct status *status) {
	(void)words;
	return show_config(out, status);
}

static int run_forecast(char *const words[], FILE *out, struct status *status) {
	struct forecast_question question = {0};
	struct settings settings;
	const char *link;
	uint16_t port;
	int rc;

	if ((rc = plugin_port(words[1], &port, question.port_name, status)) < 0 ||
	    (rc = plugin_host(question.host, status)) < 0)
		return rc;
	if (text_to_seconds(words[2], &question.window_seconds) < 0 || !(question.window_seconds > 0))
		return status_set(status, STATUS_INVALID_ARGUMENT,
		                  "window '%.40s': expected seconds, or a time as 15m, 6h, 7d", words[2]);
	plugin_settings(&settings);
	link = settings_link(&settings, question.port_name);
	snprintf(question.link, sizeof(question.link), "%s", link != NULL ? link : "");
	memcpy(question.server, settings.server, sizeof(question.server));
	return forecast_print(&question, out, status);
}

static int run_help(char *const words[], FILE *out, struct status *status);

static const struct command commands[] = {
        {"start", "publish to the default endpoint", run_start},
        {"start ENDPOINT",
         "publish to ipc://PATH or tcp://HOST:PORT; with @ before it, subscribers come here", run_start},
        {"stop", "publish no more", run_stop},
        {"show status", "what is published, and how well", run_show_status},
        {"show ports", "the ports, with rates between the last two rows", run_show_ports},
        {"show config", "the settings", run_show_config},
        {"set interval TIME", "time between rows: 100us to 60s; a plain number is ms", run_set_interval},
        {"set batch TIME", "how long rows wait for each other: 0 to 1s; a plain number is ms", run_set_batch},
        {"set xstats on", "the drivers' own statistics and librte_metrics in each row", run_set_xstats},
        {"set xstats off", "the eight basic counters only", run_set_xstats},
        {"set replay SIZE", "memory for rows that may be asked for again: 64MiB; 0 keeps none",
         run_set_replay},
        {"set link PORT LINK_ID", "the link that a port measures; - for none", run_set_link},
        {"set server ENDPOINT", "where analyticsd answers", run_set_server},
        {"forecast PORT SECONDS", "what the port's link will carry in the time to come", run_forecast},
        {"help", "these commands", run_help},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int run_help(char *const words[], FILE *out, struct status *status) {
	(void)words;
	(void)status;
	for (size_t i = 0; i < N_COMMANDS; i++)
		fprintf(out, PROGRAM " %-24s %s\n", commands[i].pattern, commands[i].help);
	return 0;
}

// ---- lines and patterns

struct line {
	char text[512];
	char *words[MAX_WORDS + 1];
	size_t n;
};

// Cuts at blanks, up to the end of the line or a comment. False when there are more words than any command
// has.
static bool split(const char *text, struct line *ret) {
	size_t size = strcspn(text, "\r\n#");
	char *state, *word;

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->text, sizeof(ret->text), "%.*s", (int)(size < 500 ? size : 500), text);
	for (word = strtok_r(ret->text, " \t", &state); word != NULL; word = strtok_r(NULL, " \t", &state)) {
		if (ret->n == MAX_WORDS)
			return false;
		ret->words[ret->n++] = word;
	}
	return true;
}

static bool is_argument(const char *pattern_word) {
	return isupper((unsigned char)pattern_word[0]);
}

// How many words of the line, after the first, agree with the pattern from its start?
static size_t agreement(const struct line *line, const struct line *pattern) {
	size_t i = 0;

	while (i < pattern->n && i + 1 < line->n &&
	       (is_argument(pattern->words[i]) || strcmp(pattern->words[i], line->words[i + 1]) == 0))
		i++;
	return i;
}

static bool fits(const struct line *line, const struct line *pattern) {
	return line->n == pattern->n + 1 && agreement(line, pattern) == pattern->n;
}

static bool fits_any(const struct line *line) {
	struct line pattern;

	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (split(commands[i].pattern, &pattern) && fits(line, &pattern))
			return true;
	}
	return false;
}

static void print_nearest(const struct line *line, FILE *out) {
	size_t best = 0;
	struct line pattern;

	for (size_t i = 0; i < N_COMMANDS; i++) {
		size_t near = split(commands[i].pattern, &pattern) ? agreement(line, &pattern) : 0;

		best = near > best ? near : best;
	}
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (split(commands[i].pattern, &pattern) && agreement(line, &pattern) == best)
			fprintf(out, "  " PROGRAM " %-24s %s\n", commands[i].pattern, commands[i].help);
	}
}

// ---- cmdline's side

struct result {
	cmdline_fixed_string_t words[MAX_WORDS];
};

struct unknown_result {
	char text[512];
};

static void on_command(void *parsed, struct cmdline *cmdline, void *data) {
	const struct command *command = data;
	struct result *result = parsed;
	char *words[MAX_WORDS + 1] = {NULL};
	struct status status = {0};
	struct line pattern;

	(void)cmdline;
	if (!split(command->pattern, &pattern))
		return;
	for (size_t i = 0; i < pattern.n; i++)
		words[i] = result->words[i + 1];
	if (command->run(words, stdout, &status) < 0)
		printf(PROGRAM ": %s\n", status.message);
	fflush(stdout);
}

static void on_unknown(void *parsed, struct cmdline *cmdline, void *data) {
	struct unknown_result *result = parsed;
	struct line line;

	(void)cmdline;
	(void)data;
	(void)split(result->text, &line);
	printf("expected:\n");
	print_nearest(&line, stdout);
	fflush(stdout);
}

// Takes a whole line that begins as ours and fits no command. Completion (no result) never sees it.
static int parse_unknown(cmdline_parse_token_hdr_t *token, const char *text, void *result,
                         unsigned int size) {
	struct unknown_result *unknown = result;
	size_t used = strcspn(text, "\r\n#");
	struct line line;
	bool whole = split(text, &line);

	(void)token;
	if (result == NULL || size < sizeof(*unknown) || line.n == 0 || strcmp(line.words[0], PROGRAM) != 0)
		return -1;
	if (whole && fits_any(&line))
		return -1;
	snprintf(unknown->text, sizeof(unknown->text), "%.*s", (int)(used < 500 ? used : 500), text);
	return (int)used;
}

static struct cmdline_token_ops unknown_ops = {.parse = parse_unknown};
static cmdline_parse_token_hdr_t unknown_token = {.ops = &unknown_ops};
static cmdline_parse_inst_t unknown_command = {
        .f = on_unknown, .help_str = PROGRAM " help", .tokens = {&unknown_token, NULL}};

static void fill_token(struct cmdline_token_string *token, const char *word, size_t index) {
	token->hdr.ops = &cmdline_token_string_ops;
	token->hdr.offset = (unsigned int)(index * sizeof(cmdline_fixed_string_t));
	token->string_data.str = word;
}

// One command as cmdline wants it; NULL without memory. It is kept for good.
static cmdline_parse_inst_t *make_command(const struct command *command) {
	struct block {
		struct line pattern;
		struct cmdline_token_string tokens[MAX_WORDS];
		char help[256];
		cmdline_parse_inst_t command; // its tokens follow
	} *block = calloc(1, sizeof(*block) + (MAX_WORDS + 1) * sizeof(cmdline_parse_token_hdr_t *));

	if (block == NULL)
		return NULL;
	(void)split(command->pattern, &block->pattern);
	snprintf(block->help, sizeof(block->help), PROGRAM " %s: %s", command->pattern, command->help);
	block->command.f = on_command;
	block->command.data = (void *)command;
	block->command.help_str = block->help;
	fill_token(&block->tokens[0], PROGRAM, 0);
	block->command.tokens[0] = &block->tokens[0].hdr;
	for (size_t i = 0; i < block->pattern.n; i++) {
		const char *word = block->pattern.words[i];

		fill_token(&block->tokens[i + 1], is_argument(word) ? NULL : word, i + 1);
		block->command.tokens[i + 1] = &block->tokens[i + 1].hdr;
	}
	return &block->command;
}

struct cmdline_inst *const *prompt_commands(void) {
	static struct cmdline_inst *list[N_COMMANDS + 2];
	size_t n = 0;

	if (&cmdline_token_string_ops == NULL)
		return NULL;
	while (n < N_COMMANDS) {
		list[n] = make_command(&commands[n]);
		if (list[n++] == NULL)
			return NULL;
	}
	list[n] = &unknown_command;
	return list;
}
