// From a parsed map (document.c) to a message's fields. JSON meets the same tree as MessagePack, so there is one decoder.
// Writing is pack.c's.
// SPDX-License-Identifier: MIT
#include "codec.h"

#include "document.h"

#include <errno.h>
#include <stdio.h>
#include <math.h>
#include <string.h>

// ---- values of one kind

static int bad(struct status *status, const struct field *field, const char *what) {
	return status_set(status, STATUS_INVALID_ARGUMENT, "%s: %s", field->name, what);
}

static int read_text(struct document *document, const msgpack_object *object, const struct field *field,
                     bool is_id, const char **ret, struct status *status) {
	const char *fault;
	char *copy;

	if (object->type != MSGPACK_OBJECT_STR)
		return bad(status, field, "must be text");
	fault = text_fault(object->via.str.ptr, object->via.str.size, is_id);
	if (fault != NULL)
		return bad(status, field, fault);
	copy = document_alloc(document, object->via.str.size + (size_t)1);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, object->via.str.ptr, object->via.str.size);
	copy[object->via.str.size] = '\0';
	*ret = copy;
	return 0;
}

// A decimal string, as proto3's JSON writes 64-bit integers.
static int read_decimal(const msgpack_object *object, bool is_signed, int64_t *ret_signed,
                        uint64_t *ret_unsigned) {
	char digits[24];
	size_t size = object->via.str.size;
	bool negative = size > 0 && object->via.str.ptr[0] == '-';
	char *end;

	if (size == 0 || size >= sizeof(digits) || (negative && !is_signed))
		return -EINVAL;
	memcpy(digits, object->via.str.ptr, size);
	digits[size] = '\0';
	if (strspn(digits + negative, "0123456789") != size - negative || size == (size_t)negative)
		return -EINVAL;
	errno = 0;
	if (is_signed)
		*ret_signed = strtoll(digits, &end, 10);
	else
		*ret_unsigned = strtoull(digits, &end, 10);
	return errno == 0 ? 0 : -ERANGE;
}

static int read_signed(const struct document *document, const msgpack_object *object, int64_t *ret) {
	uint64_t unused;

	switch (object->type) {
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		if (object->via.u64 > INT64_MAX)
			return -ERANGE;
		*ret = (int64_t)object->via.u64;
		return 0;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		*ret = object->via.i64;
		return 0;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		if (!(fabs(object->via.f64) < 0x1p63) || object->via.f64 != floor(object->via.f64))
			return -EINVAL;
		*ret = (int64_t)object->via.f64;
		return 0;
	case MSGPACK_OBJECT_STR:
		return document->from_json ? read_decimal(object, true, ret, &unused) : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int read_unsigned(const struct document *document, const msgpack_object *object, uint64_t *ret) {
	int64_t unused;

	switch (object->type) {
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		*ret = object->via.u64;
		return 0;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		if (!(object->via.f64 >= 0 && object->via.f64 < 0x1p64) ||
		    object->via.f64 != floor(object->via.f64))
			return -EINVAL;
		*ret = (uint64_t)object->via.f64;
		return 0;
	case MSGPACK_OBJECT_STR:
		return document->from_json ? read_decimal(object, false, &unused, ret) : -EINVAL;
	default:
		return -EINVAL;
	}
}

int object_to_real(const msgpack_object *object, double *ret) {
	switch (object->type) {
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		*ret = (double)object->via.u64;
		return 0;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		*ret = (double)object->via.i64;
		return 0;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		if (!isfinite(object->via.f64))
			return -ERANGE;
		*ret = object->via.f64;
		return 0;
	default:
		return -EINVAL;
	}
}

static int out_of_range(struct status *status, const struct field *field) {
	if (isinf(field->max))
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: must be at least %.15g", field->name,
		                  field->min);
	return status_set(status, STATUS_INVALID_ARGUMENT, "%s: must be from %.15g to %.15g", field->name,
	                  field->min, field->max);
}

// ---- fields

static int read_map(struct document *document, const msgpack_object *map, const struct message *message,
                    void *body, struct status *status);

static int take_array(const msgpack_object *object, const struct field *field, struct status *status) {
	if (object->type != MSGPACK_OBJECT_ARRAY)
		return bad(status, field, "must be an array");
	if (object->via.array.size > field->max_count)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: %u elements, at most %zu",
		                  field->name, object->via.array.size, field->max_count);
	return 0;
}

static int read_list(struct document *document, const msgpack_object *object, const struct field *field,
                     void **ret, struct status *status) {
	size_t n, size = field->element->size;
	char *elements;
	int rc;

	if ((rc = take_array(object, field, status)) < 0)
		return rc;
	n = object->via.array.size;
	elements = document_alloc(document, n * size);
	if (elements == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		rc = read_map(document, &object->via.array.ptr[i], field->element, elements + i * size,
		              status);
		if (rc == -EINVAL && status != NULL)
			status_prefix(status, "%s[%zu].", field->name, i);
		if (rc < 0)
			return rc;
	}
	*ret = elements;
	return 0;
}

static int read_texts(struct document *document, const msgpack_object *object, const struct field *field,
                      void **ret, struct status *status) {
	const char **texts;
	int rc;

	if ((rc = take_array(object, field, status)) < 0)
		return rc;
	texts = document_alloc(document, object->via.array.size * sizeof(*texts));
	if (texts == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < object->via.array.size; i++) {
		if ((rc = read_text(document, &object->via.array.ptr[i], field, true, &texts[i], status)) < 0)
			return rc;
	}
	*ret = texts;
	return 0;
}

static int read_flags(struct document *document, const msgpack_object *object, const struct field *field,
                      void **ret, struct status *status) {
	bool *flags;
	int rc;

	if ((rc = take_array(object, field, status)) < 0)
		return rc;
	flags = document_alloc(document, object->via.array.size * sizeof(*flags));
	if (flags == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < object->via.array.size; i++) {
		if (object->via.array.ptr[i].type != MSGPACK_OBJECT_BOOLEAN)
			return bad(status, field, "must hold true and false only");
		flags[i] = object->via.array.ptr[i].via.boolean;
	}
	*ret = flags;
	return 0;
}

// An element of rows or points: an array of just 'width' values.
static int take_row(const msgpack_object *object, size_t width, const struct field *field, size_t index,
                    struct status *status) {
	if (object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size != width)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s[%zu]: must be an array of %zu numbers",
		                  field->name, index, width);
	return 0;
}

static int bad_row(struct status *status, const struct field *field, size_t row, size_t column,
                   const char *what) {
	return status_set(status, STATUS_INVALID_ARGUMENT, "%s[%zu][%zu]: %s", field->name, row, column,
	                  what);
}

// The first row tells the width here; read_map() holds it against `names` when all fields are there.
static int read_rows(struct document *document, const msgpack_object *object, const struct field *field,
                     void **ret, struct status *status) {
	size_t n, width = field->lead;
	uint64_t *values;
	int rc;

	if ((rc = take_array(object, field, status)) < 0)
		return rc;
	n = object->via.array.size;
	if (n > 0 && object->via.array.ptr[0].type == MSGPACK_OBJECT_ARRAY)
		width = object->via.array.ptr[0].via.array.size;
	if (width < field->lead || width > field->lead + LIMIT_NAMES)
		return bad(status, field, "rows are too narrow or too wide");
	values = document_alloc(document, n * width * sizeof(*values));
	if (values == NULL)
		return -ENOMEM;
	for (size_t row = 0; row < n; row++) {
		const msgpack_object *cells = &object->via.array.ptr[row];

		if ((rc = take_row(cells, width, field, row, status)) < 0)
			return rc;
		for (size_t i = 0; i < width; i++) {
			if (read_unsigned(document, &cells->via.array.ptr[i], &values[row * width + i]) < 0)
				return bad_row(status, field, row, i,
				               "must be a whole number, 0 to 2^64 - 1");
		}
		// A time beyond int64 would turn negative on its way to the disk; times come last in the
		// lead.
		if (values[row * width + field->lead - 1] > INT64_MAX)
			return bad_row(status, field, row, field->lead - 1, "not a time in nanoseconds");
	}
	*ret = values;
	return 0;
}

static int read_points(struct document *document, const msgpack_object *object, const struct field *field,
                       void **ret, struct status *status) {
	size_t size = sizeof(int64_t) + field->n_values * sizeof(double);
	char *point;
	int rc;

	if ((rc = take_array(object, field, status)) < 0)
		return rc;
	point = document_alloc(document, object->via.array.size * size);
	if (point == NULL)
		return -ENOMEM;
	*ret = point;
	for (size_t i = 0; i < object->via.array.size; i++) {
		const msgpack_object *cells = &object->via.array.ptr[i];
		int64_t ts_ns;
		double value;

		if ((rc = take_row(cells, 1 + field->n_values, field, i, status)) < 0)
			return rc;
		if (read_signed(document, &cells->via.array.ptr[0], &ts_ns) < 0)
			return bad_row(status, field, i, 0, "must be a time in nanoseconds");
		memcpy(point, &ts_ns, sizeof(ts_ns));
		point += sizeof(ts_ns);
		for (size_t v = 1; v <= field->n_values; v++) {
			if (object_to_real(&cells->via.array.ptr[v], &value) < 0 || value < 0)
				return bad_row(status, field, i, v, "must be a finite number, not negative");
			memcpy(point, &value, sizeof(value));
			point += sizeof(value);
		}
	}
	return 0;
}

static int read_field(struct document *document, const msgpack_object *object, const struct field *field,
                      void *body, struct status *status) {
	char *value = (char *)body + field->offset;
	size_t count = object->type == MSGPACK_OBJECT_ARRAY ? object->via.array.size : 0;
	char word[32];
	void *pointer = NULL;
	int rc = 0;

	switch (field->kind) {
	case FIELD_ID:
	case FIELD_TEXT:
		return read_text(document, object, field, field->kind == FIELD_ID,
		                 (const char **)(void *)value, status);
	case FIELD_FLAG:
		if (object->type != MSGPACK_OBJECT_BOOLEAN)
			return bad(status, field, "must be true or false");
		*(bool *)value = object->via.boolean;
		return 0;
	case FIELD_NUMBER:
		if (read_signed(document, object, (int64_t *)(void *)value) < 0)
			return bad(status, field, "must be a whole number");
		if ((double)*(int64_t *)(void *)value < field->min ||
		    (double)*(int64_t *)(void *)value > field->max)
			return out_of_range(status, field);
		return 0;
	case FIELD_TIME:
		if (read_signed(document, object, (int64_t *)(void *)value) < 0)
			return bad(status, field, "must be a time in nanoseconds");
		return 0;
	case FIELD_COUNT:
		if (read_unsigned(document, object, (uint64_t *)(void *)value) < 0)
			return bad(status, field, "must be a whole number, 0 to 2^64 - 1");
		return 0;
	case FIELD_REAL:
		rc = object_to_real(object, (double *)(void *)value);
		if (rc == -ERANGE)
			return bad(status, field, "must be finite");
		if (rc < 0)
			return bad(status, field, "must be a number");
		if (*(double *)(void *)value < field->min || *(double *)(void *)value > field->max)
			return out_of_range(status, field);
		return 0;
	case FIELD_CHOICE:
		if (object->type != MSGPACK_OBJECT_STR || object->via.str.size >= sizeof(word))
			return bad(status, field, "not one of the words it can be");
		memcpy(word, object->via.str.ptr, object->via.str.size);
		word[object->via.str.size] = '\0';
		if (choice_find(field->choices, word, (int *)(void *)value) < 0)
			return bad(status, field, "not one of the words it can be");
		return 0;
	case FIELD_ONE:
		pointer = document_alloc(document, field->element->size);
		if (pointer == NULL)
			return -ENOMEM;
		rc = read_map(document, object, field->element, pointer, status);
		if (rc == -EINVAL && status != NULL)
			status_prefix(status, "%s.", field->name);
		if (rc < 0)
			return rc;
		memcpy(value, &pointer, sizeof(pointer));
		return 0;
	case FIELD_LIST:
		rc = read_list(document, object, field, &pointer, status);
		break;
	case FIELD_TEXTS:
		rc = read_texts(document, object, field, &pointer, status);
		break;
	case FIELD_FLAGS:
		rc = read_flags(document, object, field, &pointer, status);
		break;
	case FIELD_ROWS:
		rc = read_rows(document, object, field, &pointer, status);
		break;
	case FIELD_POINTS:
		rc = read_points(document, object, field, &pointer, status);
		break;
	}
	if (rc < 0)
		return rc;
	memcpy(value, &pointer, sizeof(pointer));
	memcpy((char *)body + field->count_offset, &count, sizeof(count));
	return 0;
}

// The value of a key (NULL when it is not there), and how often the key is there.
static const msgpack_object *find_key(const msgpack_object *map, const char *key, size_t *ret_n) {
	const msgpack_object *found = NULL;
	size_t size = strlen(key);

	*ret_n = 0;
	for (size_t i = 0; i < map->via.map.size; i++) {
		const msgpack_object *name = &map->via.map.ptr[i].key;

		if (name->type == MSGPACK_OBJECT_STR && name->via.str.size == size &&
		    memcmp(name->via.str.ptr, key, size) == 0) {
			found = &map->via.map.ptr[i].val;
			++*ret_n;
		}
	}
	return found;
}

static int check_row_width(const msgpack_object *map, const struct message *message, const struct field *rows,
                           const void *body, struct status *status) {
	size_t names = 0, width, n;
	const msgpack_object *object = find_key(map, rows->name, &n);

	if (object == NULL || object->type != MSGPACK_OBJECT_ARRAY || object->via.array.size == 0)
		return 0;
	for (size_t i = 0; i < message->n_fields; i++) {
		if (message->fields[i].kind == FIELD_TEXTS && strcmp(message->fields[i].name, "names") == 0)
			memcpy(&names, (const char *)body + message->fields[i].count_offset, sizeof(names));
	}
	width = object->via.array.ptr[0].via.array.size;
	if (width != rows->lead + names)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s: %zu values a row for %zu names",
		                  rows->name, width - rows->lead, names);
	return 0;
}

// Returns 0, 1 when the field is absent and may be, or -EINVAL.
static int find_field(const msgpack_object *map, const struct field *field, const msgpack_object **ret,
                      struct status *status) {
	size_t n;
	const msgpack_object *object = find_key(map, field->name, &n);

	if (n > 1)
		return bad(status, field, "is there twice");
	if (object != NULL && object->type != MSGPACK_OBJECT_NIL) {
		*ret = object;
		return 0;
	}
	return field->presence == FIELD_REQUIRED ? bad(status, field, "missing") : 1;
}

static int read_map(struct document *document, const msgpack_object *map, const struct message *message,
                    void *body, struct status *status) {
	uint64_t has = 0;
	int rc;

	message_init(message, body);
	if (map->type != MSGPACK_OBJECT_MAP)
		return status_set(status, STATUS_INVALID_ARGUMENT, "must be a map");
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct field *field = &message->fields[i];
		const msgpack_object *object;

		if ((rc = find_field(map, field, &object, status)) < 0)
			return rc;
		if (rc == 1)
			continue;
		if ((rc = read_field(document, object, field, body, status)) < 0)
			return rc;
		has |= UINT64_C(1) << i;
	}
	memcpy(body, &has, sizeof(has)); // 'has' is the first member of every body
	for (size_t i = 0; i < message->n_fields; i++) {
		if (message->fields[i].kind != FIELD_ROWS)
			continue;
		if ((rc = check_row_width(map, message, &message->fields[i], body, status)) < 0)
			return rc;
	}
	return 0;
}

int document_read(struct document *document, const struct message *message, void *body,
                  struct status *status) {
	return read_map(document, &document->root, message, body, status);
}

// ---- all that is wrong

struct checking {
	struct document *document;
	document_defect_fn each;
	void *context;
};

static int check_map(const struct checking *checking, const msgpack_object *map,
                     const struct message *message, const char *where);

static int check_list(const struct checking *checking, const msgpack_object *list, const struct field *field,
                      const char *where) {
	char element[STATUS_MESSAGE_SIZE];
	int rc = 0;

	for (size_t i = 0; i < list->via.array.size && rc == 0; i++) {
		snprintf(element, sizeof(element), "%.200s%s[%zu].", where, field->name, i);
		rc = check_map(checking, &list->via.array.ptr[i], field->element, element);
	}
	return rc;
}

static int check_field(const struct checking *checking, const msgpack_object *map, const struct field *field,
                       void *body, const char *where, struct status *status) {
	const msgpack_object *object;
	int rc;

	if ((rc = find_field(map, field, &object, status)) != 0)
		return rc == 1 ? 0 : rc;
	if (field->kind != FIELD_LIST)
		return read_field(checking->document, object, field, body, status);
	rc = take_array(object, field, status);
	return rc < 0 ? rc : check_list(checking, object, field, where);
}

// 'body' gets the fields that are good, but for lists.
static int check_fields(const struct checking *checking, const msgpack_object *map,
                        const struct message *message, const char *where, void *body) {
	struct status status = {0};
	uint64_t has = 0;
	int rc = 0;

	message_init(message, body);
	if (map->type != MSGPACK_OBJECT_MAP) {
		(void)status_set(&status, STATUS_INVALID_ARGUMENT, "%.*s: must be a map",
		                 (int)strlen(where) - 1,
		                 where); // without the dot
		checking->each(checking->context, status.message);
		return 0;
	}
	for (size_t i = 0; i < message->n_fields && rc == 0; i++) {
		const msgpack_object *object = NULL;

		rc = check_field(checking, map, &message->fields[i], body, where, &status);
		if (rc == 0 && find_field(map, &message->fields[i], &object, NULL) == 0)
			has |= UINT64_C(1) << i;
		if (rc != -EINVAL)
			continue;
		status_prefix(&status, "%s", where);
		checking->each(checking->context, status.message);
		rc = 0;
	}
	memcpy(body, &has, sizeof(has));
	return rc;
}

static int check_map(const struct checking *checking, const msgpack_object *map,
                     const struct message *message, const char *where) {
	CLEANUP(freep) void *body = malloc(message->size);

	return body == NULL ? -ENOMEM : check_fields(checking, map, message, where, body);
}

int object_read(struct document *document, const msgpack_object *map, const struct message *message,
                void *body, struct status *status) {
	return read_map(document, map, message, body, status);
}

int object_check(struct document *document, const msgpack_object *map, const struct message *message,
                 const char *where, document_defect_fn each, void *context, void *body) {
	const struct checking checking = {document, each, context};

	return check_fields(&checking, map, message, where, body);
}
