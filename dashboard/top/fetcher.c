// One thread owns the client; it meets the screen at one mutex, behind which are the wish and the newest snapshot.
// SPDX-License-Identifier: MIT
#include "fetcher.h"

#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define ANSWER_MS 30000 // a first forecast of a large topology takes its time

struct fetcher {
	struct client *client; // of the thread
	int interval_ms;
	int wake_fd, news_fd;
	pthread_t thread;
	pthread_mutex_t mutex;
	struct snapshot_wish wish; // these three behind the mutex
	struct snapshot *newest;
	bool stopping;
};

static void signal_fd(int fd) {
	const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return; // it is readable already
}

static void drain_fd(int fd) {
	uint64_t count;

	if (read(fd, &count, sizeof(count)) < 0)
		return; // nothing was there
}

static void *run(void *context) {
	struct fetcher *fetcher = context;
	struct pollfd item = {fetcher->wake_fd, POLLIN, 0};

	for (;;) {
		struct snapshot *snapshot, *before;
		struct snapshot_wish wish;
		bool stopping;

		pthread_mutex_lock(&fetcher->mutex);
		wish = fetcher->wish;
		stopping = fetcher->stopping;
		pthread_mutex_unlock(&fetcher->mutex);
		if (stopping)
			return NULL;

		snapshot = snapshot_take(fetcher->client, &wish, clock_real_ns());
		pthread_mutex_lock(&fetcher->mutex);
		before = fetcher->newest;
		fetcher->newest = snapshot;
		pthread_mutex_unlock(&fetcher->mutex);
		snapshot_free(before);
		signal_fd(fetcher->news_fd);
		if (poll(&item, 1, fetcher->interval_ms) > 0)
			drain_fd(fetcher->wake_fd);
	}
}

int fetcher_start(const char *endpoint, int interval_ms, const struct snapshot_wish *wish,
                  struct fetcher **ret, struct status *status) {
	struct fetcher *fetcher = calloc(1, sizeof(*fetcher));
	int rc;

	if (fetcher == NULL)
		return -ENOMEM;
	fetcher->interval_ms = interval_ms;
	fetcher->wish = *wish;
	fetcher->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	fetcher->news_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&fetcher->mutex, NULL);
	rc = fetcher->wake_fd < 0 || fetcher->news_fd < 0
	             ? -errno
	             : client_open(endpoint, ANSWER_MS, &fetcher->client, status);
	if (rc == 0)
		rc = -pthread_create(&fetcher->thread, NULL, run, fetcher);
	if (rc == 0) {
		*ret = fetcher;
		return 0;
	}
	client_close(fetcher->client);
	close(fetcher->wake_fd);
	close(fetcher->news_fd);
	free(fetcher);
	return rc;
}

void fetcher_stop(struct fetcher *fetcher) {
	if (fetcher == NULL)
		return;
	pthread_mutex_lock(&fetcher->mutex);
	fetcher->stopping = true;
	pthread_mutex_unlock(&fetcher->mutex);
	signal_fd(fetcher->wake_fd);
	pthread_join(fetcher->thread, NULL);
	client_close(fetcher->client);
	snapshot_free(fetcher->newest);
	close(fetcher->wake_fd);
	close(fetcher->news_fd);
	pthread_mutex_destroy(&fetcher->mutex);
	free(fetcher);
}

void fetcher_wish(struct fetcher *fetcher, const struct snapshot_wish *wish) {
	pthread_mutex_lock(&fetcher->mutex);
	fetcher->wish = *wish;
	pthread_mutex_unlock(&fetcher->mutex);
	signal_fd(fetcher->wake_fd);
}

struct snapshot *fetcher_take(struct fetcher *fetcher) {
	struct snapshot *snapshot;

	drain_fd(fetcher->news_fd);
	pthread_mutex_lock(&fetcher->mutex);
	snapshot = fetcher->newest;
	fetcher->newest = NULL;
	pthread_mutex_unlock(&fetcher->mutex);
	return snapshot;
}

int fetcher_fd(const struct fetcher *fetcher) {
	return fetcher->news_fd;
}
