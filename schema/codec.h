// codec.h: messages to and from MessagePack and JSON. Only codec.c and pack.c know msgpack-c, only json.c knows
// jansson.
//
// What a decoder accepts: one map with string keys, at most LIMIT_NESTING deep, whose counts all fit in the
// bytes that are there (checked before anything is allocated), nothing behind it. Unknown keys are ignored,
// a known key that is there twice is refused. Numbers come in any encoding that holds them. A violation is
// INVALID_ARGUMENT and names the field.
//
// Everything here may be used from any thread; one document from one thread at a time.
// SPDX-License-Identifier: MIT
#pragma once

#include "bytes.h"
#include "cleanup.h"
#include "message.h"
#include "status.h"

// A decoded map. Bodies read from it point into it: keep it as long as them.
struct document;

// Both copy what they need from the input. Return 0, -EINVAL with 'status', or -ENOMEM.
int document_from_msgpack(const void *data, size_t size, struct document **ret, struct status *status);
int document_from_json(const char *text, size_t size, struct document **ret, struct status *status);
void document_close(struct document *);
DEFINE_CLEANUP(struct document *, document_close)

// Reads the map's keys into 'body', a structure of 'message'; the rest of 'body' gets defaults. May be called
// more than once with different messages. Returns 0, -EINVAL with 'status', or -ENOMEM; 'body' is then
// unspecified.
int document_read(struct document *, const struct message *, void *body, struct status *status);

// Hears of a field that would be refused, by its place ("links[3].cost: ...").
typedef void (*document_defect_fn)(void *context, const char *text);

// Both at once from a text of any size: an element of an outermost list of the message is read and forgotten before the
// next, so that what remains is the body and not a tree of the text. With 'each', every field that would be refused is
// told and counted in 'ret_n_defects'; 'body' then has what is good: texts that are missing are NULL. 'ret' keeps the body's memory. Returns 0,
// -EINVAL with 'status', or -ENOMEM.
int document_read_json(const char *text, size_t size, const struct message *, void *body,
                       document_defect_fn each, void *context, size_t *ret_n_defects, struct document **ret,
                       struct status *status);

// The number under a key of the map, or the numbers of the list there; none when the key is missing. The caller
// frees 'ret'. Returns 0, -EINVAL with 'status' when there is something else, or -ENOMEM.
int document_numbers(const struct document *, const char *key, double **ret, size_t *ret_n,
                     struct status *status);

// 'size' bytes that live as long as the document (for lists that are built beside what was read), or NULL.
void *document_alloc(struct document *, size_t size);

// Closes 'other' with 'document', whose bodies may then point into both. On -ENOMEM 'other' is closed at once.
int document_adopt(struct document *document, struct document *other);

// One body as a MessagePack map. Return 0 or -ENOMEM; the caller frees 'ret' with bytes_fini().
int message_encode(const struct message *, const void *body, struct bytes *ret);

// {"op": ..., the body}; {"ok": true, the body}; {"ok": false, "error": {...}}. 'id' may be NULL.
int request_encode(enum op op, const char *id, const void *body, struct bytes *ret);
int reply_encode(const struct message *reply, const char *id, const void *body, struct bytes *ret);
int reply_encode_error(const struct status *status, const char *id, struct bytes *ret);

// A request to `pathcomp serve`: {"op": ..., the query, the terms}; NULL for what the operation has not. The query's own
// id is left to 'id'.
int path_request_encode(enum path_op op, const char *id, const struct path_query *query,
                        const struct service_terms *terms, struct bytes *ret);

// What goes between analyticsd and a publisher: {"op": "Replay", the body}, and {"op": "Rows", the body} back.
int publisher_request_encode(enum publisher_op op, const void *body, struct bytes *ret);
int publisher_answer_encode(enum publisher_op op, const void *body, struct bytes *ret);

// Rows with samples that are encoded already, as a publisher keeps them; rows->samples is not looked at.
int replay_rows_encode(const struct replay_rows *rows, const struct bytes *samples, size_t n_samples,
                       struct bytes *ret);

// One body as JSON, NUL-terminated, on one line or indented by two. The caller frees 'ret'. Returns 0 or
// -ENOMEM.
int message_to_json(const struct message *, const void *body, bool indent, char **ret);

// A published message as one line of JSON: {"topic": ..., the body}, or {"topic": ..., "error": ...} when
// 'error' is not NULL. Same result as message_to_json().
int event_to_json(const char *topic, const char *error, const struct message *, const void *body, char **ret);

// reply_encode() and reply_encode_error() as one JSON object, for programs that answer in JSON. Same result
// as message_to_json().
int reply_to_json(const struct message *reply, const char *id, const void *body, bool indent, char **ret);
int reply_error_to_json(const struct status *status, const char *id, char **ret);

// Is this a good id (not empty, at most LIMIT_ID_SIZE bytes, valid UTF-8, no control characters)?
bool id_is_valid(const char *id);
