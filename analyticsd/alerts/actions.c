// The thread that runs programs and posts webhooks: one poll over all of them.
// SPDX-License-Identifier: MIT
#include "actions.h"

#include "clock.h"
#include "log.h"
#include "program.h"
#include "webhook.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MOST_WAITING    1000
#define MOST_PARALLEL   64
#define RESULT_SIZE     400
#define FIRST_RETRY_NS  NS_PER_SECOND
#define LONGEST_WAIT_NS (300 * NS_PER_SECOND)
#define POLL_MS         1000

struct job {
	struct action_record record; // action and body are its own copies
	const struct action *action;
	struct program *program;
	struct webhook *webhook;
	int64_t due_mono_ns;      // not started before
	int64_t deadline_mono_ns; // of a program
	struct job *next;
};

struct actions {
	const struct alert_settings *settings;
	struct metrics *metrics;
	struct state *state;
	CURLM *multi;
	int wake_fd;
	atomic_bool stopping;
	bool is_running;
	pthread_t thread;
	pthread_mutex_t lock; // of 'arrived' and 'n_waiting'
	struct job *arrived;  // newest first
	size_t n_waiting;     // arrived, waiting or running
	// the thread's own
	struct job *waiting; // oldest first
	struct job *running[MOST_PARALLEL];
	int n_running;
};

static void job_free(struct job *job) {
	if (job == NULL)
		return;
	program_free(job->program);
	webhook_free(job->webhook);
	free((char *)job->record.action);
	free((char *)job->record.body);
	free(job);
}
DEFINE_CLEANUP(struct job *, job_free)

static const struct action *find_action(const struct alert_settings *settings, const char *name) {
	for (size_t i = 0; i < settings->n_actions; i++) {
		if (strcmp(settings->actions[i].name, name) == 0)
			return &settings->actions[i];
	}
	return NULL;
}

static int job_new(const struct actions *actions, const struct action_record *record, struct job **ret) {
	CLEANUP(job_freep) struct job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return -ENOMEM;
	job->record = *record;
	job->record.action = strdup(record->action);
	job->record.body = strdup(record->body);
	job->record.result = NULL;
	if (job->record.action == NULL || job->record.body == NULL)
		return -ENOMEM;
	job->action = find_action(actions->settings, record->action);
	*ret = job;
	job = NULL;
	return 0;
}

int actions_submit(struct actions *actions, const struct action_record *record) {
	struct job *job;
	int rc;

	pthread_mutex_lock(&actions->lock);
	rc = actions->n_waiting < MOST_WAITING ? job_new(actions, record, &job) : -ENOBUFS;
	if (rc == 0) {
		job->next = actions->arrived;
		actions->arrived = job;
		actions->n_waiting++;
	}
	pthread_mutex_unlock(&actions->lock);
	if (rc == 0)
		eventfd_write(actions->wake_fd, 1);
	return rc;
}

// ---- the thread

static void note(struct actions *actions, struct job *job, enum action_states state, const char *result) {
	struct status status = {.message = ""};

	job->record.state = state;
	job->record.result = result;
	job->record.finished_ns = state == ACTION_RUNNING || state == ACTION_WAITING ? 0 : clock_real_ns();
	if (action_log_set(actions->state, &job->record, &status) < 0)
		log_error("cannot note action %s of alert %lld: %s", job->record.action,
		          (long long)job->record.alert_id, status.message);
	job->record.result = NULL;
}

static void finish(struct actions *actions, struct job *job, enum action_states state, const char *result) {
	note(actions, job, state, result);
	if (state == ACTION_DONE) {
		METRIC_ADD(actions->metrics, actions_done, 1);
	} else {
		METRIC_ADD(actions->metrics, actions_failed, 1);
		log_warning("action %s for alert %lld: %s", job->record.action,
		            (long long)job->record.alert_id, result);
	}
	job_free(job);
	pthread_mutex_lock(&actions->lock);
	actions->n_waiting--;
	pthread_mutex_unlock(&actions->lock);
}

static void queue(struct actions *actions, struct job *job) {
	struct job **at = &actions->waiting;

	while (*at != NULL)
		at = &(*at)->next;
	job->next = NULL;
	*at = job;
}

static void take_arrived(struct actions *actions) {
	struct job *arrived, *oldest_first = NULL;

	pthread_mutex_lock(&actions->lock);
	arrived = actions->arrived;
	actions->arrived = NULL;
	pthread_mutex_unlock(&actions->lock);
	while (arrived != NULL) {
		struct job *job = arrived;

		arrived = job->next;
		job->next = oldest_first;
		oldest_first = job;
	}
	while (oldest_first != NULL) {
		struct job *job = oldest_first;

		oldest_first = job->next;
		queue(actions, job);
	}
}

static int start_program(struct job *job) {
	job->deadline_mono_ns =
	        clock_mono_ns() + (int64_t)(job->action->timeout_seconds * (double)NS_PER_SECOND);
	return program_start(job->action->arguments, job->record.body, &job->program);
}

static int start_webhook(struct actions *actions, struct job *job) {
	char delivery[32];
	int rc;

	snprintf(delivery, sizeof(delivery), "%lld", (long long)job->record.number);
	if ((rc = webhook_new(job->action, delivery, job->record.body, clock_real_ns() / NS_PER_SECOND,
	                      &job->webhook)) < 0)
		return rc;
	return curl_multi_add_handle(actions->multi, webhook_handle(job->webhook)) == CURLM_OK ? 0 : -ENOMEM;
}

static void start(struct actions *actions, struct job *job) {
	int rc;

	job->record.attempts++;
	job->record.started_ns = clock_real_ns();
	note(actions, job, ACTION_RUNNING, NULL); // before it runs, so that a crash doesn't run it twice
	rc = job->action->program != NULL ? start_program(job) : start_webhook(actions, job);
	if (rc < 0)
		finish(actions, job, ACTION_FAILED, strerror(-rc));
	else
		actions->running[actions->n_running++] = job;
}

static void start_due(struct actions *actions) {
	int64_t now_ns = clock_mono_ns();
	struct job **at = &actions->waiting;

	while (*at != NULL && actions->n_running < actions->settings->parallel_actions) {
		struct job *job = *at;

		if (job->due_mono_ns > now_ns) {
			at = &job->next;
			continue;
		}
		*at = job->next;
		start(actions, job);
	}
}

static void drop_running(struct actions *actions, int i) {
	actions->running[i] = actions->running[--actions->n_running];
}

// Returns true when the job left the list of the running.
static bool look_at_program(struct actions *actions, int i) {
	struct job *job = actions->running[i];
	char result[RESULT_SIZE];
	bool ok = false;

	if (clock_mono_ns() >= job->deadline_mono_ns)
		program_kill(job->program);
	if (!program_advance(job->program, &ok, result, sizeof(result)))
		return false;
	drop_running(actions, i);
	finish(actions, job, ok ? ACTION_DONE : ACTION_FAILED, result);
	return true;
}

static int64_t retry_wait_ns(int64_t attempts) {
	int64_t wait_ns = attempts < 20 ? FIRST_RETRY_NS << (attempts - 1) : LONGEST_WAIT_NS;

	return wait_ns < LONGEST_WAIT_NS ? wait_ns : LONGEST_WAIT_NS;
}

static void end_webhook(struct actions *actions, int i, int curl_result) {
	struct job *job = actions->running[i];
	char result[RESULT_SIZE];
	bool ok = webhook_ended(job->webhook, curl_result, result, sizeof(result));

	drop_running(actions, i);
	curl_multi_remove_handle(actions->multi, webhook_handle(job->webhook));
	webhook_free(job->webhook);
	job->webhook = NULL;
	if (ok || job->record.attempts > job->action->retries) {
		finish(actions, job, ok ? ACTION_DONE : ACTION_FAILED, result);
		return;
	}
	note(actions, job, ACTION_WAITING, result);
	job->due_mono_ns = clock_mono_ns() + retry_wait_ns(job->record.attempts);
	queue(actions, job);
}

static void look_at_webhooks(struct actions *actions) {
	int n_active, n_left;
	CURLMsg *message;

	(void)curl_multi_perform(actions->multi, &n_active);
	while ((message = curl_multi_info_read(actions->multi, &n_left)) != NULL) {
		void *handle = message->easy_handle;
		int result = message->data.result;

		if (message->msg != CURLMSG_DONE)
			continue;
		for (int i = 0; i < actions->n_running; i++) {
			if (actions->running[i]->webhook != NULL &&
			    webhook_handle(actions->running[i]->webhook) == handle) {
				end_webhook(actions, i, result);
				break;
			}
		}
	}
}

static int poll_ms(const struct actions *actions) {
	int64_t now_ns = clock_mono_ns(), next_ns = now_ns + POLL_MS * NS_PER_MS;

	for (int i = 0; i < actions->n_running; i++) {
		if (actions->running[i]->program != NULL && actions->running[i]->deadline_mono_ns < next_ns)
			next_ns = actions->running[i]->deadline_mono_ns;
	}
	for (const struct job *job = actions->waiting;
	     job != NULL && actions->n_running < actions->settings->parallel_actions; job = job->next)
		next_ns = job->due_mono_ns < next_ns ? job->due_mono_ns : next_ns;
	return next_ns <= now_ns ? 1 : (int)((next_ns - now_ns) / NS_PER_MS) + 1;
}

static void wait_for_something(struct actions *actions) {
	struct curl_waitfd fds[1 + MOST_PARALLEL * PROGRAM_POLLS];
	unsigned n = 0;
	uint64_t wakes;

	fds[n++] = (struct curl_waitfd){actions->wake_fd, CURL_WAIT_POLLIN, 0};
	for (int i = 0; i < actions->n_running; i++) {
		struct pollfd polls[PROGRAM_POLLS];
		int n_polls = actions->running[i]->program != NULL
		                      ? program_polls(actions->running[i]->program, polls)
		                      : 0;

		for (int p = 0; p < n_polls; p++)
			fds[n++] = (struct curl_waitfd){
			        polls[p].fd, polls[p].events & POLLIN ? CURL_WAIT_POLLIN : CURL_WAIT_POLLOUT,
			        0};
	}
	(void)curl_multi_poll(actions->multi, fds, n, poll_ms(actions), NULL);
	(void)eventfd_read(actions->wake_fd, &wakes);
}

// What is left stays as it is in state.db, and is taken up at the next start; programs are not run again.
static void give_up(struct actions *actions) {
	take_arrived(actions);
	while (actions->n_running > 0) {
		struct job *job = actions->running[--actions->n_running];

		if (job->webhook != NULL) {
			curl_multi_remove_handle(actions->multi, webhook_handle(job->webhook));
			note(actions, job, ACTION_WAITING, "analyticsd stopped");
		} else {
			note(actions, job, ACTION_INTERRUPTED, "analyticsd stopped");
		}
		job_free(job);
	}
	while (actions->waiting != NULL) {
		struct job *job = actions->waiting;

		actions->waiting = job->next;
		job_free(job);
	}
}

static void *run(void *argument) {
	struct actions *actions = argument;

	pthread_setname_np(pthread_self(), "linkcast-act");
	while (!atomic_load(&actions->stopping)) {
		take_arrived(actions);
		start_due(actions);
		wait_for_something(actions);
		look_at_webhooks(actions);
		for (int i = 0; i < actions->n_running;) {
			if (actions->running[i]->program == NULL || !look_at_program(actions, i))
				i++;
		}
	}
	give_up(actions);
	return NULL;
}

// ---- start and stop

// What was noted and not finished by the process before.
static int take_up(void *context, const struct action_record *record) {
	struct actions *actions = context;
	struct job *job;
	int rc;

	if ((rc = job_new(actions, record, &job)) < 0)
		return rc;
	job->next = actions->waiting;
	actions->waiting = job;
	return 0;
}

static int take_up_all(struct actions *actions, struct status *status) {
	struct job *job, *open;
	int rc;

	if ((rc = action_log_each_open(actions->state, take_up, actions, status)) < 0)
		return rc;
	open = actions->waiting; // newest first, so that it ends oldest first
	actions->waiting = NULL;
	while ((job = open) != NULL) {
		open = job->next;
		actions->n_waiting++;
		if (job->action == NULL) {
			finish(actions, job, ACTION_FAILED, "no such action any more");
		} else if (job->record.state == ACTION_RUNNING && job->action->program != NULL) {
			finish(actions, job, ACTION_INTERRUPTED, "analyticsd ended while it ran");
		} else {
			job->next = actions->waiting;
			actions->waiting = job;
		}
	}
	return 0;
}

static void free_all(struct actions *actions) {
	if (actions == NULL)
		return;
	give_up(actions);
	if (actions->multi != NULL)
		curl_multi_cleanup(actions->multi);
	state_close(actions->state);
	if (actions->wake_fd >= 0)
		close(actions->wake_fd);
	pthread_mutex_destroy(&actions->lock);
	free(actions);
}
DEFINE_CLEANUP(struct actions *, free_all)

int actions_start(const struct alert_settings *settings, const char *state_path, struct metrics *metrics,
                  struct actions **ret, struct status *status) {
	CLEANUP(free_allp) struct actions *actions = calloc(1, sizeof(*actions));
	int rc;

	if (actions == NULL)
		return -ENOMEM;
	actions->settings = settings;
	actions->metrics = metrics;
	actions->wake_fd = -1;
	pthread_mutex_init(&actions->lock, NULL);
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
		return -ENOMEM;
	actions->multi = curl_multi_init();
	actions->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (actions->multi == NULL || actions->wake_fd < 0)
		return -ENOMEM;
	if ((rc = state_open(state_path, true, &actions->state, status)) < 0 ||
	    (rc = take_up_all(actions, status)) < 0)
		return rc;
	rc = pthread_create(&actions->thread, NULL, run, actions);
	if (rc != 0)
		return -rc;
	*ret = actions;
	actions = NULL;
	return 0;
}

void actions_stop(struct actions *actions) {
	if (actions == NULL)
		return;
	atomic_store(&actions->stopping, true);
	eventfd_write(actions->wake_fd, 1);
	pthread_join(actions->thread, NULL);
	free_all(actions);
}
