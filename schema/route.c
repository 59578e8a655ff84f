// Written through a stream in memory, so that no length is a limit.
// SPDX-License-Identifier: MIT
#include "route.h"

#include <stdio.h>
#include <stdlib.h>

char *route_text(const struct link_direction *links, size_t n) {
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (file == NULL)
		return NULL;
	for (size_t i = 0; i < n; i++)
		fprintf(file, "%s%s%s", i > 0 ? ", " : "", links[i].direction == DIRECTION_REVERSE ? "~" : "",
		        links[i].link_id);
	if (fclose(file) == 0)
		return text;
	free(text);
	return NULL;
}
