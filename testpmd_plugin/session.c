// The thread of the plugin. It owns sampler, outbox and publisher; other threads leave it settings and a flag, under a
// mutex that is never held during a call into a driver or ZeroMQ, and look at what it leaves for them (board.h). Ticks come from a periodic timer with absolute deadlines: those that pass while the thread is late
// are counted by the kernel and skipped.
// SPDX-License-Identifier: MIT
#include "session.h"

#include "board.h"
#include "clock.h"
#include "cores.h"
#include "effort.h"
#include "futex.h"
#include "outbox.h"
#include "publisher.h"
#include "sampler.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define HELLO_INTERVAL_NS  (5 * NS_PER_SECOND)
#define HELLO_LEAST_NS     (100 * NS_PER_MS) // between hellos to new subscribers
#define FIRST_TICK_NS      NS_PER_SECOND     // unless somebody subscribes earlier
#define VIEW_INTERVAL_NS   (50 * NS_PER_MS)
#define LCORES_INTERVAL_NS NS_PER_SECOND
#define LATE_DUTY          10                // a tick is late by a tenth of the interval,
#define LATE_LEAST_NS      (NS_PER_MS / 10)  // but not by less than the scheduler takes anyway
#define FAREWELL_NS        (300 * NS_PER_MS) // for a server that asks for rows at the end,
#define SILENCE_NS         (60 * NS_PER_MS)  // unless it is silent for so long

struct session {
	pthread_t thread;
	int wake; // eventfd

	pthread_mutex_t lock; // of what follows
	pthread_cond_t changed;
	struct settings settings;
	bool configured; // 'settings' is new
	bool stopping;
	bool ready; // opened, or failed with 'status'
	bool done;
	int rc;
	struct status status;

	struct board board;
	_Atomic uint32_t last_row_wanted; // number of the wish << 16 | port
	_Atomic uint32_t last_row_taken;  // the wish that was met last

	struct sampler *sampler; // made before the thread, freed after it

	// of the thread
	char host[LIMIT_ID_SIZE + 1];
	uint64_t instance;
	struct settings current;
	struct publisher *publisher;
	struct outbox *outbox;
	int ticks; // timerfd
	bool ticking;
	int64_t tick_ns;         // when the next one is due
	struct settings ordered; // on their way from 'settings' to 'current'
	bool subscribed;         // somebody did
	int64_t hello_ns;        // next one
	int64_t last_hello_ns;
	int64_t lcores_ns;         // next look at them
	bool greeted;              // the server has the last hello
	bool ticked, woken, heard; // what the last wait ended with
	bool unread;               // more has come than was taken
	uint64_t n_ticks, n_missed, n_late, n_busy;
	struct effort effort;
	int64_t latest_ns;
	int64_t viewed_ns; // when others were last told
};

static void say_hello(struct session *session, int64_t now_ns, bool is_last) {
	session->last_hello_ns = now_ns;
	session->hello_ns = now_ns + HELLO_INTERVAL_NS;
	session->greeted = outbox_say_hello(session->outbox, is_last) == 0;
}

// The server was not connected at the last hello. Its descriptor wakes when it is.
static void greet(struct session *session) {
	if (publisher_has_server(session->publisher))
		session->greeted = outbox_greet_server(session->outbox) == 0;
}

static void tell_lcores(struct session *session, int64_t now_ns) {
	if (now_ns < session->lcores_ns)
		return;
	outbox_send_lcores(session->outbox);
	session->lcores_ns = now_ns + LCORES_INTERVAL_NS;
}

// ---- the view for other threads

static void leave_view(struct session *session, int64_t now_ns) {
	struct session_view view = {
	        .instance = session->instance,
	        .interval_ns = session->current.interval_ns,
	        .ticks = session->n_ticks,
	        .missed = session->n_missed,
	        .late = session->n_late,
	        .latest_ns = session->latest_ns,
	        .effort_ns = session->effort.total_ns,
	        .busy = session->n_busy,
	};
	struct sampler_port *const *ports;
	size_t n;

	publisher_state(session->publisher, &view.publisher);
	outbox_state(session->outbox, &view.outbox);
	ports = sampler_ports(session->sampler, &n);
	board_post(&session->board, &view, ports, n, &session->current, now_ns);
	session->viewed_ns = now_ns;
}

int session_look(struct session *session, struct session_view *ret) {
	int64_t since_ns, now_ns = clock_mono_ns();
	int rc;

	if ((rc = board_look(&session->board, now_ns, ret)) < 0)
		return rc;
	ret->reading_port = sampler_reading(session->sampler, &since_ns);
	ret->reading_ns = ret->reading_port >= 0 ? now_ns - since_ns : 0;
	return 0;
}

// ---- the thread

static void set_ticks(struct session *session, int64_t first_ns) {
	int64_t interval_ns = session->current.interval_ns;
	struct itimerspec timer = {
	        .it_value = {first_ns / NS_PER_SECOND, first_ns % NS_PER_SECOND},
	        .it_interval = {interval_ns / NS_PER_SECOND, interval_ns % NS_PER_SECOND},
	};

	(void)timerfd_settime(session->ticks, TFD_TIMER_ABSTIME, &timer, NULL);
	session->ticking = true;
	session->tick_ns = first_ns;
}

static void take_row(void *context, struct sampler_port *port) {
	outbox_take_row(context, port);
}

static void tick(struct session *session, int64_t now_ns) {
	session->n_ticks++;
	session->n_busy += sampler_read(session->sampler, now_ns, session->current.interval_ns, take_row,
	                                session->outbox);
	outbox_send_due(session->outbox, clock_mono_ns());
}

// By the tick that is used, the last one that has passed.
static void judge_lateness(struct session *session, int64_t now_ns) {
	int64_t limit_ns = session->current.interval_ns / LATE_DUTY;
	int64_t late_ns = now_ns - session->tick_ns;

	if (late_ns <= (limit_ns > LATE_LEAST_NS ? limit_ns : LATE_LEAST_NS))
		return;
	session->n_late++;
	if (late_ns > session->latest_ns)
		session->latest_ns = late_ns;
}

static void tick_if_due(struct session *session, int64_t now_ns) {
	int64_t interval_ns = session->current.interval_ns;
	uint64_t expired;

	if (!session->ticked || read(session->ticks, &expired, sizeof(expired)) != sizeof(expired))
		return;
	session->n_missed += expired - 1;
	session->tick_ns += (int64_t)(expired - 1) * interval_ns;
	judge_lateness(session, now_ns);
	session->tick_ns += interval_ns;
	tick(session, now_ns);
}

static void apply(struct session *session, const struct settings *settings, int64_t now_ns) {
	bool other_server = strcmp(session->current.server, settings->server) != 0;
	bool other_interval = session->current.interval_ns != settings->interval_ns;

	outbox_send_all(session->outbox); // under the link that they were taken with
	session->current = *settings;
	outbox_configure(session->outbox);
	sampler_configure(session->sampler, settings->xstats, settings->batch_ns);
	if (other_server)
		(void)publisher_set_server(session->publisher, settings->server, NULL);
	if (other_interval && session->ticking)
		set_ticks(session, now_ns + settings->interval_ns);
	session->hello_ns = now_ns;
}

static void take_last_row(struct session *session, int64_t now_ns) {
	uint32_t wanted = atomic_load(&session->last_row_wanted);

	if (wanted == atomic_load(&session->last_row_taken))
		return;
	if (sampler_read_last(session->sampler, (uint16_t)wanted, now_ns, session->current.interval_ns,
	                      take_row, session->outbox))
		outbox_send_all(session->outbox);
	atomic_store(&session->last_row_taken, wanted);
	futex_wake(&session->last_row_taken);
}

// Returns false when it is time to end.
static bool take_orders(struct session *session, int64_t now_ns) {
	bool configured, stopping;
	uint64_t woken;

	if (!session->woken || read(session->wake, &woken, sizeof(woken)) != sizeof(woken))
		return true;
	take_last_row(session, now_ns);
	pthread_mutex_lock(&session->lock);
	stopping = session->stopping;
	configured = session->configured;
	if (configured)
		session->ordered = session->settings;
	session->configured = false;
	pthread_mutex_unlock(&session->lock);
	if (configured)
		apply(session, &session->ordered, now_ns);
	return !stopping;
}

// Sleeps until something comes or is due. Returns whether something came.
static bool wait_for_more(struct session *session, int64_t now_ns, int64_t until_ns) {
	struct pollfd fds[2 + PUBLISHER_N_FDS] = {{.fd = session->ticks, .events = POLLIN},
	                                          {.fd = session->wake, .events = POLLIN}};
	int64_t left_ns = until_ns > now_ns && !session->unread ? until_ns - now_ns : 0;
	struct timespec left = {left_ns / NS_PER_SECOND, left_ns % NS_PER_SECOND};

	publisher_fds(session->publisher, fds + 2);
	if (ppoll(fds, sizeof(fds) / sizeof(fds[0]), &left, NULL) <= 0)
		memset(fds, 0, sizeof(fds));
	session->ticked = fds[0].revents != 0;
	session->woken = fds[1].revents != 0;
	session->heard = false;
	for (size_t i = 0; i < PUBLISHER_N_FDS; i++)
		session->heard |= fds[2 + i].revents != 0;
	return session->ticked || session->woken || session->heard;
}

static void take_replay(void *context, const struct replay_request *request) {
	outbox_replay(context, request);
}

// A new subscriber gets its hello at once, or a little later when many come.
static void take_arrivals(struct session *session) {
	int64_t soon_ns = session->last_hello_ns + HELLO_LEAST_NS;
	struct publisher_news news =
	        publisher_read(session->publisher, session->heard, take_replay, session->outbox);

	session->unread = news.more;
	if (!news.subscribed)
		return;
	session->subscribed = true;
	if (soon_ns < session->hello_ns)
		session->hello_ns = soon_ns;
}

// The first tick waits a moment for a subscriber, so that the first rows don't go to nobody.
static void begin_ticks(struct session *session, int64_t now_ns, int64_t begun_ns) {
	if (!session->ticking && (session->subscribed || now_ns - begun_ns >= FIRST_TICK_NS))
		set_ticks(session, now_ns);
}

static int64_t next_deadline(const struct session *session, int64_t begun_ns, bool unseen) {
	int64_t until_ns = session->hello_ns < session->lcores_ns ? session->hello_ns : session->lcores_ns;

	if (!session->ticking && begun_ns + FIRST_TICK_NS < until_ns)
		until_ns = begun_ns + FIRST_TICK_NS;
	if (unseen && session->viewed_ns + VIEW_INTERVAL_NS < until_ns)
		until_ns = session->viewed_ns + VIEW_INTERVAL_NS;
	return until_ns;
}

static void publish(struct session *session) {
	int64_t begun_ns = clock_mono_ns(), now_ns = begun_ns;
	bool unseen = true; // by the view

	session->hello_ns = session->lcores_ns = begun_ns;
	while (take_orders(session, now_ns)) {
		tick_if_due(session, now_ns);
		if (now_ns >= session->hello_ns)
			say_hello(session, now_ns, false);
		else if (!session->greeted && session->heard)
			greet(session);
		tell_lcores(session, now_ns);
		take_arrivals(session);
		begin_ticks(session, now_ns, begun_ns);
		if (now_ns - session->viewed_ns >= VIEW_INTERVAL_NS) {
			leave_view(session, now_ns);
			unseen = false;
		}
		effort_sleep(&session->effort);
		unseen |= wait_for_more(session, now_ns, next_deadline(session, begun_ns, unseen));
		effort_wake(&session->effort);
		now_ns = clock_mono_ns();
	}
}

// The server learns the last rows from the last hello, and may ask for those that did not arrive.
static void serve_farewell(struct session *session) {
	int64_t begun_ns = clock_mono_ns(), heard_ns = begun_ns, now_ns = begun_ns;
	struct pollfd fds[PUBLISHER_N_FDS];

	publisher_fds(session->publisher, fds);
	while (session->greeted && now_ns - begun_ns < FAREWELL_NS && now_ns - heard_ns < SILENCE_NS) {
		struct timespec left = {0, session->unread ? 0 : heard_ns + SILENCE_NS - now_ns};

		session->heard = session->unread || ppoll(fds, PUBLISHER_N_FDS, &left, NULL) > 0;
		take_arrivals(session);
		now_ns = clock_mono_ns();
		heard_ns = session->heard ? now_ns : heard_ns;
	}
}

static void finish(struct session *session) {
	tick(session, clock_mono_ns());
	outbox_send_all(session->outbox);
	say_hello(session, clock_mono_ns(), true);
	take_arrivals(session);
	serve_farewell(session);
}

static int open_all(struct session *session, struct status *status) {
	int rc;

	session->ticks = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (session->ticks < 0)
		return status_set(status, STATUS_RESOURCE_EXHAUSTED, "timer: %s", strerror(errno));
	if ((rc = publisher_open(&session->current, &session->publisher, status)) < 0)
		return rc;
	sampler_configure(session->sampler, session->current.xstats, session->current.batch_ns);
	if (outbox_new(session->host, session->instance, &session->current, session->sampler,
	               session->publisher, &session->outbox) < 0)
		return status_set(status, STATUS_RESOURCE_EXHAUSTED, "out of memory");
	return 0;
}

static void tell_opened(struct session *session, int rc, const struct status *status) {
	pthread_mutex_lock(&session->lock);
	session->rc = rc;
	session->status = *status;
	session->ready = true;
	pthread_cond_broadcast(&session->changed);
	pthread_mutex_unlock(&session->lock);
}

static void tell_done(struct session *session) {
	pthread_mutex_lock(&session->lock);
	session->done = true;
	pthread_cond_broadcast(&session->changed);
	pthread_mutex_unlock(&session->lock);
}

static void *run(void *context) {
	struct session *session = context;
	struct status status = {0};
	int rc = open_all(session, &status);

	if (rc == 0)
		leave_view(session, clock_mono_ns());
	tell_opened(session, rc, &status);
	if (rc == 0) {
		publish(session);
		finish(session);
	}
	outbox_free(session->outbox);
	publisher_close(session->publisher);
	tell_done(session);
	return NULL;
}

// ---- for the host's threads

static void session_free(struct session *session) {
	if (session == NULL)
		return;
	sampler_free(session->sampler);
	board_fini(&session->board);
	if (session->ticks >= 0)
		close(session->ticks);
	if (session->wake >= 0)
		close(session->wake);
	pthread_cond_destroy(&session->changed);
	pthread_mutex_destroy(&session->lock);
	free(session);
}
DEFINE_CLEANUP(struct session *, session_free)

static int wake(struct session *session) {
	const uint64_t one = 1;

	return write(session->wake, &one, sizeof(one)) == sizeof(one) ? 0 : -errno;
}

// Waits for 'flag', which 'changed' tells of.
static int await(struct session *session, const bool *flag) {
	int64_t deadline_ns = clock_mono_ns() + SESSION_PATIENCE_NS;
	struct timespec deadline = {deadline_ns / NS_PER_SECOND, deadline_ns % NS_PER_SECOND};
	int rc = 0;

	pthread_mutex_lock(&session->lock);
	while (!*flag && rc == 0)
		rc = pthread_cond_clockwait(&session->changed, &session->lock, CLOCK_MONOTONIC, &deadline);
	rc = *flag ? 0 : -ETIMEDOUT;
	pthread_mutex_unlock(&session->lock);
	return rc;
}

static int out_of_memory(struct status *status) {
	return status_set(status, STATUS_RESOURCE_EXHAUSTED, "out of memory");
}

static int session_new(const struct settings *settings, const char *host, struct session **ret,
                       struct status *status) {
	CLEANUP(session_freep) struct session *session = calloc(1, sizeof(*session));
	int rc;

	if (session == NULL)
		return out_of_memory(status);
	session->ticks = session->wake = -1;
	board_init(&session->board);
	pthread_mutex_init(&session->lock, NULL);
	pthread_cond_init(&session->changed, NULL);
	session->settings = session->current = *settings;
	snprintf(session->host, sizeof(session->host), "%s", host);
	session->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (session->wake < 0)
		return status_set(status, STATUS_RESOURCE_EXHAUSTED, "eventfd: %s", strerror(errno));
	if ((rc = sampler_new(&session->sampler)) < 0)
		return rc == -ENOMEM ? out_of_memory(status)
		                     : status_set(status, STATUS_UNIMPLEMENTED,
		                                  "this process has no ethdev library");
	if (getrandom(&session->instance, sizeof(session->instance), 0) != sizeof(session->instance))
		return status_set(status, STATUS_INTERNAL, "getrandom: %s", strerror(errno));
	session->instance >>= 1; // 63 bits

	*ret = session;
	session = NULL;
	return 0;
}

int session_start(const struct settings *settings, const char *host, struct session **ret,
                  struct status *status) {
	CLEANUP(session_freep) struct session *session = NULL;
	int rc;

	if ((rc = session_new(settings, host, &session, status)) < 0)
		return rc;
	assert(session != NULL);
	rc = cores_thread_create("linkcast", run, session, &session->thread);
	if (rc < 0)
		return status_set(status, STATUS_RESOURCE_EXHAUSTED, "thread: %s", strerror(-rc));
	if (await(session, &session->ready) < 0) {
		session = NULL; // the thread's, which may yet use it
		return status_set(status, STATUS_DEADLINE_EXCEEDED, "its thread did not start in time");
	}
	if (session->rc < 0) {
		pthread_join(session->thread, NULL);
		*status = session->status;
		return session->rc;
	}
	*ret = session;
	session = NULL;
	return 0;
}

int session_stop(struct session *session) {
	pthread_mutex_lock(&session->lock);
	session->stopping = true;
	pthread_mutex_unlock(&session->lock);
	if (wake(session) < 0 || await(session, &session->done) < 0)
		return -ETIMEDOUT;
	pthread_join(session->thread, NULL);
	session_free(session);
	return 0;
}

void session_take_last_row(struct session *session, uint16_t port) {
	int64_t deadline_ns = clock_mono_ns() + SESSION_LAST_ROW_NS, left_ns = SESSION_LAST_ROW_NS;
	uint32_t taken = atomic_load(&session->last_row_taken);
	uint32_t wanted = (taken & ~(uint32_t)UINT16_MAX) + UINT16_MAX + 1 + port;

	if (atomic_load(&session->last_row_wanted) != taken)
		return;
	atomic_store(&session->last_row_wanted, wanted);
	if (wake(session) < 0)
		return;
	while ((taken = atomic_load(&session->last_row_taken)) != wanted && left_ns > 0) {
		futex_wait(&session->last_row_taken, taken, left_ns);
		left_ns = deadline_ns - clock_mono_ns();
	}
}

void session_configure(struct session *session, const struct settings *settings) {
	pthread_mutex_lock(&session->lock);
	session->settings = *settings;
	session->configured = true;
	pthread_mutex_unlock(&session->lock);
	(void)wake(session);
}
