// The tables of messages.def, choices.def, requests.def, topics.def and port_sample.def as data. No logic of
// any one message.
// SPDX-License-Identifier: MIT
#include "message.h"

#include <errno.h>
#include <string.h>

const struct port_counter_info port_counters[N_PORT_COUNTERS] = {
#define COUNTER(NAME, UNIT, HELP) {#NAME, UNIT, HELP},
#include "port_sample.def"
#undef COUNTER
};

#define CHOICES(LIST)                    static const char *const LIST##_words[] = {
#define OPTION(LIST, PREFIX, NAME, WORD) WORD,
#define END_CHOICES(LIST)                                                                                    \
	}                                                                                                    \
	;                                                                                                    \
	const struct choices LIST##_choices = {#LIST, LIST##_words, N_##LIST};
#include "choices.def"
#undef CHOICES
#undef OPTION
#undef END_CHOICES

// A default is text or a number; _Generic lets the .def files write DEFAULT(x) for both.
#define REQUIRED .presence = FIELD_REQUIRED
#define OPTIONAL .presence = FIELD_OPTIONAL
#define DEFAULT(VALUE)                                                                                       \
	.presence = FIELD_DEFAULT, .default_text = _Generic((VALUE), char * : (VALUE), default : NULL),      \
	.default_number = _Generic((VALUE), char * : 0, default : (VALUE))

#define AT(MESSAGE, FIELD, KIND, HELP)                                                                       \
	.name = #FIELD, .help = (HELP), .kind = FIELD_##KIND, .offset = offsetof(struct MESSAGE, FIELD)
#define COUNTED(MESSAGE, FIELD, MAX) .max_count = (MAX), .count_offset = offsetof(struct MESSAGE, n_##FIELD)

#define MESSAGE(MESSAGE, HELP) static const struct field MESSAGE##_fields[] = {
#define ID(MESSAGE, FIELD, PRESENCE, HELP)                                                                   \
	{ AT(MESSAGE, FIELD, ID, HELP), PRESENCE }                                                           \
	,
#define TEXT(MESSAGE, FIELD, PRESENCE, HELP)                                                                 \
	{ AT(MESSAGE, FIELD, TEXT, HELP), PRESENCE }                                                         \
	,
#define FLAG(MESSAGE, FIELD, PRESENCE, HELP)                                                                 \
	{ AT(MESSAGE, FIELD, FLAG, HELP), PRESENCE }                                                         \
	,
#define NUMBER(MESSAGE, FIELD, PRESENCE, MIN, MAX, HELP)                                                     \
	{ AT(MESSAGE, FIELD, NUMBER, HELP), PRESENCE, .min = (double)(MIN), .max = (double)(MAX) }           \
	,
#define TIME(MESSAGE, FIELD, PRESENCE, HELP)                                                                 \
	{ AT(MESSAGE, FIELD, TIME, HELP), PRESENCE }                                                         \
	,
#define COUNT(MESSAGE, FIELD, PRESENCE, HELP)                                                                \
	{ AT(MESSAGE, FIELD, COUNT, HELP), PRESENCE }                                                        \
	,
#define REAL(MESSAGE, FIELD, PRESENCE, MIN, MAX, HELP)                                                       \
	{ AT(MESSAGE, FIELD, REAL, HELP), PRESENCE, .min = (MIN), .max = (MAX) }                             \
	,
#define CHOICE(MESSAGE, FIELD, PRESENCE, CHOICES, HELP)                                                      \
	{ AT(MESSAGE, FIELD, CHOICE, HELP), PRESENCE, .choices = &CHOICES##_choices }                        \
	,
#define LIST(MESSAGE, FIELD, PRESENCE, ELEMENT, MAX, HELP)                                                   \
	{                                                                                                    \
		AT(MESSAGE, FIELD, LIST, HELP), PRESENCE, COUNTED(MESSAGE, FIELD, MAX),                      \
		        .element = &ELEMENT##_message                                                        \
	}                                                                                                    \
	,
#define ONE(MESSAGE, FIELD, PRESENCE, ELEMENT, HELP)                                                         \
	{ AT(MESSAGE, FIELD, ONE, HELP), PRESENCE, .element = &ELEMENT##_message }                           \
	,
#define TEXTS(MESSAGE, FIELD, PRESENCE, MAX, HELP)                                                           \
	{ AT(MESSAGE, FIELD, TEXTS, HELP), PRESENCE, COUNTED(MESSAGE, FIELD, MAX) }                          \
	,
#define ROWS(MESSAGE, FIELD, PRESENCE, LEAD, MAX, HELP)                                                      \
	{ AT(MESSAGE, FIELD, ROWS, HELP), PRESENCE, COUNTED(MESSAGE, FIELD, MAX), .lead = (LEAD) }           \
	,
#define POINTS(MESSAGE, FIELD, PRESENCE, TYPE, VALUES, MAX, HELP)                                            \
	{ AT(MESSAGE, FIELD, POINTS, HELP), PRESENCE, COUNTED(MESSAGE, FIELD, MAX), .n_values = (VALUES) }   \
	,
#define FLAGS(MESSAGE, FIELD, PRESENCE, MAX, HELP)                                                           \
	{ AT(MESSAGE, FIELD, FLAGS, HELP), PRESENCE, COUNTED(MESSAGE, FIELD, MAX) }                          \
	,
#define END(MESSAGE)                                                                                         \
	}                                                                                                    \
	;
#include "messages.def"
#include "message_undef.h"

#define MESSAGE(MESSAGE, HELP)                                                                               \
	_Static_assert(N_##MESSAGE##_fields <= 64, "'has' has 64 bits");                                     \
	const struct message MESSAGE##_message = {#MESSAGE, HELP, MESSAGE##_fields, N_##MESSAGE##_fields,    \
	                                          sizeof(struct MESSAGE)};
#define NOTHING(...)
#define ID     NOTHING
#define TEXT   NOTHING
#define FLAG   NOTHING
#define NUMBER NOTHING
#define TIME   NOTHING
#define COUNT  NOTHING
#define REAL   NOTHING
#define CHOICE NOTHING
#define LIST   NOTHING
#define ONE    NOTHING
#define TEXTS  NOTHING
#define ROWS   NOTHING
#define POINTS NOTHING
#define FLAGS  NOTHING
#define END    NOTHING
#include "messages.def"
#undef MESSAGE
#define MESSAGE(MESSAGE, HELP)                                                                               \
	&MESSAGE                                                                                             \
	##_message,
const struct message *const messages[] = {
#include "messages.def"
};
#include "message_undef.h"
const size_t n_messages = sizeof(messages) / sizeof(messages[0]);

const struct request_info requests[N_OPS] = {
#define REQUEST(OP, NAME, REQUEST_MESSAGE, REPLY_MESSAGE, ROLE, HELP)                                        \
	{#NAME, &REQUEST_MESSAGE##_message, &REPLY_MESSAGE##_message, ROLE_##ROLE, HELP},
#include "requests.def"
#undef REQUEST
};

const struct publisher_request_info publisher_requests[N_PUBLISHER_OPS] = {
#define PUBLISHER_REQUEST(OP, NAME, REQUEST_MESSAGE, ANSWER, ANSWER_MESSAGE, HELP)                           \
	{#NAME, &REQUEST_MESSAGE##_message, #ANSWER, &ANSWER_MESSAGE##_message, HELP},
#include "publisher_requests.def"
#undef PUBLISHER_REQUEST
};

const struct request_info path_requests[N_PATH_OPS] = {
#define PATH_REQUEST(OP, NAME, REQUEST_MESSAGE, REPLY_MESSAGE, ROLE, HELP)                                   \
	{#NAME, &REQUEST_MESSAGE##_message, &REPLY_MESSAGE##_message, ROLE_##ROLE, HELP},
#include "path_requests.def"
#undef PATH_REQUEST
};

const struct topic_info topics[N_TOPICS] = {
#define TOPIC(NAME, WORD, REST, MESSAGE, FROM, WHEN)                                                         \
	{                                                                                                    \
		WORD, REST, &MESSAGE                                                                         \
		##_message, FROM, WHEN                                                                       \
	}                                                                                                    \
	,
#include "topics.def"
#undef TOPIC
};

int topic_find(const char *text, size_t size, enum topic *ret) {
	for (int topic = 0; topic < N_TOPICS; topic++) {
		size_t length = strlen(topics[topic].word);

		if (size > length && memcmp(text, topics[topic].word, length) == 0 && text[length] == '/') {
			*ret = (enum topic)topic;
			return 0;
		}
	}
	return -ENOENT;
}

int op_find(const char *name, enum op *ret) {
	for (int op = 0; op < N_OPS; op++) {
		if (strcmp(name, requests[op].name) == 0) {
			*ret = (enum op)op;
			return 0;
		}
	}
	return -ENOENT;
}

int publisher_op_find(const char *name, enum publisher_op *ret) {
	for (int op = 0; op < N_PUBLISHER_OPS; op++) {
		if (strcmp(name, publisher_requests[op].name) == 0) {
			*ret = (enum publisher_op)op;
			return 0;
		}
	}
	return -ENOENT;
}

int publisher_op_find_answer(const char *answer_name, enum publisher_op *ret) {
	for (int op = 0; op < N_PUBLISHER_OPS; op++) {
		if (strcmp(answer_name, publisher_requests[op].answer_name) == 0) {
			*ret = (enum publisher_op)op;
			return 0;
		}
	}
	return -ENOENT;
}

int path_op_find(const char *name, enum path_op *ret) {
	for (int op = 0; op < N_PATH_OPS; op++) {
		if (strcmp(name, path_requests[op].name) == 0) {
			*ret = (enum path_op)op;
			return 0;
		}
	}
	return -ENOENT;
}

const char *choice_word(const struct choices *choices, int value) {
	return value >= 0 && value < choices->n_words ? choices->words[value] : "?";
}

int choice_find(const struct choices *choices, const char *word, int *ret) {
	for (int i = 0; i < choices->n_words; i++) {
		if (strcmp(word, choices->words[i]) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

void message_init(const struct message *message, void *body) {
	memset(body, 0, message->size);
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct field *field = &message->fields[i];
		void *value = (char *)body + field->offset;

		if (field->presence != FIELD_DEFAULT)
			continue;
		switch (field->kind) {
		case FIELD_ID:
		case FIELD_TEXT:
			*(const char **)value = field->default_text;
			break;
		case FIELD_FLAG:
			*(bool *)value = field->default_number != 0;
			break;
		case FIELD_NUMBER:
		case FIELD_TIME:
			*(int64_t *)value = (int64_t)field->default_number;
			break;
		case FIELD_COUNT:
			*(uint64_t *)value = (uint64_t)field->default_number;
			break;
		case FIELD_REAL:
			*(double *)value = field->default_number;
			break;
		case FIELD_CHOICE:
			*(int *)value = (int)field->default_number;
			break;
		case FIELD_LIST:
		case FIELD_ONE:
		case FIELD_TEXTS:
		case FIELD_ROWS:
		case FIELD_POINTS:
		case FIELD_FLAGS:
			break; // absent is empty
		}
	}
}

const struct field *message_field(const struct message *message, const char *name) {
	for (size_t i = 0; i < message->n_fields; i++) {
		if (strcmp(message->fields[i].name, name) == 0)
			return &message->fields[i];
	}
	return NULL;
}

const char *message_reply_id(const struct message *reply, const char *id) {
	const struct field *own = message_field(reply, "id");

	return own != NULL && own->presence == FIELD_REQUIRED ? NULL : id;
}
