// The thin table at work: one way for all requests. What the schema refuses never leaves the gateway.
// SPDX-License-Identifier: MIT
#include "api.h"

#include "jsontext.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_MS 60000 // a forecast of a large topology takes its time

// A request that is under way.
struct asked {
	struct exchange *exchange;
	const struct route *route;
	char *id;
};

// ---- to MessagePack and back

static int encode_path(const struct route *route, struct document *document, struct bytes *ret,
                       struct status *status) {
	struct service_terms terms;
	struct path_query query;
	bool has_query = route->request == &path_query_message || route->beside == &path_query_message;
	bool has_terms = route->request == &service_terms_message;
	int rc;

	if (has_query && (rc = document_read(document, &path_query_message, &query, status)) < 0)
		return rc;
	if (has_terms && (rc = document_read(document, &service_terms_message, &terms, status)) < 0)
		return rc;
	return path_request_encode((enum path_op)route->op, NULL, has_query ? &query : NULL,
	                           has_terms ? &terms : NULL, ret);
}

static int encode_body(const struct route *route, struct document *document, struct bytes *ret,
                       struct status *status) {
	CLEANUP(freep) void *body = calloc(1, route->request->size + 1);
	int rc;

	if (body == NULL)
		return -ENOMEM;
	if ((rc = document_read(document, route->request, body, status)) < 0)
		return rc;
	return request_encode((enum op)route->op, NULL, body, ret);
}

int api_encode(const struct route *route, const char *json, size_t size, struct bytes *ret, char **ret_id,
               struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	CLEANUP(bytes_fini) struct bytes frame = {0};
	struct reply_id head;
	char *id = NULL;
	int rc;

	if (size == 0) {
		json = "{}";
		size = 2;
	}
	if ((rc = document_from_json(json, size, &document, status)) < 0 ||
	    (rc = document_read(document, &reply_id_message, &head, status)) < 0 ||
	    (rc = route->service == BACKEND_PATH ? encode_path(route, document, &frame, status)
	                                         : encode_body(route, document, &frame, status)) < 0)
		return rc;
	if (frame.size > LIMIT_FRAME_SIZE)
		return status_set(status, STATUS_RESOURCE_EXHAUSTED, "a request is at most %d bytes",
		                  LIMIT_FRAME_SIZE);
	if (head.id != NULL && (id = strdup(head.id)) == NULL)
		return -ENOMEM;
	*ret_id = id;
	*ret = frame;
	frame = (struct bytes){0};
	return 0;
}

int api_decode(const struct route *route, struct document *reply, const char *id, char **ret,
               enum status_code *ret_status, struct status *status) {
	CLEANUP(freep) void *body = calloc(1, route->reply->size + 1);
	struct reply_head head;
	struct status refusal;
	int rc;

	if (body == NULL)
		return -ENOMEM;
	if ((rc = document_read(reply, &reply_head_message, &head, status)) < 0)
		return rc;
	if (!head.ok) {
		status_set(&refusal,
		           head.error != NULL ? status_from_name(head.error->code) : STATUS_INTERNAL, "%s",
		           head.error != NULL ? head.error->message : "refused without a reason");
		if (head.error != NULL)
			status_name_link(&refusal, head.error->link_id, head.error->direction);
		*ret_status = refusal.code;
		return reply_error_to_json(&refusal, id, ret);
	}
	if ((rc = document_read(reply, route->reply, body, status)) < 0)
		return rc;
	*ret_status = STATUS_OK;
	return reply_to_json(route->reply, id, body, false, ret);
}

// ---- arguments of a GET as JSON

struct argument_writer {
	const struct route *route;
	FILE *file;
	size_t n;
	struct status *status;
	bool failed;
};

static bool refuse_argument(struct argument_writer *writer, const char *name, const char *why) {
	status_set(writer->status, STATUS_INVALID_ARGUMENT, "%.100s: %s", name, why);
	writer->failed = true;
	return false;
}

static bool write_argument(void *context, const char *name, const char *value) {
	struct argument_writer *writer = context;
	const struct field *field = message_field(writer->route->request, name);
	bool is_id = strcmp(name, "id") == 0;
	double number;

	if (field == NULL && !is_id)
		return refuse_argument(writer, name, "no such argument");
	if (value == NULL)
		return refuse_argument(writer, name, "has no value");
	fputs(writer->n++ > 0 ? "," : "", writer->file);
	jsontext_string(writer->file, name);
	fputc(':', writer->file);
	switch (field != NULL ? field->kind : FIELD_ID) {
	case FIELD_ID:
	case FIELD_TEXT:
	case FIELD_CHOICE:
	case FIELD_TIME:
	case FIELD_COUNT:
		jsontext_string(writer->file, value);
		return true;
	case FIELD_FLAG:
		if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
			return refuse_argument(writer, name, "expected true or false");
		fputs(value, writer->file);
		return true;
	case FIELD_NUMBER:
	case FIELD_REAL:
		if (text_to_real(value, &number) < 0)
			return refuse_argument(writer, name, "expected a number");
		fprintf(writer->file, "%.17g", number);
		return true;
	case FIELD_LIST:
	case FIELD_ONE:
	case FIELD_TEXTS:
	case FIELD_ROWS:
	case FIELD_POINTS:
	case FIELD_FLAGS:
		break;
	}
	return refuse_argument(writer, name, "goes in the body of a POST");
}

static int arguments_to_json(const struct route *route, const struct exchange *exchange, char **ret,
                             size_t *ret_size, struct status *status) {
	struct argument_writer writer = {.route = route, .status = status};

	writer.file = open_memstream(ret, ret_size);
	if (writer.file == NULL)
		return -ENOMEM;
	fputc('{', writer.file);
	exchange_arguments(exchange, write_argument, &writer);
	fputc('}', writer.file);
	return fclose(writer.file) != 0 ? -ENOMEM : writer.failed ? -EINVAL : 0;
}

// ---- HTTP

static void asked_free(struct asked *asked) {
	free(asked->id);
	free(asked);
}

static void refuse_for(struct exchange *exchange, int rc, struct status *status) {
	if (rc == -ENOMEM)
		status_set(status, STATUS_RESOURCE_EXHAUSTED, "out of memory");
	exchange_refuse(exchange, status);
}

static void on_reply(void *context, struct document *reply, const struct status *status) {
	CLEANUP(document_closep) struct document *document = reply;
	struct asked *asked = context;
	struct status failure = {.code = STATUS_OK};
	enum status_code code = STATUS_OK;
	char *text = NULL;
	int rc = 0;

	if (document == NULL) {
		exchange_refuse(asked->exchange, status);
	} else if ((rc = api_decode(asked->route, document, asked->id, &text, &code, &failure)) < 0) {
		if (rc == -EINVAL) // what the service said, not what the client did
			failure.code = STATUS_INTERNAL;
		refuse_for(asked->exchange, rc, &failure);
	} else {
		exchange_answer(asked->exchange, http_status_of(code), "application/json", text,
		                strlen(text));
	}
	asked_free(asked);
}

// A form of another site can't send this type without asking first, and is not answered then.
static bool is_json(const struct exchange *exchange) {
	static const char type[] = "application/json";
	const char *given = exchange_header(exchange, "Content-Type");

	return given != NULL && strncasecmp(given, type, strlen(type)) == 0 &&
	       strchr("; \t", given[strlen(type)]) != NULL;
}

static int check(const struct api *api, const struct exchange *exchange, const struct route *route,
                 struct status *status) {
	bool is_get = strcmp(exchange_method(exchange), "GET") == 0;

	if (route == NULL)
		return status_set(status, STATUS_NOT_FOUND, "no request '%.100s' here",
		                  exchange_path(exchange) + strlen(API_PREFIX));
	if (route->role != ROLE_ANY && (api->roles & (1U << route->role)) == 0)
		return status_set(status, STATUS_PERMISSION_DENIED,
		                  "%s needs the role %s, which this gateway does not give (--roles)",
		                  route->name, choice_word(&roles_choices, route->role));
	if (is_get ? !route_only_reads(route) : strcmp(exchange_method(exchange), "POST") != 0)
		return status_set(status, STATUS_INVALID_ARGUMENT, "%s takes POST%s", route->name,
		                  route_only_reads(route) ? " or GET" : "");
	if (!is_get && !is_json(exchange))
		return status_set(status, STATUS_INVALID_ARGUMENT, "Content-Type must be application/json");
	return 0;
}

void api_handle(struct api *api, struct exchange *exchange) {
	const struct route *route = route_find(exchange_path(exchange) + strlen(API_PREFIX));
	CLEANUP(bytes_fini) struct bytes frame = {0};
	CLEANUP(freep) char *arguments = NULL;
	struct asked *asked = calloc(1, sizeof(*asked));
	struct status status = {.code = STATUS_INTERNAL};
	const char *json;
	size_t size;
	int rc = asked != NULL ? check(api, exchange, route, &status) : -ENOMEM;

	if (rc == 0 && strcmp(exchange_method(exchange), "GET") == 0) {
		rc = arguments_to_json(route, exchange, &arguments, &size, &status);
		json = arguments;
	} else {
		json = exchange_body(exchange, &size);
	}
	if (rc == 0)
		rc = api_encode(route, json, size, &frame, &asked->id, &status);
	if (rc < 0) {
		free(asked);
		refuse_for(exchange, rc, &status);
		return;
	}
	asked->exchange = exchange;
	asked->route = route;
	backend_call(api->backend, route->service, &frame, TIMEOUT_MS, on_reply, asked);
}
