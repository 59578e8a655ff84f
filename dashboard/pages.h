// pages.h: the files of the page, read once at the start. A request names one of them or gets nothing: no path from
// outside ever reaches the file system.
// SPDX-License-Identifier: MIT
#pragma once

#include "cleanup.h"
#include "status.h"

#include <stddef.h>

#define PAGES_SIZE (16 << 20) // of all files

struct page {
	char *path; // "/style.css"; "/" is index.html
	const char *type;
	char etag[20];
	char *body;
	size_t size;
};

struct pages;

// Reads the files of 'folder' and of the folders in it whose ending is known. Returns 0 or a negative errno with
// 'status'.
int pages_read(const char *folder, struct pages **ret, struct status *status);
void pages_free(struct pages *);
DEFINE_CLEANUP(struct pages *, pages_free)

// NULL when there is none.
const struct page *pages_find(const struct pages *, const char *path);
