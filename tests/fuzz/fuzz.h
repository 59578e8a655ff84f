// fuzz.h: what a fuzz target is (libFuzzer's entry point), and how it says that something is wrong.
// SPDX-License-Identifier: MIT
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

// Returns 0; a defect aborts.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Not assert(): a target must find defects in release builds too.
#define FUZZ_CHECK(CONDITION)                                                                                \
	do {                                                                                                 \
		if (!(CONDITION)) {                                                                          \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #CONDITION);        \
			abort();                                                                             \
		}                                                                                            \
	} while (0)
