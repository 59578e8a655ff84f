// MessagePack out: the walk of writer.c over a message's fields, into msgpack-c's packer.
// SPDX-License-Identifier: MIT
#include "codec.h"

#include "document.h"

#include "writer.h"

#include <errno.h>
#include <msgpack.h>
#include <string.h>

struct packer {
	struct writer writer;
	msgpack_packer packer;
	bool failed;
	const struct message *encoded_element; // lists of it are these, already encoded
	const struct bytes *encoded;
	size_t n_encoded;
};

// msgpack_sbuffer_write() fails only without memory: remember it, so that the walk needs no error paths.
static int packer_write(void *context, const char *data, size_t size) {
	return msgpack_sbuffer_write(context, data, size);
}

#define PACKER(WRITER) ((struct packer *)(void *)(WRITER))

static void pack_map(struct writer *writer, size_t n) {
	PACKER(writer)->failed |= msgpack_pack_map(&PACKER(writer)->packer, n) != 0;
}

static void pack_array(struct writer *writer, size_t n) {
	PACKER(writer)->failed |= msgpack_pack_array(&PACKER(writer)->packer, n) != 0;
}

static void pack_end(struct writer *writer) {
	(void)writer; // MessagePack counts, it doesn't close
}

static void pack_text(struct writer *writer, const char *text) {
	size_t size = strlen(text);

	PACKER(writer)->failed |= msgpack_pack_str(&PACKER(writer)->packer, size) != 0 ||
	                          msgpack_pack_str_body(&PACKER(writer)->packer, text, size) != 0;
}

static void pack_flag(struct writer *writer, bool flag) {
	PACKER(writer)->failed |= (flag ? msgpack_pack_true(&PACKER(writer)->packer)
	                                : msgpack_pack_false(&PACKER(writer)->packer)) != 0;
}

static void pack_signed(struct writer *writer, int64_t value) {
	PACKER(writer)->failed |= msgpack_pack_int64(&PACKER(writer)->packer, value) != 0;
}

static void pack_unsigned(struct writer *writer, uint64_t value) {
	PACKER(writer)->failed |= msgpack_pack_uint64(&PACKER(writer)->packer, value) != 0;
}

static void pack_real(struct writer *writer, double value) {
	PACKER(writer)->failed |= msgpack_pack_double(&PACKER(writer)->packer, value) != 0;
}

static bool pack_encoded(struct writer *writer, const struct field *field) {
	struct packer *packer = PACKER(writer);

	if (packer->encoded_element == NULL || field->element != packer->encoded_element)
		return false;
	pack_array(writer, packer->n_encoded);
	for (size_t i = 0; i < packer->n_encoded; i++)
		packer->failed |=
		        msgpack_sbuffer_write(packer->packer.data, (const char *)packer->encoded[i].data,
		                              packer->encoded[i].size) != 0;
	return true;
}

static int encode_parts_around(const struct part *parts, size_t n_parts, const struct message *element,
                               const struct bytes *encoded, size_t n_encoded, struct bytes *ret) {
	msgpack_sbuffer buffer;
	struct packer packer = {
	        .writer = {pack_map, pack_array, pack_end, pack_text, pack_text, pack_flag, pack_signed,
	                   pack_signed, pack_unsigned, pack_real, pack_encoded},
	        .encoded_element = element,
	        .encoded = encoded,
	        .n_encoded = n_encoded,
	};

	msgpack_sbuffer_init(&buffer);
	msgpack_packer_init(&packer.packer, &buffer, packer_write);
	write_parts(&packer.writer, parts, n_parts);
	if (packer.failed) {
		msgpack_sbuffer_destroy(&buffer);
		return -ENOMEM;
	}
	*ret = (struct bytes){(uint8_t *)buffer.data, buffer.size};
	return 0;
}

static int encode_parts(const struct part *parts, size_t n_parts, struct bytes *ret) {
	return encode_parts_around(parts, n_parts, NULL, NULL, 0, ret);
}

int message_encode(const struct message *message, const void *body, struct bytes *ret) {
	return encode_parts(&(struct part){message, body}, 1, ret);
}

int request_encode(enum op op, const char *id, const void *body, struct bytes *ret) {
	struct request_head head = {.op = requests[op].name, .id = id};

	return encode_parts((struct part[]){{&request_head_message, &head}, {requests[op].request, body}}, 2,
	                    ret);
}

int reply_encode(const struct message *reply, const char *id, const void *body, struct bytes *ret) {
	struct reply_head head = {.ok = true, .id = message_reply_id(reply, id)};

	return encode_parts((struct part[]){{&reply_head_message, &head}, {reply, body}}, 2, ret);
}

int reply_encode_error(const struct status *status, const char *id, struct bytes *ret) {
	struct failure failure = failure_of(status);
	struct reply_head head = {.ok = false, .id = id, .error = &failure};

	return encode_parts(&(struct part){&reply_head_message, &head}, 1, ret);
}

int path_request_encode(enum path_op op, const char *id, const struct path_query *query,
                        const struct service_terms *terms, struct bytes *ret) {
	struct request_head head = {.op = path_requests[op].name, .id = id};
	struct part parts[3] = {{&request_head_message, &head}};
	struct path_query own;
	size_t n = 1;

	if (query != NULL) {
		own = *query;
		own.id = NULL;
		parts[n++] = (struct part){&path_query_message, &own};
	}
	if (terms != NULL)
		parts[n++] = (struct part){&service_terms_message, terms};
	return encode_parts(parts, n, ret);
}

int publisher_request_encode(enum publisher_op op, const void *body, struct bytes *ret) {
	const struct publisher_request_info *info = &publisher_requests[op];
	struct request_head head = {.op = info->name};

	return encode_parts((struct part[]){{&request_head_message, &head}, {info->request, body}}, 2, ret);
}

int publisher_answer_encode(enum publisher_op op, const void *body, struct bytes *ret) {
	const struct publisher_request_info *info = &publisher_requests[op];
	struct request_head head = {.op = info->answer_name};

	return encode_parts((struct part[]){{&request_head_message, &head}, {info->answer, body}}, 2, ret);
}

int replay_rows_encode(const struct replay_rows *rows, const struct bytes *samples, size_t n_samples,
                       struct bytes *ret) {
	struct request_head head = {.op = publisher_requests[PUBLISHER_OP_REPLAY].answer_name};

	return encode_parts_around(
	        (struct part[]){{&request_head_message, &head}, {&replay_rows_message, rows}}, 2,
	        &sample_message, samples, n_samples, ret);
}
