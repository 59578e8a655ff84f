// Files in memory. Their etag is a hash of what is in them, so a browser keeps what has not changed.
// SPDX-License-Identifier: MIT
#include "pages.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct pages {
	struct page *list;
	size_t n, size;
};

static const struct {
	const char *ending, *type;
} types[] = {
        {".html", "text/html; charset=utf-8"},     {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"}, {".svg", "image/svg+xml"},
        {".txt", "text/plain; charset=utf-8"},     {".json", "application/json"},
};

static const char *type_of(const char *name) {
	const char *ending = strrchr(name, '.');

	for (size_t i = 0; ending != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
		if (strcmp(ending, types[i].ending) == 0)
			return types[i].type;
	}
	return NULL;
}

static int read_body(const char *file, size_t size, char **ret, struct status *status) {
	FILE *stream = fopen(file, "re");
	char *body = stream != NULL ? malloc(size + 1) : NULL;
	int rc = 0;

	if (stream == NULL)
		return status_set(status, STATUS_UNAVAILABLE, "%s: %s", file, strerror(errno));
	if (body == NULL)
		rc = -ENOMEM;
	else if (fread(body, 1, size, stream) != size)
		rc = status_set(status, STATUS_UNAVAILABLE, "%s: it changed while it was read", file);
	fclose(stream);
	if (rc < 0)
		free(body);
	else
		*ret = body;
	return rc;
}

static void make_etag(struct page *page) {
	uint64_t hash = UINT64_C(14695981039346656037); // FNV-1a

	assert(page->body != NULL);
	for (size_t i = 0; i < page->size; i++)
		hash = (hash ^ (unsigned char)page->body[i]) * UINT64_C(1099511628211);
	snprintf(page->etag, sizeof(page->etag), "\"%016" PRIx64 "\"", hash);
}

static int add_file(struct pages *pages, const char *file, const char *path, size_t size,
                    struct status *status) {
	struct page *moved = reallocarray(pages->list, pages->n + 1, sizeof(*moved)), *page;
	int rc;

	if (moved == NULL)
		return -ENOMEM;
	pages->list = moved;
	page = &pages->list[pages->n];
	*page = (struct page){.type = type_of(path), .size = size};
	if (pages->size + size > PAGES_SIZE)
		return status_set(status, STATUS_RESOURCE_EXHAUSTED, "the page's files are over %d bytes",
		                  PAGES_SIZE);
	if ((rc = read_body(file, size, &page->body, status)) < 0)
		return rc;
	page->path = strdup(strcmp(path, "/index.html") == 0 ? "/" : path);
	if (page->path == NULL) {
		free(page->body);
		return -ENOMEM;
	}
	make_etag(page);
	pages->size += size;
	pages->n++;
	return 0;
}

static int read_folder(struct pages *pages, const char *folder, const char *path, int depth,
                       struct status *status);

static int add_entry(struct pages *pages, const char *folder, const char *path, const char *name, int depth,
                     struct status *status) {
	char file[PATH_MAX], inner[PATH_MAX];
	struct stat info;

	if (snprintf(file, sizeof(file), "%s/%s", folder, name) >= (int)sizeof(file) ||
	    snprintf(inner, sizeof(inner), "%s/%s", path, name) >= (int)sizeof(inner) ||
	    stat(file, &info) < 0)
		return 0;
	if (S_ISDIR(info.st_mode) && depth > 0)
		return read_folder(pages, file, inner, depth - 1, status);
	if (S_ISREG(info.st_mode) && type_of(name) != NULL)
		return add_file(pages, file, inner, (size_t)info.st_size, status);
	return 0;
}

static int read_folder(struct pages *pages, const char *folder, const char *path, int depth,
                       struct status *status) {
	DIR *directory = opendir(folder);
	struct dirent *entry;
	int rc = 0;

	if (directory == NULL)
		return status_set(status, STATUS_UNAVAILABLE, "page '%s': %s", folder, strerror(errno));
	while (rc == 0 && (entry = readdir(directory)) != NULL) {
		if (entry->d_name[0] != '.')
			rc = add_entry(pages, folder, path, entry->d_name, depth, status);
	}
	closedir(directory);
	return rc;
}

int pages_read(const char *folder, struct pages **ret, struct status *status) {
	CLEANUP(pages_freep) struct pages *pages = calloc(1, sizeof(*pages));
	int rc;

	if (pages == NULL)
		return -ENOMEM;
	if ((rc = read_folder(pages, folder, "", 1, status)) < 0)
		return rc;
	if (pages_find(pages, "/") == NULL)
		return status_set(status, STATUS_NOT_FOUND, "page '%s': there is no index.html in it",
		                  folder);
	*ret = pages;
	pages = NULL;
	return 0;
}

void pages_free(struct pages *pages) {
	if (pages == NULL)
		return;
	for (size_t i = 0; i < pages->n; i++) {
		free(pages->list[i].path);
		free(pages->list[i].body);
	}
	free(pages->list);
	free(pages);
}

const struct page *pages_find(const struct pages *pages, const char *path) {
	for (size_t i = 0; i < pages->n; i++) {
		if (strcmp(pages->list[i].path, path) == 0)
			return &pages->list[i];
	}
	return NULL;
}
