// print.h: answers for people.
// SPDX-License-Identifier: MIT
#pragma once

#include "answer.h"

#include <stdio.h>

// Returns 0 or -ENOMEM.
int print_answer(const struct answer *, FILE *file);

// An answer as indented JSON. Returns 0, -ENOMEM or -EIO.
int print_json(const struct path_answer *answer, FILE *file);
