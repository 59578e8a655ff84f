// status.h: a failure that goes over the wire or to a person: what, on which object, why.
// SPDX-License-Identifier: MIT
#pragma once

enum status_code {
#define STATUS(NAME, HELP) STATUS_##NAME,
#include "status.def"
#undef STATUS
	N_STATUS_CODES
};

#define STATUS_MESSAGE_SIZE 512
#define STATUS_LINK_SIZE    256

struct status {
	enum status_code code;
	char message[STATUS_MESSAGE_SIZE];
	char link_id[STATUS_LINK_SIZE]; // the link that refuses; empty: none
	int direction;                  // of it
};

// "INVALID_ARGUMENT" and so on.
const char *status_name(enum status_code code);

// The code of that name, STATUS_INTERNAL when there is none.
enum status_code status_from_name(const char *name);

// One sentence about a code, for the protocol page.
const char *status_help(enum status_code code);

// Fills 'status' (NULL is fine) and returns the negative errno that stands for the code, so that a function
// can say `return status_set(status, STATUS_NOT_FOUND, "link '%s' does not exist", id);`.
int status_set(struct status *status, enum status_code code, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

// Names the link that refuses, beside the message. NULL is fine for both.
void status_name_link(struct status *status, const char *link_id, int direction);

// Puts "prefix" before the message, as a file name before what is wrong in it.
void status_prefix(struct status *status, const char *format, ...) __attribute__((format(printf, 2, 3)));
