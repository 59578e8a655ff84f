// The detector's thread.
// SPDX-License-Identifier: MIT
#include "detector.h"

#include "bindings.h"
#include "clock.h"
#include "desk.h"
#include "handover.h"
#include "history.h"
#include "ingest.h"
#include "log.h"
#include "pairs.h"
#include "past_rows.h"
#include "text.h"
#include "watch.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <uthash.h>
#include <zmq.h>

#define KEY_SIZE         (2 * LIMIT_ID_SIZE + 2)
#define TICK_NS          NS_PER_SECOND
#define BIND_NS          (10 * NS_PER_SECOND) // between looks at the bindings
#define ASK_NS           (10 * NS_PER_SECOND) // of a port's time, between predictions
#define LEAST_SILENT_NS  (30 * NS_PER_SECOND) // without rows, or ...
#define SILENT_INTERVALS 10                   // ... so many intervals
#define FORGET_NS        (86400 * NS_PER_SECOND)
#define WARM_UP_BUDGET_NS                                                                                    \
	(30 * NS_PER_SECOND) // for all ports: those that come later begin without their history
#define MESSAGES_AT_ONCE 256
#define N_FACTORS        5

struct port {
	char key[KEY_SIZE]; // host, newline, name
	char host[LIMIT_ID_SIZE + 1], name[LIMIT_ID_SIZE + 1], link_id[LIMIT_ID_SIZE + 1];
	enum ends end;
	struct observer observer;
	struct watch *watch;
	bool was_up;
	uint32_t kept; // bit of each rule: the desk keeps something about it
	int64_t heard_mono_ns, interval_ns, asked_ns;
	double probability;
	struct foresight_factor factors[N_FACTORS];
	uint64_t instance; // of the last row
	bool is_stopped;   // on purpose: that it is silent means nothing
	UT_hash_handle hh;
};

struct detector {
	const struct alert_settings *settings;
	struct metrics *metrics;
	struct history *history;
	struct state *state;
	struct usage *usage;
	struct desk *desk;
	struct pairs *pairs;
	struct foresight *foresight;
	struct port *ports;
	void *queue, *ingest;
	int stop_fd;
	int64_t warmed_ns, bound_mono_ns, judged_mono_ns;
	int64_t links_mono_ns, links_before_mono_ns; // when links were last looked at, and the time before
	pthread_t thread;
};

void *detector_sender(void *context) {
	void *socket = zmq_socket(context, ZMQ_PUSH);
	const int high_water = DETECT_HIGH_WATER, no_linger = 0;

	if (socket == NULL)
		return NULL;
	zmq_setsockopt(socket, ZMQ_SNDHWM, &high_water, sizeof(high_water));
	zmq_setsockopt(socket, ZMQ_LINGER, &no_linger, sizeof(no_linger));
	if (zmq_connect(socket, DETECT_QUEUE) == 0)
		return socket;
	zmq_close(socket);
	return NULL;
}

// ---- ports

static void port_free(struct port *port) {
	watch_free(port->watch);
	free(port);
}

static struct desk_object object_of(const struct port *port) {
	return (struct desk_object){
	        .kind = ALERT_KIND_PORT,
	        .host = port->host,
	        .name = port->name,
	        .link_id = port->link_id[0] != '\0' ? port->link_id : NULL,
	        .direction = -1,
	};
}

static int take_end(void *context, const struct usage_binding *binding) {
	struct port *port = context;

	if (strcmp(binding->host, port->host) == 0 && strcmp(binding->name, port->name) == 0)
		port->end = binding->end;
	return 0;
}

static void bind_port(struct detector *detector, struct port *port) {
	const char *link_id = usage_link(detector->usage, port->host, port->name);

	snprintf(port->link_id, sizeof(port->link_id), "%s", link_id != NULL ? link_id : "");
	if (link_id != NULL)
		(void)usage_each_binding(detector->usage, link_id, take_end, port);
}

static int take_past(void *context, const struct observation *observation) {
	struct port *port = context;

	port->was_up |= observation->up;
	watch_advance(port->watch, observation);
	return 0;
}

// The tests begin with what the port did lately.
static void warm_up(struct detector *detector, struct port *port, int64_t to_ns) {
	int64_t begun_ns = clock_mono_ns();
	int64_t from_ns = to_ns - (int64_t)(detector->settings->warm_up_seconds * (double)NS_PER_SECOND);
	struct status status = {.message = "out of memory"};

	if (detector->settings->warm_up_seconds <= 0 || detector->warmed_ns > WARM_UP_BUDGET_NS)
		return;
	if (past_rows_each(detector->history, port->host, port->name, from_ns, to_ns, NULL, &port->observer,
	                   take_past, port, &status) < 0)
		log_warning("detector: the history of %s %s: %s", port->host, port->name, status.message);
	detector->warmed_ns += clock_mono_ns() - begun_ns;
}

static struct port *add_port(struct detector *detector, const char *key,
                             const struct detect_message *message) {
	struct port *port = calloc(1, sizeof(*port));
	struct desk_object object;

	if (port == NULL || watch_new(detector->settings->false_alarms_per_week, &port->watch) < 0) {
		free(port);
		return NULL;
	}
	memcpy(port->key, key, sizeof(port->key));
	memcpy(port->host, message->id, sizeof(port->host));
	memcpy(port->name, message->name, sizeof(port->name));
	port->kept = UINT32_MAX; // until the desk has told otherwise
	bind_port(detector, port);
	object = object_of(port);
	port->was_up = desk_is_active(detector->desk, &object, RULE_link_down);
	warm_up(detector, port, message->row.ts_ns);
	HASH_ADD_STR(detector->ports, key, port);
	return port;
}

static struct port *get_port(struct detector *detector, const struct detect_message *message) {
	struct port *port;
	char key[KEY_SIZE];

	snprintf(key, sizeof(key), "%s\n%s", message->id, message->name);
	HASH_FIND_STR(detector->ports, key, port);
	return port != NULL ? port : add_port(detector, key, message);
}

// ---- scores of a port

struct telling {
	const struct detector *detector;
	const struct port *port;
	enum rule rule;
	char text[FINDING_SIZE];
	struct alert_factor factors[N_FACTORS];
};

static void tell_port(void *context, struct desk_finding *ret) {
	struct telling *telling = context;

	ret->value = watch_tell(telling->port->watch, telling->rule, telling->text, sizeof(telling->text));
	ret->text = telling->text;
}

static void tell_prediction(void *context, struct desk_finding *ret) {
	struct telling *telling = context;
	const struct port *port = telling->port;
	const double horizon = foresight_report(telling->detector->foresight)->horizon_seconds;
	char time[DURATION_TEXT_SIZE];

	for (size_t i = 0; i < N_FACTORS && port->factors[i].weight > 0; i++) {
		telling->factors[i] = (struct alert_factor){
		        .feature = features[port->factors[i].feature].name,
		        .value = port->factors[i].value,
		        .weight = port->factors[i].weight,
		};
		ret->n_factors++;
	}
	snprintf(telling->text, sizeof(telling->text), "a failure within %s has a probability of %.0f %%%s%s",
	         text_from_seconds(horizon, time), 100 * port->probability,
	         ret->n_factors > 0 ? ", most by " : "",
	         ret->n_factors > 0 ? features[port->factors[0].feature].help : "");
	ret->text = telling->text;
	ret->factors = telling->factors;
	ret->value = ret->probability = port->probability;
	ret->threshold = telling->detector->settings->probability;
}

static void tell_silent(void *context, struct desk_finding *ret) {
	struct telling *telling = context;
	double seconds = (double)(clock_mono_ns() - telling->port->heard_mono_ns) / 1e9;
	char time[DURATION_TEXT_SIZE];

	snprintf(telling->text, sizeof(telling->text), "no samples for %s",
	         text_from_seconds(round(seconds), time));
	ret->text = telling->text;
	ret->value = seconds;
}

static void score_port(struct detector *detector, struct port *port, enum rule rule, double score,
                       desk_tell_fn tell) {
	struct telling telling = {.detector = detector, .port = port, .rule = rule};
	struct desk_object object;

	if (score < 1 && (port->kept & 1U << rule) == 0)
		return;
	object = object_of(port);
	if (desk_score(detector->desk, &object, rule, score, clock_real_ns(), tell, &telling))
		port->kept |= 1U << rule;
	else
		port->kept &= ~(1U << rule);
}

static void predict(struct detector *detector, struct port *port, int64_t ts_ns) {
	float values[N_FEATURES];

	if (detector->foresight == NULL || (port->asked_ns != 0 && ts_ns - port->asked_ns < ASK_NS))
		return;
	port->asked_ns = ts_ns;
	watch_features(port->watch, values);
	port->probability = foresight_ask(detector->foresight, values, port->factors, N_FACTORS);
	score_port(detector, port, RULE_failure_predicted,
	           port->probability / detector->settings->probability, tell_prediction);
}

static void take_row(struct detector *detector, const struct detect_message *message) {
	struct port *port = get_port(detector, message);
	struct observation observation;

	if (port == NULL)
		return;
	METRIC_ADD(detector->metrics, detect_rows, 1);
	port->heard_mono_ns = clock_mono_ns();
	// The end comes twice, once over another socket, which may be faster than the last rows.
	port->is_stopped = port->is_stopped && message->row.instance == port->instance;
	port->instance = message->row.instance;
	port->was_up |= message->row.up;
	score_port(detector, port, RULE_no_samples, 0, tell_silent);
	if (observer_advance(&port->observer, &message->row, &observation) == 0)
		return;
	port->interval_ns = (int64_t)(observation.seconds * (double)NS_PER_SECOND);
	watch_advance(port->watch, &observation);
	for (int rule = 0; rule < N_RULES; rule++) {
		if (rules[rule].kind != ALERT_KIND_PORT || rule == RULE_no_samples ||
		    rule == RULE_failure_predicted)
			continue;
		score_port(detector, port, (enum rule)rule,
		           rule == RULE_link_down && !port->was_up
		                   ? 0 // it never was in use
		                   : watch_score(port->watch, (enum rule)rule),
		           tell_port);
	}
	predict(detector, port, observation.ts_ns);
	if (port->link_id[0] != '\0')
		(void)pairs_add(detector->pairs, port->link_id, port->end, &observation);
}

// What it was told of the ports by others stands: a link that was down is not up since nobody looks.
static void take_stop(struct detector *detector, const struct detect_message *message) {
	struct port *port, *next;

	HASH_ITER (hh, detector->ports, port, next) {
		if (port->instance != message->instance || strcmp(port->host, message->id) != 0)
			continue;
		port->is_stopped = true;
		score_port(detector, port, RULE_no_samples, 0, tell_silent);
	}
}

// ---- what others found of links

static void tell_found(void *context, struct desk_finding *ret) {
	const struct detect_finding *finding = context;

	ret->text = finding->text;
	ret->value = finding->value;
	ret->threshold = finding->threshold;
	ret->expected_ns = finding->expected_ns;
}

static void take_finding(struct detector *detector, struct detect_message *message) {
	struct desk_object object = {
	        .kind = ALERT_KIND_LINK,
	        .link_id = message->id,
	        .direction = message->finding.direction,
	};

	(void)desk_score(detector->desk, &object, message->finding.rule, message->finding.score,
	                 clock_real_ns(), tell_found, &message->finding);
}

static void score_pair(void *context, const char *link_id, double score, const char *text) {
	struct detector *detector = context;
	struct detect_finding finding = {
	        .rule = RULE_one_sided, .direction = -1, .score = score, .value = score, .threshold = NAN};
	struct desk_object object = {.kind = ALERT_KIND_LINK, .link_id = link_id, .direction = -1};

	snprintf(finding.text, sizeof(finding.text), "%s", text);
	(void)desk_score(detector->desk, &object, RULE_one_sided, score, clock_real_ns(), tell_found,
	                 &finding);
}

// A link that two rounds did not name is gone.
static void end_round(struct detector *detector) {
	if (detector->links_before_mono_ns != 0)
		desk_forget(detector->desk, ALERT_KIND_LINK, detector->links_before_mono_ns, clock_real_ns());
	detector->links_before_mono_ns = detector->links_mono_ns;
	detector->links_mono_ns = clock_mono_ns();
}

static void take_message(struct detector *detector, struct detect_message *message) {
	switch (message->kind) {
	case DETECT_ROW:
		take_row(detector, message);
		break;
	case DETECT_LINK:
		take_finding(detector, message);
		break;
	case DETECT_LINKS_DONE:
		end_round(detector);
		break;
	case DETECT_MODEL:
		HANDOVER_TAKE(message->model);
		foresight_free(detector->foresight);
		detector->foresight = message->model;
		break;
	case DETECT_STOPPED:
		take_stop(detector, message);
		break;
	}
}

// ---- by the clock

static void look_at_silence(struct detector *detector, int64_t now_mono_ns) {
	struct port *port, *next;

	HASH_ITER (hh, detector->ports, port, next) {
		int64_t age_ns = now_mono_ns - port->heard_mono_ns;
		int64_t limit_ns = SILENT_INTERVALS * port->interval_ns;

		limit_ns = limit_ns > LEAST_SILENT_NS ? limit_ns : LEAST_SILENT_NS;
		if (age_ns > FORGET_NS) { // it won't come back
			score_port(detector, port, RULE_no_samples, 0, tell_silent);
			HASH_DEL(detector->ports, port);
			port_free(port);
			continue;
		}
		if (age_ns >= limit_ns && !port->is_stopped)
			score_port(detector, port, RULE_no_samples, (double)age_ns / (double)limit_ns,
			           tell_silent);
	}
}

static int rebind(struct detector *detector, struct status *status) {
	CLEANUP(announcements_freep) struct announcements *announcements = NULL;
	struct port *port, *next;
	int rc;

	if ((rc = announcements_new(detector->history, &announcements, status)) < 0 ||
	    (rc = bindings_load(detector->state, announcements, detector->usage, status)) < 0)
		return rc;
	HASH_ITER (hh, detector->ports, port, next)
		bind_port(detector, port);
	return 0;
}

static void tick(struct detector *detector, int64_t now_mono_ns) {
	struct status status = {.message = "out of memory"};

	if (now_mono_ns - detector->bound_mono_ns >= BIND_NS) {
		detector->bound_mono_ns = now_mono_ns;
		if (rebind(detector, &status) < 0)
			log_error("detector: bindings: %s", status.message);
	}
	if (now_mono_ns - detector->judged_mono_ns >= (int64_t)(PAIRS_SECONDS * (double)NS_PER_SECOND)) {
		detector->judged_mono_ns = now_mono_ns;
		pairs_judge(detector->pairs, score_pair, detector);
	}
	look_at_silence(detector, now_mono_ns);
	desk_forget(detector->desk, ALERT_KIND_PORT, now_mono_ns - FORGET_NS, clock_real_ns());
	desk_tick(detector->desk, clock_real_ns());
}

static void take_messages(struct detector *detector) {
	struct detect_message message;

	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		if (zmq_recv(detector->queue, &message, sizeof(message), ZMQ_DONTWAIT) != sizeof(message))
			return;
		take_message(detector, &message);
	}
}

static void *run(void *argument) {
	struct detector *detector = argument;
	zmq_pollitem_t items[] = {
	        {detector->queue, 0, ZMQ_POLLIN, 0},
	        {NULL, detector->stop_fd, ZMQ_POLLIN, 0},
	};
	int64_t ticked_ns = 0;

	pthread_setname_np(pthread_self(), "linkcast-detect");
	while (zmq_poll(items, 2, (long)(TICK_NS / NS_PER_MS)) >= 0 || errno == EINTR) {
		int64_t now_ns = clock_mono_ns();

		if (items[1].revents != 0)
			break;
		take_messages(detector);
		if (now_ns - ticked_ns < TICK_NS)
			continue;
		ticked_ns = now_ns;
		tick(detector, now_ns);
	}
	return NULL;
}

// ---- start and stop

static void drain(struct detector *detector) {
	struct detect_message message;

	while (zmq_recv(detector->queue, &message, sizeof(message), ZMQ_DONTWAIT) == sizeof(message)) {
		if (message.kind == DETECT_MODEL)
			foresight_free(message.model);
	}
}

static void free_all(struct detector *detector) {
	struct port *port, *next;

	if (detector == NULL)
		return;
	if (detector->queue != NULL) {
		drain(detector);
		(void)zmq_unbind(detector->queue, DETECT_QUEUE); // at once, for the next detector
		zmq_close(detector->queue);
	}
	HASH_ITER (hh, detector->ports, port, next) {
		HASH_DEL(detector->ports, port);
		port_free(port);
	}
	desk_free(detector->desk);
	pairs_free(detector->pairs);
	foresight_free(detector->foresight);
	usage_free(detector->usage);
	history_close(detector->history);
	state_close(detector->state);
	if (detector->ingest != NULL)
		zmq_close(detector->ingest);
	if (detector->stop_fd >= 0)
		close(detector->stop_fd);
	free(detector);
}
DEFINE_CLEANUP(struct detector *, free_all)

static int open_queue(struct detector *detector, void *context) {
	const int high_water = DETECT_HIGH_WATER;

	detector->queue = zmq_socket(context, ZMQ_PULL);
	detector->ingest = ingest_caller(context);
	detector->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (detector->queue == NULL || detector->ingest == NULL || detector->stop_fd < 0)
		return -ENOMEM;
	zmq_setsockopt(detector->queue, ZMQ_RCVHWM, &high_water, sizeof(high_water));
	return zmq_bind(detector->queue, DETECT_QUEUE) == 0 ? 0 : -errno;
}

int detector_start(const struct detector_options *options, void *context, struct metrics *metrics,
                   struct detector **ret, struct status *status) {
	CLEANUP(free_allp) struct detector *detector = calloc(1, sizeof(*detector));
	int rc;

	if (detector == NULL)
		return -ENOMEM;
	detector->settings = options->settings;
	detector->metrics = metrics;
	detector->stop_fd = -1;
	if ((rc = open_queue(detector, context)) < 0 ||
	    (rc = history_open(options->history_path, false, &detector->history, status)) < 0 ||
	    (rc = state_open(options->state_path, false, &detector->state, status)) < 0 ||
	    (rc = usage_new(ACCOUNTING_L2, &detector->usage)) < 0 ||
	    (rc = pairs_new(options->settings->false_alarms_per_week, &detector->pairs)) < 0 ||
	    (rc = desk_new(options->settings, options->state_path, options->actions, detector->ingest,
	                   metrics, &detector->desk, status)) < 0)
		return rc;
	rc = pthread_create(&detector->thread, NULL, run, detector);
	if (rc != 0)
		return -rc;
	*ret = detector;
	detector = NULL;
	return 0;
}

void detector_stop(struct detector *detector) {
	if (detector == NULL)
		return;
	eventfd_write(detector->stop_fd, 1);
	pthread_join(detector->thread, NULL);
	free_all(detector);
}
