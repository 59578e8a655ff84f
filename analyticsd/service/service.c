// The API's threads. The router gives a request to a worker that is idle and takes no more while none is, so
// that waiting happens in the clients' queues and not in memory here.
// SPDX-License-Identifier: MIT
#include "service.h"

#include "clock.h"
#include "endpoint.h"
#include "ingest.h"
#include "jobs.h"
#include "log.h"
#include "upkeeps.h"
#include "worker.h"
#include "zap.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#define WORK_QUEUE      "inproc://work"
#define MAX_WORKERS     64
#define ENVELOPE_FRAMES 8 // routing frames before the empty one; REQ and DEALER have one or two
#define MOST_FRAMES     (ENVELOPE_FRAMES + 2)
#define SHORT_REQUEST   4096 // bytes; only these are looked into by the router
#define MAX_HELD        256
#define LAST_ANSWERS_MS 200  // for answers on their way when the process stops
#define LOOK_MS         1000 // how often somebody looks for services that ended

struct service {
	struct worker workers[MAX_WORKERS];
	pthread_t threads[MAX_WORKERS];
	int n_workers, n_threads;
	void *context;
	void *api, *work, *questions;
	int lock, stop_fd;
	atomic_bool stopping;
	struct cache *cache;
	struct upkeep_files files;
	struct upkeeps *upkeeps;
	struct jobs *jobs;
	pthread_t router;
	bool has_router;
};

// ---- workers

// The frames that a worker gets of a request: the user id of the peer (peer.h), then the peer's own.
static void answer(struct worker *worker, void *socket, zmq_msg_t *frames, size_t n) {
	CLEANUP(bytes_fini) struct bytes reply = {0};
	struct caller caller = {0};

	peer_read(zmq_msg_data(&frames[0]), zmq_msg_size(&frames[0]), &caller.peer);
	if (n == 4) { // its routing id alone, an empty frame, the map
		caller.route = zmq_msg_data(&frames[1]);
		caller.route_size = zmq_msg_size(&frames[1]);
	}
	if (worker_answer(worker, &caller, zmq_msg_data(&frames[n - 1]), zmq_msg_size(&frames[n - 1]),
	                  clock_real_ns(), &reply) < 0)
		log_error("out of memory: a request gets an empty reply");
	else if (reply.data == NULL) {
		zmq_send(socket, "", 0, 0);
		return;
	}
	for (size_t i = 1; i + 1 < n; i++)
		zmq_msg_send(&frames[i], socket, ZMQ_SNDMORE);
	zmq_send(socket, reply.data, reply.size, 0);
}

// A worker says that it is idle by sending: an empty frame at first and where there is no answer, else the answer.
// One empty frame ends it, two ask it to look for services that ended.
static void serve(struct worker *worker, void *socket) {
	zmq_send(socket, "", 0, 0);
	for (;;) {
		zmq_msg_t frames[MOST_FRAMES + 1];
		size_t n = 0;
		bool ends, looks;

		do {
			zmq_msg_init(&frames[n]);
			while (zmq_msg_recv(&frames[n], socket, 0) < 0 && errno == EINTR)
				continue;
		} while (zmq_msg_more(&frames[n++]) && n < sizeof(frames) / sizeof(frames[0]));
		ends = n == 1;
		looks = n == 2;
		if (looks) {
			worker_note_expiry(worker, clock_real_ns());
			zmq_send(socket, "", 0, 0);
		} else if (!ends) {
			answer(worker, socket, frames, n);
		}
		for (size_t i = 0; i < n; i++)
			zmq_msg_close(&frames[i]);
		if (ends)
			return;
	}
}

static void *run_worker(void *argument) {
	struct worker *worker = argument;

	pthread_setname_np(pthread_self(), "linkcast-worker");
	serve(worker, worker->work);
	return NULL;
}

// ---- the router

struct idle {
	zmq_msg_t workers[MAX_WORKERS]; // addresses
	int n;
};

// Passes on every frame of a message. Returns false when there was none.
static bool pass_on(void *from, void *to) {
	bool more = true, any = false;

	while (more) {
		zmq_msg_t frame;

		zmq_msg_init(&frame);
		if (zmq_msg_recv(&frame, from, any ? 0 : ZMQ_DONTWAIT) < 0) {
			zmq_msg_close(&frame);
			return any;
		}
		any = true;
		more = zmq_msg_more(&frame) != 0;
		if (to == NULL || zmq_msg_send(&frame, to, more ? ZMQ_SNDMORE : 0) < 0)
			zmq_msg_close(&frame); // a client that left: its answer goes nowhere
	}
	return any;
}

// From a worker: its address, then the answer for a client, or nothing the first time.
static void take_answer(struct service *service, struct idle *idle) {
	zmq_msg_t *address = &idle->workers[idle->n], first;

	zmq_msg_init(address);
	if (zmq_msg_recv(address, service->work, ZMQ_DONTWAIT) < 0)
		return;
	idle->n++;
	zmq_msg_init(&first);
	zmq_msg_recv(&first, service->work, 0);
	if (zmq_msg_more(&first)) {
		bool sent = zmq_msg_send(&first, service->api, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;

		pass_on(service->work, sent ? service->api : NULL);
	}
	zmq_msg_close(&first);
}

// From ingest: a question for a publisher, its routing id first. When that is gone or has not read what came
// before, the question is dropped, and asked again.
static void pass_question(struct service *service) {
	zmq_msg_t route;

	zmq_msg_init(&route);
	if (zmq_msg_recv(&route, service->questions, ZMQ_DONTWAIT) >= 0) {
		bool sent = zmq_msg_send(&route, service->api, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;

		pass_on(service->questions, sent ? service->api : NULL);
	}
	zmq_msg_close(&route);
}

struct request {
	zmq_msg_t frames[MOST_FRAMES];
	size_t n;
};

static void close_request(struct request *request) {
	for (size_t i = 0; i < request->n; i++)
		zmq_msg_close(&request->frames[i]);
	request->n = 0;
}

// A client's frames: routing, an empty one, the request. Reads one message whole; false when it has not this
// form.
static bool take_request(void *api, zmq_msg_t *frames, size_t *ret_n) {
	bool more = true, delimited = false;
	size_t n = 0;

	while (more) {
		zmq_msg_t extra, *frame = n < MOST_FRAMES ? &frames[n] : &extra;

		zmq_msg_init(frame);
		if (zmq_msg_recv(frame, api, n == 0 ? ZMQ_DONTWAIT : 0) < 0) {
			zmq_msg_close(frame);
			break;
		}
		more = zmq_msg_more(frame) != 0;
		if (frame == &extra) {
			zmq_msg_close(&extra);
			delimited = false;
			continue;
		}
		n++;
		// the empty frame stands just before the last one
		delimited = more ? zmq_msg_size(frame) == 0 && n > 1 : delimited;
	}
	*ret_n = n;
	return delimited && n >= 3 && !more;
}

// An error back by the first 'n' frames, the last of which is the empty one.
static void refuse(void *api, zmq_msg_t *frames, size_t n, const struct status *status) {
	CLEANUP(bytes_fini) struct bytes reply = {0};

	if (reply_encode_error(status, NULL, &reply) < 0)
		return;
	for (size_t i = 0; i < n; i++) {
		if (zmq_msg_send(&frames[i], api, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
			return;
	}
	zmq_send(api, reply.data, reply.size, 0);
}

// A peer that speaks nonsense is told so, as REQ would hear it: of its frames only the first tells the way back.
static void refuse_nonsense(void *api, struct request *request) {
	struct status status;
	zmq_msg_t frames[2] = {request->frames[0]};

	zmq_msg_init(&frames[1]);
	request->frames[0] = frames[1]; // an empty message: the address has moved
	status_set(&status, STATUS_INVALID_ARGUMENT, "expected an empty frame, then one map");
	refuse(api, frames, 2, &status);
	zmq_msg_close(&frames[0]);
	zmq_msg_close(&frames[1]);
}

// Requests that take long wait here until a worker is idle beside the last one, which is kept for the others: a
// Ping is answered however many topologies are being forecast.
struct held {
	struct request requests[MAX_HELD];
	size_t first, n;
};

static bool takes_long(zmq_msg_t *frame) {
	CLEANUP(document_closep) struct document *document = NULL;
	struct request_head head;

	return zmq_msg_size(frame) <= SHORT_REQUEST &&
	       document_from_msgpack(zmq_msg_data(frame), zmq_msg_size(frame), &document, NULL) == 0 &&
	       document_read(document, &request_head_message, &head, NULL) == 0 &&
	       strcmp(head.op, requests[OP_FORECAST_TOPOLOGY].name) == 0;
}

static bool may_take_long(const struct service *service, const struct idle *idle) {
	return idle->n > 1 || (idle->n == 1 && service->n_workers == 1);
}

// Who a peer is stays with the message that came from it: on the way to a worker it is a frame of its own.
static void hand_over(struct service *service, struct idle *idle, struct request *request) {
	const char *user_id = zmq_msg_gets(&request->frames[request->n - 1], "User-Id");

	zmq_msg_send(&idle->workers[--idle->n], service->work, ZMQ_SNDMORE);
	zmq_send(service->work, user_id, user_id != NULL ? strlen(user_id) : 0, ZMQ_SNDMORE);
	for (size_t i = 0; i < request->n; i++)
		zmq_msg_send(&request->frames[i], service->work, i + 1 < request->n ? ZMQ_SNDMORE : 0);
	close_request(request);
}

static void hold(struct service *service, struct held *held, struct request *request) {
	struct status status;

	if (held->n < MAX_HELD) {
		held->requests[(held->first + held->n++) % MAX_HELD] =
		        *request; // libzmq's messages may be moved so
		return;
	}
	status_set(&status, STATUS_RESOURCE_EXHAUSTED, "%d forecasts of topologies are waiting", MAX_HELD);
	refuse(service->api, request->frames, request->n - 1, &status);
	close_request(request);
}

static void give_held(struct service *service, struct idle *idle, struct held *held) {
	while (held->n > 0 && may_take_long(service, idle)) {
		hand_over(service, idle, &held->requests[held->first]);
		held->first = (held->first + 1) % MAX_HELD;
		held->n--;
	}
}

static void give_request(struct service *service, struct idle *idle, struct held *held) {
	struct request request;
	bool whole = take_request(service->api, request.frames, &request.n);

	if (whole && takes_long(&request.frames[request.n - 1]) && !may_take_long(service, idle)) {
		hold(service, held, &request);
	} else if (whole) {
		hand_over(service, idle, &request);
	} else if (request.n > 0) {
		refuse_nonsense(service->api, &request);
		close_request(&request);
	}
}

static void give_look(struct service *service, struct idle *idle) {
	zmq_msg_send(&idle->workers[--idle->n], service->work, ZMQ_SNDMORE);
	zmq_send(service->work, "", 0, ZMQ_SNDMORE);
	zmq_send(service->work, "", 0, 0);
}

// Waits for every worker's answer, then tells each to end.
static void end_workers(struct service *service, struct idle *idle) {
	while (idle->n < service->n_threads) {
		zmq_pollitem_t item = {.socket = service->work, .events = ZMQ_POLLIN};

		if (zmq_poll(&item, 1, -1) > 0)
			take_answer(service, idle);
	}
	while (idle->n > 0) {
		zmq_msg_send(&idle->workers[--idle->n], service->work, ZMQ_SNDMORE);
		zmq_send(service->work, "", 0, 0);
	}
}

static void *run_router(void *argument) {
	struct service *service = argument;
	struct held held = {.n = 0};
	struct idle idle = {.n = 0};
	zmq_pollitem_t items[] = {
	        {.socket = service->work, .events = ZMQ_POLLIN},
	        {.fd = service->stop_fd, .events = ZMQ_POLLIN},
	        {.socket = service->questions, .events = ZMQ_POLLIN},
	        {.socket = service->api, .events = ZMQ_POLLIN},
	};

	int64_t looked_ns = clock_mono_ns();

	pthread_setname_np(pthread_self(), "linkcast-api");
	while ((items[1].revents & ZMQ_POLLIN) == 0) {
		if (zmq_poll(items, idle.n > 0 ? 4 : 3, LOOK_MS) < 0) {
			items[1].revents = 0;
			continue;
		}
		if (items[0].revents & ZMQ_POLLIN)
			take_answer(service, &idle);
		if (items[2].revents & ZMQ_POLLIN)
			pass_question(service);
		give_held(service, &idle, &held);
		if (idle.n > 0 && (items[3].revents & ZMQ_POLLIN))
			give_request(service, &idle, &held);
		items[3].revents = 0;
		if (idle.n > 0 && clock_mono_ns() - looked_ns >= LOOK_MS * NS_PER_MS) {
			looked_ns = clock_mono_ns();
			give_look(service, &idle);
		}
	}
	end_workers(service, &idle);
	for (; held.n > 0; held.n--, held.first = (held.first + 1) % MAX_HELD)
		close_request(&held.requests[held.first]);
	return NULL;
}

// ---- start and stop

// The sockets pass to the worker's thread when it is created, and back when it was joined.
static void report_damage(void *context, const char *text) {
	(void)context;
	log_error("history.db: %s", text);
}

static int open_worker(struct service *service, struct worker *worker, const struct service_options *options,
                       struct metrics *metrics, struct status *status) {
	const int no_linger = 0;
	int rc;

	worker->ingest = ingest_caller(service->context);
	worker->work = zmq_socket(service->context, ZMQ_DEALER);
	if (worker->ingest == NULL || worker->work == NULL)
		return -ENOMEM;
	zmq_setsockopt(worker->work, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	if (zmq_connect(worker->work, WORK_QUEUE) != 0)
		return -errno;

	worker->options = options;
	worker->metrics = metrics;
	worker->cache = service->cache;
	worker->upkeeps = service->upkeeps;
	worker->jobs = service->jobs;
	worker->started_mono_ns = clock_mono_ns();
	worker->stopping = &service->stopping;
	if ((rc = state_open(options->state_path, true, &worker->state, status)) < 0)
		return rc;
	return history_open_with(options->history_path, &(struct history_options){.report = report_damage},
	                         &worker->history, status);
}

static void close_worker(struct worker *worker) {
	state_close(worker->state);
	history_close(worker->history);
	if (worker->ingest != NULL)
		zmq_close(worker->ingest);
	if (worker->work != NULL)
		zmq_close(worker->work);
}

static int open_sockets(struct service *service, const struct service_options *options,
                        struct status *status) {
	const int no_linger = 0, mandatory = 1;
	const int64_t limit = LIMIT_FRAME_SIZE;
	int rc;

	service->api = zmq_socket(service->context, ZMQ_ROUTER);
	service->work = zmq_socket(service->context, ZMQ_ROUTER);
	service->questions = zmq_socket(service->context, ZMQ_PULL);
	if (service->api == NULL || service->work == NULL || service->questions == NULL)
		return -ENOMEM;
	zmq_setsockopt(service->api, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	zmq_setsockopt(service->work, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	zmq_setsockopt(service->api, ZMQ_MAXMSGSIZE, &limit, sizeof(limit));
	zmq_setsockopt(service->api, ZMQ_ROUTER_MANDATORY, &mandatory, sizeof(mandatory));
	if (zmq_bind(service->work, WORK_QUEUE) != 0 || zmq_bind(service->questions, INGEST_QUESTIONS) != 0 ||
	    zmq_bind(service->api, SERVICE_INPROC) != 0)
		return -errno;
	if ((rc = keys_before_bind(service->api, options->api, options->keys, ZAP_API, status)) < 0)
		return rc;
	return endpoint_bind(service->api, options->api, options->insecure || options->keys != NULL,
	                     &service->lock, status);
}

static int start_threads(struct service *service) {
	for (int i = 0; i < service->n_workers; i++) {
		if (pthread_create(&service->threads[i], NULL, run_worker, &service->workers[i]) != 0)
			return -EAGAIN;
		service->n_threads++;
	}
	if (pthread_create(&service->router, NULL, run_router, service) != 0)
		return -EAGAIN;
	service->has_router = true;
	return 0;
}

int service_start(const struct service_options *options, void *context, struct metrics *metrics,
                  struct service **ret, struct status *status) {
	CLEANUP(service_stopp) struct service *service = calloc(1, sizeof(*service));
	int rc;

	if (service == NULL)
		return -ENOMEM;
	service->context = context;
	service->lock = -1;
	service->n_workers = options->n_workers < MAX_WORKERS ? options->n_workers : MAX_WORKERS;
	service->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (service->stop_fd < 0)
		return -errno;
	service->files = (struct upkeep_files){options->history_path, options->state_path};
	if ((rc = cache_new(&service->cache)) < 0 ||
	    (rc = upkeeps_new(&service->files, &service->upkeeps)) < 0 ||
	    (rc = jobs_start(options->history_path, options->state_path, &service->jobs, status)) < 0)
		return rc;
	for (int i = 0; i < service->n_workers; i++) {
		if ((rc = open_worker(service, &service->workers[i], options, metrics, status)) < 0)
			return rc;
	}
	if ((rc = open_sockets(service, options, status)) < 0 || (rc = start_threads(service)) < 0)
		return rc;
	*ret = service;
	service = NULL;
	return 0;
}

void service_stop(struct service *service) {
	if (service == NULL)
		return;
	if (service->has_router) {
		atomic_store(&service->stopping, true);
		eventfd_write(service->stop_fd, 1);
		pthread_join(service->router, NULL);
	} else if (service->n_threads > 0) {
		end_workers(service, &(struct idle){.n = 0});
	}
	for (int i = 0; i < service->n_threads; i++)
		pthread_join(service->threads[i], NULL);
	for (int i = 0; i < service->n_workers; i++)
		close_worker(&service->workers[i]);
	if (service->api != NULL) {
		const int linger_ms = LAST_ANSWERS_MS;

		zmq_setsockopt(service->api, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
		zmq_close(service->api);
	}
	if (service->work != NULL)
		zmq_close(service->work);
	if (service->questions != NULL)
		zmq_close(service->questions);
	if (service->lock >= 0)
		close(service->lock);
	if (service->stop_fd >= 0)
		close(service->stop_fd);
	upkeeps_free(service->upkeeps);
	jobs_stop(service->jobs);
	cache_free(service->cache);
	free(service);
}
