// The ingest thread: samples to history and events, in transactions.
// SPDX-License-Identifier: MIT
#include "ingest_private.h"

#include "codec.h"
#include "detector.h"
#include "log.h"
#include "past_rows.h"
#include "rebuild.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#define FRAMES_BEFORE_LOOK 256                  // frames taken before calls and the clock are looked at again
#define FRAMES_AT_STOP     200000               // a publisher that never pauses can't hold up the end
#define MAINTAIN_STEP_NS   (100 * NS_PER_MS)    // between the short steps of maintenance
#define MAINTAIN_ROUND_NS  (60 * NS_PER_SECOND) // from the end of its round to the next
#define MAX_INTERVAL_NS    (3600 * (uint64_t)NS_PER_SECOND)

// ---- the transaction

void ingest_complain(struct ingest *ingest, const struct status *status) {
	int64_t now = clock_mono_ns();

	METRIC_ADD(ingest->metrics, store_errors, 1);
	if (ingest->complained_mono_ns != 0 && now - ingest->complained_mono_ns < 60 * NS_PER_SECOND)
		return;
	ingest->complained_mono_ns = now;
	log_error("cannot store: %s", status->message);
}

int ingest_begin(struct ingest *ingest, struct status *status) {
	int rc;

	if (ingest->writing)
		return 0;
	if ((rc = history_begin(ingest->history, status)) < 0)
		return rc;
	ingest->writing = true;
	ingest->tally = (struct tally){0};
	ingest->begun_mono_ns = clock_mono_ns();
	return 0;
}

int ingest_commit(struct ingest *ingest, struct status *status) {
	int rc;

	if (!ingest->writing)
		return 0;
	ingest->writing = false;
	rc = history_commit(ingest->history, status);
	if (rc < 0) {
		history_rollback(ingest->history);
		replay_forget(ingest->replay);
		return rc;
	}
	METRIC_ADD(ingest->metrics, commits, 1);
	METRIC_ADD(ingest->metrics, rows_stored, ingest->tally.rows);
	METRIC_ADD(ingest->metrics, usage_points, ingest->tally.usage_points);
	return 0;
}

void ingest_abandon(struct ingest *ingest) {
	if (!ingest->writing)
		return;
	ingest->writing = false;
	history_rollback(ingest->history);
	replay_forget(ingest->replay);
}

// ---- publishing

void ingest_publish(struct ingest *ingest, const char *topic, const void *frame, size_t size) {
	if (zmq_send(ingest->sockets.events, topic, strlen(topic), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0)
		zmq_send(ingest->sockets.events, frame, size, ZMQ_DONTWAIT);
}

// ---- samples

int ingest_rebind(struct ingest *ingest, struct status *status) {
	return bindings_load(ingest->state, ingest->announcements, ingest->usage, status);
}

int ingest_check_sample(const struct sample *sample, struct status *status) {
	const uint64_t latest = (uint64_t)(clock_real_ns() + LIMIT_FUTURE_SECONDS * NS_PER_SECOND);
	int rc;

	if ((rc = history_check_sample(sample, status)) < 0)
		return rc;
	for (size_t i = 0; i < sample->n_rows; i++) {
		const uint64_t *row = sample->rows + i * (2 + sample->n_names);

		if (row[0] == 0 || row[0] > INT64_MAX)
			return status_set(status, STATUS_INVALID_ARGUMENT, "rows[%zu][0]: seq counts from 1",
			                  i);
		if (row[1] > latest)
			return status_set(status, STATUS_INVALID_ARGUMENT,
			                  "rows[%zu][1]: more than %d s in the future", i,
			                  LIMIT_FUTURE_SECONDS);
	}
	return 0;
}

// The sample with those rows only that were missing. '*copy' holds them when they aren't all.
static int select_missing(struct ingest *ingest, struct replay_port *port, const struct sample *sample,
                          struct sample *ret, uint64_t **copy) {
	size_t width = 2 + sample->n_names;
	int64_t now_ns = clock_mono_ns();
	int rc;

	*ret = *sample;
	ret->n_rows = 0;
	for (size_t i = 0; i < sample->n_rows; i++) {
		const uint64_t *row = sample->rows + i * width;

		if ((rc = replay_fill(ingest->replay, port, row[0], now_ns)) < 0)
			return rc;
		if (rc == 0 && *copy == NULL) { // the first that is there already: from here on in a copy
			*copy = reallocarray(NULL, sample->n_rows * width, sizeof(**copy));
			if (*copy == NULL)
				return -ENOMEM;
			memcpy(*copy, sample->rows, i * width * sizeof(**copy));
			ret->rows = *copy;
		}
		if (rc == 0)
			continue;
		if (*copy != NULL)
			memcpy(*copy + ret->n_rows * width, row, width * sizeof(*row));
		ret->n_rows++;
	}
	return 0;
}

// The last row of a frame is enough for the detector, which looks at intervals of a second; when it is behind, the row is
// skipped.
static void send_to_detector(struct ingest *ingest, const struct sample *sample) {
	struct detect_message message = {.kind = DETECT_ROW};
	const uint64_t *row;

	if (ingest->sockets.detect == NULL || sample->n_rows == 0)
		return;
	row = sample->rows + (sample->n_rows - 1) * (2 + sample->n_names);
	snprintf(message.id, sizeof(message.id), "%s", sample->host);
	snprintf(message.name, sizeof(message.name), "%s", sample->name);
	message.row = (struct port_row){
	        .instance = sample->instance,
	        .epoch = sample->epoch,
	        .ts_ns = (int64_t)row[1],
	        .up = sample->up,
	        .speed_mbps = sample->speed_mbps,
	        .latency_ms = NAN,
	};
	memcpy(message.row.counters, row + 2, sizeof(message.row.counters));
	for (size_t i = N_PORT_COUNTERS; i < sample->n_names; i++) {
		if (strcmp(sample->names[i], LATENCY_COUNTER) == 0)
			message.row.latency_ms = (double)row[2 + i] / (double)NS_PER_MS;
	}
	if (zmq_send(ingest->sockets.detect, &message, sizeof(message), ZMQ_DONTWAIT) < 0)
		METRIC_ADD(ingest->metrics, detect_rows_skipped, 1);
}

// It comes on both ways of a hello; told twice is told once.
static void tell_detector_of_stop(struct ingest *ingest, const struct hello *hello) {
	struct detect_message message = {.kind = DETECT_STOPPED, .instance = hello->instance};

	if (ingest->sockets.detect == NULL || !HAS(hello, hello, stopped) || !hello->stopped)
		return;
	snprintf(message.id, sizeof(message.id), "%s", hello->host);
	(void)zmq_send(ingest->sockets.detect, &message, sizeof(message), ZMQ_DONTWAIT);
}

static int note_link(struct ingest *ingest, const struct sample *sample, struct status *status) {
	int rc = announcements_note(ingest->announcements, sample->host, sample->name, sample->link);

	return rc > 0 ? ingest_rebind(ingest, status) : rc;
}

int ingest_take_sample(struct ingest *ingest, const struct sample *sample, enum origin origin,
                       uint64_t *ret_new, struct status *status) {
	CLEANUP(freep) uint64_t *copy = NULL;
	struct replay_port *port = NULL;
	struct sample_stored stored;
	struct sample fresh;
	int rc;

	if ((rc = ingest_begin(ingest, status)) < 0 ||
	    (rc = replay_port(ingest->replay, sample->host, sample->instance, sample->name, clock_mono_ns(),
	                      &port, status)) < 0 ||
	    (rc = select_missing(ingest, port, sample, &fresh, &copy)) < 0 ||
	    (rc = history_add_sample(ingest->history, &fresh, &stored, status)) < 0 ||
	    (rc = replay_save(ingest->replay, port, status)) < 0)
		return rc;
	ingest->tally.rows += stored.rows;
	METRIC_ADD(ingest->metrics, rows_duplicate, sample->n_rows - stored.rows);
	*ret_new = stored.rows;
	if (origin == PUBLISHED) {
		if ((rc = note_link(ingest, sample, status)) < 0 ||
		    (rc = history_add_hello(ingest->history, sample->host, sample->instance, clock_real_ns(),
		                            NULL, status)) < 0)
			return rc;
		send_to_detector(ingest, sample);
	}
	return ingest_derive(ingest, &fresh, origin, replay_interval_ns(port), status);
}

int ingest_take_hello(struct ingest *ingest, const struct hello *hello, const void *route, size_t route_size,
                      struct status *status) {
	int rc;

	METRIC_ADD(ingest->metrics, hellos_received, 1);
	tell_detector_of_stop(ingest, hello);
	if (hello->interval_ns > MAX_INTERVAL_NS)
		return status_set(status, STATUS_INVALID_ARGUMENT, "interval_ns: more than an hour");
	if ((rc = ingest_begin(ingest, status)) < 0 ||
	    (rc = replay_hello(ingest->replay, hello, route, route_size, clock_mono_ns(), status)) < 0)
		return rc;
	return history_add_hello(ingest->history, hello->host, hello->instance, clock_real_ns(), hello,
	                         status);
}

static int take_frame(struct ingest *ingest, const char *topic, size_t topic_size, const void *data,
                      size_t size, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct sample sample;
	struct hello hello;
	uint64_t n_new;
	int rc;

	if ((rc = document_from_msgpack(data, size, &document, status)) < 0)
		return rc;
	if (topic_size >= 6 && memcmp(topic, "hello/", 6) == 0) {
		if ((rc = document_read(document, &hello_message, &hello, status)) < 0)
			return rc;
		return ingest_take_hello(ingest, &hello, NULL, 0, status);
	}
	if (topic_size < 7 || memcmp(topic, "sample/", 7) != 0)
		return 0; // other topics are for other subscribers
	if ((rc = document_read(document, &sample_message, &sample, status)) < 0 ||
	    (rc = ingest_check_sample(&sample, status)) < 0)
		return rc;
	return ingest_take_sample(ingest, &sample, PUBLISHED, &n_new, status);
}

// Two frames, topic then map; more are read and dropped. Returns 0, -EAGAIN when there is nothing, or -EINTR.
static int receive_pair(void *socket, zmq_msg_t frames[static 2], size_t *ret_n) {
	zmq_msg_t rest;
	size_t n = 0;
	bool more;

	do {
		zmq_msg_t *frame = n < 2 ? &frames[n] : &rest;

		if (n >= 2)
			zmq_msg_init(&rest);
		if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0)
			return -errno;
		more = zmq_msg_more(frame) != 0;
		if (n >= 2)
			zmq_msg_close(&rest);
		n++;
	} while (more);
	*ret_n = n;
	return 0;
}

static void refuse(struct ingest *ingest, int rc, const struct status *status) {
	METRIC_ADD(ingest->metrics, frames_refused, 1);
	if (rc == -EINVAL) {
		log_debug("refused a published frame: %s", status->message);
	} else {
		ingest_complain(ingest, status);
		ingest_abandon(ingest);
	}
}

static int take_samples(struct ingest *ingest, int most) {
	for (int i = 0; i < most; i++) {
		struct status status = {.message = "out of memory"};
		zmq_msg_t frames[2];
		size_t n = 0;
		int rc;

		zmq_msg_init(&frames[0]);
		zmq_msg_init(&frames[1]);
		rc = receive_pair(ingest->sockets.samples, frames, &n);
		if (rc == 0) {
			METRIC_ADD(ingest->metrics, frames_received, 1);
			rc = n == 2 ? take_frame(ingest, zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0]),
			                         zmq_msg_data(&frames[1]), zmq_msg_size(&frames[1]), &status)
			            : status_set(&status, STATUS_INVALID_ARGUMENT,
			                         "%zu frames, not topic and map", n);
			if (rc < 0)
				refuse(ingest, rc, &status);
			else if (zmq_msg_size(&frames[0]) < TOPIC_SIZE) {
				char topic[TOPIC_SIZE] = {0};

				memcpy(topic, zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0]));
				ingest_publish(ingest, topic, zmq_msg_data(&frames[1]),
				               zmq_msg_size(&frames[1]));
			}
			rc = 0;
		}
		zmq_msg_close(&frames[0]);
		zmq_msg_close(&frames[1]);
		if (rc < 0)
			return rc;
	}
	return 0;
}

// ---- replay

static void send_question(struct ingest *ingest, const struct replay_question *question) {
	CLEANUP(bytes_fini) struct bytes frame = {0};

	if (publisher_request_encode(PUBLISHER_OP_REPLAY, &question->request, &frame) < 0 ||
	    zmq_send(ingest->sockets.questions, question->route, question->route_size,
	             ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
		return; // asked again when no answer comes
	zmq_send(ingest->sockets.questions, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT);
	zmq_send(ingest->sockets.questions, frame.data, frame.size, ZMQ_DONTWAIT);
}

static void ask_publishers(struct ingest *ingest) {
	int64_t now_ns = clock_mono_ns();
	struct status status = {.message = "out of memory"};
	struct replay_question question;
	int rc = 0;

	if (replay_due_ns(ingest->replay) > now_ns)
		return;
	rc = ingest_begin(ingest, &status);
	while (rc >= 0 && (rc = replay_next(ingest->replay, now_ns, &question, &status)) > 0)
		send_question(ingest, &question);
	if (rc < 0) {
		ingest_complain(ingest, &status);
		ingest_abandon(ingest);
	}
}

// ---- the thread

// Sealing what waits, dropping what is kept no longer: between transactions, a short step at once.
static void maintain(struct ingest *ingest) {
	int64_t now_ns = clock_mono_ns();
	struct status status = {.message = "out of memory"};
	int rc;

	if (ingest->writing || now_ns < ingest->maintain_mono_ns)
		return;
	rc = history_maintain(ingest->history, clock_real_ns(), &status);
	if (rc < 0) {
		ingest_complain(ingest, &status);
		replay_forget(ingest->replay);
	}
	ingest->maintain_mono_ns = now_ns + (rc > 0 ? MAINTAIN_STEP_NS : MAINTAIN_ROUND_NS);
}

// Until the transaction is due, or a question.
static long time_to_wait_ms(const struct ingest *ingest) {
	int64_t due_ns = replay_due_ns(ingest->replay), left_ns;

	if (ingest->writing && ingest->begun_mono_ns + COMMIT_INTERVAL_NS < due_ns)
		due_ns = ingest->begun_mono_ns + COMMIT_INTERVAL_NS;
	if (ingest->maintain_mono_ns < due_ns)
		due_ns = ingest->maintain_mono_ns;
	left_ns = due_ns - clock_mono_ns();
	return left_ns > 0 ? (long)(left_ns / NS_PER_MS) + 1 : 0;
}

static void *run(void *argument) {
	struct ingest *ingest = argument;
	zmq_pollitem_t items[] = {
	        {.socket = ingest->sockets.samples, .events = ZMQ_POLLIN},
	        {.socket = ingest->sockets.calls, .events = ZMQ_POLLIN},
	        {.socket = ingest->sockets.events, .events = ZMQ_POLLIN},
	        {.fd = ingest->stop_fd, .events = ZMQ_POLLIN},
	};
	struct status status;
	char subscription[TOPIC_SIZE];

	pthread_setname_np(pthread_self(), "linkcast-ingest");
	while ((items[3].revents & ZMQ_POLLIN) == 0) {
		if (zmq_poll(items, 4, time_to_wait_ms(ingest)) < 0 && errno != EINTR)
			break;
		ingest_take_calls(ingest);
		(void)take_samples(ingest, FRAMES_BEFORE_LOOK);
		ask_publishers(ingest);
		while (zmq_recv(ingest->sockets.events, subscription, sizeof(subscription), ZMQ_DONTWAIT) >=
		       0)
			continue; // subscriptions come in on XPUB; nothing depends on them
		if (ingest->writing && clock_mono_ns() - ingest->begun_mono_ns >= COMMIT_INTERVAL_NS &&
		    ingest_commit(ingest, &status) < 0)
			ingest_complain(ingest, &status);
		maintain(ingest);
	}
	(void)take_samples(ingest, FRAMES_AT_STOP);
	ingest_take_calls(ingest);
	if (ingest_commit(ingest, &status) < 0)
		ingest_complain(ingest, &status);
	return NULL;
}

// ---- start and stop

static void close_all(struct ingest *ingest) {
	ingest_sockets_close(&ingest->sockets);
	replay_free(ingest->replay);
	history_close(ingest->history);
	state_close(ingest->state);
	usage_free(ingest->usage);
	announcements_free(ingest->announcements);
	if (ingest->stop_fd >= 0)
		close(ingest->stop_fd);
	free(ingest);
}
DEFINE_CLEANUP(struct ingest *, close_all)

// Rates go on where the rows that are stored end, so that a restart leaves no interval out.
static int go_on_from(void *context, const char *host, const char *name, const struct stored_row *row) {
	struct usage_point points[N_directions];
	struct port_reading reading = stored_reading(row);
	uint64_t missing;
	size_t n;

	(void)usage_advance(context, host, name, &reading, &missing, points, &n);
	return 0;
}

static void report_damage(void *context, const char *text) {
	struct ingest *ingest = context;

	METRIC_ADD(ingest->metrics, history_damage, 1);
	log_error("history.db: %s", text);
}

int ingest_start(const struct ingest_options *options, void *context, struct metrics *metrics,
                 struct ingest **ret, struct status *status) {
	CLEANUP(close_allp) struct ingest *ingest = calloc(1, sizeof(*ingest));
	struct history_options history = options->history;
	int rc;

	if (ingest == NULL)
		return -ENOMEM;
	ingest->metrics = metrics;
	ingest->accounting = options->accounting;
	ingest->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (ingest->stop_fd < 0)
		return -errno;
	history.write = true;
	history.report = report_damage;
	history.report_context = ingest;
	if ((rc = history_open_with(options->history_path, &history, &ingest->history, status)) < 0 ||
	    (rc = state_open(options->state_path, false, &ingest->state, status)) < 0 ||
	    (rc = usage_new(options->accounting, &ingest->usage)) < 0 ||
	    (rc = announcements_new(ingest->history, &ingest->announcements, status)) < 0 ||
	    (rc = ingest_rebind(ingest, status)) < 0 ||
	    (rc = history_each_last_row(ingest->history, go_on_from, ingest->usage, status)) < 0 ||
	    (rc = replay_new(ingest->history, metrics, &ingest->replay)) < 0 ||
	    (rc = ingest_sockets_open(options, context, &ingest->sockets, status)) < 0)
		return rc;
	rc = pthread_create(&ingest->thread, NULL, run, ingest);
	if (rc != 0)
		return -rc;
	*ret = ingest;
	ingest = NULL;
	return 0;
}

void ingest_stop(struct ingest *ingest) {
	if (ingest == NULL)
		return;
	eventfd_write(ingest->stop_fd, 1);
	pthread_join(ingest->thread, NULL);
	close_all(ingest);
}
