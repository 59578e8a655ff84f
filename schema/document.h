// document.h: what document.c, codec.c and json.c share: a parsed map whose memory is one msgpack zone.
// SPDX-License-Identifier: MIT
#pragma once

#include "codec.h"

#include <msgpack.h>

struct document {
	msgpack_zone zone;
	msgpack_object root; // a map
	bool from_json;      // 64-bit integers may be decimal strings
};

int document_new(struct document **ret);

// What is wrong with a text, or with an id, of 'size' bytes; NULL when nothing is.
const char *text_fault(const char *text, size_t size, bool is_id);

// One map, as document_read() does, or with every defect told; texts are copied into the document. 'where' goes before each
// defect ("links[3]."); 'body' gets what is good of a map with defects, without its lists.
int object_read(struct document *, const msgpack_object *map, const struct message *, void *body,
                struct status *);
int object_check(struct document *, const msgpack_object *map, const struct message *, const char *where,
                 document_defect_fn, void *context, void *body);

// A number in any encoding that holds one. Returns 0, -ERANGE when it isn't finite, or -EINVAL.
int object_to_real(const msgpack_object *, double *ret);

// A failure as it goes into a reply; it points into the status.
static inline struct failure failure_of(const struct status *status) {
	struct failure failure = {.code = status_name(status->code), .message = status->message};

	if (status->link_id[0] == '\0')
		return failure;
	failure.link_id = status->link_id;
	SET(&failure, failure, direction, status->direction);
	return failure;
}
