// For every message: decoding undoes encoding, in MessagePack and in JSON; no beginning of a message is
// taken for one; bytes that were damaged are refused or read, never worse. Bodies are made at random by
// walking the same tables as the code that is tested.
// SPDX-License-Identifier: MIT
#include "codec.h"

#include <criterion/criterion.h>
#include <criterion/theories.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 40 // bodies of each message

// ---- chance (xorshift64*) and memory of one body

struct random {
	uint64_t state;
	void *blocks[4096];
	size_t n_blocks;
};

static uint64_t draw(struct random *random) {
	random->state ^= random->state >> 12;
	random->state ^= random->state << 25;
	random->state ^= random->state >> 27;
	return random->state * UINT64_C(0x2545F4914F6CDD1D);
}

static uint64_t draw_below(struct random *random, uint64_t n) {
	return draw(random) % n;
}

// Small, large, and at the edges alike: a uniform uint64 is nearly never small.
static uint64_t draw_wide(struct random *random) {
	uint64_t value = draw(random) >> draw_below(random, 64);

	return draw_below(random, 8) == 0 ? UINT64_MAX : value;
}

static void *allocate(struct random *random, size_t size) {
	void *block = calloc(1, size + 1);

	cr_assert(block != NULL && random->n_blocks < sizeof(random->blocks) / sizeof(random->blocks[0]));
	random->blocks[random->n_blocks++] = block;
	return block;
}

static void random_fini(struct random *random) {
	while (random->n_blocks > 0)
		free(random->blocks[--random->n_blocks]);
}

// ---- random values

static const char *draw_text(struct random *random, bool is_id) {
	static const char *const pieces[] = {"a",  "Z", "0", "/", " ", "\"", "\\", "é",
	                                     "七", "😀", "-", ".", "<", "\n", "\t", "\x1b"};
	const size_t n_plain = 13; // the rest is for texts only
	size_t n = draw_below(random, 12) + is_id;
	char *text = allocate(random, n * 4);

	for (size_t i = 0; i < n; i++)
		strcat(text, pieces[draw_below(random, is_id ? n_plain : sizeof(pieces) / sizeof(*pieces))]);
	return text;
}

static double draw_real(struct random *random, double min, double max) {
	double value;

	if (isfinite(min) && isfinite(max)) {
		value = min + (max - min) * ((double)draw_below(random, 1000001) / 1e6);
		return fmin(fmax(value, min), max);
	}
	value = ldexp((double)(draw(random) >> 11), (int)draw_below(random, 1800) - 950);
	if (draw_below(random, 6) == 0)
		value = 0;
	if (isinf(min) && draw_below(random, 2) == 0)
		return -value;
	return value < min ? min : value;
}

static int64_t draw_signed(struct random *random, double min, double max) {
	uint64_t value = draw_wide(random), span;

	if (max >= 0x1p62) { // no span that a uint64 holds
		int64_t half = (int64_t)(value >> 1);

		return (double)half < min ? (int64_t)min : half;
	}
	span = (uint64_t)(max - min) + 1;
	return (int64_t)min + (int64_t)(value % span);
}

static void draw_body(struct random *random, const struct message *message, void *body, int depth);

static size_t names_of(const struct message *message, const void *body) {
	size_t n = 0;

	for (size_t i = 0; i < message->n_fields; i++) {
		if (strcmp(message->fields[i].name, "names") == 0)
			memcpy(&n, (const char *)body + message->fields[i].count_offset, sizeof(n));
	}
	return n;
}

static void *draw_elements(struct random *random, const struct message *message, const struct field *field,
                           const void *body, size_t n, int depth) {
	char *elements;
	size_t width;

	switch (field->kind) {
	case FIELD_LIST:
		elements = allocate(random, n * field->element->size);
		for (size_t i = 0; i < n; i++)
			draw_body(random, field->element, elements + i * field->element->size, depth + 1);
		return elements;
	case FIELD_TEXTS:
		elements = allocate(random, n * sizeof(char *));
		for (size_t i = 0; i < n; i++)
			((const char **)(void *)elements)[i] = draw_text(random, true);
		return elements;
	case FIELD_FLAGS:
		elements = allocate(random, n * sizeof(bool));
		for (size_t i = 0; i < n; i++)
			((bool *)elements)[i] = draw_below(random, 2);
		return elements;
	case FIELD_ROWS:
		width = field->lead + names_of(message, body);
		elements = allocate(random, n * width * sizeof(uint64_t));
		for (size_t i = 0; i < n * width; i++) // the last of the lead is a time, so an int64
			((uint64_t *)(void *)elements)[i] =
			        draw_wide(random) >> (i % width == field->lead - 1);
		return elements;
	default:
		cr_assert_eq(field->kind, FIELD_POINTS);
		width = sizeof(int64_t) + field->n_values * sizeof(double);
		elements = allocate(random, n * width);
		for (size_t i = 0; i < n; i++) {
			int64_t ts_ns = (int64_t)draw_wide(random);

			memcpy(elements + i * width, &ts_ns, sizeof(ts_ns));
			for (size_t v = 0; v < field->n_values; v++) {
				double value = draw_real(random, 0, INFINITY);

				memcpy(elements + i * width + sizeof(ts_ns) + v * sizeof(value), &value,
				       sizeof(value));
			}
		}
		return elements;
	}
}

static void draw_field(struct random *random, const struct message *message, size_t index, void *body,
                       int depth) {
	const struct field *field = &message->fields[index];
	void *value = (char *)body + field->offset, *pointer;
	size_t n;

	switch (field->kind) {
	case FIELD_ID:
	case FIELD_TEXT:
		*(const char **)value = draw_text(random, field->kind == FIELD_ID);
		break;
	case FIELD_FLAG:
		*(bool *)value = draw_below(random, 2);
		break;
	case FIELD_NUMBER:
		*(int64_t *)value = draw_signed(random, field->min, field->max);
		break;
	case FIELD_TIME:
		*(int64_t *)value = (int64_t)draw_wide(random);
		break;
	case FIELD_COUNT:
		*(uint64_t *)value = draw_wide(random);
		break;
	case FIELD_REAL:
		*(double *)value = draw_real(random, field->min, field->max);
		break;
	case FIELD_CHOICE:
		*(int *)value = (int)draw_below(random, (uint64_t)field->choices->n_words);
		break;
	case FIELD_ONE:
		pointer = allocate(random, field->element->size);
		draw_body(random, field->element, pointer, depth + 1);
		memcpy(value, &pointer, sizeof(pointer));
		break;
	default:
		n = draw_below(random, depth > 0 ? 3 : 5);
		n = n > field->max_count ? field->max_count : n;
		pointer = draw_elements(random, message, field, body, n, depth);
		memcpy(value, &pointer, sizeof(pointer));
		memcpy((char *)body + field->count_offset, &n, sizeof(n));
	}
	*(uint64_t *)body |= UINT64_C(1) << index;
}

static void draw_body(struct random *random, const struct message *message, void *body, int depth) {
	message_init(message, body);
	for (size_t i = 0; i < message->n_fields; i++) {
		if (message->fields[i].presence == FIELD_REQUIRED || draw_below(random, 2) == 0)
			draw_field(random, message, i, body, depth);
	}
}

// ---- comparing

// JSON shows DBL_DIG digits.
static bool same_real(double read, double written, bool from_json) {
	char text[64];

	if (!from_json)
		return read == written;
	snprintf(text, sizeof(text), "%.*g", DBL_DIG, written);
	return read == strtod(text, NULL);
}

static bool same_body(const struct message *message, const void *read, const void *written, bool from_json);

static bool same_elements(const struct message *message, const struct field *field, const void *written_body,
                          const char *read, const char *written, size_t n, bool from_json) {
	size_t width = sizeof(int64_t) + field->n_values * sizeof(double);

	switch (field->kind) {
	case FIELD_LIST:
		for (size_t i = 0; i < n; i++) {
			if (!same_body(field->element, read + i * field->element->size,
			               written + i * field->element->size, from_json))
				return false;
		}
		return true;
	case FIELD_TEXTS:
		for (size_t i = 0; i < n; i++) {
			if (strcmp(((const char *const *)(const void *)read)[i],
			           ((const char *const *)(const void *)written)[i]) != 0)
				return false;
		}
		return true;
	case FIELD_FLAGS:
		return memcmp(read, written, n * sizeof(bool)) == 0;
	case FIELD_ROWS:
		width = field->lead + names_of(message, written_body);
		return memcmp(read, written, n * width * sizeof(uint64_t)) == 0;
	default:
		for (size_t at = 0; at < n * width; at += sizeof(double)) {
			double a, b;

			memcpy(&a, read + at, sizeof(a));
			memcpy(&b, written + at, sizeof(b));
			if (at % width == 0 ? memcmp(&a, &b, sizeof(a)) != 0 : !same_real(a, b, from_json))
				return false;
		}
		return true;
	}
}

static bool same_field(const struct message *message, const struct field *field, const void *read_body,
                       const void *written_body, bool from_json) {
	const char *read = (const char *)read_body + field->offset;
	const char *written = (const char *)written_body + field->offset;
	const char *read_pointer, *written_pointer;
	size_t n_read, n_written;

	switch (field->kind) {
	case FIELD_FLAG:
		return *(const bool *)read == *(const bool *)written;
	case FIELD_NUMBER:
	case FIELD_TIME:
	case FIELD_COUNT:
		return memcmp(read, written, sizeof(uint64_t)) == 0;
	case FIELD_REAL:
		return same_real(*(const double *)(const void *)read, *(const double *)(const void *)written,
		                 from_json);
	case FIELD_CHOICE:
		return memcmp(read, written, sizeof(int)) == 0;
	default:
		break;
	}
	memcpy(&read_pointer, read, sizeof(read_pointer));
	memcpy(&written_pointer, written, sizeof(written_pointer));
	if (field->kind == FIELD_ID || field->kind == FIELD_TEXT)
		return strcmp(read_pointer, written_pointer) == 0;
	if (field->kind == FIELD_ONE)
		return same_body(field->element, read_pointer, written_pointer, from_json);
	memcpy(&n_read, (const char *)read_body + field->count_offset, sizeof(n_read));
	memcpy(&n_written, (const char *)written_body + field->count_offset, sizeof(n_written));
	return n_read == n_written &&
	       same_elements(message, field, written_body, read_pointer, written_pointer, n_read, from_json);
}

static bool same_body(const struct message *message, const void *read, const void *written, bool from_json) {
	uint64_t has_read, has_written;

	memcpy(&has_read, read, sizeof(has_read));
	memcpy(&has_written, written, sizeof(has_written));
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct field *field = &message->fields[i];
		bool given = (has_written >> i) & 1;

		if (field->presence == FIELD_OPTIONAL && ((has_read >> i) & 1) != given)
			return false;
		if ((given || field->presence == FIELD_DEFAULT) &&
		    !same_field(message, field, read, written, from_json))
			return false;
	}
	return true;
}

// ---- properties

typedef void (*property_fn)(struct random *, const struct message *, const void *written);

static void for_every_message(property_fn property) {
	for (size_t i = 0; i < n_messages; i++) {
		for (uint64_t round = 0; round < ROUNDS; round++) {
			struct random random = {.state = (i + 1) * UINT64_C(0x9E3779B97F4A7C15) + round};
			void *body = allocate(&random, messages[i]->size);

			draw_body(&random, messages[i], body, 0);
			property(&random, messages[i], body);
			random_fini(&random);
		}
	}
}

static void check_document(struct document *document, const struct message *message, const void *written,
                           bool from_json) {
	void *body = malloc(message->size);
	struct status status = {0};

	cr_assert_eq(document_read(document, message, body, &status), 0, "%s: %s", message->name,
	             status.message);
	cr_assert(same_body(message, body, written, from_json), "%s: read something else", message->name);
	free(body);
	document_close(document);
}

static void msgpack_round_trip(struct random *random, const struct message *message, const void *written) {
	struct document *document = NULL;
	struct status status = {0};
	struct bytes bytes = {0};

	(void)random;
	cr_assert_eq(message_encode(message, written, &bytes), 0);
	cr_assert_eq(document_from_msgpack(bytes.data, bytes.size, &document, &status), 0, "%s: %s",
	             message->name, status.message);
	check_document(document, message, written, false);
	bytes_fini(&bytes);
}

Test(schema_properties, msgpack_decode_undoes_encode_for_every_message) {
	for_every_message(msgpack_round_trip);
}

static void json_round_trip(struct random *random, const struct message *message, const void *written) {
	struct document *document = NULL;
	struct status status = {0};
	char *text = NULL;

	cr_assert_eq(message_to_json(message, written, draw_below(random, 2), &text), 0);
	cr_assert_eq(document_from_json(text, strlen(text), &document, &status), 0, "%s: %s\n%s",
	             message->name, status.message, text);
	check_document(document, message, written, true);
	free(text);
}

Test(schema_properties, json_decode_undoes_encode_for_every_message) {
	for_every_message(json_round_trip);
}

static void every_cut_is_refused(struct random *random, const struct message *message, const void *written) {
	struct document *document = NULL;
	struct bytes bytes = {0};

	(void)random;
	cr_assert_eq(message_encode(message, written, &bytes), 0);
	for (size_t size = 0; size < bytes.size; size += 1 + size / 64)
		cr_assert_eq(document_from_msgpack(bytes.data, size, &document, NULL), -EINVAL,
		             "%s: %zu of %zu bytes were taken", message->name, size, bytes.size);
	bytes_fini(&bytes);
}

Test(schema_properties, no_beginning_of_a_message_is_a_message) {
	for_every_message(every_cut_is_refused);
}

static void damage_is_survived(struct random *random, const struct message *message, const void *written) {
	void *body = malloc(message->size);
	struct bytes bytes = {0};

	cr_assert_eq(message_encode(message, written, &bytes), 0);
	for (int i = 0; i < 20; i++) {
		struct document *document = NULL;
		struct status status = {0};
		size_t at = draw_below(random, bytes.size);
		uint8_t was = bytes.data[at];
		int rc;

		bytes.data[at] = (uint8_t)draw(random);
		rc = document_from_msgpack(bytes.data, bytes.size, &document, &status);
		if (rc == 0)
			rc = document_read(document, message, body, &status);
		cr_assert(rc == 0 || (rc == -EINVAL && status.message[0] != '\0'), "%s: %d", message->name,
		          rc);
		document_close(document);
		bytes.data[at] = was;
	}
	bytes_fini(&bytes);
	free(body);
}

Test(schema_properties, a_damaged_message_is_refused_with_a_reason_or_read) {
	for_every_message(damage_is_survived);
}

TheoryDataPoints(schema_properties, a_count_keeps_all_64_bits) = {
        DataPoints(uint64_t, 0, 1, 127, 128, 255, 256, 65535, 65536, UINT32_MAX, UINT64_C(1) << 32,
                   (UINT64_C(1) << 53) + 1, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX),
        DataPoints(bool, false, true),
};

Theory((uint64_t count, bool json), schema_properties, a_count_keeps_all_64_bits) {
	struct hello written = {.v = 1, .host = "h", .instance = count, .interval_ns = ~count};

	if (json)
		json_round_trip(&(struct random){.state = count + 1}, &hello_message, &written);
	else
		msgpack_round_trip(NULL, &hello_message, &written);
}
