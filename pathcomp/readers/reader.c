// Which format a topology file has, and what all formats share.
// SPDX-License-Identifier: MIT
#include "reader.h"

#include "topology.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define FILE_SIZE_MAX ((size_t)1 << 30)

static const struct {
	const char *name;
	double gbps;
} units[] = {
        {"bps", 1e-9}, {"kbps", 1e-6}, {"Mbps", 1e-3}, {"Gbps", 1}, {"Tbps", 1e3},
};

int reader_unit_scale(const char *unit, double *ret) {
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(unit, units[i].name) == 0) {
			*ret = units[i].gbps;
			return 0;
		}
	}
	return -EINVAL;
}

static int file_failure(struct status *status, const char *path, int error) {
	return status_set(status, error == ENOENT ? STATUS_NOT_FOUND : STATUS_FAILED_PRECONDITION, "%s: %s",
	                  path, strerror(error));
}

static int read_all(FILE *file, char **text, size_t *size) {
	size_t capacity = 0, n;
	char *moved;

	do {
		if (*size == capacity) {
			capacity = capacity > 0 ? 2 * capacity : 65536;
			if (capacity > FILE_SIZE_MAX)
				return -EFBIG;
			moved = realloc(*text, capacity);
			if (moved == NULL)
				return -ENOMEM;
			*text = moved;
		}
		n = fread(*text + *size, 1, capacity - *size, file);
		*size += n;
	} while (n > 0);
	return ferror(file) ? -errno : 0;
}

typedef int (*parse_fn)(const char *path, const char *text, size_t size, const struct reader_options *,
                        struct topology *ret, struct document **ret_document, struct status *);

static int read_text(const char *path, parse_fn parse, const struct reader_options *options,
                     struct topology *ret, struct document **ret_document, struct status *status) {
	CLEANUP(freep) char *text = NULL;
	size_t size = 0;
	FILE *file;
	int rc;

	file = fopen(path, "re");
	if (file == NULL)
		return file_failure(status, path, errno);
	rc = read_all(file, &text, &size);
	fclose(file);
	if (rc == -ENOMEM)
		return rc;
	if (rc < 0)
		return file_failure(status, path, -rc);
	return parse(path, text, size, options, ret, ret_document, status);
}

static int read_json(const char *path, const struct reader_options *options, struct topology *ret,
                     struct document **ret_document, struct status *status) {
	return read_text(path, reader_parse_json, options, ret, ret_document, status);
}

static int read_graphml(const char *path, const struct reader_options *options, struct topology *ret,
                        struct document **ret_document, struct status *status) {
	return read_text(path, reader_parse_graphml, options, ret, ret_document, status);
}

static int read_sndlib(const char *path, const struct reader_options *options, struct topology *ret,
                       struct document **ret_document, struct status *status) {
	return read_text(path, reader_parse_sndlib, options, ret, ret_document, status);
}

// "x.links.csv" gives "x.nodes.csv" and the other way round.
static int read_csv_pair(const char *path, const struct reader_options *options, struct topology *ret,
                         struct document **ret_document, struct status *status) {
	static const size_t tail = sizeof("links.csv") - 1;
	char nodes[PATH_MAX], links[PATH_MAX];
	size_t length = strlen(path);

	if (length >= sizeof(nodes))
		return file_failure(status, path, ENAMETOOLONG);
	snprintf(nodes, sizeof(nodes), "%.*snodes.csv", (int)(length - tail), path);
	snprintf(links, sizeof(links), "%.*slinks.csv", (int)(length - tail), path);
	return reader_read_csv(nodes, links, options, ret, ret_document, status);
}

static int read_csv_folder(const char *path, const struct reader_options *options, struct topology *ret,
                           struct document **ret_document, struct status *status) {
	char links[PATH_MAX];

	if (snprintf(links, sizeof(links), "%s/links.csv", path) >= (int)sizeof(links))
		return file_failure(status, path, ENAMETOOLONG);
	return read_csv_pair(links, options, ret, ret_document, status);
}

static const struct format {
	const char *ending; // of the path, "/" for a folder, "" for anything else
	int (*read)(const char *path, const struct reader_options *, struct topology *ret,
	            struct document **ret_document, struct status *status);
} formats[] = {
        {"links.csv", read_csv_pair}, {"nodes.csv", read_csv_pair}, {"/", read_csv_folder},
        {".graphml", read_graphml},   {".txt", read_sndlib},        {"", read_json},
};

static bool has_format(const char *path, const char *ending) {
	size_t length = strlen(path), tail = strlen(ending);
	struct stat info;

	if (strcmp(ending, "/") == 0)
		return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
	return length >= tail && strcmp(path + length - tail, ending) == 0;
}

int reader_read(const char *path, const struct reader_options *options, struct topology *ret,
                struct document **ret_document, struct status *status) {
	const struct format *format = formats;

	while (!has_format(path, format->ending))
		format++;
	return format->read(path, options, ret, ret_document, status);
}
