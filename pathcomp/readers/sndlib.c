// Topologies in SNDlib's native format: sections of entries in parentheses. Of a link the installed capacity
// counts (0: not known) and the routing cost (0: 1); demands and paths are passed over. The META section may
// tell the unit of capacities.
// SPDX-License-Identifier: MIT
#include "builder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define WORD_SIZE (LIMIT_ID_SIZE + 2)

struct reading {
	struct builder builder;
	const char *at, *end;
	double scale; // Gbps in a capacity of 1
	char word[WORD_SIZE];
};

static void reading_fini(struct reading *reading) {
	builder_fini(&reading->builder);
}

static const struct {
	const char *name;
	double gbps;
} units[] = {
        {"BITPERSEC", 1e-9}, {"KBITPERSEC", 1e-6}, {"MBITPERSEC", 1e-3}, {"GBITPERSEC", 1},
        {"TBITPERSEC", 1e3}, {"STM1", 0.15552},    {"STM4", 0.62208},
};

// ---- words

// What is broken in the form ends the reading: what comes behind can't be told apart.
static int broken(struct reading *reading, const char *what) {
	return status_set(reading->builder.status, STATUS_INVALID_ARGUMENT, "%s:%zu: %s",
	                  reading->builder.path, reading->builder.line, what);
}

static bool is_blank(char c) {
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_blanks(struct reading *reading) {
	while (reading->at < reading->end && (is_blank(*reading->at) || *reading->at == '#')) {
		if (*reading->at == '#') {
			while (reading->at < reading->end && *reading->at != '\n')
				reading->at++;
			continue;
		}
		reading->builder.line += *reading->at == '\n';
		reading->at++;
	}
}

// A parenthesis, or anything up to a blank or one. Returns 1, 0 at the end, or -EINVAL.
static int next_word(struct reading *reading) {
	size_t n = 0;

	skip_blanks(reading);
	if (reading->at == reading->end)
		return 0;
	do {
		if (n + 1 == sizeof(reading->word))
			return broken(reading, "a word longer than an id can be");
		if (*reading->at == '\0')
			return broken(reading, "a NUL byte");
		reading->word[n++] = *reading->at++;
	} while (strchr("()", reading->word[0]) == NULL && reading->at < reading->end &&
	         !is_blank(*reading->at) && strchr("()", *reading->at) == NULL);
	reading->word[n] = '\0';
	return 1;
}

static bool is_word(const struct reading *reading, const char *word) {
	return strcmp(reading->word, word) == 0;
}

static int want(struct reading *reading, const char *word) {
	char text[64];
	int rc = next_word(reading);

	if (rc < 0)
		return rc;
	if (rc > 0 && is_word(reading, word))
		return 0;
	snprintf(text, sizeof(text), "expected '%s'", word);
	return broken(reading, text);
}

// A word that is no parenthesis.
static int want_text(struct reading *reading, const char *what, char ret[static WORD_SIZE]) {
	char text[64];
	int rc = next_word(reading);

	if (rc < 0)
		return rc;
	if (rc == 0 || is_word(reading, "(") || is_word(reading, ")")) {
		snprintf(text, sizeof(text), "expected %s", what);
		return broken(reading, text);
	}
	memcpy(ret, reading->word, WORD_SIZE);
	return 0;
}

// Up to the parenthesis that closes 'depth' open ones.
static int skip(struct reading *reading, int depth) {
	while (depth > 0) {
		int rc = next_word(reading);

		if (rc <= 0)
			return rc < 0 ? rc : broken(reading, "a parenthesis is not closed");
		depth += is_word(reading, "(") - is_word(reading, ")");
	}
	return 0;
}

// ---- sections; each begins behind its "(" and ends behind its ")"

static int read_meta(struct reading *reading) {
	char unit[WORD_SIZE];
	int rc;

	while ((rc = next_word(reading)) > 0 && !is_word(reading, ")")) {
		if (is_word(reading, "(") && (rc = skip(reading, 1)) < 0)
			return rc;
		if (!is_word(reading, "unit"))
			continue;
		if ((rc = want(reading, "=")) < 0 || (rc = want_text(reading, "a unit", unit)) < 0)
			return rc;
		for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
			if (strcmp(unit, units[i].name) == 0)
				reading->scale = units[i].gbps;
		}
	}
	return rc > 0 ? 0 : rc < 0 ? rc : broken(reading, "META is not closed");
}

static int read_place(struct reading *reading, struct node *node) {
	char x[WORD_SIZE], y[WORD_SIZE];
	double value;
	int rc;

	if ((rc = want(reading, "(")) < 0 || (rc = want_text(reading, "a longitude", x)) < 0 ||
	    (rc = want_text(reading, "a latitude", y)) < 0 || (rc = want(reading, ")")) < 0)
		return rc;
	rc = builder_real(&reading->builder, "longitude", x, -BUILDER_MAP_MAX, BUILDER_MAP_MAX, &value);
	if (rc == 0)
		SET(node, node, x, value);
	if (rc >= 0)
		rc = builder_real(&reading->builder, "latitude", y, -BUILDER_MAP_MAX, BUILDER_MAP_MAX,
		                  &value);
	if (rc == 0)
		SET(node, node, y, value);
	return rc < 0 ? rc : 0;
}

static bool opens_next(struct reading *reading) {
	skip_blanks(reading);
	return reading->at < reading->end && *reading->at == '(';
}

static int read_node(struct reading *reading) {
	const size_t line = reading->builder.line;
	char id[WORD_SIZE];
	struct node node;
	size_t read_line;
	int rc;

	node_init(&node);
	memcpy(id, reading->word, sizeof(id));
	if (opens_next(reading) && (rc = read_place(reading, &node)) < 0)
		return rc;
	read_line = reading->builder.line; // what follows may be lines further on
	reading->builder.line = line;
	rc = builder_add_node(&reading->builder, id, id, node);
	reading->builder.line = read_line;
	return rc;
}

enum { INSTALLED, INSTALLED_COST, ROUTING_COST, SETUP_COST, N_FIGURES };

static int read_figures(struct reading *reading, double figures[static N_FIGURES]) {
	static const char *const names[N_FIGURES] = {"pre-installed capacity", "pre-installed capacity cost",
	                                             "routing cost", "setup cost"};
	char text[WORD_SIZE];
	int rc;

	for (int i = 0; i < N_FIGURES; i++) {
		figures[i] = 0;
		if ((rc = want_text(reading, names[i], text)) < 0)
			return rc;
		rc = builder_real(&reading->builder, names[i], text, 0,
		                  i == ROUTING_COST ? BUILDER_COST_MAX : BUILDER_CAPACITY_MAX, &figures[i]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_link(struct reading *reading) {
	const size_t line = reading->builder.line;
	char id[WORD_SIZE], source[WORD_SIZE], target[WORD_SIZE];
	double figures[N_FIGURES];
	struct link link;
	size_t read_line;
	int rc;

	link_init(&link);
	memcpy(id, reading->word, sizeof(id));
	if ((rc = want(reading, "(")) < 0 || (rc = want_text(reading, "a node", source)) < 0 ||
	    (rc = want_text(reading, "a node", target)) < 0 || (rc = want(reading, ")")) < 0 ||
	    (rc = read_figures(reading, figures)) < 0)
		return rc;
	if (opens_next(reading) && ((rc = want(reading, "(")) < 0 || (rc = skip(reading, 1)) < 0))
		return rc;
	if (figures[INSTALLED] > 0)
		SET(&link, link, total_capacity_gbps, figures[INSTALLED] * reading->scale);
	if (figures[ROUTING_COST] > 0)
		link.cost = figures[ROUTING_COST];
	read_line = reading->builder.line;
	reading->builder.line = line;
	rc = builder_add_link(&reading->builder, id, false, source, target, link);
	reading->builder.line = read_line;
	return rc;
}

static int read_list(struct reading *reading, int (*read)(struct reading *)) {
	int rc;

	while ((rc = next_word(reading)) > 0 && !is_word(reading, ")")) {
		if ((rc = is_word(reading, "(") ? broken(reading, "expected an id") : read(reading)) < 0)
			return rc;
	}
	return rc > 0 ? 0 : rc < 0 ? rc : broken(reading, "a section is not closed");
}

static int read_nodes(struct reading *reading) {
	return read_list(reading, read_node);
}

static int read_links(struct reading *reading) {
	return read_list(reading, read_link);
}

static int skip_section(struct reading *reading) {
	return skip(reading, 1);
}

static const struct {
	const char *name;
	int (*read)(struct reading *);
} sections[] = {
        {"META", read_meta},
        {"NODES", read_nodes},
        {"LINKS", read_links},
        {"DEMANDS", skip_section},
        {"ADMISSIBLE_PATHS", skip_section},
};

static int read_section(struct reading *reading) {
	int rc;

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (!is_word(reading, sections[i].name))
			continue;
		if ((rc = want(reading, "(")) < 0)
			return rc;
		return sections[i].read(reading);
	}
	return broken(reading, "expected META, NODES, LINKS, DEMANDS or ADMISSIBLE_PATHS");
}

int reader_parse_sndlib(const char *path, const char *text, size_t size, const struct reader_options *options,
                        struct topology *ret, struct document **ret_document, struct status *status) {
	static const char mark[] = "?SNDlib native format";
	CLEANUP(reading_fini) struct reading reading = {.at = text, .end = text + size};
	const char *line_end;
	int rc;

	if ((rc = builder_init(&reading.builder, path, options, status)) < 0)
		return rc;
	reading.builder.line = 1;
	reading.scale = options->capacity_scale;
	if (size < sizeof(mark) - 1 || memcmp(text, mark, sizeof(mark) - 1) != 0)
		return broken(&reading, "not SNDlib's native format: '?SNDlib native format' is missing");
	line_end = memchr(text, '\n', size);
	reading.at = line_end == NULL ? reading.end : line_end;
	while ((rc = next_word(&reading)) > 0) {
		if ((rc = read_section(&reading)) < 0)
			return rc;
	}
	if (rc < 0)
		return rc;
	reading.builder.line = 0;
	return builder_finish(&reading.builder, NULL, ret, ret_document);
}
