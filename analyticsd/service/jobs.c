// A ring of the last jobs, under one lock; those that wait are its youngest. Requests are kept encoded, results too:
// they are messages anyway, and nothing of the asking thread's memory is held.
// SPDX-License-Identifier: MIT
#include "jobs.h"

#include "clock.h"
#include "log.h"
#include "training.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LOOK_SECONDS 2  // between looks at one model after the other, for drift, at least
#define LOOK_SHARE   50 // of the time goes into looking, at most one part in so many
#define NICEST       19

struct entry {
	uint64_t number; // from 1; 0: none
	enum job_kinds kind;
	enum job_states state;
	double progress;
	int64_t queued_ns;
	char model_id[LIMIT_ID_SIZE + 1]; // that is trained
	int64_t refits;
	struct bytes request, result;
	char error[STATUS_MESSAGE_SIZE];
};

struct jobs {
	pthread_mutex_t lock; // of what follows, up to 'stop'
	pthread_cond_t woken;
	struct entry entries[JOBS_KEPT];
	uint64_t newest, next; // numbers: of the last one queued, of the next one to do
	atomic_bool stop;
	pthread_t thread;
	bool has_thread;
	struct history *history;
	struct state *state;
	char looked_at[LIMIT_ID_SIZE + 1]; // model, last; of the thread
	int64_t look_seconds;              // until the next; of the thread
};

static struct entry *entry_of(struct jobs *jobs, uint64_t number) {
	struct entry *entry = &jobs->entries[number % JOBS_KEPT];

	return number > 0 && entry->number == number ? entry : NULL;
}

static void entry_fini(struct entry *entry) {
	bytes_fini(&entry->request);
	bytes_fini(&entry->result);
}

// ---- queueing

static int queue(struct jobs *jobs, enum job_kinds kind, struct bytes *request, const char *model_id,
                 int64_t refits, int64_t now_ns, char ret_id[static LIMIT_ID_SIZE + 1],
                 struct status *status) {
	struct entry *entry;
	int rc = 0;

	pthread_mutex_lock(&jobs->lock);
	if (jobs->newest + 1 - jobs->next >= JOBS_WAITING) {
		rc = status_set(status, STATUS_RESOURCE_EXHAUSTED, "%d jobs wait already", JOBS_WAITING);
	} else {
		entry = &jobs->entries[++jobs->newest % JOBS_KEPT];
		entry_fini(entry);
		*entry = (struct entry){.number = jobs->newest,
		                        .kind = kind,
		                        .state = JOB_STATE_QUEUED,
		                        .queued_ns = now_ns,
		                        .refits = refits,
		                        .request = *request};
		*request = (struct bytes){0};
		snprintf(entry->model_id, sizeof(entry->model_id), "%s", model_id);
		snprintf(ret_id, LIMIT_ID_SIZE + 1, "%" PRIu64, jobs->newest);
		pthread_cond_signal(&jobs->woken);
	}
	pthread_mutex_unlock(&jobs->lock);
	return rc;
}

int jobs_train(struct jobs *jobs, const struct train_request *request, int64_t now_ns,
               char ret_id[static LIMIT_ID_SIZE + 1], struct status *status) {
	CLEANUP(bytes_fini) struct bytes encoded = {0};
	char model_id[2 * LIMIT_ID_SIZE];
	int rc, size;

	if ((rc = training_check(request, status)) < 0)
		return rc;
	size = request->model_id != NULL
	               ? snprintf(model_id, sizeof(model_id), "%s", request->model_id)
	               : snprintf(model_id, sizeof(model_id), "%s/%s/%s", request->link_id,
	                          choice_word(&directions_choices, request->direction), request->model);
	if (size > LIMIT_ID_SIZE)
		return status_set(status, STATUS_INVALID_ARGUMENT, "model_id: say one of at most %d bytes",
		                  LIMIT_ID_SIZE);
	if ((rc = message_encode(&train_request_message, request, &encoded)) < 0)
		return rc;
	return queue(jobs, JOB_TRAIN, &encoded, model_id, 0, now_ns, ret_id, status);
}

int jobs_evaluate(struct jobs *jobs, const struct evaluate_request *request, int64_t now_ns,
                  char ret_id[static LIMIT_ID_SIZE + 1], struct status *status) {
	CLEANUP(bytes_fini) struct bytes encoded = {0};
	int rc;

	if ((request->model_id == NULL) == (request->train == NULL))
		return status_set(status, STATUS_INVALID_ARGUMENT, "one of model_id and train is required");
	if (request->train != NULL && (rc = training_check(request->train, status)) < 0)
		return rc;
	if ((rc = message_encode(&evaluate_request_message, request, &encoded)) < 0)
		return rc;
	return queue(jobs, JOB_EVALUATE, &encoded, "", 0, now_ns, ret_id, status);
}

// ---- telling

// A kept message, read into memory that lives with 'memory'.
static int read_result(const struct bytes *result, const struct message *message, struct document *memory,
                       void *ret, struct status *status) {
	struct document *document = NULL;
	int rc;

	if ((rc = document_from_msgpack(result->data, result->size, &document, status)) < 0)
		return rc;
	if ((rc = document_adopt(memory, document)) < 0)
		return rc;
	return document_read(document, message, ret, status);
}

static int tell(const struct entry *entry, const char *job_id, struct document *memory, struct job_view *ret,
                struct status *status) {
	char *error = document_alloc(memory, sizeof(entry->error) + strlen(job_id) + 1);

	if (error == NULL)
		return -ENOMEM;
	ret->job_id = strcpy(error + sizeof(entry->error), job_id);
	ret->kind = entry->kind;
	ret->state = entry->state;
	ret->progress = entry->progress;
	ret->queued_ns = entry->queued_ns;
	if (entry->error[0] != '\0')
		ret->reason = strcpy(error, entry->error);
	if (entry->state != JOB_STATE_DONE)
		return 0;
	if (entry->kind == JOB_TRAIN) {
		if ((ret->model = document_alloc(memory, sizeof(*ret->model))) == NULL)
			return -ENOMEM;
		return read_result(&entry->result, &trained_model_message, memory, ret->model, status);
	}
	if ((ret->evaluation = document_alloc(memory, sizeof(*ret->evaluation))) == NULL)
		return -ENOMEM;
	return read_result(&entry->result, &evaluation_message, memory, ret->evaluation, status);
}

int jobs_get(struct jobs *jobs, const char *job_id, struct document *memory, struct job_view *ret,
             struct status *status) {
	const struct entry *entry;
	uint64_t number = 0;
	int rc;

	if (strlen(job_id) > 20 || sscanf(job_id, "%" SCNu64, &number) != 1)
		number = 0;
	pthread_mutex_lock(&jobs->lock);
	entry = entry_of(jobs, number);
	rc = entry != NULL ? tell(entry, job_id, memory, ret, status)
	                   : status_set(status, STATUS_NOT_FOUND, "job_id: no job '%.80s'", job_id);
	pthread_mutex_unlock(&jobs->lock);
	return rc;
}

// ---- the thread

static void note_progress(void *context, size_t done, size_t total) {
	struct jobs *jobs = context;
	struct entry *entry;

	pthread_mutex_lock(&jobs->lock);
	entry = entry_of(jobs, jobs->next - 1);
	if (entry != NULL && total > 0)
		entry->progress = (double)done / (double)total;
	pthread_mutex_unlock(&jobs->lock);
}

// What a job is done from: a copy, so that the lock is free meanwhile.
struct work {
	enum job_kinds kind;
	char model_id[LIMIT_ID_SIZE + 1];
	int64_t refits;
	struct bytes request, result;
};

static void work_fini(struct work *work) {
	bytes_fini(&work->request);
	bytes_fini(&work->result);
}

static int do_work(struct jobs *jobs, struct work *work, struct status *status) {
	CLEANUP(document_closep) struct document *document = NULL;
	const struct fit_watch watch = {note_progress, jobs, &jobs->stop};
	const struct training training = {jobs->history, jobs->state, &watch, clock_real_ns()};
	struct evaluate_request evaluate;
	struct train_request train;
	int rc;

	if ((rc = document_from_msgpack(work->request.data, work->request.size, &document, status)) < 0)
		return rc;
	if (work->kind == JOB_TRAIN) {
		if ((rc = document_read(document, &train_request_message, &train, status)) < 0)
			return rc;
		return training_train(&training, &train, work->model_id, work->refits, &work->result, status);
	}
	if ((rc = document_read(document, &evaluate_request_message, &evaluate, status)) < 0)
		return rc;
	return training_evaluate(&training, &evaluate, &work->result, status);
}

// The next job that waits, and takes its request. Called with the lock held.
static bool take_work(struct jobs *jobs, struct work *ret) {
	struct entry *entry = jobs->next <= jobs->newest ? entry_of(jobs, jobs->next) : NULL;

	if (entry == NULL)
		return false;
	jobs->next++;
	entry->state = JOB_STATE_RUNNING;
	*ret = (struct work){.kind = entry->kind, .refits = entry->refits, .request = entry->request};
	memcpy(ret->model_id, entry->model_id, sizeof(ret->model_id));
	entry->request = (struct bytes){0};
	return true;
}

static void finish_work(struct jobs *jobs, struct work *work, int rc, const struct status *status) {
	struct entry *entry;

	pthread_mutex_lock(&jobs->lock);
	entry = entry_of(jobs, jobs->next - 1);
	if (entry != NULL) {
		entry->state = rc == 0            ? JOB_STATE_DONE
		               : rc == -ECANCELED ? JOB_STATE_CANCELLED
		                                  : JOB_STATE_FAILED;
		entry->progress = rc == 0 ? 1 : entry->progress;
		if (rc < 0)
			snprintf(entry->error, sizeof(entry->error), "%s",
			         status->message[0] != '\0' ? status->message : strerror(-rc));
		entry->result = work->result;
		work->result = (struct bytes){0};
	}
	pthread_mutex_unlock(&jobs->lock);
	if (rc < 0 && rc != -ECANCELED)
		log_info("job failed: %s", status->message[0] != '\0' ? status->message : strerror(-rc));
}

// ---- drift

struct looking {
	struct jobs *jobs;
	char first[LIMIT_ID_SIZE + 1], next[LIMIT_ID_SIZE + 1];
};

// The model behind the one that was looked at last, or the first.
static int note_model(void *context, const struct stored_model *model) {
	struct looking *looking = context;

	if (looking->first[0] == '\0')
		snprintf(looking->first, sizeof(looking->first), "%s", model->model_id);
	if (looking->next[0] == '\0' && strcmp(model->model_id, looking->jobs->looked_at) > 0)
		snprintf(looking->next, sizeof(looking->next), "%s", model->model_id);
	return 0;
}

static int queue_refit(void *context, const struct stored_model *model) {
	struct jobs *jobs = context;
	struct bytes request = {malloc(model->request.size + 1), model->request.size};
	char id[LIMIT_ID_SIZE + 1];
	int rc;

	if (request.data == NULL)
		return -ENOMEM;
	memcpy(request.data, model->request.data, request.size);
	rc = queue(jobs, JOB_TRAIN, &request, model->model_id, model->refits + 1, clock_real_ns(), id, NULL);
	bytes_fini(&request);
	if (rc == 0)
		log_info("model %s has drifted: training it anew (job %s)", model->model_id, id);
	return rc;
}

static void look_at_a_model(struct jobs *jobs) {
	const struct fit_watch watch = {NULL, NULL, &jobs->stop};
	const struct training training = {jobs->history, jobs->state, &watch, clock_real_ns()};
	struct looking looking = {.jobs = jobs};
	struct status status = {0};
	int64_t start_ns = clock_mono_ns(), took_ns;

	jobs->look_seconds = LOOK_SECONDS;
	if (model_store_each(jobs->state, NULL, note_model, &looking, &status) < 0 ||
	    looking.first[0] == '\0')
		return;
	memcpy(jobs->looked_at, looking.next[0] != '\0' ? looking.next : looking.first,
	       sizeof(jobs->looked_at));
	if (training_has_drifted(&training, jobs->looked_at, &status) > 0)
		(void)model_store_get(jobs->state, jobs->looked_at, queue_refit, jobs, &status);
	took_ns = clock_mono_ns() - start_ns;
	jobs->look_seconds += LOOK_SHARE * took_ns / NS_PER_SECOND;
}

static void *run(void *context) {
	struct jobs *jobs = context;
	struct timespec until;

	pthread_setname_np(pthread_self(), "linkcast-jobs");
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICEST);
	while (!atomic_load(&jobs->stop)) {
		CLEANUP(work_fini) struct work work = {0};
		struct status status = {0};
		bool has_work;

		pthread_mutex_lock(&jobs->lock);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += jobs->look_seconds;
		while (!(has_work = take_work(jobs, &work)) && !atomic_load(&jobs->stop) &&
		       pthread_cond_timedwait(&jobs->woken, &jobs->lock, &until) == 0)
			continue;
		pthread_mutex_unlock(&jobs->lock);
		if (has_work) {
			int rc = do_work(jobs, &work, &status);

			finish_work(jobs, &work, rc, &status);
		} else if (!atomic_load(&jobs->stop)) {
			look_at_a_model(jobs);
		}
	}
	return NULL;
}

// ---- start and stop

int jobs_start(const char *history_path, const char *state_path, struct jobs **ret, struct status *status) {
	CLEANUP(jobs_stopp) struct jobs *jobs = calloc(1, sizeof(*jobs));
	pthread_condattr_t monotonic;
	int rc;

	if (jobs == NULL)
		return -ENOMEM;
	jobs->next = 1;
	jobs->look_seconds = LOOK_SECONDS;
	pthread_mutex_init(&jobs->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&jobs->woken, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if ((rc = state_open(state_path, true, &jobs->state, status)) < 0 ||
	    (rc = history_open(history_path, false, &jobs->history, status)) < 0)
		return rc;
	if (pthread_create(&jobs->thread, NULL, run, jobs) != 0)
		return -EAGAIN;
	jobs->has_thread = true;
	*ret = jobs;
	jobs = NULL;
	return 0;
}

void jobs_stop(struct jobs *jobs) {
	if (jobs == NULL)
		return;
	if (jobs->has_thread) {
		pthread_mutex_lock(&jobs->lock);
		atomic_store(&jobs->stop, true);
		pthread_cond_signal(&jobs->woken);
		pthread_mutex_unlock(&jobs->lock);
		pthread_join(jobs->thread, NULL);
	}
	for (size_t i = 0; i < JOBS_KEPT; i++)
		entry_fini(&jobs->entries[i]);
	history_close(jobs->history);
	state_close(jobs->state);
	pthread_cond_destroy(&jobs->woken);
	pthread_mutex_destroy(&jobs->lock);
	free(jobs);
}
