// got.c at work in a program of its own, for each machine that it knows: an imported function is called
// and kept as a pointer; after the redirection both lead to ours, and the pages are protected as before.
// Exit status 0: so it was.
// SPDX-License-Identifier: MIT
#include "got.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int answer(void); // of answer.c: 1
int other_answer(void);

static int our_answer(void) {
	return 2;
}

// Functions of their own, as a compiler may read the table once in each.
static __attribute__((noipa)) int call(void) {
	return answer();
}

static __attribute__((noipa)) int call_by_pointer(void) {
	int (*volatile pointer)(void) = answer;

	return pointer();
}

static int redirect(struct dl_phdr_info *object, size_t size, void *context) {
	(void)size;
	if (object->dlpi_name != NULL && object->dlpi_name[0] != '\0')
		return 0;
	return got_redirect(object, context, 1);
}

// The permissions of every mapping of this program's file.
static void read_protection(char *ret, size_t size) {
	FILE *maps = fopen("/proc/self/maps", "re");
	size_t used = 0;
	char line[512];

	ret[0] = '\0';
	while (maps != NULL && fgets(line, sizeof(line), maps) != NULL) {
		if (strstr(line, "/redirected") != NULL && used + 64 < size)
			used += (size_t)snprintf(ret + used, size - used, "%.40s\n", line);
	}
	if (maps != NULL)
		fclose(maps);
}

static bool check(bool is_so, const char *what) {
	if (!is_so)
		printf("not so: %s\n", what);
	return is_so;
}

int main(void) {
	struct redirection redirection = {.symbol = "answer", .replacement = (void *)our_answer};
	static char before[8192], after[8192];
	bool ok = check(call() == 1 && other_answer() == 3, "the library answers at first");
	int n;

	read_protection(before, sizeof(before));
	n = dl_iterate_phdr(redirect, &redirection);
	read_protection(after, sizeof(after));
	ok &= check(n >= 1 && redirection.n_slots == (size_t)n, "a slot was redirected");
	ok &= check(call() == 2, "a call is redirected");
	ok &= check(call_by_pointer() == 2, "a pointer is redirected");
	ok &= check(other_answer() == 3, "other functions stay");
	ok &= check(before[0] != '\0' && strcmp(before, after) == 0, "the protection is as it was");
	return ok ? 0 : 1;
}
