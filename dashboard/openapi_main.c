// Prints openapi.json. Run at build time.
// SPDX-License-Identifier: MIT
#include "openapi.h"

#include "cleanup.h"

#include <stdio.h>

int main(void) {
	CLEANUP(freep) char *text = NULL;
	size_t size;

	if (openapi_text(&text, &size) < 0)
		return 1;
	return fwrite(text, 1, size, stdout) != size || fflush(stdout) != 0;
}
