// Making of messages. A row that was sent is kept encoded for replay, so asking again costs a copy; a row that a full
// socket would not take is kept all the same, and is not lost.
// SPDX-License-Identifier: MIT
#include "outbox.h"

#include "clock.h"
#include "codec.h"
#include "cores.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_SIZE (LIMIT_REPLAY_SIZE / 4) // bytes of samples: a tick must not wait for more

struct outbox {
	const char *host;
	uint64_t instance;
	const struct settings *settings;
	const struct sampler *sampler;
	struct publisher *publisher;
	struct replay *replay;
	struct lcore_list *lcores;
	struct outbox_state state;
	uint64_t row[2 + LIMIT_NAMES];
};

int outbox_new(const char *host, uint64_t instance, const struct settings *settings,
               const struct sampler *sampler, struct publisher *publisher, struct outbox **ret) {
	CLEANUP(outbox_freep) struct outbox *outbox = calloc(1, sizeof(*outbox));
	int rc;

	if (outbox == NULL)
		return -ENOMEM;
	outbox->host = host;
	outbox->instance = instance;
	outbox->settings = settings;
	outbox->sampler = sampler;
	outbox->publisher = publisher;
	if ((rc = replay_new(settings->replay_size, &outbox->replay)) < 0 ||
	    (rc = lcore_list_new(&outbox->lcores)) < 0)
		return rc;

	*ret = outbox;
	outbox = NULL;
	return 0;
}

void outbox_free(struct outbox *outbox) {
	if (outbox == NULL)
		return;
	replay_free(outbox->replay);
	lcore_list_free(outbox->lcores);
	free(outbox);
}

void outbox_configure(struct outbox *outbox) {
	replay_set_limit(outbox->replay, outbox->settings->replay_size);
}

void outbox_state(const struct outbox *outbox, struct outbox_state *ret) {
	*ret = outbox->state;
	replay_state(outbox->replay, &ret->replay);
}

// ---- samples

static void fill_sample(const struct outbox *outbox, const struct sampler_port *port, struct sample *ret) {
	const struct batch *batch = &port->batch;

	sample_init(ret);
	ret->v = 1;
	ret->host = outbox->host;
	ret->instance = outbox->instance;
	ret->port = port->port;
	ret->name = port->name;
	ret->link = settings_link(outbox->settings, port->name);
	ret->speed_mbps = batch->head.speed_mbps;
	ret->up = batch->head.up;
	ret->epoch = (int64_t)batch->head.epoch;
	ret->names = (const char **)columns_names(batch->head.columns, &ret->n_names);
	ret->rows = batch->rows;
	ret->n_rows = batch->n_rows;
}

// Sent or kept is not lost.
static int send_and_keep(struct outbox *outbox, const struct sample *sample) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	uint64_t first_seq = sample->rows[0];
	int rc, rc_kept;

	if ((rc = message_encode(&sample_message, sample, &frame)) < 0)
		return rc;
	rc_kept = replay_add(outbox->replay, sample->name, first_seq, first_seq + sample->n_rows - 1, &frame);
	rc = publisher_send_sample(outbox->publisher, sample->host, sample->name, &frame);
	return rc_kept < 0 ? rc : 0;
}

static void send_batch(struct outbox *outbox, struct sampler_port *port) {
	struct sample sample;

	if (port->batch.n_rows == 0)
		return;
	fill_sample(outbox, port, &sample);
	if (send_and_keep(outbox, &sample) == 0)
		outbox->state.rows += sample.n_rows;
	else
		outbox->state.dropped += sample.n_rows;
	batch_clear(&port->batch);
}

void outbox_send_all(struct outbox *outbox) {
	struct sampler_port *const *ports;
	size_t n;

	ports = sampler_ports(outbox->sampler, &n);
	for (size_t i = 0; i < n; i++)
		send_batch(outbox, ports[i]);
}

void outbox_send_due(struct outbox *outbox, int64_t now_ns) {
	const struct settings *settings = outbox->settings;
	struct sampler_port *const *ports;
	size_t n;

	ports = sampler_ports(outbox->sampler, &n);
	for (size_t i = 0; i < n; i++) {
		if (!ports[i]->present ||
		    batch_is_due(&ports[i]->batch, now_ns, settings->interval_ns, settings->batch_ns))
			send_batch(outbox, ports[i]);
	}
}

void outbox_take_row(struct outbox *outbox, struct sampler_port *port) {
	size_t width = 2 + N_PORT_COUNTERS + port->n_extras;

	outbox->row[0] = port->seq;
	outbox->row[1] = (uint64_t)port->ts_ns;
	memcpy(outbox->row + 2, port->counters, sizeof(port->counters));
	if (port->n_extras > 0)
		memcpy(outbox->row + 2 + N_PORT_COUNTERS, port->extras,
		       port->n_extras * sizeof(*port->extras));
	if (batch_excludes(&port->batch, &port->head, width))
		send_batch(outbox, port);
	if (batch_add(&port->batch, &port->head, outbox->row, width, clock_mono_ns()) < 0)
		outbox->state.dropped++;
}

// ---- hello

// Rows on their way are not published yet.
static uint64_t published_seq(const struct sampler_port *port) {
	return port->seq - port->batch.n_rows;
}

static void fill_hello_port(const struct outbox *outbox, const struct sampler_port *port,
                            struct hello_port *ret) {
	hello_port_init(ret);
	ret->port = port->port;
	ret->name = port->name;
	ret->link = settings_link(outbox->settings, port->name);
	ret->last_seq = published_seq(port);
	if (replay_first(outbox->replay, port->name, &ret->first_seq) < 0)
		ret->first_seq = ret->last_seq + 1;
}

// Returns 0 or -ENOMEM; the caller frees ret->ports.
static int make_hello(const struct outbox *outbox, bool is_last, struct hello *ret) {
	struct sampler_port *const *ports;
	size_t n;

	ports = sampler_ports(outbox->sampler, &n);
	hello_init(ret);
	ret->v = 1;
	ret->host = outbox->host;
	ret->instance = outbox->instance;
	ret->interval_ns = (uint64_t)outbox->settings->interval_ns;
	ret->dropped = outbox->state.dropped;
	if (is_last)
		SET(ret, hello, stopped, true);
	ret->ports = calloc(n > 0 ? n : 1, sizeof(*ret->ports));
	if (ret->ports == NULL)
		return -ENOMEM;
	ret->n_ports = n;
	for (size_t i = 0; i < n; i++)
		fill_hello_port(outbox, ports[i], &ret->ports[i]);
	return 0;
}

int outbox_say_hello(struct outbox *outbox, bool is_last) {
	struct hello hello;
	int rc;

	if ((rc = make_hello(outbox, is_last, &hello)) < 0)
		return rc;
	(void)publisher_send_hello(outbox->publisher, &hello);
	rc = publisher_greet_server(outbox->publisher, &hello);
	free(hello.ports);
	return rc;
}

int outbox_greet_server(struct outbox *outbox) {
	struct hello hello;
	int rc;

	if ((rc = make_hello(outbox, false, &hello)) < 0)
		return rc;
	rc = publisher_greet_server(outbox->publisher, &hello);
	free(hello.ports);
	return rc;
}

void outbox_send_lcores(struct outbox *outbox) {
	struct lcores message;

	lcores_init(&message);
	message.v = 1;
	message.host = outbox->host;
	message.instance = outbox->instance;
	message.ts_ns = clock_real_ns();
	message.lcores = lcore_list_look(outbox->lcores, &message.n_lcores);
	if (message.n_lcores > 0)
		(void)publisher_send_lcores(outbox->publisher, &message);
}

// ---- replay

static uint64_t published_of(const struct outbox *outbox, const char *name) {
	struct sampler_port *const *ports;
	size_t n;

	ports = sampler_ports(outbox->sampler, &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(ports[i]->name, name) == 0)
			return published_seq(ports[i]);
	}
	return UINT64_MAX; // a port that never was, or was forgotten, brings nothing any more
}

static int answer(struct outbox *outbox, const struct replay_request *request,
                  const struct replay_find *find) {
	CLEANUP(bytes_fini) struct bytes frame = {0};
	struct replay_rows rows;
	int rc;

	replay_rows_init(&rows);
	rows.ref = request->ref;
	rows.more = find->more;
	if (find->has_gone)
		SET(&rows, replay_rows, gone_to_seq, find->gone_to_seq);
	if ((rc = replay_rows_encode(&rows, find->samples, find->n, &frame)) < 0)
		return rc;
	return publisher_answer(outbox->publisher, &frame);
}

void outbox_replay(struct outbox *outbox, const struct replay_request *request) {
	uint64_t from_seq = request->from_seq > 0 ? request->from_seq : 1;
	uint64_t published = published_of(outbox, request->port);
	struct replay_find find;

	if (replay_find(outbox->replay, request->port, from_seq, request->to_seq, published, ANSWER_SIZE,
	                &find) < 0)
		return; // asked again
	if (answer(outbox, request, &find) == 0) {
		outbox->state.replayed += find.n_rows;
		if (find.has_gone && published != UINT64_MAX)
			outbox->state.gone += find.gone_to_seq - from_seq + 1;
	}
	replay_find_fini(&find);
}
