// Training on what is stored, port by port, in pieces of a day.
// SPDX-License-Identifier: MIT
#include "teacher.h"

#include "array.h"
#include "clock.h"
#include "detector.h"
#include "failures.h"
#include "handover.h"
#include "history.h"
#include "labels.h"
#include "log.h"
#include "past_rows.h"
#include "foresight.h"
#include "state.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#define FIRST_NS   (60 * NS_PER_SECOND) // after the start, when nothing was learnt yet
#define SEED       1
#define LONGEST_NS (3600 * NS_PER_SECOND) // between looks at the clock

struct port_name {
	char host[LIMIT_ID_SIZE + 1], name[LIMIT_ID_SIZE + 1], link_id[LIMIT_ID_SIZE + 1];
};

struct teacher {
	const struct alert_settings *settings;
	struct metrics *metrics;
	struct history *history;
	struct state *state;
	void *detector;
	int stop_fd;
	atomic_bool stopping;
	int64_t trained_ns; // 0: never
	// of a training
	struct port_name *ports;
	size_t n_ports, capacity;
	pthread_t thread;
};

// ---- the ports

static int add_port(void *context, const struct port_record *record) {
	struct teacher *teacher = context;
	struct port_name *port;
	int rc;

	if ((rc = array_room((void **)&teacher->ports, teacher->n_ports, &teacher->capacity,
	                     sizeof(*teacher->ports))) < 0)
		return rc;
	port = &teacher->ports[teacher->n_ports++];
	snprintf(port->host, sizeof(port->host), "%s", record->host);
	snprintf(port->name, sizeof(port->name), "%s", record->name);
	snprintf(port->link_id, sizeof(port->link_id), "%s", record->link != NULL ? record->link : "");
	return 0;
}

static int find_ports(struct teacher *teacher, struct status *status) {
	int rc;

	teacher->n_ports = 0;
	if ((rc = history_each_port(teacher->history, add_port, teacher, status)) < 0)
		return rc;
	for (size_t i = 0; i < teacher->n_ports; i++) {
		struct port_name *port = &teacher->ports[i];
		char link_id[LIMIT_ID_SIZE + 1];
		enum ends end;

		if ((rc = state_binding(teacher->state, port->host, port->name, link_id, &end, status)) < 0)
			return rc;
		if (rc > 0)
			memcpy(port->link_id, link_id, sizeof(link_id));
	}
	return 0;
}

// ---- what was true

struct truths {
	struct document *memory;
	struct label_list of_port, of_link;
	struct failures failures;
	size_t at;
};

static void truths_fini(struct truths *truths) {
	document_close(truths->memory);
	failures_fini(&truths->failures);
}

static int read_labels(struct teacher *teacher, const struct port_name *port, struct truths *truths,
                       struct status *status) {
	struct labels_query query;
	int rc;

	if ((rc = document_from_msgpack("\x80", 1, &truths->memory, status)) < 0)
		return rc;
	labels_query_init(&query);
	query.host = port->host;
	query.name = port->name;
	if ((rc = label_read(teacher->state, &query, truths->memory, &truths->of_port, status)) < 0 ||
	    port->link_id[0] == '\0')
		return rc;
	query.host = query.name = NULL;
	query.link_id = port->link_id;
	return label_read(teacher->state, &query, truths->memory, &truths->of_link, status);
}

static bool find_label(const struct label_list *list, int64_t ts_ns, bool *ret_failure) {
	for (size_t i = 0; i < list->n_labels; i++) {
		const struct event_label *label = &list->labels[i];

		if (label->from_ns < ts_ns && ts_ns <= label->to_ns) {
			*ret_failure = label->failure;
			return true;
		}
	}
	return false;
}

// What somebody told wins over what was found.
static enum truth truth_at(struct truths *truths, int64_t ts_ns) {
	bool is_failure;

	if (find_label(&truths->of_port, ts_ns, &is_failure) ||
	    find_label(&truths->of_link, ts_ns, &is_failure))
		return is_failure ? TRUTH_FAILED : TRUTH_UNKNOWN;
	return failures_cover(&truths->failures, ts_ns, &truths->at) ? TRUTH_FAILED : TRUTH_WELL;
}

// ---- the lessons of a port

static int find_failures(void *context, const struct observation *observation) {
	return failures_add(context, observation);
}

struct lesson {
	struct trainer *trainer;
	struct watch *watch;
	struct truths truths;
};

static void lesson_fini(struct lesson *lesson) {
	watch_free(lesson->watch);
	truths_fini(&lesson->truths);
}

static int take_lesson(void *context, const struct observation *observation) {
	struct lesson *lesson = context;
	float values[N_FEATURES];

	watch_advance(lesson->watch, observation);
	watch_features(lesson->watch, values);
	return trainer_add(lesson->trainer, observation->ts_ns, values,
	                   truth_at(&lesson->truths, observation->ts_ns));
}

static int each_past(struct teacher *teacher, const struct port_name *port, int64_t from_ns, int64_t to_ns,
                     int (*each)(void *context, const struct observation *), void *context,
                     struct status *status) {
	struct observer observer = {0};

	return past_rows_each(teacher->history, port->host, port->name, from_ns, to_ns, &teacher->stopping,
	                      &observer, each, context, status);
}

// Twice over the rows: a failure must have lasted to be one, so where they are is known first.
static int learn_port(struct teacher *teacher, const struct port_name *port, struct trainer *trainer,
                      struct status *status) {
	CLEANUP(lesson_fini) struct lesson lesson = {.trainer = trainer};
	struct port_newest newest;
	int64_t from_ns;
	int rc;

	if ((rc = history_port_newest(teacher->history, port->host, port->name, INT64_MAX, &newest,
	                              status)) <= 0)
		return rc;
	from_ns = newest.ts_ns + 1 - (int64_t)(teacher->settings->training_seconds * (double)NS_PER_SECOND);
	trainer_next_port(trainer);
	if ((rc = watch_new(teacher->settings->false_alarms_per_week, &lesson.watch)) < 0 ||
	    (rc = read_labels(teacher, port, &lesson.truths, status)) < 0 ||
	    (rc = each_past(teacher, port, from_ns, newest.ts_ns + 1, find_failures, &lesson.truths.failures,
	                    status)) < 0 ||
	    (rc = failures_end(&lesson.truths.failures)) < 0)
		return rc;
	return each_past(teacher, port, from_ns, newest.ts_ns + 1, take_lesson, &lesson, status);
}

// ---- training

static void hand_over(struct teacher *teacher, struct foresight *foresight) {
	struct detect_message message = {.kind = DETECT_MODEL, .model = foresight};

	HANDOVER_GIVE(foresight);
	while (zmq_send(teacher->detector, &message, sizeof(message), ZMQ_DONTWAIT) < 0) {
		if (errno != EAGAIN || atomic_load(&teacher->stopping)) {
			foresight_free(foresight);
			return;
		}
		(void)poll(&(struct pollfd){teacher->stop_fd, POLLIN, 0}, 1, 200); // the detector is behind
	}
}

static int keep(struct teacher *teacher, const struct foresight *foresight, struct status *status) {
	CLEANUP(bytes_fini) struct bytes model = {0};
	int rc;

	if ((rc = foresight_save(foresight, &model)) < 0)
		return rc;
	return failure_model_save(teacher->state, teacher->trained_ns, &model, status);
}

static int train(struct teacher *teacher, struct status *status) {
	CLEANUP(trainer_freep) struct trainer *trainer = NULL;
	struct foresight *foresight;
	int rc;

	if ((rc = trainer_new(teacher->settings->horizon_seconds, &trainer)) < 0 ||
	    (rc = find_ports(teacher, status)) < 0)
		return rc;
	for (size_t i = 0; i < teacher->n_ports; i++) {
		if ((rc = learn_port(teacher, &teacher->ports[i], trainer, status)) < 0)
			return rc;
	}
	rc = foresight_train(trainer, SEED, &teacher->stopping, &foresight);
	if (rc == -ENODATA)
		log_debug("failure prediction: %zu failures in the history, too few to learn from",
		          trainer_failures(trainer));
	if (rc < 0)
		return rc;
	if ((rc = keep(teacher, foresight, status)) < 0) {
		foresight_free(foresight);
		return rc;
	}
	METRIC_ADD(teacher->metrics, failure_models, 1);
	log_info("failure prediction: trained on %llu failures, %llu rows",
	         (unsigned long long)foresight_report(foresight)->failures,
	         (unsigned long long)foresight_report(foresight)->rows);
	hand_over(teacher, foresight);
	return 0;
}

// What an earlier process learnt. One for another horizon is of no use.
static void take_up(struct teacher *teacher) {
	CLEANUP(bytes_fini) struct bytes model = {0};
	struct status status = {.message = ""};
	struct foresight *foresight;
	int64_t made_ns;
	int rc = failure_model_load(teacher->state, &made_ns, &model, &status);

	if (rc <= 0)
		return;
	rc = foresight_load(&model, &foresight);
	if (rc < 0) {
		log_info("failure prediction: the stored model is %s: it is trained anew",
		         rc == -ENOTSUP ? "of another release" : "damaged");
		return;
	}
	if (fabs(foresight_report(foresight)->horizon_seconds - teacher->settings->horizon_seconds) > 1e-6) {
		foresight_free(foresight);
		return;
	}
	teacher->trained_ns = made_ns;
	hand_over(teacher, foresight);
}

static int64_t next_ns(const struct teacher *teacher, int64_t started_ns) {
	int64_t every_ns = (int64_t)(teacher->settings->retrain_seconds * (double)NS_PER_SECOND);

	if (teacher->trained_ns != 0)
		return teacher->trained_ns + every_ns;
	return started_ns + (every_ns < FIRST_NS ? every_ns : FIRST_NS);
}

static void *run(void *argument) {
	struct teacher *teacher = argument;
	struct pollfd stop = {teacher->stop_fd, POLLIN, 0};
	int64_t started_ns = clock_real_ns();

	pthread_setname_np(pthread_self(), "linkcast-learn");
	(void)pthread_setschedparam(pthread_self(), SCHED_IDLE, &(struct sched_param){0});
	take_up(teacher);
	for (;;) {
		struct status status = {.message = ""};
		int64_t wait_ns = next_ns(teacher, started_ns) - clock_real_ns();
		int rc;

		wait_ns = wait_ns < 0 ? 0 : wait_ns > LONGEST_NS ? LONGEST_NS : wait_ns;
		if (poll(&stop, 1, (int)(wait_ns / NS_PER_MS) + 1) != 0)
			return NULL;
		if (next_ns(teacher, started_ns) > clock_real_ns())
			continue;
		teacher->trained_ns = clock_real_ns();
		rc = train(teacher, &status);
		if (rc < 0 && rc != -ENODATA && rc != -ECANCELED)
			log_error("failure prediction: %s",
			          status.message[0] != '\0' ? status.message : strerror(-rc));
	}
}

// ---- start and stop

static void free_all(struct teacher *teacher) {
	if (teacher == NULL)
		return;
	free(teacher->ports);
	history_close(teacher->history);
	state_close(teacher->state);
	if (teacher->detector != NULL)
		zmq_close(teacher->detector);
	if (teacher->stop_fd >= 0)
		close(teacher->stop_fd);
	free(teacher);
}
DEFINE_CLEANUP(struct teacher *, free_all)

int teacher_start(const struct alert_settings *settings, const char *history_path, const char *state_path,
                  void *context, struct metrics *metrics, struct teacher **ret, struct status *status) {
	CLEANUP(free_allp) struct teacher *teacher = calloc(1, sizeof(*teacher));
	int rc;

	if (teacher == NULL)
		return -ENOMEM;
	teacher->settings = settings;
	teacher->metrics = metrics;
	teacher->stop_fd = eventfd(0, EFD_CLOEXEC);
	teacher->detector = detector_sender(context);
	if (teacher->stop_fd < 0 || teacher->detector == NULL)
		return -ENOMEM;
	if ((rc = history_open(history_path, false, &teacher->history, status)) < 0 ||
	    (rc = state_open(state_path, true, &teacher->state, status)) < 0)
		return rc;
	rc = pthread_create(&teacher->thread, NULL, run, teacher);
	if (rc != 0)
		return -rc;
	*ret = teacher;
	teacher = NULL;
	return 0;
}

void teacher_stop(struct teacher *teacher) {
	if (teacher == NULL)
		return;
	atomic_store(&teacher->stopping, true);
	eventfd_write(teacher->stop_fd, 1);
	pthread_join(teacher->thread, NULL);
	free_all(teacher);
}
