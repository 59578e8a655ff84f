// What the decoder accepts and refuses, written here as hex or JSON. Whole messages: test_schema_golden.c.
// SPDX-License-Identifier: MIT
#include "hex.h"

#include <criterion/parameterized.h>
#include <errno.h>
#include <stdio.h>

static const struct message *find_message(const char *name) {
	for (size_t i = 0; i < n_messages; i++) {
		if (strcmp(messages[i]->name, name) == 0)
			return messages[i];
	}
	cr_assert_fail("no message '%s'", name);
	return NULL;
}

// Decodes hex or JSON as 'message'; returns what document_from_* or document_read() says.
static int try_read(const char *text, bool is_json, const struct message *message, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	CLEANUP(bytes_fini) struct bytes bytes = {0};
	void *body = malloc(message->size);
	int rc;

	cr_assert_not_null(body);
	memset(status, 0, sizeof(*status));
	if (is_json) {
		rc = document_from_json(text, strlen(text), &document, status);
	} else {
		bytes = bytes_from_hex(text);
		rc = document_from_msgpack(bytes.data, bytes.size, &document, status);
	}
	if (rc == 0)
		rc = document_read(document, message, body, status);
	free(body);
	return rc;
}

// ---- bytes that are no message

// Peak of the address space in kB: an allocation shows there even when it is never used.
static long peak_kb(void) {
	char line[256];
	long peak = -1;
	FILE *file = fopen("/proc/self/status", "r");

	cr_assert_not_null(file);
	while (fgets(line, sizeof(line), file) != NULL)
		(void)sscanf(line, "VmPeak: %ld", &peak);
	fclose(file);
	cr_assert(peak > 0);
	return peak;
}

struct text_case {
	char text[160];
};

ParameterizedTestParameters(schema, counts_over_the_bytes_are_refused_without_allocating) {
	static struct text_case cases[] = {
	        {"dd e2 8b e2 01"},
	        {"81 a1 61 dd e2 8b e2 01"},
	        {"81 a1 61 dd e2 8b e2 01 c0 c0 c0"},
	        {"df ff ff ff ff a1 61 c0"},
	        {"81 a1 61 db ff ff ff ff 61"},
	        {"81 a1 61 c6 ff ff ff ff 61"},
	        {"81 a1 61 c9 ff ff ff ff 01 61"},
	        {"81 a1 61 dc ff ff c0"},
	        {"81 a1 61 92 dd 7f ff ff ff c0"},
	};
	return cr_make_param_array(struct text_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct text_case *c, schema, counts_over_the_bytes_are_refused_without_allocating) {
	struct bytes bytes = bytes_from_hex(c->text);
	struct document *document = NULL;
	struct status status = {0};
	long before = peak_kb();

	cr_assert_eq(document_from_msgpack(bytes.data, bytes.size, &document, &status), -EINVAL);
	cr_assert_null(document);
	cr_assert_lt(peak_kb() - before, 64 * 1024, "%s made the process grow by %ld kB", c->text,
	             peak_kb() - before);
	bytes_fini(&bytes);
}

ParameterizedTestParameters(schema, what_is_not_one_map_is_refused) {
	static struct text_case cases[] = {
	        {""},               // nothing
	        {"c0"},             // nil
	        {"93 01 02 03"},    // an array
	        {"a2 68 69"},       // text
	        {"c1"},             // never used by MessagePack
	        {"80 80"},          // two maps
	        {"81 a1 61 01 c0"}, // a byte behind the map
	        {"81 a1 61 c1"},    // never used, inside
	};
	return cr_make_param_array(struct text_case, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct text_case *c, schema, what_is_not_one_map_is_refused) {
	struct status status;

	cr_assert_eq(try_read(c->text, false, &empty_message, &status), -EINVAL, "%s was taken", c->text);
	cr_assert_eq(status.code, STATUS_INVALID_ARGUMENT);
	cr_assert_neq(status.message[0], '\0');
}

Test(schema, sixteen_levels_are_taken_and_seventeen_refused) {
	struct status status;
	char hex[256], json[128] = "{\"a\":";
	size_t used;

	for (int levels = 16; levels <= 17; levels++) {
		used = (size_t)snprintf(hex, sizeof(hex), "81 a1 61");
		for (int i = 1; i < levels; i++)
			used += (size_t)snprintf(hex + used, sizeof(hex) - used, " 91");
		snprintf(hex + used, sizeof(hex) - used, " c0");
		cr_assert_eq(try_read(hex, false, &empty_message, &status), levels == 16 ? 0 : -EINVAL,
		             "%d levels: %s", levels, status.message);

		snprintf(json, sizeof(json), "{\"a\":%.*s1%.*s}", levels - 1, "[[[[[[[[[[[[[[[[[[[[",
		         levels - 1, "]]]]]]]]]]]]]]]]]]]]");
		cr_assert_eq(try_read(json, true, &empty_message, &status), levels == 16 ? 0 : -EINVAL,
		             "%d levels: %s", levels, status.message);
	}
}

Test(schema, a_frame_over_the_limit_is_refused) {
	struct document *document = NULL;
	struct status status = {0};
	uint8_t *frame = calloc(1, LIMIT_FRAME_SIZE + 1);

	// {"a": bin of all the rest}
	memcpy(frame,
	       "\x81\xa1"
	       "a\xc6\x00\xff\xff\xf9",
	       8);
	cr_assert_eq(document_from_msgpack(frame, LIMIT_FRAME_SIZE + 1, &document, &status), -EINVAL);
	frame[7] = 0xf8;
	cr_assert_eq(document_from_msgpack(frame, LIMIT_FRAME_SIZE, &document, &status), 0, "%s",
	             status.message);
	document_close(document);
	free(frame);
}

// ---- values of the wrong kind or out of range

struct refusal {
	char message[32];
	char text[200];  // JSON, or hex
	char names[120]; // what the reason must name
};

ParameterizedTestParameters(schema, a_bad_value_is_refused_and_its_field_named) {
	static struct refusal cases[] = {
	        {"node", "{}", "id: missing"},
	        {"node", "{\"id\":null}", "id: missing"},
	        {"node", "{\"id\":7}", "id: must be text"},
	        {"node", "{\"id\":\"\"}", "id: must not be empty"},
	        {"node", "{\"id\":\"a\\u0001\"}", "id: holds a control character"},
	        {"node", "{\"id\":\"a\\n\"}", "id: holds a control character"},
	        {"node", "{\"id\":\"a\\u007f\"}", "id: holds a control character"},
	        {"node", "{\"id\":\"a\\u0085\"}", "id: holds a control character"},
	        {"node", "{\"id\":\"a\",\"x\":\"1\"}", "x: must be a number"},
	        {"node", "{\"id\":\"a\",\"x\":[1]}", "x: must be a number"},
	        {"node", "{\"id\":\"a\",\"x\":true}", "x: must be a number"},
	        {"link", "{\"id\":\"l\",\"a\":\"x\",\"z\":\"y\",\"total_capacity_gbps\":-1}",
	         "total_capacity_gbps: must be at least 0"},
	        {"link", "{\"id\":\"l\",\"a\":\"x\",\"z\":\"y\",\"cost\":-1}", "cost: must be from 0 to"},
	        {"link", "{\"id\":\"l\",\"a\":\"x\",\"z\":\"y\",\"bidirectional\":1}",
	         "bidirectional: must be true or false"},
	        {"link", "{\"id\":\"l\",\"a\":\"x\",\"z\":\"y\",\"srlg\":\"one\"}", "srlg: must be an array"},
	        {"link", "{\"id\":\"l\",\"a\":\"x\",\"z\":\"y\",\"srlg\":[\"\"]}", "srlg: must not be empty"},
	        {"topology", "{\"nodes\":{},\"links\":[]}", "nodes: must be an array"},
	        {"topology", "{\"nodes\":[1],\"links\":[]}", "nodes[0].must be a map"},
	        {"topology", "{\"nodes\":[{\"id\":\"a\"},{\"x\":1}],\"links\":[]}", "nodes[1].id: missing"},
	        {"topology",
	         "{\"nodes\":[],\"links\":[{\"id\":\"l\",\"a\":\"x\",\"z\":\"y\",\"ports\":[{}]}]}",
	         "links[0].ports[0].host: missing"},
	        {"link_change", "{\"link_id\":\"l\",\"direction\":\"sideways\"}", "direction: "},
	        {"link_change", "{\"link_id\":\"l\",\"direction\":0}", "direction: "},
	        {"kpi_append", "{\"link_id\":\"l\",\"kpi\":300,\"samples\":[]}",
	         "kpi: must be from 301 to 302"},
	        {"kpi_append", "{\"link_id\":\"l\",\"kpi\":302.5,\"samples\":[]}",
	         "kpi: must be a whole number"},
	        {"kpi_append", "{\"link_id\":\"l\",\"kpi\":\"x\",\"samples\":[]}",
	         "kpi: must be a whole number"},
	        {"kpi_append", "{\"link_id\":\"l\",\"kpi\":302,\"samples\":[[1]]}", "samples[0]: must be"},
	        {"kpi_append", "{\"link_id\":\"l\",\"kpi\":302,\"samples\":[[1,2],[1,2,3]]}",
	         "samples[1]: must be"},
	        {"kpi_append", "{\"link_id\":\"l\",\"kpi\":302,\"samples\":[[1,-0.5]]}", "samples[0][1]: "},
	        {"kpi_append", "{\"link_id\":\"l\",\"kpi\":302,\"samples\":[[1.5,1]]}", "samples[0][0]: "},
	        {"kpi_append", "{\"link_id\":\"l\",\"kpi\":302,\"samples\":[[\"9223372036854775808\",1]]}",
	         "samples[0][0]: "},
	        {"hello", "{\"v\":2,\"host\":\"h\"}", "v: must be from 1 to 1"},
	        {"hello", "{\"v\":1,\"host\":\"h\",\"instance\":-1}", "instance: must be a whole number"},
	        {"hello", "{\"v\":1,\"host\":\"h\",\"instance\":\"-1\"}", "instance: must be a whole number"},
	        {"hello", "{\"v\":1,\"host\":\"h\",\"instance\":\"18446744073709551616\"}",
	         "instance: must be a whole number"},
	        {"hello", "{\"v\":1,\"host\":\"h\",\"instance\":\"\"}", "instance: must be a whole number"},
	        {"hello", "{\"v\":1,\"host\":\"h\",\"instance\":\" 1\"}", "instance: must be a whole number"},
	        {"link_forecast_query", "{\"link_id\":\"l\",\"forecast_window_seconds\":0}",
	         "forecast_window_seconds: must be"},
	        {"link_forecast_query", "{\"link_id\":\"l\",\"forecast_window_seconds\":9,\"quantile\":1}",
	         "quantile: must be"},
	        {"port_series", "{\"names\":[\"a\"],\"rows\":[[1,2,3]]}", "rows: 2 values a row for 1 names"},
	        {"port_series", "{\"names\":[\"a\"],\"rows\":[[1,2],[1]]}", "rows[1]: must be"},
	        {"port_series", "{\"names\":[\"a\"],\"rows\":[[]]}", "rows: "},
	        {"port_series", "{\"names\":[\"a\"],\"rows\":[[\"9223372036854775808\",2]]}", "rows[0][0]: "},
	        {"port_series", "{\"names\":[\"a\"],\"rows\":[[1,-2]]}", "rows[0][1]: "},
	        {"reply_head", "{\"ok\":false,\"error\":{\"code\":\"X\"}}", "error.message: missing"},
	        {"path", "{\"links\":[],\"nodes\":[],\"reversed\":[1]}", "reversed: "},
	        {"node", "{\"id\":\"a\"", "line 1"},
	        {"node", "[1]", "not a JSON object"},
	        {"node", "{\"id\":\"a\",\"id\":\"b\"}", "duplicate"},
	        {"node", "{\"id\":\"a\",\"x\":1e999}", "line 1"},
	};
	return cr_make_param_array(struct refusal, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct refusal *c, schema, a_bad_value_is_refused_and_its_field_named) {
	struct status status;

	cr_assert_eq(try_read(c->text, true, find_message(c->message), &status), -EINVAL, "%s was taken",
	             c->text);
	cr_assert_eq(status.code, STATUS_INVALID_ARGUMENT);
	cr_assert_not_null(strstr(status.message, c->names), "%s: said '%s'", c->text, status.message);
}

// What JSON can't say.
ParameterizedTestParameters(schema, bad_bytes_in_a_field_are_refused_and_it_is_named) {
	static struct refusal cases[] = {
	        {"node", "82 a2 6964 a1 61 a1 78 cb 7ff8000000000000", "x: must be finite"}, // NaN
	        {"node", "82 a2 6964 a1 61 a1 78 cb 7ff0000000000000", "x: must be finite"}, // inf
	        {"node", "82 a2 6964 a1 61 a1 78 cb fff0000000000000", "x: must be finite"}, // -inf
	        {"node", "82 a2 6964 a1 61 a1 78 ca 7fc00000", "x: must be finite"},         // float32 NaN
	        {"node", "82 a2 6964 a1 61 a1 78 c4 01 31", "x: must be a number"},          // bin
	        {"node", "81 a2 6964 c4 01 61", "id: must be text"},
	        {"node", "81 a2 6964 a2 c3 28", "id: not UTF-8"},
	        {"node", "81 a2 6964 a2 c0 80", "id: not UTF-8"},       // NUL, too long a form
	        {"node", "81 a2 6964 a3 ed a0 80", "id: not UTF-8"},    // a surrogate
	        {"node", "81 a2 6964 a4 f4 90 80 80", "id: not UTF-8"}, // beyond U+10FFFF
	        {"node", "81 a2 6964 a2 61 00", "id: not UTF-8"},       // NUL
	        {"node", "81 a2 6964 a2 61 e4", "id: not UTF-8"},       // cut short
	        {"node", "82 a2 6964 a1 61 a2 6964 a1 62", "id: is there twice"},
	        {"node", "82 a2 6964 a1 61 a2 6964 c0", "id: is there twice"},
	        {"kpi_append",
	         "83 a7 6c696e6b5f6964 a1 61 a3 6b7069 cd 012e a7 73616d706c6573 91 92 01 cb "
	         "7ff8000000000000",
	         "samples[0][1]: "},
	        {"kpi_append",
	         "83 a7 6c696e6b5f6964 a1 61 a3 6b7069 cd 012e a7 73616d706c6573 91 92 01 cb "
	         "7ff0000000000000",
	         "samples[0][1]: "},
	        {"kpi_append",
	         "83 a7 6c696e6b5f6964 a1 61 a3 6b7069 cd 012e a7 73616d706c6573 91 92 cf ffffffffffffffff "
	         "01",
	         "samples[0][0]: "},
	        {"kpi_append", // a time as text is for JSON only
	         "83 a7 6c696e6b5f6964 a1 61 a3 6b7069 cd 012e a7 73616d706c6573 91 92 a1 31 01",
	         "samples[0][0]: "},
	};
	return cr_make_param_array(struct refusal, cases, ARRAY_SIZE(cases));
}

ParameterizedTest(struct refusal *c, schema, bad_bytes_in_a_field_are_refused_and_it_is_named) {
	struct status status;

	cr_assert_eq(try_read(c->text, false, find_message(c->message), &status), -EINVAL, "%s was taken",
	             c->text);
	cr_assert_not_null(strstr(status.message, c->names), "%s: said '%s'", c->text, status.message);
}

// ---- what is accepted

ParameterizedTestParameters(schema, ten_is_ten_in_any_encoding) {
	static struct text_case cases[] = {
	        {"0a"},
	        {"cc 0a"},
	        {"cd 000a"},
	        {"ce 0000000a"},
	        {"cf 000000000000000a"},
	        {"d0 0a"},
	        {"d1 000a"},
	        {"d2 0000000a"},
	        {"d3 000000000000000a"},
	        {"ca 41200000"},
	        {"cb 4024000000000000"},
	};
	return cr_make_param_array(struct text_case, cases, ARRAY_SIZE(cases));
}

// {"first_seq": 10, "last_seq": 10, "name": "a", "port": 10}, {"id": "a", "x": 10}, rows and points of 10
ParameterizedTest(struct text_case *c, schema, ten_is_ten_in_any_encoding) {
	char hex[1024];
	struct bytes bytes;
	struct document *document;
	struct hello_port port;
	struct kpi_series series;
	struct node node;

	snprintf(hex, sizeof(hex),
	         "86 a2 6964 a1 61 a1 78 %s a4 6e616d65 a1 61 a4 706f7274 %s a9 66697273745f736571 %s "
	         "a8 6c6173745f736571 %s",
	         c->text, c->text, c->text, c->text);
	bytes = bytes_from_hex(hex);
	document = decode(bytes);
	read_as(document, &node_message, &node);
	read_as(document, &hello_port_message, &port);
	cr_assert_float_eq(node.x, 10, 0);
	cr_assert_eq(port.port, 10);
	cr_assert_eq(port.first_seq, 10);
	cr_assert_eq(port.last_seq, 10);
	document_close(document);
	bytes_fini(&bytes);

	snprintf(hex, sizeof(hex), "81 a7 73616d706c6573 91 92 %s %s", c->text, c->text);
	bytes = bytes_from_hex(hex);
	document = decode(bytes);
	read_as(document, &kpi_series_message, &series);
	cr_assert_eq(series.samples[0].ts_ns, 10);
	cr_assert_float_eq(series.samples[0].gbps, 10, 0);
	document_close(document);
	bytes_fini(&bytes);
}

Test(schema, unknown_keys_of_any_kind_are_ignored_and_absent_fields_get_defaults) {
	// {1: nil, "later": {"deep": [1, 2]}, "id": "a", bin: ext}
	struct bytes bytes = bytes_from_hex("84 01 c0 a5 6c61746572 81 a4 64656570 92 01 02 a2 6964 a1 61 "
	                                    "c4 01 61 d4 01 00");
	struct document *document = decode(bytes);
	struct topology_query query;
	struct node node;

	read_as(document, &node_message, &node);
	cr_assert_str_eq(node.id, "a");
	cr_assert_eq(node.has, UINT64_C(1) << node_has_id);
	read_as(document, &topology_query_message, &query);
	cr_assert_str_eq(query.topology_id, "admin");
	cr_assert_eq(query.limit, LIMIT_PAGE);
	document_close(document);
	bytes_fini(&bytes);
}

Test(schema, lists_are_bounded_by_their_own_limits) {
	static const struct {
		const char *message;
		size_t limit;
	} cases[] = {{"port_series", LIMIT_NAMES}, {"kpi_append", LIMIT_KPI_SAMPLES}};
	const char **names = calloc(LIMIT_NAMES + 1, sizeof(*names));
	struct kpi_point *points = calloc(LIMIT_KPI_SAMPLES + 1, sizeof(*points));

	for (size_t i = 0; i <= LIMIT_NAMES; i++)
		names[i] = "n";
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t over = 0; over < 2; over++) {
			struct port_series ports = {.names = names, .n_names = cases[i].limit + over};
			struct kpi_append append = {.link_id = "l",
			                            .kpi = 302,
			                            .samples = points,
			                            .n_samples = cases[i].limit + over};
			const void *bodies[] = {&ports, &append};
			const struct message *message = find_message(cases[i].message);
			struct document *document;
			struct status status = {0};
			struct bytes bytes = {0};
			void *body = malloc(message->size);

			cr_assert_eq(message_encode(message, bodies[i], &bytes), 0);
			document = decode(bytes);
			cr_assert_eq(document_read(document, message, body, &status), over ? -EINVAL : 0,
			             "%s, %zu over: %s", cases[i].message, over, status.message);
			document_close(document);
			bytes_fini(&bytes);
			free(body);
		}
	}
	free(names);
	free(points);
}

Test(schema, an_id_has_at_most_255_bytes) {
	char id[LIMIT_ID_SIZE + 2];

	memset(id, 'i', sizeof(id));
	id[LIMIT_ID_SIZE] = '\0';
	cr_assert(id_is_valid(id));
	id[LIMIT_ID_SIZE] = 'i';
	id[LIMIT_ID_SIZE + 1] = '\0';
	cr_assert_not(id_is_valid(id));
	cr_assert_not(id_is_valid(""));
	cr_assert_not(id_is_valid("a\tb"));
	cr_assert_not(id_is_valid("\xff"));
	cr_assert(id_is_valid("net_af_packet0 é 七 😀"));
}

Test(schema, json_holds_64_bits_as_decimal_strings_and_reads_them_in_both_forms) {
	struct hello_port ports[] = {{.port = 3, .name = "p", .first_seq = UINT64_MAX, .last_seq = 1}};
	struct hello hello = {
	        .v = 1, .host = "h", .instance = UINT64_MAX, .interval_ns = 1, .ports = ports, .n_ports = 1};
	struct kpi_query query = {.link_id = "l", .from_ns = INT64_MIN, .to_ns = INT64_MAX};
	const char *as_numbers = "{\"link_id\":\"l\",\"from_ns\":-5,\"to_ns\":9223372036854775807}";
	struct document *document = NULL;
	struct status status = {0};
	char *text = NULL;

	cr_assert_eq(message_to_json(&hello_message, &hello, false, &text), 0);
	cr_assert_str_eq(text,
	                 "{\"v\":1,\"host\":\"h\",\"instance\":\"18446744073709551615\",\"interval_ns\":"
	                 "\"1\",\"ports\":[{\"port\":3,\"name\":\"p\",\"first_seq\":"
	                 "\"18446744073709551615\",\"last_seq\":\"1\"}],\"dropped\":\"0\"}");
	free(text);

	cr_assert_eq(message_to_json(&kpi_query_message, &query, false, &text), 0);
	cr_assert_not_null(strstr(text, "\"from_ns\":\"-9223372036854775808\""), "%s", text);
	cr_assert_eq(document_from_json(as_numbers, strlen(as_numbers), &document, &status), 0, "%s",
	             status.message);
	read_as(document, &kpi_query_message, &query);
	cr_assert_eq(query.from_ns, -5);
	cr_assert_eq(query.to_ns, INT64_MAX);
	cr_assert_eq(query.kpi, 302);
	document_close(document);
	free(text);
}

Test(schema, json_shows_a_number_as_it_was_written) {
	static const double values[] = {9.92, 0.1, 0.00931455, 100, 1e-9, 12345678.9};
	static const char *const shown[] = {"9.92", "0.1", "0.00931455", "100.0", "1e-9", "12345678.9"};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct node node = {.id = "a"};
		char *text = NULL, wanted[64];

		SET(&node, node, x, values[i]);
		cr_assert_eq(message_to_json(&node_message, &node, false, &text), 0);
		snprintf(wanted, sizeof(wanted), "{\"id\":\"a\",\"x\":%s}", shown[i]);
		cr_assert_str_eq(text, wanted);
		free(text);
	}
}

Test(schema, an_event_is_one_line_of_json_with_its_topic) {
	struct link_usage usage = {.link_id = "a\"b", .ts_ns = 5, .used_capacity_gbps = 1.5};
	char *text = NULL;

	cr_assert_eq(event_to_json("link/a\"b/", NULL, &link_usage_message, &usage, &text), 0);
	cr_assert_str_eq(text, "{\"topic\":\"link/a\\\"b/\",\"link_id\":\"a\\\"b\",\"direction\":\"forward\","
	                       "\"ts_ns\":\"5\",\"used_capacity_gbps\":1.5,\"state\":\"up\"}");
	free(text);
	cr_assert_eq(event_to_json("link/x/", "cut\nshort", NULL, NULL, &text), 0);
	cr_assert_str_eq(text, "{\"topic\":\"link/x/\",\"error\":\"cut\\nshort\"}");
	free(text);
}

Test(schema, topics_are_found_by_their_first_part_only) {
	enum topic topic = N_TOPICS;

	cr_assert_eq(topic_find("sample/h/p/", 11, &topic), 0);
	cr_assert_eq(topic, TOPIC_SAMPLE);
	cr_assert_eq(topic_find("forecast/x/", 11, &topic), 0);
	cr_assert_eq(topic, TOPIC_FORECAST);
	cr_assert_eq(topic_find("samples/h/p/", 12, &topic), -ENOENT);
	cr_assert_eq(topic_find("sample", 6, &topic), -ENOENT);
	cr_assert_eq(topic_find("", 0, &topic), -ENOENT);
}

// A long message of three-byte characters, cut anywhere, must still go into a reply as UTF-8.
Test(schema, a_failure_that_was_cut_to_fit_is_still_text) {
	char id[LIMIT_ID_SIZE + 1] = "";

	for (size_t i = 0; i < LIMIT_ID_SIZE / 3; i++)
		strcat(id, "七");
	for (int shift = 0; shift < 4; shift++) {
		struct bytes bytes = {0};
		struct document *document;
		struct status status = {0};
		struct reply_head head;

		status_set(&status, STATUS_NOT_FOUND, "%.*s%s%s%s", shift, "xxxx", id, id, id);
		cr_assert_gt(strlen(status.message), STATUS_MESSAGE_SIZE - 5);
		if (shift % 2 == 0)
			status_prefix(&status, "%.*s: ", shift, "yyyy");
		cr_assert_eq(reply_encode_error(&status, NULL, &bytes), 0);
		document = decode(bytes);
		read_as(document, &reply_head_message, &head);
		cr_assert_str_eq(head.error->message, status.message);
		document_close(document);
		bytes_fini(&bytes);
	}
}

Test(schema, every_message_has_a_name_of_its_own_and_decodes_its_own_defaults) {
	for (size_t i = 0; i < n_messages; i++) {
		for (size_t other = 0; other < i; other++)
			cr_assert_str_neq(messages[i]->name, messages[other]->name);
		for (size_t f = 0; f < messages[i]->n_fields; f++) {
			const struct field *field = &messages[i]->fields[f];

			cr_assert_lt(field->offset, messages[i]->size);
			cr_assert(field->presence != FIELD_DEFAULT || field->default_text == NULL ||
			          field->kind == FIELD_ID || field->kind == FIELD_TEXT);
		}
	}
}
