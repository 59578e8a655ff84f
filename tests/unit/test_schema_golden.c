// Golden messages: another MessagePack implementation made the bytes (tests/data/golden); ours must read
// them, and write the same.
// SPDX-License-Identifier: MIT
#include "hex.h"
#include "topology.h"

#include <errno.h>
#include <stdio.h>

static struct bytes golden(const char *name) {
	char path[512], *text;
	struct bytes bytes;
	FILE *file;
	size_t size;

	snprintf(path, sizeof(path), "%s/%s.hex", GOLDEN_DIR, name);
	file = fopen(path, "r");
	cr_assert_not_null(file, "%s: %s", path, strerror(errno));
	text = calloc(1, 65536);
	cr_assert_not_null(text);
	size = fread(text, 1, 65535, file);
	cr_assert(size > 0 && size < 65535);
	fclose(file);
	bytes = bytes_from_hex(text);
	free(text);
	return bytes;
}

static void assert_same_bytes(struct bytes got, struct bytes wanted) {
	cr_assert_eq(got.size, wanted.size, "%zu bytes, wanted %zu", got.size, wanted.size);
	for (size_t i = 0; i < got.size; i++)
		cr_assert_eq(got.data[i], wanted.data[i], "byte %zu is %02x, wanted %02x", i, got.data[i],
		             wanted.data[i]);
}

static const char *const golden_names[] = {"sample",           "hello",          "set_topology",
                                           "forecast_request", "forecast_reply", "reserve_request",
                                           "service_event",    "error_reply",    "replay_request",
                                           "replay_rows",      "lcores"};

Test(schema_golden, golden_sample_decodes_to_its_values_and_encodes_to_the_same_bytes) {
	struct bytes wanted = golden("sample"), got = {0};
	struct document *document = decode(wanted);
	struct sample sample;

	read_as(document, &sample_message, &sample);
	cr_assert_eq(sample.instance, UINT64_C(0x7fedcba987654321));
	cr_assert_str_eq(sample.host, "h1/tpmd-a");
	cr_assert_str_eq(sample.link, "A-Z");
	cr_assert_eq(sample.speed_mbps, 10000);
	cr_assert(sample.up);
	cr_assert_eq(sample.epoch, 2);
	cr_assert_eq(sample.n_names, (size_t)N_PORT_COUNTERS);
	for (size_t i = 0; i < N_PORT_COUNTERS; i++)
		cr_assert_str_eq(sample.names[i], port_counters[i].name);
	cr_assert_eq(sample.n_rows, 2);
	cr_assert_eq(sample.rows[10], 2);
	cr_assert_eq(sample.rows[11], UINT64_C(1078099201123456789));
	cr_assert_eq(sample.rows[12], UINT64_MAX);
	cr_assert_eq(sample.rows[13], UINT64_C(1) << 63);
	cr_assert_eq(sample.rows[19], 127);

	cr_assert_eq(message_encode(&sample_message, &sample, &got), 0);
	assert_same_bytes(got, wanted);
	bytes_fini(&got);
	bytes_fini(&wanted);
	document_close(document);
}

Test(schema_golden, golden_hello_decodes_to_its_values_and_encodes_to_the_same_bytes) {
	struct bytes wanted = golden("hello"), got = {0};
	struct document *document = decode(wanted);
	struct hello hello;

	read_as(document, &hello_message, &hello);
	cr_assert_eq(hello.n_ports, 2);
	cr_assert_eq(hello.interval_ns, 1000000000);
	cr_assert_eq(hello.ports[0].last_seq, 3600);
	cr_assert_str_eq(hello.ports[1].name, "net_ringé");
	cr_assert_null(hello.ports[1].link);

	cr_assert_eq(message_encode(&hello_message, &hello, &got), 0);
	assert_same_bytes(got, wanted);
	bytes_fini(&got);
	bytes_fini(&wanted);
	document_close(document);
}

Test(schema_golden, golden_requests_decode_and_encode_to_the_same_bytes) {
	static const char *const names[] = {"set_topology", "forecast_request"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct bytes wanted = golden(names[i]), got = {0};
		struct document *document = decode(wanted);
		struct request_head head;
		enum op op;
		void *body;

		read_as(document, &request_head_message, &head);
		cr_assert_eq(op_find(head.op, &op), 0);
		body = malloc(requests[op].request->size);
		read_as(document, requests[op].request, body);
		cr_assert_eq(request_encode(op, head.id, body, &got), 0);
		assert_same_bytes(got, wanted);
		free(body);
		bytes_fini(&got);
		bytes_fini(&wanted);
		document_close(document);
	}
}

Test(schema_golden, golden_topology_has_its_values_and_defaults) {
	struct bytes bytes = golden("set_topology");
	struct document *document = decode(bytes);
	struct topology topology;
	struct status status = {0};

	read_as(document, &topology_message, &topology);
	cr_assert_eq(topology_check(&topology, &status), 0, "%s", status.message);
	cr_assert_str_eq(topology.topology_id, "lab");
	cr_assert(HAS(&topology.nodes[0], node, x));
	cr_assert_not(HAS(&topology.nodes[1], node, x));
	cr_assert_float_eq(topology.links[0].total_capacity_gbps, 9.92, 0);
	cr_assert_eq(topology.links[0].n_srlg, 2);
	cr_assert_eq(topology.links[0].ports[1].end, END_Z);
	cr_assert(HAS(&topology, topology, part) && topology.part == 1);
	document_close(document);
	bytes_fini(&bytes);
}

Test(schema_golden, golden_reply_decodes_and_encodes_to_the_same_bytes) {
	struct bytes wanted = golden("forecast_reply"), got = {0};
	struct document *document = decode(wanted);
	struct link_forecast forecast;
	struct reply_head head;

	read_as(document, &reply_head_message, &head);
	read_as(document, &link_forecast_message, &forecast);
	cr_assert(head.ok);
	cr_assert_eq(forecast.state, STATE_STALE);
	cr_assert_eq(forecast.direction, DIRECTION_REVERSE);
	cr_assert_float_eq(forecast.forecast_used_capacity_gbps, 12.25, 0);
	cr_assert_eq(forecast.n_series, 2);
	cr_assert_eq(forecast.series[1].ts_ns, INT64_C(1078099800123456789));
	cr_assert_float_eq(forecast.series[1].upper, 12, 0);

	cr_assert_eq(reply_encode(&link_forecast_message, head.id, &forecast, &got), 0);
	assert_same_bytes(got, wanted);
	bytes_fini(&got);
	bytes_fini(&wanted);
	document_close(document);
}

Test(schema_golden, golden_reservation_decodes_and_encodes_to_the_same_bytes) {
	struct bytes wanted = golden("reserve_request"), got = {0};
	struct document *document = decode(wanted);
	struct reserve_request request;
	struct request_head head;

	read_as(document, &request_head_message, &head);
	read_as(document, &reserve_request_message, &request);
	cr_assert_str_eq(head.op, "Reserve");
	cr_assert_eq(request.n_links, 2);
	cr_assert_eq(request.links[1].direction, DIRECTION_REVERSE);
	cr_assert_eq(request.traffic, TRAFFIC_METERED);
	cr_assert_eq(request.meter->way, PORT_WAY_RX);
	cr_assert(request.dry_run);

	cr_assert_eq(request_encode(OP_RESERVE, head.id, &request, &got), 0);
	assert_same_bytes(got, wanted);
	bytes_fini(&got);
	bytes_fini(&wanted);
	document_close(document);
}

Test(schema_golden, golden_change_of_a_service_decodes_and_encodes_to_the_same_bytes) {
	struct bytes wanted = golden("service_event"), got = {0};
	struct document *document = decode(wanted);
	struct service_event event;

	read_as(document, &service_event_message, &event);
	cr_assert_eq(event.change, SERVICE_CHANGE_CHANGED);
	cr_assert_eq(event.service->state, SERVICE_ACTIVE);
	cr_assert_str_eq(event.service->from, "A");
	cr_assert_not(HAS(event.service, service_view, released_ns));

	cr_assert_eq(message_encode(&service_event_message, &event, &got), 0);
	assert_same_bytes(got, wanted);
	bytes_fini(&got);
	bytes_fini(&wanted);
	document_close(document);
}

Test(schema_golden, golden_replay_decodes_and_encodes_to_the_same_bytes) {
	struct bytes wanted = golden("replay_request"), got = {0};
	struct document *document = decode(wanted);
	struct replay_request request;
	struct request_head head;
	enum publisher_op op;

	read_as(document, &request_head_message, &head);
	cr_assert_eq(publisher_op_find(head.op, &op), 0);
	read_as(document, publisher_requests[op].request, &request);
	cr_assert_eq(request.ref, UINT64_C(1) << 40);
	cr_assert_str_eq(request.port, "net_af_packet0");
	cr_assert_eq(request.to_seq, UINT64_C(1) << 33);

	cr_assert_eq(publisher_request_encode(op, &request, &got), 0);
	assert_same_bytes(got, wanted);
	bytes_fini(&got);
	bytes_fini(&wanted);
	document_close(document);
}

Test(schema_golden, golden_rows_decode_and_encode_to_the_same_bytes) {
	struct bytes wanted = golden("replay_rows"), got = {0}, samples[2] = {0};
	struct document *document = decode(wanted);
	struct request_head head;
	struct replay_rows rows;
	enum publisher_op op;

	read_as(document, &request_head_message, &head);
	cr_assert_eq(publisher_op_find_answer(head.op, &op), 0);
	read_as(document, &replay_rows_message, &rows);
	cr_assert(rows.more);
	cr_assert(HAS(&rows, replay_rows, gone_to_seq));
	cr_assert_eq(rows.gone_to_seq, 255);
	cr_assert_eq(rows.n_samples, 2);
	cr_assert_eq(rows.samples[0].epoch, 2);
	cr_assert_eq(rows.samples[1].epoch, 3);
	cr_assert_eq(rows.samples[1].rows[12], UINT64_MAX);

	for (size_t i = 0; i < 2; i++)
		cr_assert_eq(message_encode(&sample_message, &rows.samples[i], &samples[i]), 0);
	cr_assert_eq(replay_rows_encode(&rows, samples, 2, &got), 0);
	assert_same_bytes(got, wanted);
	for (size_t i = 0; i < 2; i++)
		bytes_fini(&samples[i]);
	bytes_fini(&got);
	bytes_fini(&wanted);
	document_close(document);
}

Test(schema_golden, golden_lcores_decode_and_encode_to_the_same_bytes) {
	struct bytes wanted = golden("lcores"), got = {0};
	struct document *document = decode(wanted);
	struct lcores lcores;

	read_as(document, &lcores_message, &lcores);
	cr_assert_eq(lcores.n_lcores, 3);
	cr_assert_eq(lcores.lcores[0].role, LCORE_ROLE_MAIN);
	cr_assert_not(HAS(&lcores.lcores[0], lcore, busy));
	cr_assert_eq(lcores.lcores[1].busy, 0.25);
	cr_assert_eq(lcores.lcores[2].lcore, 300);
	cr_assert_eq(lcores.lcores[2].role, LCORE_ROLE_NON_EAL);

	cr_assert_eq(message_encode(&lcores_message, &lcores, &got), 0);
	assert_same_bytes(got, wanted);
	bytes_fini(&got);
	bytes_fini(&wanted);
	document_close(document);
}

Test(schema_golden, golden_error_decodes_and_encodes_to_the_same_bytes) {
	struct bytes wanted = golden("error_reply"), got = {0};
	struct document *document = decode(wanted);
	struct status status = {0};
	struct reply_head head;

	read_as(document, &reply_head_message, &head);
	cr_assert_not(head.ok);
	cr_assert_str_eq(head.id, "七");
	cr_assert_eq(status_from_name(head.error->code), STATUS_NOT_FOUND);
	status_set(&status, STATUS_NOT_FOUND, "%s", head.error->message);
	cr_assert_eq(reply_encode_error(&status, head.id, &got), 0);
	assert_same_bytes(got, wanted);
	bytes_fini(&got);
	bytes_fini(&wanted);
	document_close(document);
}

Test(schema_golden, truncated_input_is_refused_at_every_length) {
	for (size_t i = 0; i < ARRAY_SIZE(golden_names); i++) {
		struct bytes bytes = golden(golden_names[i]);

		for (size_t size = 0; size < bytes.size; size++) {
			struct document *document = NULL;
			struct status status = {0};
			uint8_t *cut = malloc(size + 1); // its own block: reading past the end shows

			memcpy(cut, bytes.data, size);
			cr_assert_eq(document_from_msgpack(cut, size, &document, &status), -EINVAL,
			             "%s cut to %zu bytes was taken", golden_names[i], size);
			cr_assert_eq(status.code, STATUS_INVALID_ARGUMENT);
			cr_assert_null(document, "'ret' was touched");
			free(cut);
		}
		bytes_fini(&bytes);
	}
}
