// Any body of a request to the dashboard's /api/v1: the first line names the operation, the rest is what a browser
// sent. Refused with a reason, or a frame that analyticsd or pathcomp serve would read.
// SPDX-License-Identifier: MIT
#include "api.h"
#include "codec.h"

#include "fuzz.h"

#include <errno.h>
#include <string.h>

static void check_frame(const struct route *route, const struct bytes *frame) {
	CLEANUP(document_closep) struct document *document = NULL;
	CLEANUP(freep) void *body = calloc(1, route->request->size + 1);
	struct status status = {0};

	FUZZ_CHECK(body != NULL && frame->size <= LIMIT_FRAME_SIZE);
	FUZZ_CHECK(document_from_msgpack(frame->data, frame->size, &document, &status) == 0);
	FUZZ_CHECK(document_read(document, route->request, body, &status) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	CLEANUP(freep) char *id = NULL;
	const char *text = (const char *)data, *end = memchr(text, '\n', size);
	const struct route *route;
	struct status status = {0};
	char name[64];
	size_t head;
	int rc;

	if (end == NULL || (head = (size_t)(end - text)) >= sizeof(name))
		return 0;
	memcpy(name, text, head);
	name[head] = '\0';
	route = route_find(name);
	if (route == NULL)
		return 0;
	rc = api_encode(route, end + 1, size - head - 1, &frame, &id, &status);
	if (rc < 0)
		FUZZ_CHECK(rc != -ENOMEM && status.message[0] != '\0');
	else
		check_frame(route, &frame);
	return 0;
}
