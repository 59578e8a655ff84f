// got.h: where a loaded object jumps when it calls an imported function, and how to send it elsewhere.
// SPDX-License-Identifier: MIT
#pragma once

#include <link.h>
#include <stddef.h>

struct redirection {
	const char *symbol;
	void *replacement;
	size_t n_slots; // redirected so far
};

// Points the object's imports of the named functions to their replacements. Slots are written one at a time,
// each atomically, and each page gets the protection back that it had. Returns the number of slots written,
// or a negative errno when a page could not be made writable (what was written stays).
int got_redirect(const struct dl_phdr_info *object, struct redirection *redirections, size_t n);
