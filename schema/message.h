// message.h: the messages of messages.def as C structures, and what codec.c, json.c and the protocol page
// loop over.
// SPDX-License-Identifier: MIT
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
#define LIMIT(NAME, VALUE, HELP) LIMIT_##NAME = VALUE,
#include "limits.def"
#undef LIMIT
};

// The basic counters of a port, in the order of port_sample.def.
enum port_counter {
#define COUNTER(NAME, UNIT, HELP) COUNTER_##NAME,
#include "port_sample.def"
#undef COUNTER
	N_PORT_COUNTERS
};

struct port_counter_info {
	const char *name;
	const char *unit;
	const char *help;
};
extern const struct port_counter_info port_counters[N_PORT_COUNTERS];

// enum directions { DIRECTION_FORWARD, DIRECTION_REVERSE, N_directions } and so on.
#define CHOICES(LIST)                    enum LIST {
#define OPTION(LIST, PREFIX, NAME, WORD) PREFIX##_##NAME,
#define END_CHOICES(LIST)                                                                                    \
	N_##LIST                                                                                             \
	}                                                                                                    \
	;
#include "choices.def"
#undef CHOICES
#undef OPTION
#undef END_CHOICES

struct choices {
	const char *name;
	const char *const *words;
	int n_words;
};
#define CHOICES(LIST) extern const struct choices LIST##_choices;
#define OPTION(LIST, PREFIX, NAME, WORD)
#define END_CHOICES(LIST)
#include "choices.def"
#undef CHOICES
#undef OPTION
#undef END_CHOICES

// The word of a choice; "?" for a value that is none.
const char *choice_word(const struct choices *, int value);

// The value of a word. Returns 0 or -EINVAL; 'ret' untouched on failure.
int choice_find(const struct choices *, const char *word, int *ret);

struct kpi_point {
	int64_t ts_ns; // end of the interval
	double gbps;
};

struct band_point {
	int64_t ts_ns; // end of the interval
	double median;
	double lower;
	double upper;
};

// struct sample { uint64_t has; int64_t v; const char *host; ... }. 'has' tells which optional scalars are
// there.
#define MESSAGE(MESSAGE, HELP)                                                                               \
	struct MESSAGE {                                                                                     \
		uint64_t has;
#define ID(MESSAGE, FIELD, PRESENCE, HELP)               const char *FIELD;
#define TEXT(MESSAGE, FIELD, PRESENCE, HELP)             const char *FIELD;
#define FLAG(MESSAGE, FIELD, PRESENCE, HELP)             bool FIELD;
#define NUMBER(MESSAGE, FIELD, PRESENCE, MIN, MAX, HELP) int64_t FIELD;
#define TIME(MESSAGE, FIELD, PRESENCE, HELP)             int64_t FIELD;
#define COUNT(MESSAGE, FIELD, PRESENCE, HELP)            uint64_t FIELD;
#define REAL(MESSAGE, FIELD, PRESENCE, MIN, MAX, HELP)   double FIELD;
#define CHOICE(MESSAGE, FIELD, PRESENCE, CHOICES, HELP)  int FIELD;
#define LIST(MESSAGE, FIELD, PRESENCE, ELEMENT, MAX, HELP)                                                   \
	struct ELEMENT *FIELD;                                                                               \
	size_t n_##FIELD;
#define ONE(MESSAGE, FIELD, PRESENCE, ELEMENT, HELP) struct ELEMENT *FIELD;
#define TEXTS(MESSAGE, FIELD, PRESENCE, MAX, HELP)                                                           \
	const char **FIELD;                                                                                  \
	size_t n_##FIELD;
#define ROWS(MESSAGE, FIELD, PRESENCE, LEAD, MAX, HELP)                                                      \
	uint64_t *FIELD;                                                                                     \
	size_t n_##FIELD;
#define POINTS(MESSAGE, FIELD, PRESENCE, TYPE, VALUES, MAX, HELP)                                            \
	struct TYPE *FIELD;                                                                                  \
	size_t n_##FIELD;
#define FLAGS(MESSAGE, FIELD, PRESENCE, MAX, HELP)                                                           \
	bool *FIELD;                                                                                         \
	size_t n_##FIELD;
#define END(MESSAGE)                                                                                         \
	}                                                                                                    \
	;
#include "messages.def"
#include "message_undef.h"

enum field_kind {
	FIELD_ID,
	FIELD_TEXT,
	FIELD_FLAG,
	FIELD_NUMBER,
	FIELD_TIME,
	FIELD_COUNT,
	FIELD_REAL,
	FIELD_CHOICE,
	FIELD_LIST,
	FIELD_ONE,
	FIELD_TEXTS,
	FIELD_ROWS,
	FIELD_POINTS,
	FIELD_FLAGS,
};

enum field_presence { FIELD_OPTIONAL, FIELD_REQUIRED, FIELD_DEFAULT };

struct message;

struct field {
	const char *name;
	const char *help;
	enum field_kind kind;
	enum field_presence presence;
	const char *default_text;
	double default_number;
	double min, max; // of numbers
	const struct choices *choices;
	const struct message *element; // of lists and maps
	size_t max_count;
	size_t lead;         // ROWS: values before those of `names`
	size_t n_values;     // POINTS: doubles after the time
	size_t offset;       // of the value
	size_t count_offset; // of n_FIELD
};

struct message {
	const char *name;
	const char *help;
	const struct field *fields;
	size_t n_fields;
	size_t size; // of the structure
};

// The field of that name, or NULL.
const struct field *message_field(const struct message *, const char *name);

// A request's id as it goes into a reply: NULL where every such reply has an `id` of its own, as a link has. A map has
// each key once.
const char *message_reply_id(const struct message *reply, const char *id);

// extern const struct message sample_message; and enum { sample_v, sample_host, ... }: the bits of 'has';
// sample_init() zeroes the structure and sets its defaults.
void message_init(const struct message *, void *body);
#define MESSAGE(MESSAGE, HELP)                                                                               \
	extern const struct message MESSAGE##_message;                                                       \
	static inline void MESSAGE                                                                           \
	##_init(struct MESSAGE *body) {                                                                      \
		message_init(&MESSAGE##_message, body);                                                      \
	}                                                                                                    \
	enum {
#define ID(MESSAGE, FIELD, ...)                                                                              \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define TEXT(MESSAGE, FIELD, ...)                                                                            \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define FLAG(MESSAGE, FIELD, ...)                                                                            \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define NUMBER(MESSAGE, FIELD, ...)                                                                          \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define TIME(MESSAGE, FIELD, ...)                                                                            \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define COUNT(MESSAGE, FIELD, ...)                                                                           \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define REAL(MESSAGE, FIELD, ...)                                                                            \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define CHOICE(MESSAGE, FIELD, ...)                                                                          \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define LIST(MESSAGE, FIELD, ...)                                                                            \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define ONE(MESSAGE, FIELD, ...)                                                                             \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define TEXTS(MESSAGE, FIELD, ...)                                                                           \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define ROWS(MESSAGE, FIELD, ...)                                                                            \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define POINTS(MESSAGE, FIELD, ...)                                                                          \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define FLAGS(MESSAGE, FIELD, ...)                                                                           \
	MESSAGE                                                                                              \
	##_has_##FIELD,
#define END(MESSAGE)                                                                                         \
	N_##MESSAGE                                                                                          \
	##_fields                                                                                            \
	}                                                                                                    \
	;
#include "messages.def"
#include "message_undef.h"

// Every message, in the order of messages.def.
extern const struct message *const messages[];
extern const size_t n_messages;

// HAS(&query, link_forecast_query, start_ns): was the optional field given?
#define HAS(BODY, MESSAGE, FIELD) (((BODY)->has >> MESSAGE##_has_##FIELD) & 1)
#define SET(BODY, MESSAGE, FIELD, VALUE)                                                                     \
	((BODY)->FIELD = (VALUE), (void)((BODY)->has |= UINT64_C(1) << MESSAGE##_has_##FIELD))

// enum topic { TOPIC_SAMPLE, ... } in the order of topics.def.
enum topic {
#define TOPIC(NAME, WORD, REST, MESSAGE, FROM, WHEN) TOPIC_##NAME,
#include "topics.def"
#undef TOPIC
	N_TOPICS
};

struct topic_info {
	const char *word; // "sample"
	const char *rest; // "<host>/<port name>/"
	const struct message *message;
	const char *from;
	const char *when;
};
extern const struct topic_info topics[N_TOPICS];

// Which topic is the 'size' bytes "sample/h1/net_null0/" of? Returns 0 or -ENOENT.
int topic_find(const char *text, size_t size, enum topic *ret);

// enum op { OP_PING, ... } in the order of requests.def.
enum op {
#define REQUEST(OP, NAME, REQUEST_MESSAGE, REPLY_MESSAGE, ROLE, HELP) OP_##OP,
#include "requests.def"
#undef REQUEST
	N_OPS
};

struct request_info {
	const char *name;
	const struct message *request;
	const struct message *reply;
	int role; // what a key must be allowed to, where there are keys: a role of choices.def, or ROLE_ANY
	const char *help;
};
#define ROLE_ANY (-1)
extern const struct request_info requests[N_OPS];

// Returns 0 or -ENOENT.
int op_find(const char *name, enum op *ret);

// enum publisher_op { PUBLISHER_OP_REPLAY, ... } in the order of publisher_requests.def.
enum publisher_op {
#define PUBLISHER_REQUEST(OP, NAME, REQUEST_MESSAGE, ANSWER, ANSWER_MESSAGE, HELP) PUBLISHER_OP_##OP,
#include "publisher_requests.def"
#undef PUBLISHER_REQUEST
	N_PUBLISHER_OPS
};

struct publisher_request_info {
	const char *name;
	const struct message *request;
	const char *answer_name;
	const struct message *answer;
	const char *help;
};
extern const struct publisher_request_info publisher_requests[N_PUBLISHER_OPS];

// By the name of the request, or of its answer. Return 0 or -ENOENT.
int publisher_op_find(const char *name, enum publisher_op *ret);
int publisher_op_find_answer(const char *answer_name, enum publisher_op *ret);

// enum path_op { PATH_OP_PING, ... } in the order of path_requests.def.
enum path_op {
#define PATH_REQUEST(OP, NAME, REQUEST_MESSAGE, REPLY_MESSAGE, ROLE, HELP) PATH_OP_##OP,
#include "path_requests.def"
#undef PATH_REQUEST
	N_PATH_OPS
};
extern const struct request_info path_requests[N_PATH_OPS];

// Returns 0 or -ENOENT.
int path_op_find(const char *name, enum path_op *ret);
