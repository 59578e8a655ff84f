// Runs a fuzz target over the files of folders, so that a corpus (and what once crashed) replays as an
// ordinary test without libFuzzer: replay FOLDER...
// SPDX-License-Identifier: MIT
#include "fuzz.h"

#include "cleanup.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

static int read_file(const char *path, uint8_t **ret, size_t *ret_size) {
	FILE *file = fopen(path, "re");
	uint8_t *data = NULL;
	long size;

	if (file == NULL)
		return -errno;
	if (fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0 ||
	    (data = malloc((size_t)size + 1)) == NULL || fread(data, 1, (size_t)size, file) != (size_t)size) {
		free(data);
		fclose(file);
		return -EIO;
	}
	fclose(file);
	*ret = data;
	*ret_size = (size_t)size;
	return 0;
}

static int replay_file(const char *path) {
	uint8_t *data = NULL, *exact;
	size_t size = 0;
	int rc;

	if ((rc = read_file(path, &data, &size)) < 0)
		return rc;
	exact = malloc(size > 0 ? size : 1); // of its own size: reading past the end shows under ASan
	if (exact != NULL) {
		if (size > 0)
			memcpy(exact, data, size);
		fprintf(stderr, "%s\n", path); // a crash is about the last one named
		LLVMFuzzerTestOneInput(exact, size);
	}
	free(exact);
	free(data);
	return exact == NULL ? -ENOMEM : 0;
}

static int not_hidden(const struct dirent *entry) {
	return entry->d_name[0] != '.';
}

static int replay_folder(const char *folder) {
	struct dirent **entries;
	int n = scandir(folder, &entries, not_hidden, alphasort), rc = 0;

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
		if (rc == 0)
			rc = replay_file(path);
		if (rc < 0)
			fprintf(stderr, "%s: %s\n", path, strerror(-rc));
		free(entries[i]);
	}
	free(entries);
	return rc < 0 ? rc : n;
}

int main(int argc, char **argv) {
	int total = 0;

	for (int i = 1; i < argc; i++) {
		int n = replay_folder(argv[i]);

		if (n <= 0) {
			fprintf(stderr, "%s: %s\n", argv[i], n < 0 ? strerror(-n) : "an empty corpus");
			return 1;
		}
		total += n;
	}
	fprintf(stderr, "%d inputs\n", total);
	return total > 0 ? 0 : 2;
}
