// The one walk over a message's fields for output. What is absent is left out.
// SPDX-License-Identifier: MIT
#include "writer.h"

#include <string.h>

static size_t count_of(const struct field *field, const void *body) {
	size_t n;

	memcpy(&n, (const char *)body + field->count_offset, sizeof(n));
	return n;
}

static const void *pointer_at(const void *value) {
	const void *pointer;

	memcpy(&pointer, value, sizeof(pointer));
	return pointer;
}

// Texts and maps are there when they aren't NULL, lists always when they are required, scalars by their bit.
static bool is_present(const struct message *message, size_t index, const void *body) {
	const struct field *field = &message->fields[index];
	uint64_t has;

	memcpy(&has, body, sizeof(has)); // 'has' is the first member of every body
	switch (field->kind) {
	case FIELD_ID:
	case FIELD_TEXT:
	case FIELD_ONE:
		return pointer_at((const char *)body + field->offset) != NULL;
	case FIELD_LIST:
	case FIELD_TEXTS:
	case FIELD_ROWS:
	case FIELD_POINTS:
	case FIELD_FLAGS:
		return field->presence == FIELD_REQUIRED || count_of(field, body) > 0 || ((has >> index) & 1);
	case FIELD_FLAG:
	case FIELD_NUMBER:
	case FIELD_TIME:
	case FIELD_COUNT:
	case FIELD_REAL:
	case FIELD_CHOICE:
		break;
	}
	return field->presence != FIELD_OPTIONAL || ((has >> index) & 1);
}

// Rows are as wide as their lead plus the `names` of the same message.
static size_t row_width(const struct message *message, const struct field *rows, const void *body) {
	for (size_t i = 0; i < message->n_fields; i++) {
		if (message->fields[i].kind == FIELD_TEXTS && strcmp(message->fields[i].name, "names") == 0)
			return rows->lead + count_of(&message->fields[i], body);
	}
	return rows->lead;
}

static void write_rows(struct writer *writer, const struct message *message, const struct field *field,
                       const void *body) {
	const uint64_t *values = pointer_at((const char *)body + field->offset);
	size_t width = row_width(message, field, body), n = count_of(field, body);

	writer->array(writer, n);
	for (size_t row = 0; row < n; row++, values += width) {
		writer->array(writer, width);
		for (size_t i = 0; i < width; i++)
			writer->count(writer, values[i]);
		writer->end(writer);
	}
	writer->end(writer);
}

static void write_points(struct writer *writer, const struct field *field, const void *body) {
	const char *point = pointer_at((const char *)body + field->offset);
	size_t n = count_of(field, body);

	writer->array(writer, n);
	for (size_t i = 0; i < n; i++) {
		int64_t ts_ns;

		memcpy(&ts_ns, point, sizeof(ts_ns));
		point += sizeof(ts_ns);
		writer->array(writer, 1 + field->n_values);
		writer->time(writer, ts_ns);
		for (size_t v = 0; v < field->n_values; v++) {
			double value;

			memcpy(&value, point, sizeof(value));
			point += sizeof(value);
			writer->real(writer, value);
		}
		writer->end(writer);
	}
	writer->end(writer);
}

static void write_value(struct writer *writer, const struct message *message, const struct field *field,
                        const void *body) {
	const void *value = (const char *)body + field->offset;
	const char *elements;
	size_t n;

	switch (field->kind) {
	case FIELD_ID:
	case FIELD_TEXT:
		writer->text(writer, pointer_at(value));
		break;
	case FIELD_FLAG:
		writer->flag(writer, *(const bool *)value);
		break;
	case FIELD_NUMBER:
		writer->number(writer, *(const int64_t *)value);
		break;
	case FIELD_TIME:
		writer->time(writer, *(const int64_t *)value);
		break;
	case FIELD_COUNT:
		writer->count(writer, *(const uint64_t *)value);
		break;
	case FIELD_REAL:
		writer->real(writer, *(const double *)value);
		break;
	case FIELD_CHOICE:
		writer->text(writer, choice_word(field->choices, *(const int *)value));
		break;
	case FIELD_LIST:
		if (writer->list != NULL && writer->list(writer, field))
			break;
		elements = pointer_at(value);
		n = count_of(field, body);
		writer->array(writer, n);
		for (size_t i = 0; i < n; i++)
			write_parts(writer,
			            &(struct part){field->element, elements + i * field->element->size}, 1);
		writer->end(writer);
		break;
	case FIELD_ONE:
		write_parts(writer, &(struct part){field->element, pointer_at(value)}, 1);
		break;
	case FIELD_TEXTS:
		elements = pointer_at(value);
		n = count_of(field, body);
		writer->array(writer, n);
		for (size_t i = 0; i < n; i++)
			writer->text(writer, ((const char *const *)(const void *)elements)[i]);
		writer->end(writer);
		break;
	case FIELD_ROWS:
		write_rows(writer, message, field, body);
		break;
	case FIELD_POINTS:
		write_points(writer, field, body);
		break;
	case FIELD_FLAGS:
		elements = pointer_at(value);
		n = count_of(field, body);
		writer->array(writer, n);
		for (size_t i = 0; i < n; i++)
			writer->flag(writer, ((const bool *)elements)[i]);
		writer->end(writer);
		break;
	}
}

void write_parts(struct writer *writer, const struct part *parts, size_t n_parts) {
	size_t n = 0;

	for (size_t p = 0; p < n_parts; p++) {
		for (size_t i = 0; i < parts[p].message->n_fields; i++)
			n += is_present(parts[p].message, i, parts[p].body);
	}
	writer->map(writer, n);
	for (size_t p = 0; p < n_parts; p++) {
		for (size_t i = 0; i < parts[p].message->n_fields; i++) {
			if (!is_present(parts[p].message, i, parts[p].body))
				continue;
			writer->key(writer, parts[p].message->fields[i].name);
			write_value(writer, parts[p].message, &parts[p].message->fields[i], parts[p].body);
		}
	}
	writer->end(writer);
}
