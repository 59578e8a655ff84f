// A message is a schema, a request a path. What is beside them (streams, metrics, health) is written out here.
// SPDX-License-Identifier: MIT
#include "openapi.h"

#include "codec.h"
#include "jsontext.h"
#include "routes.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT_PATTERN "^[0-9]{1,20}$"
#define TIME_PATTERN  "^-?[0-9]{1,19}$"

static const char head[] =
        "{\n"
        "\"openapi\": \"3.1.0\",\n"
        "\"info\": {\"title\": \"Linkcast\", \"version\": \"" LINKCAST_VERSION "\",\n"
        " \"description\": \"The requests of docs/protocol.md as JSON over HTTP. Times (_ns) and 64-bit "
        "counts are decimal "
        "strings. A request that only reads may also be asked with GET, its simple fields as arguments.\",\n"
        " \"license\": {\"name\": \"MIT\", \"identifier\": \"MIT\"}},\n"
        "\"servers\": [{\"url\": \"/\"}],\n"
        "\"security\": [{}, {\"token\": []}],\n";

static const char other_paths[] =
        "\"/events\": {\"get\": {\"operationId\": \"events\", \"summary\": \"What analyticsd publishes, as "
        "server-sent "
        "events: `event` is the topic's first word, `data` the message as JSON\",\n"
        " \"parameters\": [\n"
        "  {\"name\": \"topic\", \"in\": \"query\", \"description\": \"a prefix of topics; may be given "
        "again\", "
        "\"schema\": {\"type\": \"string\"}},\n"
        "  {\"name\": \"every\", \"in\": \"query\", \"description\": \"a duration: at most so often, only "
        "the newest of "
        "each topic\", \"schema\": {\"type\": \"string\"}},\n"
        "  {\"name\": \"last_id\", \"in\": \"query\", \"description\": \"id of the last event had: go on "
        "behind it; as the "
        "header Last-Event-ID\", \"schema\": {\"type\": \"string\"}}],\n"
        " \"responses\": {\"200\": {\"description\": \"a stream without end\", \"content\": "
        "{\"text/event-stream\": "
        "{\"schema\": {\"type\": \"string\"}}}}, \"default\": {\"$ref\": "
        "\"#/components/responses/failure\"}}}},\n"
        "\"/metrics\": {\"get\": {\"operationId\": \"metrics\", \"summary\": \"Counters, links and forecasts "
        "in "
        "OpenMetrics\", \"responses\": {\"200\": {\"description\": \"OpenMetrics 1.0\", \"content\": "
        "{\"application/openmetrics-text\": {\"schema\": {\"type\": \"string\"}}}}}}},\n"
        "\"/healthz\": {\"get\": {\"operationId\": \"healthz\", \"summary\": \"Does the gateway live\", "
        "\"security\": "
        "[{}], \"responses\": {\"200\": {\"$ref\": \"#/components/responses/well\"}}}},\n"
        "\"/readyz\": {\"get\": {\"operationId\": \"readyz\", \"summary\": \"Does analyticsd answer\", "
        "\"security\": [{}], "
        "\"responses\": {\"200\": {\"$ref\": \"#/components/responses/well\"}, \"default\": {\"$ref\": "
        "\"#/components/responses/failure\"}}}},\n"
        "\"/api/v1/about\": {\"get\": {\"operationId\": \"about\", \"summary\": \"What this gateway passes "
        "on, and "
        "whether the services are connected\", \"responses\": {\"200\": {\"description\": \"about\", "
        "\"content\": "
        "{\"application/json\": {\"schema\": {\"type\": \"object\", \"required\": [\"ok\", \"version\", "
        "\"analyticsd\", "
        "\"pathcomp\", \"roles\"], \"properties\": {\"ok\": {\"const\": true}, \"version\": {\"type\": "
        "\"string\"}, "
        "\"analyticsd\": {\"type\": \"boolean\"}, \"pathcomp\": {\"type\": \"boolean\"}, \"roles\": "
        "{\"type\": "
        "\"array\", \"items\": {\"type\": \"string\"}}}}}}}}}},\n"
        "\"/api/v1/openapi.json\": {\"get\": {\"operationId\": \"openapi\", \"summary\": \"This document\", "
        "\"security\": "
        "[{}], \"responses\": {\"200\": {\"description\": \"OpenAPI 3.1\", \"content\": "
        "{\"application/json\": {}}}}}}\n";

static const char tail[] = "\"responses\": {\n"
                           " \"well\": {\"description\": \"yes\", \"content\": {\"application/json\": "
                           "{\"schema\": {\"type\": \"object\", "
                           "\"properties\": {\"ok\": {\"const\": true}}}}}},\n"
                           " \"failure\": {\"description\": \"why not\", \"content\": {\"application/json\": "
                           "{\"schema\": {\"$ref\": "
                           "\"#/components/schemas/refusal\"}}}}},\n"
                           "\"securitySchemes\": {\"token\": {\"type\": \"http\", \"scheme\": \"bearer\", "
                           "\"description\": \"where the "
                           "gateway was given one\"}}}\n"
                           "}\n";

// ---- schemas

static void put_range(FILE *file, const struct field *field) {
	if (isfinite(field->min))
		fprintf(file, ", \"minimum\": %.15g", field->min);
	// as a double, the edge of the 64-bit numbers is just outside of them
	if (isfinite(field->max) && field->max < 0x1p63)
		fprintf(file, ", \"maximum\": %.15g", field->max);
}

static void put_words(FILE *file, const struct choices *choices) {
	fputs("\"type\": \"string\", \"enum\": [", file);
	for (int i = 0; i < choices->n_words; i++) {
		fputs(i > 0 ? ", " : "", file);
		jsontext_string(file, choices->words[i]);
	}
	fputc(']', file);
}

static void put_reference(FILE *file, const struct message *message) {
	fprintf(file, "\"$ref\": \"#/components/schemas/%s\"", message->name);
}

static void put_array(FILE *file, const struct field *field, const char *items) {
	fprintf(file, "\"type\": \"array\"");
	if (field->max_count > 0)
		fprintf(file, ", \"maxItems\": %zu", field->max_count);
	fprintf(file, ", \"items\": {%s}", items);
}

static void put_kind(FILE *file, const struct field *field) {
	switch (field->kind) {
	case FIELD_ID:
		fprintf(file, "\"type\": \"string\", \"minLength\": 1, \"maxLength\": %d", LIMIT_ID_SIZE);
		break;
	case FIELD_TEXT:
		fprintf(file, "\"type\": \"string\", \"maxLength\": %d", LIMIT_TEXT_SIZE);
		break;
	case FIELD_FLAG:
		fputs("\"type\": \"boolean\"", file);
		break;
	case FIELD_NUMBER:
		fputs("\"type\": \"integer\"", file);
		put_range(file, field);
		break;
	case FIELD_TIME:
		fputs("\"type\": \"string\", \"pattern\": \"" TIME_PATTERN "\"", file);
		break;
	case FIELD_COUNT:
		fputs("\"type\": \"string\", \"pattern\": \"" COUNT_PATTERN "\"", file);
		break;
	case FIELD_REAL:
		fputs("\"type\": \"number\"", file);
		put_range(file, field);
		break;
	case FIELD_CHOICE:
		put_words(file, field->choices);
		break;
	case FIELD_LIST:
		fprintf(file, "\"type\": \"array\", \"maxItems\": %zu, \"items\": {", field->max_count);
		put_reference(file, field->element);
		fputc('}', file);
		break;
	case FIELD_ONE:
		put_reference(file, field->element);
		break;
	case FIELD_TEXTS:
		put_array(file, field, "\"type\": \"string\"");
		break;
	case FIELD_ROWS:
		put_array(
		        file, field,
		        "\"type\": \"array\", \"items\": {\"type\": \"string\", \"pattern\": \"" COUNT_PATTERN
		        "\"}");
		break;
	case FIELD_POINTS:
		put_array(file, field,
		          "\"type\": \"array\", \"prefixItems\": [{\"type\": \"string\", \"pattern\": "
		          "\"" TIME_PATTERN "\"}], \"items\": {\"type\": \"number\"}");
		break;
	case FIELD_FLAGS:
		put_array(file, field, "\"type\": \"boolean\"");
		break;
	}
}

static void put_default(FILE *file, const struct field *field) {
	fputs(", \"default\": ", file);
	if (field->default_text != NULL)
		jsontext_string(file, field->default_text);
	else if (field->kind == FIELD_FLAG)
		fputs(field->default_number != 0 ? "true" : "false", file);
	else if (field->kind == FIELD_CHOICE)
		jsontext_string(file, choice_word(field->choices, (int)field->default_number));
	else
		fprintf(file, "%.15g", field->default_number);
}

static void put_field(FILE *file, const struct field *field) {
	fputs("  ", file);
	jsontext_string(file, field->name);
	fputs(": {", file);
	put_kind(file, field);
	if (field->presence == FIELD_DEFAULT)
		put_default(file, field);
	if (field->help[0] != '\0') {
		fputs(", \"description\": ", file);
		jsontext_string(file, field->help);
	}
	fputc('}', file);
}

static void put_required(FILE *file, const struct message *message) {
	bool any = false;

	for (size_t i = 0; i < message->n_fields; i++) {
		if (message->fields[i].presence != FIELD_REQUIRED)
			continue;
		fputs(any ? ", " : ", \"required\": [", file);
		jsontext_string(file, message->fields[i].name);
		any = true;
	}
	fputs(any ? "]" : "", file);
}

static void put_message(FILE *file, const struct message *message) {
	fputc(' ', file);
	jsontext_string(file, message->name);
	fputs(": {\"type\": \"object\", \"description\": ", file);
	jsontext_string(file, message->help);
	put_required(file, message);
	if (message->n_fields > 0)
		fputs(", \"properties\": {\n", file);
	for (size_t i = 0; i < message->n_fields; i++) {
		put_field(file, &message->fields[i]);
		fputs(i + 1 < message->n_fields ? ",\n" : "}", file);
	}
	fputs("},\n", file);
}

static void put_schemas(FILE *file) {
	fputs("\"components\": {\n\"schemas\": {\n", file);
	for (size_t i = 0; i < n_messages; i++)
		put_message(file, messages[i]);
	fputs(" \"refusal\": {\"type\": \"object\", \"required\": [\"ok\", \"error\"], \"properties\": "
	      "{\"ok\": {\"const\": "
	      "false}, \"id\": {\"type\": \"string\"}, \"error\": {\"$ref\": "
	      "\"#/components/schemas/failure\"}}}},\n",
	      file);
}

// ---- paths

static void put_body(FILE *file, const struct route *route) {
	fputs(" \"requestBody\": {\"content\": {\"application/json\": {\"schema\": {", file);
	if (route->beside != NULL) {
		fputs("\"allOf\": [{", file);
		put_reference(file, route->beside);
		fputs("}, {", file);
	}
	put_reference(file, route->request);
	fputs(route->beside != NULL ? "}]" : "", file);
	fputs("}}}},\n", file);
}

static void put_answers(FILE *file, const struct route *route) {
	fputs(" \"responses\": {\"200\": {\"description\": \"done\", \"content\": {\"application/json\": "
	      "{\"schema\": "
	      "{\"allOf\": [{\"type\": \"object\", \"required\": [\"ok\"], \"properties\": {\"ok\": "
	      "{\"const\": true}, \"id\": "
	      "{\"type\": \"string\"}}}, {",
	      file);
	put_reference(file, route->reply);
	fputs("}]}}}}, \"default\": {\"$ref\": \"#/components/responses/failure\"}}}", file);
}

static bool fits_in_argument(const struct field *field) {
	return field->kind <= FIELD_CHOICE;
}

static void put_arguments(FILE *file, const struct message *message) {
	bool any = false;

	fputs(" \"parameters\": [", file);
	for (size_t i = 0; i < message->n_fields; i++) {
		const struct field *field = &message->fields[i];

		if (!fits_in_argument(field))
			continue;
		fputs(any ? ",\n  {\"name\": " : "\n  {\"name\": ", file);
		jsontext_string(file, field->name);
		fprintf(file, ", \"in\": \"query\", \"required\": %s, \"schema\": {",
		        field->presence == FIELD_REQUIRED ? "true" : "false");
		put_kind(file, field);
		fputs("}}", file);
		any = true;
	}
	fputs("],\n", file);
}

static void put_operation(FILE *file, const struct route *route, const char *method) {
	fprintf(file, "\"%s\": {\"operationId\": \"%s%s\", \"summary\": ", method,
	        strcmp(method, "get") == 0 ? "get" : "", route->name);
	jsontext_string(file, route->help);
	fprintf(file, ", \"x-role\": \"%s\",\n",
	        route->role == ROLE_ANY ? "any" : choice_word(&roles_choices, route->role));
}

static void put_route(FILE *file, const struct route *route) {
	fprintf(file, "\"" API_PREFIX "%s\": {", route->name);
	put_operation(file, route, "post");
	put_body(file, route);
	put_answers(file, route);
	if (route_only_reads(route)) {
		fputs(",\n", file);
		put_operation(file, route, "get");
		put_arguments(file, route->request);
		put_answers(file, route);
	}
	fputs("},\n", file);
}

int openapi_text(char **ret, size_t *ret_size) {
	FILE *file = open_memstream(ret, ret_size);
	bool failed;

	if (file == NULL)
		return -ENOMEM;
	fputs(head, file);
	fputs("\"paths\": {\n", file);
	for (size_t i = 0; i < n_routes; i++)
		put_route(file, &routes[i]);
	fputs(other_paths, file);
	fputs("},\n", file);
	put_schemas(file);
	fputs(tail, file);
	failed = ferror(file) != 0;
	return fclose(file) != 0 || failed ? -ENOMEM : 0;
}
