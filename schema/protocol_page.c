// Prints docs/protocol.md: the frame is written here, all else comes from the tables. Run at build time; a
// test holds the committed page against it.
// SPDX-License-Identifier: MIT
#include "codec.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char introduction[] =
        "<!-- Made from schema/*.def by schema/protocol_page.c: `ninja protocol` writes it anew. -->\n"
        "# The protocol\n"
        "\n"
        "Every payload is one [MessagePack](https://msgpack.org/) map with text keys, over\n"
        "[ZeroMQ](https://zeromq.org/). With pyzmq and msgpack, a request is\n"
        "\n"
        "    socket = zmq.Context().socket(zmq.REQ)\n"
        "    socket.connect(\"ipc:///run/linkcast/api\")\n"
        "    socket.send(msgpack.packb({\"op\": \"Ping\"}))\n"
        "    print(msgpack.unpackb(socket.recv()))\n"
        "\n"
        "and a subscription\n"
        "\n"
        "    socket = zmq.Context().socket(zmq.SUB)\n"
        "    socket.connect(\"ipc:///run/linkcast/events\")\n"
        "    socket.subscribe(\"link/\")\n"
        "    topic, message = socket.recv_multipart()\n"
        "    print(topic, msgpack.unpackb(message))\n"
        "\n"
        "## Rules\n"
        "\n"
        "- Keys that are not known are ignored, so that messages can grow. A key that is known and there "
        "twice\n"
        "  is refused, as is anything behind the map.\n"
        "- A number comes in any encoding that holds it: 10, 10.0 and a 64-bit 10 are the same.\n"
        "- NaN and infinity are refused everywhere, negative capacities too.\n"
        "- `_gbps` is 10^9 bit/s; `_seconds` is a number; `_ns` is int64 nanoseconds since the Unix epoch.\n"
        "  Time ranges include their start and not their end.\n"
        "- A value that breaks a rule is `INVALID_ARGUMENT`, the message names the field, and nothing "
        "changes.\n"
        "- A decoder checks every count against the bytes that are there before it allocates anything.\n"
        "- In JSON (files, and what the commands print with `--json`) the maps are the same, but times and\n"
        "  64-bit counts are decimal strings, because many JSON readers hold numbers as doubles.\n";

static const char transports[] =
        "## Sockets\n"
        "\n"
        "| endpoint | option | environment | default | socket there |\n"
        "|---|---|---|---|---|\n"
        "| samples | `--samples` | `LINKCAST_SAMPLES` | `ipc:///run/linkcast/samples` | SUB, analyticsd: "
        "publishers connect a PUB to it |\n"
        "| api | `--api` | `LINKCAST_API` | `ipc:///run/linkcast/api` | ROUTER, analyticsd: clients connect "
        "a "
        "REQ (or a DEALER that sends an empty frame first) |\n"
        "| events | `--events` | `LINKCAST_EVENTS` | `ipc:///run/linkcast/events` | XPUB, analyticsd: "
        "subscribers connect a SUB |\n"
        "\n"
        "Where `/run/linkcast` can't be written, `$XDG_RUNTIME_DIR/linkcast` takes its place. An option is\n"
        "stronger than the environment. `tcp://127.0.0.1:PORT` works as well; an address that other "
        "machines\n"
        "reach takes keys. A process that finds an endpoint taken by another live process says so and "
        "stops.\n"
        "\n"
        "With keys, every tcp endpoint of analyticsd and of `pathcomp serve` is a CURVE server whose\n"
        "clients must be in its allow-list, each with its roles: `publish` for the samples endpoint, `read`\n"
        "for the events endpoint, and on the endpoints that answer requests the role of each request;\n"
        "`PERMISSION_DENIED` names the one that is missing. ipc endpoints stay without keys:\n"
        "the mode of the socket's file says who may use them.\n";

static const char published[] = "## Published messages\n"
                                "\n"
                                "Two frames: topic, then map. Topics end in `/`, so that subscribing to one "
                                "never brings those whose\n"
                                "name only starts alike. The map is what counts; the topic is for choosing.\n"
                                "\n"
                                "| topic | message | from | when |\n"
                                "|---|---|---|---|\n";

static const char published_rules[] =
        "\n"
        "`host` is the publisher's host name, with `/` and EAL's `--file-prefix` behind it unless that is "
        "`rte`.\n"
        "Host and port name together identify a port.\n"
        "\n"
        "PUB sockets drop without saying so. A receiver of samples therefore counts: `seq` goes up by one "
        "with\n"
        "each row of an instance and port, so a hole in it is a loss, and `hello` tells what was published "
        "last.\n"
        "A row is identified by host, instance, port and seq. An instance begins at each `analytics start`.\n"
        "\n"
        "A sample's first eight `names` are always these. Where it is switched on, what the driver has "
        "beside them "
        "follows,\n"
        "under the driver's own names, and what the application keeps in librte_metrics; a name is there "
        "once. Names "
        "may\n"
        "differ from one message to the next.\n"
        "\n"
        "| counter | unit | what it counts |\n"
        "|---|---|---|\n";

static const char requests_text[] =
        "## Requests\n"
        "\n"
        "One frame each way. A request is the map of its message with `op`, the operation's name; a reply "
        "is\n"
        "`{\"ok\": true, ...}` with the fields of its message, or `{\"ok\": false, \"error\": {\"code\", "
        "\"message\"}}`.\n"
        "An `id` that the request carries comes back. Long answers come in pages: ask again with the "
        "reply's\n"
        "`next_page` as `page` until it is absent. A large topology goes in parts: the same `upload_id`, "
        "`part` 1\n"
        "to `parts` in order, and the last one replaces the topology as a whole.\n"
        "\n"
        "| op | request | reply | role | for |\n"
        "|---|---|---|---|---|\n";

static const char publisher_text[] =
        "\n"
        "A publisher holds a DEALER to the same endpoint: it sends `Hello` over it, and analyticsd sends "
        "back "
        "over it\n"
        "what it wants of the publisher. Each way the frames are an empty one and the map; the map of an "
        "answer has\n"
        "its own `op`. A port is told by its name there. One request is answered once: when `more` is true, "
        "ask again\n"
        "from behind the last row.\n"
        "\n"
        "| op | request | answered by | answer | for |\n"
        "|---|---|---|---|---|\n";

static const char path_text[] = "\n"
                                "`pathcomp serve` answers at its own endpoint in the same form (to a DEALER, "
                                "too, in the order of the "
                                "requests):\n"
                                "\n"
                                "| op | request | reply | role | for |\n"
                                "|---|---|---|---|---|\n";

static const char messages_text[] =
        "## Messages\n"
        "\n"
        "A field is required, optional (absent when there is nothing to say), or has a default. An *id* is "
        "text\n"
        "of 1 to %d bytes of UTF-8 without control characters; *text* has at most %d bytes. A *word* is one "
        "of\n"
        "the listed ones. A *time* is in nanoseconds. *Count* is an unsigned 64-bit number.\n";

static const struct {
	const char *name;
	int64_t value;
	const char *help;
} limits[] = {
#define LIMIT(NAME, VALUE, HELP) {#NAME, VALUE, HELP},
#include "limits.def"
#undef LIMIT
};

#define ARRAY_SIZE(ARRAY) (sizeof(ARRAY) / sizeof((ARRAY)[0]))

// Where a message of that name is told, as GitHub makes anchors of headings.
static void print_reference(const struct message *message) {
	printf("[%s](#%s)", message->name, message->name);
}

// Help is plain text; Markdown would take <host> for HTML.
static void print_help(const char *help) {
	for (; *help != '\0'; help++) {
		if (*help == '<')
			fputs("&lt;", stdout);
		else if (*help == '|')
			fputs("\\|", stdout);
		else
			putchar(*help);
	}
}

static void print_range(const struct field *field) {
	if (isinf(field->min) && isinf(field->max))
		return;
	// as doubles, the edges of the 64-bit numbers are just outside of them
	if (isinf(field->max) || field->max >= 0x1p63)
		printf(", at least %.15g", field->min);
	else if (field->min == field->max)
		printf(", %.15g", field->min);
	else
		printf(", %.15g to %.15g", field->min, field->max);
}

static void print_words(const struct choices *choices) {
	for (int i = 0; i < choices->n_words; i++)
		printf("%s`%s`", i == 0 ? "word: " : " ", choices->words[i]);
}

static void print_kind(const struct field *field) {
	switch (field->kind) {
	case FIELD_ID:
		printf("id");
		break;
	case FIELD_TEXT:
		printf("text");
		break;
	case FIELD_FLAG:
		printf("true or false");
		break;
	case FIELD_NUMBER:
		printf("whole number");
		print_range(field);
		break;
	case FIELD_TIME:
		printf("time");
		break;
	case FIELD_COUNT:
		printf("count");
		break;
	case FIELD_REAL:
		printf("number");
		print_range(field);
		break;
	case FIELD_CHOICE:
		print_words(field->choices);
		break;
	case FIELD_LIST:
		printf("array of ");
		print_reference(field->element);
		break;
	case FIELD_ONE:
		print_reference(field->element);
		break;
	case FIELD_TEXTS:
		printf("array of ids");
		break;
	case FIELD_ROWS:
		printf("array of arrays of counts");
		break;
	case FIELD_POINTS:
		printf("array of [time, %snumber]", field->n_values == 3 ? "number, number, " : "");
		break;
	case FIELD_FLAGS:
		printf("array of true or false");
		break;
	}
	if (field->max_count > 0)
		printf(", at most %zu", field->max_count);
}

static void print_presence(const struct field *field) {
	if (field->presence == FIELD_REQUIRED) {
		printf("required");
		return;
	}
	if (field->presence == FIELD_OPTIONAL) {
		printf("optional");
		return;
	}
	if (field->default_text != NULL)
		printf("`%s`", field->default_text);
	else if (field->kind == FIELD_FLAG)
		printf("`%s`", field->default_number != 0 ? "true" : "false");
	else if (field->kind == FIELD_CHOICE)
		printf("`%s`", choice_word(field->choices, (int)field->default_number));
	else
		printf("`%.15g`", field->default_number);
}

static void print_message(const struct message *message) {
	printf("\n### %s\n\n", message->name);
	print_help(message->help);
	printf(".\n");
	if (message->n_fields == 0)
		return;
	printf("\n| field | kind | required, or default | |\n|---|---|---|---|\n");
	for (size_t i = 0; i < message->n_fields; i++) {
		printf("| `%s` | ", message->fields[i].name);
		print_kind(&message->fields[i]);
		printf(" | ");
		print_presence(&message->fields[i]);
		printf(" | ");
		print_help(message->fields[i].help);
		printf(" |\n");
	}
}

static void print_published(void) {
	fputs(published, stdout);
	for (int i = 0; i < N_TOPICS; i++) {
		printf("| `%s/%s` | ", topics[i].word, topics[i].rest);
		print_reference(topics[i].message);
		printf(" | %s | %s |\n", topics[i].from, topics[i].when);
	}
	fputs(published_rules, stdout);
	for (int i = 0; i < N_PORT_COUNTERS; i++)
		printf("| `%s` | %s | %s |\n", port_counters[i].name, port_counters[i].unit,
		       port_counters[i].help);
}

static const char *role_text(int role) {
	return role == ROLE_ANY ? "any" : choice_word(&roles_choices, role);
}

static void print_requests(void) {
	fputs(requests_text, stdout);
	for (int op = 0; op < N_OPS; op++) {
		printf("| `%s` | ", requests[op].name);
		print_reference(requests[op].request);
		printf(" | ");
		print_reference(requests[op].reply);
		printf(" | %s | %s |\n", role_text(requests[op].role), requests[op].help);
	}
	fputs(publisher_text, stdout);
	for (int op = 0; op < N_PUBLISHER_OPS; op++) {
		printf("| `%s` | ", publisher_requests[op].name);
		print_reference(publisher_requests[op].request);
		printf(" | `%s` | ", publisher_requests[op].answer_name);
		print_reference(publisher_requests[op].answer);
		printf(" | %s |\n", publisher_requests[op].help);
	}
	fputs(path_text, stdout);
	for (int op = 0; op < N_PATH_OPS; op++) {
		printf("| `%s` | ", path_requests[op].name);
		print_reference(path_requests[op].request);
		printf(" | ");
		print_reference(path_requests[op].reply);
		printf(" | %s | %s |\n", role_text(path_requests[op].role), path_requests[op].help);
	}
	printf("\nThe codes of an error:\n\n| code | meaning |\n|---|---|\n");
	for (int code = STATUS_OK + 1; code < N_STATUS_CODES; code++)
		printf("| `%s` | %s |\n", status_name((enum status_code)code),
		       status_help((enum status_code)code));
}

static void print_limits(void) {
	printf("## Limits\n\n| limit | value | |\n|---|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		printf("| `%s` | %" PRId64 " | %s |\n", limits[i].name, limits[i].value, limits[i].help);
}

int main(void) {
	fputs(introduction, stdout);
	putchar('\n');
	fputs(transports, stdout);
	putchar('\n');
	print_published();
	putchar('\n');
	print_requests();
	putchar('\n');
	print_limits();
	putchar('\n');
	printf(messages_text, LIMIT_ID_SIZE, LIMIT_TEXT_SIZE);
	for (size_t i = 0; i < n_messages; i++)
		print_message(messages[i]);
	return ferror(stdout) || fflush(stdout) != 0;
}
