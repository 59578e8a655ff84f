// options.h: the options and arguments of a command as data: how they are typed, what they mean, where their
// values go. Parsing and --help follow from the tables; so can whatever else describes commands.
// SPDX-License-Identifier: MIT
#pragma once

#include "arguments.h"

enum value_kind {
	VALUE_FLAG,    // bool
	VALUE_TEXT,    // const char *, as typed
	VALUE_ID,      // const char *, checked as an id
	VALUE_TIME,    // int64_t
	VALUE_SECONDS, // double, over 0
	VALUE_REAL,    // double, min to max
	VALUE_NUMBER,  // int64_t, min to max
	VALUE_CHOICE,  // int, a word of 'choices'
	VALUE_PORT,    // struct port_name
};

struct port_name {
	char host[LIMIT_ID_SIZE + 1];
	const char *name; // NULL when none was given
};

struct command_option {
	const char *name;  // "--name"; of an argument, what stands for it in usage lines. NULL ends a table
	int letter;        // '-l', or 0
	const char *value; // what stands for the value in help; NULL: there is none
	const char *help;
	enum value_kind kind;
	size_t offset; // of the value in the command's structure
	double min, max;
	const struct choices *choices;
	bool required; // an argument that must be there
	bool repeats; // texts and ids: any number, into const char ** at 'offset' and size_t at 'count_offset'
	size_t count_offset; // of size_t
	bool is_field;       // of a message: its bit 'field' is set in the 'has' at 'has_offset'
	unsigned field;
	size_t has_offset;
};

// The option's value is a member of the command's structure; of a message that is one of its members.
#define TO(STRUCT, MEMBER) .offset = offsetof(struct STRUCT, MEMBER)
#define TO_FIELD(STRUCT, MEMBER, MESSAGE, FIELD)                                                             \
	.offset = offsetof(struct STRUCT, MEMBER.FIELD), .is_field = true, .field = MESSAGE                  \
	##_has_##FIELD, .has_offset = offsetof(struct STRUCT, MEMBER.has)
#define TO_LIST(STRUCT, MEMBER, COUNT)                                                                       \
	.repeats = true, .offset = offsetof(struct STRUCT, MEMBER),                                          \
	.count_offset = offsetof(struct STRUCT, COUNT)

struct command_form {
	const struct command_option *options;   // NULL: none but those that all commands have
	const struct command_option *arguments; // in order; NULL: none
	const char *doc;
	// What no option alone can say: ends the program by argp_error(); NULL: nothing.
	void (*check)(const void *values, struct argp_state *);
};

// Reads the command line into 'values', the command's structure with its defaults. Wrong usage and --help end
// the program. Lists are the caller's to free.
void options_parse(struct ctl *, const struct command_form *, int argc, char **argv, void *values);
