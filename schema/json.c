// JSON in and out, by jansson. Reading turns the text into the same tree as MessagePack, so that codec.c
// decodes both.
// SPDX-License-Identifier: MIT
#include "codec.h"

#include "document.h"
#include "writer.h"

#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

// ---- reading

static int convert(struct document *document, json_t *json, size_t depth, msgpack_object *ret);

static int convert_text(struct document *document, const char *text, size_t size, msgpack_object *ret) {
	char *copy = document_alloc(document, size);

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, text, size);
	ret->type = MSGPACK_OBJECT_STR;
	ret->via.str.ptr = copy;
	ret->via.str.size = (uint32_t)size;
	return 0;
}

static int convert_map(struct document *document, json_t *json, size_t depth, msgpack_object *ret) {
	size_t n = 0;
	const char *key;
	json_t *value;
	int rc;

	ret->type = MSGPACK_OBJECT_MAP;
	ret->via.map.size = (uint32_t)json_object_size(json);
	ret->via.map.ptr = document_alloc(document, ret->via.map.size * sizeof(*ret->via.map.ptr));
	if (ret->via.map.ptr == NULL)
		return -ENOMEM;
	json_object_foreach(json, key, value) {
		if ((rc = convert_text(document, key, strlen(key), &ret->via.map.ptr[n].key)) < 0 ||
		    (rc = convert(document, value, depth + 1, &ret->via.map.ptr[n].val)) < 0)
			return rc;
		n++;
	}
	return 0;
}

static int convert_array(struct document *document, json_t *json, size_t depth, msgpack_object *ret) {
	int rc;

	ret->type = MSGPACK_OBJECT_ARRAY;
	ret->via.array.size = (uint32_t)json_array_size(json);
	ret->via.array.ptr = document_alloc(document, ret->via.array.size * sizeof(*ret->via.array.ptr));
	if (ret->via.array.ptr == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < ret->via.array.size; i++) {
		if ((rc = convert(document, json_array_get(json, i), depth + 1, &ret->via.array.ptr[i])) < 0)
			return rc;
	}
	return 0;
}

static int convert(struct document *document, json_t *json, size_t depth, msgpack_object *ret) {
	if (depth > LIMIT_NESTING)
		return -ELOOP;
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return convert_map(document, json, depth, ret);
	case JSON_ARRAY:
		return convert_array(document, json, depth, ret);
	case JSON_STRING:
		return convert_text(document, json_string_value(json), json_string_length(json), ret);
	case JSON_INTEGER:
		ret->type = json_integer_value(json) < 0 ? MSGPACK_OBJECT_NEGATIVE_INTEGER
		                                         : MSGPACK_OBJECT_POSITIVE_INTEGER;
		ret->via.i64 = json_integer_value(json);
		return 0;
	case JSON_REAL:
		ret->type = MSGPACK_OBJECT_FLOAT64;
		ret->via.f64 = json_real_value(json);
		return 0;
	case JSON_TRUE:
	case JSON_FALSE:
		ret->type = MSGPACK_OBJECT_BOOLEAN;
		ret->via.boolean = json_is_true(json);
		return 0;
	case JSON_NULL:
		ret->type = MSGPACK_OBJECT_NIL;
		return 0;
	}
	return -EINVAL;
}

// A list of the body that grows while its elements are read.
struct growing {
	const struct field *field; // of the message
	char *elements;
	size_t n, capacity;
};

// A text is taken apart at its outermost level by hand and the rest by jansson, an element of an outermost list at
// a time: its tree of a topology of a million links would take gigabytes.
struct reading {
	struct document *document;
	const struct message *message; // its lists are read at once; NULL: none
	struct growing *lists;         // one for each field
	document_defect_fn each;       // NULL: the first defect ends it
	void *context;
	size_t n_defects;
	const char *text;
	size_t size, at;
	size_t counted, line, line_start; // of what was counted so far
	struct status *status;
};

static int parse_failure(struct reading *reading, size_t at, const char *text) {
	for (; reading->counted < at; reading->counted++) {
		if (reading->text[reading->counted] == '\n') {
			reading->line++;
			reading->line_start = reading->counted + 1;
		}
	}
	return status_set(reading->status, STATUS_INVALID_ARGUMENT, "line %zu, column %zu: %s",
	                  reading->line + 1, at - reading->line_start + 1, text);
}

// The next byte that is not white space, '\0' at the end.
static char look(struct reading *reading) {
	while (reading->at < reading->size && strchr(" \t\r\n", reading->text[reading->at]) != NULL &&
	       reading->text[reading->at] != '\0')
		reading->at++;
	return reading->at < reading->size ? reading->text[reading->at] : '\0';
}

static int expect(struct reading *reading, char wanted) {
	char what[32];

	if (look(reading) == wanted && reading->at < reading->size) {
		reading->at++;
		return 0;
	}
	snprintf(what, sizeof(what), "'%c' expected", wanted);
	return parse_failure(reading, reading->at, what);
}

// Whatever value comes next.
static int read_value(struct reading *reading, size_t depth, msgpack_object *ret) {
	const char *text = reading->text + reading->at;
	json_error_t error;
	json_t *json = json_loadb(text, reading->size - reading->at,
	                          JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &error);
	int rc;

	if (json == NULL)
		return parse_failure(reading, reading->at + (size_t)error.position, error.text);
	reading->at += (size_t)error.position;
	rc = convert(reading->document, json, depth, ret);
	json_decref(json);
	return rc;
}

// A list of msgpack objects (a key and a value are two) that grows outside the document.
struct objects {
	msgpack_object *list;
	size_t n, capacity;
};

static void objects_fini(struct objects *objects) {
	free(objects->list);
}

static int objects_add(struct objects *objects, msgpack_object object) {
	if (objects->n == objects->capacity) {
		size_t capacity = 2 * objects->capacity + 16;
		msgpack_object *moved = realloc(objects->list, capacity * sizeof(*moved));

		if (moved == NULL)
			return -ENOMEM;
		objects->list = moved;
		objects->capacity = capacity;
	}
	objects->list[objects->n++] = object;
	return 0;
}

// ---- lists of the message: each element into the body, and its tree forgotten

static void count_defect(void *context, const char *text) {
	struct reading *reading = context;

	reading->n_defects++;
	reading->each(reading->context, text);
}

static int grow(struct growing *list) {
	size_t capacity = 2 * list->capacity + 16;
	char *moved;

	if (list->n < list->capacity)
		return 0;
	moved = reallocarray(list->elements, capacity, list->field->element->size);
	if (moved == NULL)
		return -ENOMEM;
	list->elements = moved;
	list->capacity = capacity;
	return 0;
}

static int take_element(struct reading *reading, struct growing *list, const msgpack_object *element) {
	const struct field *field = list->field;
	char where[64], *body;
	size_t n_defects;
	int rc;

	if (list->n == field->max_count)
		return status_set(reading->status, STATUS_INVALID_ARGUMENT, "%s: more than %zu elements",
		                  field->name, field->max_count);
	if ((rc = grow(list)) < 0)
		return rc;
	body = list->elements + list->n * field->element->size;
	snprintf(where, sizeof(where), "%.40s[%zu].", field->name, list->n++);
	n_defects = reading->n_defects;
	if (reading->each != NULL && (rc = object_check(reading->document, element, field->element, where,
	                                                count_defect, reading, body)) < 0)
		return rc;
	if (reading->n_defects > n_defects)
		return 0;
	rc = object_read(reading->document, element, field->element, body, reading->status);
	if (rc == -EINVAL && reading->status != NULL)
		status_prefix(reading->status, "%s", where);
	return rc;
}

static int read_message_list(struct reading *reading, struct growing *list) {
	struct document *document = reading->document;
	struct document passing = {.from_json = true}; // memory of one element's tree
	int rc = expect(reading, '[');

	if (rc < 0)
		return rc;
	if (!msgpack_zone_init(&passing.zone, MSGPACK_ZONE_CHUNK_SIZE))
		return -ENOMEM;
	while (rc == 0 && look(reading) != ']') {
		msgpack_object element;

		if (list->n > 0 && (rc = expect(reading, ',')) < 0)
			break;
		reading->document = &passing;
		rc = read_value(reading, 2, &element);
		reading->document = document;
		if (rc == 0)
			rc = take_element(reading, list, &element);
		msgpack_zone_clear(&passing.zone);
	}
	msgpack_zone_destroy(&passing.zone);
	return rc < 0 ? rc : expect(reading, ']');
}

// The message's list of that name, or NULL.
static struct growing *find_list(const struct reading *reading, const msgpack_object_str *key) {
	for (size_t i = 0; reading->message != NULL && i < reading->message->n_fields; i++) {
		const struct field *field = &reading->message->fields[i];

		if (field->kind != FIELD_LIST || strlen(field->name) != key->size ||
		    memcmp(field->name, key->ptr, key->size) != 0)
			continue;
		reading->lists[i].field = field;
		return &reading->lists[i];
	}
	return NULL;
}

// Puts the lists that were read into the body; the document frees them.
static int place_lists(struct reading *reading, void *body) {
	for (size_t i = 0; i < reading->message->n_fields; i++) {
		struct growing *list = &reading->lists[i];

		if (list->elements == NULL)
			continue;
		memcpy((char *)body + list->field->offset, &list->elements, sizeof(list->elements));
		memcpy((char *)body + list->field->count_offset, &list->n, sizeof(list->n));
		if (!msgpack_zone_push_finalizer(&reading->document->zone, free, list->elements))
			return -ENOMEM;
		list->elements = NULL;
	}
	return 0;
}

// ---- the outermost level

static int read_outer_list(struct reading *reading, msgpack_object *ret) {
	CLEANUP(objects_fini) struct objects objects = {0};
	int rc = expect(reading, '[');

	while (rc == 0 && look(reading) != ']') {
		msgpack_object element;

		if ((objects.n > 0 && (rc = expect(reading, ',')) < 0) ||
		    (rc = read_value(reading, 2, &element)) < 0)
			return rc;
		rc = objects_add(&objects, element);
	}
	if (rc < 0 || (rc = expect(reading, ']')) < 0)
		return rc;
	ret->type = MSGPACK_OBJECT_ARRAY;
	ret->via.array.size = (uint32_t)objects.n;
	ret->via.array.ptr = document_alloc(reading->document, objects.n * sizeof(*objects.list));
	if (ret->via.array.ptr == NULL)
		return -ENOMEM;
	if (objects.n > 0)
		memcpy(ret->via.array.ptr, objects.list, objects.n * sizeof(*objects.list));
	return 0;
}

static bool is_key(const struct objects *objects, const msgpack_object *key) {
	for (size_t i = 0; i < objects->n; i += 2) {
		const msgpack_object_str *known = &objects->list[i].via.str;

		if (known->size == key->via.str.size &&
		    memcmp(known->ptr, key->via.str.ptr, known->size) == 0)
			return true;
	}
	return false;
}

static int read_outer_pair(struct reading *reading, struct objects *objects) {
	msgpack_object key, value;
	struct growing *list;
	int rc;

	if (look(reading) != '"')
		return parse_failure(reading, reading->at, "'\"' expected");
	if ((rc = read_value(reading, 1, &key)) < 0)
		return rc;
	if (is_key(objects, &key))
		return parse_failure(reading, reading->at, "duplicate object key");
	if ((rc = expect(reading, ':')) < 0)
		return rc;
	if (look(reading) == '[' && (list = find_list(reading, &key.via.str)) != NULL) {
		value = (msgpack_object){.type = MSGPACK_OBJECT_ARRAY}; // stands for it
		rc = read_message_list(reading, list);
	} else {
		rc = look(reading) == '[' ? read_outer_list(reading, &value) : read_value(reading, 1, &value);
	}
	if (rc < 0 || (rc = objects_add(objects, key)) < 0)
		return rc;
	return objects_add(objects, value);
}

static int read_outermost(struct reading *reading) {
	CLEANUP(objects_fini) struct objects objects = {0};
	msgpack_object *root = &reading->document->root;
	int rc = 0;

	if (look(reading) != '{')
		return parse_failure(reading, reading->at, "not a JSON object");
	rc = expect(reading, '{');
	while (rc == 0 && look(reading) != '}') {
		if (objects.n > 0 && (rc = expect(reading, ',')) < 0)
			return rc;
		rc = read_outer_pair(reading, &objects);
	}
	if (rc < 0 || (rc = expect(reading, '}')) < 0)
		return rc;
	if (look(reading) != '\0' || reading->at < reading->size)
		return parse_failure(reading, reading->at, "end of file expected");
	root->type = MSGPACK_OBJECT_MAP;
	root->via.map.size = (uint32_t)(objects.n / 2);
	root->via.map.ptr = document_alloc(reading->document, objects.n / 2 * sizeof(*root->via.map.ptr));
	if (root->via.map.ptr == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < objects.n / 2; i++) {
		root->via.map.ptr[i].key = objects.list[2 * i];
		root->via.map.ptr[i].val = objects.list[2 * i + 1];
	}
	return 0;
}

static int read_text(struct reading *reading) {
	int rc;

	if ((rc = document_new(&reading->document)) < 0)
		return rc;
	reading->document->from_json = true;
	rc = read_outermost(reading);
	if (rc == -ELOOP)
		return status_set(reading->status, STATUS_INVALID_ARGUMENT, "nested deeper than %d",
		                  LIMIT_NESTING);
	return rc;
}

int document_from_json(const char *text, size_t size, struct document **ret, struct status *status) {
	struct reading reading = {.text = text, .size = size, .status = status};
	int rc = read_text(&reading);

	if (rc < 0)
		document_close(reading.document);
	else
		*ret = reading.document;
	return rc;
}

static int read_body(struct reading *reading, void *body) {
	const msgpack_object *root;
	size_t n_defects;
	int rc = read_text(reading);

	if (rc < 0)
		return rc;
	root = &reading->document->root;
	n_defects = reading->n_defects;
	if (reading->each != NULL && (rc = object_check(reading->document, root, reading->message, "",
	                                                count_defect, reading, body)) < 0)
		return rc;
	if (reading->n_defects == n_defects)
		rc = object_read(reading->document, root, reading->message, body, reading->status);
	return rc < 0 ? rc : place_lists(reading, body);
}

int document_read_json(const char *text, size_t size, const struct message *message, void *body,
                       document_defect_fn each, void *context, size_t *ret_n_defects, struct document **ret,
                       struct status *status) {
	CLEANUP(freep) struct growing *lists = calloc(message->n_fields, sizeof(*lists));
	struct reading reading = {.text = text,
	                          .size = size,
	                          .status = status,
	                          .message = message,
	                          .lists = lists,
	                          .each = each,
	                          .context = context};
	int rc;

	if (lists == NULL)
		return -ENOMEM;
	rc = read_body(&reading, body);
	for (size_t i = 0; i < message->n_fields; i++)
		free(lists[i].elements);
	if (rc < 0) {
		document_close(reading.document);
		return rc;
	}
	*ret_n_defects = reading.n_defects;
	*ret = reading.document;
	return 0;
}

// ---- writing

struct builder {
	struct writer writer;
	json_t *stack[2 * LIMIT_NESTING];
	const char *keys[2 * LIMIT_NESTING]; // of the value that comes next, at each level
	size_t depth;
	json_t *root;
	bool failed;
};

#define BUILDER(WRITER) ((struct builder *)(void *)(WRITER))

// Puts a value where the walk is; the tree takes it over.
static void place(struct builder *builder, json_t *value) {
	json_t *parent = builder->depth > 0 ? builder->stack[builder->depth - 1] : NULL;

	if (parent == NULL)
		builder->root = value;
	else if (json_is_array(parent))
		builder->failed |= json_array_append_new(parent, value) != 0;
	else
		builder->failed |= json_object_set_new(parent, builder->keys[builder->depth - 1], value) != 0;
	builder->failed |= value == NULL;
}

static void open_container(struct builder *builder, json_t *container) {
	place(builder, container);
	builder->stack[builder->depth++] = container;
}

static void build_map(struct writer *writer, size_t n) {
	(void)n;
	open_container(BUILDER(writer), json_object());
}

static void build_array(struct writer *writer, size_t n) {
	(void)n;
	open_container(BUILDER(writer), json_array());
}

static void build_end(struct writer *writer) {
	BUILDER(writer)->depth--;
}

static void build_key(struct writer *writer, const char *key) {
	BUILDER(writer)->keys[BUILDER(writer)->depth - 1] = key;
}

static void build_text(struct writer *writer, const char *text) {
	place(BUILDER(writer), json_string(text));
}

static void build_flag(struct writer *writer, bool flag) {
	place(BUILDER(writer), json_boolean(flag));
}

static void build_number(struct writer *writer, int64_t value) {
	place(BUILDER(writer), json_integer(value));
}

static void build_time(struct writer *writer, int64_t value) {
	place(BUILDER(writer), json_sprintf("%" PRId64, value));
}

static void build_count(struct writer *writer, uint64_t value) {
	place(BUILDER(writer), json_sprintf("%" PRIu64, value));
}

static void build_real(struct writer *writer, double value) {
	// Shown in DBL_DIG digits, the largest doubles would round to what no double holds.
	const double largest = 1.79769313486231e308;

	place(BUILDER(writer), json_real(fmax(fmin(value, largest), -largest)));
}

static int parts_to_json(const struct part *parts, size_t n_parts, bool indent, char **ret) {
	struct builder builder = {
	        .writer = {build_map, build_array, build_end, build_key, build_text, build_flag, build_number,
	                   build_time, build_count, build_real, NULL},
	};
	char *text = NULL;

	write_parts(&builder.writer, parts, n_parts);
	// DBL_DIG: what a person wrote as 9.92 is shown as 9.92, and reads back as the same number.
	if (!builder.failed)
		text = json_dumps(builder.root,
		                  (indent ? JSON_INDENT(2) : JSON_COMPACT) | JSON_REAL_PRECISION(DBL_DIG));
	json_decref(builder.root);
	if (text == NULL)
		return -ENOMEM;
	*ret = text;
	return 0;
}

int message_to_json(const struct message *message, const void *body, bool indent, char **ret) {
	return parts_to_json(&(struct part){message, body}, 1, indent, ret);
}

int event_to_json(const char *topic, const char *error, const struct message *message, const void *body,
                  char **ret) {
	struct event_head head = {.topic = topic, .error = error};

	return parts_to_json((struct part[]){{&event_head_message, &head}, {message, body}},
	                     error == NULL ? 2 : 1, false, ret);
}

int reply_to_json(const struct message *reply, const char *id, const void *body, bool indent, char **ret) {
	struct reply_head head = {.ok = true, .id = message_reply_id(reply, id)};

	return parts_to_json((struct part[]){{&reply_head_message, &head}, {reply, body}}, 2, indent, ret);
}

int reply_error_to_json(const struct status *status, const char *id, char **ret) {
	struct failure failure = failure_of(status);
	struct reply_head head = {.ok = false, .id = id, .error = &failure};

	return parts_to_json(&(struct part){&reply_head_message, &head}, 1, false, ret);
}
