// program.h: a program that is run about an alert: an argument vector without a shell, JSON on its standard input, what
// it prints kept in part, a process group of its own that is killed when its time is over. One thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct program;

#define PROGRAM_POLLS 3 // descriptors that it waits for, at most

// Starts it. 'body' must outlive it. Returns 0 or a negative errno.
int program_start(char *const *argv, const char *body, struct program **ret);
void program_free(struct program *); // kills what still runs
DEFINE_CLEANUP(struct program *, program_free)

// What to wait for. Returns how many.
int program_polls(const struct program *, struct pollfd ret[static PROGRAM_POLLS]);

// Feeds it and reads from it without waiting. Returns true when it has ended: 'ret_ok' tells whether with status 0, 'text'
// gets the status and the first of what it printed.
bool program_advance(struct program *, bool *ret_ok, char *text, size_t size);

// Its time is over: kills it and all that it started.
void program_kill(struct program *);
