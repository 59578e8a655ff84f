// Stored rows as observations.
// SPDX-License-Identifier: MIT
#include "past_rows.h"

#include "cleanup.h"
#include "clock.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define PIECE_NS (86400 * NS_PER_SECOND)

// Latencies of rows that have one: [ts_ns, latency] each.
struct latencies {
	uint64_t *rows;
	size_t n, at;
};

static void latencies_fini(struct latencies *latencies) {
	free(latencies->rows);
}

static int read_latencies(struct history *history, const char *host, const char *name, int64_t from_ns,
                          int64_t to_ns, struct latencies *ret, struct status *status) {
	static const char *const counters[] = {LATENCY_COUNTER};
	struct port_range range = {
	        .host = host,
	        .name = name,
	        .counters = counters,
	        .n_counters = 1,
	        .from_ns = from_ns,
	        .to_ns = to_ns,
	        .limit = SIZE_MAX,
	};
	int64_t next_ns;
	int rc = history_port(history, &range, &ret->rows, &ret->n, &next_ns, status);

	return rc == -ENOENT ? 0 : rc;
}

static double latency_at(struct latencies *latencies, int64_t ts_ns) {
	while (latencies->at < latencies->n && (int64_t)latencies->rows[2 * latencies->at] < ts_ns)
		latencies->at++;
	if (latencies->at == latencies->n || (int64_t)latencies->rows[2 * latencies->at] != ts_ns)
		return NAN;
	return (double)latencies->rows[2 * latencies->at + 1] / (double)NS_PER_MS;
}

static int each_of_piece(const struct stored_row *rows, size_t n, struct latencies *latencies,
                         int64_t speed_mbps, struct observer *observer,
                         int (*each)(void *context, const struct observation *), void *context) {
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		struct observation observation;
		struct port_row row = {
		        .instance = rows[i].instance,
		        .epoch = rows[i].epoch,
		        .ts_ns = rows[i].ts_ns,
		        .up = rows[i].up,
		        .speed_mbps = speed_mbps,
		        .latency_ms = latency_at(latencies, rows[i].ts_ns),
		};

		memcpy(row.counters, rows[i].counters, sizeof(row.counters));
		if (observer_advance(observer, &row, &observation) > 0)
			rc = each(context, &observation);
	}
	return rc;
}

int past_rows_each(struct history *history, const char *host, const char *name, int64_t from_ns,
                   int64_t to_ns, const atomic_bool *stop, struct observer *observer,
                   int (*each)(void *context, const struct observation *), void *context,
                   struct status *status) {
	struct port_newest newest;
	int rc = history_port_newest(history, host, name, to_ns, &newest, status);

	if (rc <= 0)
		return rc;
	for (rc = 0; from_ns < to_ns && rc == 0; from_ns += PIECE_NS) {
		CLEANUP(freep) struct stored_row *rows = NULL;
		CLEANUP(latencies_fini) struct latencies latencies = {0};
		int64_t end_ns = from_ns + PIECE_NS < to_ns ? from_ns + PIECE_NS : to_ns;
		size_t n = 0;

		if (stop != NULL && atomic_load(stop))
			return -ECANCELED;
		if ((rc = history_rows(history, host, name, from_ns, end_ns, &rows, &n, status)) < 0 ||
		    (rc = read_latencies(history, host, name, from_ns, end_ns, &latencies, status)) < 0)
			return rc;
		rc = each_of_piece(rows, n, &latencies, newest.speed_mbps, observer, each, context);
	}
	return rc;
}
